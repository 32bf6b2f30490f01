//! Sockets that hold a port of this machine, listening or not.

use super::{Error, Result, check};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

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

/// Throws away what has arrived at a non-blocking socket for datagrams.
pub fn drain(socket: impl AsFd) {
    // More than a socket keeps; one that is sent to without end is left at some time.
    const MOST: usize = 4096;
    for _ in 0..MOST {
        if rustix::net::recv(&socket, &mut [0u8; 0], rustix::net::RecvFlags::DONTWAIT).is_err() {
            break;
        }
    }
}

/// Ends a connection so that its other side is told of a failure: it is reset.
pub fn reset(connection: impl AsFd + Into<OwnedFd>) -> Result<()> {
    let no_time = Some(std::time::Duration::ZERO);
    sockopt::set_socket_linger(&connection, no_time).map_err(|e| Error::new("setsockopt", e))?;
    drop(connection.into());
    Ok(())
}

/// Sets a socket's option whose value is a number.
pub(super) fn set_option(socket: impl AsFd, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> Result<()> {
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the option's value is an int that outlives the call.
    let done = unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), size) };
    check("setsockopt", done)
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
