//! A connection to a message bus: its address, who we are, calls and signals.

use super::wire::{self, Message, Reader, Target, Value};
use std::io::{self, ErrorKind, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::{Duration, Instant};

/// A manager that is silent for so long will not answer.
const PATIENCE: Duration = Duration::from_secs(30);
const BUS: Target<'_> =
    Target { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };
/// Longest line of the greeting.
const MAX_LINE: usize = 1024;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("'{0}' is not the address of a bus")]
    Address(String),
    #[error("connecting to the bus at {address}: {source}")]
    Connect { address: String, source: io::Error },
    #[error("talking to the bus: {0}")]
    Talk(#[from] io::Error),
    #[error("the bus does not accept this user: {0}")]
    Denied(String),
    #[error("{0}")]
    Malformed(wire::Malformed),
    /// The answer to a call: the error's name, and its words.
    #[error("{member}: {words}")]
    Refused { member: String, name: String, words: String },
    #[error("the bus did not answer {0} within {limit} s", limit = PATIENCE.as_secs())]
    Silent(String),
}

impl From<wire::Malformed> for Error {
    fn from(e: wire::Malformed) -> Error {
        Error::Malformed(e)
    }
}

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug)]
pub struct Bus {
    stream: UnixStream,
    serial: u32,
    /// Signals that came while an answer was waited for.
    signals: Vec<Message>,
}

impl Bus {
    /// `address`: as `$DBUS_SYSTEM_BUS_ADDRESS` has it; the first of several that can be reached.
    pub fn connect(address: &str) -> Result<Bus> {
        let mut failed = Error::Address(address.to_owned());
        for one in address.split(';').filter(|one| !one.is_empty()) {
            match open(one) {
                Ok(stream) => return Bus::greet(stream),
                Err(e) => failed = e,
            }
        }
        Err(failed)
    }

    /// The kernel tells the bus who we are. No number is named: in a user namespace it would be another one there.
    fn greet(stream: UnixStream) -> Result<Bus> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut bus = Bus { stream, serial: 0, signals: Vec::new() };
        bus.stream.write_all(b"\0AUTH EXTERNAL\r\n")?;
        if bus.line()?.starts_with("DATA") {
            bus.stream.write_all(b"DATA\r\n")?;
        } else {
            return Err(Error::Denied("it knows no EXTERNAL".into()));
        }
        let answer = bus.line()?;
        if !answer.starts_with("OK ") {
            return Err(Error::Denied(answer));
        }
        bus.stream.write_all(b"BEGIN\r\n")?;
        bus.call(BUS, "Hello", &[])?;
        Ok(bus)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") && line.len() < MAX_LINE {
            let mut byte = [0];
            self.stream.read_exact(&mut byte)?;
            line.push(byte[0]);
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// The body of the answer.
    pub fn call(&mut self, target: Target<'_>, member: &str, arguments: &[Value]) -> Result<Vec<u8>> {
        self.serial += 1;
        let serial = self.serial;
        self.stream.write_all(&wire::call(serial, target, member, arguments))?;
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let message = self.receive(member)?;
            match message.kind {
                wire::RETURN if message.reply_to == Some(serial) => return Ok(message.body),
                wire::ERROR if message.reply_to == Some(serial) => {
                    let words = Reader::new(&message.body).text().unwrap_or_else(|_| message.error.clone());
                    return Err(Error::Refused { member: member.to_owned(), name: message.error, words });
                }
                wire::SIGNAL => self.signals.push(message),
                _ => {}
            }
        }
        Err(Error::Silent(member.to_owned()))
    }

    /// Signals of that kind are heard from now on.
    pub fn listen(&mut self, rule: &str) -> Result<()> {
        self.call(BUS, "AddMatch", &[Value::Text(rule.to_owned())]).map(drop)
    }

    /// The next signal with that name.
    pub fn signal(&mut self, member: &str) -> Result<Message> {
        let end = Instant::now() + PATIENCE;
        loop {
            while !self.signals.is_empty() {
                let signal = self.signals.remove(0);
                if signal.member == member {
                    return Ok(signal);
                }
            }
            if Instant::now() >= end {
                return Err(Error::Silent(member.to_owned()));
            }
            let message = self.receive(member)?;
            if message.kind == wire::SIGNAL {
                self.signals.push(message);
            }
        }
    }

    fn receive(&mut self, awaited: &str) -> Result<Message> {
        let mut head = [0; wire::HEAD];
        let silent = |e: io::Error| match e.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Silent(awaited.to_owned()),
            _ => Error::Talk(e),
        };
        self.stream.read_exact(&mut head).map_err(silent)?;
        let mut bytes = head.to_vec();
        bytes.resize(wire::length(&head)?, 0);
        self.stream.read_exact(&mut bytes[wire::HEAD..]).map_err(silent)?;
        Ok(wire::read(&bytes)?)
    }
}

fn open(address: &str) -> Result<UnixStream> {
    let wrong = || Error::Address(address.to_owned());
    let pairs = address.strip_prefix("unix:").ok_or_else(wrong)?.split(',').filter_map(|pair| pair.split_once('='));
    let known = |name: &str| ["path", "abstract"].contains(&name);
    let (kind, value) = pairs.clone().find(|(name, _)| known(name)).ok_or_else(wrong)?;
    let value = unescape(value).ok_or_else(wrong)?;
    let failed = |source| Error::Connect { address: address.to_owned(), source };
    let place = if kind == "abstract" { SocketAddr::from_abstract_name(value) } else { path(&value) };
    UnixStream::connect_addr(&place.map_err(failed)?).map_err(failed)
}

fn path(bytes: &[u8]) -> io::Result<SocketAddr> {
    use std::os::unix::ffi::OsStrExt;
    SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(bytes))
}

/// `%2f` and the like.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut out = parts.next()?.as_bytes().to_vec();
    for part in parts {
        out.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        out.extend(&part.as_bytes()[2..]);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(unescape("/run/a%20b").unwrap(), b"/run/a b");
        assert!(unescape("%").is_none() && unescape("%zz").is_none());
        for wrong in ["", "tcp:host=x", "unix:", "unix:dir=/x"] {
            assert!(matches!(Bus::connect(wrong), Err(Error::Address(_))), "{wrong}");
        }
        let missing = Bus::connect("unix:path=/nonexistent/bus").unwrap_err();
        assert!(missing.to_string().contains("/nonexistent/bus"), "{missing}");
    }
}
