//! From a spec's mounts to the list of steps that builds the root file system. Pure: reads nothing, changes nothing.

pub(in crate::runtime) mod options;
#[cfg(test)]
mod tests;

use crate::runtime::launch::{Launch, RootAhead, Rootfs};
use crate::sys::mount::{Change, NODEV, NOEXEC, NOSUID, Overlay};
use crate::sys::mount_node::{Device, Kind};
use crate::sys::mount_op::{Mount, MountOp, Node, Root, Source};
use oci_spec::runtime::{LinuxDevice, LinuxDeviceType};
use options::Parsed;
use std::path::{Path, PathBuf};

/// A mount nobody can make sense of.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("mount target '{0}' is not an absolute path")]
    Target(String),
    #[error("mount for '{target}' has no source")]
    NoSource { target: String },
    #[error("the path of device '{0}' goes back by '..'")]
    Device(String),
    #[error("invalid mount option '{option}' for '{target}'")]
    Option { target: String, option: String },
}

/// Links every container has in `/dev`.
pub const LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
    ("ptmx", "pts/ptmx"),
];

/// The option of our own that asks for the image's content in an empty volume.
pub const COPY_UP: &str = "x-teu.copy-up";
/// The option of our own for file systems a kernel may lack.
pub const OPTIONAL: &str = "x-teu.optional";
/// The option of our own for a mount of the container whose IPC namespace is joined: the first prepared tree.
pub const JOINED: &str = "x-teu.joined";
/// The option of our own for a bind whose attributes are not those of the mounts below it.
pub const ALONE: &str = "x-teu.alone";
/// The option of our own for a mount that the container's user is given, with all that is in it.
pub const GIVE: &str = "x-teu.give";
/// The option of our own for a bind whose owners are meant as the container's.
pub const ID_MAPPED: &str = "x-teu.idmap";
/// The option prefix of our own for links made in a fresh tmpfs: `x-teu.link=name:target`.
pub const LINK: &str = "x-teu.link=";
/// The option prefix of our own for directories made in a fresh tmpfs.
pub const DIRECTORY: &str = "x-teu.dir=";

/// What the root itself is.
pub fn root(launch: &Launch) -> Root {
    match overlay(&launch.rootfs, launch.user_namespace, !launch.on_end.is_empty()) {
        Ok(overlay) => Root::Overlay(overlay),
        Err(directory) => Root::Directory(directory.to_owned()),
    }
}

/// What to mount before the launch is there, if it is an overlay.
pub fn overlay_ahead(root: &RootAhead) -> Option<Overlay> {
    overlay(&root.rootfs, root.user_namespace, root.volatile).ok()
}

/// Or the directory that is the root.
fn overlay(rootfs: &Rootfs, userxattr: bool, volatile: bool) -> Result<Overlay, &Path> {
    match rootfs {
        Rootfs::Overlay { lower, upper, work, .. } => {
            let (lower, upper, work) = (lower.clone(), upper.clone(), work.clone());
            Ok(Overlay { lower, upper, work, userxattr, volatile })
        }
        Rootfs::Directory { path, .. } => Err(path),
    }
}

/// The steps after the root is there, in order: the spec's mounts, read-only paths, masks, and the root's own seal.
pub fn plan(launch: &Launch) -> Result<Vec<MountOp>, Error> {
    let mut ops = Vec::new();
    for mount in launch.spec.mounts().iter().flatten() {
        ops.push(MountOp::Mount(one(launch, mount)?));
    }
    if let Some(linux) = launch.spec.linux() {
        let listed = linux.devices().iter().flatten();
        for device in listed {
            if device.path().components().any(|c| c == std::path::Component::ParentDir) {
                return Err(Error::Device(device.path().display().to_string()));
            }
            // Those of /dev are part of it before anybody can see it.
            if !device.path().starts_with("/dev") {
                ops.push(MountOp::Device(elsewhere(device)));
            }
        }
        let mut sysctls: Vec<_> = linux.sysctl().iter().flatten().collect();
        sysctls.sort();
        ops.extend(sysctls.into_iter().map(|(k, v)| MountOp::Sysctl { key: k.clone(), value: v.clone() }));
        ops.extend(linux.readonly_paths().iter().flatten().cloned().map(MountOp::ReadOnly));
        ops.extend(linux.masked_paths().iter().flatten().cloned().map(MountOp::Mask));
    }
    let (Rootfs::Overlay { read_only, .. } | Rootfs::Directory { read_only, .. }) = &launch.rootfs;
    if *read_only || launch.spec.root().as_ref().is_some_and(|r| r.readonly() == Some(true)) {
        ops.push(MountOp::RootReadOnly);
    }
    Ok(ops)
}

fn one(launch: &Launch, mount: &oci_spec::runtime::Mount) -> Result<Mount, Error> {
    let target = mount.destination().to_string_lossy().into_owned();
    if !target.starts_with('/') {
        return Err(Error::Target(target));
    }
    let mut parsed = options::parse(&target, mount.options().as_deref().unwrap_or_default())?;
    let kind = mount.typ().as_deref().unwrap_or("none");
    let source = if parsed.bind || matches!(kind, "bind" | "none") {
        let path = mount.source().clone().ok_or(Error::NoSource { target: target.clone() })?;
        match parsed.joined {
            true => Source::Prepared(0),
            false => Source::Bind { path, recursive: parsed.recursive_bind },
        }
    } else {
        let mut content = std::mem::take(&mut parsed.content);
        if kind == "tmpfs" && target == "/dev" {
            dev(launch, &mut content)?;
        }
        Source::New { kind: kind.to_owned(), options: std::mem::take(&mut parsed.data), content }
    };
    let Parsed { change, copy_up, optional, .. } = parsed;
    Ok(Mount { target, source, change, deep: Change::default(), copy_up, optional, alone: false })
}

/// What a fresh `/dev` holds before anybody can see it.
fn dev(launch: &Launch, content: &mut Vec<Node>) -> Result<(), Error> {
    for (name, to) in LINKS {
        content.push(Node::Link { name: name.into(), to: to.into() });
    }
    for name in ["pts", "shm", "mqueue"] {
        content.push(Node::Directory { name: name.into(), mode: 0o755 });
    }
    let devices = launch.spec.linux().as_ref().and_then(|l| l.devices().as_deref()).unwrap_or_default();
    for device in devices {
        let name = device.path().strip_prefix("/dev").ok().and_then(|p| p.to_str()).unwrap_or_default();
        if name.is_empty() {
            continue;
        }
        let mut parent = String::new();
        for part in name.split('/').rev().skip(1).collect::<Vec<_>>().into_iter().rev() {
            parent = if parent.is_empty() { part.to_owned() } else { format!("{parent}/{part}") };
            let directory = Node::Directory { name: parent.clone(), mode: 0o755 };
            if !content.contains(&directory) {
                content.push(directory);
            }
        }
        content.push(node(launch.user_namespace || launch.users.is_some(), name, device));
    }
    Ok(())
}

fn elsewhere(device: &LinuxDevice) -> Device {
    Device {
        path: device.path().to_string_lossy().into_owned(),
        kind: if device.typ() == LinuxDeviceType::B { Kind::Block } else { Kind::Character },
        major: device.major() as u32,
        minor: device.minor() as u32,
        mode: device.file_mode().unwrap_or(0o666),
        uid: device.uid().unwrap_or(0),
        gid: device.gid().unwrap_or(0),
        bind: false,
    }
}

fn node(user_namespace: bool, name: &str, device: &LinuxDevice) -> Node {
    if user_namespace {
        // mknod is refused there; the host's own node is bound instead.
        return Node::Host { name: name.to_owned(), path: PathBuf::from("/dev").join(name) };
    }
    Node::Device {
        name: name.to_owned(),
        block: device.typ() == LinuxDeviceType::B,
        major: device.major() as u32,
        minor: device.minor() as u32,
        mode: device.file_mode().unwrap_or(0o666),
        uid: device.uid().unwrap_or(0),
        gid: device.gid().unwrap_or(0),
    }
}

/// Attributes every kernel file system of a container has.
pub const QUIET: Change = Change { set: NOSUID | NODEV | NOEXEC, clear: 0, propagation: None, recursive: false };
