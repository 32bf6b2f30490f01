//! The kernel, safely: the only place of `unsafe`, `nix`, `libc` and `rustix`. Knows no teu type, no policy.

pub mod access;
pub mod attributes;
pub mod channel;
pub mod clone;
pub mod confine;
pub mod console;
pub mod copy_up;
pub mod datagram;
pub mod device_filter;
pub mod elsewhere;
pub mod facts;
pub mod files;
pub mod in_place;
pub mod in_root;
pub mod loopback;
pub mod mount;
mod mount_below;
mod mount_fill;
mod mount_guard;
pub mod mount_here;
pub mod mount_node;
pub mod mount_op;
mod mount_seal;
pub mod netlink;
pub mod overlay;
pub mod owner;
pub mod poll;
pub mod port;
pub mod process;
pub mod program;
pub mod pty;
pub mod range_lock;
pub mod rlimit;
pub mod splice;
pub mod start;
pub mod sub_ids;
pub mod told;
pub mod tree;
pub mod userns;
pub mod watch;

use std::path::{Path, PathBuf};

/// A failed call: which, on what, and the kernel's answer.
#[derive(Debug, thiserror::Error)]
#[error("{call}{}: {source}", .path.as_ref().map(|p| format!(" {}", p.display())).unwrap_or_default())]
pub struct Error {
    pub call: &'static str,
    pub path: Option<PathBuf>,
    #[source]
    pub source: std::io::Error,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(call: &'static str, source: impl Into<std::io::Error>) -> Self {
        Self { call, path: None, source: source.into() }
    }

    pub fn at(call: &'static str, path: impl AsRef<Path>, source: impl Into<std::io::Error>) -> Self {
        Self { call, path: Some(path.as_ref().to_owned()), source: source.into() }
    }

    /// The errno, 0 when there is none.
    pub fn errno(&self) -> i32 {
        self.source.raw_os_error().unwrap_or(0)
    }
}

/// The usual convention: -1 is failure and errno says which.
pub(crate) fn check(call: &'static str, result: i32) -> Result<()> {
    if result == -1 { Err(Error::new(call, std::io::Error::last_os_error())) } else { Ok(()) }
}
