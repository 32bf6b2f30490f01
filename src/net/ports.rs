//! Host ports a container holds: sockets bound for its life, so that the kernel itself says whose a port is.

use super::error::Result;
use crate::model::network::PublishedPort;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A process that has a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub program: String,
    pub pid: i32,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.program, self.pid)
    }
}

/// A port that is ours as long as this lives.
#[derive(Debug)]
pub struct Reservation {
    /// With the host's port as the kernel gave it.
    pub port: PublishedPort,
    socket: OwnedFd,
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

/// Takes all ports, or none. Those of the same container port and protocol that ask for any host port get the same one, if they
/// differ by their host address. Sockets are non-blocking and belong to the network namespace of the caller.
pub fn reserve(ports: &[(PublishedPort, Way)]) -> Result<Vec<Reservation>> {
    let _ = ports;
    Err(super::Error::Unsupported("publishing ports is not built yet".into()))
}

/// Who has that port of this machine.
pub fn owner(port: &PublishedPort) -> Option<Owner> {
    let _ = port;
    None
}
