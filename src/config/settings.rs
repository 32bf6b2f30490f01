//! The settings as typed values, and what the command line says of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// `$XDG_CONFIG_HOME/teu/config.toml` (root: `/etc/teu/config.toml`), flags and environment applied.
#[derive(Clone, Debug)]
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
    /// Where ports are published when `-p` names no address; `None`: on the loopback.
    pub publish_address: Option<std::net::IpAddr>,
    /// Containers that name no network are on the default one; else they have loopback alone.
    pub default_network: bool,
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

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::new(),
            run_dir: PathBuf::new(),
            config_dir: PathBuf::new(),
            ui_state_file: PathBuf::new(),
            insecure_registries: Vec::new(),
            auth_files: Vec::new(),
            publish_address: None,
            default_network: true,
            tui: TuiConfig::default(),
            no_color: false,
            warnings: Vec::new(),
        }
    }
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
