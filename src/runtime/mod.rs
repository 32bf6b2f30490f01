//! Bundle to living process. No database, no HTTP; no tokio and no threads in the roles `init` and `monitor`.

pub mod cgroup;
pub mod init;
pub mod eventlog;
pub mod launch;
pub mod log;
pub mod protocol;
pub mod state;
pub mod task;
