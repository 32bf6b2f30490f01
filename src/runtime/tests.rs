//! What the snapshots of plans are made with: machines that are the same everywhere, and plans as lines of text.

use super::cgroup::Version;
use super::machine::Machine;
use crate::sys::mount_op::MountOp;
use serde_json::Value;

/// root's machine with cgroup v2 and nothing out of the ordinary.
pub const V2: Machine = Machine {
    exists: |path| {
        let here = ["/proc/sys/net/ipv4/ping_group_range", "/sys/fs/cgroup/cgroup.controllers"];
        let processors = ["/sys/devices/system/cpu/cpu0", "/sys/devices/system/cpu/cpu0/thermal_throttle"];
        here.contains(&path) || processors.contains(&path)
    },
    read: |path| match path {
        "/proc/self/cgroup" => "0::/\n".to_owned(),
        "/proc/sys/fs/nr_open" => "1048576\n".to_owned(),
        "/proc/sys/kernel/hostname" => "machine\n".to_owned(),
        "/proc/self/oom_score_adj" => "0\n".to_owned(),
        _ => String::new(),
    },
    kernel_release: || "6.18.0".to_owned(),
    last_capability: || 40,
    maps_ids: || true,
    groups: || Version::V2,
    mapped_groups: || u32::MAX,
    hard_limit: |_| Ok(4096),
    may_raise: || true,
    devices: |_| Ok(()),
};

/// An ordinary user's, with the hierarchies of cgroup v1.
pub const V1: Machine = Machine {
    exists: |path| path == "/proc/sys/net/ipv4/ping_group_range",
    read: |path| match path {
        "/proc/self/cgroup" => "4:memory:/\n3:cpu,cpuacct:/\n2:freezer:/\n1:name=systemd:/\n0::/\n".to_owned(),
        _ => String::new(),
    },
    groups: || Version::V1,
    mapped_groups: || 65_536,
    may_raise: || false,
    ..V2
};

/// One line for each step; attributes of mounts by name, and none where there is nothing to change.
pub fn steps(ops: &[MountOp]) -> String {
    ops.iter().map(|op| attributes(&format!("{op:?}")) + "\n").collect()
}

fn attributes(line: &str) -> String {
    let nothing = "Change { set: 0, clear: 0, propagation: None, recursive: false }";
    let line = line.replace(nothing, "-").replace(", copy_up: false", "").replace(", optional: false", "");
    let line = line.replace(", alone: false", "").replace(", deep: -", "");
    let mut text = String::new();
    let mut rest = line.as_str();
    while let Some(at) = ["set: ", "clear: "].iter().filter_map(|key| Some(rest.find(key)? + key.len())).min() {
        let digits = rest[at..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - at);
        text += &rest[..at];
        text += &names(rest[at..at + digits].parse().unwrap());
        rest = &rest[at + digits..];
    }
    text + rest
}

fn names(bits: u64) -> String {
    use crate::sys::mount;
    let all = [
        (mount::ATIME, "atime"),
        (mount::RDONLY, "ro"),
        (mount::NOSUID, "nosuid"),
        (mount::NODEV, "nodev"),
        (mount::NOEXEC, "noexec"),
        (mount::NOATIME, "noatime"),
        (mount::STRICTATIME, "strictatime"),
        (mount::NODIRATIME, "nodiratime"),
        (mount::NOSYMFOLLOW, "nosymfollow"),
    ];
    let (mut left, mut named) = (bits, Vec::new());
    for (bit, name) in all {
        if left & bit == bit {
            named.push(name);
            left &= !bit;
        }
    }
    assert_eq!(left, 0, "an attribute without a name: {bits:#x}");
    if named.is_empty() { "0".to_owned() } else { named.join("|") }
}

/// A document as lines of a place and what is there. What is empty is left out; sets are sorted.
pub fn lines(value: &Value) -> String {
    let mut all = Vec::new();
    collect(value, "", &mut all);
    all.join("\n") + "\n"
}

fn collect(value: &Value, at: &str, all: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Object(map) if map.is_empty() => {}
        Value::Array(list) if list.is_empty() => {}
        Value::Object(map) => {
            for (key, inner) in map {
                collect(inner, &if at.is_empty() { key.clone() } else { format!("{at}.{key}") }, all);
            }
        }
        Value::Array(list) if list.iter().all(Value::is_object) => {
            all.extend(list.iter().enumerate().map(|(n, one)| format!("{at}[{n}]: {one}")));
        }
        Value::Array(list) if at.contains("capabilities.") => {
            let mut sorted: Vec<String> = list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect();
            sorted.sort();
            all.push(format!("{at}: {}", sorted.join(" ")));
        }
        other => all.push(format!("{at}: {other}")),
    }
}
