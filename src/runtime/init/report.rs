//! What a child tells its monitor on the way to its command, and how errors become a chain people can read.

use crate::runtime::protocol::{Failure, FailureKind};
use crate::sys::{self, pty};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Largest report; a failure's chain is a few lines.
const MAX: usize = 64 << 10;
/// Stands for the call where the standard library does not say which one failed.
const STD: &str = "io";

#[derive(Debug)]
pub(super) enum Message {
    /// The process is there, under this number and behind this descriptor; its helper has done.
    Cloned(i32),
    /// It is in a network namespace of its own, which comes as a descriptor.
    Network,
    /// The master of the new terminal, as a descriptor.
    Terminal,
    /// The next thing is execve: the end of the connection means that it worked.
    Ready,
    Failed(Failure),
}

/// Best effort: when the monitor is gone there is nobody to tell.
pub(super) fn send(socket: &OwnedFd, message: &Message, fd: Option<BorrowedFd<'_>>) {
    let bytes = match message {
        Message::Cloned(pid) => [b"C".as_slice(), &pid.to_ne_bytes()].concat(),
        Message::Network => b"N".to_vec(),
        Message::Terminal => b"T".to_vec(),
        Message::Ready => b"R".to_vec(),
        Message::Failed(failure) => {
            let mut bytes = b"F".to_vec();
            bytes.extend(serde_json::to_vec(failure).unwrap_or_default());
            bytes
        }
    };
    let _ = pty::send(socket.as_fd(), &bytes, fd);
}

/// The monitor knows of this process, and has written down what has to be written down before it goes on.
pub(super) fn send_go(socket: &OwnedFd) {
    // A child that is gone already says so at its end of the connection.
    let _ = pty::send(socket.as_fd(), b"G", None);
}

/// Waits for [`send_go`]. A monitor that dies before must not leave a container that nobody knows.
pub(super) fn await_go(socket: &OwnedFd) -> Result<(), Failure> {
    let (length, _) = pty::receive(socket.as_fd(), &mut [0; 1]).during("waiting for the monitor")?;
    if length == 1 {
        Ok(())
    } else {
        Err(failure(FailureKind::Internal, "the monitor died while the container started"))
    }
}

/// What comes from a child.
pub(super) enum Heard {
    Message(Message, Option<OwnedFd>),
    /// It closed its end.
    End,
    /// Not yet anything.
    Nothing,
}

/// The next report; with `wait` something comes in any case.
pub(super) fn hear(socket: &OwnedFd, wait: bool) -> Result<Heard, Failure> {
    let mut bytes = vec![0; MAX];
    let got = match wait {
        true => pty::receive(socket.as_fd(), &mut bytes).map(Some),
        false => pty::receive_now(socket.as_fd(), &mut bytes),
    };
    let Some((length, fd)) = got.during("reading the init's report")? else { return Ok(Heard::Nothing) };
    let message = match bytes[..length].split_first() {
        None => return Ok(Heard::End),
        Some((b'C', &[a, b, c, d])) => Message::Cloned(i32::from_ne_bytes([a, b, c, d])),
        Some((b'N', _)) => Message::Network,
        Some((b'T', _)) => Message::Terminal,
        Some((b'R', _)) => Message::Ready,
        Some((b'F', json)) => Message::Failed(
            serde_json::from_slice(json)
                .map_err(|e| failure(FailureKind::Internal, format!("the init's report: {e}")))?,
        ),
        Some((other, _)) => return Err(failure(FailureKind::Internal, format!("unknown report {other} of the init"))),
    };
    Ok(Heard::Message(message, fd))
}

/// A failure with one line.
pub(in crate::runtime) fn failure(kind: FailureKind, message: impl Into<String>) -> Failure {
    Failure { kind, chain: vec![message.into()], hint: None }
}

/// Says what was being done when something failed.
pub(in crate::runtime) trait During<T> {
    fn during(self, what: &str) -> Result<T, Failure>;
}

impl<T> During<T> for sys::Result<T> {
    fn during(self, what: &str) -> Result<T, Failure> {
        self.map_err(|e| Failure { kind: kind_of(&e), chain: vec![what.to_owned(), text(&e)], hint: None })
    }
}

impl<T> During<T> for std::io::Result<T> {
    fn during(self, what: &str) -> Result<T, Failure> {
        self.map_err(|e| sys::Error::new(STD, e)).during(what)
    }
}

fn kind_of(error: &sys::Error) -> FailureKind {
    use std::io::ErrorKind;
    match error.source.kind() {
        ErrorKind::PermissionDenied => FailureKind::Denied,
        ErrorKind::NotFound => FailureKind::NotFound,
        ErrorKind::Unsupported => FailureKind::Unsupported,
        _ => FailureKind::Internal,
    }
}

/// The kernel's words in lower case and without the number.
pub(in crate::runtime) fn text(error: &sys::Error) -> String {
    let words = words(&error.source);
    match &error.path {
        None if error.call == STD => words,
        Some(path) => format!("{} {}: {words}", error.call, path.display()),
        None => format!("{}: {words}", error.call),
    }
}

pub(in crate::runtime) fn words(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
