//! From request to running job: queue, lanes, cancellation, outcome, log lines.

use super::context::{JobContext, SessionIo};
use super::core::{Core, MAX_QUESTIONS};
use super::inventory::Event;
use super::job::{JobHandle, JobId, JobIo, Output};
use super::jobs::{Change, NewJob, panicked, status_of};
use super::ops;
use super::{Error, ErrorKind, Request, Result};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Chunks and inputs under way between a session and its front end.
const SESSION_QUEUE: usize = 64;

impl Core {
    /// Queues the request. Never blocks, never fails.
    pub fn submit(self: &Arc<Core>, request: Request) -> JobHandle {
        let cancel = self.stop.child_token();
        let added = self.jobs.add(NewJob {
            name: request.name(),
            subject: request.subject(),
            parent: None,
            recorded: request.is_recorded(),
            question: request.is_question(),
            on_exit: request.on_exit(),
            cancel: cancel.clone(),
        });
        let id = added.job.id;
        let (outcome, receiver) = watch::channel(None);
        let (session, io) = if request.is_session() { streams() } else { (None, None) };
        let context =
            JobContext { core: self.clone(), id, cancel: cancel.clone(), undo: Default::default(), io: session };
        let asked = request.is_question().then(|| self.ask(&request)).transpose();
        self.tasks.spawn_on(run(context, request, asked, outcome), &self.runtime);
        JobHandle { id, progress: added.progress, outcome: receiver, cancel, io }
    }

    /// Jobs that must not be cut get `grace`; all others are cancelled at once.
    pub async fn shutdown(self: &Arc<Core>, grace: std::time::Duration) {
        self.closing.cancel();
        self.jobs.cancel_cuttable();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            self.stop.cancel();
            // Undo runs now; a job that does not come to its end is tidied by the next command.
            let _still_busy = tokio::time::timeout(std::time::Duration::from_secs(2), self.tasks.wait()).await;
        }
        self.stop.cancel();
        self.history.flush(self);
    }

    /// The only way a job's state changes; passes the news on.
    pub fn change(&self, id: JobId, change: Change) {
        let Some(applied) = self.jobs.apply(id, change) else { return };
        if applied.recorded {
            self.history.record(self, &applied.job);
        }
        if applied.listed {
            self.publish_jobs();
            self.notify(Event::Job(id));
        }
    }

    /// A question's place among those that wait.
    fn ask(&self, request: &Request) -> Result<OwnedSemaphorePermit> {
        self.lanes.asked.clone().try_acquire_owned().map_err(|_| {
            let what = format!("{} {}: {MAX_QUESTIONS} questions wait already", request.name(), request.subject());
            Error::new(ErrorKind::Unavailable, what).hint("wait for some answers, then ask again")
        })
    }

    fn lane(&self, request: &Request) -> Option<&Semaphore> {
        match request {
            Request::Pull(_) => Some(&self.lanes.net),
            // It mostly waits.
            Request::RemoveImages(a) if a.undo.is_some() => None,
            Request::FromHost(_) | Request::RemoveImages(_) | Request::Prune(_) => Some(&self.lanes.disk),
            Request::Create(_)
            | Request::Start(_)
            | Request::Stop(_)
            | Request::Restart(_)
            | Request::Kill(_)
            | Request::Pause(_)
            | Request::Resume(_)
            | Request::Remove(_)
            | Request::Update { .. } => Some(&self.lanes.task),
            _ if request.is_question() => Some(&self.lanes.question),
            _ => None,
        }
    }
}

fn streams() -> (Option<SessionIo>, Option<JobIo>) {
    let (to_job, input) = mpsc::channel(SESSION_QUEUE);
    let (output, from_job) = mpsc::channel(SESSION_QUEUE);
    (Some(SessionIo { input, output }), Some(JobIo { input: to_job, output: from_job }))
}

async fn run(
    mut cx: JobContext,
    request: Request,
    asked: Result<Option<OwnedSemaphorePermit>>,
    outcome: watch::Sender<Option<Result<Output>>>,
) {
    let (core, id, name) = (cx.core.clone(), cx.id, request.name());
    tracing::info!(job = id.0, name, subject = request.subject(), "+job");
    let began = std::time::Instant::now();
    let watcher = watch_cancel(&core, id, &cx.cancel);
    let result = match asked {
        Ok(_asked) => work(&mut cx, request, name).await,
        Err(refused) => Err(refused),
    };
    let result = cx.settle(result).await;
    watcher.abort();
    match &result {
        Ok(_) => tracing::info!(job = id.0, name, millis = began.elapsed().as_millis() as u64, "-job done"),
        Err(e) => {
            tracing::info!(job = id.0, name, millis = began.elapsed().as_millis() as u64, error = %e, "-job failed");
        }
    }
    core.change(id, Change::Ended(status_of(&result)));
    // The streams close before the outcome is known, so that a reader which drains them misses nothing.
    drop(cx);
    outcome.send_replace(Some(result));
}

/// Waits for a place in the request's lane, then runs it; a panic becomes an error.
async fn work(cx: &mut JobContext, request: Request, name: &str) -> Result<Output> {
    let core = cx.core.clone();
    let _place = match core.lane(&request) {
        Some(lane) => {
            Some(cx.or_cancelled(lane.acquire()).await?.map_err(|_| Error::cancelled().because("shutting down"))?)
        }
        None => None,
    };
    core.change(cx.id, Change::Started);
    match AssertUnwindSafe(ops::dispatch(cx, request)).catch_unwind().await {
        Ok(result) => result,
        Err(payload) => panicked(name, payload.as_ref()),
    }
}

/// Shows `cancelling` between the wish and its fulfilment.
fn watch_cancel(core: &Arc<Core>, id: JobId, cancel: &CancellationToken) -> tokio::task::JoinHandle<()> {
    let (core, cancel) = (core.clone(), cancel.clone());
    core.runtime.clone().spawn(async move {
        cancel.cancelled().await;
        core.change(id, Change::Cancelling);
    })
}
