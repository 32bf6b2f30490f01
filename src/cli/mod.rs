//! The command line: docker's names, flags, output and exit codes over the same engine.

mod args;
mod commands;
mod complete;
mod create;
mod detach;
mod flags;
mod globals;
pub mod oci;
mod options;
mod output;
mod progress;
mod report;
mod session;
mod template;
mod verbs;

pub use commands::{run, run_without_engine};
pub use complete::{COMPLETE_VARIABLE, complete};
pub use globals::{ColorChoice, Command, Globals, Length, Look, Parsed, look, parse};
pub use options::{load_monitor, options, prepare};
pub use report::failed_before_start;
