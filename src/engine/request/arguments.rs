//! What each request carries. Names and numbers as typed by the user are resolved by the operation.

use crate::model::container::ContainerConfig;
use crate::model::id::ExecId;
use crate::model::image::Platform;
use crate::model::network::{Cidr, Driver, EndpointConfig, PortMapping};
use crate::model::reference::Reference;
use crate::model::time::Timestamp;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// Containers by name, id or unique id prefix.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    pub containers: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct PullArgs {
    pub reference: Reference,
    pub platform: Option<Platform>,
    /// Every tag of the repository.
    pub all_tags: bool,
    /// Skip the registry when the image is here.
    pub only_if_missing: bool,
}

#[derive(Clone, Debug)]
pub struct FromHostArgs {
    /// Programs by name or path; empty: the starter set.
    pub programs: Vec<String>,
    /// Default `localhost/starter:latest`.
    pub name: Option<Reference>,
}

#[derive(Clone, Debug)]
pub struct TagArgs {
    pub image: String,
    pub target: Reference,
}

#[derive(Clone, Debug)]
pub struct RemoveImagesArgs {
    pub images: Vec<String>,
    pub force: bool,
    /// As in [`RemoveArgs::undo`].
    pub undo: Option<Duration>,
}

/// What `create` and `run` share. `config` holds what the user gave; the operation merges the image's defaults.
#[derive(Clone, Debug, Default)]
pub struct CreateArgs {
    /// Reference, id or id prefix as typed.
    pub image: String,
    pub name: Option<String>,
    /// The user's command (docker's trailing arguments); empty: the image's CMD.
    pub command: Vec<String>,
    /// `Some(vec![])` clears the image's entrypoint.
    pub entrypoint: Option<Vec<String>>,
    pub config: ContainerConfig,
    /// No network was named: the engine chooses one, and `config.network` says nothing.
    pub default_network: bool,
    pub pull: PullPolicy,
    pub platform: Option<Platform>,
    pub volumes_from: Vec<VolumesFrom>,
}

/// The mounts of another container, where this one has none of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumesFrom {
    pub container: String,
    pub read_only: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullPolicy {
    #[default]
    Missing,
    Always,
    Never,
}

#[derive(Clone, Debug, Default)]
pub struct RunArgs {
    pub create: CreateArgs,
    /// `-d`: the outcome is the id, once the process runs.
    pub detach: bool,
    /// Streams wanted when not detached.
    pub stdin: bool,
    /// Initial terminal size, columns and rows.
    pub size: Option<(u16, u16)>,
}

#[derive(Clone, Debug)]
pub struct StopArgs {
    pub containers: Vec<String>,
    /// `None`: the container's own, else 10 s. Zero: at once. Negative was "for ever" and is `Some(Duration::MAX)`.
    pub timeout: Option<Duration>,
    pub signal: Option<String>,
}

#[derive(Clone, Debug)]
pub struct KillArgs {
    pub containers: Vec<String>,
    /// `KILL`, `SIGTERM`, `15`.
    pub signal: String,
}

#[derive(Clone, Debug)]
pub struct RemoveArgs {
    pub containers: Vec<String>,
    pub force: bool,
    /// Anonymous volumes too.
    pub volumes: bool,
    /// For so long what is removed is only hidden, and cancelling the job brings it back (not to life).
    pub undo: Option<Duration>,
}

#[derive(Clone, Debug)]
pub struct AttachArgs {
    pub container: String,
    /// Reattach this exec session instead of the main process.
    pub exec: Option<ExecId>,
    pub stdin: bool,
    /// Paint the kept screen (terminal) first.
    pub replay: bool,
    pub size: Option<(u16, u16)>,
    /// Start the container once attached (`start -a`).
    pub start: bool,
}

#[derive(Clone, Debug, Default)]
pub struct ExecArgs {
    pub container: String,
    /// Empty: probe for the user's login shell, bash, ash, sh.
    pub command: Vec<String>,
    pub env: Vec<String>,
    pub user: Option<String>,
    pub workdir: Option<String>,
    pub tty: bool,
    pub stdin: bool,
    pub detach: bool,
    pub privileged: bool,
    pub size: Option<(u16, u16)>,
}

#[derive(Clone, Debug, Default)]
pub struct LogsArgs {
    pub container: String,
    pub follow: bool,
    /// Last lines only; `None`: all.
    pub tail: Option<u64>,
    /// Unix nanoseconds.
    pub since: Option<i64>,
    pub until: Option<i64>,
    /// Only records before the one of this number, as [`super::super::job::Chunk::LogOlder`] had it.
    pub before: Option<u64>,
}

#[derive(Clone, Debug, Default)]
pub struct StatsArgs {
    /// Empty: all running (with `all`: every one).
    pub containers: Vec<String>,
    pub all: bool,
    /// One answer (two samples a short while apart), then the end.
    pub once: bool,
}

#[derive(Clone, Debug, Default)]
pub struct EventsArgs {
    pub since: Option<i64>,
    pub until: Option<i64>,
}

#[derive(Clone, Debug)]
pub struct InspectArgs {
    pub names: Vec<String>,
    pub kind: InspectKind,
    pub size: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InspectKind {
    Any,
    Container,
    Image,
    Volume,
    Network,
}

/// Which containers and networks a `prune` is about; the default: all.
#[derive(Clone, Debug, Default)]
pub struct PruneFilter {
    /// Key, and value where one is asked for: each must be there.
    pub labels: Vec<(String, Option<String>)>,
    /// None of these may be there.
    pub unlabelled: Vec<(String, Option<String>)>,
    /// Made before.
    pub until: Option<Timestamp>,
}

impl PruneFilter {
    pub fn fits(&self, labels: &BTreeMap<String, String>, created: Timestamp) -> bool {
        let has = |(key, value): &(String, Option<String>)| {
            labels.get(key).is_some_and(|found| value.as_ref().is_none_or(|wanted| wanted == found))
        };
        self.labels.iter().all(has)
            && !self.unlabelled.iter().any(has)
            && self.until.is_none_or(|until| created < until)
    }
}

#[derive(Clone, Debug, Default)]
pub struct PruneArgs {
    pub containers: bool,
    pub images: bool,
    /// Images without a container too, not just dangling ones.
    pub all_images: bool,
    /// Anonymous volumes no container uses.
    pub volumes: bool,
    /// Named ones too.
    pub all_volumes: bool,
    /// Networks no container is to be on.
    pub networks: bool,
    pub partial_downloads: bool,
    /// Of containers and networks.
    pub filter: PruneFilter,
    /// Say what would go, remove nothing.
    pub dry_run: bool,
}

/// A network to be made. Gateways and ranges belong to the subnet that contains them.
#[derive(Clone, Debug)]
pub struct CreateNetworkArgs {
    pub name: String,
    pub driver: Driver,
    /// At most one of each family; no IPv4 one: from the pools.
    pub subnets: Vec<Cidr>,
    pub gateways: Vec<IpAddr>,
    pub ranges: Vec<Cidr>,
    /// Addresses that no container is to get, by what they are called.
    pub auxiliary: Vec<(String, IpAddr)>,
    pub internal: bool,
    /// An IPv6 subnet too, a unique local one unless it is given.
    pub ipv6: bool,
    /// See [`crate::model::network::Network::attachable`].
    pub attachable: bool,
    pub labels: BTreeMap<String, String>,
    pub options: BTreeMap<String, String>,
}

/// One network more for a container.
#[derive(Clone, Debug)]
pub struct ConnectArgs {
    pub container: String,
    pub endpoint: EndpointConfig,
}

/// See [`super::Request::Publish`].
#[derive(Clone, Debug)]
pub struct PublishArgs {
    pub containers: Vec<String>,
    pub add: Vec<PortMapping>,
    /// A mapping without host port or address means every one of that container port.
    pub remove: Vec<PortMapping>,
}

#[derive(Clone, Debug, Default)]
pub struct CreateVolumeArgs {
    /// `None`: a random one.
    pub name: Option<String>,
    pub labels: BTreeMap<String, String>,
}
