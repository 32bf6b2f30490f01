//! The container's resolver at 127.0.0.11: its sockets live in the container's network namespace, those towards the
//! host's resolvers in the monitor's own.

mod asking;
mod stream;

use self::asking::Asking;
use self::stream::{MAX_STREAMS, Stream};
use crate::net::dns::upstream::{Next, Upstream};
use crate::net::dns::{self, Limit, Verdict};
use crate::net::members::Members;
use crate::net::netns::NetNs;
use crate::net::redirect;
use crate::sys::poll::{Epoll, Interest, Ready};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::time::Instant;

/// Packets taken in one turn; the rest waits for the next.
const BURST: usize = 32;
/// More than any sensible query has.
const MAX_QUERY: usize = 4096;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    Datagram(SocketAddr),
    /// By the number of its connection, which is never used twice.
    Stream(u64),
}

/// What a number in the low part of an epoll token means.
enum Source {
    Udp,
    Tcp,
    Asking(usize),
    Stream(usize),
}

pub(super) struct Resolver {
    udp: UdpSocket,
    tcp: TcpListener,
    networks: Vec<Members>,
    /// Some network of the container leads outside.
    outside: bool,
    upstream: Upstream<Client>,
    /// One per question under way, by its slot.
    asking: Vec<Option<Asking>>,
    streams: Vec<Option<Stream>>,
    next_stream: u64,
    turn: usize,
    /// Added to the numbers above: the token of epoll.
    base: u64,
}

impl Resolver {
    /// Opens the sockets inside the namespace, so that the well-known port stays free for the container where the kernel
    /// can lead packets elsewhere. `base`: a token whose low 40 bits are free.
    pub fn open(ns: &NetNs, base: u64, epoll: &Epoll) -> Result<Resolver, String> {
        let (udp, tcp) = match sockets(ns, 0).and_then(|pair| redirected(ns, pair)) {
            Ok(pair) => pair,
            Err(_) => sockets(ns, dns::PORT)?,
        };
        let resolver = Resolver {
            udp,
            tcp,
            networks: Vec::new(),
            outside: false,
            upstream: Upstream::new(Vec::new()),
            asking: Vec::new(),
            streams: Vec::new(),
            next_stream: 0,
            turn: 0,
            base,
        };
        epoll.add(&resolver.udp, base, Interest::READ).map_err(|e| e.to_string())?;
        epoll.add(&resolver.tcp, base | 1, Interest::READ).map_err(|e| e.to_string())?;
        Ok(resolver)
    }

    /// Leads questions here anew: a container that may change its own rules may have lost ours with its own.
    pub fn repair(&self, ns: &NetNs) -> Result<(), String> {
        let (udp, tcp) = ports(&self.udp, &self.tcp)?;
        if udp == dns::PORT {
            return Ok(());
        }
        redirect::resolver(ns, udp, tcp, true).map_err(|e| e.to_string())
    }

    /// The networks the container is on now; those that stay keep what was read of them.
    pub fn set_networks(&mut self, networks: Vec<Members>, outside: bool) {
        self.networks = networks;
        self.outside = outside;
    }

    pub fn set_resolvers(&mut self, resolvers: Vec<IpAddr>) {
        self.upstream.set_resolvers(resolvers);
    }

    pub fn deadline(&self) -> Option<Instant> {
        let idle = self.streams.iter().flatten().map(|s| s.idle_until);
        self.upstream.deadline().into_iter().chain(idle).min()
    }

    pub fn on_time(&mut self, now: Instant, epoll: &Epoll) {
        while let Some(slot) = self.upstream.expired(now) {
            let next = self.upstream.broken(slot, now);
            self.act(slot, next, now, epoll);
        }
        for at in 0..self.streams.len() {
            if self.streams[at].as_ref().is_some_and(|s| s.idle_until <= now) {
                self.close_stream(at);
            }
        }
        self.resume_streams(now, epoll);
    }

    pub fn ready(&mut self, token: u64, event: Ready, now: Instant, epoll: &Epoll) {
        match source(token) {
            Source::Udp => self.take_datagrams(now, epoll),
            Source::Tcp => self.accept(now, epoll),
            Source::Asking(slot) => self.asking_ready(slot, event, now, epoll),
            Source::Stream(at) => self.stream_ready(at, event, now, epoll),
        }
    }

    fn take_datagrams(&mut self, now: Instant, epoll: &Epoll) {
        let mut packet = [0; MAX_QUERY];
        for _ in 0..BURST {
            // An error of the socket (a client's port that is closed) is one client's affair.
            let Ok((count, from)) = self.udp.recv_from(&mut packet) else { return };
            self.question(&packet[..count], Limit::Udp, Client::Datagram(from), now, epoll);
        }
    }

    /// Answers, or passes on. False: this client sends what cannot even be refused.
    fn question(&mut self, packet: &[u8], limit: Limit, client: Client, now: Instant, epoll: &Epoll) -> bool {
        self.networks.iter_mut().for_each(Members::refresh);
        self.turn = self.turn.wrapping_add(1);
        let forward = self.outside && !self.upstream.is_empty();
        match dns::answer(packet, &self.networks, forward, limit, self.turn) {
            Verdict::Drop => return false,
            Verdict::Reply(reply) => self.deliver(client, &reply, epoll),
            Verdict::Forward(question) => {
                let (slot, next) = self.upstream.begin(client, question, rand::random(), now);
                match (slot, next) {
                    (Some(slot), next) => self.act(slot, next, now, epoll),
                    (None, Next::Answer { packet, .. }) => self.deliver(client, &packet, epoll),
                    (None, _) => self.one_less(client),
                }
            }
        }
        true
    }

    /// Does what a question under way needs next.
    fn act(&mut self, slot: usize, mut next: Next<Client>, now: Instant, epoll: &Epoll) {
        loop {
            match next {
                Next::Wait => return,
                Next::Answer { client, packet, .. } => {
                    self.close_asking(slot);
                    return self.deliver(client, &packet, epoll);
                }
                Next::Ask(resolver) => {
                    let packet = self.upstream.packet(slot);
                    let token = self.base | 2 << 32 | slot as u64;
                    match Asking::open(resolver, &packet, self.upstream.limit(slot), token, epoll) {
                        Ok(asking) => {
                            self.close_asking(slot);
                            if self.asking.len() <= slot {
                                self.asking.resize_with(slot + 1, || None);
                            }
                            self.asking[slot] = Some(asking);
                            return;
                        }
                        // Unreachable at once: the next one.
                        Err(_) => next = self.upstream.broken(slot, now),
                    }
                }
            }
        }
    }

    fn asking_ready(&mut self, slot: usize, event: Ready, now: Instant, epoll: &Epoll) {
        let Some(asking) = self.asking.get_mut(slot).and_then(Option::as_mut) else { return };
        let mut packet = Vec::new();
        let next = match asking.ready(event, &mut packet, epoll) {
            asking::Heard::Packet => match self.upstream.received(slot, &packet, now) {
                // By TCP nothing better can follow.
                Next::Wait if self.upstream.limit(slot) == Limit::Tcp => self.upstream.broken(slot, now),
                next => next,
            },
            asking::Heard::Nothing => return,
            asking::Heard::Broken => self.upstream.broken(slot, now),
        };
        self.act(slot, next, now, epoll);
        self.resume_streams(now, epoll);
    }

    /// Closing a socket takes it out of epoll.
    fn close_asking(&mut self, slot: usize) {
        if let Some(asking) = self.asking.get_mut(slot) {
            *asking = None;
        }
        while self.asking.last().is_some_and(Option::is_none) {
            self.asking.pop();
        }
    }

    fn deliver(&mut self, client: Client, packet: &[u8], epoll: &Epoll) {
        match client {
            // Whoever cannot take it now asks again.
            Client::Datagram(to) => {
                let _ = self.udp.send_to(packet, to);
            }
            Client::Stream(id) => {
                let Some(at) = self.streams.iter().position(|s| s.as_ref().is_some_and(|s| s.id == id)) else { return };
                if let Some(stream) = &mut self.streams[at] {
                    stream.push(packet);
                    stream.flush();
                }
                self.one_less(client);
                self.settle_stream(at, epoll);
            }
        }
    }

    /// A connection may have another question under way.
    fn one_less(&mut self, client: Client) {
        if let Client::Stream(id) = client
            && let Some(stream) = self.streams.iter_mut().flatten().find(|s| s.id == id)
        {
            stream.pending = stream.pending.saturating_sub(1);
        }
    }

    /// Connections that had as much under way as they may go on with what they sent meanwhile.
    fn resume_streams(&mut self, now: Instant, epoll: &Epoll) {
        for at in 0..self.streams.len() {
            if let Some(id) = self.streams.get(at).and_then(Option::as_ref).filter(|s| s.waits()).map(|s| s.id) {
                self.take_queries(at, id, now, epoll);
                self.settle_stream(at, epoll);
            }
        }
    }

    fn accept(&mut self, now: Instant, epoll: &Epoll) {
        for _ in 0..BURST {
            let Ok((socket, _)) = self.tcp.accept() else { return };
            let at = self.free_stream();
            let token = self.base | 3 << 32 | at as u64;
            self.next_stream += 1;
            let Some(stream) = Stream::new(socket, self.next_stream, token, now, epoll) else { continue };
            if self.streams.len() <= at {
                self.streams.push(None);
            }
            self.streams[at] = Some(stream);
        }
    }

    /// A free place; when there is none, that of the connection which is next to be closed anyway.
    fn free_stream(&mut self) -> usize {
        let free = self.streams.iter().position(Option::is_none);
        if let Some(at) = free {
            return at;
        }
        if self.streams.len() < MAX_STREAMS {
            return self.streams.len();
        }
        let oldest = (0..self.streams.len()).min_by_key(|at| self.streams[*at].as_ref().map(|s| s.idle_until));
        let oldest = oldest.unwrap_or(0);
        self.close_stream(oldest);
        if self.streams.len() <= oldest {
            self.streams.resize_with(oldest + 1, || None);
        }
        oldest
    }

    fn stream_ready(&mut self, at: usize, event: Ready, now: Instant, epoll: &Epoll) {
        let Some(stream) = self.streams.get_mut(at).and_then(Option::as_mut) else { return };
        let id = stream.id;
        if event.write {
            stream.flush();
        }
        if event.read {
            stream.fill(now);
        }
        self.take_queries(at, id, now, epoll);
        self.settle_stream(at, epoll);
    }

    /// The whole queries a connection has brought, as long as it may have more under way.
    fn take_queries(&mut self, at: usize, id: u64, now: Instant, epoll: &Epoll) {
        loop {
            let Some(stream) = self.streams.get_mut(at).and_then(Option::as_mut).filter(|s| s.id == id) else { return };
            let Some(query) = stream.next_query() else { return };
            stream.pending += 1;
            if !self.question(&query, Limit::Tcp, Client::Stream(id), now, epoll) {
                return self.close_stream(at);
            }
        }
    }

    /// Watches a connection for what it can do next, or closes it.
    fn settle_stream(&mut self, at: usize, epoll: &Epoll) {
        let token = self.base | 3 << 32 | at as u64;
        if let Some(stream) = self.streams.get_mut(at).and_then(Option::as_mut)
            && !stream.arm(token, epoll)
        {
            self.close_stream(at);
        }
    }

    fn close_stream(&mut self, at: usize) {
        let Some(stream) = self.streams.get_mut(at).and_then(Option::take) else { return };
        while self.streams.last().is_some_and(Option::is_none) {
            self.streams.pop();
        }
        for slot in self.upstream.forget(&Client::Stream(stream.id)) {
            self.close_asking(slot);
        }
    }
}

/// One of each protocol, at the resolver's address.
fn sockets(ns: &NetNs, port: u16) -> Result<(UdpSocket, TcpListener), String> {
    let address = SocketAddr::from((dns::ADDRESS, port));
    let opened = ns.enter(|| -> std::io::Result<_> {
        let (udp, tcp) = (UdpSocket::bind(address)?, TcpListener::bind(address)?);
        udp.set_nonblocking(true)?;
        tcp.set_nonblocking(true)?;
        Ok((udp, tcp))
    });
    let opened = opened.map_err(|e| e.to_string())?;
    opened.map_err(|e| format!("open the resolver's sockets at {address}: {e}"))
}

fn redirected(ns: &NetNs, pair: (UdpSocket, TcpListener)) -> Result<(UdpSocket, TcpListener), String> {
    let (udp, tcp) = ports(&pair.0, &pair.1)?;
    redirect::resolver(ns, udp, tcp, false).map_err(|e| e.to_string())?;
    Ok(pair)
}

fn ports(udp: &UdpSocket, tcp: &TcpListener) -> Result<(u16, u16), String> {
    let port = |address: std::io::Result<SocketAddr>| address.map(|a| a.port()).map_err(|e| e.to_string());
    Ok((port(udp.local_addr())?, port(tcp.local_addr())?))
}

fn source(token: u64) -> Source {
    let index = (token & u64::from(u32::MAX)) as usize;
    match token >> 32 & 0xff {
        2 => Source::Asking(index),
        3 => Source::Stream(index),
        _ if index == 0 => Source::Udp,
        _ => Source::Tcp,
    }
}

#[cfg(test)]
mod tests;
