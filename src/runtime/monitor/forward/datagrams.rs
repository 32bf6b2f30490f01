//! One published UDP port: each client gets a socket inside, by which the container tells them apart.

use crate::net::netns;
use crate::sys;
use crate::sys::datagram::{self, Arrival};
use crate::sys::poll::{Epoll, Interest};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Clients of one port at once; a further one takes the place of the one that was silent longest.
const MAX_CLIENTS: usize = 512;
/// A client that was silent, and unanswered, for so long is forgotten.
const IDLE: Duration = Duration::from_secs(90);
/// Datagrams in one turn.
const BURST: usize = 64;

pub(super) struct Datagrams {
    outside: UdpSocket,
    target: SocketAddr,
    clients: Vec<Option<Client>>,
}

struct Client {
    address: SocketAddr,
    /// The address of this machine it asked, and is answered from.
    asked: Option<IpAddr>,
    inside: UdpSocket,
    idle_until: Instant,
}

impl Datagrams {
    pub fn new(outside: UdpSocket, target: SocketAddr, on: IpAddr) -> sys::Result<Datagrams> {
        // One that has all addresses is asked at any, and has to answer from that.
        if on.is_unspecified() {
            datagram::tell_destination(&outside, on.is_ipv6())?;
        }
        Ok(Datagrams { outside, target, clients: Vec::new() })
    }

    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.outside.as_fd()
    }

    /// Datagrams from outside.
    pub fn arrived(&mut self, ns: BorrowedFd<'_>, buffer: &mut [u8], token: impl Fn(usize) -> u64, epoll: &Epoll) {
        for _ in 0..BURST {
            // An error is a client's whose port is closed.
            let Ok(arrival) = datagram::receive(&self.outside, buffer) else { return };
            let same = |c: &Client| c.address == arrival.from && c.asked == arrival.to;
            let known = self.clients.iter().position(|c| c.as_ref().is_some_and(same));
            let Some(at) = known.or_else(|| self.admit(&arrival, ns, &token, epoll)) else { continue };
            if let Some(client) = &mut self.clients[at] {
                client.idle_until = Instant::now() + IDLE;
                // Datagrams may be lost: when nobody listens inside, they are.
                let _ = client.inside.send(&buffer[..arrival.length]);
            }
        }
    }

    fn admit(
        &mut self,
        arrival: &Arrival,
        ns: BorrowedFd<'_>,
        token: &impl Fn(usize) -> u64,
        epoll: &Epoll,
    ) -> Option<usize> {
        let target = self.target;
        let any: IpAddr = if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let opened = netns::enter(ns, || {
            let socket = UdpSocket::bind((any, 0))?;
            socket.set_nonblocking(true)?;
            socket.connect(target)?;
            std::io::Result::Ok(socket)
        });
        let inside = opened.ok()?.ok()?;
        let at = match self.clients.len() {
            MAX_CLIENTS.. => {
                let silent = |at: &usize| self.clients[*at].as_ref().map(|c| c.idle_until);
                (0..self.clients.len()).min_by_key(silent)?
            }
            _ => super::place(&mut self.clients),
        };
        epoll.add(&inside, token(at), Interest::READ).ok()?;
        self.clients[at] =
            Some(Client { address: arrival.from, asked: arrival.to, inside, idle_until: Instant::now() + IDLE });
        Some(at)
    }

    /// Datagrams from the container for one client.
    pub fn answered(&mut self, at: usize, buffer: &mut [u8]) {
        let Some(client) = self.clients.get_mut(at).and_then(Option::as_mut) else { return };
        for _ in 0..BURST {
            // An error: nobody listens inside (any more).
            let Ok(count) = client.inside.recv(buffer) else { return };
            client.idle_until = Instant::now() + IDLE;
            let _ = datagram::send(&self.outside, &buffer[..count], client.address, client.asked);
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.clients.iter().flatten().map(|c| c.idle_until).min()
    }

    pub fn forget_idle(&mut self, now: Instant) {
        for client in &mut self.clients {
            if client.as_ref().is_some_and(|c| c.idle_until <= now) {
                *client = None;
            }
        }
        while self.clients.last().is_some_and(Option::is_none) {
            self.clients.pop();
        }
    }
}
