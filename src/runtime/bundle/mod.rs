//! From a container's record to the message that starts it: an OCI runtime spec, the files mounted into it, the filter.

mod devices;
mod linux;
mod mounts;
mod process;
pub mod sealed;
#[cfg(test)]
mod tests;

use crate::model::container::{Container, ContainerConfig, Limits, SeccompProfile};
use crate::model::isolation::Sharing;
use crate::model::network::NetworkMode;
use crate::model::signal;
use crate::net::files;
use crate::net::plan::NetworkPlan;
use crate::runtime::launch::{Launch, Rootfs};
use crate::runtime::machine::Machine;
use crate::runtime::{caps, cgroup, protocol, seccomp};
use crate::sys::userns::Identity;
pub use devices::host as host_devices;
use oci_spec::image::ImageConfiguration;
use oci_spec::runtime::{RootBuilder, Spec, SpecBuilder};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Longest host name the kernel takes.
const MAX_HOSTNAME: usize = 64;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was asked for makes no sense, here or anywhere.
    #[error("{0}")]
    Invalid(String),
    #[error("volume '{0}' has no directory")]
    Volume(String),
    #[error("invalid mount source {}: {source}", .path.display())]
    Source { path: PathBuf, source: std::io::Error },
    #[error("device {}: {source}", .path.display())]
    Device { path: PathBuf, source: std::io::Error },
    #[error("the AppArmor profile '{0}' cannot be applied: AppArmor is not enabled in this machine's kernel")]
    AppArmor(String),
    #[error(transparent)]
    Capability(#[from] caps::Unknown),
    #[error(transparent)]
    Seccomp(#[from] seccomp::Error),
    #[error(transparent)]
    Files(#[from] files::Error),
    #[error("building the runtime spec: {0}")]
    Spec(#[from] oci_spec::OciSpecError),
}

impl Error {
    fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }
}

/// Everything a start needs to know.
#[derive(Debug)]
pub struct BundleInput<'a> {
    pub container: &'a Container,
    pub image: &'a ImageConfiguration,
    pub rootfs: Rootfs,
    /// `<data>/containers/<id>`; exists.
    pub dir: PathBuf,
    /// `<run>/containers/<id>`
    pub run_dir: PathBuf,
    pub event_log: PathBuf,
    /// Where each named or anonymous volume of the container is; the directories exist.
    pub volumes: &'a BTreeMap<String, PathBuf>,
    pub identity: &'a Identity,
    pub machine: Machine,
    pub network: NetworkPlan,
    pub size: Option<(u16, u16)>,
    pub restarts: u32,
    /// See [`Launch::on_end`].
    pub on_end: Vec<String>,
}

/// Refuses at once what could never start here: limits, capabilities, sysctls, ulimits, mounts, devices. Makes nothing.
/// Returns what the user should know.
pub fn check(config: &ContainerConfig, identity: &Identity) -> Result<Vec<String>, Error> {
    if config.limits != Limits::default() {
        cgroup::check(&config.limits).map_err(|e| Error::invalid(e.to_string()))?;
    }
    caps::choose(&config.security.cap_add, &config.security.cap_drop, config.security.privileged)?;
    linux::check_sysctls(config)?;
    process::check_ulimits(&config.ulimits)?;
    files::check_hosts(&config.network, &config.extra_hosts)?;
    if let Some(profile) = &config.security.apparmor
        && !Machine::HERE.apparmor()
    {
        return Err(Error::AppArmor(profile.clone()));
    }
    mounts::check(config)?;
    devices::check(config, identity.in_user_namespace)
}

/// Checks the record against this machine and builds the launch message. Writes `hosts`, `hostname` and `resolv.conf`
/// into `dir`, and makes missing bind sources where the user asked for that.
pub fn launch(input: &BundleInput<'_>) -> Result<Launch, Error> {
    let config = &input.container.config;
    let hostname = hostname(input)?;
    let endpoints: Vec<_> = match &input.network {
        NetworkPlan::Attached(plan) => plan.endpoints.iter().map(|e| &e.endpoint).collect(),
        NetworkPlan::Isolated | NetworkPlan::Host | NetworkPlan::Join { .. } => Vec::new(),
    };
    let shared = joined(input);
    let names = files::Names {
        hostname: &hostname,
        domainname: &config.domainname,
        network: &config.network,
        extra_hosts: &config.extra_hosts,
        dns: &config.dns,
        dns_search: &config.dns_search,
        dns_options: &config.dns_options,
        endpoints: &endpoints,
        shared: shared.as_deref(),
    };
    files::write(&input.dir, &names)?;
    mounts::provide(config)?;
    plan(input, &hostname)
}

/// Changes nothing, and reads nothing but what the user names: the rest is [`Machine`]'s to say.
fn plan(input: &BundleInput<'_>, hostname: &str) -> Result<Launch, Error> {
    let config = &input.container.config;
    let mut warnings = Vec::new();
    let capabilities = caps::choose(&config.security.cap_add, &config.security.cap_drop, config.security.privileged)?;
    let filter = filter(input, capabilities)?;
    let stop = if config.stop_signal.is_empty() {
        input.image.config().as_ref().and_then(|c| c.stop_signal().clone()).unwrap_or_default()
    } else {
        config.stop_signal.clone()
    };
    let stop = if stop.is_empty() { "SIGTERM" } else { &stop };
    let stop_signal = signal::parse(stop).ok_or_else(|| Error::invalid(format!("invalid stop signal '{stop}'")))?;
    let mut rootfs = input.rootfs.clone();
    let (Rootfs::Overlay { read_only, .. } | Rootfs::Directory { read_only, .. }) = &mut rootfs;
    *read_only |= config.read_only;
    let groups = config.group_add.iter().filter(|name| *name != crate::runtime::user::KEEP_GROUPS);
    if input.identity.rootless && !input.identity.sub_ids && groups.count() > 0 {
        warnings.push("--group-add not applied: without sub-ids there is a single group".into());
    }
    Ok(Launch {
        version: protocol::VERSION,
        id: input.container.id.to_string(),
        name: input.container.name.clone(),
        image: input.container.image_ref.clone(),
        dir: input.dir.clone(),
        run_dir: input.run_dir.clone(),
        event_log: input.event_log.clone(),
        spec: spec(input, hostname, capabilities, &mut warnings)?,
        rootfs,
        user: config.user.clone(),
        group_add: config.group_add.clone(),
        seccomp: filter.program,
        seccomp_flags: filter.flags,
        limits: config.limits.clone(),
        cgroup_parent: config.cgroup_parent.clone(),
        user_namespace: input.identity.in_user_namespace,
        users: config.isolation.user_map.clone(),
        init: config.init,
        tty: config.tty,
        open_stdin: config.open_stdin,
        size: input.size,
        isolation: config.isolation.clone(),
        network: input.network.clone(),
        log: config.log.clone(),
        health: config.health.as_ref().and_then(|check| check.plan(&config.shell)),
        restart: config.restart.clone(),
        restarts: input.restarts,
        stop_signal,
        stop_timeout_secs: config.stop_timeout.unwrap_or(10),
        on_end: input.on_end.clone(),
        warnings,
    })
}

fn spec(input: &BundleInput<'_>, hostname: &str, capabilities: u64, warnings: &mut Vec<String>) -> Result<Spec, Error> {
    let config = &input.container.config;
    let root = RootBuilder::default().path("rootfs").readonly(config.read_only).build()?;
    let mut spec = SpecBuilder::default()
        .version("1.3.0")
        .root(root)
        .mounts(mounts::all(input)?)
        .process(process::process(input, hostname, capabilities, warnings)?)
        .linux(linux::linux(input, warnings)?)
        .build()?;
    spec.set_hooks(None);
    if !config.annotations.is_empty() {
        spec.set_annotations(Some(config.annotations.clone().into_iter().collect()));
    }
    // Neither the host's name nor another container's is this one's to set.
    let own_names = config.isolation.uts == Sharing::Private;
    spec.set_hostname(own_names.then(|| hostname.to_owned()));
    spec.set_domainname(Some(config.domainname.clone()).filter(|name| own_names && !name.is_empty()));
    Ok(spec)
}

/// Neither devices can be made nor namespaces of the host shown anew: the container's users are not the machine's.
fn in_user_namespace(input: &BundleInput<'_>) -> bool {
    input.identity.in_user_namespace || input.container.config.isolation.user_map.is_some()
}

/// The directory of the container whose network this one shares.
fn joined(input: &BundleInput<'_>) -> Option<PathBuf> {
    match &input.container.config.network {
        NetworkMode::Container(id) => Some(input.dir.parent()?.join(id)),
        NetworkMode::None | NetworkMode::Host | NetworkMode::Attached => None,
    }
}

/// The user's, the host's own on the host's network, the other container's on its network, else the short id.
fn hostname(input: &BundleInput<'_>) -> Result<String, Error> {
    let config = &input.container.config;
    let name = if !config.hostname.is_empty() {
        config.hostname.clone()
    } else if let Sharing::Container(id) = &config.isolation.uts {
        let other = input.dir.parent().map(|all| all.join(id).join("hostname")).unwrap_or_default();
        files::read_small(&other).unwrap_or_default().trim().to_owned()
    } else if matches!(config.network, NetworkMode::Host) || config.isolation.uts == Sharing::Host {
        (input.machine.read)("/proc/sys/kernel/hostname").trim().to_owned()
    } else if let Some(other) = joined(input) {
        files::read_small(&other.join("hostname")).unwrap_or_default().trim().to_owned()
    } else {
        input.container.id.short().to_owned()
    };
    if name.len() > MAX_HOSTNAME || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
        return Err(Error::invalid(format!("invalid host name '{name}': at most {MAX_HOSTNAME} visible characters")));
    }
    Ok(name)
}

fn filter(input: &BundleInput<'_>, capabilities: u64) -> Result<seccomp::Compiled, Error> {
    let security = &input.container.config.security;
    match &security.seccomp {
        // As with docker, privilege means no default filter; one that was named is applied all the same.
        SeccompProfile::Default if security.privileged => Ok(seccomp::Compiled::default()),
        profile => Ok(seccomp::compile(profile, capabilities, input.machine.kernel_release)?),
    }
}
