//! What this process may do with a path, asked of the kernel instead of guessed from modes.

use std::path::Path;

/// May entries be made in this directory?
pub fn is_writable_dir(dir: &Path) -> bool {
    use nix::unistd::{AccessFlags, access};
    access(dir, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
}
