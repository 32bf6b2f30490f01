//! A process on its way to its command, as its monitor sees it.
//!
//! A further process is among the container's from its birth, and they can stop it (SIGSTOP) or slow its lookups down. What
//! they do to it must not befall the monitor: it goes on with everything else, and hears of the process when there is news.

use super::report::{self, Heard, Message, failure};
use super::{Child, streams};
use crate::runtime::protocol::{Failure, FailureKind};
use crate::sys::poll;
use crate::sys::process::{self, Ended};
use crate::sys::told::Told;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// Dropped before its command runs, it is killed (and not waited for).
pub struct Underway {
    pid: i32,
    /// `None`: the command runs, and both are handed on.
    own: Option<(OwnedFd, streams::ParentIo)>,
    socket: OwnedFd,
    master: Option<OwnedFd>,
    ready: bool,
    killed: bool,
    /// How it did, as far as its monitor knows.
    ended: Option<Ended>,
    /// As long as this is its helper: whom that has cloned.
    told: Option<Told>,
}

/// So long the end of a killed helper is waited for. A process of a group that is frozen does not end at all.
const ENDING: Duration = Duration::from_millis(50);

impl Underway {
    pub(super) fn new(pid: i32, pidfd: OwnedFd, socket: OwnedFd, io: streams::ParentIo) -> Self {
        let own = Some((pidfd, io));
        Underway { pid, own, socket, master: None, ready: false, killed: false, ended: None, told: None }
    }

    /// Of the helper that is going to clone it.
    pub(super) fn of_helper(pid: i32, pidfd: OwnedFd, socket: OwnedFd, io: streams::ParentIo, told: Told) -> Self {
        let mut underway = Underway::new(pid, pidfd, socket, io);
        underway.told = Some(told);
        underway
    }

    /// As the caller's pid namespace sees it.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Readable when there is news.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// What has become of it: its command runs, or it failed; `None`: neither yet. `ended`: how it did, if it was reaped.
    pub fn news(&mut self, ended: Option<Ended>) -> Option<Result<Child, Failure>> {
        self.ended = ended.or(self.ended);
        self.hear(false)
    }

    /// Waits until the command runs.
    pub fn wait(mut self) -> Result<Child, Failure> {
        let silent = || Err(failure(FailureKind::Internal, "the process was started already"));
        let outcome = self.hear(true).unwrap_or_else(silent);
        if outcome.is_err() {
            self.end();
        }
        outcome
    }

    /// Whoever takes its place is killed as well.
    pub fn kill(&mut self) {
        self.killed = true;
        if let Some((pidfd, _)) = &self.own {
            let _ = process::pidfd_signal(pidfd, 9);
        }
    }

    /// Kills it and waits for its end: never leave half a container behind.
    pub(super) fn end(self) {
        if let Some((pidfd, _)) = &self.own {
            super::end(pidfd);
        }
    }

    pub(super) fn go(&self) {
        report::send_go(&self.socket);
    }

    fn hear(&mut self, wait: bool) -> Option<Result<Child, Failure>> {
        loop {
            match report::hear(&self.socket, wait) {
                Ok(Heard::Message(Message::Cloned(pid), Some(pidfd))) => {
                    self.take_up(pid, pidfd);
                }
                Ok(Heard::Message(Message::Cloned(_), None)) => {
                    return Some(Err(failure(FailureKind::Internal, "the new process came without a handle")));
                }
                Ok(Heard::Message(Message::Network, _)) => {
                    return Some(Err(failure(FailureKind::Internal, "the init made a network namespace unasked")));
                }
                Ok(Heard::Message(Message::Terminal, fd)) => self.master = fd,
                Ok(Heard::Message(Message::Ready, _)) => self.ready = true,
                Ok(Heard::Message(Message::Failed(failure), _)) | Err(failure) => return Some(Err(failure)),
                Ok(Heard::End) if self.ready => return self.complete(),
                Ok(Heard::End) => return Some(Err(self.died())),
                Ok(Heard::Nothing) => return None,
            }
        }
    }

    /// The process itself, which waits for its monitor, takes its helper's place.
    fn take_up(&mut self, pid: i32, pidfd: OwnedFd) {
        self.pid = pid;
        self.told = None;
        // Who has ended, if anybody, was the helper.
        self.ended = None;
        if let Some((own, _)) = &mut self.own {
            *own = pidfd;
        }
        if self.killed {
            self.kill();
        } else {
            self.go();
        }
    }

    fn complete(&mut self) -> Option<Result<Child, Failure>> {
        let (pidfd, io) = self.own.take()?;
        let io = match io.complete(self.master.take()) {
            Ok(io) => io,
            Err(failure) => {
                let _ = process::pidfd_signal(&pidfd, 9);
                return Some(Err(failure));
            }
        };
        Some(Ok(Child { pid: self.pid, pidfd, io, mounts: None, ended: self.ended }))
    }

    /// It died on the way: out of memory under a small limit, or killed by somebody.
    fn died(&self) -> Failure {
        let reaped =
            || self.own.as_ref().and_then(|(pidfd, _)| process::wait_pidfd(pidfd.as_fd(), true).ok().flatten());
        died(self.ended.or_else(reaped))
    }
}

/// What is told of a process that ended too early.
pub(super) fn died(ended: Option<Ended>) -> Failure {
    let how = match ended {
        Some(Ended::Signal(s)) => format!("was killed by signal {s}"),
        Some(Ended::Code(c)) => format!("ended with {c}"),
        None => "ended".to_owned(),
    };
    let mut failure = failure(FailureKind::Internal, format!("the process {how} before its command ran"));
    failure.hint = Some("a memory limit below 1 MiB leaves no room to set the container up".into());
    failure
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.kill();
        if let (Some(_), Some((helper, _))) = (&self.told, &self.own) {
            let _ = poll::wait_end(helper, ENDING);
        }
        // Who is to be killed may have been cloned by then, with the news of it still unread.
        while let Ok(Heard::Message(message, fd)) = report::hear(&self.socket, false) {
            if let (Message::Cloned(pid), Some(pidfd)) = (message, fd) {
                self.take_up(pid, pidfd);
            }
        }
        // Or never sent: killed between the two, and stopped by the container's processes it would stay for ever.
        if let Some(pid) = self.told.take().map(|told| told.number()).filter(|pid| *pid > 0)
            && let Ok(pidfd) = process::pidfd_open(pid)
            // A child of ours, so that it is the one.
            && let Ok(None) = process::wait_pidfd(pidfd.as_fd(), false)
        {
            let _ = process::pidfd_signal(&pidfd, 9);
        }
    }
}
