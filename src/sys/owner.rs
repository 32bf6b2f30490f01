//! Gives a directory, and all that is in it, to a user: by descriptors, following no link.

use super::in_root;
use super::{Error, Result};
use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Uid};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Deeper trees than this are refused instead of exhausting the stack.
const MAX_DEPTH: u32 = 256;

/// `path` is resolved inside `root`. What belongs to the user already is left alone: its set-user-id bits stay.
pub fn give(root: BorrowedFd<'_>, path: &str, uid: u32, gid: u32) -> Result<()> {
    let top = in_root::open(root, path, OFlags::PATH)?;
    let stat = rustix::fs::fstat(&top).map_err(|e| Error::at("fstat", path, e))?;
    change(top.as_fd(), c"", &stat, uid, gid, AtFlags::EMPTY_PATH).map_err(|e| Error::at("chown", path, e))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return Ok(());
    }
    let directory = open(top.as_fd(), c".").map_err(|e| Error::at("open", path, e))?;
    below(&directory, uid, gid, 0).map_err(|(name, e)| Error::at("chown", format!("{path}/{name}"), e))
}

type Failed = (String, rustix::io::Errno);

fn below(directory: &OwnedFd, uid: u32, gid: u32, depth: u32) -> std::result::Result<(), Failed> {
    if depth > MAX_DEPTH {
        return Err(("…".into(), rustix::io::Errno::LOOP));
    }
    let here = |e| (String::new(), e);
    for entry in Dir::read_from(directory).map_err(here)? {
        let entry = entry.map_err(here)?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let shown = |e| (name.to_string_lossy().into_owned(), e);
        let stat = match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            // Others may use the same directory meanwhile.
            Err(rustix::io::Errno::NOENT) => continue,
            stat => stat.map_err(shown)?,
        };
        change(directory.as_fd(), name, &stat, uid, gid, AtFlags::SYMLINK_NOFOLLOW).map_err(shown)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            let inner = open(directory.as_fd(), name).map_err(shown)?;
            below(&inner, uid, gid, depth + 1)
                .map_err(|(rest, e)| (format!("{}/{rest}", name.to_string_lossy()), e))?;
        }
    }
    Ok(())
}

fn change(at: BorrowedFd<'_>, name: &CStr, stat: &Stat, uid: u32, gid: u32, flags: AtFlags) -> rustix::io::Result<()> {
    if (stat.st_uid, stat.st_gid) == (uid, gid) {
        return Ok(());
    }
    rustix::fs::chownat(at, name, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), flags)
}

fn open(at: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, name, flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, symlink};

    #[test]
    fn links_lead_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("top/deep/er")).unwrap();
        std::fs::write(dir.path().join("top/deep/file"), "").unwrap();
        std::fs::write(dir.path().join("outside"), "").unwrap();
        symlink("../outside", dir.path().join("top/link")).unwrap();
        symlink("/", dir.path().join("top/deep/root")).unwrap();
        let root = OwnedFd::from(std::fs::File::open(dir.path()).unwrap());
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let privileged = uid == 0;
        // An ordinary user can give to himself alone.
        let (to, group) = if privileged { (12_345, 23_456) } else { (uid, gid) };
        give(root.as_fd(), "/top", to, group).unwrap();
        for path in ["top", "top/deep", "top/deep/er", "top/deep/file", "top/link", "top/deep/root"] {
            let meta = dir.path().join(path).symlink_metadata().unwrap();
            assert_eq!((meta.uid(), meta.gid()), (to, group), "{path}");
        }
        assert_eq!(dir.path().join("outside").metadata().unwrap().uid(), uid);
        assert!(give(root.as_fd(), "/nothing", to, group).is_err());
    }
}
