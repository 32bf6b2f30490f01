//! Bundle to living process. No database, no HTTP; no tokio and no threads in the roles `init` and `monitor`.

pub mod launch;
pub mod protocol;
