//! `stop`, `kill`, `restart`: the end of a container's processes, by its monitor or, when that is gone, by its cgroup.

use super::{Error, ErrorKind, JobContext, Output, Result, bulk, start};
use crate::engine::core::{Core, now};
use crate::engine::inventory::ContainerEntry;
use crate::engine::networks;
use crate::engine::request::{KillArgs, StopArgs};
use crate::model::container::Status;
use crate::model::id::ContainerId;
use crate::model::signal;
use crate::runtime::state;
use crate::runtime::task::{self, Task};
use std::sync::Arc;
use std::time::Duration;

/// For a process that is beyond even that signal's reach, in the kernel.
const PATIENCE_AFTER_KILL: Duration = Duration::from_secs(10);
/// What `kill` sends unless told otherwise.
pub(super) const SIGKILL: i32 = 9;
/// Docker's grace between the stop signal and SIGKILL.
const GRACE: Duration = Duration::from_secs(10);
/// How often, and after which pauses, a monitor that does not listen is asked again.
const PATIENCE: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);
/// "For ever", as the monitor's protocol can carry it: a hundred years.
const FOREVER_SECS: u64 = 100 * 365 * 86_400;

pub(super) async fn stop(cx: &mut JobContext, args: StopArgs) -> Result<Output> {
    let signal = parse(args.signal.as_deref())?;
    bulk::each(cx, args.containers, move |core, name| async move {
        let entry = core.container(&name)?;
        let stopped = one(&core, &entry, signal, args.timeout, Purpose::Stop).await;
        stopped.map_err(|e| e.during(format!("stopping container {name}")))?;
        Ok(name)
    })
    .await
}

pub(super) fn parse(text: Option<&str>) -> Result<Option<i32>> {
    match text {
        None => Ok(None),
        Some(text) => match signal::parse(text) {
            Some(number) => Ok(Some(number)),
            None => Err(Error::new(ErrorKind::Invalid, format!("unknown signal '{text}'"))
                .hint("give a name such as TERM or SIGKILL, or a number from 1 to 64")),
        },
    }
}

/// What a stop is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Stop,
    Restart,
}

/// Returns when it is down. One that is down already is fine, as docker has it.
pub(super) async fn one(
    core: &Arc<Core>,
    entry: &ContainerEntry,
    signal: Option<i32>,
    timeout: Option<Duration>,
    purpose: Purpose,
) -> Result<()> {
    let id = &entry.container.id;
    let own = entry.container.config.stop_timeout.map(|s| Duration::from_secs(s.into()));
    let seconds = timeout.or(own).unwrap_or(GRACE).as_secs().min(FOREVER_SECS);
    let mut status = entry.state.status;
    for _ in 0..PATIENCE {
        match status {
            Status::Created | Status::Exited => return Ok(()),
            Status::Orphaned => return end_orphan(core, id).await,
            Status::Running | Status::Paused | Status::Restarting => {}
        }
        let task = core.task(id);
        let stopped = match purpose {
            Purpose::Stop => task.stop(signal, seconds).await,
            Purpose::Restart => task.stop_to_restart(signal, seconds).await,
        };
        core.refresh_container(id);
        match stopped {
            Ok(_) => return Ok(()),
            // It ended while we asked, its monitor was killed, or one that has the lock does not listen yet.
            Err(task::Error::Gone(_) | task::Error::Lost(_)) => {}
            Err(e) => return Err(e.into()),
        }
        status = core.read_state(id.as_str()).status;
        if status.is_live() && status != Status::Orphaned {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Err(Error::new(ErrorKind::Unavailable, "its monitor does not answer"))
}

/// Nobody is left to send the stop signal and wait: the whole control group is killed.
async fn end_orphan(core: &Arc<Core>, id: &ContainerId) -> Result<()> {
    let (worker, id) = (core.clone(), id.clone());
    let end = move || -> Result<()> {
        let (dir, run) = (worker.root.container(id.as_str()), worker.root.container_run(id.as_str()));
        let state = state::end_orphan(&dir, &run, now())?;
        worker.refresh_container(&id);
        match state.status {
            Status::Orphaned => Err(Error::new(ErrorKind::Internal, format!("process {} does not die", state.pid))),
            _ => {
                networks::forget(&worker, &id, &state);
                Ok(())
            }
        }
    };
    tokio::task::spawn_blocking(end)
        .await
        .map_err(|e| Error::new(ErrorKind::Internal, "a worker thread broke down").because(e.to_string()))?
}

pub(super) async fn kill(cx: &mut JobContext, args: KillArgs) -> Result<Output> {
    let number = parse(Some(&args.signal))?.unwrap_or(SIGKILL);
    bulk::each(cx, args.containers, move |core, name| async move {
        let entry = core.container(&name)?;
        let during = |e: Error| e.during(format!("killing container {name}"));
        send(&core, &entry, number).await.map_err(during)?;
        core.refresh_container(&entry.container.id);
        Ok(name)
    })
    .await
}

async fn send(core: &Arc<Core>, entry: &ContainerEntry, number: i32) -> Result<()> {
    match entry.state.status {
        Status::Running | Status::Paused => match core.task(&entry.container.id).kill(number).await {
            // It ended while we asked.
            Err(task::Error::Gone(_) | task::Error::Lost(_)) => Err(not_running()),
            sent => {
                sent?;
                if number == SIGKILL {
                    // Docker's: what comes next finds it dead.
                    let end = super::wait::end(core, entry.container.id.as_str(), entry.state.clone());
                    let _ = tokio::time::timeout(PATIENCE_AFTER_KILL, end).await;
                }
                Ok(())
            }
        },
        Status::Orphaned if number == SIGKILL => end_orphan(core, &entry.container.id).await,
        Status::Orphaned => Err(Error::new(ErrorKind::Conflict, "its monitor was killed")
            .hint("only `stop`, `kill -s KILL` and `rm -f` work on it now")),
        Status::Created | Status::Exited | Status::Restarting => Err(not_running()),
    }
}

fn not_running() -> Error {
    Error::new(ErrorKind::Conflict, "it is not running")
}

pub(super) async fn restart(cx: &mut JobContext, args: StopArgs) -> Result<Output> {
    let signal = parse(args.signal.as_deref())?;
    bulk::each(cx, args.containers, move |core, name| async move {
        let during = |e: Error| e.during(format!("restarting container {name}"));
        let entry = core.container(&name)?;
        one(&core, &entry, signal, args.timeout, Purpose::Restart).await.map_err(during)?;
        // Another restart's start, after our stop, is as good as ours.
        start::unless_running(&core, &entry.container).await.map_err(during)?;
        core.emit_container("restart", &entry.container);
        Ok(name)
    })
    .await
}

impl Core {
    /// The way to a container's monitor.
    pub fn task(&self, id: &ContainerId) -> Task {
        Task::at(self.root.container_run(id.as_str()))
    }
}
