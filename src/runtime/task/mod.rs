//! Task: the engine's side of one monitor. Starts it, asks it, and exchanges a session's typed frames with it.

mod connection;
mod loading;
mod session;
mod start;

pub use loading::Loading;
pub use session::{Output, Session, SessionReader, SessionWriter};
pub use start::{Started, Starting, begin, spawn};

use self::connection::{Connection, hello, unexpected};
use super::protocol::{Ask, ExecSpec, Failure, FrameError, Reply};
use crate::model::container::{ExitStatus, Limits, RestartPolicy, State};
use crate::net::plan::NetworkChange;
use crate::sys;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio::net::UnixStream;

/// Why a monitor did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens: the container does not run (or its monitor was killed).
    #[error("no monitor runs for {0}")]
    Gone(PathBuf),
    #[error("start {program}: {source}")]
    Spawn { program: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Socket(#[from] sys::Error),
    #[error("talking to the monitor: {0}")]
    Io(#[from] std::io::Error),
    #[error("talking to the monitor: {0}")]
    Frame(#[from] FrameError),
    /// The connection ended before the answer.
    #[error("the monitor has gone{0}")]
    Lost(String),
    #[error("unexpected answer from the monitor: {0}")]
    Protocol(String),
    /// The monitor's, or the container's init's, own error.
    #[error("{}", .0.chain.join(": "))]
    Failed(Failure),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How to join a session.
#[derive(Clone, Debug, Default)]
pub struct Attach {
    /// An exec session's id; `None`: the container's main process.
    pub exec: Option<String>,
    /// This client wants to write. The first such client does; later ones only watch until they take over.
    pub stdin: bool,
    /// Terminals: first the kept screen, as bytes that repaint it.
    pub replay: bool,
    pub size: Option<(u16, u16)>,
    /// Pipes: wait for this client rather than skip output when it is slow (a command in a shell pipeline).
    pub lossless: bool,
}

/// The monitor of the container whose run directory this is. Only checks that one listens.
pub async fn connect(run_dir: &Path) -> Result<Task> {
    let task = Task { run_dir: run_dir.to_owned() };
    task.open().await?;
    Ok(task)
}

/// One running container, through its monitor. Each call is a connection of its own.
#[derive(Clone, Debug)]
pub struct Task {
    run_dir: PathBuf,
}

impl Task {
    /// Without looking whether a monitor listens: the first call tells.
    pub fn at(run_dir: impl Into<PathBuf>) -> Self {
        Self { run_dir: run_dir.into() }
    }

    /// Sends a signal to the main process.
    pub async fn kill(&self, signal: i32) -> Result<()> {
        self.done(Ask::Kill { signal }).await
    }

    /// The stop signal (`None`: the container's own), SIGKILL after the time-out; returns when the container is down
    /// and does not come back. Works on a paused container too.
    pub async fn stop(&self, signal: Option<i32>, timeout_secs: u64) -> Result<ExitStatus> {
        self.end(signal, timeout_secs, false).await
    }

    /// The same for a container that is started again at once: even with `--rm` it stays.
    pub async fn stop_to_restart(&self, signal: Option<i32>, timeout_secs: u64) -> Result<ExitStatus> {
        self.end(signal, timeout_secs, true).await
    }

    async fn end(&self, signal: Option<i32>, timeout_secs: u64, keep: bool) -> Result<ExitStatus> {
        match self.call(Ask::Stop { signal, timeout_secs, keep }).await? {
            Reply::Ended(exit) => Ok(exit),
            other => Err(unexpected(&other)),
        }
    }

    pub async fn pause(&self) -> Result<()> {
        self.done(Ask::Pause).await
    }

    pub async fn resume(&self) -> Result<()> {
        self.done(Ask::Resume).await
    }

    /// New limits, all of them. One line for each that this machine cannot apply.
    pub async fn update(&self, limits: Limits) -> Result<Vec<String>> {
        match self.call(Ask::Update { limits: Box::new(limits) }).await? {
            Reply::Done => Ok(Vec::new()),
            Reply::Warned(warnings) => Ok(warnings),
            other => Err(unexpected(&other)),
        }
    }

    /// What follows the container's next end.
    pub async fn restart_policy(&self, policy: RestartPolicy) -> Result<()> {
        self.done(Ask::RestartPolicy(policy)).await
    }

    /// The name that events carry from now on, and the names it has on its networks, by their ids.
    pub async fn rename(&self, name: &str, names: BTreeMap<String, Vec<String>>) -> Result<()> {
        self.done(Ask::Rename { name: name.to_owned(), names }).await
    }

    /// Changes the network while the container runs; the state as it is then.
    pub async fn network(&self, change: NetworkChange) -> Result<State> {
        match self.call(Ask::Network(Box::new(change))).await? {
            Reply::State(state) => Ok(*state),
            other => Err(unexpected(&other)),
        }
    }

    /// The state with its exec sessions and their clients.
    pub async fn state(&self) -> Result<State> {
        match self.call(Ask::State).await? {
            Reply::State(state) => Ok(*state),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns when the container has ended for good, with its last state.
    pub async fn wait(&self) -> Result<State> {
        match self.call(Ask::Wait).await? {
            Reply::State(state) => Ok(*state),
            other => Err(unexpected(&other)),
        }
    }

    /// Joins the main process's streams or an exec session's.
    pub async fn attach(&self, attach: Attach) -> Result<Session> {
        let mut connection = self.open().await?;
        connection.send(&hello(attach.into())?).await?;
        connection.into_session().await
    }

    /// Starts a process in the container. `None` for a detached one.
    pub async fn exec(&self, spec: ExecSpec) -> Result<Option<Session>> {
        let detach = spec.detach;
        let mut connection = self.open().await?;
        connection.send(&hello(Ask::Exec(Box::new(spec)))?).await?;
        if !detach {
            return connection.into_session().await.map(Some);
        }
        match connection.reply().await? {
            Reply::Done | Reply::Session { .. } => Ok(None),
            other => Err(unexpected(&other)),
        }
    }

    async fn done(&self, ask: Ask) -> Result<()> {
        match self.call(ask).await? {
            Reply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    async fn call(&self, ask: Ask) -> Result<Reply> {
        let mut connection = self.open().await?;
        connection.send(&hello(ask)?).await?;
        connection.reply().await
    }

    async fn open(&self) -> Result<Connection> {
        // A unix connect does not wait (it fails when the backlog is full), so no blocking thread is needed.
        match sys::channel::connect_in(&self.run_dir) {
            Ok(stream) => {
                stream.set_nonblocking(true)?;
                Ok(Connection::new(UnixStream::from_std(stream)?))
            }
            Err(e)
                if matches!(e.source.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused) =>
            {
                Err(Error::Gone(self.run_dir.clone()))
            }
            Err(e) => Err(e.into()),
        }
    }
}

impl From<Attach> for Ask {
    fn from(a: Attach) -> Ask {
        Ask::Attach { exec: a.exec, stdin: a.stdin, replay: a.replay, size: a.size, lossless: a.lossless }
    }
}
