//! Sessions with a process: attach, exec, and the foreground of run; one pump moves bytes both ways.

use super::{Error, ErrorKind, JobContext, Output, Result, pause};
use crate::engine::context::SessionIo;
use crate::engine::inventory::ContainerEntry;
use crate::engine::job::{Chunk, Input};
use crate::engine::request::{AttachArgs, ExecArgs};
use crate::model::container::{ExitStatus, Status};
use crate::model::id::{ContainerId, ExecId};
use crate::runtime::protocol::{ExecSpec, FailureKind};
use crate::runtime::task::{self, Attach, Session, SessionReader, SessionWriter};
use tokio::sync::mpsc;

/// How a session was left.
pub(super) enum End {
    Exited(ExitStatus),
    Detached,
}

impl From<End> for Output {
    fn from(end: End) -> Output {
        match end {
            End::Exited(exit) => Output::Exited { code: exit.code, oom: exit.oom },
            End::Detached => Output::Detached,
        }
    }
}

pub(super) async fn attach(cx: &mut JobContext, args: AttachArgs) -> Result<Output> {
    // A container without an input has nobody who types into it.
    let stdin = args.stdin && (args.exec.is_some() || cx.core.container(&args.container)?.container.config.open_stdin);
    let wanted = Attach {
        exec: args.exec.as_ref().map(|e| e.as_str().to_owned()),
        stdin,
        replay: args.replay,
        size: args.size,
        lossless: false,
    };
    let (container, session) = if args.start && !cx.core.container(&args.container)?.state.status.is_live() {
        let container = cx.core.container(&args.container)?.container;
        let attach = Attach { lossless: true, ..wanted };
        let started = super::start::launch(&cx.core, &container, Some(attach)).await;
        let started = started.map_err(|e| e.during(format!("starting container {}", args.container)))?;
        let session = started.session.ok_or_else(|| Error::new(ErrorKind::Internal, "the monitor gave no session"))?;
        (container.id, session)
    } else {
        let entry = pause::running(&cx.core, &args.container)?;
        let session = cx.core.task(&entry.container.id).attach(wanted).await;
        let session = session.map_err(|e| refused(cx, &entry, e).during(format!("attaching to {}", args.container)))?;
        (entry.container.id, session)
    };
    let end = pump(cx, &container, session).await?;
    cx.touch_container(&container);
    Ok(end.into())
}

pub(super) async fn exec(cx: &mut JobContext, args: ExecArgs) -> Result<Output> {
    let entry = pause::running(&cx.core, &args.container)?;
    let id = ExecId::random();
    let spec = ExecSpec {
        id: id.as_str().to_owned(),
        args: args.command,
        env: args.env,
        user: args.user,
        workdir: args.workdir,
        tty: args.tty,
        stdin: args.stdin,
        detach: args.detach,
        privileged: args.privileged,
        size: args.size,
    };
    let task = cx.core.task(&entry.container.id);
    let started = tokio::select! {
        biased;
        // The container may hold it up for ever.
        () = cx.cancel.cancelled() => return Err(Error::cancelled()),
        started = task.exec(spec) => started,
    };
    let during = format!("executing in container {}", args.container);
    let started = started.map_err(|e| not_executed(cx, &entry, e).during(during))?;
    cx.touch_container(&entry.container.id);
    let Some(session) = started else { return Ok(Output::ExecStarted(id)) };
    let end = pump(cx, &entry.container.id, session).await?;
    cx.touch_container(&entry.container.id);
    Ok(end.into())
}

/// Moves bytes between the front end and the process until it ends or the front end leaves.
pub(super) async fn pump(cx: &mut JobContext, container: &ContainerId, session: Session) -> Result<End> {
    let SessionIo { input, output } = cx.io.take().ok_or_else(|| {
        Error::new(ErrorKind::Internal, "this job has no streams").because("a session was asked for twice")
    })?;
    let main = session.exec.is_none();
    let exec = session.exec.clone().and_then(|id| ExecId::try_from(id).ok());
    let opened = Chunk::Opened { container: container.clone(), exec, tty: session.tty };
    if output.send(opened).await.is_err() {
        return Ok(End::Detached);
    }
    tokio::select! {
        biased;
        () = cx.cancel.cancelled() => Ok(End::Detached),
        end = outward(cx, container, main, session.reader, output) => end,
        () = inward(input, session.writer) => Ok(End::Detached),
    }
}

/// Returns when the front end detaches. Without a front end to listen to it waits: output may still flow.
async fn inward(mut input: mpsc::Receiver<Input>, mut writer: SessionWriter) {
    while let Some(input) = input.recv().await {
        let sent = match input {
            Input::Bytes(bytes) => writer.stdin(&bytes).await,
            Input::Eof => writer.eof().await,
            Input::Resize { cols, rows } => writer.resize(cols, rows).await,
            Input::Signal(number) => writer.signal(number).await,
            Input::Detach => return,
        };
        if sent.is_err() {
            break;
        }
    }
    // Dropping the writer would close the connection's other half too early for some output to arrive.
    let _kept = writer;
    std::future::pending().await
}

async fn outward(
    cx: &JobContext,
    container: &ContainerId,
    main: bool,
    mut reader: SessionReader,
    output: mpsc::Sender<Chunk>,
) -> Result<End> {
    loop {
        let chunk = match reader.next().await {
            Ok(Some(task::Output::Exit(exit))) => return Ok(End::Exited(exit)),
            Ok(Some(task::Output::Stdout(bytes))) => Chunk::Stdout(bytes),
            Ok(Some(task::Output::Stderr(bytes))) => Chunk::Stderr(bytes),
            Ok(Some(task::Output::Console(bytes))) => Chunk::Console(bytes),
            Ok(Some(task::Output::Screen(bytes))) => Chunk::Screen(bytes),
            Ok(Some(task::Output::Gap(bytes))) => Chunk::Gap(bytes),
            Ok(Some(task::Output::Writer(true))) => continue,
            Ok(Some(task::Output::Writer(false))) => {
                Chunk::Notice("somebody else types into this session; you are watching".into())
            }
            Ok(None) => return lost(cx, container, main),
            Err(e) => return Err(Error::from(e).during("in the session")),
        };
        if output.send(chunk).await.is_err() {
            return Ok(End::Detached);
        }
    }
}

/// The connection ended without an exit status: the monitor was killed, or the container ended at that moment.
fn lost(cx: &JobContext, container: &ContainerId, main: bool) -> Result<End> {
    let state = cx.core.read_state(container.as_str());
    cx.touch_container(container);
    match state.exit {
        Some(exit) if main && !state.status.is_live() && !exit.unknown => Ok(End::Exited(exit)),
        _ => Err(monitor_gone(state.status)),
    }
}

fn monitor_gone(status: Status) -> Error {
    let error = Error::new(ErrorKind::Unavailable, "the session was lost");
    match status {
        Status::Orphaned => error
            .because("the container's monitor was killed")
            .hint("the container runs on without it: `teu restart` starts it anew, `teu stop` ends it"),
        _ => error.because("the container has ended"),
    }
}

/// Why a command was not executed. Docker's rule: whatever the container's side refuses, an unknown user for one, is
/// a command that cannot be executed (126), unless the command is what is missing (127).
fn not_executed(cx: &JobContext, entry: &ContainerEntry, error: task::Error) -> Error {
    let container_said = match &error {
        task::Error::Failed(failure) => !matches!(failure.kind, FailureKind::CommandNotFound | FailureKind::Conflict),
        _ => false,
    };
    let error = refused(cx, entry, error);
    if container_said { error.with_kind(ErrorKind::CommandNotExecutable) } else { error }
}

/// Why no session could be opened, seen after it has failed.
fn refused(cx: &JobContext, entry: &ContainerEntry, error: task::Error) -> Error {
    if !matches!(error, task::Error::Gone(_) | task::Error::Lost(_)) {
        return error.into();
    }
    let state = cx.core.read_state(entry.container.id.as_str());
    cx.touch_container(&entry.container.id);
    monitor_gone(state.status)
}
