//! The screen: ratatui and crossterm live here and nowhere else. `update` is pure; the loop alone touches the world.

pub mod emulator;
pub mod encode;
pub mod text;
pub mod theme;
pub mod views;

use crate::config::Config;
use crate::engine::Engine;

/// Runs the TUI until the user quits; returns the process's exit code.
pub async fn run(_engine: Engine, _config: Config) -> std::io::Result<u8> {
    Ok(0)
}
