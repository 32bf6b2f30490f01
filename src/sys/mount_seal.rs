//! What seals a root: paths that cannot be read, or cannot be changed.

use super::in_root;
use super::mount::{self, Change};
use super::mount_op::Mounted;
use super::{Error, Result};
use rustix::fs::{FileType, Mode, OFlags};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

/// What a path to be sealed leads to; `None`: nothing. Below `/proc` the procfs that was mounted there is meant, whatever is
/// to be found by that name now: another container may have the directories on the way in its hands (CVE-2019-19921,
/// CVE-2023-27561).
fn place(made: &Mounted, path: &str) -> Result<Option<OwnedFd>> {
    let below = Path::new(path).strip_prefix("/proc").ok();
    let below =
        below.filter(|rest| !rest.as_os_str().is_empty() && !rest.components().any(|c| c == Component::ParentDir));
    match (below, &made.proc) {
        (Some(rest), Some(proc)) => open_existing(proc.as_fd(), rest),
        _ => open_existing(made.root.as_fd(), Path::new(path)),
    }
}

fn open_existing(root: BorrowedFd<'_>, path: &Path) -> Result<Option<OwnedFd>> {
    match in_root::open(root, path, OFlags::PATH) {
        Err(e) if matches!(e.errno(), libc::ENOENT | libc::ENOTDIR | libc::EACCES) => Ok(None),
        other => other.map(Some),
    }
}

pub(super) fn mask(made: &mut Mounted, path: &str) -> Result<()> {
    let Some(target) = place(made, path)? else { return Ok(()) };
    let is_directory = in_root::kind(&target)? == FileType::Directory;
    let first = if is_directory { &mut made.empty } else { &mut made.nothing };
    match first {
        Some(first) => mount::attach(mount::clone_tree(first.as_fd(), Path::new(""), false)?.as_fd(), target.as_fd()),
        None => {
            let mask = if is_directory { empty_directory()? } else { null_device(&made.null)? };
            mount::attach(mask.as_fd(), target.as_fd())?;
            *first = Some(mask);
            Ok(())
        }
    }
}

/// The host's own node, whose owner and mode are not the container's to change.
fn null_device(null: &OwnedFd) -> Result<OwnedFd> {
    let copy = mount::clone_tree(null.as_fd(), Path::new(""), false)?;
    mount::change(copy.as_fd(), Change { set: mount::HOST_NODE, ..Change::default() })?;
    Ok(copy)
}

/// One file system shared by all masked directories, read-only and without room for an inode of its own.
fn empty_directory() -> Result<OwnedFd> {
    let options = [("nr_inodes", "1"), ("size", "4k"), ("mode", "0555")];
    let options: Vec<_> = options.map(|(k, v)| (k.to_owned(), Some(v.to_owned()))).into();
    mount::new_file_system("tmpfs", &options, mount::RDONLY | mount::NOSUID | mount::NODEV | mount::NOEXEC)
}

pub(super) fn read_only(made: &Mounted, path: &str) -> Result<()> {
    let Some(target) = place(made, path)? else { return Ok(()) };
    let copy = mount::clone_tree(target.as_fd(), Path::new(""), true)?;
    mount::change(copy.as_fd(), Change { set: mount::RDONLY, recursive: true, ..Change::default() })?;
    mount::attach(copy.as_fd(), target.as_fd())
}

/// The null device, verified to be it: as a mask's source anything else would let the container choose what we mount.
/// It stays part of the mount tree: kernels before 6.15 do not copy from detached mounts.
pub(super) fn open_null() -> Result<OwnedFd> {
    let path = "/dev/null";
    let fd = rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| Error::at("open", path, e))?;
    let stat = rustix::fs::fstat(&fd).map_err(|e| Error::at("fstat", path, e))?;
    let device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
    if !device || stat.st_rdev != rustix::fs::makedev(1, 3) {
        return Err(Error::at("open", path, std::io::Error::other("not the null device")));
    }
    Ok(fd)
}
