//! What planning asks of the machine. With the same answers a plan is the same everywhere; tests give them.
//!
//! Functions, not values: nothing is read that a plan does not ask for.

use super::bundle::host_devices;
use super::caps;
use super::cgroup::{self, Version};
use crate::sys::{self, confine, facts, mount, rlimit, userns};
use std::fs::Metadata;
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug)]
pub struct Machine {
    pub exists: fn(&str) -> bool,
    /// A small file of procfs; empty where it cannot be read.
    pub read: fn(&str) -> String,
    /// As uname(2) has it.
    pub kernel_release: fn() -> String,
    /// The number of the highest capability.
    pub last_capability: fn() -> u32,
    /// The kernel can map the ids of a mount.
    pub maps_ids: fn() -> bool,
    pub groups: fn() -> Version,
    /// How many group ids from 0 on are mapped in teu's own user namespace.
    pub mapped_groups: fn() -> u32,
    /// The hard limit of that name that teu itself is under.
    pub hard_limit: fn(&str) -> sys::Result<u64>,
    /// Hard limits may be raised, and the OOM score be lowered.
    pub may_raise: fn() -> bool,
    /// Adds the device nodes below `/dev` that a container does not get anew; what it could not look at is an error.
    pub devices: fn(&mut Vec<(PathBuf, Metadata)>) -> std::io::Result<()>,
}

impl Machine {
    /// The one that this is.
    pub const HERE: Machine = Machine {
        exists: |path| Path::new(path).exists(),
        read: |path| std::fs::read_to_string(path).unwrap_or_default(),
        kernel_release: facts::kernel_release,
        last_capability: confine::last_capability,
        maps_ids: mount::maps_ids,
        groups: cgroup::version,
        mapped_groups: || userns::mapped_ids("gid_map").unwrap_or(1),
        hard_limit: |name| rlimit::get(name).map(|(_, hard)| hard),
        may_raise,
        devices: host_devices,
    };

    pub fn selinux(&self) -> bool {
        (self.exists)("/sys/fs/selinux/enforce")
    }

    pub fn apparmor(&self) -> bool {
        (self.exists)("/sys/kernel/security/apparmor")
    }
}

/// In a user namespace the capability is not over the initial namespace's limits.
fn may_raise() -> bool {
    let resource = caps::bit("SYS_RESOURCE").unwrap_or(0);
    let initial = !userns::identity().in_user_namespace;
    initial && confine::permitted().is_ok_and(|set| set & resource != 0)
}
