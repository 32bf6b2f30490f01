//! The Linux part of a spec: namespaces, devices, sysctls, masked and read-only paths.

use super::{BundleInput, Error};
use crate::model::container::ContainerConfig;
use crate::model::network::NetworkMode;
use oci_spec::runtime::{
    Linux, LinuxBuilder, LinuxDevice, LinuxDeviceBuilder, LinuxDeviceCgroupBuilder, LinuxDeviceType, LinuxNamespace,
    LinuxNamespaceBuilder, LinuxNamespaceType, LinuxResources, LinuxResourcesBuilder,
};
use std::collections::HashMap;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What a container cannot read: kernel memory, keys, other users' timers, firmware, power figures (side channels).
pub(super) const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];
/// What it cannot change.
pub(super) const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Name, major, minor; everybody may use them.
const DEVICES: [(&str, i64, i64); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

pub(super) fn linux(input: &BundleInput<'_>, warnings: &mut Vec<String>) -> Result<Linux, Error> {
    let security = &input.container.config.security;
    let (masked, read_only) = if security.privileged || security.unmask_all {
        (Vec::new(), Vec::new())
    } else {
        (masked_paths(), READ_ONLY.map(str::to_owned).to_vec())
    };
    let mut linux = LinuxBuilder::default()
        .namespaces(namespaces(&input.container.config.network)?)
        .devices(devices(security.privileged, warnings)?)
        .sysctl(sysctls(input)?)
        .masked_paths(masked)
        .readonly_paths(read_only)
        .build()?;
    // The builder's defaults: limits and their place are the engine's, the filter is compiled beforehand.
    linux.set_resources(security.privileged.then(every_device).transpose()?).set_seccomp(None);
    Ok(linux)
}

/// What a privileged container's group says of devices; any other's gets the rules of `cgroup::devices`.
fn every_device() -> Result<LinuxResources, Error> {
    let rule = LinuxDeviceCgroupBuilder::default().allow(true).access("rwm").build()?;
    Ok(LinuxResourcesBuilder::default().devices(vec![rule]).build()?)
}

fn masked_paths() -> Vec<String> {
    let mut paths = MASKED.map(str::to_owned).to_vec();
    // Each CPU's throttling counters tell a neighbour's load.
    for cpu in 0.. {
        let directory = format!("/sys/devices/system/cpu/cpu{cpu}");
        if !Path::new(&directory).exists() {
            break;
        }
        let throttle = format!("{directory}/thermal_throttle");
        if Path::new(&throttle).exists() {
            paths.push(throttle);
        }
    }
    paths
}

fn namespaces(network: &NetworkMode) -> Result<Vec<LinuxNamespace>, Error> {
    use LinuxNamespaceType::{Cgroup, Ipc, Mount, Network, Pid, Uts};
    let mut kinds = vec![Mount, Pid, Uts, Ipc, Cgroup];
    if !matches!(network, NetworkMode::Host) {
        kinds.push(Network);
    }
    kinds.into_iter().map(|kind| Ok(LinuxNamespaceBuilder::default().typ(kind).build()?)).collect()
}

fn device(path: PathBuf, kind: LinuxDeviceType, major: i64, minor: i64) -> LinuxDeviceBuilder {
    LinuxDeviceBuilder::default().path(path).typ(kind).major(major).minor(minor)
}

fn devices(privileged: bool, warnings: &mut Vec<String>) -> Result<Vec<LinuxDevice>, Error> {
    let mut found = Vec::new();
    for (name, major, minor) in DEVICES {
        let entry = device(Path::new("/dev").join(name), LinuxDeviceType::C, major, minor);
        found.push(entry.file_mode(0o666_u32).uid(0_u32).gid(0_u32).build()?);
    }
    if privileged {
        let mut all = Vec::new();
        if let Err(e) = host_devices(Path::new("/dev"), 0, &mut all) {
            warnings.push(format!("not all of the host's devices are there: {e}"));
        }
        for entry in all {
            if !found.iter().any(|d: &LinuxDevice| d.path() == entry.path()) {
                found.push(entry);
            }
        }
    }
    Ok(found)
}

/// Every device node of the host, apart from what a container gets anew.
fn host_devices(directory: &Path, depth: u32, found: &mut Vec<LinuxDevice>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if depth == 0 && matches!(name, "pts" | "shm" | "mqueue" | "fd" | "console" | "ptmx" | ".lxc" | ".udev") {
            continue;
        }
        let Ok(stat) = path.symlink_metadata() else { continue };
        let kind = stat.file_type();
        if kind.is_dir() && depth < 4 {
            host_devices(&path, depth + 1, found)?;
        } else if kind.is_char_device() || kind.is_block_device() {
            let (major, minor) = split(stat.rdev());
            let typ = if kind.is_block_device() { LinuxDeviceType::B } else { LinuxDeviceType::C };
            let node = device(path, typ, major, minor).file_mode(stat.mode() & 0o7777).uid(stat.uid()).gid(stat.gid());
            found.extend(node.build());
        }
    }
    Ok(())
}

/// Linux's packing of device numbers (major 12 bits of 8, minor around it).
fn split(device: u64) -> (i64, i64) {
    let major = ((device >> 8) & 0xfff) | ((device >> 32) & 0xffff_f000);
    let minor = (device & 0xff) | ((device >> 12) & 0xffff_ff00);
    (major as i64, minor as i64)
}

/// The user's, and two that replace capabilities nobody should need: unprivileged ping and low ports.
fn sysctls(input: &BundleInput<'_>) -> Result<HashMap<String, String>, Error> {
    let config = &input.container.config;
    let mut all = HashMap::new();
    if own_network(config) && Path::new("/proc/sys/net/ipv4/ping_group_range").exists() {
        all.insert("net.ipv4.ping_group_range".to_owned(), format!("0 {}", last_group()));
        all.insert("net.ipv4.ip_unprivileged_port_start".to_owned(), "0".to_owned());
    }
    check_sysctls(config)?;
    all.extend(config.sysctls.iter().map(|(key, value)| (key.replace('/', "."), value.clone())));
    Ok(all)
}

/// Another container's network is that one's to tune.
fn own_network(config: &ContainerConfig) -> bool {
    !matches!(config.network, NetworkMode::Host | NetworkMode::Container(_))
}

/// Only those that belong to the container's own namespaces.
pub(super) fn check_sysctls(config: &ContainerConfig) -> Result<(), Error> {
    for key in config.sysctls.keys() {
        let key = key.replace('/', ".");
        let ours = key.starts_with("kernel.shm")
            || key.starts_with("kernel.msg")
            || key == "kernel.sem"
            || key.starts_with("fs.mqueue.")
            || (own_network(config) && key.starts_with("net."));
        if !ours || key.contains("..") {
            let why = if key.starts_with("net.") {
                "the network it is on is not the container's own"
            } else {
                "it is the whole machine's"
            };
            return Err(Error::invalid(format!("sysctl '{key}' cannot be set for a container: {why}")));
        }
    }
    Ok(())
}

/// The highest group id of the range that starts at 0: the kernel refuses ids that are not mapped.
fn last_group() -> u64 {
    let map = std::fs::read_to_string("/proc/self/gid_map").unwrap_or_default();
    let mut rows: Vec<(u64, u64)> = map
        .lines()
        .filter_map(|line| {
            let mut numbers = line.split_whitespace().filter_map(|n| n.parse().ok());
            Some((numbers.next()?, numbers.nth(1)?))
        })
        .collect();
    rows.sort_unstable();
    let mut end: u64 = 0;
    for (start, count) in rows {
        if start > end {
            break;
        }
        end = end.max(start + count);
    }
    end.saturating_sub(1).min(i32::MAX as u64)
}
