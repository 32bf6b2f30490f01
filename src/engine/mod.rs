//! The only door for front ends: typed requests become jobs, the inventory is what there is, events say what changed.
//! Knows nothing of any user interface; never blocks a caller.

mod background;
mod bus;
pub mod console;
mod context;
mod convert;
mod core;
pub mod entry;
pub mod error;
mod history;
mod host;
mod inspect;
pub mod inventory;
pub mod job;
mod jobs;
mod merge;
mod networks;
mod ops;
mod read_model;
mod ready;
mod recover;
pub mod request;
mod resolve;
mod ring;
mod sampler;
mod scheduler;
mod sharing;
mod users;
mod watchdog;

/// The OCI runtime, which is a front end's for the asking: it has no engine and no inventory.
pub use crate::runtime::oci;
/// The program of a monitor, on its way: see [`entry::load_monitor`].
pub use crate::runtime::task::Loading as LoadingMonitor;
pub use error::{Error, ErrorKind, Result};
pub use inventory::{ContainerEntry, ContainerStats, Event, HostInfo, ImageEntry, Inventory, StatsBoard};
pub use job::{JobHandle, JobIo, Output};
pub use request::Request;

pub use crate::sys::console::{RawMode, window_size};
pub use crate::sys::sub_ids::of_names as sub_ids_of;

use self::core::Core;
use crate::model::id::ContainerId;
use crate::model::stats::Sample;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

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
    /// The teu program, for the monitors it starts; normally [`Options::PROGRAM`].
    pub program: PathBuf,
    /// What monitors, and what they run at their end, see of our environment; nothing else of it.
    pub environment: Vec<(OsString, OsString)>,
    /// What is wrong in the user's settings, for the doctor.
    pub settings_problems: Vec<String>,
    /// Where ports are published when no address is asked for; `None`: on the loopback, for this machine alone.
    pub publish_address: Option<std::net::IpAddr>,
    /// Monitors listen at published ports themselves, so that the host's firewall decides about them as about its own servers.
    pub monitors_listen: bool,
    /// Containers that name no network are on the default one; else they have loopback alone.
    pub default_network: bool,
    /// Sample live containers each second and follow other teu processes' changes (the TUI).
    pub background: bool,
}

impl Options {
    /// This program, whatever becomes of its file.
    pub const PROGRAM: &str = "/proc/self/exe";
}

/// A cheap handle; clones share one engine.
#[derive(Clone)]
pub struct Engine {
    core: Arc<Core>,
}

impl Engine {
    /// Opens the state below the two directories, making it when it is new. With `background` it reads everything,
    /// tidies, and begins to follow changes; without it touches as little as it can, for a command's start counts.
    pub async fn open(options: Options) -> Result<Engine> {
        Engine::open_with(options, None).await
    }

    /// The same for a process that has begun to load the monitor of the container it is going to start.
    pub async fn open_with(options: Options, monitor: Option<LoadingMonitor>) -> Result<Engine> {
        let core = Core::open(options, monitor).map_err(|e| e.during("opening the state of teu"))?;
        if core.options.background {
            background::begin(&core).await?;
        }
        Ok(Engine { core })
    }

    /// Never blocks, never fails: failure is an outcome.
    pub fn submit(&self, request: Request) -> JobHandle {
        self.core.submit(request)
    }

    /// What there is. Without `Options::background` every call reads it anew.
    pub fn inventory(&self) -> Arc<Inventory> {
        self.core.inventory()
    }

    /// [`Engine::inventory`] for who must not mistake what cannot be read for what is not there.
    pub fn read_inventory(&self) -> Result<Arc<Inventory>> {
        self.core.read_inventory()
    }

    /// Hints; on lag, re-read the inventory.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.core.events.subscribe()
    }

    /// The latest second's figures (with `Options::background`).
    pub fn stats(&self) -> Arc<StatsBoard> {
        self.core.samples.board()
    }

    /// Up to an hour of samples, oldest first, about one a second.
    pub fn history(&self, container: &ContainerId) -> Vec<Arc<Sample>> {
        self.core.samples.history(container)
    }

    /// The last of a program that ends without [`Engine::shutdown`]. Writes what is known of this process's jobs, which
    /// would seem to have been interrupted; a monitor that was begun for a container that came to nothing ends first.
    pub fn end(&self) {
        self.core.history.flush(&self.core);
        let _ = self.core.monitor_ahead();
    }

    /// Cancels or finishes this process's jobs; containers live on, their monitors own them.
    pub async fn shutdown(self, grace: Duration) {
        self.core.shutdown(grace).await;
    }
}
