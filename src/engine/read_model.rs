//! Keeps the published [`Inventory`]: refreshes the objects that were touched, shares all others.

use super::core::Core;
use super::inventory::{ContainerEntry, Event, HostInfo, ImageEntry, Inventory};
use super::job::Job;
use super::{Result, history, recover};
use crate::model::id::ContainerId;
use crate::model::mount::Volume;
use crate::model::network::Network;
use crate::runtime::state;
use crate::store::records::{self, Busy, ContainerRow};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

#[derive(Default)]
pub(crate) struct ReadModel {
    objects: Mutex<Objects>,
    published: Mutex<Arc<Inventory>>,
    host: OnceLock<Arc<HostInfo>>,
}

/// What was last read.
#[derive(Default)]
struct Objects {
    revision: u64,
    containers: HashMap<ContainerId, Arc<ContainerEntry>>,
    images: Vec<Arc<ImageEntry>>,
    volumes: Vec<Arc<Volume>>,
    networks: Vec<Arc<Network>>,
    /// From the stored history.
    jobs: Vec<Arc<Job>>,
    damaged: Vec<String>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ReadModel {
    pub fn host(&self, read: impl FnOnce() -> HostInfo) -> Arc<HostInfo> {
        self.host.get_or_init(|| Arc::new(read())).clone()
    }

    pub fn published(&self) -> Arc<Inventory> {
        lock(&self.published).clone()
    }

    /// Ids of containers with live processes, with their entries.
    pub fn live(&self) -> Vec<Arc<ContainerEntry>> {
        lock(&self.objects).containers.values().filter(|e| e.state.status.is_live()).cloned().collect()
    }
}

impl Core {
    pub fn inventory(&self) -> Arc<Inventory> {
        self.read_inventory().unwrap_or_else(|e| {
            tracing::warn!(error = %e, "reading the inventory");
            self.model.published()
        })
    }

    pub fn read_inventory(&self) -> Result<Arc<Inventory>> {
        if !self.keeps_model() {
            self.refresh_all()?;
        }
        Ok(self.model.published())
    }

    /// Reads everything from disk and publishes it.
    pub fn refresh_all(&self) -> Result<()> {
        let containers = self.read_containers()?;
        let (images, volumes) = (self.read_images()?, self.db.read(records::volumes)?);
        let networks = self.networks()?;
        let jobs = history::load(self);
        let damaged = self.db.read(records::damaged)?;
        self.host();
        let mut objects = lock(&self.model.objects);
        objects.containers = containers.into_iter().map(|e| (e.container.id.clone(), Arc::new(e))).collect();
        objects.images = images;
        objects.volumes = volumes.into_iter().map(Arc::new).collect();
        objects.networks = networks.into_iter().map(Arc::new).collect();
        objects.jobs = jobs;
        objects.damaged = damaged;
        self.publish(objects);
        Ok(())
    }

    /// Every visible container with its state, newest first.
    pub fn read_containers(&self) -> Result<Vec<ContainerEntry>> {
        let rows = self.db.read(records::containers)?;
        Ok(rows.into_iter().filter_map(|row| self.entry(row)).collect())
    }

    /// `None` for a container that is being made or removed: it is not there yet, or any more; one that was left half
    /// made is tidied away.
    pub fn entry(&self, row: ContainerRow) -> Option<ContainerEntry> {
        match row.busy {
            Some(Busy::Create(owner) | Busy::Remove(owner)) if owner.is_alive() => return None,
            Some(busy) if !busy.owner().is_alive() => {
                recover::finish_soon(self, row);
                return None;
            }
            _ => {}
        }
        let state = self.read_state(row.container.id.as_str());
        Some(ContainerEntry { container: row.container, state })
    }

    /// The truth about a container's life; a state that cannot be read is shown as its error.
    pub fn read_state(&self, id: &str) -> crate::model::container::State {
        match state::read(&self.root.container(id), &self.root.container_run(id)) {
            Ok(state) => state,
            Err(e) => crate::model::container::State { error: e.to_string(), ..Default::default() },
        }
    }

    fn read_images(&self) -> Result<Vec<Arc<ImageEntry>>> {
        let read = |c: &_| {
            let images = records::images(c)?;
            images
                .into_iter()
                .map(|image| Ok(Arc::new(ImageEntry { used_by: records::containers_of_image(c, &image.id)?, image })))
                .collect()
        };
        Ok(self.db.read(read)?)
    }

    /// Without a background reader nothing is kept: the next look at the inventory reads the disk.
    fn keeps_model(&self) -> bool {
        self.options.background
    }

    pub fn refresh_container(&self, id: &ContainerId) {
        if self.keeps_model() {
            match self.db.read(|c| records::container(c, id.as_str())) {
                Ok(row) => {
                    let entry = row.and_then(|row| self.entry(row));
                    let mut objects = lock(&self.model.objects);
                    match entry {
                        Some(entry) => objects.containers.insert(id.clone(), Arc::new(entry)),
                        None => objects.containers.remove(id),
                    };
                    self.publish(objects);
                }
                Err(e) => tracing::warn!(container = id.short(), error = %e, "refreshing a container"),
            }
        }
        self.notify(Event::Container(id.clone()));
    }

    pub fn refresh_images(&self) {
        if !self.keeps_model() {
            return;
        }
        match self.read_images() {
            Ok(images) => {
                let mut objects = lock(&self.model.objects);
                objects.images = images;
                self.publish(objects);
            }
            Err(e) => tracing::warn!(error = %e, "refreshing images"),
        }
    }

    pub fn refresh_volumes(&self) {
        if !self.keeps_model() {
            return;
        }
        match self.db.read(records::volumes) {
            Ok(volumes) => {
                let mut objects = lock(&self.model.objects);
                objects.volumes = volumes.into_iter().map(Arc::new).collect();
                self.publish(objects);
            }
            Err(e) => tracing::warn!(error = %e, "refreshing volumes"),
        }
    }

    pub fn refresh_networks(&self) {
        if !self.keeps_model() {
            return;
        }
        match self.networks() {
            Ok(networks) => {
                let mut objects = lock(&self.model.objects);
                objects.networks = networks.into_iter().map(Arc::new).collect();
                self.publish(objects);
            }
            Err(e) => tracing::warn!(error = %e, "refreshing networks"),
        }
    }

    pub fn refresh_jobs(&self) {
        if self.keeps_model() {
            let jobs = history::load(self);
            let mut objects = lock(&self.model.objects);
            objects.jobs = jobs;
            self.publish(objects);
        }
    }

    /// This process's jobs have changed.
    pub fn publish_jobs(&self) {
        if self.keeps_model() {
            self.publish(lock(&self.model.objects));
        }
    }

    fn publish(&self, mut objects: MutexGuard<'_, Objects>) {
        objects.revision += 1;
        let mut containers: Vec<_> = objects.containers.values().cloned().collect();
        containers.sort_by(|a, b| {
            b.container.created.cmp(&a.container.created).then_with(|| a.container.id.cmp(&b.container.id))
        });
        let mut jobs = self.jobs.list();
        let own: BTreeSet<_> = jobs.iter().map(|j| j.id).collect();
        jobs.extend(objects.jobs.iter().filter(|j| !own.contains(&j.id)).cloned());
        jobs.sort_by_key(|job| std::cmp::Reverse(job.id));
        let inventory = Inventory {
            revision: objects.revision,
            containers,
            images: objects.images.clone(),
            volumes: objects.volumes.clone(),
            networks: objects.networks.clone(),
            jobs,
            host: self.host(),
            damaged: objects.damaged.clone(),
        };
        // Published under the lock of the objects, so that an older view never overtakes a newer one.
        *lock(&self.model.published) = Arc::new(inventory);
    }
}
