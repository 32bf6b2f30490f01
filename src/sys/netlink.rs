//! Netlink sockets: requests that are acknowledged, dumps, and transactions of several messages. The payload is the
//! caller's business.

use super::{Error as Call, Result as CallResult, check};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// `struct nlmsghdr`: length, type, flags, sequence number, port.
const HEADER: usize = 16;
const ERROR: u16 = 2;
const DONE: u16 = 3;
pub const REQUEST: u16 = 1;
pub const ACK: u16 = 4;
pub const EXCL: u16 = 0x200;
pub const CREATE: u16 = 0x400;
pub const APPEND: u16 = 0x800;
pub const REPLACE: u16 = 0x100;
pub const DUMP: u16 = 0x300;
/// The error message carries no copy of the request, and may carry attributes with a text.
const CAPPED: u16 = 0x100;
const ACK_ATTRIBUTES: u16 = 0x200;
const ATTRIBUTE_TEXT: u16 = 1;

/// Which part of the kernel a socket talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Route,
    Netfilter,
    SockDiag,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Call(#[from] Call),
    /// The kernel's answer, with its own words where it has any.
    #[error("{}{}", std::io::Error::from_raw_os_error(*.errno), .text.as_ref().map(|t| format!(" ({t})")).unwrap_or_default())]
    Refused { errno: i32, text: Option<String> },
    #[error("an answer from netlink is cut short")]
    Cut,
}

impl Error {
    /// 0 when the kernel gave none.
    pub fn errno(&self) -> i32 {
        match self {
            Error::Call(e) => e.errno(),
            Error::Refused { errno, .. } => *errno,
            Error::Cut => 0,
        }
    }

    /// The thing asked for is there already.
    pub fn exists(&self) -> bool {
        self.errno() == libc::EEXIST
    }

    /// There is no such thing.
    pub fn missing(&self) -> bool {
        matches!(self.errno(), libc::ENOENT | libc::ENODEV | libc::ESRCH | libc::ENXIO | libc::EADDRNOTAVAIL)
    }

    /// This kernel has no such feature.
    pub fn unsupported(&self) -> bool {
        matches!(self.errno(), libc::EOPNOTSUPP | libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT)
    }

    pub fn invalid(&self) -> bool {
        self.errno() == libc::EINVAL
    }

    pub fn busy(&self) -> bool {
        self.errno() == libc::EBUSY
    }

    pub fn denied(&self) -> bool {
        matches!(self.errno(), libc::EPERM | libc::EACCES)
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
    sequence: u32,
    traffic: Traffic,
    buffer: Vec<u8>,
}

/// Several messages, sent together.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Where each message starts, and whether its refusal matters.
    starts: Vec<(usize, bool)>,
}

impl Batch {
    pub fn push(&mut self, kind: u16, flags: u16, payload: &[u8]) {
        self.add(kind, flags, payload, true);
    }

    /// One that may be refused.
    pub fn push_optional(&mut self, kind: u16, flags: u16, payload: &[u8]) {
        self.add(kind, flags, payload, false);
    }

    fn add(&mut self, kind: u16, flags: u16, payload: &[u8], matters: bool) {
        self.starts.push((self.bytes.len(), matters));
        let length = HEADER + payload.len();
        self.bytes.extend((length as u32).to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((flags | REQUEST).to_ne_bytes());
        self.bytes.extend([0; 8]);
        self.bytes.extend(payload);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// Asks for an answer to the message pushed last.
    pub fn acknowledge_last(&mut self) {
        if let Some(&(at, _)) = self.starts.last() {
            let flags = u16::from_ne_bytes([self.bytes[at + 6], self.bytes[at + 7]]) | ACK;
            self.bytes[at + 6..at + 8].copy_from_slice(&flags.to_ne_bytes());
        }
    }

    pub fn len(&self) -> usize {
        self.starts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The kind, flags and payload of each message, as they were pushed.
    pub fn messages(&self) -> impl Iterator<Item = (u16, u16, &[u8])> {
        self.starts.iter().map(|&(at, _)| {
            let length = word(&self.bytes, at).unwrap_or(0) as usize;
            let half = |at: usize| u16::from_ne_bytes([self.bytes[at], self.bytes[at + 1]]);
            (half(at + 4), half(at + 6), &self.bytes[at + HEADER..at + length])
        })
    }

    fn number(&mut self, first: u32) {
        for (n, &(at, _)) in self.starts.iter().enumerate() {
            self.bytes[at + 8..at + 12].copy_from_slice(&first.wrapping_add(n as u32).to_ne_bytes());
        }
    }
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
            enable(&fd, option)?;
        }
        Ok(Socket { fd, sequence: 1, traffic: Traffic::default(), buffer: vec![0; 1 << 15] })
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

    /// Asks for one thing, or with [`DUMP`] for all of a kind; the messages of the answer.
    pub fn query(&mut self, kind: u16, flags: u16, payload: &[u8]) -> Result<Vec<Message>> {
        let mut one = Batch::default();
        one.push(kind, if flags & DUMP == DUMP { flags } else { flags | ACK }, payload);
        self.send(&mut one)?;
        let mut found = Vec::new();
        self.answers(&one, |message| found.push(message))?;
        Ok(found)
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
        option(&self.fd, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, size)
            .or_else(|_| option(&self.fd, libc::SOL_SOCKET, libc::SO_SNDBUF, size))
    }

    /// Reads until all acknowledgements, refusals and ends of dumps have come that were asked for. The kernel answers before the
    /// send returns, so after a refusal (which may stand for the acknowledgement of a later message) only what is there is read.
    fn answers(&mut self, batch: &Batch, mut each: impl FnMut(Message)) -> Result<()> {
        // EXCL and REPLACE are the bits of DUMP, one each.
        let expected = |flags: u16| flags & ACK != 0 || flags & DUMP == DUMP;
        let mut left = batch.messages().filter(|(_, flags, _)| expected(*flags)).count();
        let first = word(&batch.bytes, 8).unwrap_or(0);
        let mut failure = None;
        while left > 0 {
            let length = match self.receive(failure.is_some())? {
                Some(length) => length,
                None => break,
            };
            let mut rest = &self.buffer[..length];
            while let Some(part) = split(rest) {
                rest = part.after;
                self.traffic.messages += 1;
                let place = part.sequence.wrapping_sub(first) as usize;
                let Some(&(_, matters)) = batch.starts.get(place) else {
                    continue; // the late answer of an earlier request that was given up
                };
                if part.kind != ERROR && part.kind != DONE {
                    each(Message { kind: part.kind, payload: part.payload.to_vec() });
                    continue;
                }
                if batch.messages().nth(place).is_some_and(|(_, flags, _)| expected(flags)) {
                    left = left.saturating_sub(1);
                }
                if let Some(refused) = refusal(&part).filter(|_| matters) {
                    failure.get_or_insert(refused);
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// One datagram into the buffer: its length; `None`: there is none and it is not waited for.
    fn receive(&mut self, only_there: bool) -> Result<Option<usize>> {
        let wait = if only_there { RecvFlags::DONTWAIT } else { RecvFlags::empty() };
        let received = rustix::io::retry_on_intr(|| {
            rustix::net::recv(&self.fd, self.buffer.as_mut_slice(), wait | RecvFlags::TRUNC)
        });
        match received {
            Ok((length, whole)) if whole > length => Err(Error::Cut),
            Ok((length, _)) => {
                self.traffic.bytes += length;
                Ok(Some(length))
            }
            Err(rustix::io::Errno::AGAIN) if only_there => Ok(None),
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

/// One message of a datagram, and what follows it.
struct Part<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    payload: &'a [u8],
    after: &'a [u8],
}

fn split(bytes: &[u8]) -> Option<Part<'_>> {
    let length = word(bytes, 0)? as usize;
    let payload = bytes.get(HEADER..length)?;
    let half = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
    let after = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some(Part { kind: half(4), flags: half(6), sequence: word(bytes, 8)?, payload, after })
}

/// An error message's payload (or the number at the end of a dump): a negated errno, the request's header, attributes.
fn refusal(part: &Part<'_>) -> Option<Error> {
    let errno = word(part.payload, 0)?.cast_signed().checked_neg()?;
    if errno <= 0 {
        return None;
    }
    let mut text = None;
    if part.kind == ERROR && part.flags & ACK_ATTRIBUTES != 0 {
        let copied = if part.flags & CAPPED != 0 { HEADER } else { word(part.payload, 4).unwrap_or(0) as usize };
        let mut rest = part.payload.get(4 + copied.next_multiple_of(4)..).unwrap_or_default();
        while let [l0, l1, k0, k1, ..] = *rest {
            let (length, kind) = (usize::from(u16::from_ne_bytes([l0, l1])), u16::from_ne_bytes([k0, k1]));
            let Some(value) = rest.get(4..length) else { break };
            if kind == ATTRIBUTE_TEXT {
                text = Some(String::from_utf8_lossy(value).trim_end_matches('\0').to_owned());
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
    Some(Error::Refused { errno, text })
}

fn enable(fd: &OwnedFd, name: libc::c_int) -> CallResult<()> {
    option(fd, libc::SOL_NETLINK, name, 1)
}

fn option(fd: &OwnedFd, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> CallResult<()> {
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the option's value is an int that outlives the call.
    let done = unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), size) };
    check("setsockopt", done)
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
