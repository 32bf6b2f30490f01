//! The user's settings: one TOML file and the environment, read once into a typed value. The only reader of env vars
//! besides `main`.

mod dirs;
mod editor;
mod file;
mod registries;
mod themes;
mod ui_state;

pub use editor::{edit, write_new};
pub use themes::user_themes;
pub use ui_state::UiState;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// `$XDG_CONFIG_HOME/teu/config.toml` (root: `/etc/teu/config.toml`), flags and environment applied.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub data_dir: PathBuf,
    pub run_dir: PathBuf,
    /// The directory of `config.toml`; user themes are in `themes/` below it.
    pub config_dir: PathBuf,
    /// What the screen remembers between runs (layout, last view).
    pub ui_state_file: PathBuf,
    /// `host[:port]`, from our file, docker's `daemon.json` and containers' `registries.conf`.
    pub insecure_registries: Vec<String>,
    /// Files with registry credentials, the first that knows a registry wins. They need not exist.
    pub auth_files: Vec<PathBuf>,
    pub tui: TuiConfig,
    /// `$NO_COLOR` is set and not empty, or `$TERM` is `dumb`.
    pub no_color: bool,
    /// Problems in the files, by line; the defaults were used there.
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TuiConfig {
    pub theme: String,
    /// The one key taken from a shell: `ctrl-]`.
    pub leader: String,
    pub mouse: bool,
    /// Force ASCII glyphs; `None`: by the locale.
    pub ascii: Option<bool>,
    /// Action name to keys; replaces that action's defaults.
    pub keys: BTreeMap<String, Vec<String>>,
    /// `default`, `lazydocker`, `k9s`.
    pub preset: String,
    /// Lines of history in a shell pane.
    pub scrollback: usize,
}

impl Default for TuiConfig {
    fn default() -> Self {
        Self {
            theme: "terminal".into(),
            leader: "ctrl-]".into(),
            mouse: true,
            ascii: None,
            keys: BTreeMap::new(),
            preset: "default".into(),
            scrollback: 10_000,
        }
    }
}

/// What the command line says about where things are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--root DIR`: all state below it, the run directory too.
    pub root: Option<PathBuf>,
    /// `--data-dir` and `--run-dir`: how teu calls itself again with exactly the directories it has.
    pub data_dir: Option<PathBuf>,
    pub run_dir: Option<PathBuf>,
}

/// Why there can be no configuration at all. Mistakes in a file are not this: see [`Config::warnings`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no home directory: $HOME is not set and the user database has none for uid {0}")]
    NoHome(u32),
    #[error("cannot use {path}: {why}")]
    Directory { path: PathBuf, why: String },
}

/// [`load`], and the run directory made or found to be ours alone.
pub fn open(overrides: &Overrides) -> Result<Config, Error> {
    let config = load(overrides)?;
    dirs::prepare_run_dir(&config.run_dir)?;
    Ok(config)
}

/// Reads the environment and the files.
pub fn load(overrides: &Overrides) -> Result<Config, Error> {
    let places = dirs::places(overrides)?;
    let mut config = Config {
        data_dir: places.data,
        run_dir: places.run,
        config_dir: places.config,
        ui_state_file: places.state.join("ui.json"),
        auth_files: dirs::auth_files(places.home.as_deref()),
        no_color: env_text("NO_COLOR").is_some() || env_text("TERM").as_deref() == Some("dumb"),
        ..Config::default()
    };
    read_own_file(&mut config);
    if config.tui.ascii.is_none() {
        config.tui.ascii = Some(!locale_is_utf8());
    }
    registries::add_insecure(&mut config, places.home.as_deref());
    Ok(config)
}

fn read_own_file(config: &mut Config) {
    let path = config.config_dir.join("config.toml");
    match std::fs::read_to_string(&path) {
        Ok(text) => file::apply(config, &text),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => config.warnings.push(format!("{}: {e}", path.display())),
    }
}

/// The value of a variable of our own environment, for `-e NAME` without a value.
pub fn environment_value(name: &str) -> Option<String> {
    std::env::var_os(name).map(|v| v.to_string_lossy().into_owned())
}

/// What processes that outlive their caller keep of its environment: where things are, and no secrets. They are told
/// the state's directories as arguments.
pub fn lasting_environment() -> Vec<(OsString, OsString)> {
    let kept = ["PATH", "HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "TEU_SCOPE"];
    kept.iter().filter_map(|name| Some(((*name).into(), std::env::var_os(name)?))).collect()
}

/// Set and not empty.
fn env_text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// Absolute and not empty, as the XDG specification asks.
fn env_path(name: &str) -> Option<PathBuf> {
    env_text(name).map(PathBuf::from).filter(|p| p.is_absolute())
}

/// POSIX: the first of these that is set decides.
fn locale_is_utf8() -> bool {
    let value = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|n| env_text(n)).unwrap_or_default();
    let value = value.to_ascii_lowercase();
    value.contains("utf-8") || value.contains("utf8")
}

/// The documented sample of `config.toml`, every key with its default.
pub fn sample() -> &'static str {
    include_str!("../../assets/config.toml")
}

/// Makes a relative path of a flag absolute without asking the disk about links.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
