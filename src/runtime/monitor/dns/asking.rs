//! One question on its way to a resolver of the host: a socket of its own, so that its port is part of the secret.

use crate::net::dns::Limit;
use crate::sys::poll::{Epoll, Interest, Ready};
use crate::sys::splice;
use std::io::{ErrorKind, Read, Result, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};

/// The port of DNS.
const PORT: u16 = 53;

pub(super) enum Asking {
    Datagram(UdpSocket),
    Stream {
        socket: TcpStream,
        token: u64,
        /// With its length before it; empty: sent.
        query: Vec<u8>,
        answer: Vec<u8>,
    },
}

pub(super) enum Heard {
    Packet,
    Nothing,
    Broken,
}

impl Asking {
    pub fn open(resolver: IpAddr, packet: &[u8], limit: Limit, token: u64, epoll: &Epoll) -> Result<Asking> {
        let to = SocketAddr::new(resolver, PORT);
        match limit {
            Limit::Udp => {
                let any: IpAddr =
                    if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
                let socket = UdpSocket::bind((any, 0))?;
                socket.set_nonblocking(true)?;
                socket.connect(to)?;
                socket.send(packet)?;
                epoll.add(&socket, token, Interest::READ).map_err(|e| e.source)?;
                Ok(Asking::Datagram(socket))
            }
            Limit::Tcp => {
                let socket = splice::connect(to).map_err(|e| e.source)?;
                let length = u16::try_from(packet.len()).map_err(|_| ErrorKind::InvalidInput)?;
                let query = [&length.to_be_bytes(), packet].concat();
                let write = Interest { read: false, write: true };
                epoll.add(&socket, token, write).map_err(|e| e.source)?;
                Ok(Asking::Stream { socket, token, query, answer: Vec::new() })
            }
        }
    }

    /// Goes on; a whole answer is put into `packet`.
    pub fn ready(&mut self, event: Ready, packet: &mut Vec<u8>, epoll: &Epoll) -> Heard {
        match self {
            Asking::Datagram(socket) => {
                packet.resize(usize::from(u16::MAX), 0);
                match socket.recv(packet) {
                    Ok(count) => {
                        packet.truncate(count);
                        Heard::Packet
                    }
                    Err(e) if is_nothing(&e) => Heard::Nothing,
                    // Nobody listens there.
                    Err(_) => Heard::Broken,
                }
            }
            Asking::Stream { socket, token, query, answer } => {
                let done = Self::stream_ready(socket, query, answer, event, packet);
                match done {
                    Ok(true) => return Heard::Packet,
                    Ok(false) => {}
                    Err(_) => return Heard::Broken,
                }
                let interest = Interest { read: query.is_empty(), write: !query.is_empty() };
                if epoll.modify(&*socket, *token, interest).is_err() { Heard::Broken } else { Heard::Nothing }
            }
        }
    }

    fn stream_ready(
        socket: &mut TcpStream,
        query: &mut Vec<u8>,
        answer: &mut Vec<u8>,
        event: Ready,
        packet: &mut Vec<u8>,
    ) -> Result<bool> {
        if !query.is_empty() && (event.write || event.hangup) {
            match socket.write(query) {
                Ok(count) => drop(query.drain(..count)),
                Err(e) if is_nothing(&e) => {}
                Err(e) => return Err(e),
            }
        }
        if !query.is_empty() || !event.read {
            return Ok(false);
        }
        let mut buffer = [0; 4096];
        loop {
            match socket.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => answer.extend_from_slice(&buffer[..count]),
                Err(e) if is_nothing(&e) => return Ok(false),
                Err(e) => return Err(e),
            }
            if let Some((head, rest)) = answer.split_first_chunk::<2>()
                && let Some(whole) = rest.get(..usize::from(u16::from_be_bytes(*head)))
            {
                packet.extend_from_slice(whole);
                return Ok(true);
            }
        }
    }
}

fn is_nothing(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
