//! What all jobs of one engine share: the paths, the database, the job table, the read model, the bus.

use super::history::History;
use super::inventory::{Event, HostInfo};
use super::jobs::JobTable;
use super::read_model::ReadModel;
use super::sampler::Samples;
use super::watchdog::Watchdog;
use super::{Error, ErrorKind, Options, Result};
use crate::image::registry::{self, RegistryClient};
use crate::image::snapshot::{self, Snapshotter};
use crate::model::time::Timestamp;
use crate::runtime::announced::Announced;
use crate::runtime::task::{self, Loading, Starting};
use crate::store::{Db, StateRoot};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// One per engine, behind an `Arc`; front ends never see it.
pub(crate) struct Core {
    /// Itself, for work it hands to other threads.
    pub this: Weak<Core>,
    pub root: StateRoot,
    pub options: Options,
    pub db: Db,
    pub runtime: Handle,
    pub events: broadcast::Sender<Event>,
    pub jobs: JobTable,
    pub history: History,
    pub model: ReadModel,
    pub samples: Samples,
    pub lanes: Lanes,
    snapshotter: OnceLock<Box<dyn Snapshotter>>,
    registry: OnceLock<RegistryClient>,
    /// Pulls under way in this process, by what they pull.
    pulls: Mutex<std::collections::HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// Loaded ahead, for the first container that is started.
    monitor: Mutex<Option<Loading>>,
    pub watchdog: Watchdog,
    pub tasks: TaskTracker,
    /// Cancelled first when the engine shuts down: nobody shall wait for time to pass any more.
    pub closing: CancellationToken,
    /// Cancelled when the engine shuts down; every job's token is its child.
    pub stop: CancellationToken,
}

/// Questions that may be open at once. Acts of people are never turned away.
pub(crate) const MAX_QUESTIONS: usize = 4096;

/// How many jobs of a kind run at once.
pub(crate) struct Lanes {
    pub net: Semaphore,
    pub disk: Semaphore,
    pub task: Semaphore,
    pub question: Semaphore,
    /// Questions under way and waiting: a front end that asks faster than it is answered is told so.
    pub asked: Arc<Semaphore>,
}

impl Core {
    pub fn open(options: Options, monitor: Option<Loading>) -> Result<Arc<Core>> {
        let root = StateRoot::new(&options.data_dir, &options.run_dir);
        let db = Db::open(&root)?;
        Ok(Arc::new_cyclic(|this| Core {
            this: this.clone(),
            db,
            runtime: Handle::current(),
            events: broadcast::channel(1024).0,
            jobs: JobTable::new(),
            history: History::default(),
            model: ReadModel::default(),
            samples: Samples::default(),
            lanes: Lanes {
                net: Semaphore::new(3),
                disk: Semaphore::new(2),
                task: Semaphore::new(64),
                question: Semaphore::new(8),
                asked: Arc::new(Semaphore::new(MAX_QUESTIONS)),
            },
            snapshotter: OnceLock::new(),
            registry: OnceLock::new(),
            pulls: Mutex::default(),
            monitor: Mutex::new(monitor),
            watchdog: Watchdog::default(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            stop: CancellationToken::new(),
            root,
            options,
        }))
    }

    /// Runs work of microseconds. Where one thread does everything, waking another would cost more than the work.
    pub async fn quick<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Core>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return work(self);
        }
        let core = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&core)).await;
        done.map_err(|e| Error::new(ErrorKind::Internal, "a worker thread broke down").because(e.to_string()))?
    }

    /// The graph driver of this machine, found once.
    pub fn snapshotter(&self) -> Result<&dyn Snapshotter> {
        if let Some(found) = self.snapshotter.get() {
            return Ok(found.as_ref());
        }
        let chosen = snapshot::choose(&self.root)?;
        Ok(self.snapshotter.get_or_init(|| chosen).as_ref())
    }

    /// A monitor on its way, for one container.
    /// `announced`: what is known of it; a monitor loaded ahead was told already.
    pub fn begin_monitor(&self, announced: Announced) -> Result<Starting> {
        Ok(match self.monitor_ahead()? {
            Some(starting) => starting,
            None => task::begin(&self.options.program, &self.options.environment, announced)?,
        })
    }

    /// The monitor that was begun ahead, which on a failure must not stay behind.
    pub fn monitor_ahead(&self) -> Result<Option<Starting>> {
        let loading = self.monitor.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(loading.map(Loading::ready).transpose()?)
    }

    /// Connections, tokens and credentials, shared by all pulls.
    pub fn registry(&self) -> Result<&RegistryClient> {
        if let Some(client) = self.registry.get() {
            return Ok(client);
        }
        let options = registry::Options {
            auth: registry::AuthSources { files: self.options.auth_files.clone() },
            insecure: self.options.insecure_registries.clone(),
            ..registry::Options::default()
        };
        let client = RegistryClient::new(options)?;
        Ok(self.registry.get_or_init(|| client))
    }

    /// The turn of pulls of the same thing.
    pub fn pulling(&self, what: String) -> Arc<tokio::sync::Mutex<()>> {
        let mut pulls = self.pulls.lock().unwrap_or_else(PoisonError::into_inner);
        pulls.retain(|_, turn| Arc::strong_count(turn) > 1);
        pulls.entry(what).or_default().clone()
    }

    /// Tells this process's front end; a full channel only means that it re-reads everything.
    pub fn notify(&self, event: Event) {
        let _nobody_listens = self.events.send(event);
    }

    pub fn host(&self) -> Arc<HostInfo> {
        self.model.host(|| super::host::read(&self.root, self.snapshotter().map_or("overlay2", Snapshotter::name)))
    }
}

/// Now, by the system's clock.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
