//! The only door for front ends: typed requests become jobs, the inventory is what there is, events say what changed.
//! Knows nothing of any user interface; never blocks a caller.

pub mod error;
pub mod inventory;
pub mod job;
pub mod request;

pub use error::{Error, ErrorKind, Result};
pub use inventory::{ContainerEntry, ContainerStats, Event, HostInfo, ImageEntry, Inventory, StatsBoard};
pub use job::{JobHandle, JobIo, Output};
pub use request::Request;

use crate::model::id::ContainerId;
use crate::model::stats::Sample;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

/// Where and how to open.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Images, layers, containers, volumes, the database.
    pub data_dir: PathBuf,
    /// Sockets and locks; gone after a reboot.
    pub run_dir: PathBuf,
    /// `host[:port]` of registries that may be spoken to in plain HTTP or with a certificate that does not verify.
    pub insecure_registries: Vec<String>,
    /// Files with registry credentials (docker's and podman's), the first that knows a registry wins.
    pub auth_files: Vec<PathBuf>,
    /// The teu program, for the monitors it starts; normally `/proc/self/exe`.
    pub program: PathBuf,
    /// Sample live containers each second and follow other teu processes' changes (the TUI, long commands).
    pub background: bool,
}

/// A cheap handle; clones share one engine.
#[derive(Clone)]
pub struct Engine {
    events: broadcast::Sender<Event>,
}

impl Engine {
    pub async fn open(_options: Options) -> Result<Engine> {
        Ok(Engine { events: broadcast::channel(1024).0 })
    }

    /// Never blocks, never fails: failure is an outcome.
    pub fn submit(&self, request: Request) -> JobHandle {
        let error = Error::new(ErrorKind::Unsupported, format!("{} is not built yet", request.name()));
        JobHandle {
            id: job::JobId(0),
            progress: watch::channel(job::Progress::default()).1,
            outcome: watch::channel(Some(Err(error))).1,
            cancel: CancellationToken::new(),
            io: None,
        }
    }

    pub fn inventory(&self) -> Arc<Inventory> {
        Arc::default()
    }

    /// Hints; on lag, re-read the inventory.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// The latest second's figures (with `Options::background`).
    pub fn stats(&self) -> Arc<StatsBoard> {
        Arc::default()
    }

    /// Up to an hour of samples, oldest first, about one a second.
    pub fn history(&self, _container: &ContainerId) -> Vec<Arc<Sample>> {
        Vec::new()
    }

    /// Cancels or finishes this process's jobs; containers live on, their monitors own them.
    pub async fn shutdown(self, _grace: Duration) {}
}
