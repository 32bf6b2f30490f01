//! A session: one process of the container (the main one, or an exec) with its streams, its kept screen and its input.

use super::screen::Screen;
use super::tokens;
use crate::model::container::{ExecState, ExitStatus};
use crate::model::log::Stream;
use crate::runtime::init::{Child, ChildIo};
use crate::runtime::protocol::Kind;
use crate::sys::poll::{self, Epoll, Interest};
use std::os::fd::OwnedFd;
use std::time::Instant;

/// Input that may wait for the process; then its client waits.
pub(super) const MAX_INPUT: usize = 64 << 10;
/// A window size nobody has given.
pub(super) const DEFAULT_SIZE: (u16, u16) = (80, 24);

/// One stream out of the process.
pub(super) struct Output {
    pub fd: OwnedFd,
    pub kind: Kind,
    pub token: u64,
    /// Not read now, because a lossless client is full.
    pub blocked: bool,
}

impl Output {
    pub fn log_stream(&self) -> Stream {
        if self.kind == Kind::Stderr { Stream::Stderr } else { Stream::Stdout }
    }
}

pub(super) struct Session {
    /// 0: the main process.
    pub id: u32,
    /// `None`: the main process.
    pub exec: Option<ExecState>,
    pub tty: bool,
    pub pid: i32,
    /// Until it has ended.
    pub pidfd: Option<OwnedFd>,
    /// The main process's mount namespace, until all have heard of its end.
    pub mounts: Option<OwnedFd>,
    /// Open outputs. A terminal is one, and takes the input as well.
    pub outputs: Vec<Output>,
    stdin: Option<OwnedFd>,
    stdin_token: u64,
    stdin_armed: bool,
    input: Vec<u8>,
    /// Close the input once it has gone through.
    input_ends: bool,
    pub screen: Option<Screen>,
    pub size: (u16, u16),
    /// The client whose input counts.
    pub writer: Option<u32>,
    /// Set when the process has ended; the session ends when its output is through too.
    pub exit: Option<ExitStatus>,
    /// No longer than this is waited for output of processes left behind.
    pub drain_until: Option<Instant>,
    /// The exit was told to all.
    pub over: bool,
    pub ended_at: Option<Instant>,
    /// When the window gets its true size back after a nudge.
    pub nudge_back: Option<Instant>,
}

impl Session {
    pub fn new(id: u32, exec: Option<ExecState>, child: Child, size: Option<(u16, u16)>, epoll: &Epoll) -> Session {
        let size = size.filter(|(c, r)| *c > 0 && *r > 0).unwrap_or(DEFAULT_SIZE);
        let mut session = Session {
            id,
            exec,
            tty: matches!(child.io, ChildIo::Terminal { .. }),
            pid: child.pid,
            pidfd: Some(child.pidfd),
            mounts: child.mounts,
            outputs: Vec::new(),
            stdin: None,
            stdin_token: tokens::stdin(id),
            stdin_armed: false,
            input: Vec::new(),
            input_ends: false,
            screen: None,
            size,
            writer: None,
            exit: None,
            drain_until: None,
            over: false,
            ended_at: None,
            nudge_back: None,
        };
        match child.io {
            ChildIo::Terminal { master } => {
                session.screen = Some(Screen::new(size.0, size.1));
                session.open(master, Kind::Console, 0, epoll);
            }
            ChildIo::Pipes { stdin, stdout, stderr } => {
                session.open(stdout, Kind::Stdout, 0, epoll);
                session.open(stderr, Kind::Stderr, 1, epoll);
                if let Some(stdin) = stdin
                    && poll::set_nonblocking(&stdin).is_ok()
                    && epoll.add(&stdin, session.stdin_token, Interest::NONE).is_ok()
                {
                    session.stdin = Some(stdin);
                }
            }
        }
        session
    }

    fn open(&mut self, fd: OwnedFd, kind: Kind, stream: u8, epoll: &Epoll) {
        let token = tokens::output(self.id, stream);
        if poll::set_nonblocking(&fd).is_ok() && epoll.add(&fd, token, Interest::READ).is_ok() {
            self.outputs.push(Output { fd, kind, token, blocked: false });
        }
    }

    /// The terminal, while it is open.
    pub fn terminal(&self) -> Option<&OwnedFd> {
        self.outputs.first().filter(|_| self.tty).map(|o| &o.fd)
    }

    /// Closes an output that has ended.
    pub fn close_output(&mut self, token: u64, epoll: &Epoll) {
        if let Some(at) = self.outputs.iter().position(|o| o.token == token) {
            let output = self.outputs.remove(at);
            let _ = epoll.remove(&output.fd);
        }
    }

    /// Stops or resumes reading the outputs.
    pub fn block(&mut self, blocked: bool, epoll: &Epoll) {
        for output in &mut self.outputs {
            if output.blocked != blocked {
                // A terminal is the input too: what still waits to go in must not be forgotten.
                let write = self.tty && self.stdin_armed;
                let interest = Interest { read: !blocked, write };
                if epoll.modify(&output.fd, output.token, interest).is_ok() {
                    output.blocked = blocked;
                }
            }
        }
    }

    /// True while there is no room for more input.
    pub fn input_is_full(&self) -> bool {
        self.input.len() >= MAX_INPUT
    }

    pub fn takes_input(&self) -> bool {
        self.exit.is_none() && !self.input_ends && (self.stdin.is_some() || self.terminal().is_some())
    }

    /// Input for the process, in order. Without an open stdin it is dropped, as the kernel would.
    pub fn push_input(&mut self, bytes: &[u8], epoll: &Epoll) {
        if self.takes_input() {
            self.input.extend_from_slice(bytes);
            self.pump_input(epoll);
        }
    }

    /// No more input will come.
    pub fn end_input(&mut self, epoll: &Epoll) {
        if let Some(terminal) = self.terminal() {
            let eof = poll::end_of_file_byte(terminal);
            self.push_input(&[eof], epoll);
        } else {
            self.input_ends = true;
            self.pump_input(epoll);
        }
    }

    /// Writes what the process takes now.
    pub fn pump_input(&mut self, epoll: &Epoll) {
        let mut done = 0;
        let mut broken = false;
        if let Some(fd) = self.stdin.as_ref().or(self.terminal()) {
            while done < self.input.len() {
                match poll::write_some(fd, &self.input[done..]) {
                    Ok(0) => break,
                    Ok(count) => done += count,
                    // Nobody reads it any more.
                    Err(_) => {
                        broken = true;
                        break;
                    }
                }
            }
        }
        self.input.drain(..done);
        if broken {
            self.input.clear();
        }
        if self.input.is_empty() {
            self.input.shrink_to(1024);
        }
        if self.stdin.is_some() && (broken || (self.input_ends && self.input.is_empty())) {
            self.close_input(epoll);
        }
        self.arm_input(epoll);
    }

    pub fn close_input(&mut self, epoll: &Epoll) {
        if let Some(stdin) = self.stdin.take() {
            let _ = epoll.remove(&stdin);
            self.input = Vec::new();
            self.stdin_armed = false;
        }
    }

    fn arm_input(&mut self, epoll: &Epoll) {
        let wanted = !self.input.is_empty();
        if wanted == self.stdin_armed {
            return;
        }
        let done = match (&self.stdin, self.outputs.first()) {
            (Some(stdin), _) => epoll.modify(stdin, self.stdin_token, Interest { read: false, write: wanted }),
            (None, Some(o)) if self.tty => epoll.modify(&o.fd, o.token, Interest { read: !o.blocked, write: wanted }),
            _ => return,
        };
        if done.is_ok() {
            self.stdin_armed = wanted;
        }
    }

    /// A new window size, for the process and the kept screen.
    pub fn resize(&mut self, (columns, rows): (u16, u16)) {
        if columns == 0 || rows == 0 || self.size == (columns, rows) {
            return;
        }
        self.size = (columns, rows);
        self.nudge_back = None;
        if let Some(terminal) = self.terminal() {
            let _ = poll::set_window(terminal, columns, rows);
        }
        if let Some(screen) = &mut self.screen {
            screen.resize(columns, rows);
        }
    }

    /// Bytes that repaint the kept screen. A full-screen program that was skipped is made to paint again.
    pub fn repaint(&mut self, now: Instant) -> Option<Vec<u8>> {
        let screen = self.screen.as_mut()?;
        let bytes = screen.repaint();
        let nudge = screen.wants_nudge();
        if nudge && let Some(terminal) = self.terminal() {
            let (columns, rows) = self.size;
            let _ = poll::set_window(terminal, columns, if rows > 1 { rows - 1 } else { rows + 1 });
            self.nudge_back = Some(now + std::time::Duration::from_millis(60));
        }
        Some(bytes)
    }

    /// Ends a nudge.
    pub fn restore_size(&mut self) {
        self.nudge_back = None;
        if let Some(terminal) = self.terminal() {
            let _ = poll::set_window(terminal, self.size.0, self.size.1);
        }
    }

    /// Drops everything that costs memory but is of no use after the end, the screen's last picture aside.
    pub fn close(&mut self, epoll: &Epoll) {
        self.close_input(epoll);
        self.input = Vec::new();
        self.pidfd = None;
        self.over = true;
    }
}
