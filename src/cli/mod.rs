//! The command line: docker's names, flags, output and exit codes over the same engine.

mod args;
mod commands;
mod complete;
mod create;
mod detach;
mod flags;
mod globals;
mod output;
mod progress;
mod report;
mod session;
mod template;
mod verbs;

pub use commands::{run, run_without_engine};
pub use complete::{COMPLETE_VARIABLE, complete};
pub use globals::{ColorChoice, Command, Globals, Length, Parsed, parse};
pub use report::failed_before_start;

use crate::config::Config;
use crate::engine::Options;

/// How the engine is opened for this configuration.
pub fn options(config: &Config, background: bool) -> Options {
    Options {
        data_dir: config.data_dir.clone(),
        run_dir: config.run_dir.clone(),
        insecure_registries: config.insecure_registries.clone(),
        auth_files: config.auth_files.clone(),
        program: "/proc/self/exe".into(),
        environment: crate::config::lasting_environment(),
        background,
    }
}
