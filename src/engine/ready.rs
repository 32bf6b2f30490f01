//! Waiting for a descriptor (inotify, pidfd) to become readable.

use super::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, RawFd};
use tokio::io::unix::AsyncFd;

/// Watches a descriptor that somebody else owns and must keep open for as long as this lives.
pub(crate) struct Ready(AsyncFd<Borrowed>);

struct Borrowed(RawFd);

impl AsRawFd for Borrowed {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

impl Ready {
    pub fn on(fd: RawFd) -> Result<Ready> {
        // A closed descriptor would be a wake-up missed, not a broken invariant of memory.
        #[expect(
            deprecated,
            reason = "its successor is an unsafe function, and those live in sys, which knows no tokio"
        )]
        let watch = AsyncFd::new(Borrowed(fd)).map_err(failed)?;
        Ok(Ready(watch))
    }

    /// Returns when there may be something to read. Read until there is nothing before waiting again.
    pub async fn wait(&self) -> Result<()> {
        self.0.readable().await.map_err(failed)?.clear_ready();
        Ok(())
    }
}

fn failed(e: std::io::Error) -> Error {
    Error::new(ErrorKind::Internal, "watching for changes").because(e.to_string())
}
