//! One record of a container's log.

use super::time::Timestamp;
use bytes::Bytes;

/// One line of output with its time and stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    pub time: Timestamp,
    pub stream: Stream,
    /// The line goes on in the next record of this stream (it was longer than 16 KiB), or its stream ended without a
    /// newline.
    pub partial: bool,
    /// Without the newline.
    pub bytes: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}
