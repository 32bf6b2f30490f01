//! What `info` and the header show of the machine, read once.

use super::inventory::HostInfo;
use crate::runtime::cgroup;
use crate::store::{StateRoot, host};
use crate::sys::userns;

pub(super) fn read(root: &StateRoot, graph_driver: &str) -> HostInfo {
    let identity = userns::identity();
    let groups = cgroup::support(identity);
    HostInfo {
        cgroup_version: match groups.version {
            cgroup::Version::V2 => "v2",
            cgroup::Version::V1 => "v1",
            cgroup::Version::None => "none",
        }
        .into(),
        controllers: groups.controllers,
        // The interface's words; docker's (`overlay2`, `vfs`) are the driver's own.
        graph_driver: if graph_driver == "vfs" { "copy" } else { "overlay" }.into(),
        rootless: identity.rootless,
        sub_ids: identity.sub_ids,
        hostname: host::hostname(),
        kernel: host::kernel(),
        cpus: host::cpus(),
        memory: host::memory(),
        data_dir: root.data().display().to_string(),
        run_dir: root.run().display().to_string(),
    }
}
