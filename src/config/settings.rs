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
    /// Monitors listen at published ports themselves; else the kernel translates addresses where it can.
    pub monitors_listen: bool,
    /// Containers that name no network are on the default one; else they have loopback alone.
    pub default_network: bool,
    pub tui: TuiConfig,
    /// What the terminal can show, by `$COLORTERM` and `$TERM`; or may show, by `$NO_COLOR`.
    pub colours: Colours,
    /// `None`: there is none.
    pub browser: Option<Browser>,
    /// Problems in the files, by line; the defaults were used there.
    pub warnings: Vec<String>,
}

/// What shows a web address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Browser {
    /// On the user's desktop, beside teu.
    Desktop(PathBuf),
    /// Without a desktop `$BROWSER`, which has the terminal until it ends: a program and its arguments.
    Terminal(Vec<String>),
}

/// How many colours a terminal has, or is allowed to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colours {
    /// Attributes such as bold alone.
    None,
    Sixteen,
    TwoHundredFiftySix,
    #[default]
    Full,
}

impl Colours {
    /// By what a terminal says of itself in `$COLORTERM` and `$TERM` (a login on another machine brings only the second)
    /// and what the user says in `$NO_COLOR`, when it is not empty.
    pub fn of(no_color: bool, colorterm: Option<&str>, term: Option<&str>) -> Colours {
        /// Terminals of 24 bits whose names do not say so.
        const FULL: [&str; 7] = ["alacritty", "contour", "foot", "ghostty", "kitty", "rio", "wezterm"];
        let term = term.unwrap_or_default();
        if no_color || term == "dumb" {
            return Colours::None;
        }
        let full = matches!(colorterm, Some("truecolor" | "24bit")) || term.contains("direct");
        if full || FULL.iter().any(|name| term.trim_start_matches("xterm-").starts_with(name)) {
            Colours::Full
        } else if term.contains("256") {
            Colours::TwoHundredFiftySix
        } else {
            Colours::Sixteen
        }
    }
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
            monitors_listen: false,
            default_network: true,
            tui: TuiConfig::default(),
            colours: Colours::default(),
            browser: None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_s_colours_by_what_it_says() {
        for (colorterm, term, has) in [
            (Some("truecolor"), Some("xterm-256color"), Colours::Full),
            (Some("24bit"), None, Colours::Full),
            (None, Some("xterm-kitty"), Colours::Full),
            (None, Some("foot-extra"), Colours::Full),
            (None, Some("xterm-direct"), Colours::Full),
            (Some("yes"), Some("xterm-256color"), Colours::TwoHundredFiftySix),
            (None, Some("tmux-256color"), Colours::TwoHundredFiftySix),
            (None, Some("xterm"), Colours::Sixteen),
            (None, Some("linux"), Colours::Sixteen),
            (None, None, Colours::Sixteen),
            (None, Some("dumb"), Colours::None),
        ] {
            assert_eq!(Colours::of(false, colorterm, term), has, "{colorterm:?} {term:?}");
            assert_eq!(Colours::of(true, colorterm, term), Colours::None);
        }
    }
}
