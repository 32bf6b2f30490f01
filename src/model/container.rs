//! What a container is: the frozen configuration it was created with, and the state it is in.

use super::health::{Health, HealthCheck};
use super::id::ContainerId;
use super::isolation::{DeviceMapping, DeviceRule, Isolation};
use super::mount::{Mount, Tmpfs};
use super::network::{Endpoint, EndpointConfig, NetworkMode, PortMapping, Protocol, PublishedPort};
use super::reference::Digest;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A container's record: what the user asked for, fixed at creation (limits and the name may change later).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Container {
    pub id: ContainerId,
    pub name: String,
    /// The image's id (digest of its config).
    pub image: Digest,
    /// What the user typed, for display (`nginx:1.29`).
    pub image_ref: String,
    pub created: Timestamp,
    pub config: ContainerConfig,
}

/// Everything that can be asked of a container. Defaults come from the image where the field says so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerConfig {
    /// Entrypoint and command, already merged with the image's: what runs.
    pub args: Vec<String>,
    /// How many leading elements of `args` are the entrypoint (docker's `Path`/`Entrypoint` split in inspect).
    pub entrypoint_len: usize,
    /// `K=V`, already merged with the image's.
    pub env: Vec<String>,
    /// Working directory inside; `/` when the image names none.
    pub workdir: String,
    /// `user`, `uid`, `user:group`, `uid:gid` or empty; names are looked up inside the root file system.
    pub user: String,
    pub group_add: Vec<String>,
    /// Host name inside; empty: the short id.
    pub hostname: String,
    pub domainname: String,
    pub labels: BTreeMap<String, String>,
    pub tty: bool,
    /// Keep stdin open although nobody is attached (`-i`).
    pub open_stdin: bool,
    pub stop_signal: String,
    /// Seconds between the stop signal and SIGKILL; `None`: 10.
    pub stop_timeout: Option<u32>,
    pub mounts: Vec<Mount>,
    pub tmpfs: Vec<Tmpfs>,
    pub read_only: bool,
    /// Size of /dev/shm in bytes; `None`: 64 MiB.
    pub shm_size: Option<u64>,
    pub network: NetworkMode,
    /// It named no network, and the default one could not be had: it has none until a start finds that it can.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub network_wanted: bool,
    /// With [`NetworkMode::Attached`]: at least one.
    pub endpoints: Vec<EndpointConfig>,
    pub ports: Vec<PortMapping>,
    /// Publish every exposed port on a free one of the host (`-P`).
    pub publish_all: bool,
    /// The image's and `--expose`'s.
    pub exposed: Vec<(u16, Protocol)>,
    pub dns: Vec<String>,
    pub dns_search: Vec<String>,
    /// Instead of the host's `options` for the resolver.
    pub dns_options: Vec<String>,
    /// `name:address` lines for the hosts file.
    pub extra_hosts: Vec<String>,
    pub limits: Limits,
    /// `name`, soft, hard.
    pub ulimits: Vec<Ulimit>,
    pub security: Security,
    pub isolation: Isolation,
    pub devices: Vec<DeviceMapping>,
    pub device_rules: Vec<DeviceRule>,
    pub restart: RestartPolicy,
    /// Remove the container once it has exited (`--rm`).
    pub auto_remove: bool,
    pub init: bool,
    pub sysctls: BTreeMap<String, String>,
    pub log: LogOptions,
    /// The user's and the image's; `None`: neither has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthCheck>,
    /// The image's, for what is said to run in a shell; empty: `/bin/sh -c`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shell: Vec<String>,
    /// The control group that the container's is made in; empty: teu's own.
    pub cgroup_parent: String,
    /// Notes for others that read the container's specification; teu gives them no meaning.
    pub annotations: BTreeMap<String, String>,
    /// As `--volumes-from` had them; the mounts are among `mounts`.
    pub volumes_from: Vec<String>,
    /// Where `--cidfile` and friends asked for something purely at creation is not stored.
    pub platform: String,
}

/// Resource limits; `None` is "no limit of our own".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes.
    pub memory: Option<u64>,
    /// Memory plus swap in bytes, docker's meaning; -1: unlimited swap. `None` with `memory`: twice the memory.
    pub memory_swap: Option<i64>,
    /// Soft limit in bytes (`memory.low` / soft_limit).
    pub memory_reservation: Option<u64>,
    /// Thousand-millionths of a CPU (docker's NanoCpus): 1.5 CPUs = 1_500_000_000.
    pub nano_cpus: Option<u64>,
    /// Docker's relative weight, 2..=262144 (1024 is the default).
    pub cpu_shares: Option<u64>,
    /// Microseconds; instead of `nano_cpus`.
    pub cpu_quota: Option<i64>,
    pub cpu_period: Option<u64>,
    pub cpuset_cpus: Option<String>,
    pub cpuset_mems: Option<String>,
    /// Number of tasks; 0 or negative were "unlimited" in docker's CLI and arrive here as `None`, or in an update, where
    /// that means "as it is", as [`Limits::NO_PIDS_LIMIT`].
    pub pids: Option<u64>,
    /// 10..=1000.
    pub io_weight: Option<u16>,
    pub oom_score_adj: Option<i32>,
    /// 0..=100: how readily memory is swapped out.
    pub memory_swappiness: Option<u8>,
    /// Whoever wants memory beyond the limit waits instead of being killed.
    pub oom_kill_disable: Option<bool>,
    /// Microseconds.
    pub cpu_rt_period: Option<u64>,
    pub cpu_rt_runtime: Option<u64>,
    /// Weights of single block devices.
    pub device_weights: Vec<DeviceWeight>,
    pub device_rates: Vec<DeviceRate>,
}

impl Limits {
    pub const NO_PIDS_LIMIT: u64 = u64::MAX;
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceWeight {
    /// Of the block device.
    pub path: String,
    /// 10..=1000.
    pub weight: u16,
}

/// How much may go to or come from a block device in a second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRate {
    pub path: String,
    pub kind: RateKind,
    /// Bytes or operations.
    pub rate: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RateKind {
    ReadBytes,
    WriteBytes,
    ReadOperations,
    WriteOperations,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// Lower-case name without `RLIMIT_`: `nofile`.
    pub name: String,
    pub soft: u64,
    pub hard: u64,
}

/// What the process may do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Security {
    pub privileged: bool,
    /// Names without `CAP_`, upper case; `ALL` allowed.
    pub cap_add: Vec<String>,
    pub cap_drop: Vec<String>,
    /// `None`: teu's default (on).
    pub no_new_privileges: Option<bool>,
    pub seccomp: SeccompProfile,
    /// `systempaths=unconfined`: neither masked nor read-only paths.
    pub unmask_all: bool,
    /// Further paths that cannot be read.
    pub mask: Vec<String>,
    /// Patterns of paths that are neither masked nor read-only though they are by default.
    pub unmask: Vec<String>,
    /// A profile that is loaded in the kernel; `None`: unconfined.
    pub apparmor: Option<String>,
    /// Options that ask for what is the case anyway (`label=disable`), as they were given.
    pub as_is: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeccompProfile {
    #[default]
    Default,
    Unconfined,
    /// The JSON text of a profile in docker's format, read at creation.
    Custom(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestartPolicy {
    #[default]
    No,
    Always,
    UnlessStopped,
    /// At most this many tries; 0: no bound.
    OnFailure(u32),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogOptions {
    /// `false`: `--log-driver none`.
    pub enabled: bool,
    /// Bytes of one segment.
    pub max_size: u64,
    /// Segments kept, at least 1.
    pub max_files: u32,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { enabled: true, max_size: 16 << 20, max_files: 5 }
    }
}

/// The state as last known; docker's words for it come from [`State::word`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub status: Status,
    /// Host pid of the container's init; 0 when not running.
    pub pid: i32,
    /// Host pid of the monitor; 0 when none.
    pub monitor_pid: i32,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    pub exit: Option<ExitStatus>,
    pub restarts: u32,
    /// Why the last start failed, or why the monitor is gone, as one line.
    pub error: String,
    /// Path of the cgroup below each hierarchy's mount (`/teu/<id>`), empty when the container has none.
    pub cgroup: String,
    /// Set by an explicit stop: `unless-stopped` does not bring it back.
    pub stopped_by_user: bool,
    /// Stopped by a restart: nothing is removed, though it was started with `--rm`.
    #[serde(default)]
    pub kept: bool,
    /// The kernel boot this was written in; a different one means nothing runs.
    pub boot_id: String,
    /// Open exec sessions, and those that ended a short while ago.
    pub execs: Vec<ExecState>,
    /// When the init process began, in clock ticks since boot (`/proc/PID/stat`, field 22): tells it from a later
    /// process with the same pid.
    #[serde(default)]
    pub pid_start: u64,
    /// What could not be done as asked at the last start, but was no reason to fail (a limit that cannot be set here).
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Where it is on its networks, and what reaches it from outside.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
    #[serde(default)]
    pub ports: Vec<PublishedPort>,
    /// What its health check says; `None`: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
}

impl State {
    /// The ports that lead somewhere now: of a container that is on no network they wait for the next one.
    pub fn published(&self) -> &[PublishedPort] {
        if self.status.is_live() && !self.endpoints.is_empty() { &self.ports } else { &[] }
    }
}

/// An exec session as its monitor reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExecState {
    pub id: super::id::ExecId,
    pub args: Vec<String>,
    pub user: String,
    pub tty: bool,
    /// Host pid; 0 once it has ended.
    pub pid: i32,
    pub started: Timestamp,
    pub exit: Option<ExitStatus>,
    /// Clients attached now.
    pub clients: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    #[default]
    Created,
    Running,
    Paused,
    /// Between an exit and the next start by the restart policy.
    Restarting,
    Exited,
    /// Runs, but its monitor is gone: no logs, no attach; it can be stopped and removed.
    Orphaned,
}

impl Status {
    /// Docker's `State` word.
    pub fn word(self) -> &'static str {
        match self {
            Status::Created => "created",
            Status::Running | Status::Orphaned => "running",
            Status::Paused => "paused",
            Status::Restarting => "restarting",
            Status::Exited => "exited",
        }
    }

    /// Has live processes.
    pub fn is_live(self) -> bool {
        matches!(self, Status::Running | Status::Paused | Status::Orphaned)
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitStatus {
    /// 0..=255 as a shell sees it: the exit code, or 128 + signal.
    pub code: u8,
    pub signal: Option<i32>,
    /// The kernel's OOM killer struck in the container's cgroup.
    pub oom: bool,
    /// The code of a container whose monitor died is not known: shown as such, never as 0.
    pub unknown: bool,
}

/// Names for people: `exit 137 OOM`, `SIGTERM`.
/// As `--restart` takes it.
impl std::fmt::Display for RestartPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RestartPolicy::No => f.write_str("no"),
            RestartPolicy::Always => f.write_str("always"),
            RestartPolicy::UnlessStopped => f.write_str("unless-stopped"),
            RestartPolicy::OnFailure(0) => f.write_str("on-failure"),
            RestartPolicy::OnFailure(tries) => write!(f, "on-failure:{tries}"),
        }
    }
}

impl std::fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.unknown {
            return f.write_str("exit ?");
        }
        write!(f, "exit {}", self.code)?;
        if self.oom { f.write_str(" OOM") } else { Ok(()) }
    }
}
