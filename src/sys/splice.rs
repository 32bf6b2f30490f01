//! Bytes from one socket to another without passing through this process, and connections that are not waited for.

use super::{Error, Result};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use rustix::pipe::{PipeFlags, SpliceFlags};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// Begins a TCP connection, non-blocking: writable means made or failed, and [`TcpStream::take_error`] says which.
pub fn connect(to: SocketAddr) -> Result<TcpStream> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        rustix::net::socket_with(family, SocketType::STREAM, flags, None).map_err(|e| Error::new("socket", e))?;
    match rustix::net::connect(&socket, &to) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(socket.into()),
        Err(e) => Err(Error::new("connect", e)),
    }
}

/// Finds out when the other side's machine has gone without a word.
pub fn keep_alive(stream: &TcpStream) -> Result<()> {
    sockopt::set_socket_keepalive(stream, true).map_err(|e| Error::new("setsockopt", e))
}

/// Whether closing it resets the connection, so that the other side learns that something went wrong.
pub fn reset_on_close(stream: &TcpStream, on: bool) -> Result<()> {
    sockopt::set_socket_linger(stream, on.then_some(Duration::ZERO)).map_err(|e| Error::new("setsockopt", e))
}

/// Bytes on their way, held by the kernel.
#[derive(Debug)]
pub struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
    held: usize,
}

/// What one move has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    Bytes(usize),
    /// The source says no more.
    End,
    /// Nothing there, or no room.
    Nothing,
}

impl Pipe {
    /// At most so many bytes are taken in one go: what a pipe holds by default.
    const MOST: usize = 64 << 10;

    pub fn new() -> Result<Pipe> {
        let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
        let (out, into) = rustix::pipe::pipe_with(flags).map_err(|e| Error::new("pipe2", e))?;
        Ok(Pipe { out, into, held: 0 })
    }

    /// Bytes taken and not yet given.
    pub fn held(&self) -> usize {
        self.held
    }

    /// From the source; only when nothing is held, so that "nothing" means the source has none.
    pub fn take(&mut self, from: impl AsFd) -> Result<Moved> {
        if self.held > 0 {
            return Ok(Moved::Nothing);
        }
        let moved = splice(from, &self.into, Self::MOST)?;
        if let Moved::Bytes(count) = moved {
            self.held = count;
        }
        Ok(moved)
    }

    /// To the destination.
    pub fn give(&mut self, to: impl AsFd) -> Result<Moved> {
        if self.held == 0 {
            return Ok(Moved::Nothing);
        }
        let moved = splice(&self.out, to, self.held)?;
        if let Moved::Bytes(count) = moved {
            self.held -= count;
        }
        Ok(moved)
    }
}

fn splice(from: impl AsFd, to: impl AsFd, most: usize) -> Result<Moved> {
    match rustix::pipe::splice(from, None, to, None, most, SpliceFlags::MOVE | SpliceFlags::NONBLOCK) {
        Ok(0) => Ok(Moved::End),
        Ok(count) => Ok(Moved::Bytes(count)),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(Moved::Nothing),
        Err(e) => Err(Error::new("splice", e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    #[test]
    fn bytes_go_through_and_the_end_does() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connect = || {
            let near = connect(listener.local_addr().unwrap()).unwrap();
            (near, listener.accept().unwrap().0)
        };
        let ((from, mut writer), (to, mut reader)) = (connect(), connect());
        let mut pipe = Pipe::new().unwrap();
        assert_eq!(pipe.take(&from).unwrap(), Moved::Nothing);
        writer.write_all(b"through").unwrap();
        assert_eq!((pipe.take(&from).unwrap(), pipe.held()), (Moved::Bytes(7), 7));
        assert_eq!((pipe.give(&to).unwrap(), pipe.held()), (Moved::Bytes(7), 0));
        let mut seven = [0; 7];
        reader.read_exact(&mut seven).unwrap();
        assert_eq!(&seven, b"through");
        drop(writer);
        assert_eq!(pipe.take(&from).unwrap(), Moved::End);
    }
}
