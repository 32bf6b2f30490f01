//! Files by directory descriptors: create, link, own, stamp and remove without ever trusting a path string.
//!
//! Every `name` is one component below the descriptor before it, unless said otherwise; nothing here follows a symlink
//! in the last component.

use super::{Error, Result};
use rustix::fs::{self as rx, AtFlags, Mode, OFlags, ResolveFlags, XattrFlags};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What a directory entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    File,
    Directory,
    Symlink,
    Char,
    Block,
    Fifo,
    Socket,
}

/// Seconds and nanoseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Time {
    pub secs: i64,
    pub nanos: u32,
}

/// The part of `struct stat` that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    /// Bytes allocated.
    pub allocated: u64,
    pub device: u64,
    pub inode: u64,
    pub links: u64,
    /// Major and minor of a device node.
    pub node: (u32, u32),
    pub mtime: Time,
}

/// Kinds of nodes that mknod makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    Char(u32, u32),
    Block(u32, u32),
    Fifo,
}

fn meta(stat: &rx::Stat) -> Meta {
    let kind = match rx::FileType::from_raw_mode(stat.st_mode) {
        rx::FileType::Directory => Kind::Directory,
        rx::FileType::Symlink => Kind::Symlink,
        rx::FileType::CharacterDevice => Kind::Char,
        rx::FileType::BlockDevice => Kind::Block,
        rx::FileType::Fifo => Kind::Fifo,
        rx::FileType::Socket => Kind::Socket,
        _ => Kind::File,
    };
    Meta {
        kind,
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        allocated: u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512),
        device: stat.st_dev,
        inode: stat.st_ino,
        links: stat.st_nlink,
        node: (rx::major(stat.st_rdev), rx::minor(stat.st_rdev)),
        mtime: Time { secs: stat.st_mtime, nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or(0) },
    }
}

fn at<'a>(call: &'static str, name: &'a OsStr) -> impl FnOnce(rustix::io::Errno) -> Error + 'a {
    move |e| Error::at(call, name, e)
}

/// Opens a directory by path, for use as the base of the functions below.
pub fn open_dir(path: &Path) -> Result<OwnedFd> {
    rx::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| Error::at("open", path, e))
}

/// Opens the directory `name`; a symlink there is ENOTDIR (or ELOOP).
pub fn open_dir_at(dir: impl AsFd, name: &OsStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rx::openat(dir, name, flags, Mode::empty()).map_err(at("openat", name))
}

/// A descriptor that only names the directory `name` (`O_PATH`): enough for `*at` calls, even without read permission.
pub fn open_path_dir_at(dir: impl AsFd, name: &OsStr) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rx::openat(dir, name, flags, Mode::empty()).map_err(at("openat", name))
}

/// Opens a directory many components below `root`, following symlinks as if `root` were `/` (`RESOLVE_IN_ROOT`).
pub fn open_dir_in_root(root: impl AsFd, path: &OsStr) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    retry_again(|| rx::openat2(root.as_fd(), path, flags, Mode::empty(), resolve)).map_err(at("openat2", path))
}

/// Opens a regular file many components below `root` for reading, following symlinks as if `root` were `/`.
/// Never blocks on a FIFO.
pub fn open_file_in_root(root: impl AsFd, path: &OsStr) -> Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let fd = retry_again(|| rx::openat2(root.as_fd(), path, flags, Mode::empty(), resolve));
    fd.map(File::from).map_err(at("openat2", path))
}

/// openat2 answers EAGAIN when a rename raced with the walk.
fn retry_again<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    let mut result = call();
    for _ in 0..32 {
        if !matches!(result, Err(rustix::io::Errno::AGAIN)) {
            break;
        }
        result = call();
    }
    result
}

/// Opens an existing regular file for reading.
pub fn open_file_at(dir: impl AsFd, name: &OsStr) -> Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rx::openat(dir, name, flags, Mode::empty()).map(File::from).map_err(at("openat", name))
}

/// Creates a regular file that must not exist (`O_EXCL`); `mode` is subject to the umask.
pub fn create_at(dir: impl AsFd, name: &OsStr, mode: u32) -> Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rx::openat(dir, name, flags, Mode::from_raw_mode(mode)).map(File::from).map_err(at("create", name))
}

pub fn mkdir_at(dir: impl AsFd, name: &OsStr, mode: u32) -> Result<()> {
    rx::mkdirat(dir, name, Mode::from_raw_mode(mode)).map_err(at("mkdir", name))
}

pub fn symlink_at(target: &OsStr, dir: impl AsFd, name: &OsStr) -> Result<()> {
    rx::symlinkat(target, dir, name).map_err(at("symlink", name))
}

/// Hard link; a symlink as source is linked itself.
pub fn link_at(from_dir: impl AsFd, from: &OsStr, dir: impl AsFd, name: &OsStr) -> Result<()> {
    rx::linkat(from_dir, from, dir, name, AtFlags::empty()).map_err(at("link", name))
}

pub fn mknod_at(dir: impl AsFd, name: &OsStr, node: Node, mode: u32) -> Result<()> {
    let (kind, device) = match node {
        Node::Char(major, minor) => (rx::FileType::CharacterDevice, rx::makedev(major, minor)),
        Node::Block(major, minor) => (rx::FileType::BlockDevice, rx::makedev(major, minor)),
        Node::Fifo => (rx::FileType::Fifo, 0),
    };
    rx::mknodat(dir, name, kind, Mode::from_raw_mode(mode), device).map_err(at("mknod", name))
}

pub fn unlink_at(dir: impl AsFd, name: &OsStr) -> Result<()> {
    rx::unlinkat(dir, name, AtFlags::empty()).map_err(at("unlink", name))
}

pub fn rename_at(from_dir: impl AsFd, from: &OsStr, dir: impl AsFd, name: &OsStr) -> Result<()> {
    rx::renameat(from_dir, from, dir, name).map_err(at("rename", name))
}

pub fn read_link_at(dir: impl AsFd, name: &OsStr) -> Result<OsString> {
    rx::readlinkat(dir, name, Vec::new())
        .map(|target| OsString::from_vec(target.into_bytes()))
        .map_err(at("readlink", name))
}

/// `None` when there is no such entry.
pub fn stat_at(dir: impl AsFd, name: &OsStr) -> Result<Option<Meta>> {
    match rx::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(meta(&stat))),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(e) => Err(Error::at("stat", name, e)),
    }
}

pub fn stat(fd: impl AsFd) -> Result<Meta> {
    rx::fstat(fd).map(|s| meta(&s)).map_err(|e| Error::new("fstat", e))
}

pub fn chown(fd: impl AsFd, uid: u32, gid: u32) -> Result<()> {
    rx::fchown(fd, Some(rx::Uid::from_raw(uid)), Some(rx::Gid::from_raw(gid))).map_err(|e| Error::new("fchown", e))
}

pub fn chown_at(dir: impl AsFd, name: &OsStr, uid: u32, gid: u32) -> Result<()> {
    let (uid, gid) = (Some(rx::Uid::from_raw(uid)), Some(rx::Gid::from_raw(gid)));
    rx::chownat(dir, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW).map_err(at("chown", name))
}

pub fn chmod(fd: impl AsFd, mode: u32) -> Result<()> {
    rx::fchmod(fd, Mode::from_raw_mode(mode)).map_err(|e| Error::new("fchmod", e))
}

/// Only for names just created below a private directory: fchmodat would follow a symlink put there by another.
pub fn chmod_at(dir: impl AsFd, name: &OsStr, mode: u32) -> Result<()> {
    rx::chmodat(dir, name, Mode::from_raw_mode(mode), AtFlags::empty()).map_err(at("chmod", name))
}

fn stamps(mtime: Time) -> rx::Timestamps {
    rx::Timestamps {
        last_access: rx::Timespec { tv_sec: 0, tv_nsec: rx::UTIME_OMIT },
        last_modification: rx::Timespec { tv_sec: mtime.secs, tv_nsec: mtime.nanos.into() },
    }
}

/// Sets the modification time and leaves the access time.
pub fn set_mtime(fd: impl AsFd, mtime: Time) -> Result<()> {
    rx::futimens(fd, &stamps(mtime)).map_err(|e| Error::new("futimens", e))
}

pub fn set_mtime_at(dir: impl AsFd, name: &OsStr, mtime: Time) -> Result<()> {
    rx::utimensat(dir, name, &stamps(mtime), AtFlags::SYMLINK_NOFOLLOW).map_err(at("utimensat", name))
}

/// A path to `name` that works for calls without an `at` form (xattrs of symlinks and devices).
fn through_proc(dir: BorrowedFd<'_>, name: &OsStr) -> OsString {
    let mut path = OsString::from(format!("/proc/self/fd/{}/", dir.as_raw_fd()));
    path.push(name);
    path
}

pub fn set_xattr(fd: impl AsFd, attribute: &OsStr, value: &[u8]) -> Result<()> {
    rx::fsetxattr(fd, attribute, value, XattrFlags::empty()).map_err(at("fsetxattr", attribute))
}

pub fn set_xattr_at(dir: impl AsFd, name: &OsStr, attribute: &OsStr, value: &[u8]) -> Result<()> {
    rx::lsetxattr(through_proc(dir.as_fd(), name), attribute, value, XattrFlags::empty())
        .map_err(at("lsetxattr", attribute))
}

/// `None` when the attribute is not set or the file system has none.
pub fn get_xattr_at(dir: impl AsFd, name: &OsStr, attribute: &OsStr) -> Result<Option<Vec<u8>>> {
    let path = through_proc(dir.as_fd(), name);
    let mut value = vec![0; 1 << 16];
    match rx::lgetxattr(&path, attribute, value.as_mut_slice()) {
        Ok(len) => {
            value.truncate(len);
            Ok(Some(value))
        }
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP) => Ok(None),
        Err(e) => Err(Error::at("lgetxattr", attribute, e)),
    }
}

/// Names of all attributes; empty where the file system has none.
pub fn list_xattrs_at(dir: impl AsFd, name: &OsStr) -> Result<Vec<OsString>> {
    let path = through_proc(dir.as_fd(), name);
    let mut list = vec![0; 1 << 16];
    match rx::llistxattr(&path, list.as_mut_slice()) {
        Ok(len) => {
            let names = list[..len].split(|b| *b == 0).filter(|n| !n.is_empty());
            Ok(names.map(|n| OsStr::from_bytes(n).to_owned()).collect())
        }
        Err(rustix::io::Errno::OPNOTSUPP) => Ok(Vec::new()),
        Err(e) => Err(Error::at("llistxattr", name, e)),
    }
}

/// Entry names without `.` and `..`, in no order. `dir` must be open for reading.
pub fn list(dir: impl AsFd) -> Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in rx::Dir::read_from(dir).map_err(|e| Error::new("readdir", e))? {
        let entry = entry.map_err(|e| Error::new("readdir", e))?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    Ok(names)
}

/// Makes `to` share the blocks of `from` where the file system can (btrfs, xfs).
pub fn clone_file(from: &File, to: &File) -> Result<()> {
    rx::ioctl_ficlone(to, from).map_err(|e| Error::new("ficlone", e))
}

/// Advisory lock, released when the last copy of the descriptor is closed. `Ok(false)`: another holds it.
pub fn try_lock(file: &File) -> Result<bool> {
    match rx::flock(file, rx::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(e) => Err(Error::new("flock", e)),
    }
}

/// Whether `path` (followed) still leads to this very file: of a lock's file, or of one that is renamed away, only the one
/// that has the name counts, and that is known only once it is held.
pub fn is_at(file: &File, path: &Path) -> bool {
    let here = std::fs::metadata(path);
    here.is_ok_and(|m| file.metadata().is_ok_and(|f| (f.dev(), f.ino()) == (m.dev(), m.ino())))
}

/// Writes back the whole file system that holds `fd`.
pub fn sync_filesystem(fd: impl AsFd) -> Result<()> {
    rx::syncfs(fd).map_err(|e| Error::new("syncfs", e))
}

/// Bytes that this user may still write on the file system of `path`.
pub fn free_space(path: &Path) -> Result<u64> {
    let stat = rx::statvfs(path).map_err(|e| Error::at("statvfs", path, e))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// The effective user and group, as new files get them.
pub fn creator() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

/// This process' umask, read without changing it (`umask(2)` would race with other threads); 077 when it cannot be known.
pub fn umask() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("Umask:"));
    line.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok()).unwrap_or(0o077)
}

/// Whether this process' user namespace is not the machine's first one (user_namespaces(7): the first maps everything).
pub fn in_user_namespace() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let fields: Vec<&str> = map.split_whitespace().collect();
    fields != ["0", "0", "4294967295"]
}
