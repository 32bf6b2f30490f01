//! A client's TCP connection to the resolver, and its budget: what it may have under way, and for how long.

use crate::sys::poll::{Epoll, Interest};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Connections at once.
pub(super) const MAX_STREAMS: usize = 32;
/// A connection on which nothing has come for so long is closed (RFC 7766: some seconds).
const IDLE: Duration = Duration::from_secs(10);
/// Questions of one connection under way at once; further ones wait unread.
const MAX_PENDING: usize = 16;
/// Answers waiting to be taken; while there are more, no further question is read.
const MAX_OUTPUT: usize = 128 << 10;

pub(super) struct Stream {
    /// Never used twice.
    pub id: u64,
    pub idle_until: Instant,
    /// Questions without an answer so far.
    pub pending: usize,
    socket: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    /// The client says no more.
    ended: bool,
    broken: bool,
    armed: Option<Interest>,
}

impl Stream {
    pub fn new(socket: TcpStream, id: u64, token: u64, now: Instant, epoll: &Epoll) -> Option<Stream> {
        socket.set_nonblocking(true).ok()?;
        // Answers are small, and nothing follows that they could wait for.
        let _ = socket.set_nodelay(true);
        epoll.add(&socket, token, Interest::READ).ok()?;
        Some(Stream {
            id,
            idle_until: now + IDLE,
            pending: 0,
            socket,
            input: Vec::new(),
            output: Vec::new(),
            ended: false,
            broken: false,
            armed: Some(Interest::READ),
        })
    }

    /// Reads once what there is, as much as two queries could be.
    pub fn fill(&mut self, now: Instant) {
        if !self.may_read() {
            return;
        }
        let mut buffer = [0; 2 * super::MAX_QUERY];
        match self.socket.read(&mut buffer) {
            Ok(0) => self.ended = true,
            Ok(count) => {
                self.input.extend_from_slice(&buffer[..count]);
                self.idle_until = now + IDLE;
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.broken = true,
        }
    }

    /// The next whole query, if one may be begun.
    pub fn next_query(&mut self) -> Option<Vec<u8>> {
        if self.is_busy() {
            return None;
        }
        let (head, rest) = self.input.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*head));
        if length > super::MAX_QUERY {
            self.broken = true;
            return None;
        }
        let query = rest.get(..length)?.to_vec();
        self.input.drain(..2 + length);
        Some(query)
    }

    pub fn push(&mut self, answer: &[u8]) {
        if let Ok(length) = u16::try_from(answer.len()) {
            self.output.extend_from_slice(&length.to_be_bytes());
            self.output.extend_from_slice(answer);
        }
    }

    pub fn flush(&mut self) {
        while !self.output.is_empty() {
            match self.socket.write(&self.output) {
                Ok(count) => drop(self.output.drain(..count)),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
                Err(_) => {
                    self.broken = true;
                    return;
                }
            }
        }
    }

    /// A whole query, or a part of one, is there.
    pub fn waits(&self) -> bool {
        !self.input.is_empty()
    }

    fn is_busy(&self) -> bool {
        self.pending >= MAX_PENDING || self.output.len() >= MAX_OUTPUT || self.broken
    }

    fn may_read(&self) -> bool {
        !self.ended && !self.is_busy() && self.input.len() <= 2 * super::MAX_QUERY
    }

    /// Has epoll watch for what can be done next. False: nothing can, it is to be closed.
    pub fn arm(&mut self, token: u64, epoll: &Epoll) -> bool {
        // Half a query after the end of all is worth nothing: waiting for its rest would be for ever.
        if self.broken || (self.ended && self.pending == 0 && self.output.is_empty()) {
            return false;
        }
        let wanted = Interest { read: self.may_read(), write: !self.output.is_empty() };
        // A hang-up is reported whatever is asked for: a socket that waits for an answer is not watched at all.
        let wanted = (wanted != Interest::NONE).then_some(wanted);
        let done = match (self.armed, wanted) {
            (before, after) if before == after => Ok(()),
            (None, Some(interest)) => epoll.add(&self.socket, token, interest),
            (Some(_), Some(interest)) => epoll.modify(&self.socket, token, interest),
            (_, None) => epoll.remove(&self.socket),
        };
        self.armed = wanted;
        done.is_ok()
    }
}
