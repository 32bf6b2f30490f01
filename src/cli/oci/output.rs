//! Words on stdout and stderr, and tables as runc prints them.

use crate::cli::report;

pub fn out(text: &str) {
    report::out(text);
}

pub fn err(text: &str) {
    report::err(text);
}

/// RFC 3339 with seconds.
pub fn now() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    jiff::Timestamp::from_second(i64::try_from(now.as_secs()).unwrap_or(0)).map(|t| t.to_string()).unwrap_or_default()
}

pub fn is_root() -> bool {
    crate::engine::oci::is_root()
}
