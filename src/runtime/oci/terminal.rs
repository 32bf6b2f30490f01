//! Where a process's terminal goes, and how the caller learns the process's number: for `create` and for `exec`.

use super::{Outcome, container, invalid};
use crate::runtime::init::report::During;
use crate::sys::channel;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// The connection to whoever takes the terminal. `terminal`: the process has one; `kept`: the caller itself takes it.
pub fn console(socket: Option<&Path>, terminal: bool, kept: bool) -> Outcome<Option<UnixStream>> {
    match socket {
        Some(path) if terminal => {
            let what = format!("connecting to the console socket {}", path.display());
            UnixStream::connect(path).during(&what).map(Some)
        }
        Some(_) => Err(invalid("cannot use console socket if the runtime will not detach or allocate tty")),
        None if terminal && !kept => {
            Err(invalid("cannot allocate tty if the runtime will detach without setting console socket"))
        }
        None => Ok(None),
    }
}

/// The connection to whoever wants a handle of the process.
pub fn watcher(socket: Option<&Path>) -> Outcome<Option<UnixStream>> {
    let connect =
        |path: &Path| UnixStream::connect(path).during(&format!("connecting to the pidfd socket {}", path.display()));
    socket.map(connect).transpose()
}

pub fn give_pidfd(watcher: Option<UnixStream>, pidfd: &OwnedFd) -> Outcome<()> {
    let Some(watcher) = watcher else { return Ok(()) };
    channel::send_fd(&watcher, b"pidfd", pidfd.as_fd()).map(drop).during("sending the pidfd to its socket")
}

/// Gives the terminal away if somebody waits for it, then writes the number. Returns the terminal that is left.
pub fn hand_over(
    console: Option<UnixStream>,
    master: Option<OwnedFd>,
    pid_file: Option<&Path>,
    pid: i32,
) -> Outcome<Option<OwnedFd>> {
    let left = match (console, master) {
        (Some(console), Some(master)) => {
            channel::send_fd(&console, b"/dev/ptmx", master.as_fd()).during("sending the terminal to its socket")?;
            None
        }
        (_, master) => master,
    };
    if let Some(file) = pid_file {
        container::replace(file, pid.to_string().as_bytes())?;
    }
    Ok(left)
}
