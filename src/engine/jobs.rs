//! The table of this process's jobs and the one reducer that changes it.

use super::core::now;
use super::error::ErrorKind;
use super::job::{Job, JobId, JobStatus, Output, Progress};
use super::request::OnExit;
use super::{Error, Result};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Finished jobs kept for the Jobs view.
const KEPT: usize = 200;
/// Lists show progress this often; the job's own watch channel has every step.
const LIST_PERIOD: Duration = Duration::from_millis(100);

pub(crate) struct JobTable {
    next: AtomicU64,
    entries: Mutex<BTreeMap<JobId, Entry>>,
}

/// A job as it is queued.
pub(crate) struct NewJob {
    pub name: &'static str,
    pub subject: String,
    pub parent: Option<JobId>,
    pub recorded: bool,
    /// Only asks: no news to anybody.
    pub question: bool,
    pub on_exit: OnExit,
    pub cancel: CancellationToken,
}

struct Entry {
    job: Arc<Job>,
    recorded: bool,
    question: bool,
    on_exit: OnExit,
    cancel: CancellationToken,
    progress: watch::Sender<Progress>,
    listed: Instant,
}

/// What a job reports; only [`JobTable::apply`] turns it into state.
pub(crate) enum Change {
    Started,
    Progress(Progress),
    Cancelling,
    Ended(JobStatus),
}

/// What the change means for others.
pub(crate) struct Applied {
    pub job: Arc<Job>,
    /// Lists should be published anew.
    pub listed: bool,
    /// Belongs into the stored history.
    pub recorded: bool,
}

impl JobTable {
    /// Ids begin at the time in microseconds, so that they are unique between processes and sort by age.
    pub fn new() -> JobTable {
        let micros = u64::try_from(now().0 / 1000).unwrap_or(0);
        JobTable { next: AtomicU64::new(micros), entries: Mutex::default() }
    }

    pub fn add(&self, new: NewJob) -> Added {
        let id = JobId(self.next.fetch_add(1, Ordering::Relaxed));
        let job = Arc::new(Job {
            id,
            name: new.name,
            subject: new.subject,
            parent: new.parent,
            status: JobStatus::Queued,
            progress: Progress::default(),
            started: now(),
            ended: None,
            owner_pid: std::process::id(),
        });
        let (progress, receiver) = watch::channel(Progress::default());
        let mut entries = self.lock();
        let NewJob { recorded, question, on_exit, cancel, .. } = new;
        let listed = Instant::now();
        entries.insert(id, Entry { job: job.clone(), recorded, question, on_exit, cancel, progress, listed });
        trim(&mut entries);
        Added { job, progress: receiver }
    }

    /// `None`: the job is over or forgotten; late reports are ignored.
    pub fn apply(&self, id: JobId, change: Change) -> Option<Applied> {
        let mut entries = self.lock();
        let entry = entries.get_mut(&id).filter(|e| !e.job.status.is_over())?;
        let mut job = (*entry.job).clone();
        let mut listed = true;
        let milestone = !matches!(change, Change::Progress(_));
        match change {
            Change::Started => {
                job.status = JobStatus::Running;
                job.started = now();
            }
            Change::Progress(progress) => {
                entry.progress.send_replace(progress.clone());
                listed = entry.listed.elapsed() >= LIST_PERIOD;
                job.progress = progress;
            }
            Change::Cancelling => job.status = JobStatus::Cancelling,
            Change::Ended(status) => {
                job.status = status;
                job.ended = Some(now());
            }
        }
        if listed {
            entry.listed = Instant::now();
        }
        // A question is asked and answered many times a second by screens: as news it would only make them ask again.
        listed &= !entry.question;
        entry.job = Arc::new(job);
        Some(Applied { job: entry.job.clone(), listed, recorded: entry.recorded && milestone })
    }

    /// Cancels every job that may be cut.
    pub fn cancel_cuttable(&self) {
        self.lock().values().filter(|e| e.on_exit == OnExit::Cancel).for_each(|e| e.cancel.cancel());
    }

    #[cfg(test)]
    pub fn get(&self, id: JobId) -> Option<Arc<Job>> {
        self.lock().get(&id).map(|e| e.job.clone())
    }

    /// Newest first.
    pub fn list(&self) -> Vec<Arc<Job>> {
        self.lock().values().rev().map(|e| e.job.clone()).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<JobId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Added {
    pub job: Arc<Job>,
    pub progress: watch::Receiver<Progress>,
}

fn trim(entries: &mut BTreeMap<JobId, Entry>) {
    let over: Vec<JobId> = entries.iter().filter(|(_, e)| e.job.status.is_over()).map(|(id, _)| *id).collect();
    for id in over.iter().take(over.len().saturating_sub(KEPT)) {
        entries.remove(id);
    }
}

/// The status that an outcome leaves behind.
pub(crate) fn status_of<T>(outcome: &Result<T>) -> JobStatus {
    match outcome {
        Ok(_) => JobStatus::Done,
        Err(e) if e.kind() == ErrorKind::Cancelled => JobStatus::Cancelled,
        Err(e) => JobStatus::Failed(e.clone()),
    }
}

/// An operation that panicked must not take the engine with it.
pub(crate) fn panicked(during: &str, payload: &(dyn std::any::Any + Send)) -> Result<Output> {
    let text = payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "unknown panic".into());
    Err(Error::new(ErrorKind::Internal, format!("{during} broke down")).because(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(name: &'static str) -> NewJob {
        let cancel = CancellationToken::new();
        NewJob {
            name,
            subject: String::new(),
            parent: None,
            recorded: false,
            question: false,
            on_exit: OnExit::Cancel,
            cancel,
        }
    }

    #[test]
    fn a_job_goes_through_its_states_and_ignores_late_reports() {
        let table = JobTable::new();
        let added = table.add(new("pull"));
        let id = added.job.id;
        assert!(matches!(added.job.status, JobStatus::Queued));
        table.apply(id, Change::Started);
        let progress = Progress { stage: "downloading".into(), done: 3, ..Progress::default() };
        table.apply(id, Change::Progress(progress.clone()));
        assert_eq!(*added.progress.borrow(), progress);
        let over = table.apply(id, Change::Ended(JobStatus::Done)).unwrap();
        assert!(over.listed && over.job.ended.is_some());
        assert!(table.apply(id, Change::Cancelling).is_none());
        assert_eq!(table.get(id).unwrap().status.word(), "done");
    }

    #[test]
    fn only_so_many_finished_jobs_are_kept_and_live_ones_always() {
        let table = JobTable::new();
        let first = table.add(new("attach")).job.id;
        for _ in 0..KEPT + 50 {
            let id = table.add(new("tag")).job.id;
            table.apply(id, Change::Ended(JobStatus::Done));
        }
        table.add(new("tag"));
        assert!(table.get(first).is_some());
        assert_eq!(table.list().len(), KEPT + 2);
    }
}
