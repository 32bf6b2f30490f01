//! A container's network namespace: made before its processes, alive as long as a descriptor of it is open.
//!
//! Entering one changes only the calling thread, and the thread comes back before anything else happens.

use super::error::{Error, Result};
use crate::sys::{clone, userns};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Of a thread that only opens sockets and talks to the kernel.
const STACK: usize = 256 << 10;

/// A network namespace nobody but us knows of yet, its loopback up.
#[derive(Debug)]
pub struct NetNs {
    fd: OwnedFd,
}

impl NetNs {
    /// A fresh one. It ends with the last descriptor and the last process in it.
    pub fn create() -> Result<NetNs> {
        let make = || {
            let made = clone::unshare(clone::NEWNET);
            made.map_err(|source| Error::System { doing: "make a network namespace", source })?;
            let up = crate::sys::loopback::up();
            up.map_err(|source| Error::System { doing: "bring loopback up", source }).and_then(|()| current())
        };
        Ok(NetNs { fd: away(make)?? })
    }

    /// One that exists already.
    pub fn of(fd: OwnedFd) -> NetNs {
        NetNs { fd }
    }

    /// Runs `inside` with this thread in the namespace: sockets it opens belong there for good.
    pub fn enter<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> Result<T> {
        enter(self.fd.as_fd(), inside)
    }
}

impl AsFd for NetNs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Runs `inside` in that network namespace.
pub fn enter<T: Send>(ns: BorrowedFd<'_>, inside: impl FnOnce() -> T + Send) -> Result<T> {
    away(|| go(ns).map(|()| inside()))?
}

/// Runs `work`, which may leave for another network namespace, and is in the one from before afterwards.
///
/// In a user namespace nobody may return to the machine's own: there a thread goes and ends there. Its descriptors are
/// the whole process's, and a process whose other threads have ended is single-threaded again.
fn away<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    if !userns::identity().in_user_namespace {
        let before = current()?;
        let value = work();
        go(before.as_fd())?;
        return Ok(value);
    }
    std::thread::scope(|scope| {
        let started = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        let thread = started.map_err(|e| Error::System {
            doing: "start a thread for a network namespace",
            source: crate::sys::Error::new("clone", e),
        })?;
        thread.join().map_err(|panic| std::panic::resume_unwind(panic))
    })
}

/// The namespace this thread is in.
pub fn current() -> Result<OwnedFd> {
    open(Path::new("/proc/thread-self/ns/net"))
}

/// The namespace of a process, or one bound to a file.
pub fn open(path: &Path) -> Result<OwnedFd> {
    let opened = File::open(path).map_err(|e| crate::sys::Error::at("open", path, e));
    Ok(opened.map_err(|source| Error::System { doing: "open a network namespace", source })?.into())
}

fn go(ns: BorrowedFd<'_>) -> Result<()> {
    clone::setns(ns, clone::NEWNET).map_err(|source| Error::System { doing: "enter a network namespace", source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_namespace_is_another_one_and_one_comes_back() {
        let name = || std::fs::read_link("/proc/thread-self/ns/net").unwrap();
        let before = name();
        let Ok(ns) = NetNs::create() else { return };
        assert_eq!(name(), before);
        let inside = ns.enter(name).unwrap();
        assert_ne!(inside, before);
        assert_eq!(name(), before);
        let flags = ns.enter(|| std::fs::read_to_string("/proc/thread-self/net/dev").unwrap()).unwrap();
        assert!(flags.contains("lo:"), "{flags}");
    }
}
