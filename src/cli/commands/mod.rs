//! What each verb does with its flags: build a request, follow its job, print the answer.

use super::globals::Command;
use crate::config::Config;
use crate::engine::Engine;

/// Runs a verb; the exit code.
pub async fn run(_command: &Command, _engine: Engine, _config: &Config) -> u8 {
    0
}

/// `version` and `completion`.
pub fn run_without_engine(_command: &Command) -> u8 {
    0
}
