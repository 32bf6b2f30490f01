//! Writes recorded jobs to the database, a moment later and several at once: no job waits for its own history.

use super::core::Core;
use super::job::{Job, JobId, JobStatus, Progress};
use super::{Error, ErrorKind};
use crate::store::records::{self, JobRow};
use crate::store::{self, Owner, Transaction};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Jobs shorter than this are written once, with their end.
const DELAY: Duration = Duration::from_millis(50);
/// Rows kept, trimmed now and then.
const KEPT: usize = 1000;
/// Rows that lists show.
const LISTED: usize = 200;

/// Rows not yet written, newest state of each.
#[derive(Default)]
pub(crate) struct History {
    waiting: Mutex<BTreeMap<u64, JobRow>>,
}

impl History {
    pub fn record(&self, core: &Core, job: &Job) {
        let first = {
            let mut waiting = self.lock();
            let first = waiting.is_empty();
            waiting.insert(job.id.0, to_row(job));
            first
        };
        if first {
            let Some(core) = core.this.upgrade() else { return };
            core.runtime.clone().spawn(async move {
                tokio::time::sleep(DELAY).await;
                let _gone = tokio::task::spawn_blocking(move || core.history.flush(&core)).await;
            });
        }
    }

    /// Writes what waits. Losing history is worth a log line, not a failure.
    pub fn flush(&self, core: &Core) {
        let rows = std::mem::take(&mut *self.lock());
        if rows.is_empty() {
            return;
        }
        match core.db.write(|t| put(t, &rows)) {
            Ok(()) => core.emit("job", "history", "", []),
            Err(e) => tracing::warn!(error = %e, "writing the job history"),
        }
    }

    /// Makes a change, and writes what waits along with it: both or nothing.
    pub fn flush_with(
        &self,
        core: &Core,
        change: impl FnOnce(&Transaction<'_>) -> store::Result<()>,
    ) -> store::Result<()> {
        let rows = std::mem::take(&mut *self.lock());
        let written = core.db.write(|t| change(t).and_then(|()| put(t, &rows)));
        if written.is_err() {
            let mut waiting = self.lock();
            for (id, row) in rows {
                waiting.entry(id).or_insert(row);
            }
        } else if !rows.is_empty() {
            core.emit("job", "history", "", []);
        }
        written
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, JobRow>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn put(t: &Transaction<'_>, rows: &BTreeMap<u64, JobRow>) -> store::Result<()> {
    rows.values().try_for_each(|row| records::put_job(t, row))?;
    let trim = rows.keys().any(|id| id % 64 == 0);
    if trim { records::delete_jobs_before(t, KEPT).map(drop) } else { Ok(()) }
}

/// Stored jobs, newest first; a running one whose process is dead was interrupted.
pub(crate) fn load(core: &Core) -> Vec<Arc<Job>> {
    match core.db.read(|c| records::jobs(c, LISTED)) {
        Ok(rows) => rows.into_iter().map(|row| Arc::new(from_row(row))).collect(),
        Err(e) => {
            tracing::warn!(error = %e, "reading the job history");
            Vec::new()
        }
    }
}

fn to_row(job: &Job) -> JobRow {
    let status = if job.status.is_over() { job.status.word() } else { JobRow::RUNNING };
    JobRow {
        id: job.id.0,
        parent: job.parent.map(|p| p.0),
        name: job.name.to_owned(),
        subject: job.subject.clone(),
        status: status.to_owned(),
        error: match &job.status {
            JobStatus::Failed(e) => Some(e.to_string()),
            _ => None,
        },
        started: job.started,
        ended: job.ended,
        owner: Owner { pid: job.owner_pid, ..Owner::this() },
    }
}

fn from_row(row: JobRow) -> Job {
    let status = match row.status.as_str() {
        "done" => JobStatus::Done,
        "cancelled" => JobStatus::Cancelled,
        "failed" => JobStatus::Failed(Error::new(ErrorKind::Internal, row.error.unwrap_or_else(|| "failed".into()))),
        _ if row.owner.is_alive() => JobStatus::Running,
        _ => JobStatus::Interrupted,
    };
    Job {
        id: JobId(row.id),
        name: super::request::static_name(&row.name),
        subject: row.subject,
        parent: row.parent.map(JobId),
        status,
        progress: Progress::default(),
        started: row.started,
        ended: row.ended,
        owner_pid: row.owner.pid,
    }
}
