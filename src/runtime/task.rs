//! Task: the engine's side of one monitor. Starts it, asks it, and exchanges a session's typed frames with it.

use super::launch::Launch;
use super::protocol::{self, Ask, Decoder, ExecSpec, Failure, Frame, FrameError, Hello, Kind, Reply};
use crate::model::container::{ExitStatus, Limits, State};
use crate::sys;
use bytes::{Buf, Bytes, BytesMut};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

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

/// A container that has just begun to run.
#[derive(Debug)]
pub struct Started {
    pub pid: i32,
    /// Open when `spawn` was asked to attach: nothing of the output was missed.
    pub session: Option<Session>,
}

/// Starts a monitor (`<program> __monitor`) for `launch` and waits until the container runs, or could not be started:
/// then nothing of it is left.
pub async fn spawn(program: &Path, launch: &Launch, attach: Option<Attach>) -> Result<Started> {
    begin(program)?.launch(launch, attach).await
}

/// A monitor's program that is being loaded, while what it is to run is still being prepared. Dropped, it goes away.
pub struct Starting {
    connection: Option<Connection>,
    child: Child,
}

/// Starts the program alone: its loading takes about as long as the preparation of a launch.
pub fn begin(program: &Path) -> Result<Starting> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let connection = Connection::new(UnixStream::from_std(ours)?);
    // The socket travels as standard input: no pre_exec, so no fork of this many-threaded process.
    // Nothing of a container may write to this program's file, see `init`. Without the right to mount it is the file
    // itself, and the init refuses to run it inside.
    let sealed = sys::process::read_only_program(program).ok();
    let mut command = Command::new(sealed.as_ref().map_or(program, |(_, name)| name));
    std::os::unix::process::CommandExt::arg0(&mut command, program);
    let identity = sys::userns::identity();
    if identity.in_user_namespace {
        command.env(sys::userns::VARIABLE, identity.to_env());
    }
    let child = command
        .args(["__monitor", "0"])
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|source| Error::Spawn { program: program.to_owned(), source })?;
    drop(sealed);
    Ok(Starting { connection: Some(connection), child })
}

impl Starting {
    /// See [`spawn`].
    pub async fn launch(mut self, launch: &Launch, attach: Option<Attach>) -> Result<Started> {
        let connection = self.connection.take().ok_or_else(|| Error::Lost(String::new()))?;
        let answer = start(connection, launch, attach).await;
        // Its first process leaves as soon as the monitor is nobody's child.
        match (answer, self.child.wait()) {
            (Err(Error::Lost(_)), Ok(status)) if !status.success() => Err(Error::Lost(format!(" ({status})"))),
            (answer, _) => answer,
        }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        drop(self.connection.take());
        // It leaves at once, with or without a launch; nobody else would reap it.
        let _ = self.child.wait();
    }
}

async fn start(mut connection: Connection, launch: &Launch, attach: Option<Attach>) -> Result<Started> {
    let mut wire = Vec::new();
    let attached = attach.is_some();
    if let Some(attach) = attach {
        wire.extend(hello(attach.into())?);
    }
    wire.extend(protocol::json_frame(Kind::Launch, launch)?);
    connection.send(&wire).await?;
    let pid = match connection.reply().await? {
        Reply::Started { pid } => pid,
        other => return Err(unexpected(&other)),
    };
    let session = if attached { Some(connection.into_session().await?) } else { None };
    Ok(Started { pid, session })
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
        match self.call(Ask::Stop { signal, timeout_secs }).await? {
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

    /// New limits, all of them.
    pub async fn update(&self, limits: Limits) -> Result<()> {
        self.done(Ask::Update { limits: Box::new(limits) }).await
    }

    /// The name that events carry from now on.
    pub async fn rename(&self, name: &str) -> Result<()> {
        self.done(Ask::Rename { name: name.to_owned() }).await
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

fn hello(ask: Ask) -> Result<Vec<u8>> {
    Ok(protocol::json_frame(Kind::Hello, &Hello { version: protocol::VERSION, ask })?)
}

fn unexpected(reply: &Reply) -> Error {
    match reply {
        Reply::Failed(failure) => Error::Failed(failure.clone()),
        other => Error::Protocol(format!("{other:?}")),
    }
}

/// A connection before it has become a session.
struct Connection {
    stream: UnixStream,
    decoder: Decoder,
}

impl Connection {
    fn new(stream: UnixStream) -> Self {
        Self { stream, decoder: Decoder::default() }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        match self.stream.write_all(bytes).await {
            Ok(()) => Ok(()),
            // The answer that explains it may still be there to read.
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    async fn reply(&mut self) -> Result<Reply> {
        loop {
            if let Some(frame) = self.decoder.next()? {
                if frame.kind != Kind::Reply {
                    return Err(FrameError::Unexpected { expected: Kind::Reply, got: frame.kind }.into());
                }
                return Ok(frame.json()?);
            }
            match self.stream.read_buf(&mut self.decoder.buffer).await {
                // Reset: it left without having read what was asked.
                Ok(0) => return Err(Error::Lost(String::new())),
                Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => return Err(Error::Lost(String::new())),
                read => read?,
            };
        }
    }

    async fn into_session(mut self) -> Result<Session> {
        match self.reply().await? {
            Reply::Session { exec, tty } => {
                let (read, write) = self.stream.into_split();
                let reader = SessionReader { stream: read, decoder: self.decoder };
                let writer = SessionWriter { stream: write, pending: BytesMut::new() };
                Ok(Session { exec, tty, reader, writer })
            }
            other => Err(unexpected(&other)),
        }
    }
}

/// Open streams of a process.
#[derive(Debug)]
pub struct Session {
    /// The exec session's id; `None`: the main process.
    pub exec: Option<String>,
    pub tty: bool,
    pub reader: SessionReader,
    pub writer: SessionWriter,
}

/// What comes from a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Stdout(Bytes),
    Stderr(Bytes),
    /// Terminal output.
    Console(Bytes),
    /// Repaints the whole screen: reset the emulator, then feed these bytes.
    Screen(Bytes),
    /// So many bytes were skipped; a terminal's `Screen` follows.
    Gap(u64),
    /// Whether this client's input is taken.
    Writer(bool),
    /// The process has ended and all its output came before. Nothing follows.
    Exit(ExitStatus),
}

#[derive(Debug)]
pub struct SessionReader {
    stream: OwnedReadHalf,
    decoder: Decoder,
}

impl SessionReader {
    /// The next output; `None` when the monitor has closed the connection. Cancel safe.
    pub async fn next(&mut self) -> Result<Option<Output>> {
        loop {
            while let Some(frame) = self.decoder.next()? {
                if let Some(output) = output(frame)? {
                    return Ok(Some(output));
                }
            }
            self.decoder.buffer.reserve(protocol::MAX_CHUNK);
            match self.stream.read_buf(&mut self.decoder.buffer).await {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => return Ok(None),
                Err(e) => return Err(e.into()),
            }
        }
    }
}

fn output(frame: Frame) -> Result<Option<Output>> {
    Ok(Some(match frame.kind {
        Kind::Stdout => Output::Stdout(frame.payload),
        Kind::Stderr => Output::Stderr(frame.payload),
        Kind::Console => Output::Console(frame.payload),
        Kind::Screen => Output::Screen(frame.payload),
        Kind::Gap => Output::Gap(frame.gap().unwrap_or(0)),
        Kind::Writer => Output::Writer(frame.payload.first() == Some(&1)),
        Kind::Exit => Output::Exit(frame.json()?),
        Kind::Reply => match frame.json()? {
            Reply::Failed(failure) => return Err(Error::Failed(failure)),
            _ => return Ok(None),
        },
        other => return Err(Error::Protocol(format!("{other:?} frame in a session"))),
    }))
}

/// The way to a session's process. Every method is cancel safe: a frame once accepted is sent whole by a later call.
#[derive(Debug)]
pub struct SessionWriter {
    stream: OwnedWriteHalf,
    pending: BytesMut,
}

impl SessionWriter {
    /// Input; waits when the process does not read.
    pub async fn stdin(&mut self, bytes: &[u8]) -> Result<()> {
        for chunk in bytes.chunks(protocol::MAX_CHUNK) {
            self.queue(Kind::Stdin, chunk);
        }
        self.flush().await
    }

    /// No more input: closes the process's standard input (a terminal gets its end-of-file character).
    pub async fn eof(&mut self) -> Result<()> {
        self.send(Kind::StdinEof, &[]).await
    }

    pub async fn resize(&mut self, columns: u16, rows: u16) -> Result<()> {
        let frame = protocol::resize_frame((columns, rows));
        self.send(Kind::Resize, &frame[protocol::HEADER..]).await
    }

    pub async fn signal(&mut self, signal: i32) -> Result<()> {
        self.send(Kind::Signal, &signal.to_le_bytes()).await
    }

    /// Makes this client the one whose input counts.
    pub async fn take_over(&mut self) -> Result<()> {
        self.send(Kind::Writer, &[]).await
    }

    async fn send(&mut self, kind: Kind, payload: &[u8]) -> Result<()> {
        self.queue(kind, payload);
        self.flush().await
    }

    fn queue(&mut self, kind: Kind, payload: &[u8]) {
        self.pending.extend_from_slice(&protocol::header(kind, payload.len()));
        self.pending.extend_from_slice(payload);
    }

    async fn flush(&mut self) -> Result<()> {
        while !self.pending.is_empty() {
            match self.stream.write(&self.pending).await {
                Ok(count) => self.pending.advance(count),
                Err(e) if matches!(e.kind(), std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset) => {
                    return Err(Error::Lost(String::new()));
                }
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }
}
