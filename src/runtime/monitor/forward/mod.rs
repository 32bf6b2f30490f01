//! Published ports that the kernel cannot lead into the container: the monitor takes connections and datagrams on the
//! host's side and passes them on from inside.

mod datagrams;
mod flow;

use self::datagrams::Datagrams;
use self::flow::Flow;
use crate::model::network::{Protocol, PublishedPort};
use crate::net::attach::Attached;
use crate::net::netns;
use crate::sys::poll::{Epoll, Interest, Ready};
use crate::sys::{port, rlimit, splice};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

/// Connections at once, of all ports together; further ones wait to be taken.
const MAX_FLOWS: usize = 1024;
/// Connections taken in one turn.
const BURST: usize = 32;

struct Inlet {
    port: PublishedPort,
    /// `None`: connections are reset.
    target: Option<SocketAddr>,
    kind: Kind,
}

impl Inlet {
    /// The port is held by another descriptor of the same socket, which may stay: closing this one alone would leave it watched.
    fn close(self, epoll: &Epoll) {
        let watched = match &self.kind {
            Kind::Tcp { watched: false, .. } => return,
            Kind::Tcp { listener, .. } => listener.as_fd(),
            Kind::Udp(datagrams) => datagrams.as_fd(),
        };
        if let Err(e) = epoll.remove(watched) {
            tracing::warn!(error = %e, "no longer watching a published port");
        }
    }
}

enum Kind {
    Tcp { listener: TcpListener, watched: bool },
    Udp(Datagrams),
}

/// All that is forwarded for one container. Numbers in tokens: what (8 bits), index (32 bits).
#[derive(Default)]
pub(super) struct Forwarder {
    inlets: Vec<Option<Inlet>>,
    flows: Vec<Option<Flow>>,
    base: u64,
}

const INLET: u64 = 0;
const FLOW: u64 = 1 << 32;
const CLIENT: u64 = 2 << 32;

impl Forwarder {
    /// `base`: a token whose low 40 bits are free.
    pub fn new(base: u64) -> Forwarder {
        Forwarder { base, ..Forwarder::default() }
    }

    /// Follows what is published now. Connections that were made before go on.
    pub fn follow(&mut self, attached: &Attached, epoll: &Epoll) -> Result<(), String> {
        let wanted = attached.forwards();
        for inlet in &mut self.inlets {
            let stays = |i: &Inlet| wanted.iter().any(|f| *f.port == i.port && f.target == i.target);
            if let Some(gone) = inlet.take_if(|i| !stays(i)) {
                gone.close(epoll);
            }
        }
        for forward in wanted {
            // Datagrams have nobody to be refused to.
            if forward.target.is_none() && forward.port.protocol == Protocol::Udp {
                continue;
            }
            if self.inlets.iter().flatten().all(|i| i.port != *forward.port) {
                self.open(forward.port, forward.target, forward.socket, epoll)?;
            }
        }
        Ok(())
    }

    fn open(
        &mut self,
        port: &PublishedPort,
        target: Option<SocketAddr>,
        socket: BorrowedFd<'_>,
        epoll: &Epoll,
    ) -> Result<(), String> {
        let at = place(&mut self.inlets);
        let failed =
            |e: &dyn std::fmt::Display| format!("forward port {}/{}: {e}", port.host_port, port.protocol.word());
        let socket = socket.try_clone_to_owned().map_err(|e| failed(&e))?;
        epoll.add(&socket, self.base | INLET | at as u64, Interest::READ).map_err(|e| failed(&e))?;
        raise_limit();
        let kind = match (port.protocol, target) {
            (Protocol::Udp, Some(target)) => {
                let datagrams = Datagrams::new(UdpSocket::from(socket), target, port.host_ip);
                Kind::Udp(datagrams.map_err(|e| failed(&e))?)
            }
            _ => Kind::Tcp { listener: socket.into(), watched: true },
        };
        self.inlets[at] = Some(Inlet { port: port.clone(), target, kind });
        Ok(())
    }

    pub fn deadline(&self) -> Option<Instant> {
        let idle = |inlet: &Inlet| match &inlet.kind {
            Kind::Udp(datagrams) => datagrams.deadline(),
            Kind::Tcp { .. } => None,
        };
        self.inlets.iter().flatten().filter_map(idle).min()
    }

    pub fn on_time(&mut self, now: Instant) {
        for inlet in self.inlets.iter_mut().flatten() {
            if let Kind::Udp(datagrams) = &mut inlet.kind {
                datagrams.forget_idle(now);
            }
        }
    }

    /// `ns`: the container's namespace. `buffer` holds the largest datagram.
    pub fn ready(&mut self, token: u64, event: Ready, ns: BorrowedFd<'_>, buffer: &mut [u8], epoll: &Epoll) {
        let index = (token & u64::from(u32::MAX)) as usize;
        match token & 0xff << 32 {
            FLOW => self.flow_ready(index, event, epoll),
            CLIENT => {
                // Above the inlet's number, the client's.
                if let Some(Inlet { kind: Kind::Udp(datagrams), .. }) = self.inlet(index & 0xffff) {
                    datagrams.answered(index >> 16, buffer);
                }
            }
            _ => self.inlet_ready(index, ns, buffer, epoll),
        }
    }

    fn inlet(&mut self, index: usize) -> Option<&mut Inlet> {
        self.inlets.get_mut(index)?.as_mut()
    }

    fn inlet_ready(&mut self, index: usize, ns: BorrowedFd<'_>, buffer: &mut [u8], epoll: &Epoll) {
        let base = self.base;
        let Some(inlet) = self.inlets.get_mut(index).and_then(Option::as_mut) else { return };
        match &mut inlet.kind {
            Kind::Udp(datagrams) => {
                let token = |client: usize| base | CLIENT | (client << 16 | index) as u64;
                datagrams.arrived(ns, buffer, token, epoll);
            }
            Kind::Tcp { .. } => self.accept(index, ns, epoll),
        }
    }

    fn accept(&mut self, index: usize, ns: BorrowedFd<'_>, epoll: &Epoll) {
        for _ in 0..BURST {
            let open = self.flows.iter().flatten().count();
            let Some(Inlet { kind: Kind::Tcp { listener, watched }, target, .. }) =
                self.inlets.get_mut(index).and_then(Option::as_mut)
            else {
                return;
            };
            if open >= MAX_FLOWS {
                *watched = epoll.remove(&*listener).is_err();
                return;
            }
            let Ok((client, _)) = listener.accept() else { return };
            let Some(target) = *target else {
                // It is closed in any case.
                let _ = port::reset(client);
                continue;
            };
            let Ok(Ok(server)) = netns::enter(ns, || splice::connect(target)) else { continue };
            let at = place(&mut self.flows);
            let tokens = [0, 1].map(|side| self.base | FLOW | (at << 1 | side) as u64);
            self.flows[at] = Flow::new(client, server, tokens, epoll);
        }
    }

    fn flow_ready(&mut self, index: usize, event: Ready, epoll: &Epoll) {
        let (at, side) = (index >> 1, index & 1);
        let Some(flow) = self.flows.get_mut(at).and_then(Option::as_mut) else { return };
        if flow.ready(side, event, epoll) {
            return;
        }
        self.flows[at] = None;
        while self.flows.last().is_some_and(Option::is_none) {
            self.flows.pop();
        }
        // There is room again.
        for (number, inlet) in self.inlets.iter_mut().enumerate() {
            if let Some(Inlet { kind: Kind::Tcp { listener, watched }, .. }) = inlet
                && !*watched
            {
                *watched = epoll.add(listener.as_fd(), self.base | INLET | number as u64, Interest::READ).is_ok();
            }
        }
    }
}

/// A connection takes six descriptors. Processes of the container have limits of their own.
fn raise_limit() {
    if let Ok((soft, hard)) = rlimit::get("nofile")
        && soft < hard
    {
        // Without it, connections beyond the limit are refused.
        let _ = rlimit::set("nofile", hard, hard);
    }
}

/// The number of a free place, made if there is none.
fn place<T>(all: &mut Vec<Option<T>>) -> usize {
    all.iter().position(Option::is_none).unwrap_or_else(|| {
        all.push(None);
        all.len() - 1
    })
}

#[cfg(test)]
mod tests;
