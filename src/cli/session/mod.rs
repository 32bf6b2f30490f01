//! A session on this terminal or pipe: bytes both ways, resize, detach keys, signals, and the process's exit code.

mod signals;
mod stdin;

use super::detach::DetachKeys;
use super::report;
use crate::engine::job::{Chunk, Input, JobIo};
use crate::engine::{JobHandle, Output, Result};
use crate::engine::{RawMode, window_size};
use crate::model::id::ContainerId;
use signals::Signals;
use std::io::{IsTerminal, Write};
use tokio::sync::mpsc;

/// Told once which container the session is in.
pub(super) type Opened = Box<dyn FnOnce(&ContainerId) -> Result<()> + Send>;

/// How to behave at our own end.
pub(super) struct Session {
    /// Pass stdin on.
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
    /// A terminal inside was asked for (an attach learns it when the session opens).
    pub tty: bool,
    pub sig_proxy: bool,
    pub keys: DetachKeys,
    /// Called once with the container's id when the session is open.
    pub opened: Option<Opened>,
}

/// Why a session ended.
pub(super) enum End {
    Outcome(Output),
    /// A signal ended teu itself: the exit code that goes with it.
    Killed(u8),
}

struct Ends<'a> {
    session: &'a mut Session,
    input: mpsc::Sender<Input>,
    typed: Option<mpsc::Receiver<stdin::Read>>,
    raw: Option<RawMode>,
    open: bool,
    broken_pipe: bool,
}

/// Carries bytes until the process has ended or the session was left.
pub(super) async fn drive(mut handle: JobHandle, mut session: Session) -> Result<End> {
    let Some(JobIo { input, mut output }) = handle.io.take() else {
        return handle.outcome().await.map(End::Outcome);
    };
    let mut signals = Signals::listen();
    let mut outcome = Box::pin(handle.outcome());
    let mut ends = Ends { session: &mut session, input, typed: None, raw: None, open: false, broken_pipe: false };
    let result = loop {
        tokio::select! {
            biased;
            chunk = output.recv() => match chunk {
                Some(chunk) => ends.show(chunk).await?,
                None => break outcome.await,
            },
            result = &mut outcome => {
                while let Ok(chunk) = output.try_recv() {
                    ends.show(chunk).await?;
                }
                break result;
            }
            read = stdin::next(&mut ends.typed) => ends.pass_on(read).await,
            signal = signals.next() => if let Some(code) = ends.signal(signal, &handle).await {
                return Ok(End::Killed(code));
            },
        }
        if ends.broken_pipe {
            // Whoever read our output is gone: leave, as a program killed by SIGPIPE would.
            let _ = ends.input.send(Input::Detach).await;
            return Ok(End::Killed(128 + signals::PIPE));
        }
    };
    let was_raw = ends.raw.take().is_some();
    if was_raw && matches!(result, Ok(Output::Detached)) {
        report::err("read escape sequence\n");
    }
    result.map(End::Outcome)
}

impl Ends<'_> {
    async fn show(&mut self, chunk: Chunk) -> Result<()> {
        match chunk {
            Chunk::Opened { container, tty, .. } => return self.opened(&container, tty).await,
            Chunk::Stdout(bytes) | Chunk::Console(bytes) | Chunk::Screen(bytes) => {
                self.write(&bytes, self.session.stdout, true)
            }
            Chunk::Stderr(bytes) => self.write(&bytes, self.session.stderr, false),
            Chunk::Gap(bytes) => self.note(&format!("{bytes} bytes of output were skipped: this end read too slowly")),
            Chunk::Notice(text) => self.note(&text),
            Chunk::LogOlder { .. } | Chunk::Log(_) | Chunk::LogCaughtUp | Chunk::Stats(_) | Chunk::Event(_) => {}
        }
        Ok(())
    }

    async fn opened(&mut self, container: &ContainerId, tty: bool) -> Result<()> {
        self.open = true;
        if let Some(opened) = self.session.opened.take() {
            opened(container)?;
        }
        self.session.tty = tty;
        if tty && self.session.stdin && std::io::stdin().is_terminal() {
            self.raw = RawMode::enter().ok();
        }
        if tty {
            self.resize().await;
        }
        if self.session.stdin {
            self.typed = Some(stdin::start());
        }
        Ok(())
    }

    async fn resize(&self) {
        if let Some((cols, rows)) = window_size() {
            let _ = self.input.send(Input::Resize { cols, rows }).await;
        }
    }

    fn write(&mut self, bytes: &[u8], wanted: bool, to_stdout: bool) {
        if !wanted {
            return;
        }
        let written = match to_stdout {
            true => {
                let mut stdout = std::io::stdout().lock();
                stdout.write_all(bytes).and_then(|()| stdout.flush())
            }
            false => std::io::stderr().lock().write_all(bytes),
        };
        self.broken_pipe |= written.is_err();
    }

    fn note(&self, text: &str) {
        let end = if self.raw.is_some() { "\r\n" } else { "\n" };
        report::err(&format!("teu: {text}{end}"));
    }

    async fn pass_on(&mut self, read: stdin::Read) {
        let message = match read {
            stdin::Read::End => {
                self.typed = None;
                Input::Eof
            }
            // Keys can only be meant for us when a person types them.
            stdin::Read::Bytes(bytes) if self.raw.is_some() => {
                let typed = self.session.keys.feed(&bytes);
                if !typed.bytes.is_empty() {
                    let _ = self.input.send(Input::Bytes(typed.bytes.into())).await;
                }
                match typed.detach {
                    true => Input::Detach,
                    false => return,
                }
            }
            stdin::Read::Bytes(bytes) => Input::Bytes(bytes),
        };
        let _ = self.input.send(message).await;
    }

    /// The exit code when the signal ends us.
    async fn signal(&mut self, number: i32, handle: &JobHandle) -> Option<u8> {
        if number == signals::WINDOW {
            if self.session.tty {
                self.resize().await;
            }
            return None;
        }
        if !self.open {
            // Nothing runs yet that could be signalled: what is under way is undone.
            if signals::is_deadly(number) {
                handle.cancel();
            }
            return None;
        }
        if self.session.sig_proxy && !self.session.tty {
            let _ = self.input.send(Input::Signal(number)).await;
            return None;
        }
        if !signals::is_deadly(number) {
            return None;
        }
        let _ = self.input.send(Input::Detach).await;
        Some(128 + u8::try_from(number).unwrap_or(0))
    }
}
