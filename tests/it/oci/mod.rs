//! The OCI runtime on the command line: tests named after what the runtime specification says a runtime MUST do.

mod bundle;
mod hooks;
mod lifecycle;
mod linux;
mod podman;
mod process;
