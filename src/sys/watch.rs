//! Notices of file changes by inotify, on a descriptor that any loop can poll.

use super::{Error, Result};
use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags};
use std::ffi::OsString;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Watches directories. Readable when something has changed since the last [`Watch::drain`].
#[derive(Debug)]
pub struct Watch {
    fd: OwnedFd,
}

impl Watch {
    pub fn new() -> Result<Self> {
        let fd = rustix::fs::inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            .map_err(|e| Error::new("inotify_init", e))?;
        Ok(Self { fd })
    }

    /// Files made, renamed into, written or removed in `dir`. One watch each, per directory.
    pub fn add_dir(&self, dir: &Path) -> Result<()> {
        let what = WatchFlags::CREATE
            | WatchFlags::MODIFY
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::ONLYDIR;
        rustix::fs::inotify::add_watch(&self.fd, dir, what)
            .map(|_| ())
            .map_err(|e| Error::at("inotify_add_watch", dir, e))
    }

    /// Takes all pending notices without waiting: true when there was any.
    pub fn drain(&self) -> bool {
        self.names(|_| {})
    }

    /// As [`Watch::drain`], with each changed file's name.
    pub fn names(&self, mut each: impl FnMut(OsString)) -> bool {
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.fd, &mut space);
        let mut any = false;
        while let Ok(event) = reader.next() {
            any = true;
            if let Some(name) = event.file_name() {
                each(std::ffi::OsStr::from_bytes(name.to_bytes()).to_owned());
            }
        }
        any
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Watch {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_file_is_noticed_once() {
        let dir = tempfile::tempdir().unwrap();
        let watch = Watch::new().unwrap();
        watch.add_dir(dir.path()).unwrap();
        assert!(!watch.drain());
        std::fs::write(dir.path().join("a"), b"1").unwrap();
        let mut seen = Vec::new();
        assert!(watch.names(|n| seen.push(n)));
        assert!(seen.contains(&OsString::from("a")));
        assert!(!watch.drain());
    }
}
