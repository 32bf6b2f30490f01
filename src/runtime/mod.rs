//! Bundle to living process. No database, no HTTP; no tokio and no threads in the roles `init` and `monitor`.

pub mod cgroup;
pub mod init;
pub mod launch;
pub mod protocol;
