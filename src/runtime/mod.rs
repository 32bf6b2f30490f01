//! Bundle to living process. No database, no HTTP; no tokio and no threads in the roles `init` and `monitor`.

pub mod announced;
pub mod bundle;
pub mod caps;
pub mod cgroup;
pub mod eventlog;
pub mod init;
pub mod launch;
pub mod log;
pub mod machine;
pub mod monitor;
pub mod oci;
pub mod processes;
pub mod protocol;
pub mod rootfs;
pub mod seccomp;
pub mod state;
mod systemd;
pub mod task;
#[cfg(test)]
mod tests;
pub mod user;
