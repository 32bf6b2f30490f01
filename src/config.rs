//! The user's settings: one TOML file and the environment, read once into a typed value. The only reader of env vars
//! besides `main`.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `$XDG_CONFIG_HOME/teu/config.toml` (root: `/etc/teu/config.toml`), flags and environment applied.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub data_dir: PathBuf,
    pub run_dir: PathBuf,
    /// The directory of `config.toml`; user themes are in `themes/` below it.
    pub config_dir: PathBuf,
    pub insecure_registries: Vec<String>,
    pub tui: TuiConfig,
    /// Problems in the file, by line; the defaults were used there.
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
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
