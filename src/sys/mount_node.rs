//! Device nodes, FIFOs and links made below a root that others control.

use super::in_root::{self, Make};
use super::mount::{self, Change, Propagation};
use super::{Error, Result};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Character,
    Block,
    Fifo,
}

impl Kind {
    fn file_type(self) -> FileType {
        match self {
            Kind::Character => FileType::CharacterDevice,
            Kind::Block => FileType::BlockDevice,
            Kind::Fifo => FileType::Fifo,
        }
    }
}

/// A node as the OCI runtime specification describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Absolute path inside.
    pub path: String,
    pub kind: Kind,
    pub major: u32,
    pub minor: u32,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Where nodes cannot be made (a user namespace): the host's own of that path, bound on a file.
    pub bind: bool,
}

/// Opens the directory a path is in, made when it is missing, and gives the last component.
fn parent<'p>(root: BorrowedFd<'_>, path: &'p str) -> Result<(OwnedFd, &'p str)> {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    if name.is_empty() || name == ".." || name == "." {
        return Err(Error::at("make", path, rustix::io::Errno::INVAL));
    }
    let directory = if directory.is_empty() { "/" } else { directory };
    Ok((in_root::ensure(root, directory, Make::Directory)?, name))
}

pub fn device(root: BorrowedFd<'_>, device: &Device) -> Result<()> {
    if device.bind && device.kind != Kind::Fifo {
        return bind_host(root, device);
    }
    let (directory, name) = parent(root, &device.path)?;
    let kind = device.kind.file_type();
    let number = if device.kind == Kind::Fifo { 0 } else { rustix::fs::makedev(device.major, device.minor) };
    let mode = Mode::from_raw_mode(device.mode);
    match rustix::fs::mknodat(&directory, name, kind, mode, number) {
        Ok(()) => {}
        Err(rustix::io::Errno::EXIST) => return existing(&directory, name, kind, number, device),
        Err(e) => return Err(Error::at("mknod", &device.path, e)),
    }
    own(&directory, name, device)
}

fn own(directory: &OwnedFd, name: &str, device: &Device) -> Result<()> {
    if (device.uid, device.gid) == (0, 0) {
        return Ok(());
    }
    let (uid, gid) = (rustix::fs::Uid::from_raw(device.uid), rustix::fs::Gid::from_raw(device.gid));
    rustix::fs::chownat(directory, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|e| Error::at("chown", &device.path, e))
}

/// What is there already is used when it is that very device.
fn existing(directory: &OwnedFd, name: &str, kind: FileType, number: u64, device: &Device) -> Result<()> {
    let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|e| Error::at("stat", &device.path, e))?;
    let same = FileType::from_raw_mode(stat.st_mode) == kind && (device.kind == Kind::Fifo || stat.st_rdev == number);
    if !same {
        return Err(Error::at("mknod", &device.path, rustix::io::Errno::EXIST));
    }
    own(directory, name, device)
}

/// Its mode and owner are the host's; as another device it would be passed off.
fn bind_host(root: BorrowedFd<'_>, device: &Device) -> Result<()> {
    let path = device.path.as_str();
    let tree = mount::clone_tree(rustix::fs::CWD, &PathBuf::from(path), false)?;
    let stat = rustix::fs::fstat(&tree).map_err(|e| Error::at("stat", path, e))?;
    let number = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    if FileType::from_raw_mode(stat.st_mode) != device.kind.file_type() || number != (device.major, device.minor) {
        let words = "the host's is another device, and in a user namespace none can be made";
        return Err(Error::at("bind", path, std::io::Error::other(words)));
    }
    let quiet = Change { set: mount::HOST_NODE, propagation: Some(Propagation::Private), ..Change::default() };
    mount::change(tree.as_fd(), quiet)?;
    let target = in_root::ensure(root, path, Make::File)?;
    mount::attach(tree.as_fd(), target.as_fd())
}

pub fn link(root: BorrowedFd<'_>, path: &str, to: &str) -> Result<()> {
    let (directory, name) = parent(root, path)?;
    match rustix::fs::symlinkat(to, &directory, name) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(e) => Err(Error::at("symlink", path, e)),
    }
}

/// Whether two paths lead to the same directory or file.
pub fn same_file(a: &Path, b: &Path) -> bool {
    let identity = |path: &Path| {
        let fd = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
        rustix::fs::fstat(fd).ok().map(|s| (s.st_dev, s.st_ino))
    };
    identity(a).is_some() && identity(a) == identity(b)
}
