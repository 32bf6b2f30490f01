//! The Linux part of a spec: namespaces and sysctls; devices and sealed paths are put beside them.

use super::{BundleInput, Error, devices};
use crate::model::container::ContainerConfig;
use crate::model::isolation::{Ipc as IpcMode, Sharing};
use crate::model::network::NetworkMode;
use oci_spec::runtime::{Linux, LinuxBuilder, LinuxNamespace, LinuxNamespaceBuilder, LinuxNamespaceType};
use std::collections::HashMap;

pub(super) fn linux(input: &BundleInput<'_>, warnings: &mut Vec<String>) -> Result<Linux, Error> {
    let config = &input.container.config;
    let (masked, read_only) = super::sealed::paths(&config.security, &input.machine);
    let mut linux = LinuxBuilder::default()
        .namespaces(namespaces(config)?)
        .devices(devices::nodes(input, warnings)?)
        .sysctl(sysctls(input)?)
        .masked_paths(masked)
        .readonly_paths(read_only)
        .build()?;
    // The builder's defaults: limits and their place are the engine's, the filter is compiled beforehand.
    linux.set_resources(devices::rules(config)?).set_seccomp(None);
    Ok(linux)
}

/// Those the container does not share with the host; one that is another container's is joined at the start.
fn namespaces(config: &ContainerConfig) -> Result<Vec<LinuxNamespace>, Error> {
    use LinuxNamespaceType::{Cgroup, Ipc, Mount, Network, Pid, Uts};
    let isolation = &config.isolation;
    let kinds = [
        (Mount, true),
        (Pid, isolation.pid != Sharing::Host),
        (Uts, isolation.uts != Sharing::Host),
        (Ipc, isolation.ipc != IpcMode::Host),
        (Cgroup, !isolation.host_cgroups),
        (Network, !matches!(config.network, NetworkMode::Host)),
    ];
    let own = kinds.into_iter().filter_map(|(kind, own)| own.then_some(kind));
    own.map(|kind| Ok(LinuxNamespaceBuilder::default().typ(kind).build()?)).collect()
}

/// The user's, and two that replace capabilities nobody should need: unprivileged ping and low ports.
fn sysctls(input: &BundleInput<'_>) -> Result<HashMap<String, String>, Error> {
    let config = &input.container.config;
    let mut all = HashMap::new();
    if own_network(config) && (input.machine.exists)("/proc/sys/net/ipv4/ping_group_range") {
        all.insert("net.ipv4.ping_group_range".to_owned(), format!("0 {}", last_group(input)));
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
    let own_ipc = !matches!(config.isolation.ipc, IpcMode::Host | IpcMode::Container(_));
    for key in config.sysctls.keys() {
        let key = key.replace('/', ".");
        let of_ipc = key.starts_with("kernel.shm")
            || key.starts_with("kernel.msg")
            || key == "kernel.sem"
            || key.starts_with("fs.mqueue.");
        let of_network = key.starts_with("net.");
        let ours = (of_ipc && own_ipc) || (of_network && own_network(config));
        let named = key.split('.').all(|part| !part.is_empty()) && !key.contains('\0');
        if !ours || !named {
            let why = match (of_network, of_ipc) {
                _ if !named => "that is no name of a setting",
                (true, _) => "the network it is on is not the container's own",
                (_, true) => "the IPC namespace it is in is not the container's own",
                _ if key == "kernel.hostname" => "--hostname does it",
                _ if key == "kernel.domainname" => "--domainname does it",
                _ => "it is the whole machine's",
            };
            return Err(Error::invalid(format!("sysctl '{key}' cannot be set for a container: {why}")));
        }
    }
    Ok(())
}

/// The highest group id of the range that starts at 0: the kernel refuses ids that are not mapped.
fn last_group(input: &BundleInput<'_>) -> u32 {
    let count = match &input.container.config.isolation.user_map {
        Some(map) => map.gid.iter().filter(|r| r.inside == 0).map(|r| r.count).max().unwrap_or(1),
        None => (input.machine.mapped_groups)(),
    };
    count.saturating_sub(1).min(i32::MAX as u32)
}
