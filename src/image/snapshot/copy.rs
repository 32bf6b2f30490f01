//! The copying driver: each container gets the whole tree, layer upon layer, with whiteouts applied. Slow and large,
//! but it needs nothing from the kernel; blocks are shared where the file system can (btrfs, xfs).

use super::{RootfsParts, Snapshotter};
use crate::image::layers::LayerStore;
use crate::image::unpack::is_whiteout;
use crate::image::{Error, Result};
use crate::model::change::Change;
use crate::model::image::Layer;
use crate::model::isolation::UserMap;
use crate::store::StateRoot;
use crate::store::content::private_dir;
use crate::sys::files::{self, Kind, Meta, Node};
use crate::sys::tree;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

pub struct Copy {
    root: StateRoot,
    layers: LayerStore,
}

impl Copy {
    pub fn new(root: &StateRoot, layers: LayerStore) -> Copy {
        Copy { root: root.clone(), layers }
    }

    fn directory(&self, container_id: &str) -> PathBuf {
        self.root.container(container_id).join("rootfs")
    }
}

impl Links {
    /// For a merge into `root`.
    pub(super) fn below(root: &OwnedFd) -> crate::sys::Result<Links> {
        let root = root.try_clone().map_err(|e| crate::sys::Error::new("dup", e))?;
        Ok(Links { root, at: PathBuf::new(), seen: HashMap::new() })
    }
}

impl Snapshotter for Copy {
    fn name(&self) -> &'static str {
        "vfs"
    }

    fn prepare(&self, container_id: &str, layers: &[Layer]) -> Result<RootfsParts> {
        let path = self.directory(container_id);
        if path.is_dir() {
            return Ok(RootfsParts::Directory { path });
        }
        private_dir(&self.root.container(container_id)).map_err(|e| Error::io(&path, e))?;
        let aside = path.with_extension("new");
        tree::remove(&aside)?;
        fs::create_dir(&aside).map_err(|e| Error::io(&aside, e))?;
        let built = layers.iter().try_for_each(|layer| {
            let from = self.layers.path(&layer.chain_id);
            if !from.is_dir() {
                return Err(Error::NoLayer(layer.chain_id.clone()));
            }
            Ok(apply(&from, &aside)?)
        });
        if let Err(error) = built {
            tree::remove(&aside)?;
            return Err(error);
        }
        fs::rename(&aside, &path).map_err(|e| Error::io(&path, e))?;
        Ok(RootfsParts::Directory { path })
    }

    fn remove(&self, container_id: &str) -> Result<()> {
        let path = self.directory(container_id);
        tree::remove(&path.with_extension("new"))?;
        Ok(tree::remove(&path)?)
    }

    fn size(&self, container_id: &str) -> Result<u64> {
        let path = self.directory(container_id);
        if path.is_dir() { Ok(tree::size(&path)?) } else { Ok(0) }
    }

    fn changes(
        &self,
        _container_id: &str,
        _layers: &[Layer],
        _mount_points: &[String],
        _users: Option<&UserMap>,
    ) -> Result<Vec<Change>> {
        Err(Error::Unsupported {
            what: "telling a container's changes".into(),
            why: "the copy driver keeps one tree and no record of what came from the image; overlay does".into(),
        })
    }
}

/// Lays one layer's tree (overlay form) over `to`.
fn apply(from: &std::path::Path, to: &std::path::Path) -> crate::sys::Result<()> {
    let (source, target) = (files::open_dir(from)?, files::open_dir(to)?);
    let meta = files::stat(&source)?;
    let mut links = Links::below(&target)?;
    merge(&source, &target, &mut links)?;
    stamp_directory(&source, &target, &meta)
}

/// Inodes of this layer seen before, and where their first name was copied to.
pub(super) struct Links {
    root: OwnedFd,
    /// The directory being merged, from the root.
    at: PathBuf,
    seen: HashMap<(u64, u64), (PathBuf, OsString)>,
}

pub(super) fn merge(source: &OwnedFd, target: &OwnedFd, links: &mut Links) -> crate::sys::Result<()> {
    if is_opaque(source.as_fd(), OsStr::new("."))? {
        for name in files::list(target)? {
            tree::remove_at(target, &name)?;
        }
    }
    for name in files::list(source)? {
        let Some(meta) = files::stat_at(source, &name)? else { continue };
        if is_whiteout(&meta) {
            tree::remove_at(target, &name)?;
            continue;
        }
        let old = files::stat_at(target, &name)?;
        let both = meta.kind == Kind::Directory && old.is_some_and(|o| o.kind == Kind::Directory);
        if old.is_some() && !both {
            tree::remove_at(target, &name)?;
        }
        match meta.kind {
            Kind::Directory => {
                if !both {
                    files::mkdir_at(target, &name, 0o700)?;
                }
                let (below, into) = (files::open_dir_at(source, &name)?, files::open_dir_at(target, &name)?);
                links.at.push(&name);
                merge(&below, &into, links)?;
                links.at.pop();
                stamp_directory(&below, &into, &meta)?;
            }
            _ => copy_entry(source, target, &name, &meta, links)?,
        }
    }
    Ok(())
}

pub(super) fn is_opaque(dir: BorrowedFd<'_>, name: &OsStr) -> crate::sys::Result<bool> {
    for attribute in ["trusted.overlay.opaque", "user.overlay.opaque"] {
        if files::get_xattr_at(dir, name, OsStr::new(attribute))?.as_deref() == Some(b"y") {
            return Ok(true);
        }
    }
    Ok(false)
}

fn copy_entry(
    source: &OwnedFd,
    target: &OwnedFd,
    name: &OsStr,
    meta: &Meta,
    links: &mut Links,
) -> crate::sys::Result<()> {
    if meta.links > 1 {
        if let Some((dir, first)) = links.seen.get(&(meta.device, meta.inode)) {
            let path = if dir.as_os_str().is_empty() { OsStr::new(".") } else { dir.as_os_str() };
            return files::link_at(files::open_dir_in_root(&links.root, path)?, first, target, name);
        }
        links.seen.insert((meta.device, meta.inode), (links.at.clone(), name.to_owned()));
    }
    match meta.kind {
        Kind::Symlink => files::symlink_at(&files::read_link_at(source, name)?, target, name)?,
        Kind::Char => files::mknod_at(target, name, Node::Char(meta.node.0, meta.node.1), 0o600)?,
        Kind::Block => files::mknod_at(target, name, Node::Block(meta.node.0, meta.node.1), 0o600)?,
        Kind::Fifo => files::mknod_at(target, name, Node::Fifo, 0o600)?,
        // Archives have no sockets, and nobody listens on a copied one.
        Kind::Socket | Kind::Directory => return Ok(()),
        Kind::File => {
            let (mut from, mut to) = (files::open_file_at(source, name)?, files::create_at(target, name, 0o600)?);
            if files::clone_file(&from, &to).is_err() {
                std::io::copy(&mut from, &mut to).map_err(|e| crate::sys::Error::at("copy", name, e))?;
            }
        }
    }
    files::chown_at(target, name, meta.uid, meta.gid)?;
    if meta.kind != Kind::Symlink {
        files::chmod_at(target, name, meta.mode)?;
    }
    copy_xattrs(source.as_fd(), target.as_fd(), name)?;
    files::set_mtime_at(target, name, meta.mtime)
}

pub(in crate::image) fn stamp_directory(from: &OwnedFd, to: &OwnedFd, meta: &Meta) -> crate::sys::Result<()> {
    files::chown(to, meta.uid, meta.gid)?;
    files::chmod(to, meta.mode)?;
    copy_xattrs(from.as_fd(), to.as_fd(), OsStr::new("."))?;
    files::set_mtime(to, meta.mtime)
}

/// All but overlay's own, which mean nothing in a plain tree.
fn copy_xattrs(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &OsStr) -> crate::sys::Result<()> {
    for attribute in files::list_xattrs_at(from, name)? {
        let bytes = attribute.as_bytes();
        if bytes.starts_with(b"trusted.overlay.") || bytes.starts_with(b"user.overlay.") {
            continue;
        }
        if let Some(value) = files::get_xattr_at(from, name, &attribute)? {
            files::set_xattr_at(to, name, &attribute, &value)?;
        }
    }
    Ok(())
}
