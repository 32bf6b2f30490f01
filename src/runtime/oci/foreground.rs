//! A process in the foreground of its caller: signals are passed on, a terminal is carried to and fro, the end becomes
//! an exit code.

use super::notify::Relay;
use super::{Outcome, internal};
use crate::runtime::init::report::During;
use crate::sys::console::{self, RawMode};
use crate::sys::poll::{self, Epoll, Interest, Signals};
use crate::sys::process::{self, Ended};
use crate::sys::pty;
use std::io::{IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};

const SIGWINCH: i32 = 28;
const SIGCHLD: i32 = 17;
/// What reaches the process: everything a terminal, a shell or a service manager sends.
const FORWARDED: [i32; 12] = [1, 2, 3, 6, 10, 12, 14, 15, 18, 23, SIGWINCH, SIGCHLD];

mod token {
    pub const PROCESS: u64 = 0;
    pub const SIGNALS: u64 = 1;
    pub const INPUT: u64 = 2;
    pub const TERMINAL: u64 = 3;
    pub const READINESS: u64 = 4;
}

/// Signals that come from now on wait until [`Foreground::accompany`] takes them.
pub struct Foreground {
    signals: Signals,
}

impl Foreground {
    pub fn new() -> Outcome<Foreground> {
        Ok(Foreground { signals: Signals::of(&FORWARDED).during("taking signals")? })
    }

    /// Until the process ends (a terminal's words go to `out`): its exit code, 128 and the number for a signal. The process must be a child.
    pub fn accompany(
        self,
        pidfd: &OwnedFd,
        terminal: Option<OwnedFd>,
        relay: Option<Relay>,
        out: &mut dyn Write,
    ) -> Outcome<u8> {
        let epoll = Epoll::new().during("waiting")?;
        epoll.add(pidfd, token::PROCESS, Interest::READ).during("waiting")?;
        epoll.add(&self.signals, token::SIGNALS, Interest::READ).during("waiting")?;
        if let Some(relay) = &relay {
            epoll.add(relay, token::READINESS, Interest::READ).during("waiting")?;
        }
        let stdin = std::io::stdin();
        let _raw = match &terminal {
            Some(master) => {
                resize(master);
                epoll.add(master, token::TERMINAL, Interest::READ).during("waiting")?;
                // A file as input is nothing to wait for, and a terminal without input has none.
                let _ = epoll.add(stdin.as_fd(), token::INPUT, Interest::READ);
                stdin.is_terminal().then(RawMode::enter_for_input).transpose().during("setting the terminal")?
            }
            None => None,
        };
        let mut ready = Vec::new();
        let mut buffer = vec![0; 16 << 10];
        loop {
            epoll.wait(&mut ready, None).during("waiting")?;
            let mut ended = false;
            for event in &ready {
                if let Some(relay) = relay.as_ref().filter(|_| event.token == token::READINESS) {
                    // The runtime stays, and is itself the process to watch.
                    relay.pass_on(None)?;
                }
                match (event.token, &terminal) {
                    (token::PROCESS, _) => ended = true,
                    (token::SIGNALS, master) => self.pass_on(pidfd, master.as_ref()),
                    (token::INPUT, Some(master)) if !input(master, &mut buffer)? => {
                        epoll.remove(stdin.as_fd()).during("waiting")?;
                    }
                    (token::TERMINAL, Some(master)) if !output(master, &mut buffer, out)? => {
                        epoll.remove(master).during("waiting")?;
                    }
                    _ => {}
                }
            }
            if ended {
                break;
            }
        }
        if let Some(master) = &terminal {
            // What it said last is still in the terminal.
            let _ = poll::set_nonblocking(master);
            while output(master, &mut buffer, out)? {}
        }
        match process::wait_pidfd(pidfd.as_fd(), true).during("waiting for the process")? {
            Some(Ended::Code(code)) => Ok(u8::try_from(code).unwrap_or(255)),
            Some(Ended::Signal(signal)) => Ok(u8::try_from(128 + signal).unwrap_or(255)),
            None => Err(internal("the process ended in an unknown way")),
        }
    }

    fn pass_on(&self, pidfd: &OwnedFd, terminal: Option<&OwnedFd>) {
        while let Some(signal) = self.signals.next() {
            match (signal, terminal) {
                (SIGCHLD, _) => {}
                (SIGWINCH, Some(master)) => resize(master),
                // It may have ended just now.
                _ => drop(process::pidfd_signal(pidfd, signal)),
            }
        }
    }
}

fn resize(master: &OwnedFd) {
    if let Some((columns, rows)) = console::window_size() {
        // A terminal that is gone needs no size.
        let _ = pty::resize(master.as_fd(), columns, rows);
    }
}

/// False at the end of the input.
fn input(master: &OwnedFd, buffer: &mut [u8]) -> Outcome<bool> {
    let count = match poll::read_some(std::io::stdin(), buffer).during("reading stdin")? {
        None => return Ok(true),
        Some(0) => return Ok(false),
        Some(count) => count,
    };
    let mut rest = &buffer[..count];
    while !rest.is_empty() {
        match poll::write_some(master, rest) {
            Ok(written) => rest = &rest[written..],
            Err(_) => return Ok(false),
        }
    }
    Ok(true)
}

/// False when nobody has the terminal any more, or nothing is there.
fn output(master: &OwnedFd, buffer: &mut [u8], out: &mut dyn Write) -> Outcome<bool> {
    let count = poll::read_some(master, buffer).during("reading the terminal")?.unwrap_or(0);
    // A reader that went away does not end the container.
    let _ = out.write_all(&buffer[..count]).and_then(|()| out.flush());
    Ok(count > 0)
}
