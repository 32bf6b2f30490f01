//! A directory covered by a copy of itself, in a mount namespace that others see, too: what is mounted in the copy goes
//! with it.

use super::mount::{self, Change, Propagation};
use super::mount_below::{id_of, is_mounted_at};
use super::{Error, Result};
use rustix::fs::{Mode, OFlags};
use rustix::mount::UnmountFlags;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Covers `place` (absolute, without links) with a private copy of what is there, mounts below included. Returns the
/// mount's number, which no other has while it is there.
pub fn cover(place: &Path) -> Result<u64> {
    let tree = mount::clone_tree(rustix::fs::CWD, place, true)?;
    mount::attach_at(tree.as_fd(), place)?;
    // The surroundings may be shared: then the copy has become so when it was attached.
    let private = Change { propagation: Some(Propagation::Private), recursive: true, ..Change::default() };
    mount::change(tree.as_fd(), private).and_then(|()| id_of(tree.as_fd())).inspect_err(|_| {
        let _ = detach(place);
    })
}

/// Takes that mount away with everything in it, if it is still what one sees at `place`.
pub fn uncover(place: &Path, number: u64) -> Result<()> {
    let Ok(seen) = open(place) else { return Ok(()) };
    // A number alone could be another's after a new start of the machine.
    if id_of(seen.as_fd())? == number && is_mounted_at(number, place)? {
        drop(seen);
        detach(place)?;
    }
    Ok(())
}

fn detach(place: &Path) -> Result<()> {
    rustix::mount::unmount(place, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
        .map_err(|e| Error::at("umount", place, e))
}

fn open(place: &Path) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(place, flags, Mode::empty()).map_err(|e| Error::at("open", place, e))
}
