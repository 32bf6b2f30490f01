//! `teu oci`: the command line of OCI runtimes (runc's words, flags, outputs and exit codes), for callers that are
//! programs. Also without the word `oci`, when teu is called by the name `teu-oci` or `teu-runtime` (a symbolic link):
//! podman, containerd and CRI-O put their own words right after the runtime's path.
//!
//! Quick by doing little: no engine, no database, no threads, and the parser of the one command that was called.

mod commands;
mod figures;
mod flags;
mod globals;
mod go_flags;
mod lists;
mod output;

pub use globals::{arguments, main};
