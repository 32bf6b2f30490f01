//! Fills a new, empty volume with what the image has at its mount point: databases ship their first data that way.

use super::{Error, Result};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, Timespec, Timestamps, XattrFlags};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Deeper trees than this are refused instead of exhausting the stack.
const MAX_DEPTH: u32 = 256;

/// Copies the content and the attributes of directory `from` into directory `to` if that one is empty. Both are
/// descriptors; links are copied as links, so nothing outside the two directories is touched.
pub fn fill(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<()> {
    let stat = rustix::fs::fstat(from).map_err(|e| Error::new("fstat", e))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory || !is_empty(to)? {
        return Ok(());
    }
    let from = directory(from, c".")?;
    let to = directory(to, c".")?;
    if is_empty(from.as_fd())? {
        // Owner and mode still count: an image prepares an empty data directory for its user.
        return attributes(&from, &to, &stat);
    }
    copy_directory(&from, &to, &stat, 0)
}

fn is_empty(fd: BorrowedFd<'_>) -> Result<bool> {
    let directory = directory(fd, c".")?;
    let mut entries = Dir::read_from(&directory).map_err(|e| Error::new("read directory", e))?;
    Ok(!entries.any(|e| e.is_ok_and(|e| !is_dot(e.file_name()))))
}

fn is_dot(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

fn directory(at: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    open(at, name, OFlags::RDONLY | OFlags::DIRECTORY)
}

fn open(at: BorrowedFd<'_>, name: &CStr, flags: OFlags) -> Result<OwnedFd> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, name, flags, Mode::from_raw_mode(0o600))
        .map_err(|e| Error::at("open", name.to_string_lossy().as_ref(), e))
}

fn copy_directory(from: &OwnedFd, to: &OwnedFd, stat: &Stat, depth: u32) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::new("copy", rustix::io::Errno::LOOP));
    }
    for entry in Dir::read_from(from).map_err(|e| Error::new("read directory", e))? {
        let entry = entry.map_err(|e| Error::new("read directory", e))?;
        let name = entry.file_name();
        if !is_dot(name) {
            copy_entry(from, to, name, depth)
                .map_err(|e| Error::at(e.call, name.to_string_lossy().as_ref(), e.source))?;
        }
    }
    attributes(from, to, stat)
}

fn copy_entry(from: &OwnedFd, to: &OwnedFd, name: &CStr, depth: u32) -> Result<()> {
    let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| Error::new("stat", e))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            rustix::fs::mkdirat(to, name, Mode::from_raw_mode(0o700)).map_err(|e| Error::new("mkdir", e))?;
            copy_directory(&directory(from.as_fd(), name)?, &directory(to.as_fd(), name)?, &stat, depth + 1)
        }
        FileType::RegularFile => copy_file(from, to, name, &stat),
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(from, name, Vec::new()).map_err(|e| Error::new("readlink", e))?;
            rustix::fs::symlinkat(&target, to, name).map_err(|e| Error::new("symlink", e))?;
            owner(to, name, &stat)
        }
        // Sockets are dead without their process; devices belong to /dev.
        FileType::Fifo => {
            rustix::fs::mknodat(to, name, FileType::Fifo, Mode::from_raw_mode(stat.st_mode & 0o7777), 0)
                .map_err(|e| Error::new("mknod", e))?;
            owner(to, name, &stat)
        }
        _ => Ok(()),
    }
}

fn copy_file(from: &OwnedFd, to: &OwnedFd, name: &CStr, stat: &Stat) -> Result<()> {
    let source = open(from.as_fd(), name, OFlags::RDONLY | OFlags::NONBLOCK)?;
    let target = open(to.as_fd(), name, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
    let (mut reader, mut writer) = (std::fs::File::from(source), std::fs::File::from(target));
    // std copies by copy_file_range where the file systems allow.
    std::io::copy(&mut reader, &mut writer).map_err(|e| Error::new("copy", e))?;
    attributes(&OwnedFd::from(reader), &OwnedFd::from(writer), stat)
}

fn owner(at: &OwnedFd, name: &CStr, stat: &Stat) -> Result<()> {
    let (uid, gid) = (rustix::fs::Uid::from_raw(stat.st_uid), rustix::fs::Gid::from_raw(stat.st_gid));
    rustix::fs::chownat(at, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).map_err(|e| Error::new("chown", e))
}

/// Owner, mode (after the owner: chown drops setuid), extended attributes, times.
fn attributes(from: &OwnedFd, to: &OwnedFd, stat: &Stat) -> Result<()> {
    let (uid, gid) = (rustix::fs::Uid::from_raw(stat.st_uid), rustix::fs::Gid::from_raw(stat.st_gid));
    rustix::fs::fchown(to, Some(uid), Some(gid)).map_err(|e| Error::new("chown", e))?;
    rustix::fs::fchmod(to, Mode::from_raw_mode(stat.st_mode & 0o7777)).map_err(|e| Error::new("chmod", e))?;
    copy_xattrs(from, to);
    let time = |tv_sec: i64, tv_nsec: i64| Timespec { tv_sec, tv_nsec };
    let times = Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec as i64),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec as i64),
    };
    rustix::fs::futimens(to, &times).map_err(|e| Error::new("utimens", e))
}

/// Best effort, as every copying tool does: the volume's file system may take no attributes at all.
fn copy_xattrs(from: &OwnedFd, to: &OwnedFd) {
    let mut names = vec![0_u8; 64 << 10];
    let Ok(length) = rustix::fs::flistxattr(from, &mut names) else { return };
    for name in names[..length].split(|b| *b == 0).filter(|n| !n.is_empty()) {
        // The overlay's own marks mean nothing on the volume.
        if name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.") {
            continue;
        }
        let mut value = vec![0_u8; 64 << 10];
        if let Ok(length) = rustix::fs::fgetxattr(from, name, &mut value) {
            let _ = rustix::fs::fsetxattr(to, name, &value[..length], XattrFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// CVE-2018-15664, CVE-2019-14271 and their like: what an image has at a volume's place leads elsewhere.
    #[test]
    fn cve_2018_15664_filling_a_volume_follows_no_links() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to, outside) = (dir.path().join("from"), dir.path().join("to"), dir.path().join("outside"));
        for path in [&from, &to, &outside] {
            fs::create_dir(path).unwrap();
        }
        fs::write(outside.join("secret"), "secret").unwrap();
        symlink(&outside, from.join("way")).unwrap();
        symlink(outside.join("secret"), from.join("file")).unwrap();
        fs::write(from.join("plain"), "plain").unwrap();
        let open = |path: &std::path::Path| OwnedFd::from(fs::File::open(path).unwrap());
        fill(open(&from).as_fd(), open(&to).as_fd()).unwrap();
        assert_eq!(fs::read_link(to.join("way")).unwrap(), outside, "a link stays a link");
        assert_eq!(fs::read_link(to.join("file")).unwrap(), outside.join("secret"));
        assert_eq!(fs::read_to_string(to.join("plain")).unwrap(), "plain");
        // Exchanged for a link after it was looked at: the open itself refuses.
        assert!(directory(open(&from).as_fd(), c"way").is_err());
        assert!(super::open(open(&from).as_fd(), c"file", OFlags::RDONLY).is_err());
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    }
}
