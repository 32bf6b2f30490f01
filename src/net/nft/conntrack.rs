//! Connection tracking: flows that began before a port was published, or end with it, are forgotten.

use crate::net::attribute::Attributes;
use crate::sys::netlink::Socket;
use std::net::SocketAddr;

const DELETE: u16 = 1 << 8 | 2;
const UDP: u8 = 17;

/// Forgets all UDP flows to that port of the host. Kernels older than this filter refuse; there flows end by themselves within
/// minutes, so that is no failure.
pub fn forget(socket: &mut Socket, host: SocketAddr) {
    const INET: u8 = 2;
    const INET6: u8 = 10;
    const PROTOCOL_AND_PORT: u32 = 1 << 3 | 1 << 5;
    let family = if host.is_ipv4() { INET } else { INET6 };
    let protocol = Attributes::default().bytes(1, &[UDP]).bytes(3, &host.port().to_be_bytes());
    let tuple = Attributes::default().nested(2, &protocol);
    let filter = Attributes::default().bytes(1, &PROTOCOL_AND_PORT.to_ne_bytes()).bytes(2, &0u32.to_ne_bytes());
    // Version 1: the family counts for a filter too.
    let message = Attributes::after(&[family, 1, 0, 0]).nested(1, &tuple).nested(25, &filter);
    let _ = socket.request(DELETE, 0, message.as_bytes());
}
