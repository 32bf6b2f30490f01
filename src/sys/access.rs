//! What this process may do with a path, asked of the kernel instead of guessed from modes.

use std::path::Path;

/// May entries be made in this directory?
pub fn is_writable_dir(dir: &Path) -> bool {
    why_not_writable(dir).is_none()
}

/// The kernel's reason why no entries can be made in this directory.
pub fn why_not_writable(dir: &Path) -> Option<std::io::Error> {
    use nix::unistd::{AccessFlags, access};
    access(dir, AccessFlags::W_OK | AccessFlags::X_OK).err().map(std::io::Error::from)
}

/// Whether a descriptor of that number was there when this program began: whatever it opens itself closes at exec.
pub fn is_inherited(number: u32) -> bool {
    let Ok(number) = std::os::fd::RawFd::try_from(number) else { return false };
    // SAFETY: only its flags are read, and only for the time of the call.
    let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_getfd(fd).is_ok_and(|flags| !flags.contains(rustix::io::FdFlags::CLOEXEC))
}

/// Whether this process may read or write (as asked for) what is there, by its permissions. Opens nothing: opening a
/// device can do things.
pub fn may(path: &Path, read: bool, write: bool) -> bool {
    use nix::unistd::{AccessFlags, access};
    let mut wanted = AccessFlags::F_OK;
    wanted.set(AccessFlags::R_OK, read);
    wanted.set(AccessFlags::W_OK, write);
    access(path, wanted).is_ok()
}
