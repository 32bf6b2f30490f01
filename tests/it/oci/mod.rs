//! The OCI runtime on the command line: tests named after what the runtime specification says a runtime MUST do.

pub mod bundle;
mod devices;
mod filters;
mod flags;
mod further;
mod fuzz;
mod hooks;
mod hostile;
mod lifecycle;
mod limits;
mod linux;
mod mounts;
mod namespaces;
mod notify;
mod podman;
mod process;
mod ready;
mod surroundings;
mod systemd;
mod traces;
mod update;
