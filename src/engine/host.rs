//! What `info` and the header show of the machine, read once.

use super::inventory::HostInfo;
use crate::store::{StateRoot, host};

pub(super) fn read(root: &StateRoot) -> HostInfo {
    HostInfo {
        hostname: host::hostname(),
        kernel: host::kernel(),
        cpus: host::cpus(),
        memory: host::memory(),
        data_dir: root.data().display().to_string(),
        run_dir: root.run().display().to_string(),
        ..HostInfo::default()
    }
}
