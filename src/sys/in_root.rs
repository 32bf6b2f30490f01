//! Opening and making files below a root that others control: nothing here ever leaves it (openat2 RESOLVE_IN_ROOT),
//! and nothing is made through a link that was not resolved inside it.

use super::{Error, Result};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The kernel's own bound for links in one lookup.
const MAX_LINKS: u32 = 40;

/// What a missing mount point becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    Directory,
    File,
}

/// Opens `path` below `root`, links included, as if `root` were `/`.
pub fn open(root: BorrowedFd<'_>, path: impl AsRef<Path>, flags: OFlags) -> Result<OwnedFd> {
    let path = path.as_ref();
    raw_open(root, path, flags).map_err(|e| Error::at("openat2", path, e))
}

/// Opens a directory below `root` for lookups in it.
pub fn open_directory(root: BorrowedFd<'_>, path: impl AsRef<Path>) -> Result<OwnedFd> {
    open(root, path, OFlags::RDONLY | OFlags::DIRECTORY)
}

fn raw_open(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    loop {
        match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            // A rename elsewhere raced with "..": the kernel asks to try again.
            Err(rustix::io::Errno::AGAIN) => {}
            other => return other,
        }
    }
}

/// Opens a mount point (O_PATH) and makes it and its parents when missing, mode 0755.
pub fn ensure(root: BorrowedFd<'_>, path: &str, make: Make) -> Result<OwnedFd> {
    ensure_counted(root, Path::new(path), make, 0).map_err(|e| Error::at("mount point", path, e))
}

/// Opens (O_PATH) the directory `name` of `root` itself, made when it is missing. A link in its place is refused.
pub fn ensure_plain(root: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || rustix::fs::openat(root, name, flags, Mode::empty());
    let opened = match open() {
        Err(rustix::io::Errno::NOENT) => match rustix::fs::mkdirat(root, name, Mode::from_raw_mode(0o755)) {
            Err(e) if e != rustix::io::Errno::EXIST => Err(e),
            _ => open(),
        },
        other => other,
    };
    opened.map_err(|e| match e {
        rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP => {
            Error::at("mount point", Path::new("/").join(name), std::io::Error::other("it is a link, or no directory"))
        }
        e => Error::at("mount point", Path::new("/").join(name), e),
    })
}

fn ensure_counted(root: BorrowedFd<'_>, path: &Path, make: Make, links: u32) -> rustix::io::Result<OwnedFd> {
    match raw_open(root, path, OFlags::PATH) {
        Err(rustix::io::Errno::NOENT) => {}
        other => return other,
    }
    if links > MAX_LINKS {
        return Err(rustix::io::Errno::LOOP);
    }
    let (parent_path, name) = split(path);
    let parent = ensure_counted(root, &parent_path, Make::Directory, links + 1)?;
    if name.as_bytes() == b".." {
        return raw_open(root, path, OFlags::PATH);
    }
    let made = match make {
        Make::Directory => rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)),
        Make::File => {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(&parent, name, flags, Mode::from_raw_mode(0o644)).map(drop)
        }
    };
    match made {
        Ok(()) => rustix::fs::openat(&parent, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()),
        // It is there and yet did not resolve: a dangling link, which becomes what it points to inside the root.
        Err(rustix::io::Errno::EXIST) => {
            let target = rustix::fs::readlinkat(&parent, name, Vec::new())?;
            let next = parent_path.join(OsStr::from_bytes(target.as_bytes()));
            ensure_counted(root, &next, make, links + 1)
        }
        Err(e) => Err(e),
    }
}

/// Parent and last component; trailing slashes and dots do not count.
fn split(path: &Path) -> (PathBuf, &OsStr) {
    let mut components = path.components();
    let last = components.next_back().map_or(OsStr::new("."), |c| c.as_os_str());
    let parent = components.as_path();
    (if parent.as_os_str().is_empty() { PathBuf::from("/") } else { parent.to_owned() }, last)
}

/// Reads a small regular file; refuses everything else (a FIFO would block, a device would act) and larger ones.
pub fn read_small(root: BorrowedFd<'_>, path: &str, limit: usize) -> Result<Vec<u8>> {
    use std::io::Read;
    let fd = open(root, path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
    if kind(&fd)? != FileType::RegularFile {
        return Err(Error::at("read", path, std::io::Error::other("not a regular file")));
    }
    let mut bytes = Vec::new();
    let read = std::fs::File::from(fd).take(limit as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|e| Error::at("read", path, e))?;
    if bytes.len() > limit {
        return Err(Error::at("read", path, std::io::Error::other(format!("larger than {limit} bytes"))));
    }
    Ok(bytes)
}

/// What kind of file a descriptor stands for.
pub fn kind(fd: impl AsFd) -> Result<FileType> {
    let stat = rustix::fs::fstat(fd).map_err(|e| Error::new("fstat", e))?;
    Ok(FileType::from_raw_mode(stat.st_mode))
}

/// True when the name itself is there, whatever it is.
pub fn exists(dir: BorrowedFd<'_>, name: &str) -> bool {
    rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
}
