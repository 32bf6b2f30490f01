//! Keeps the read model true: everything is read once at open, then only what the event log names.

use super::context::JobContext;
use super::core::Core;
use super::inventory::Event;
use super::job::Output;
use super::ready::Ready;
use super::recover;
use super::{Error, ErrorKind, Request, Result};
use crate::model::event::EventRecord;
use crate::model::id::ContainerId;
use crate::runtime::eventlog::Follower;
use std::collections::BTreeSet;
use std::os::fd::AsRawFd;
use std::sync::Arc;

/// Reads everything, then starts the jobs that keep it true.
pub(crate) async fn begin(core: &Arc<Core>) -> Result<()> {
    let worker = core.clone();
    let read = tokio::task::spawn_blocking(move || worker.refresh_all());
    let read = read.await.map_err(|e| Error::new(ErrorKind::Internal, "reading the state").because(e.to_string()))?;
    read.map_err(|e| e.during("reading the state of teu"))?;
    tidy(core);
    // What commands have pulled.
    super::ops::settle_later(core);
    core.submit(Request::Reconcile);
    core.submit(Request::Sample);
    Ok(())
}

/// Clears away what an earlier teu left half done, beside all else: that may be gigabytes.
fn tidy(core: &Arc<Core>) {
    let core = core.clone();
    tokio::task::spawn_blocking(move || match recover::sweep(&core) {
        // The screen shows what the disk holds.
        Ok(()) => core.refresh_images(),
        Err(e) => tracing::warn!(error = %e, "tidying what an earlier teu left"),
    });
}

/// What a burst of records names, each object once.
#[derive(Default)]
struct Touched {
    containers: BTreeSet<ContainerId>,
    images: bool,
    volumes: bool,
    networks: bool,
    jobs: bool,
}

impl Touched {
    fn add(&mut self, record: &EventRecord) {
        match record.kind.as_str() {
            "container" => self.containers.extend(ContainerId::try_from(record.id.clone())),
            "image" => self.images = true,
            "volume" => self.volumes = true,
            "network" => self.network(record),
            "job" => self.jobs = true,
            _ => {}
        }
        // An image's users are shown with it.
        self.images |= record.kind == "container" && matches!(record.action.as_str(), "create" | "destroy");
    }
}

impl Touched {
    /// A container's own networks may have changed with it.
    fn network(&mut self, record: &EventRecord) {
        self.networks = true;
        let container = record.attributes.get("container").cloned();
        self.containers.extend(container.and_then(|id| ContainerId::try_from(id).ok()));
    }
}

/// The engine's own job: follows the event log of all teu processes and monitors.
pub(crate) async fn reconcile(cx: &mut JobContext) -> Result<Output> {
    let mut follower = Follower::open(&cx.core.root.event_log())?;
    let watch = Ready::on(follower.as_raw_fd())?;
    // What happened between the first reading and the following.
    cx.blocking(|core| core.refresh_all()).await?;
    super::watchdog::follow_all(&cx.core);
    loop {
        cx.or_cancelled(watch.wait()).await??;
        let mut records = Vec::new();
        while let Some(record) = follower.next()? {
            records.push(record);
        }
        if records.is_empty() {
            continue;
        }
        cx.blocking(move |core| {
            let mut touched = Touched::default();
            records.iter().for_each(|r| touched.add(r));
            refresh(core, touched);
            for record in records {
                core.notify(Event::Log(Arc::new(record)));
            }
            Ok(())
        })
        .await?;
        super::watchdog::follow_all(&cx.core);
    }
}

fn refresh(core: &Core, touched: Touched) {
    touched.containers.iter().for_each(|id| core.refresh_container(id));
    if touched.images {
        core.refresh_images();
    }
    if touched.volumes {
        core.refresh_volumes();
    }
    if touched.networks {
        core.refresh_networks();
    }
    if touched.jobs {
        core.refresh_jobs();
    }
}
