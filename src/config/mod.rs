//! The user's settings: one TOML file and the environment, read once into a typed value. The only reader of env vars
//! besides `main`.

mod dirs;
mod editor;
mod environment;
mod file;
mod load;
mod registries;
mod settings;
mod themes;
mod ui_state;

pub use editor::{browse, edit, pipe, write_new};
pub use environment::{environment_value, lasting_environment};
pub use load::{load, open, sample};
pub use settings::{Browser, Colours, Config, Overrides, TuiConfig};
pub use themes::user_themes;
pub use ui_state::UiState;

use std::path::PathBuf;

/// Why there can be no configuration at all. Mistakes in a file are not this: see [`Config::warnings`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no home directory: $HOME is not set and the user database has none for uid {0}")]
    NoHome(u32),
    #[error("cannot use {path}: {why}")]
    Directory { path: PathBuf, why: String },
}
