//! A root file system as a list of steps, and the one place that carries them out.
//!
//! Every source is opened before anything is changed; every target is opened inside the new root and mounted on by
//! descriptor, so what an image or a volume contains cannot lead a mount elsewhere.

use super::in_root::{self, Make};
use super::mount::{self, Change, Overlay, Propagation};
use super::mount_below;
pub use super::mount_fill::Node;
use super::mount_fill::{bind_hosts, fill, with_mode};
use super::mount_guard;
use super::mount_node::{self, Device};
use super::mount_seal::{mask, open_null, read_only};
use super::{Error, Result};
use rustix::fs::{FileType, Mode, OFlags};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// What the root is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    Overlay(Overlay),
    Directory(PathBuf),
    /// A directory that is covered by a mount of the container's own, in a mount namespace that is others', too: see
    /// [`super::mount_here`].
    Here(PathBuf),
    /// A tree that the caller has made already: its place in the list given to [`open`].
    Prepared(usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountOp {
    Mount(Mount),
    /// A value written into the container's own procfs: `net.ipv4.ip_forward`. Before read-only paths cover it.
    Sysctl {
        key: String,
        value: String,
    },
    /// Nothing of it can be read: an empty read-only directory, or the null device. Missing paths are none.
    Mask(String),
    /// Read-only, with everything mounted below. Missing paths are none.
    ReadOnly(String),
    /// The root mount itself becomes read-only; mounts on it keep their own attributes.
    RootReadOnly,
    /// A device node or FIFO, with its parents. One that is there already must be the same.
    Device(Device),
    /// A symbolic link, with its parents, unless something of that name is there.
    Link {
        path: String,
        to: String,
    },
    /// How the root's own mount shares with the host's (the default is private).
    RootPropagation(Propagation),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Absolute path inside.
    pub target: String,
    pub source: Source,
    pub change: Change,
    /// Attributes for it and for everything mounted below.
    pub deep: Change,
    /// Fill an empty source directory with what the image has at the target.
    pub copy_up: bool,
    /// A kernel that lacks this file system is no reason to fail.
    pub optional: bool,
    /// The propagation is that of the mount itself: those below it are private.
    pub alone: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A new file system; `content` is made in it before anyone can see it.
    New { kind: String, options: Vec<(String, Option<String>)>, content: Vec<Node> },
    /// A file or directory of the host, or with `recursive` the whole tree of mounts there.
    Bind { path: PathBuf, recursive: bool },
    /// A tree that the caller has made already: its place in the list given to [`open`].
    Prepared(usize),
    /// A tree in the root itself, whose ids the caller maps when it is its turn: by that number.
    Mapped { path: PathBuf, recursive: bool, number: usize },
    /// What is mounted at the target stays and is changed; `options` are the file system's own.
    Remount { options: Vec<(String, Option<String>)> },
}

/// statfs(2) type of procfs.
pub const PROCFS: i64 = 0x9fa0;

/// The finished root, not yet pivoted to.
#[derive(Debug)]
pub struct Mounted {
    pub root: OwnedFd,
    /// The container's own procfs: a handle nobody else can have mounted over.
    pub proc: Option<OwnedFd>,
    pub devpts: Option<OwnedFd>,
    pub(super) null: OwnedFd,
    /// The first mask of a directory, and of a file: further ones are its copies.
    pub(super) empty: Option<OwnedFd>,
    pub(super) nothing: Option<OwnedFd>,
}

/// Builds the root at `place`, a directory that the container never sees. The caller is in a mount namespace of its
/// own whose mounts may still be shared with the host's.
pub fn apply(root: &Root, ops: &[MountOp], place: &Path) -> Result<Mounted> {
    open(root, ops, place, &[])?.build(root, ops, place)
}

/// Everything of the host's that the steps need, opened before anything is changed.
#[derive(Debug)]
pub struct Sources {
    steps: Vec<Opened>,
    null: OwnedFd,
    directory: Option<(OwnedFd, OwnedFd)>,
}

/// Opens the sources: with the powers of the caller, who may give them up before [`Sources::build`]. `prepared`: the
/// trees that [`Source::Prepared`] means.
pub fn open(root: &Root, ops: &[MountOp], place: &Path, prepared: &[OwnedFd]) -> Result<Sources> {
    // Shared sources keep their peers only when they are copied before the whole tree goes private.
    let steps = ops.iter().map(|op| open_source(op, prepared, Some(root))).collect::<Result<Vec<_>>>()?;
    let directory = match root {
        Root::Prepared(number) => {
            let missing = || Error::at("open_tree", place, rustix::io::Errno::BADF);
            let tree = prepared.get(*number).ok_or_else(missing)?.try_clone().map_err(|e| Error::new("dup", e))?;
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            Some((tree, rustix::fs::open(place, flags, Mode::empty()).map_err(|e| Error::at("open", place, e))?))
        }
        Root::Directory(path) => {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let place = rustix::fs::open(place, flags, Mode::empty()).map_err(|e| Error::at("open", place, e))?;
            Some((mount::clone_tree(rustix::fs::CWD, path, true)?, place))
        }
        Root::Here(path) => {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let root = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| Error::at("open", path, e))?;
            Some((root.try_clone().map_err(|e| Error::at("dup", path, e))?, root))
        }
        Root::Overlay(_) => None,
    };
    Ok(Sources { steps, null: open_null()?, directory })
}

impl Sources {
    /// Carries the steps out. `ops` are those the sources were opened for.
    pub fn build(self, root: &Root, ops: &[MountOp], place: &Path) -> Result<Mounted> {
        self.build_with(root, ops, place, &|number, _| {
            Err(Error::at("mount_setattr", number.to_string(), rustix::io::Errno::INVAL))
        })
    }

    /// The same; `map` maps the ids of a [`Source::Mapped`].
    pub fn build_with(self, root: &Root, ops: &[MountOp], place: &Path, map: MapIds<'_>) -> Result<Mounted> {
        let here = matches!(root, Root::Here(_));
        if !here {
            mount::set_propagation_all("/", Propagation::Private)?;
        }
        let shared = ops.iter().find_map(|op| if let MountOp::RootPropagation(p) = op { Some(*p) } else { None });
        let root = match (root, self.directory) {
            (Root::Overlay(overlay), _) => mount::overlay_at(overlay, place)?,
            (Root::Directory(_) | Root::Prepared(_) | Root::Here(_), Some((tree, place))) => {
                let propagation = shared.or(Some(Propagation::Private));
                mount::change(tree.as_fd(), Change { propagation, recursive: true, ..Change::default() })?;
                if !here {
                    mount::attach(tree.as_fd(), place.as_fd())?;
                }
                tree
            }
            (Root::Directory(_) | Root::Prepared(_) | Root::Here(_), None) => {
                return Err(Error::at("open_tree", place, std::io::Error::other("not opened")));
            }
        };
        let mut made = Mounted { root, proc: None, devpts: None, null: self.null, empty: None, nothing: None };
        for (op, mut source) in ops.iter().zip(self.steps) {
            if let MountOp::Mount(Mount { source: Source::Mapped { path, recursive, number }, target, .. }) = op {
                let tree = clone_inside(&made, path, *recursive).map_err(|e| within(target, e))?;
                map(*number, tree.as_fd()).map_err(|e| within(target, e))?;
                source.tree = Some(tree);
            }
            made.step(op, source)?;
        }
        Ok(made)
    }
}

impl Mounted {
    /// Further steps, which need no source of the host's.
    pub fn go_on(&mut self, ops: &[MountOp]) -> Result<()> {
        ops.iter().try_for_each(|op| self.step(op, open_source(op, &[], None)?))
    }

    fn step(&mut self, op: &MountOp, source: Opened) -> Result<()> {
        match op {
            MountOp::Mount(m) => place_mount(self, m, source).map_err(|e| within(&m.target, e)),
            MountOp::Sysctl { key, value } => write_sysctl(self, key, value).map_err(|e| within(key, e)),
            MountOp::Mask(path) => mask(self, path).map_err(|e| within(path, e)),
            MountOp::ReadOnly(path) => read_only(self, path).map_err(|e| within(path, e)),
            MountOp::RootReadOnly => {
                mount::change(self.root.as_fd(), Change { set: mount::RDONLY, ..Change::default() })
            }
            MountOp::RootPropagation(kind) => {
                mount::change(self.root.as_fd(), Change { propagation: Some(*kind), ..Change::default() })
            }
            MountOp::Device(device) => {
                mount_node::device(self.root.as_fd(), device).map_err(|e| within(&device.path, e))
            }
            MountOp::Link { path, to } => mount_node::link(self.root.as_fd(), path, to).map_err(|e| within(path, e)),
        }
    }
}

fn within(target: &str, error: Error) -> Error {
    let path = match &error.path {
        Some(path) if path != Path::new(target) => format!("{} for {target}", path.display()),
        _ => target.to_owned(),
    };
    Error::at(error.call, path, error.source)
}

/// What was opened beforehand for one step.
#[derive(Debug, Default)]
struct Opened {
    tree: Option<OwnedFd>,
    hosts: Vec<OwnedFd>,
    /// It is in the root itself, where what was mounted before counts: it is opened in its turn.
    inside: Option<PathBuf>,
}

/// Maps the ids of a detached tree.
pub type MapIds<'a> = &'a dyn Fn(usize, BorrowedFd<'_>) -> Result<()>;

/// The path of a source that lies in the root directory, as the container sees it.
fn inside(root: Option<&Root>, path: &Path) -> Option<PathBuf> {
    let Some(Root::Directory(dir) | Root::Here(dir)) = root else { return None };
    path_inside(dir, path)
}

/// The same by the root's path. One that leads up again may lead out: it is not inside.
pub fn path_inside(root: &Path, path: &Path) -> Option<PathBuf> {
    let inner = path.strip_prefix(root).ok()?;
    let up = inner.components().any(|part| part == std::path::Component::ParentDir);
    (!up).then(|| inner.to_owned())
}

fn open_source(op: &MountOp, prepared: &[OwnedFd], root: Option<&Root>) -> Result<Opened> {
    let MountOp::Mount(m) = op else { return Ok(Opened::default()) };
    match &m.source {
        Source::Remount { .. } | Source::Mapped { .. } => Ok(Opened::default()),
        Source::Prepared(number) => {
            let missing = || Error::at("open_tree", &m.target, rustix::io::Errno::BADF);
            let tree = prepared.get(*number).ok_or_else(missing)?.try_clone();
            Ok(Opened { tree: Some(tree.map_err(|e| Error::at("dup", &m.target, e))?), ..Opened::default() })
        }
        Source::Bind { path, .. } if inside(root, path).is_some() => {
            Ok(Opened { inside: inside(root, path), ..Opened::default() })
        }
        Source::Bind { path, recursive } => {
            let tree = mount::clone_tree(rustix::fs::CWD, path, *recursive);
            match tree {
                Err(_) if m.optional => Ok(Opened::default()),
                other => Ok(Opened { tree: Some(other?), ..Opened::default() }),
            }
        }
        Source::New { content, .. } => {
            let mut hosts = Vec::new();
            for node in content {
                if let Node::Host { path, .. } = node {
                    hosts.push(mount::clone_tree(rustix::fs::CWD, path, false)?);
                }
            }
            Ok(Opened { hosts, ..Opened::default() })
        }
    }
}

fn place_mount(made: &mut Mounted, m: &Mount, opened: Opened) -> Result<()> {
    // A volume is filled before it becomes read-only.
    let after_fill = if m.copy_up { m.change.set & mount::RDONLY } else { 0 };
    let (tree, make) = match &m.source {
        Source::Remount { options } => return remount(made, m, options),
        Source::Bind { .. } | Source::Prepared(_) | Source::Mapped { .. } => {
            let recursive = matches!(m.source, Source::Bind { recursive: true, .. });
            let own = opened.inside.as_deref().map(|path| clone_inside(made, path, recursive)).transpose()?;
            let Some(tree) = opened.tree.or(own) else { return Ok(()) };
            let make = if in_root::kind(&tree)? == FileType::Directory { Make::Directory } else { Make::File };
            // A bind keeps the attributes of its source unless told otherwise, but never its peers.
            let propagation = m.change.propagation.or(Some(Propagation::Private));
            mount::change(tree.as_fd(), Change { propagation, recursive: !m.alone, ..Change::default() })?;
            mount::change(tree.as_fd(), Change { propagation: None, recursive: true, ..m.deep })?;
            mount::change(tree.as_fd(), Change { propagation: None, set: m.change.set & !after_fill, ..m.change })?;
            (tree, make)
        }
        Source::New { kind, options, content } => {
            let late = if content.is_empty() { after_fill } else { m.change.set & mount::RDONLY };
            let set = m.change.set | m.deep.set;
            let options = with_mode(made.root.as_fd(), &m.target, kind, options)?;
            let tree = match mount::new_file_system(kind, &options, set & !late) {
                Err(_) if m.optional => return Ok(()),
                other => other?,
            };
            fill(tree.as_fd(), content)?;
            let propagation = m.change.propagation;
            mount::change(tree.as_fd(), Change { set: late & !after_fill, propagation, ..Change::default() })?;
            (tree, Make::Directory)
        }
    };
    let target = match mount_guard::plain(&m.target) {
        Some(name) => in_root::ensure_plain(made.root.as_fd(), name)?,
        None => in_root::ensure(made.root.as_fd(), &m.target, make)?,
    };
    mount_guard::check(m, tree.as_fd(), target.as_fd())?;
    if m.copy_up {
        super::copy_up::fill(target.as_fd(), tree.as_fd())?;
        let recursive = m.change.recursive;
        mount::change(tree.as_fd(), Change { set: after_fill, recursive, ..Change::default() })?;
    }
    mount::attach(tree.as_fd(), target.as_fd())?;
    if m.alone {
        mount_below::make_private(tree.as_fd())?;
    }
    // The host's procfs is as good for what is the container's own there: it shows the reader's. Nothing else is.
    let on_proc = mount_guard::plain(&m.target) == Some("proc");
    if on_proc && matches!(m.source, Source::Bind { .. }) && super::facts::magic_of(&tree)? == PROCFS {
        made.proc = Some(tree);
        return Ok(());
    }
    if let Source::New { kind, content, .. } = &m.source {
        bind_hosts(tree.as_fd(), content, &opened.hosts)?;
        match kind.as_str() {
            "proc" if on_proc => made.proc = Some(tree),
            "devpts" if m.target == "/dev/pts" => made.devpts = Some(tree),
            _ => {}
        }
    }
    Ok(())
}

fn clone_inside(made: &Mounted, path: &Path, recursive: bool) -> Result<OwnedFd> {
    let source = in_root::open(made.root.as_fd(), Path::new("/").join(path), OFlags::PATH)?;
    mount::clone_tree(source.as_fd(), Path::new(""), recursive)
}

/// Changes what is mounted at the target, which has to be a mount.
fn remount(made: &Mounted, m: &Mount, options: &[(String, Option<String>)]) -> Result<()> {
    let target = in_root::open(made.root.as_fd(), &m.target, OFlags::PATH)?;
    if !options.is_empty() {
        mount::reconfigure(target.as_fd(), options)?;
    }
    mount::change(target.as_fd(), Change { recursive: true, propagation: None, ..m.deep })?;
    mount::change(target.as_fd(), m.change)
}

/// Through the mount made a moment ago, no links, no mounts on the way (CVE-2019-19921, CVE-2025-52881).
fn write_sysctl(made: &Mounted, key: &str, value: &str) -> Result<()> {
    use rustix::fs::ResolveFlags;
    let missing = || Error::at("sysctl", key, std::io::Error::other("the container has no /proc of its own"));
    let proc = made.proc.as_ref().ok_or_else(missing)?;
    // Both spellings are in use; a slash keeps dots within a component (interface names).
    let path = if key.contains('/') { format!("sys/{key}") } else { format!("sys/{}", key.replace('.', "/")) };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let fd = rustix::fs::openat2(proc, path.as_str(), flags, Mode::empty(), resolve);
    let fd = fd.map_err(|e| Error::at("open", &path, e))?;
    rustix::io::write(&fd, value.as_bytes()).map(drop).map_err(|e| Error::at("write", &path, e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clone;

    /// CVE-2025-52881: a setting of the container's that would go to another file, because something is mounted over it or
    /// a link is on the way.
    #[test]
    fn cve_2025_52881_settings_pass_no_mounts_and_no_links() {
        // A thread has a mount namespace of its own; the others keep theirs.
        let made = std::thread::spawn(|| {
            if clone::unshare(clone::NEWNS).is_err() {
                return eprintln!("SKIP mount_op: not root");
            }
            mount::set_propagation_all("/", Propagation::Private).unwrap();
            let dir = tempfile::tempdir().unwrap();
            let proc = mount::new_file_system("proc", &[], 0).unwrap();
            mount::attach_at(proc.as_fd(), dir.path()).unwrap();
            let null = open_null().unwrap();
            let root = rustix::fs::open(dir.path(), OFlags::PATH, Mode::empty()).unwrap();
            let made = Mounted { root, proc: Some(proc), devpts: None, null, empty: None, nothing: None };
            let setting = |key: &str| write_sysctl(&made, key, "1").map_err(|e| e.errno());
            let now = std::fs::read_to_string("/proc/sys/net/ipv4/ip_default_ttl").unwrap();
            write_sysctl(&made, "net.ipv4.ip_default_ttl", now.trim()).unwrap();
            let fake = mount::new_file_system("tmpfs", &[], 0).unwrap();
            mount::attach_at(fake.as_fd(), &dir.path().join("sys/net/ipv4")).unwrap();
            std::fs::write(dir.path().join("sys/net/ipv4/ip_default_ttl"), "fake").unwrap();
            assert_eq!(setting("net.ipv4.ip_default_ttl"), Err(libc::EXDEV));
            assert_eq!(std::fs::read_to_string(dir.path().join("sys/net/ipv4/ip_default_ttl")).unwrap(), "fake");
            assert_eq!(setting("kernel/../../self/oom_score_adj"), Err(libc::ELOOP), "self is a link");
            mount::detach(dir.path()).unwrap();
        });
        made.join().unwrap();
    }
}
