//! The immutable read model of everything listable, and the hints that it has changed.

use super::job::{Job, JobId};
use crate::model::container::{Container, State};
use crate::model::event::EventRecord;
use crate::model::id::ContainerId;
use crate::model::image::Image;
use crate::model::mount::Volume;
use crate::model::network::Network;
use crate::model::reference::Digest;
use crate::model::stats::{Rates, Sample};
use std::sync::Arc;

/// Plain public data; a change publishes a new one. Lists are sorted: containers newest first, images by name.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// Grows with every published change.
    pub revision: u64,
    pub containers: Vec<Arc<ContainerEntry>>,
    pub images: Vec<Arc<ImageEntry>>,
    pub volumes: Vec<Arc<Volume>>,
    /// The predefined ones among them. Who is on one is in the containers' states.
    pub networks: Vec<Arc<Network>>,
    /// Newest first; running ones of this process and the stored history.
    pub jobs: Vec<Arc<Job>>,
    pub host: Arc<HostInfo>,
    /// What is wrong with each record that cannot be read, and so is missing above.
    pub damaged: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct ContainerEntry {
    pub container: Container,
    pub state: State,
}

#[derive(Clone, Debug)]
pub struct ImageEntry {
    pub image: Image,
    /// Containers made from it.
    pub used_by: Vec<ContainerId>,
}

/// What `info` and the header show; read once at open.
#[derive(Clone, Debug, Default)]
pub struct HostInfo {
    pub hostname: String,
    pub kernel: String,
    pub cpus: u32,
    pub memory: u64,
    /// `v2`, `v1`, `hybrid`, `none`.
    pub cgroup_version: String,
    /// Controllers we may limit with: `cpu memory pids io cpuset`.
    pub controllers: Vec<String>,
    /// `overlay` or `copy`.
    pub graph_driver: String,
    pub rootless: bool,
    /// Rootless with sub-ids; false: a single id is mapped.
    pub sub_ids: bool,
    pub data_dir: String,
    pub run_dir: String,
}

/// A container's newest sample with rates; `sample: None` for one that does not run.
#[derive(Clone, Debug)]
pub struct ContainerStats {
    pub id: ContainerId,
    pub name: String,
    pub sample: Option<Sample>,
    pub rates: Rates,
}

/// The sampler's latest second, for every live container.
#[derive(Clone, Debug, Default)]
pub struct StatsBoard {
    /// Grows with every sampling round.
    pub tick: u64,
    pub latest: std::collections::HashMap<ContainerId, Arc<ContainerStats>>,
}

/// "This changed": a hint to re-read the inventory. On lag, re-read all.
#[derive(Clone, Debug)]
pub enum Event {
    Container(ContainerId),
    Image(Digest),
    Volume(String),
    /// By id.
    Network(String),
    Job(JobId),
    /// A second's samples are in [`super::Engine::stats`].
    Stats,
    /// A record of the event log, from any teu process.
    Log(Arc<EventRecord>),
}

impl Inventory {
    /// The container with this exact id.
    pub fn container(&self, id: &ContainerId) -> Option<&Arc<ContainerEntry>> {
        self.containers.iter().find(|c| &c.container.id == id)
    }
}
