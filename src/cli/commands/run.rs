//! Verbs that stand for a process: run, exec, attach, start, and create.

use super::Context;
use crate::cli::args::{Args, misuse, wrong};
use crate::cli::create::{create_args, environment};
use crate::cli::detach::DetachKeys;
use crate::cli::session::{End, Opened, Session, drive};
use crate::cli::{progress, report};
use crate::engine::request::{AttachArgs, ExecArgs, RunArgs, Targets};
use crate::engine::window_size;
use crate::engine::{Error, ErrorKind, JobHandle, Output, Request, Result};
use crate::model::id::ContainerId;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

/// The streams of `-a`; without it all that make sense.
struct Streams {
    stdin: bool,
    stdout: bool,
    stderr: bool,
}

fn streams(args: Args, interactive: bool) -> Result<Streams> {
    let chosen = args.texts("attach");
    if chosen.is_empty() {
        return Ok(Streams { stdin: interactive, stdout: true, stderr: true });
    }
    let mut streams = Streams { stdin: false, stdout: false, stderr: false };
    for name in chosen {
        match name.to_ascii_lowercase().as_str() {
            "stdin" => streams.stdin = true,
            "stdout" => streams.stdout = true,
            "stderr" => streams.stderr = true,
            _ => return Err(wrong("attach", name, "there are STDIN, STDOUT and STDERR")),
        }
    }
    Ok(streams)
}

/// `None` when all is well, else docker's complaint and its exit code 1.
fn refuse_without_terminal(stdin: bool, tty: bool) -> Option<u8> {
    (stdin && tty && !std::io::stdin().is_terminal()).then(|| {
        report::err("teu: the input device is not a TTY\nhint: leave out -t when stdin is a pipe or a file\n");
        1
    })
}

pub(super) async fn run(cx: &Context<'_>) -> Result<u8> {
    let args = cx.args;
    let create = create_args(args)?;
    let detach = args.on("detach");
    if detach && args.given("attach") {
        return Err(misuse("conflicting options: --attach and --detach cannot both be set"));
    }
    let keys = DetachKeys::parse(args.text("detach-keys"))?;
    let streams = streams(args, create.config.open_stdin)?;
    let (stdin, tty) = (streams.stdin && !detach, create.config.tty);
    if let Some(code) = refuse_without_terminal(stdin, tty) {
        return Ok(code);
    }
    let cidfile = CidFile::wanted(args)?;
    let size = if tty { window_size() } else { None };
    let handle = cx.engine.submit(Request::Run(Box::new(RunArgs { create, detach, stdin, size })));
    let shown = progress::alongside(&handle, args.on("quiet"));
    let write_id = cidfile.map(|file| -> Opened { Box::new(move |id| file.write(id)) });
    if detach {
        let output = cx.finish(handle).await;
        shown.end().await;
        return created(output?, write_id);
    }
    let opened: Opened = Box::new(move |id| {
        shown.end_now();
        write_id.map_or(Ok(()), |write| write(id))
    });
    let (stdout, stderr) = (streams.stdout, streams.stderr);
    let sig_proxy = args.on("sig-proxy");
    let session = Session { stdin, stdout, stderr, tty, sig_proxy, keys, opened: Some(opened) };
    session_code(cx, handle, session).await
}

pub(super) async fn create(cx: &Context<'_>) -> Result<u8> {
    let create = create_args(cx.args)?;
    let cidfile = CidFile::wanted(cx.args)?;
    let handle = cx.engine.submit(Request::Create(Box::new(create)));
    let shown = progress::alongside(&handle, cx.args.on("quiet"));
    let output = cx.finish(handle).await;
    shown.end().await;
    created(output?, cidfile.map(|file| move |id: &ContainerId| file.write(id)))
}

/// The id on stdout, warnings on stderr.
fn created(output: Output, write_id: Option<impl FnOnce(&ContainerId) -> Result<()>>) -> Result<u8> {
    if let Output::Container { id, warnings } = output {
        for warning in warnings {
            report::err(&format!("WARNING: {warning}\n"));
        }
        if let Some(write) = write_id {
            write(&id)?;
        }
        report::out(&format!("{id}\n"));
    }
    Ok(0)
}

/// `--cidfile`: made before the container, so that nothing runs when it cannot be; removed when nothing came of it.
struct CidFile {
    path: PathBuf,
    file: std::fs::File,
    written: bool,
}

impl CidFile {
    fn wanted(args: Args) -> Result<Option<CidFile>> {
        let Some(path) = args.text("cidfile").map(PathBuf::from) else { return Ok(None) };
        match std::fs::File::create_new(&path) {
            Ok(file) => Ok(Some(CidFile { path, file, written: false })),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(Error::new(ErrorKind::Conflict, format!("the container id file {} exists", path.display()))
                    .hint("make sure its container is not running, or delete the file"))
            }
            Err(e) => {
                let during = format!("making the container id file {}", path.display());
                Err(Error::from_source(ErrorKind::Invalid, during, &e))
            }
        }
    }

    fn write(mut self, id: &ContainerId) -> Result<()> {
        let written = self.file.write_all(id.as_str().as_bytes());
        self.written = written.is_ok();
        let during = || format!("writing the id to {}", self.path.display());
        written.map_err(|e| Error::from_source(ErrorKind::Invalid, during(), &e))
    }
}

impl Drop for CidFile {
    fn drop(&mut self) {
        if !self.written {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

pub(super) async fn exec(cx: &Context<'_>) -> Result<u8> {
    let args = cx.args;
    let words = args.owned("words");
    let (container, command) = words.split_first().ok_or_else(|| misuse("a container is needed"))?;
    if command.is_empty() {
        return Err(misuse("a command is needed").hint("teu exec -it CONTAINER sh"));
    }
    let (tty, detach) = (args.on("tty"), args.on("detach"));
    let stdin = args.on("interactive") && !detach;
    let keys = DetachKeys::parse(args.text("detach-keys"))?;
    if let Some(code) = refuse_without_terminal(stdin, tty) {
        return Ok(code);
    }
    let request = Request::Exec(Box::new(ExecArgs {
        container: container.clone(),
        command: command.to_vec(),
        env: environment(args)?,
        user: args.text("user").map(str::to_owned),
        workdir: args.text("workdir").map(str::to_owned),
        tty,
        stdin,
        detach,
        privileged: args.on("privileged"),
        size: if tty { window_size() } else { None },
    }));
    if detach {
        return cx.ask(request).await.map(|_| 0);
    }
    // Docker does not proxy signals to an exec: an interrupt ends the client.
    let session = Session { stdin, stdout: true, stderr: true, tty, sig_proxy: false, keys, opened: None };
    session_code(cx, cx.engine.submit(request), session).await
}

pub(super) async fn attach(cx: &Context<'_>) -> Result<u8> {
    let container = cx.names().pop().unwrap_or_default();
    attach_to(cx, container, !cx.args.on("no-stdin"), false).await
}

async fn attach_to(cx: &Context<'_>, container: String, stdin: bool, start: bool) -> Result<u8> {
    let keys = DetachKeys::parse(cx.args.text("detach-keys"))?;
    // `start` has no --sig-proxy flag: with -a it always proxies.
    let sig_proxy = start || cx.args.on("sig-proxy");
    let size = window_size();
    let request = Request::Attach(AttachArgs { container, exec: None, stdin, replay: !start, size, start });
    let session = Session { stdin, stdout: true, stderr: true, tty: false, sig_proxy, keys, opened: None };
    session_code(cx, cx.engine.submit(request), session).await
}

pub(super) async fn start(cx: &Context<'_>) -> Result<u8> {
    let mut names = cx.names();
    let (attach, interactive) = (cx.args.on("attach"), cx.args.on("interactive"));
    if !attach && !interactive {
        return cx.bulk(Request::Start(Targets { containers: names })).await;
    }
    match (names.pop(), names.is_empty()) {
        (Some(name), true) => attach_to(cx, name, interactive, true).await,
        _ => Err(misuse("one container at a time can be started and attached to")),
    }
}

async fn session_code(cx: &Context<'_>, handle: JobHandle, session: Session) -> Result<u8> {
    match drive(handle, session).await? {
        End::Outcome(Output::Exited { code, oom }) => {
            if oom {
                report::err("teu: killed by the kernel: out of memory, the limit is reached (-m sets it)\n");
            }
            Ok(code)
        }
        End::Outcome(_) => Ok(0),
        End::Killed(code) => {
            // What the session was told last (detach) must have left before the program does.
            cx.engine.clone().shutdown(std::time::Duration::from_millis(500)).await;
            Ok(code)
        }
    }
}
