//! Whole directory trees by descriptors: remove and measure, however odd their permissions are.

use super::files::{self, Kind, Meta};
use super::{Error, Result};
use rustix::fs::{self as rx, AtFlags};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Levels kept open at once.
const DEEPEST: usize = 128;

/// Removes `path` and everything below it, never following a symlink nor leaving it; nothing there is success.
/// Goes on after a failure and reports the first one.
pub fn remove(path: &Path) -> Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::at("remove", path, rustix::io::Errno::INVAL));
    };
    let parent = match files::open_dir(parent) {
        Ok(fd) => fd,
        Err(e) if e.source.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    remove_at(&parent, name)
}

/// [`remove`] of `name` below an open directory.
pub fn remove_at(dir: impl AsFd, name: &OsStr) -> Result<()> {
    match rx::unlinkat(&dir, name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => return Ok(()),
        Err(rustix::io::Errno::ISDIR | rustix::io::Errno::PERM) => {}
        Err(e) => return Err(Error::at("unlink", name, e)),
    }
    // An explicit stack: a hostile layer may nest deeper than our call stack reaches.
    let mut first = None;
    let mut stack: Vec<Level> = vec![Level::open(&dir, name)?];
    let mut moved = 0;
    loop {
        let full = stack.len() >= DEEPEST;
        let Some(level) = stack.last_mut() else { break };
        let Some(child) = level.names.pop() else {
            let name = std::mem::take(&mut level.name);
            stack.pop();
            let removed = match stack.last() {
                Some(parent) => rx::unlinkat(&parent.fd, name.as_os_str(), AtFlags::REMOVEDIR),
                None => rx::unlinkat(&dir, name.as_os_str(), AtFlags::REMOVEDIR),
            };
            // Gone already: somebody else removes the same tree.
            if let Err(e) = removed
                && e != rustix::io::Errno::NOENT
            {
                first.get_or_insert(Error::at("rmdir", name, e));
            }
            continue;
        };
        match rx::unlinkat(&level.fd, child.as_os_str(), AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(rustix::io::Errno::ISDIR | rustix::io::Errno::PERM) if full => {
                // Each level holds a descriptor: what lies deeper is moved up to the top and comes back from there.
                moved += 1;
                let up = std::ffi::OsString::from(format!(".deep-{moved}"));
                let (top, deep) = (&stack[0].fd, &stack[stack.len() - 1].fd);
                match rx::renameat(deep, child.as_os_str(), top, up.as_os_str()) {
                    Ok(()) => stack[0].names.push(up),
                    Err(e) => drop(first.get_or_insert(Error::at("rename", &child, e))),
                }
            }
            Err(rustix::io::Errno::ISDIR | rustix::io::Errno::PERM) => match Level::open(&level.fd, &child) {
                Ok(next) => stack.push(next),
                Err(e) => drop(first.get_or_insert(e)),
            },
            Err(e) => drop(first.get_or_insert(Error::at("unlink", &child, e))),
        }
    }
    first.map_or(Ok(()), Err)
}

struct Level {
    fd: OwnedFd,
    name: std::ffi::OsString,
    names: Vec<std::ffi::OsString>,
}

impl Level {
    fn open(dir: impl AsFd, name: &OsStr) -> Result<Level> {
        let fd = match files::open_dir_at(&dir, name) {
            Err(e) if e.source.kind() == std::io::ErrorKind::PermissionDenied => {
                // Overlay's work/work is 0000, and images ship directories without read or search permission.
                files::chmod_at(&dir, name, 0o700)?;
                files::open_dir_at(&dir, name)?
            }
            other => other?,
        };
        let names = files::list(&fd)?;
        if !names.is_empty() && files::stat(&fd)?.mode & 0o300 != 0o300 {
            // Root in a single-id namespace may lack the override for what it owns.
            let _ = files::chmod(&fd, 0o700);
        }
        Ok(Level { fd, name: name.to_owned(), names })
    }
}

/// Bytes of regular files below `path`, hard links once. Unreadable parts count nothing.
pub fn size(path: &Path) -> Result<u64> {
    let mut total = 0;
    let mut seen = HashSet::new();
    walk(path, &mut |meta| {
        if meta.kind == Kind::File && (meta.links == 1 || seen.insert((meta.device, meta.inode))) {
            total += meta.size;
        }
    })?;
    Ok(total)
}

/// Calls `each` for every entry below `path`, in no order; unreadable directories and those below
/// 128 levels are passed over.
pub fn walk(path: &Path, each: &mut dyn FnMut(&Meta)) -> Result<()> {
    let root = files::open_dir(path)?;
    let names = files::list(&root)?;
    let mut stack = vec![(root, names)];
    loop {
        let depth = stack.len();
        let Some((fd, names)) = stack.last_mut() else { return Ok(()) };
        let Some(name) = names.pop() else {
            stack.pop();
            continue;
        };
        let Ok(Some(meta)) = files::stat_at(&*fd, &name) else { continue };
        each(&meta);
        if meta.kind == Kind::Directory
            && depth < DEEPEST
            && let Ok(child) = files::open_dir_at(&*fd, &name)
            && let Ok(below) = files::list(&child)
        {
            stack.push((child, below));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn removes_a_tree_with_links_out_of_it_and_closed_directories() {
        let base = tempfile::tempdir().unwrap();
        let outside = base.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "x").unwrap();
        let tree = base.path().join("tree");
        fs::create_dir_all(tree.join("a/b/c")).unwrap();
        fs::write(tree.join("a/b/file"), "12345").unwrap();
        fs::hard_link(tree.join("a/b/file"), tree.join("a/again")).unwrap();
        std::os::unix::fs::symlink(&outside, tree.join("a/link")).unwrap();
        assert_eq!(super::size(&tree).unwrap(), 5);
        fs::set_permissions(tree.join("a/b"), fs::Permissions::from_mode(0o0)).unwrap();
        super::remove(&tree).unwrap();
        assert!(!tree.exists());
        assert!(outside.join("kept").exists());
        super::remove(&tree).unwrap();
    }

    #[test]
    fn a_deep_tree_does_not_exhaust_the_stack() {
        let base = tempfile::tempdir().unwrap();
        let mut dir = super::files::open_dir(base.path()).unwrap();
        for _ in 0..3000 {
            super::files::mkdir_at(&dir, "d".as_ref(), 0o755).unwrap();
            dir = super::files::open_dir_at(&dir, "d".as_ref()).unwrap();
        }
        super::remove(&base.path().join("d")).unwrap();
    }
}
