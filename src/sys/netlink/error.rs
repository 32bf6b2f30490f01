//! What the kernel refuses, and what becomes of answers on their way.

use super::{Call, Family};
use std::time::Duration;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Call(#[from] Call),
    /// The kernel's answer, with its own words where it has any.
    #[error("{}{}", std::io::Error::from_raw_os_error(*.errno), .text.as_ref().map(|t| format!(" ({t})")).unwrap_or_default())]
    Refused { errno: i32, text: Option<String> },
    #[error("an answer from netlink is cut short")]
    Cut,
    #[error("no answer from {} netlink within {limit:?}", .family.word())]
    Silent { family: Family, limit: Duration },
    /// More came than the socket has room for.
    #[error("answers from netlink were lost")]
    Lost,
    /// A list never was the same from its beginning to its end.
    #[error("what netlink lists does not stop changing")]
    Changing,
}

impl Error {
    /// 0 when the kernel gave none.
    pub fn errno(&self) -> i32 {
        match self {
            Error::Call(e) => e.errno(),
            Error::Refused { errno, .. } => *errno,
            Error::Cut | Error::Silent { .. } | Error::Lost | Error::Changing => 0,
        }
    }

    /// The thing asked for is there already.
    pub fn exists(&self) -> bool {
        self.errno() == libc::EEXIST
    }

    /// There is no such thing.
    pub fn missing(&self) -> bool {
        matches!(self.errno(), libc::ENOENT | libc::ENODEV | libc::ESRCH | libc::ENXIO | libc::EADDRNOTAVAIL)
    }

    /// This kernel has no such feature.
    pub fn unsupported(&self) -> bool {
        matches!(self.errno(), libc::EOPNOTSUPP | libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT)
    }

    pub fn invalid(&self) -> bool {
        self.errno() == libc::EINVAL
    }

    pub fn busy(&self) -> bool {
        self.errno() == libc::EBUSY
    }

    /// The rules are no longer those the transaction was made for.
    pub fn outdated(&self) -> bool {
        self.errno() == libc::ERESTART
    }

    pub fn denied(&self) -> bool {
        matches!(self.errno(), libc::EPERM | libc::EACCES)
    }
}
