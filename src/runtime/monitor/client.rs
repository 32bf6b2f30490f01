//! One connected client: what it has sent but is not yet whole, and what waits to be sent, within bounds.

use crate::runtime::protocol::{self, Decoder, Kind, Reply};
use crate::sys::poll::{Epoll, Interest};
use bytes::BytesMut;
use serde::Serialize;
use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Output that may wait for one client.
const MAX_QUEUED: usize = 256 << 10;

/// The least length of a gap.
const GAP: Duration = Duration::from_millis(100);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Has not said yet.
    Greeting,
    /// Sees a session, by its number.
    Viewer {
        session: u32,
        stdin: bool,
        lossless: bool,
    },
    /// Waits for the end of a stop, or of the container.
    Stop,
    Wait,
    /// Waits until a process of its own runs.
    Starts,
    /// Closed once everything has gone out.
    Closing,
}

pub(super) struct Client {
    pub id: u32,
    pub role: Role,
    /// Columns and rows of its window.
    pub size: Option<(u16, u16)>,
    pub stream: UnixStream,
    pub decoder: Decoder,
    /// Its input waits because the process does not read.
    pub held: bool,
    /// The other side has closed its sending direction, or all.
    pub input_closed: bool,
    pub gone: bool,
    queue: VecDeque<(Kind, Vec<u8>)>,
    /// Bytes of the first frame in the queue that went out.
    sent: usize,
    queued: usize,
    /// Bytes of output skipped since the queue was full; more is skipped until it has taken what it has, and a while
    /// has passed: each gap ends with a repaint, which a flood must not be charged for too often.
    pub gap: u64,
    pub gap_until: Option<Instant>,
    armed: Interest,
    /// The monitor outlives the container for what this client has not yet taken.
    pub patient: bool,
}

/// What reading has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Got {
    Bytes,
    Nothing,
    End,
}

impl Client {
    pub fn new(id: u32, stream: UnixStream, received: BytesMut) -> Client {
        Client {
            id,
            role: Role::Greeting,
            size: None,
            stream,
            decoder: Decoder { buffer: received },
            held: false,
            input_closed: false,
            gone: false,
            queue: VecDeque::new(),
            sent: 0,
            queued: 0,
            gap: 0,
            gap_until: None,
            armed: Interest::READ,
            patient: false,
        }
    }

    pub fn views(&self, session: u32) -> bool {
        matches!(self.role, Role::Viewer { session: s, .. } if s == session) && !self.gone
    }

    /// Nothing more fits: a lossless client's session must wait.
    pub fn is_full(&self) -> bool {
        self.queued >= MAX_QUEUED
    }

    pub fn is_drained(&self) -> bool {
        self.queue.is_empty()
    }

    /// Reads what is there, once.
    pub fn read(&mut self, buffer: &mut [u8]) -> Got {
        match self.stream.read(buffer) {
            Ok(0) => Got::End,
            Ok(count) => {
                self.decoder.buffer.extend_from_slice(&buffer[..count]);
                Got::Bytes
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Got::Nothing,
            Err(_) => {
                self.gone = true;
                Got::End
            }
        }
    }

    pub fn reply(&mut self, reply: &Reply) {
        self.json(Kind::Reply, reply);
    }

    pub fn json<T: Serialize>(&mut self, kind: Kind, value: &T) {
        // Our own types always serialise.
        if let Ok(frame) = protocol::json_frame(kind, value) {
            self.push(kind, frame);
        }
    }

    /// A frame that is never skipped.
    pub fn frame(&mut self, kind: Kind, payload: &[u8]) {
        self.push(kind, protocol::frame(kind, payload));
    }

    /// Output: sent at once when nothing waits, kept while there is room, else skipped (never for a lossless client).
    pub fn output(&mut self, kind: Kind, bytes: &[u8]) {
        if self.gone {
            return;
        }
        if self.gap > 0 {
            self.gap += bytes.len() as u64;
            return;
        }
        let header = protocol::header(kind, bytes.len());
        let whole = header.len() + bytes.len();
        let sent = if self.queue.is_empty() { self.try_write(&header, bytes) } else { 0 };
        if sent == whole || self.gone {
            return;
        }
        self.queue.push_back((kind, protocol::frame(kind, bytes)));
        self.queued += whole;
        if sent > 0 {
            self.sent = sent;
        }
        if self.queued > MAX_QUEUED && !matches!(self.role, Role::Viewer { lossless: true, .. }) {
            self.skip();
        }
    }

    /// Drops the output that waits, but for a frame that is half sent.
    fn skip(&mut self) {
        let mut first = self.sent > 0;
        let gap = &mut self.gap;
        self.queue.retain(|(kind, frame)| {
            let keep = std::mem::take(&mut first)
                || !matches!(kind, Kind::Console | Kind::Stdout | Kind::Stderr | Kind::Screen | Kind::Gap);
            if !keep {
                *gap += match kind {
                    Kind::Gap => frame.last_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)),
                    Kind::Screen => 0,
                    _ => (frame.len() - protocol::HEADER) as u64,
                };
            }
            keep
        });
        self.gap_until = Some(Instant::now() + GAP);
        self.queued = self.queue.iter().map(|(_, frame)| frame.len()).sum();
    }

    /// The end of a gap: how much was skipped, and for a terminal the screen as it is now.
    pub fn end_gap(&mut self, screen: Option<&[u8]>) {
        let gap = std::mem::take(&mut self.gap);
        self.gap_until = None;
        self.frame(Kind::Gap, &gap.to_le_bytes());
        if let Some(screen) = screen {
            self.frame(Kind::Screen, screen);
        }
    }

    fn push(&mut self, kind: Kind, frame: Vec<u8>) {
        self.queued += frame.len();
        self.queue.push_back((kind, frame));
        self.flush();
    }

    fn try_write(&mut self, header: &[u8], bytes: &[u8]) -> usize {
        match self.stream.write_vectored(&[IoSlice::new(header), IoSlice::new(bytes)]) {
            Ok(count) => count,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            Err(_) => {
                self.gone = true;
                0
            }
        }
    }

    /// Sends what waits, as far as it goes.
    pub fn flush(&mut self) {
        while let Some((_, frame)) = self.queue.front() {
            match self.stream.write(&frame[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.gone = true;
                    return;
                }
            }
            if self.sent == frame.len() {
                self.queued -= frame.len();
                self.sent = 0;
                self.queue.pop_front();
            }
        }
        self.queue.shrink_to(4);
    }

    /// Watches for what this client can do now.
    pub fn arm(&mut self, epoll: &Epoll, token: u64) {
        let write = if self.gap > 0 && self.queue.is_empty() {
            self.gap_until.is_none_or(|at| at <= Instant::now())
        } else {
            !self.queue.is_empty()
        };
        let wanted = Interest { read: !self.held && !self.input_closed, write };
        if wanted != self.armed && epoll.modify(&self.stream, token, wanted).is_ok() {
            self.armed = wanted;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Client, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Client::new(1, ours, BytesMut::new()), theirs)
    }

    fn receive(mut from: &UnixStream, client: &mut Client) -> Vec<(Kind, usize)> {
        from.set_nonblocking(true).unwrap();
        let (mut decoder, mut buffer, mut found) = (Decoder::default(), vec![0; 1 << 16], Vec::new());
        loop {
            client.flush();
            match from.read(&mut buffer) {
                Ok(count) => decoder.buffer.extend_from_slice(&buffer[..count]),
                Err(_) if client.is_drained() => return found,
                Err(_) => {}
            }
            while let Some(frame) = decoder.next().unwrap() {
                found.push((frame.kind, frame.payload.len()));
            }
        }
    }

    #[test]
    fn a_slow_client_loses_output_but_no_reply_and_its_queue_stays_bounded() {
        let (mut client, theirs) = pair();
        client.role = Role::Viewer { session: 0, stdin: false, lossless: false };
        client.reply(&Reply::Done);
        for _ in 0..1000 {
            client.output(Kind::Console, &[b'x'; 10_000]);
            assert!(client.queued <= MAX_QUEUED + 10_005);
        }
        client.frame(Kind::Writer, &[1]);
        assert!(client.gap > 0);
        let gap = client.gap;
        let got = receive(&theirs, &mut client);
        assert_eq!(got[0].0, Kind::Reply);
        assert_eq!(got.last(), Some(&(Kind::Writer, 1)));
        let shown: usize = got.iter().filter(|(kind, _)| *kind == Kind::Console).map(|(_, n)| n).sum();
        assert_eq!(shown as u64 + gap, 10_000_000);
    }

    #[test]
    fn a_lossless_client_loses_nothing() {
        let (mut client, theirs) = pair();
        client.role = Role::Viewer { session: 0, stdin: false, lossless: true };
        while !client.is_full() {
            client.output(Kind::Stdout, &[b'x'; 10_000]);
        }
        client.output(Kind::Stdout, b"last");
        assert_eq!(client.gap, 0);
        assert_eq!(receive(&theirs, &mut client).last(), Some(&(Kind::Stdout, 4)));
    }

    #[test]
    fn a_client_that_left_is_noticed() {
        let (mut client, theirs) = pair();
        drop(theirs);
        client.output(Kind::Stdout, b"x");
        assert!(client.gone);
    }
}
