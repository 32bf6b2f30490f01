//! Locks on parts of a file that belong to an open file, not to a process (`fcntl_locking(2)`, open file descriptions).
//!
//! Closing any descriptor of a file ends the *process's* locks on it (POSIX): whoever locks a file that other code of
//! this process locks too must keep it open for as long as that code does.

use super::{Error, Result};
use std::fs::File;
use std::os::fd::AsRawFd;

/// Shares the byte at that offset with others; `false`: somebody has it for himself.
pub fn share_byte(file: &File, at: i64) -> Result<bool> {
    let lock = libc::flock {
        l_type: libc::F_RDLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: at,
        l_len: 1,
        l_pid: 0,
    };
    // SAFETY: the lock's description outlives the call, which only reads it.
    let done = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
    if done == 0 {
        return Ok(true);
    }
    let error = std::io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(Error::new("fcntl(F_OFD_SETLK)", error)),
    }
}
