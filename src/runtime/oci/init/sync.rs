//! The talk between a new process and its creator: what was reached, what went wrong, and "go on".

use crate::runtime::init::report::{During, failure};
use crate::runtime::protocol::{Failure, FailureKind};
use crate::sys::pty;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Largest message; a failure's chain is a few lines.
const MAX: usize = 64 << 10;

#[derive(Debug)]
pub enum Message {
    /// The master of a new terminal, as a descriptor.
    Terminal,
    /// The tree that comes along is to have its ids mapped, as the mount with that number says. The answer is "go on".
    Map(u16),
    /// Everything is mounted, nothing is entered: the moment of the runtime's hooks.
    Mounted,
    /// The process with that number is there, and its helper has done.
    Cloned(i32),
    /// Set up; only the program is missing.
    Ready,
    /// The next thing is execve: the end of the connection means that it worked.
    Executing,
    Failed(Failure),
}

/// Best effort: when the other side is gone there is nobody to tell.
pub fn send(socket: BorrowedFd<'_>, message: &Message, fd: Option<BorrowedFd<'_>>) {
    let bytes = match message {
        Message::Terminal => b"T".to_vec(),
        Message::Map(number) => [b"I".as_slice(), &number.to_ne_bytes()].concat(),
        Message::Cloned(pid) => [b"C".as_slice(), &pid.to_ne_bytes()].concat(),
        Message::Mounted => b"M".to_vec(),
        Message::Ready => b"R".to_vec(),
        Message::Executing => b"X".to_vec(),
        Message::Failed(failure) => [b"F".to_vec(), serde_json::to_vec(failure).unwrap_or_default()].concat(),
    };
    let _ = pty::send(socket, &bytes, fd);
}

/// `None`: the other side closed its end.
pub fn receive(socket: BorrowedFd<'_>) -> Result<Option<(Message, Option<OwnedFd>)>, Failure> {
    let mut bytes = vec![0; MAX];
    let (length, fd) = pty::receive(socket, &mut bytes).during("reading the container's report")?;
    let message = match bytes[..length].split_first() {
        None => return Ok(None),
        Some((b'T', _)) => Message::Terminal,
        Some((b'I', &[low, high])) => Message::Map(u16::from_ne_bytes([low, high])),
        Some((b'C', &[a, b, c, d])) => Message::Cloned(i32::from_ne_bytes([a, b, c, d])),
        Some((b'M', _)) => Message::Mounted,
        Some((b'R', _)) => Message::Ready,
        Some((b'X', _)) => Message::Executing,
        Some((b'F', json)) => Message::Failed(
            serde_json::from_slice(json)
                .map_err(|e| failure(FailureKind::Internal, format!("the container's report: {e}")))?,
        ),
        Some((other, _)) => return Err(failure(FailureKind::Internal, format!("unknown report {other}"))),
    };
    Ok(Some((message, fd)))
}

/// Lets the other side go on.
pub fn go(socket: BorrowedFd<'_>) {
    // Who is gone already says so at its end of the connection.
    let _ = pty::send(socket, b"G", None);
}

/// Lets a new process go on, and tells it its number here.
pub fn tell_pid(socket: BorrowedFd<'_>, pid: i32) {
    let _ = pty::send(socket, &pid.to_ne_bytes(), None);
}

/// Waits for [`tell_pid`].
pub fn await_pid(socket: BorrowedFd<'_>) -> Result<i32, Failure> {
    let mut bytes = [0; 4];
    match pty::receive(socket, &mut bytes).during("waiting for the runtime")? {
        (4, _) => Ok(i32::from_ne_bytes(bytes)),
        _ => Err(failure(FailureKind::Internal, "the runtime died while the process was set up")),
    }
}

/// Waits for [`go`]; the creator's death ends the attempt.
pub fn await_go(socket: BorrowedFd<'_>) -> Result<(), Failure> {
    match pty::receive(socket, &mut [0; 1]).during("waiting for the runtime")? {
        (1, _) => Ok(()),
        _ => Err(failure(FailureKind::Internal, "the runtime died while the container was set up")),
    }
}
