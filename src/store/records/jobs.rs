//! The history of jobs: what was done, by which process, and how it ended.

use super::{execute, query, text};
use crate::model::time::Timestamp;
use crate::store::process::Owner;
use crate::store::{Error, Result};
use rusqlite::{Connection, params};

/// A job as stored. `status` is [`Running`](JobRow::RUNNING) while its owner works on it.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRow {
    pub id: u64,
    pub parent: Option<u64>,
    pub name: String,
    pub subject: String,
    /// `running`, `done`, `failed`, `cancelled`.
    pub status: String,
    pub error: Option<String>,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    pub owner: Owner,
}

impl JobRow {
    pub const RUNNING: &'static str = "running";
}

pub(super) const PUT_JOB: &str =
    "INSERT OR REPLACE INTO jobs (id, parent, name, subject, status, error, started, ended, owner_pid, owner_start)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

/// Writes or replaces the row.
pub fn put_job(t: &Connection, job: &JobRow) -> Result<()> {
    execute(
        t,
        PUT_JOB,
        params![
            job.id as i64,
            job.parent.map(|id| id as i64),
            job.name,
            job.subject,
            job.status,
            job.error,
            job.started.0,
            job.ended.map(|t| t.0),
            job.owner.pid,
            job.owner.start as i64
        ],
    )
    .map(drop)
}

/// The newest `limit` jobs, newest first.
pub fn jobs(c: &Connection, limit: usize) -> Result<Vec<JobRow>> {
    query(
        c,
        "SELECT id, parent, name, subject, status, error, started, ended, owner_pid, owner_start FROM jobs
         ORDER BY started DESC, id DESC LIMIT ?1",
        [limit as i64],
        |row| {
            let number = |index: usize| row.get::<_, i64>(index).map_err(Error::row);
            Ok(JobRow {
                id: number(0)? as u64,
                parent: row.get::<_, Option<i64>>(1).map_err(Error::row)?.map(|id| id as u64),
                name: text(row, 2)?,
                subject: text(row, 3)?,
                status: text(row, 4)?,
                error: row.get(5).map_err(Error::row)?,
                started: Timestamp(number(6)?),
                ended: row.get::<_, Option<i64>>(7).map_err(Error::row)?.map(Timestamp),
                owner: Owner { pid: row.get(8).map_err(Error::row)?, start: number(9)? as u64 },
            })
        },
    )
}

/// Forgets all but the newest `keep`.
pub fn delete_jobs_before(t: &Connection, keep: usize) -> Result<usize> {
    execute(
        t,
        "DELETE FROM jobs WHERE id NOT IN (SELECT id FROM jobs ORDER BY started DESC, id DESC LIMIT ?1)",
        [keep as i64],
    )
}
