//! Device nodes of a container: the ones every container has, the host's that were asked for, and what may be done with
//! each.

use super::{BundleInput, Error};
use crate::model::container::ContainerConfig;
use crate::model::isolation::DeviceMapping;
use crate::sys::access;
use oci_spec::runtime::{
    LinuxDevice, LinuxDeviceBuilder, LinuxDeviceCgroup, LinuxDeviceCgroupBuilder, LinuxDeviceType, LinuxResources,
    LinuxResourcesBuilder, Mount, MountBuilder,
};
use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Name, major, minor; everybody may use them.
const DEVICES: [(&str, i64, i64); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];
/// How deep directories of devices are looked through.
const DEPTH: u32 = 4;

/// The nodes to be made. In a user namespace none can be: there [`binds`] shows the host's own.
pub(super) fn nodes(input: &BundleInput<'_>, warnings: &mut Vec<String>) -> Result<Vec<LinuxDevice>, Error> {
    let config = &input.container.config;
    let mut found = Vec::new();
    for (name, major, minor) in DEVICES {
        let entry = LinuxDeviceBuilder::default().path(Path::new("/dev").join(name)).typ(LinuxDeviceType::C);
        let entry = entry.major(major).minor(minor).file_mode(0o666_u32).uid(0_u32).gid(0_u32);
        found.push(entry.build()?);
    }
    if config.security.privileged {
        let mut all = Vec::new();
        if let Err(e) = (input.machine.devices)(&mut all) {
            warnings.push(format!("not all of the host's devices are there: {e}"));
        }
        for (path, stat) in all {
            if !found.iter().any(|d: &LinuxDevice| *d.path() == path) {
                found.push(node(path, &stat)?);
            }
        }
    }
    if !super::in_user_namespace(input) {
        for wanted in mapped(config)? {
            found.retain(|d| *d.path() != wanted.inside);
            found.push(node(wanted.inside, &wanted.stat)?);
        }
    }
    Ok(found)
}

/// For a user namespace: the host's nodes that were asked for, on files of the container.
pub(super) fn binds(input: &BundleInput<'_>) -> Result<Vec<Mount>, Error> {
    if !super::in_user_namespace(input) {
        return Ok(Vec::new());
    }
    let bind = |wanted: Mapped| {
        // Read-only is the node, not the device.
        let options = ["bind", "rprivate", "ro", "nosuid", "noexec"].map(str::to_owned).to_vec();
        Ok(MountBuilder::default()
            .destination(wanted.inside)
            .typ("bind")
            .source(wanted.host)
            .options(options)
            .build()?)
    };
    mapped(&input.container.config)?.into_iter().map(bind).collect()
}

/// What the container's group says of devices beside the default ones: see `cgroup::devices`.
pub(super) fn rules(config: &ContainerConfig) -> Result<Option<LinuxResources>, Error> {
    let mut rules = Vec::new();
    if config.security.privileged {
        rules.push(LinuxDeviceCgroupBuilder::default().allow(true).access("rwm").build()?);
    } else {
        for wanted in mapped(config)? {
            rules.push(rule(kind(&wanted.stat), numbers(&wanted.stat), &wanted.access)?);
        }
        for given in &config.device_rules {
            let kind = match given.kind {
                'b' => LinuxDeviceType::B,
                'c' => LinuxDeviceType::C,
                _ => LinuxDeviceType::A,
            };
            // The specification's "any" is -1.
            let number = |n: Option<u32>| n.map_or(-1, i64::from);
            rules.push(rule(kind, (number(given.major), number(given.minor)), &given.access)?);
        }
    }
    if rules.is_empty() {
        return Ok(None);
    }
    Ok(Some(LinuxResourcesBuilder::default().devices(rules).build()?))
}

/// Refuses a place that is another file system's in every container: a node there would not be seen.
fn check_place(inside: &Path) -> Result<(), Error> {
    match ["/dev/pts", "/dev/shm", "/dev/mqueue"].iter().find(|place| inside.starts_with(place)) {
        Some(place) => {
            let inside = inside.display();
            Err(Error::invalid(format!("a device cannot be at {inside}: {place} is a file system of its own")))
        }
        None => Ok(()),
    }
}

/// Refuses devices that are not there. In a user namespace (`rootless`) also what only the host's root could give.
pub(super) fn check(config: &ContainerConfig, rootless: bool) -> Result<Vec<String>, Error> {
    let mut warnings = Vec::new();
    for wanted in mapped(config)? {
        check_place(&wanted.inside)?;
        if !rootless {
            continue;
        }
        let host = &wanted.host;
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let usable = access::may(host, wanted.access.contains('r'), wanted.access.contains('w'));
        if !usable {
            return Err(Error::Device { path: host.clone(), source: denied });
        }
        if !(wanted.access.contains('r') && wanted.access.contains('w')) {
            warnings.push(format!(
                "device {}: access '{}' cannot be enforced for an ordinary user: the node's own permissions decide",
                host.display(),
                wanted.access
            ));
        }
    }
    if rootless && !config.device_rules.is_empty() {
        return Err(Error::invalid("device rules need root: an ordinary user's containers have no device list"));
    }
    Ok(warnings)
}

fn rule(kind: LinuxDeviceType, (major, minor): (i64, i64), access: &str) -> Result<LinuxDeviceCgroup, Error> {
    let rule = LinuxDeviceCgroupBuilder::default().allow(true).typ(kind).major(major).minor(minor).access(access);
    Ok(rule.build()?)
}

/// One node of a `--device`.
struct Mapped {
    host: PathBuf,
    inside: PathBuf,
    access: String,
    stat: Metadata,
}

fn mapped(config: &ContainerConfig) -> Result<Vec<Mapped>, Error> {
    let mut found = Vec::new();
    for device in &config.devices {
        found.extend(expand(device)?);
    }
    Ok(found)
}

/// A directory stands for the devices below it.
fn expand(device: &DeviceMapping) -> Result<Vec<Mapped>, Error> {
    let host = Path::new(&device.host);
    let fail = |source| Error::Device { path: host.to_owned(), source };
    let stat = host.metadata().map_err(fail)?;
    let mapped = |host: PathBuf, inside: PathBuf, stat| Mapped { host, inside, access: device.access.clone(), stat };
    if is_device(&stat) {
        return Ok(vec![mapped(host.to_owned(), PathBuf::from(&device.inside), stat)]);
    }
    let mut below = Vec::new();
    if stat.is_dir() {
        walk(host, 1, &mut below).map_err(fail)?;
    }
    if below.is_empty() {
        let what = if stat.is_dir() { "there is no device in that directory" } else { "not a device node" };
        return Err(fail(std::io::Error::other(what)));
    }
    let place = |path: PathBuf, stat| {
        let inside = path.strip_prefix(host).map(|rest| Path::new(&device.inside).join(rest)).unwrap_or(path.clone());
        mapped(path, inside, stat)
    };
    Ok(below.into_iter().map(|(path, stat)| place(path, stat)).collect())
}

/// See [`Machine::devices`](crate::runtime::machine::Machine::devices).
pub fn host(found: &mut Vec<(PathBuf, Metadata)>) -> std::io::Result<()> {
    walk(Path::new("/dev"), 0, found)
}

/// Every device node there, apart from what a container gets anew in its own `/dev` (depth 0).
fn walk(directory: &Path, depth: u32, found: &mut Vec<(PathBuf, Metadata)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if depth == 0 && matches!(name, "pts" | "shm" | "mqueue" | "fd" | "console" | "ptmx" | ".lxc" | ".udev") {
            continue;
        }
        let Ok(stat) = path.symlink_metadata() else { continue };
        if stat.is_dir() && depth < DEPTH {
            walk(&path, depth + 1, found)?;
        } else if is_device(&stat) {
            found.push((path, stat));
        }
    }
    Ok(())
}

fn is_device(stat: &Metadata) -> bool {
    stat.file_type().is_char_device() || stat.file_type().is_block_device()
}

fn kind(stat: &Metadata) -> LinuxDeviceType {
    if stat.file_type().is_block_device() { LinuxDeviceType::B } else { LinuxDeviceType::C }
}

/// With the host's owner and mode.
fn node(path: PathBuf, stat: &Metadata) -> Result<LinuxDevice, Error> {
    let (major, minor) = numbers(stat);
    let node = LinuxDeviceBuilder::default().path(path).typ(kind(stat)).major(major).minor(minor);
    Ok(node.file_mode(stat.mode() & 0o7777).uid(stat.uid()).gid(stat.gid()).build()?)
}

/// Linux's packing of device numbers (major 12 bits of 8, minor around it).
fn numbers(stat: &Metadata) -> (i64, i64) {
    let device = stat.rdev();
    let major = ((device >> 8) & 0xfff) | ((device >> 32) & 0xffff_f000);
    let minor = (device & 0xff) | ((device >> 12) & 0xffff_ff00);
    (major as i64, minor as i64)
}
