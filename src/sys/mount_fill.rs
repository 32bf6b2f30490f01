//! What a fresh file system of a container holds from its beginning: directories, links, devices.

use super::mount::{self, Change, Propagation};
use super::{Error, Result, in_root};
use rustix::fs::{FileType, Mode, OFlags};
use std::borrow::Cow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// An entry of a fresh file system (a `/dev` in the making).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Directory {
        name: String,
        mode: u32,
    },
    Link {
        name: String,
        to: String,
    },
    Device {
        name: String,
        block: bool,
        major: u32,
        minor: u32,
        mode: u32,
        uid: u32,
        gid: u32,
    },
    /// Where device nodes cannot be made (a user namespace): the host's own, bound on a file.
    Host {
        name: String,
        path: PathBuf,
    },
}

pub(super) fn fill(tree: BorrowedFd<'_>, content: &[Node]) -> Result<()> {
    for node in content {
        let (name, made) = match node {
            Node::Directory { name, mode } => {
                (name, rustix::fs::mkdirat(tree, name.as_str(), Mode::from_raw_mode(*mode)))
            }
            Node::Link { name, to } => (name, rustix::fs::symlinkat(to.as_str(), tree, name.as_str())),
            Node::Device { name, .. } => (name, make_device(tree, node)),
            Node::Host { name, .. } => (name, empty_file(tree, name)),
        };
        made.map_err(|e| Error::at("make", name, e))?;
    }
    Ok(())
}

fn empty_file(tree: BorrowedFd<'_>, name: &str) -> rustix::io::Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(tree, name, flags, Mode::from_raw_mode(0o600)).map(drop)
}

fn make_device(tree: BorrowedFd<'_>, node: &Node) -> rustix::io::Result<()> {
    let Node::Device { name, block, major, minor, mode, uid, gid } = node else { return Ok(()) };
    let kind = if *block { FileType::BlockDevice } else { FileType::CharacterDevice };
    let name = name.as_str();
    rustix::fs::mknodat(tree, name, kind, Mode::from_raw_mode(*mode), rustix::fs::makedev(*major, *minor))?;
    if (*uid, *gid) != (0, 0) {
        let (uid, gid) = (rustix::fs::Uid::from_raw(*uid), rustix::fs::Gid::from_raw(*gid));
        rustix::fs::chownat(tree, name, Some(uid), Some(gid), rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(())
}

/// Only after the file system is attached: older kernels refuse to mount on a detached one.
pub(super) fn bind_hosts(tree: BorrowedFd<'_>, content: &[Node], hosts: &[OwnedFd]) -> Result<()> {
    let names = content.iter().filter_map(|n| if let Node::Host { name, .. } = n { Some(name) } else { None });
    for (name, host) in names.zip(hosts) {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let target = rustix::fs::openat(tree, name.as_str(), flags, Mode::empty());
        let target = target.map_err(|e| Error::at("open", name, e))?;
        let quiet = Change { set: mount::HOST_NODE, propagation: Some(Propagation::Private), ..Change::default() };
        mount::change(host.as_fd(), quiet)?;
        mount::attach(host.as_fd(), target.as_fd())?;
    }
    Ok(())
}

/// What a file system is told, by name.
type Options = [(String, Option<String>)];

/// A tmpfs that is told no mode has that of the directory it covers: `/tmp` stays everybody's, a closed place closed.
pub(super) fn with_mode<'a>(
    root: BorrowedFd<'_>,
    target: &str,
    kind: &str,
    options: &'a Options,
) -> Result<Cow<'a, Options>> {
    if kind != "tmpfs" || options.iter().any(|(key, _)| key == "mode") {
        return Ok(options.into());
    }
    // A place that has still to be made has nothing to say.
    let Ok(place) = in_root::open(root, target, OFlags::PATH) else { return Ok(options.into()) };
    let stat = rustix::fs::fstat(&place).map_err(|e| Error::at("fstat", target, e))?;
    let mode = ("mode".to_owned(), Some(format!("{:o}", stat.st_mode & 0o7777)));
    Ok([options, &[mode]].concat().into())
}
