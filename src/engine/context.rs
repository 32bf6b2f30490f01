//! What an operation works with: its job's cancel token, progress and streams, an undo stack, and the engine's core.

use super::core::Core;
use super::inventory::Event;
use super::job::{Chunk, Input, JobId, JobStatus, Progress};
use super::jobs::{Change, NewJob, status_of};
use super::request::OnExit;
use super::{Error, Result};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// One per job.
pub(crate) struct JobContext {
    pub core: Arc<Core>,
    pub id: JobId,
    pub cancel: CancellationToken,
    pub undo: Undo,
    /// Sessions only.
    pub io: Option<SessionIo>,
}

/// The operation's ends of a session's streams.
pub(crate) struct SessionIo {
    pub input: mpsc::Receiver<Input>,
    pub output: mpsc::Sender<Chunk>,
}

impl SessionIo {
    /// Waits while the front end is slow; `false` when it has gone.
    pub async fn send(&self, chunk: Chunk) -> bool {
        self.output.send(chunk).await.is_ok()
    }
}

/// Reports progress from anywhere, blocking threads included.
#[derive(Clone)]
pub(crate) struct ProgressSink {
    core: Arc<Core>,
    id: JobId,
}

impl ProgressSink {
    pub fn report(&self, progress: Progress) {
        self.core.change(self.id, Change::Progress(progress));
    }
}

impl JobContext {
    pub fn sink(&self) -> ProgressSink {
        ProgressSink { core: self.core.clone(), id: self.id }
    }

    pub fn stage(&self, stage: &str) {
        self.sink().report(Progress { stage: stage.into(), ..Progress::default() });
    }

    /// An error of kind `Cancelled` once the job was asked to stop: call it between steps.
    pub fn check(&self) -> Result<()> {
        if self.cancel.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }

    /// Gives `future` up when the job is cancelled. For work that may be dropped anywhere.
    pub async fn or_cancelled<T>(&self, future: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::cancelled()),
            value = future => Ok(value),
        }
    }

    /// Runs file or database work on a thread that may block. It is not interrupted by a cancel.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Core>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let core = self.core.clone();
        match tokio::task::spawn_blocking(move || work(&core)).await {
            Ok(result) => result,
            Err(e) => Err(Error::new(super::ErrorKind::Internal, "a worker thread broke down").because(e.to_string())),
        }
    }

    /// A step of this job that the Jobs view shows below it. End it with [`JobContext::finish`].
    pub fn child(&self, name: &'static str, subject: &str) -> JobContext {
        let recorded = matches!(name, "pull" | "from-host");
        let cancel = self.cancel.child_token();
        let added = self.core.jobs.add(NewJob {
            name,
            subject: subject.to_owned(),
            parent: Some(self.id),
            recorded,
            question: false,
            // It goes with its parent, whose undo it may belong to.
            on_exit: OnExit::Finish,
            cancel: cancel.clone(),
        });
        let child = JobContext { core: self.core.clone(), id: added.job.id, cancel, undo: Undo::default(), io: None };
        self.core.change(child.id, Change::Started);
        child
    }

    /// Ends a child: undoes what it did when it failed.
    pub async fn finish<T>(mut self, result: Result<T>) -> Result<T> {
        let result = self.settle(result).await;
        self.core.change(self.id, Change::Ended(status_of(&result)));
        result
    }

    /// Ends the job, successfully, before its last change: its history is then written with that. The change's own failure
    /// is not the job's any more.
    pub fn end_early(&self) {
        self.core.change(self.id, Change::Ended(JobStatus::Done));
    }

    /// Runs the undo stack after a failure; its own failures are attached to the error.
    pub async fn settle<T>(&mut self, result: Result<T>) -> Result<T> {
        let undo = std::mem::take(&mut self.undo);
        match result {
            Err(mut error) if !undo.steps.is_empty() => {
                let failures = self.blocking(move |_| Ok(undo.run())).await.unwrap_or_default();
                failures.into_iter().for_each(|failure| error.add_cleanup_failure(failure));
                Err(error)
            }
            other => other,
        }
    }

    /// Brings the read model up to date for this container and tells the front end.
    pub fn touch_container(&self, id: &crate::model::id::ContainerId) {
        self.core.refresh_container(id);
    }

    pub fn touch_images(&self, image: &crate::model::reference::Digest) {
        self.core.refresh_images();
        self.core.notify(Event::Image(image.clone()));
    }
}

type UndoStep = Box<dyn FnOnce() -> Result<()> + Send + Sync>;

/// Steps that take back what was done, run last first. It never stops at a failure.
#[derive(Default)]
pub(crate) struct Undo {
    steps: Vec<(String, UndoStep)>,
}

impl Undo {
    /// `what` names the step for people: `removing the container's directory`.
    pub fn push(&mut self, what: impl Into<String>, step: impl FnOnce() -> Result<()> + Send + Sync + 'static) {
        self.steps.push((what.into(), Box::new(step)));
    }

    /// What was done is now meant to stay.
    pub fn commit(&mut self) {
        self.steps.clear();
    }

    fn run(self) -> Vec<String> {
        let run = |(what, step): (String, UndoStep)| step().err().map(|e| format!("{what}: {e}"));
        self.steps.into_iter().rev().filter_map(run).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn undo_runs_backwards_past_failures() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut undo = Undo::default();
        for i in 0..3 {
            let order = order.clone();
            undo.push(format!("step {i}"), move || {
                order.lock().unwrap().push(i);
                if i == 1 { Err(Error::new(super::super::ErrorKind::Internal, "no")) } else { Ok(()) }
            });
        }
        assert_eq!(undo.run(), ["step 1: no"]);
        assert_eq!(*order.lock().unwrap(), [2, 1, 0]);
    }
}
