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
