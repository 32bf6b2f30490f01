//! Notices the death of monitors that had no time to write an event: one pidfd each, no polling.

use super::core::Core;
use super::ready::Ready;
use crate::model::container::{State, Status};
use crate::model::id::ContainerId;
use std::collections::HashSet;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, PoisonError};

/// Processes watched now.
#[derive(Default)]
pub(crate) struct Watchdog {
    watched: Mutex<HashSet<(ContainerId, i32)>>,
}

/// Begins to watch every live container that is not watched yet.
pub(crate) fn follow_all(core: &Arc<Core>) {
    for entry in core.model.live() {
        follow(core, &entry.container.id, &entry.state);
    }
}

/// The monitor; for a container that has lost it, the init.
fn follow(core: &Arc<Core>, id: &ContainerId, state: &State) {
    let pid = if state.status == Status::Orphaned { state.pid } else { state.monitor_pid };
    let key = (id.clone(), pid);
    if pid <= 0 || !core.watchdog.lock().insert(key.clone()) {
        return;
    }
    let Ok(pidfd) = crate::sys::process::pidfd_open(pid) else {
        core.watchdog.lock().remove(&key);
        return;
    };
    let core = core.clone();
    core.runtime.clone().spawn(async move {
        if let Ok(watch) = Ready::on(pidfd.as_raw_fd()) {
            tokio::select! {
                () = core.stop.cancelled() => return,
                _ = watch.wait() => {}
            }
        }
        core.watchdog.lock().remove(&key);
        let worker = core.clone();
        let id = key.0;
        let _done = tokio::task::spawn_blocking(move || worker.refresh_container(&id)).await;
        follow_all(&core);
    });
}

impl Watchdog {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<(ContainerId, i32)>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
