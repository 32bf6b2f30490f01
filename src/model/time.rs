//! Points in time as unix nanoseconds, so that records compare and store without a time library.

use serde::{Deserialize, Serialize};

/// Nanoseconds since the Unix epoch (UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Seconds from `earlier` to `self`, never negative.
    pub fn seconds_since(self, earlier: Timestamp) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0) / 1_000_000_000).unwrap_or(0)
    }

    /// RFC 3339 in UTC with nine fraction digits, as docker prints times (`2026-01-10T09:00:00.000000000Z`).
    pub fn rfc3339(self) -> String {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(t) => format!("{t:.9}"),
            Err(_) => String::from("0001-01-01T00:00:00Z"),
        }
    }

    /// Parses RFC 3339.
    pub fn parse_rfc3339(s: &str) -> Option<Timestamp> {
        let t: jiff::Timestamp = s.parse().ok()?;
        i64::try_from(t.as_nanosecond()).ok().map(Timestamp)
    }
}
