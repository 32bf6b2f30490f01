//! Netlink sockets: requests that are acknowledged, dumps, and transactions of several messages. The payload is the
//! caller's business.

mod answers;
mod batch;
mod error;

use super::port::set_option;
use super::{Error as Call, Result as CallResult};
use answers::Answers;
pub use batch::Batch;
pub use error::Error;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// `struct nlmsghdr`: length, type, flags, sequence number, port.
const HEADER: usize = 16;
pub const REQUEST: u16 = 1;
pub const ACK: u16 = 4;
pub const EXCL: u16 = 0x200;
pub const CREATE: u16 = 0x400;
pub const APPEND: u16 = 0x800;
pub const REPLACE: u16 = 0x100;
pub const DUMP: u16 = 0x300;
/// The kernel answers while it is asked: who hears nothing for so long waits for an answer that does not come.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a list is asked for that changes while it is read; from the fifth time on a little later each time.
const ATTEMPTS: u32 = 32;

/// Which part of the kernel a socket talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Route,
    Netfilter,
    SockDiag,
}

impl Family {
    fn word(self) -> &'static str {
        match self {
            Family::Route => "route",
            Family::Netfilter => "netfilter",
            Family::SockDiag => "socket",
        }
    }
}

pub type Result<T> = std::result::Result<T, Error>;

/// One message of an answer.
#[derive(Debug)]
pub struct Message {
    pub kind: u16,
    pub payload: Vec<u8>,
}

/// What went through a socket, both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub messages: usize,
    pub bytes: usize,
}

/// A socket of the network namespace it was opened in, whichever its user is in later.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    family: Family,
    patience: Duration,
    sequence: u32,
    traffic: Traffic,
    buffer: Vec<u8>,
}

impl Socket {
    pub fn open(family: Family) -> Result<Socket> {
        let protocol = match family {
            Family::Route => None, // NETLINK_ROUTE is 0
            Family::Netfilter => Some(netlink::NETFILTER),
            Family::SockDiag => Some(netlink::SOCK_DIAG),
        };
        let fd = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)
            .map_err(|e| Call::new("socket", e))?;
        rustix::net::bind(&fd, &netlink::SocketAddrNetlink::new(0, 0)).map_err(|e| Call::new("bind", e))?;
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK] {
            set_option(&fd, libc::SOL_NETLINK, option, 1)?;
        }
        let (traffic, buffer) = (Traffic::default(), vec![0; 1 << 15]);
        let mut socket = Socket { fd, family, patience: PATIENCE, sequence: 1, traffic, buffer };
        socket.set_patience(PATIENCE)?;
        Ok(socket)
    }

    fn set_patience(&mut self, patience: Duration) -> CallResult<()> {
        self.patience = patience;
        set_socket_timeout(&self.fd, Timeout::Recv, Some(patience)).map_err(|e| Call::new("setsockopt", e))
    }

    /// What went through it since it was opened.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Asks for one thing to be done.
    pub fn request(&mut self, kind: u16, flags: u16, payload: &[u8]) -> Result<()> {
        let mut one = Batch::default();
        one.push(kind, flags | ACK, payload);
        self.send(&mut one)?;
        self.answers(&one, |_| {})
    }

    /// Asks for one thing, or with [`DUMP`] for all of a kind; the messages of the answer. What changed while it was listed
    /// is listed again.
    pub fn query(&mut self, kind: u16, flags: u16, payload: &[u8]) -> Result<Vec<Message>> {
        let mut one = Batch::default();
        let dump = flags & DUMP == DUMP;
        one.push(kind, if dump { flags } else { flags | ACK }, payload);
        for attempt in 1.. {
            self.send(&mut one)?;
            let mut found = Vec::new();
            match self.answers(&one, |message| found.push(message)) {
                Err(Error::Lost | Error::Changing) if dump && attempt < ATTEMPTS => {}
                done => return done.map(|()| found),
            }
            std::thread::sleep(Duration::from_millis(u64::from(attempt.saturating_sub(4))));
        }
        Err(Error::Changing)
    }

    /// Sends all messages at once; each that has [`ACK`] among its flags is waited for. The first refusal that matters is
    /// returned, after all answers were read.
    pub fn send_all(&mut self, batch: &mut Batch) -> Result<()> {
        self.send(batch)?;
        self.answers(batch, |_| {})
    }

    fn send(&mut self, batch: &mut Batch) -> Result<()> {
        batch.number(self.sequence);
        self.sequence = self.sequence.wrapping_add(batch.len() as u32).max(1);
        if batch.bytes.len() > 1 << 16 {
            self.make_room(batch.bytes.len())?;
        }
        let sent = rustix::io::retry_on_intr(|| rustix::net::send(&self.fd, &batch.bytes, SendFlags::empty()))
            .map_err(|e| Call::new("send", e))?;
        self.traffic.messages += batch.len();
        self.traffic.bytes += sent;
        Ok(())
    }

    /// A large transaction is one datagram, and must fit the socket's buffer.
    fn make_room(&self, bytes: usize) -> CallResult<()> {
        let size = libc::c_int::try_from(bytes * 2).unwrap_or(libc::c_int::MAX);
        set_option(&self.fd, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, size)
            .or_else(|_| set_option(&self.fd, libc::SOL_SOCKET, libc::SO_SNDBUF, size))
    }

    /// Reads until all acknowledgements, refusals and ends of dumps have come that were asked for. The kernel answers before the
    /// send returns, so after a refusal (which may stand for the acknowledgement of a later message) only what is there is read.
    fn answers(&mut self, batch: &Batch, mut each: impl FnMut(Message)) -> Result<()> {
        let mut answers = Answers::to(batch);
        while answers.awaited() {
            match self.receive(answers.complete_so_far()) {
                Ok(Some(length)) => self.traffic.messages += answers.take(&self.buffer[..length], &mut each),
                Ok(None) => break,
                Err(Error::Lost) => answers.lost(),
                Err(e) => return Err(e),
            }
        }
        answers.outcome()
    }

    /// One datagram into the buffer: its length; `None`: there is none, and unless `wait` it is not waited for.
    fn receive(&mut self, wait: bool) -> Result<Option<usize>> {
        let how = if wait { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
        let received = rustix::io::retry_on_intr(|| {
            rustix::net::recv(&self.fd, self.buffer.as_mut_slice(), how | RecvFlags::TRUNC)
        });
        match received {
            Ok((length, whole)) if whole > length => Err(Error::Cut),
            Ok((length, _)) => {
                self.traffic.bytes += length;
                Ok(Some(length))
            }
            Err(rustix::io::Errno::AGAIN) if wait => Err(Error::Silent { family: self.family, limit: self.patience }),
            Err(rustix::io::Errno::AGAIN) => Ok(None),
            Err(rustix::io::Errno::NOBUFS) => Err(Error::Lost),
            Err(e) => Err(Call::new("recv", e).into()),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GETLINK: u16 = 18;

    /// `struct ifinfomsg` for the interface of that number.
    fn link(index: i32) -> Vec<u8> {
        let mut payload = vec![0; 16];
        payload[4..8].copy_from_slice(&index.to_ne_bytes());
        payload
    }

    #[test]
    fn asks_for_one_and_for_all() {
        let mut socket = Socket::open(Family::Route).unwrap();
        let one = socket.query(GETLINK, 0, &link(1)).unwrap();
        assert_eq!(one.len(), 1);
        assert!(one[0].payload.windows(3).any(|w| w == b"lo\0"));
        assert!(!socket.query(GETLINK, DUMP, &link(0)).unwrap().is_empty());
        assert!(socket.traffic().messages >= 4);
    }

    #[test]
    fn a_refusal_is_told_and_the_next_request_is_not_confused() {
        let mut socket = Socket::open(Family::Route).unwrap();
        let refused = socket.query(GETLINK, 0, &link(i32::MAX)).unwrap_err();
        assert!(refused.missing(), "{refused}");
        assert!(socket.query(GETLINK, 0, &[0; 3]).is_err());
        assert_eq!(socket.query(GETLINK, 0, &link(1)).unwrap().len(), 1);
    }

    #[test]
    fn an_answer_that_does_not_come_is_not_waited_for_without_end() {
        let mut socket = Socket::open(Family::Route).unwrap();
        socket.set_patience(Duration::from_millis(20)).unwrap();
        let mut never_sent = Batch::default();
        never_sent.push(GETLINK, ACK, &link(1));
        never_sent.number(1);
        let error = socket.answers(&never_sent, |_| {}).unwrap_err();
        assert_eq!(error.to_string(), "no answer from route netlink within 20ms");
        assert_eq!(socket.query(GETLINK, 0, &link(1)).unwrap().len(), 1);
    }

    /// A socket whose kernel is a thread of the test: it answers every request with the items and flags given, in turn.
    fn answered_by_hand(answers: &'static [(usize, u16)]) -> Socket {
        const DONE: u16 = 3;
        let (ours, theirs) = std::os::unix::net::UnixDatagram::pair().unwrap();
        std::thread::spawn(move || {
            let mut request = [0; 64];
            for (items, flags) in answers {
                theirs.recv(&mut request).unwrap();
                let mut all = vec![0u16; *items];
                all.push(DONE);
                for kind in all {
                    let mut message = 20u32.to_ne_bytes().to_vec();
                    message.extend(if kind == DONE { DONE } else { GETLINK }.to_ne_bytes());
                    message.extend(flags.to_ne_bytes());
                    message.extend(&request[8..12]);
                    message.extend([0; 8]);
                    theirs.send(&message).unwrap();
                }
            }
        });
        let (traffic, buffer) = (Traffic::default(), vec![0; 1 << 12]);
        Socket { fd: ours.into(), family: Family::Route, patience: PATIENCE, sequence: 1, traffic, buffer }
    }

    #[test]
    fn a_list_that_changed_meanwhile_is_asked_for_again() {
        const INTERRUPTED: u16 = 0x10;
        let mut socket = answered_by_hand(&[(5, INTERRUPTED), (2, 0), (0, INTERRUPTED), (1, 0)]);
        assert_eq!(socket.query(GETLINK, DUMP, &[]).unwrap().len(), 2);
        assert_eq!(socket.query(GETLINK, DUMP, &[]).unwrap().len(), 1);
        let mut never = answered_by_hand(&[(1, INTERRUPTED); ATTEMPTS as usize]);
        assert!(matches!(never.query(GETLINK, DUMP, &[]), Err(Error::Changing)));
    }

    #[test]
    fn only_what_was_asked_for_is_waited_for() {
        let mut socket = Socket::open(Family::Route).unwrap();
        let mut batch = Batch::default();
        for flags in [CREATE | EXCL, REPLACE, EXCL] {
            batch.push_optional(GETLINK, flags, &link(i32::MAX));
        }
        batch.push(GETLINK, ACK, &link(1));
        socket.send_all(&mut batch).unwrap();
    }

    #[test]
    fn a_batch_keeps_what_was_pushed() {
        let mut batch = Batch::default();
        batch.push(7, ACK, &[1, 2, 3]);
        batch.push(8, 0, &[4]);
        let seen: Vec<_> = batch.messages().collect();
        assert_eq!(seen, [(7, ACK | REQUEST, &[1, 2, 3][..]), (8, REQUEST, &[4][..])]);
    }
}
