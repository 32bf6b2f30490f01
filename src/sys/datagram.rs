//! Datagrams with the address they came to: who answers from it is believed, also on a machine of several addresses.

use super::port::set_option;
use super::{Result, check};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};

/// Room for a `struct sockaddr_in6`, the longer one.
const NAME: usize = 28;
/// `struct cmsghdr`: length, level, type.
const HEAD: usize = size_of::<usize>() + 8;
/// Room for a `struct in6_pktinfo` (the longer one) with its head, and for what else may be told.
const CONTROL: usize = 128;

/// What a datagram came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub length: usize,
    pub from: SocketAddr,
    /// The address of this machine it was sent to; `None`: not told, or one that nobody can answer from.
    pub to: Option<IpAddr>,
}

/// From now on [`receive`] tells where datagrams came to.
pub fn tell_destination(socket: impl AsFd, six: bool) -> Result<()> {
    let (level, name) =
        if six { (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO) } else { (libc::IPPROTO_IP, libc::IP_PKTINFO) };
    set_option(socket, level, name, 1)
}

/// One datagram; what the buffer has no room for is lost.
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<Arrival> {
    let (mut name, mut control) = ([0u8; NAME], [0u8; CONTROL]);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut message = message(&mut name, &mut part, &mut control);
    // SAFETY: the message points at buffers of the lengths it tells, which outlive the call.
    let length = unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut message, 0) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    // Its type differs by C library.
    let used: usize = message.msg_controllen as _;
    let told = control.get(..used).unwrap_or_default();
    let from = address(&name).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Arrival { length, from, to: destination(told) })
}

/// One datagram, sent from an address of this machine's, where one is given.
pub fn send(socket: impl AsFd, bytes: &[u8], to: SocketAddr, from: Option<IpAddr>) -> Result<()> {
    let mut name = encoded(to);
    let mut control = from.map(origin).unwrap_or_default();
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let message = message(&mut name, &mut part, &mut control);
    // SAFETY: the message points at buffers of the lengths it tells, which outlive the call and are only read.
    let sent = unsafe { libc::sendmsg(socket.as_fd().as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) };
    check("sendmsg", if sent < 0 { -1 } else { 0 })
}

fn message(name: &mut [u8], part: &mut libc::iovec, control: &mut [u8]) -> libc::msghdr {
    // SAFETY: numbers and pointers, all of which may be zero.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = name.as_mut_ptr().cast();
    message.msg_namelen = name.len() as libc::socklen_t;
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = control.len() as _;
    message
}

/// `struct sockaddr_in` or `sockaddr_in6`.
fn encoded(address: SocketAddr) -> Vec<u8> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let mut bytes = (family as u16).to_ne_bytes().to_vec();
    bytes.extend(address.port().to_be_bytes());
    match address {
        SocketAddr::V4(four) => {
            bytes.extend(four.ip().octets());
            bytes.extend([0; 8]);
        }
        SocketAddr::V6(six) => {
            bytes.extend(six.flowinfo().to_be_bytes());
            bytes.extend(six.ip().octets());
            bytes.extend(six.scope_id().to_ne_bytes());
        }
    }
    bytes
}

fn address(name: &[u8; NAME]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes([name[2], name[3]]);
    match libc::c_int::from(u16::from_ne_bytes([name[0], name[1]])) {
        libc::AF_INET => Some((four(name, 4)?, port).into()),
        libc::AF_INET6 => {
            let scope = u32::from_ne_bytes(name.get(24..28)?.try_into().ok()?);
            Some(SocketAddrV6::new(six(name, 8)?, port, 0, scope).into())
        }
        _ => None,
    }
}

fn four(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    Some(<[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok()?.into())
}

fn six(bytes: &[u8], at: usize) -> Option<Ipv6Addr> {
    Some(<[u8; 16]>::try_from(bytes.get(at..at + 16)?).ok()?.into())
}

/// The address in a `struct in_pktinfo` (interface, own address, destination) or `in6_pktinfo` (destination, interface).
fn destination(mut control: &[u8]) -> Option<IpAddr> {
    const WORD: usize = size_of::<usize>();
    loop {
        let length = usize::from_ne_bytes(control.get(..WORD)?.try_into().ok()?);
        let number = |at: usize| Some(libc::c_int::from_ne_bytes(control.get(at..at + 4)?.try_into().ok()?));
        let data = control.get(HEAD..length)?;
        match (number(WORD)?, number(WORD + 4)?) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                // What came before it was to be told has no own address, only what its header says.
                let sendable = |a: &Ipv4Addr| !a.is_unspecified() && !a.is_multicast() && !a.is_broadcast();
                return [four(data, 4)?, four(data, 8)?].into_iter().find(sendable).map(IpAddr::V4);
            }
            // What was sent to a group is answered from whatever address the kernel chooses.
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                return six(data, 0).filter(|a| !a.is_multicast()).map(IpAddr::V6);
            }
            _ => control = control.get(length.next_multiple_of(WORD)..)?,
        }
    }
}

/// The control message that names the address a datagram is sent from.
fn origin(from: IpAddr) -> Vec<u8> {
    let (level, kind, data) = match from {
        IpAddr::V4(four) => (libc::IPPROTO_IP, libc::IP_PKTINFO, [&[0; 4], &four.octets()[..], &[0; 4]].concat()),
        IpAddr::V6(six) => (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, [&six.octets()[..], &[0; 4]].concat()),
    };
    let mut bytes = (HEAD + data.len()).to_ne_bytes().to_vec();
    bytes.extend(level.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(size_of::<usize>()), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn an_answer_comes_from_the_address_that_was_asked() {
        for (any, asked) in [("0.0.0.0:0", "127.0.0.7"), ("[::]:0", "::1")] {
            let Ok(server) = UdpSocket::bind(any) else { continue }; // a machine without IPv6
            tell_destination(&server, any.starts_with('[')).unwrap();
            let asked: IpAddr = asked.parse().unwrap();
            let client = UdpSocket::bind((if asked.is_ipv4() { "127.0.0.1" } else { "::1" }, 0)).unwrap();
            client.connect((asked, server.local_addr().unwrap().port())).unwrap();
            client.send(b"question").unwrap();
            let mut buffer = [0; 64];
            let arrival = receive(&server, &mut buffer).unwrap();
            assert_eq!(arrival, Arrival { length: 8, from: client.local_addr().unwrap(), to: Some(asked) });
            send(&server, b"answer", arrival.from, arrival.to).unwrap();
            // A connected socket hears whom it asked, and nobody else.
            client.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
            assert_eq!(client.recv(&mut buffer).unwrap(), 6);
            send(&server, b"", arrival.from, None).unwrap();
        }
    }

    #[test]
    fn what_came_before_it_was_to_be_told_has_its_address_too() {
        let (server, client) = (UdpSocket::bind("0.0.0.0:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        client.send_to(b"early", ("127.0.0.9", server.local_addr().unwrap().port())).unwrap();
        tell_destination(&server, false).unwrap();
        let arrival = receive(&server, &mut [0; 10]).unwrap();
        assert_eq!(arrival.to, Some("127.0.0.9".parse().unwrap()));
    }

    #[test]
    fn one_that_was_not_asked_to_tell_does_not() {
        let (server, client) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        client.send_to(&[1; 100], server.local_addr().unwrap()).unwrap();
        let arrival = receive(&server, &mut [0; 10]).unwrap();
        assert_eq!(arrival, Arrival { length: 10, from: client.local_addr().unwrap(), to: None });
        server.set_nonblocking(true).unwrap();
        assert_eq!(receive(&server, &mut [0; 10]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
