//! Writes entries into the tree: content first, then owner, mode, attributes, time; directories' own last of all.

use super::directory::{Made, make_directory, mark_opaque};
use super::entry::{Entry, Holes, What};
use super::place::{Name, Place, shown};
use super::{MAX_WARNINGS, Options, Report, reading, sparse};
use crate::image::{Error, Result, limits};
use crate::sys::files::{self, Kind, Node, Time};
use crate::sys::{self, tree};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

const EPERM: i32 = 1;
const EEXIST: i32 = 17;
const EINVAL: i32 = 22;
const EOPNOTSUPP: i32 = 95;
const EOVERFLOW: i32 = 75;

/// "Set the mode in any case", for [`Writer::finish_fd`].
const ALL_BITS: u32 = 0o7777;

/// A directory's own attributes, kept until nothing is created in it any more: setgid and default ACLs would be
/// inherited, read-only modes would bar us, and each new child changes the time.
struct Deferred {
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: Time,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

pub struct Writer {
    place: Place,
    options: Options,
    /// What the kernel gives new files: no chown where it is right already.
    creator: (u32, u32),
    umask: u32,
    directories: BTreeMap<Vec<u8>, Deferred>,
    /// Directories that came with what is in them: see [`Report::implicit`].
    implicit: RefCell<BTreeSet<Vec<u8>>>,
    /// What the two above hold.
    directory_bytes: Cell<usize>,
    buffer: Vec<u8>,
    report: Report,
}

impl Writer {
    pub fn new(root: OwnedFd, options: Options) -> Result<Writer> {
        let creator = files::creator();
        Ok(Writer {
            place: Place::new(root),
            options,
            creator,
            umask: files::umask(),
            directories: BTreeMap::new(),
            implicit: RefCell::new(BTreeSet::from([Vec::new()])),
            directory_bytes: Cell::new(0),
            buffer: vec![0; 256 << 10],
            report: Report::default(),
        })
    }

    pub fn entries(&self) -> u64 {
        self.report.entries
    }

    pub fn apply(&mut self, entry: &Entry, data: &mut impl Read) -> Result<()> {
        self.report.entries += 1;
        match &entry.what {
            What::Directory => self.directory(entry),
            What::File { size, holes } => self.file(entry, *size, holes, data),
            What::Symlink { target } => {
                let target = OsStr::from_bytes(target);
                self.create(&entry.name, |dir, name| files::symlink_at(target, dir, name))?;
                self.finish_name(entry)
            }
            What::HardLink { target } => self.hard_link(&entry.name, target),
            What::Node(node) => self.node(entry, *node),
            What::Whiteout { hidden } => self.whiteout(hidden),
            What::Opaque { directory } => self.opaque(directory),
        }
    }

    /// Sets what was kept for the directories, parents first.
    pub fn finish(mut self) -> Result<Report> {
        for (path, kept) in std::mem::take(&mut self.directories) {
            let dir = self.place.directory(&path, None)?;
            // The walk gives names only; attributes need a descriptor that is open for real.
            let fd = files::open_dir_at(dir, OsStr::new(".")).map_err(|e| Error::unpacking(&path, e))?;
            let done = self.finish_fd(&fd, ALL_BITS, &kept.as_owner(), &kept.xattrs, kept.mtime);
            done.map_err(|e| Error::unpacking(&path, e))?;
        }
        self.report.implicit = self.implicit.into_inner().into_iter().collect();
        Ok(self.report)
    }

    fn warn(&mut self, line: String) {
        if self.report.warnings.len() < MAX_WARNINGS {
            self.report.warnings.push(line);
        }
    }

    /// Makes a new name; whatever an earlier entry of this archive left there goes first (the last entry wins).
    fn create<T>(&mut self, name: &Name, make: impl Fn(BorrowedFd<'_>, &OsStr) -> sys::Result<T>) -> Result<T> {
        if name.is_root() {
            return Err(Error::invalid("archive entry './'", "the root is not a directory in it"));
        }
        let (parent, last) = name.split();
        let dir = self.parent(parent)?;
        match make(dir, last) {
            Err(e) if e.errno() == EEXIST => {}
            other => return other.map_err(|e| Error::unpacking(name.bytes(), e)),
        }
        tree::remove_at(dir, last).map_err(|e| Error::unpacking(name.bytes(), e))?;
        self.place.forget();
        self.forget_below(name);
        let dir = self.parent(parent)?;
        make(dir, last).map_err(|e| Error::unpacking(name.bytes(), e))
    }

    fn parent(&mut self, path: &[u8]) -> Result<BorrowedFd<'_>> {
        let (options, implicit, bytes) = (self.options, &self.implicit, &self.directory_bytes);
        let make = move |dir: BorrowedFd<'_>, name: &OsStr, path: &[u8]| {
            if make_directory(dir, name, options)? == Made::New {
                implicit.borrow_mut().insert(path.to_vec());
                bytes.set(bytes.get() + path.len() + 64);
            }
            too_many(bytes.get())
        };
        self.place.directory(path, Some(&make))
    }

    fn forget_below(&mut self, name: &Name) {
        let mut below = name.bytes().to_vec();
        self.directories.remove(&below);
        self.implicit.get_mut().remove(&below);
        below.push(b'/');
        self.directories.retain(|path, _| !path.starts_with(&below));
        self.implicit.get_mut().retain(|path| !path.starts_with(&below));
    }

    fn directory(&mut self, entry: &Entry) -> Result<()> {
        if !entry.name.is_root() {
            let (parent, last) = entry.name.split();
            let options = self.options;
            let dir = self.parent(parent)?;
            if make_directory(dir, last, options)? == Made::Taken {
                // Something else is in the way: it was an earlier entry of this archive.
                self.create(&entry.name, |dir, last| files::mkdir_at(dir, last, 0o755))?;
            }
        }
        let kept = Deferred {
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            mtime: entry.mtime,
            xattrs: entry.xattrs.clone(),
        };
        let xattrs: usize = entry.xattrs.iter().map(|(n, v)| n.len() + v.len()).sum();
        self.directory_bytes.set(self.directory_bytes.get() + entry.name.bytes().len() + xattrs + 64);
        too_many(self.directory_bytes.get())?;
        self.implicit.get_mut().remove(entry.name.bytes());
        self.directories.insert(entry.name.bytes().to_vec(), kept);
        Ok(())
    }

    fn file(&mut self, entry: &Entry, size: u64, holes: &Holes, data: &mut impl Read) -> Result<()> {
        let mut file = self.create(&entry.name, |dir, name| files::create_at(dir, name, entry.mode & 0o777))?;
        let fail = |e: io::Error| match e.get_ref() {
            Some(_) => reading(e),
            None => Error::unpacking(entry.name.bytes(), sys::Error::new("write", e)),
        };
        let buffer = &mut self.buffer[..];
        self.report.size += match holes {
            Holes::None => copy(data, &mut file, size, buffer),
            Holes::Zeros => sparse::copy_zeros(data, &mut file, size, &mut buffer[..4096]),
            Holes::Pax(map) => sparse::copy_pax(data, &mut file, map, size, buffer),
        }
        .map_err(fail)?;
        let owner = Owner { mode: entry.mode, uid: entry.uid, gid: entry.gid };
        let special = entry.mode & (0o7000 | self.umask);
        self.finish_fd(&file, special, &owner, &entry.xattrs, entry.mtime)
            .map_err(|e| Error::unpacking(entry.name.bytes(), e))
    }

    /// Owner, then mode (chown clears setuid), then attributes (chown clears capabilities), then time.
    /// The mode is set where `special` is not 0: elsewhere it is right since the file was made.
    fn finish_fd(
        &mut self,
        fd: impl AsFd,
        special: u32,
        owner: &Owner,
        xattrs: &[(Vec<u8>, Vec<u8>)],
        mtime: Time,
    ) -> sys::Result<()> {
        if (owner.uid, owner.gid) != self.creator {
            let result = files::chown(&fd, owner.uid, owner.gid);
            self.tolerate_owner(result)?;
        }
        if special != 0 {
            files::chmod(&fd, owner.mode)?;
        }
        for (name, value) in xattrs {
            if self.may_set(name) {
                let result = files::set_xattr(&fd, OsStr::from_bytes(name), value);
                self.tolerate_xattr(name, result)?;
            }
        }
        files::set_mtime(fd, mtime)
    }

    /// [`Writer::finish_fd`] for what cannot be opened: symlinks, devices, fifos.
    fn finish_name(&mut self, entry: &Entry) -> Result<()> {
        let (parent, last) = entry.name.split();
        let fail = |e| Error::unpacking(entry.name.bytes(), e);
        if (entry.uid, entry.gid) != self.creator {
            let result = files::chown_at(self.parent(parent)?, last, entry.uid, entry.gid);
            self.tolerate_owner(result).map_err(fail)?;
        }
        if matches!(entry.what, What::Node(_)) {
            files::chmod_at(self.parent(parent)?, last, entry.mode).map_err(fail)?;
        }
        for (name, value) in &entry.xattrs {
            if self.may_set(name) {
                let result = files::set_xattr_at(self.parent(parent)?, last, OsStr::from_bytes(name), value);
                self.tolerate_xattr(name, result).map_err(fail)?;
            }
        }
        files::set_mtime_at(self.parent(parent)?, last, entry.mtime).map_err(fail)
    }

    fn tolerate_owner(&mut self, result: sys::Result<()>) -> sys::Result<()> {
        match result {
            Err(e) if self.options.user_namespace && matches!(e.errno(), EPERM | EINVAL | EOVERFLOW) => {
                let line = "some owners are not mapped in this user namespace: their files belong to root instead";
                if !self.report.warnings.iter().any(|w| w == line) {
                    self.warn(line.to_owned());
                }
                Ok(())
            }
            other => other,
        }
    }

    /// Overlay's own attributes in an image would let it redirect lookups out of its layers.
    fn may_set(&mut self, name: &[u8]) -> bool {
        let overlay = name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.");
        if overlay {
            self.warn(format!("attribute {} was left out: it belongs to overlay", shown(name)));
        }
        !overlay && !name.is_empty() && !name.contains(&0)
    }

    fn tolerate_xattr(&mut self, name: &[u8], result: sys::Result<()>) -> sys::Result<()> {
        match result {
            Err(e) if matches!(e.errno(), EPERM | EOPNOTSUPP) => {
                self.warn(format!("attribute {} was left out: {}", shown(name), e.source));
                Ok(())
            }
            other => other,
        }
    }

    fn hard_link(&mut self, name: &Name, target: &Name) -> Result<()> {
        if name == target {
            return Ok(());
        }
        let (parent, last) = target.split();
        let missing = |e: Error| match e {
            Error::Unpack { cause, .. } if cause.errno() == 2 => Error::invalid(
                format!("archive entry '{name}'"),
                format!("it links to '{target}', which is not before it in this layer"),
            ),
            other => other,
        };
        let source = self.place.directory(parent, None).map_err(missing)?;
        let source =
            source.try_clone_to_owned().map_err(|e| Error::unpacking(name.bytes(), sys::Error::new("dup", e)))?;
        self.create(name, |dir, new| files::link_at(&source, last, dir, new)).map_err(missing)
    }

    fn node(&mut self, entry: &Entry, node: Node) -> Result<()> {
        if node == Node::Char(0, 0) {
            self.warn(format!("device '{}' was left out: 0:0 is overlay's whiteout", entry.name));
            return Ok(());
        }
        match self.create(&entry.name, |dir, name| files::mknod_at(dir, name, node, entry.mode & 0o777)) {
            Ok(()) => self.finish_name(entry),
            Err(Error::Unpack { cause, .. }) if cause.errno() == EPERM && self.options.user_namespace => {
                self.warn(format!("device '{}' was left out: a user namespace may not make devices", entry.name));
                Ok(())
            }
            Err(e) => Err(e),
        }
    }

    /// Whiteouts hide what lower layers have, never what this layer itself brings.
    fn whiteout(&mut self, hidden: &Name) -> Result<()> {
        let (parent, last) = hidden.split();
        let fail = |e| Error::unpacking(hidden.bytes(), e);
        let options = self.options;
        let dir = self.parent(parent)?;
        match files::stat_at(dir, last).map_err(fail)? {
            Some(meta) if meta.kind == Kind::Directory => {
                mark_opaque(dir, last, options).map_err(fail)?;
                self.implicit.get_mut().remove(hidden.bytes());
                Ok(())
            }
            Some(_) => Ok(()),
            None => files::mknod_at(dir, last, Node::Char(0, 0), 0).map_err(fail),
        }
    }

    fn opaque(&mut self, directory: &Name) -> Result<()> {
        let options = self.options;
        if directory.is_root() {
            return mark_opaque(self.place.root(), OsStr::new("."), options).map_err(|e| Error::unpacking(b"./", e));
        }
        let (parent, last) = directory.split();
        let dir = self.parent(parent)?;
        let made = make_directory(dir, last, options)?;
        if made == Made::Taken {
            return Err(Error::invalid(
                format!("archive entry '{directory}/.wh..wh..opq'"),
                "it is not in a directory",
            ));
        }
        mark_opaque(dir, last, options).map_err(|e| Error::unpacking(directory.bytes(), e))?;
        if made == Made::New {
            self.implicit.get_mut().insert(directory.bytes().to_vec());
        }
        Ok(())
    }
}

struct Owner {
    mode: u32,
    uid: u32,
    gid: u32,
}

impl Deferred {
    fn as_owner(&self) -> Owner {
        Owner { mode: self.mode, uid: self.uid, gid: self.gid }
    }
}

fn too_many(directory_bytes: usize) -> Result<()> {
    match directory_bytes > limits::DIRECTORY_NAMES {
        true => Err(Error::invalid("the layer's archive", "it has too many directories")),
        false => Ok(()),
    }
}

fn copy(from: &mut impl Read, to: &mut File, size: u64, buffer: &mut [u8]) -> io::Result<u64> {
    let mut left = size;
    while left > 0 {
        let want = usize::try_from(left).map_or(buffer.len(), |l| l.min(buffer.len()));
        let n = from.read(&mut buffer[..want])?;
        if n == 0 {
            return Err(io::Error::other("it ends in the middle of a file"));
        }
        to.write_all(&buffer[..n])?;
        left -= n as u64;
    }
    Ok(size)
}
