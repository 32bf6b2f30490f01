//! What a monitor is told when it is started: the one typed message that describes a container to be run.

use crate::model::container::{Limits, LogOptions, RestartPolicy};
use crate::model::health::HealthPlan;
use crate::model::isolation::{Isolation, UserMap};
use crate::net::plan::NetworkPlan;
use oci_spec::runtime::Spec;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Sent as JSON in the first frame of a new monitor's socket.
#[derive(Debug, Serialize, Deserialize)]
pub struct Launch {
    /// Must equal [`super::protocol::VERSION`].
    pub version: u32,
    pub id: String,
    pub name: String,
    pub image: String,
    /// `<data>/containers/<id>`: `state.json`, `log/`, and the files mounted into the container.
    pub dir: PathBuf,
    /// `<run>/containers/<id>`: `lock`, `sock`.
    pub run_dir: PathBuf,
    /// The event log that every open teu follows.
    pub event_log: PathBuf,
    /// Process, namespaces, mounts (without the root), capabilities, rlimits, masked paths, sysctls, hostname.
    /// Seccomp is compiled beforehand: see `seccomp`.
    pub spec: Spec,
    pub rootfs: Rootfs,
    /// `user[:group]` to look up in the root file system's own passwd and group files; wins over the spec's numbers.
    pub user: String,
    pub group_add: Vec<String>,
    /// The filter as `struct sock_filter` bytes; empty: unconfined. As text: thousands of numbers are slow to read.
    #[serde(with = "text")]
    pub seccomp: Vec<u8>,
    /// How it is loaded: `FILTER_*` of `sys::confine`.
    #[serde(default)]
    pub seccomp_flags: u32,
    pub limits: Limits,
    /// The group that the container's own is made in; empty: teu's.
    #[serde(default)]
    pub cgroup_parent: String,
    /// The whole of teu runs inside a user namespace: overlay takes `userxattr`, devices are bound instead of made.
    pub user_namespace: bool,
    /// The container is in a user namespace of its own.
    #[serde(default)]
    pub users: Option<UserMap>,
    /// Built-in init: pid 1 reaps and forwards signals, the command is its child.
    pub init: bool,
    pub tty: bool,
    pub open_stdin: bool,
    /// Columns and rows before the first byte.
    pub size: Option<(u16, u16)>,
    /// Which namespaces are another container's; those of the host are missing in the spec.
    #[serde(default)]
    pub isolation: Isolation,
    #[serde(default)]
    pub network: NetworkPlan,
    pub log: LogOptions,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthPlan>,
    pub restart: RestartPolicy,
    /// Run so far by the restart policy; shown as the restart count.
    pub restarts: u32,
    pub stop_signal: i32,
    pub stop_timeout_secs: u32,
    /// What to run (an exec of this same binary) after the last exit of a `--rm` container; empty: nothing.
    pub on_end: Vec<String>,
    /// What was asked for and cannot be had here (a clamped rlimit, ...), for the user to see.
    pub warnings: Vec<String>,
}

impl Launch {
    /// Whether it gets a network namespace that nobody else has, which belongs to the user namespace that all of teu is in.
    pub fn makes_network(&self) -> bool {
        self.users.is_none() && matches!(self.network, NetworkPlan::Isolated | NetworkPlan::Attached(_))
    }
}

/// What a launch that is still being worked out will say of its root: it is mounted in the meantime.
#[derive(Debug, Serialize, Deserialize)]
pub struct RootAhead {
    pub rootfs: Rootfs,
    /// As [`Launch::user_namespace`].
    pub user_namespace: bool,
    /// Removed at its end: nothing of it need reach the disk.
    pub volatile: bool,
}

/// How the root file system is put together, by the container's init in its own mount namespace.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Rootfs {
    /// `lower` is topmost first.
    Overlay { lower: Vec<PathBuf>, upper: PathBuf, work: PathBuf, read_only: bool },
    /// A directory that is the root itself (copy driver).
    Directory { path: PathBuf, read_only: bool },
}

/// Bytes as base64.
mod text {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};
    use std::borrow::Cow;

    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(&*Cow::<str>::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}
