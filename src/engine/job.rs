//! The running unit of work: identity, progress, streams, outcome.

use super::error::{Error, Result};
use super::inventory::ContainerStats;
use crate::model::change::Change;
use crate::model::event::EventRecord;
use crate::model::id::{ContainerId, ExecId};
use crate::model::log::LogRecord;
use crate::model::process::Process;
use crate::model::reference::Digest;
use crate::model::time::Timestamp;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// A job as lists show it. Immutable: a change makes a new one.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: JobId,
    /// [`super::Request::name`].
    pub name: &'static str,
    /// [`super::Request::subject`].
    pub subject: String,
    pub parent: Option<JobId>,
    pub status: JobStatus,
    pub progress: Progress,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    /// The teu process that runs or ran it.
    pub owner_pid: u32,
}

#[derive(Clone, Debug)]
pub enum JobStatus {
    Queued,
    Running,
    Cancelling,
    Done,
    Failed(Error),
    Cancelled,
    /// Its process died in the middle.
    Interrupted,
}

impl JobStatus {
    pub fn is_over(&self) -> bool {
        !matches!(self, JobStatus::Queued | JobStatus::Running | JobStatus::Cancelling)
    }

    pub fn word(&self) -> &'static str {
        match self {
            JobStatus::Queued => "queued",
            JobStatus::Running => "running",
            JobStatus::Cancelling => "cancelling",
            JobStatus::Done => "done",
            JobStatus::Failed(_) => "failed",
            JobStatus::Cancelled => "cancelled",
            JobStatus::Interrupted => "interrupted",
        }
    }
}

/// The stage of a removal that is hidden but not yet deleted: cancelling the job takes it back.
pub const UNDOABLE: &str = "removed, can be undone";

/// Latest state of a job's work; carried by a watch channel, so only the newest is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// `resolving`, `downloading`, `extracting`, ...
    pub stage: String,
    pub done: u64,
    /// Of a pull: bytes that are here, unpacked or not; never less than `done`.
    pub arrived: u64,
    pub total: Option<u64>,
    pub unit: Unit,
    /// One per layer of a pull, per target of a bulk operation.
    pub parts: Vec<Part>,
    /// One line for people: a retry and its reason, a warning.
    pub note: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    #[default]
    Items,
    Bytes,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// Short layer digest, container name.
    pub name: String,
    pub state: PartState,
    pub done: u64,
    pub total: Option<u64>,
}

/// Docker's words for a layer's way are in [`PartState::word`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PartState {
    #[default]
    Waiting,
    Downloading,
    /// All is here, and waits to be extracted.
    Downloaded,
    Verifying,
    Extracting,
    Done,
    /// It was here already.
    Exists,
    Failed,
}

impl PartState {
    pub fn word(self) -> &'static str {
        match self {
            PartState::Waiting => "Pulling fs layer",
            PartState::Downloading => "Downloading",
            PartState::Downloaded => "Download complete",
            PartState::Verifying => "Verifying Checksum",
            PartState::Extracting => "Extracting",
            PartState::Done => "Pull complete",
            PartState::Exists => "Already exists",
            PartState::Failed => "Failed",
        }
    }
}

/// What a finished job hands back.
#[derive(Clone, Debug)]
pub enum Output {
    Nothing,
    /// `up_to_date`: the registry's image was here already.
    Pulled {
        image: Digest,
        manifest: Digest,
        reference: String,
        up_to_date: bool,
        /// What of the image could not be kept here.
        warnings: Vec<String>,
    },
    Image(Digest),
    Container {
        id: ContainerId,
        warnings: Vec<String>,
    },
    /// A session's or foreground run's end.
    Exited {
        code: u8,
        oom: bool,
    },
    /// The session was left; what it was attached to goes on.
    Detached,
    ExecStarted(ExecId),
    /// One result per target of a bulk operation, in order: the name as given, and what came of it.
    Many(Vec<(String, Result<String>)>),
    /// The same of `update`; what could not be applied, each line with its container's name.
    Updated {
        results: Vec<(String, Result<String>)>,
        warnings: Vec<String>,
    },
    /// Exit codes, in order of the targets.
    Waited(Vec<u8>),
    Inspected(Vec<serde_json::Value>),
    /// By pid.
    Processes(Vec<Process>),
    /// By path.
    Changes(Vec<Change>),
    RemovedImages {
        untagged: Vec<String>,
        deleted: Vec<Digest>,
    },
    Pruned {
        containers: Vec<String>,
        images: Vec<String>,
        volumes: Vec<String>,
        networks: Vec<String>,
        bytes: u64,
    },
    /// The id of a network.
    Network(String),
    Doctor(Vec<Check>),
}

/// One finding of `doctor`.
#[derive(Clone, Debug)]
pub struct Check {
    /// `user namespaces`, `overlay`, `cgroup memory`, ...
    pub name: String,
    pub level: CheckLevel,
    /// What was found.
    pub found: String,
    /// What it means for the user; empty when all is well.
    pub effect: String,
    /// The command or setting that mends it; empty when there is none.
    pub remedy: String,
}

impl Check {
    /// A mistake in the user's own files, with its place.
    pub fn settings(problem: &str) -> Check {
        Check {
            name: "settings".into(),
            level: CheckLevel::Warn,
            found: problem.to_owned(),
            effect: "the default is used there".into(),
            remedy: String::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckLevel {
    Ok,
    /// Works, with less.
    Warn,
    /// Something teu exists for cannot work.
    Fail,
}

/// From the front end to a session.
#[derive(Clone, Debug)]
pub enum Input {
    Bytes(Bytes),
    /// End of stdin (half close).
    Eof,
    Resize {
        cols: u16,
        rows: u16,
    },
    /// A signal to forward to the attached process (`--sig-proxy`): its number.
    Signal(i32),
    /// Leave; the process goes on.
    Detach,
}

/// From a session to the front end.
#[derive(Clone, Debug)]
pub enum Chunk {
    /// The session is open: which container and, for exec, which session it is; and whether it has a terminal.
    Opened {
        container: ContainerId,
        exec: Option<ExecId>,
        tty: bool,
    },
    Stdout(Bytes),
    Stderr(Bytes),
    /// Terminal output; comes after `Screen` when replay was asked for.
    Console(Bytes),
    /// Bytes that paint the kept screen, modes included.
    Screen(Bytes),
    /// This many bytes were skipped because we read too slowly; a `Screen` follows for terminals.
    Gap(u64),
    /// A warning for people, not part of the stream.
    Notice(String),
    /// What follows begins at the record of this number; so many that were wanted but for their number come before.
    LogOlder {
        before: u64,
        records: u64,
    },
    /// Log records, oldest first.
    Log(Vec<LogRecord>),
    /// Everything there was has been sent; what follows is live.
    LogCaughtUp,
    Stats(Arc<Vec<ContainerStats>>),
    Event(EventRecord),
}

/// Streams of a session; bounded both ways.
pub struct JobIo {
    pub input: mpsc::Sender<Input>,
    pub output: mpsc::Receiver<Chunk>,
}

/// The submitter's grip on a job. Dropping it does not cancel the job.
pub struct JobHandle {
    pub id: JobId,
    pub(super) progress: watch::Receiver<Progress>,
    pub(super) outcome: watch::Receiver<Option<Result<Output>>>,
    pub(super) cancel: CancellationToken,
    /// Sessions only; take it once.
    pub io: Option<JobIo>,
}

impl JobHandle {
    /// Latest progress; `changed().await` on the clone waits for the next.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Asks the job to stop; its outcome becomes an error of kind `Cancelled`.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// A token to cancel it from elsewhere.
    pub fn canceller(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// A future of the outcome that does not borrow the handle.
    pub fn outcome(&self) -> impl Future<Output = Result<Output>> + Send + use<> {
        let mut outcome = self.outcome.clone();
        async move {
            match outcome.wait_for(Option::is_some).await {
                Ok(value) => value.clone().unwrap_or_else(|| Err(Error::cancelled())),
                Err(_) => Err(Error::cancelled().because("the engine was shut down")),
            }
        }
    }
}
