//! Host ports a container holds: sockets bound for its life, so that the kernel itself says whose a port is.

mod owner;

use super::error::{Error, Result};
use crate::model::network::{Protocol, PublishedPort};
use crate::sys::{self, port};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub use owner::owner;

/// A process that has a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub program: String,
    pub pid: i32,
    pub of: Option<Of>,
}

/// Which container a process has a port for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// By its name: the process is its monitor, and the port is published.
    Published(String),
    /// By its name: the process is its first, whose monitor was killed. The kernel's rules still lead there.
    Orphaned(String),
    /// By the short form of its id: the process runs in it, on this machine's network.
    Inside(String),
}

/// A port that is somebody's although no socket says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub port: PublishedPort,
    pub by: Owner,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.of {
            Some(Of::Published(name)) => write!(f, "container {name} (its monitor has pid {})", self.pid),
            Some(Of::Orphaned(name)) => {
                write!(f, "container {name} (its monitor was killed, {} has pid {})", self.program, self.pid)
            }
            Some(Of::Inside(id)) => write!(f, "{} (pid {}) in container {id}", self.program, self.pid),
            None => write!(f, "{} (pid {})", self.program, self.pid),
        }
    }
}

/// A port that is ours as long as this lives.
#[derive(Debug)]
pub struct Reservation {
    /// With the host's port as the kernel gave it.
    pub port: PublishedPort,
    socket: OwnedFd,
    listens: bool,
}

impl Reservation {
    /// Accepts connections from now on. Datagrams that came before are no news any more.
    pub fn listen(&mut self) -> Result<()> {
        if self.port.protocol == Protocol::Udp {
            port::drain(&self.socket);
            return Ok(());
        }
        if self.listens {
            return Ok(());
        }
        port::listen(&self.socket, BACKLOG).map_err(|source| failure(&self.port, source))?;
        self.listens = true;
        Ok(())
    }

    /// Connections are made with it, whoever takes them.
    pub fn listens(&self) -> bool {
        self.listens
    }
}

impl AsFd for Reservation {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// How packets for a published port get to the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The kernel changes their destination.
    Kernel,
    /// The monitor takes connections (datagrams) from the socket, which listens, and makes new ones from inside the
    /// container's namespace.
    Forwarder,
}

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// How often another free port is tried that several addresses can share.
const ATTEMPTS: usize = 32;

/// Takes all ports, or none. Those of the same container port and protocol that ask for any host port get the same one, if they
/// differ by their host address. Sockets are non-blocking and belong to the network namespace of the caller. What is `taken` is
/// as if its owner had a socket.
pub fn reserve(ports: &[(PublishedPort, Way)], taken: &[Taken]) -> Result<Vec<Reservation>> {
    let mut held: Vec<Reservation> = Vec::new();
    for (at, (port, way)) in ports.iter().enumerate() {
        if port.host_port != 0 {
            let reservation = take(port, *way)?;
            unless_taken(&reservation.port, taken)?;
            held.push(reservation);
            continue;
        }
        let sister = |p: &PublishedPort| same_service(p, port) && p.host_ip != port.host_ip;
        if ports[..at].iter().any(|(p, _)| p.host_port == 0 && sister(p)) {
            continue; // taken together with its sister
        }
        let mut family = vec![(port, *way)];
        for (other, way) in &ports[at + 1..] {
            if other.host_port == 0 && sister(other) && !family.iter().any(|(p, _)| p.host_ip == other.host_ip) {
                family.push((other, *way));
            }
        }
        held.extend(any_free(&family, taken)?);
    }
    Ok(held)
}

fn same_service(a: &PublishedPort, b: &PublishedPort) -> bool {
    (a.container_port, a.protocol) == (b.container_port, b.protocol)
}

/// One free port on several addresses.
fn any_free(family: &[(&PublishedPort, Way)], taken: &[Taken]) -> Result<Vec<Reservation>> {
    // Kept until the end: the kernel would give them again.
    let mut refused = Vec::new();
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let mut held: Vec<Reservation> = Vec::new();
        let mut failure = None;
        for (port, way) in family {
            let mut wanted = (*port).clone();
            wanted.host_port = held.first().map_or(0, |first| first.port.host_port);
            let done = take(&wanted, *way).and_then(|reservation| {
                let free = unless_taken(&reservation.port, taken);
                held.push(reservation);
                free
            });
            match done {
                Ok(()) => {}
                // There is none left.
                Err(e @ Error::PortInUse { .. }) if held.is_empty() => return Err(last.unwrap_or(e)),
                Err(e @ Error::PortInUse { .. }) => {
                    failure = Some(e);
                    break;
                }
                Err(e) => return Err(e),
            }
        }
        match failure {
            None => return Ok(held),
            Some(e) => last = Some(e),
        }
        refused.append(&mut held);
    }
    last.map_or(Ok(Vec::new()), Err)
}

fn unless_taken(port: &PublishedPort, taken: &[Taken]) -> Result<()> {
    match taken.iter().find(|other| other.port.overlaps(port)) {
        None => Ok(()),
        Some(other) => Err(Error::PortInUse {
            address: SocketAddr::new(port.host_ip, port.host_port),
            protocol: port.protocol.word(),
            by: Some(other.by.clone()),
        }),
    }
}

fn take(port: &PublishedPort, way: Way) -> Result<Reservation> {
    let address = SocketAddr::new(port.host_ip, port.host_port);
    let datagrams = port.protocol == Protocol::Udp;
    let mut listens = way == Way::Forwarder && !datagrams;
    let explain = |source: sys::Error| failure(port, source);
    let mut bound = port::bind(address, datagrams, listens);
    // Nobody's: connections of a server that is gone linger. Who listens has the port in spite of them, and alone.
    if bound.as_ref().is_err_and(sys::Error::in_use) && !datagrams && !listens && owner(port).is_none() {
        listens = true;
        bound = port::bind(address, datagrams, listens);
    }
    let socket = bound.map_err(explain)?;
    if listens {
        port::listen(&socket, BACKLOG).map_err(explain)?;
    }
    let host_port = if port.host_port == 0 { port::number(&socket).map_err(explain)? } else { port.host_port };
    Ok(Reservation { port: PublishedPort { host_port, ..port.clone() }, socket, listens })
}

fn failure(port: &PublishedPort, source: sys::Error) -> Error {
    let address = SocketAddr::new(port.host_ip, port.host_port);
    let protocol = port.protocol.word();
    if source.in_use() {
        Error::PortInUse { address, protocol, by: owner(port) }
    } else if source.denied() {
        let first = super::sysctl::read("ipv4/ip_unprivileged_port_start").and_then(|t| t.parse().ok());
        Error::Privileged { address, protocol, first: first.unwrap_or(1024) }
    } else if source.no_such_address() || (source.no_such_family() && matches!(port.host_ip, IpAddr::V6(_))) {
        Error::NotOurAddress(address)
    } else {
        Error::Bind { port: format!("{address}/{protocol}"), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn port(host_ip: &str, host_port: u16, protocol: Protocol) -> PublishedPort {
        PublishedPort { host_ip: host_ip.parse().unwrap(), host_port, container_port: 80, protocol }
    }

    #[test]
    fn a_port_is_held_once_and_its_holder_is_named() {
        for (protocol, way) in
            [(Protocol::Tcp, Way::Kernel), (Protocol::Tcp, Way::Forwarder), (Protocol::Udp, Way::Kernel)]
        {
            let held = reserve(&[(port("127.0.0.1", 0, protocol), way)], &[]).unwrap();
            let given = held[0].port.host_port;
            assert_ne!(given, 0);
            for address in ["127.0.0.1", "0.0.0.0"] {
                let error = reserve(&[(port(address, given, protocol), Way::Kernel)], &[]).unwrap_err();
                let Error::PortInUse { by, .. } = &error else { unreachable!("{error}") };
                let pid = by.as_ref().map(|o| o.pid);
                assert!(pid == Some(std::process::id().cast_signed()), "{way:?} {error}");
            }
            drop(held);
            // A process that another test is just starting may still have the socket: until it executes its program.
            let is_free = |_| {
                std::thread::sleep(Duration::from_millis(10));
                reserve(&[(port("127.0.0.1", given, protocol), way)], &[]).is_ok()
            };
            assert!((0..1000).any(is_free), "{way:?}");
        }
    }

    #[test]
    fn connections_of_a_server_that_is_gone_are_in_nobodys_way() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let client = std::net::TcpStream::connect(address).unwrap();
        // Who closes first is who remembers the connection.
        drop(server.accept().unwrap());
        drop((client, server));
        let wanted = [(port("127.0.0.1", address.port(), Protocol::Tcp), Way::Kernel)];
        let held = reserve(&wanted, &[]).unwrap();
        assert!(held[0].listens());
        let error = reserve(&wanted, &[]).unwrap_err();
        assert!(matches!(error, Error::PortInUse { by: Some(_), .. }), "{error}");
        assert!(std::net::TcpListener::bind(address).is_err());
    }

    #[test]
    fn both_families_get_one_number() {
        let wanted = [(port("127.0.0.1", 0, Protocol::Tcp), Way::Kernel), (port("::1", 0, Protocol::Tcp), Way::Kernel)];
        match reserve(&wanted, &[]) {
            Ok(held) => assert_eq!(held[0].port.host_port, held[1].port.host_port),
            Err(Error::NotOurAddress(_)) => {} // a machine without IPv6
            Err(e) => unreachable!("{e}"),
        }
    }

    #[test]
    fn foreign_addresses_are_refused() {
        let error = reserve(&[(port("192.0.2.1", 0, Protocol::Tcp), Way::Kernel)], &[]).unwrap_err();
        assert_eq!(error.to_string(), "address 192.0.2.1:0 is none of this machine's");
    }
}
