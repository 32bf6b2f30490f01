//! Sockets that hold a port of this machine, listening or not.

use super::{Error, Result};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

/// A non-blocking socket bound to that address; port 0: any free one. IPv6 sockets take no IPv4. `reuse`: also while
/// old connections of the port linger, which is for those only that listen at once.
pub fn bind(address: SocketAddr, datagrams: bool, reuse: bool) -> Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let kind = if datagrams { SocketType::DGRAM } else { SocketType::STREAM };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, kind, flags, None).map_err(|e| Error::new("socket", e))?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true).map_err(|e| Error::new("setsockopt", e))?;
    }
    if reuse {
        sockopt::set_socket_reuseaddr(&socket, true).map_err(|e| Error::new("setsockopt", e))?;
    }
    rustix::net::bind(&socket, &address).map_err(|e| Error::new("bind", e))?;
    Ok(socket)
}

/// The port a bound socket has.
pub fn number(socket: impl AsFd) -> Result<u16> {
    let address = rustix::net::getsockname(socket).map_err(|e| Error::new("getsockname", e))?;
    let address = SocketAddr::try_from(address).map_err(|e| Error::new("getsockname", e))?;
    Ok(address.port())
}

pub fn listen(socket: impl AsFd, backlog: i32) -> Result<()> {
    rustix::net::listen(socket, backlog).map_err(|e| Error::new("listen", e))
}

impl Error {
    /// Somebody else has the address.
    pub fn in_use(&self) -> bool {
        self.errno() == libc::EADDRINUSE
    }

    pub fn denied(&self) -> bool {
        matches!(self.errno(), libc::EACCES | libc::EPERM)
    }

    /// No interface has the address.
    pub fn no_such_address(&self) -> bool {
        self.errno() == libc::EADDRNOTAVAIL
    }

    /// The kernel was built, or started, without that family of addresses.
    pub fn no_such_family(&self) -> bool {
        self.errno() == libc::EAFNOSUPPORT
    }
}
