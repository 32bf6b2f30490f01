//! New processes and namespaces: `clone3`, `fork`, `unshare`, `setns`. All for single-threaded callers only:
//! the child goes on in Rust, and a lock held by another thread at that moment would stay locked for ever.

use super::told::Told;
use super::{Error, Result};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

pub const NEWNS: u64 = libc::CLONE_NEWNS as u64;
pub const NEWUTS: u64 = libc::CLONE_NEWUTS as u64;
pub const NEWIPC: u64 = libc::CLONE_NEWIPC as u64;
pub const NEWUSER: u64 = libc::CLONE_NEWUSER as u64;
pub const NEWPID: u64 = libc::CLONE_NEWPID as u64;
pub const NEWNET: u64 = libc::CLONE_NEWNET as u64;
pub const NEWCGROUP: u64 = libc::CLONE_NEWCGROUP as u64;
/// Not for clone flags here: its bits are those of an exit signal. Children of who unshares it are born in it.
pub const NEWTIME: u64 = 0x80;
const PIDFD: u64 = libc::CLONE_PIDFD as u64;
const INTO_CGROUP: u64 = 0x2_0000_0000;

/// `struct clone_args`, version 2 (Linux 5.7).
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// The two sides of a clone.
#[derive(Debug)]
pub enum Side {
    Parent { pid: i32, pidfd: OwnedFd },
    Child,
}

/// clone3(2) with a copied address space, SIGCHLD at exit and a pidfd. `cgroup` (a v2 directory) is where the child
/// is born, so that nothing it does escapes its limits.
pub fn clone3(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> Result<Side> {
    clone_as(flags, libc::SIGCHLD, cgroup, None)
}

/// The same, but the new process is the caller's sibling: a child of the caller's parent, which must reap it.
pub fn clone3_sibling(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> Result<Side> {
    // With CLONE_PARENT the exit signal is the caller's own, and none may be given.
    clone_as(flags | libc::CLONE_PARENT as u64, 0, cgroup, None)
}

/// The same, of which others know by `told`, also if the caller is killed in the meantime.
pub fn clone3_sibling_told(flags: u64, told: &Told) -> Result<Side> {
    clone_as(flags | libc::CLONE_PARENT as u64, 0, None, Some(told))
}

fn clone_as(flags: u64, exit_signal: libc::c_int, cgroup: Option<BorrowedFd<'_>>, told: Option<&Told>) -> Result<Side> {
    let mut pidfd: libc::c_int = -1;
    let flags = flags | if told.is_some() { libc::CLONE_PARENT_SETTID as u64 } else { 0 };
    let args = CloneArgs {
        flags: flags | PIDFD | if cgroup.is_some() { INTO_CGROUP } else { 0 },
        parent_tid: told.map_or(0, Told::address),
        pidfd: &raw mut pidfd as u64,
        exit_signal: exit_signal as u64,
        cgroup: cgroup.map_or(0, |fd| fd.as_raw_fd() as u64),
        ..CloneArgs::default()
    };
    // SAFETY: args outlives the call, as does what `told` maps; without CLONE_VM the child has a copy of this stack, and the caller is
    // single-threaded (module contract), so the child may go on as Rust.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) };
    match pid {
        -1 => Err(Error::new("clone3", std::io::Error::last_os_error())),
        0 => Ok(Side::Child),
        pid => {
            // SAFETY: the kernel stored a fresh descriptor there, owned by nobody else.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Side::Parent { pid: pid as i32, pidfd })
        }
    }
}

/// fork(2); `None` in the child.
pub fn fork() -> Result<Option<i32>> {
    // SAFETY: the caller is single-threaded (module contract).
    match unsafe { libc::fork() } {
        -1 => Err(Error::new("fork", std::io::Error::last_os_error())),
        0 => Ok(None),
        pid => Ok(Some(pid)),
    }
}

pub fn unshare(flags: u64) -> Result<()> {
    // SAFETY: no memory is passed.
    let result = unsafe { libc::unshare(flags as libc::c_int) };
    super::check("unshare", result)
}

/// Joins the namespaces named by `flags` of the process behind a pidfd, or the one behind a namespace descriptor.
pub fn setns(fd: BorrowedFd<'_>, flags: u64) -> Result<()> {
    // SAFETY: no memory is passed.
    let result = unsafe { libc::setns(fd.as_raw_fd(), flags as libc::c_int) };
    super::check("setns", result)
}
