//! What control groups can do on this machine, for the doctor and for warnings.

use super::hierarchy::{Hierarchies, V1_CONTROLLERS};
use super::v2;
use crate::sys::userns::Identity;
use std::fs;

pub const ROOTLESS_V1: &str = "an ordinary user has no control groups on a v1 or hybrid machine; run as root, or boot \
                               with systemd.unified_cgroup_hierarchy=1";
pub const NO_HIERARCHY: &str = "no control group file system is mounted; mount cgroup2 at /sys/fs/cgroup";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V2,
    /// v1, or v1 with a v2 mount beside it.
    V1,
    None,
}

/// Names are the kernel's: `memory`, `cpu`, `pids`...
#[derive(Clone, Debug)]
pub struct Support {
    pub version: Version,
    /// Controllers that containers of this user get.
    pub controllers: Vec<String>,
    /// The group below which containers go (`/teu`); empty: they get none.
    pub parent: String,
    /// What cannot be had, one line each, with what mends it.
    pub reasons: Vec<String>,
}

impl Support {
    /// Can limits be set and figures be read at all?
    pub fn usable(&self) -> bool {
        !self.parent.is_empty()
    }
}

pub fn support(identity: &Identity) -> Support {
    match Hierarchies::read() {
        Hierarchies::V2(mount) => match v2::place(&mount, identity) {
            Ok(parent) => {
                let above = parent.rsplit_once('/').map_or("", |(above, _)| above);
                let file = super::hierarchy::below(&mount, above).join("cgroup.controllers");
                let controllers: Vec<String> =
                    fs::read_to_string(file).unwrap_or_default().split_whitespace().map(str::to_owned).collect();
                let reasons = missing(&controllers, &["memory", "cpu", "pids", "io", "cpuset"]);
                Support { version: Version::V2, controllers, parent, reasons }
            }
            Err(reason) => unusable(Version::V2, reason),
        },
        Hierarchies::V1(_) if identity.rootless => unusable(Version::V1, ROOTLESS_V1.into()),
        Hierarchies::V1(mounts) => {
            let controllers: Vec<String> = mounts.keys().map(|name| (*name).to_owned()).collect();
            let reasons = missing(&controllers, &V1_CONTROLLERS);
            Support { version: Version::V1, controllers, parent: "/".into(), reasons }
        }
        Hierarchies::None => unusable(Version::None, NO_HIERARCHY.into()),
    }
}

/// Why a container has no group, in short.
pub fn unavailable() -> &'static str {
    match Hierarchies::read() {
        Hierarchies::V1(_) => ROOTLESS_V1,
        Hierarchies::V2(_) => "no group was delegated to this user when it was started",
        Hierarchies::None => NO_HIERARCHY,
    }
}

fn unusable(version: Version, reason: String) -> Support {
    Support { version, controllers: Vec::new(), parent: String::new(), reasons: vec![reason] }
}

fn missing(have: &[String], wanted: &[&str]) -> Vec<String> {
    let absent = wanted.iter().filter(|name| !have.iter().any(|have| have == *name));
    absent.map(|name| format!("the {name} controller is not available: its limits are not applied")).collect()
}
