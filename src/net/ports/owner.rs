//! Who has a port: the kernel's list of sockets says which socket, the processes' descriptors say whose.

use super::{Of, Owner};
use crate::model::network::{Protocol, PublishedPort};
use crate::net::members;
use crate::sys::netlink::{DUMP, Family, Socket};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// `SOCK_DIAG_BY_FAMILY`
const BY_FAMILY: u16 = 20;
const INET: u8 = 2;
const INET6: u8 = 10;
/// Where `struct inet_diag_msg` has the source port, the source address, the inode.
const PORT: usize = 4;
const ADDRESS: usize = 8;
const INODE: usize = 68;

/// Who has that port of this machine, or one that stands in its way; `None` where it cannot be seen.
pub fn owner(port: &PublishedPort) -> Option<Owner> {
    let inodes = sockets(port);
    if inodes.is_empty() {
        return None;
    }
    let names: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let mut open = fs::read_dir(entry.path().join("fd")).ok()?.flatten();
        open.find(|fd| {
            fs::read_link(fd.path()).is_ok_and(|to| names.iter().any(|name| to.as_os_str() == name.as_str()))
        })?;
        let program = fs::read_to_string(entry.path().join("comm")).ok()?.trim_end().to_owned();
        Some(Owner { program, pid, of: published(&entry.path()).or_else(|| inside(&entry.path())) })
    })
}

/// The container that process is the monitor of: it keeps `<run>/containers/<id>/lock` open.
fn published(process: &Path) -> Option<Of> {
    fs::read_dir(process.join("fd")).ok()?.flatten().find_map(|fd| {
        let lock = fs::read_link(fd.path()).ok()?;
        let home = lock.parent().filter(|_| lock.file_name().is_some_and(|name| name == "lock"))?;
        let id = home.file_name()?.to_str().filter(|name| is_id(name))?;
        let all = home.parent().filter(|all| all.file_name().is_some_and(|name| name == "containers"))?;
        let name = members::name(&all.parent()?.join("networks"), id);
        Some(Of::Published(name.unwrap_or_else(|| short(id))))
    })
}

/// The container whose control group that process is in, whoever made it.
fn inside(process: &Path) -> Option<Of> {
    let groups = fs::read_to_string(process.join("cgroup")).ok()?;
    let mut words = groups.split(|c: char| !c.is_ascii_alphanumeric());
    words.find(|word| is_id(word)).map(|id| Of::Inside(short(id)))
}

fn is_id(word: &str) -> bool {
    word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit())
}

fn short(id: &str) -> String {
    id.chars().take(12).collect()
}

/// Inodes of the sockets in the port's way.
fn sockets(port: &PublishedPort) -> Vec<u32> {
    let Ok(mut socket) = Socket::open(Family::SockDiag) else { return Vec::new() };
    let mut found = Vec::new();
    for family in [INET, INET6] {
        for answer in socket.query(BY_FAMILY, DUMP, &request(family, port)).unwrap_or_default() {
            found.extend(stands_in_way(&answer.payload, port));
        }
    }
    found
}

/// `struct inet_diag_req_v2`, for sockets that have the source port.
fn request(family: u8, port: &PublishedPort) -> Vec<u8> {
    // Listening, and bound without listening, which kernels before 6.8 do not tell of.
    const TCP_STATES: u32 = 1 << 10 | 1 << 13;
    let (protocol, states) = match port.protocol {
        Protocol::Tcp => (6, TCP_STATES),
        Protocol::Udp => (17, u32::MAX),
    };
    let mut bytes = vec![family, protocol, 0, 0];
    bytes.extend(states.to_ne_bytes());
    bytes.extend(port.host_port.to_be_bytes());
    bytes.resize(48, 0);
    bytes.extend([u8::MAX; 8]); // no cookie
    bytes
}

fn stands_in_way(payload: &[u8], port: &PublishedPort) -> Option<u32> {
    let half = payload.get(PORT..PORT + 2)?;
    let address = payload.get(ADDRESS..ADDRESS + 16)?;
    let inode = u32::from_ne_bytes(payload.get(INODE..INODE + 4)?.try_into().ok()?);
    let bound: IpAddr = if payload[0] == INET {
        <[u8; 4]>::try_from(&address[..4]).map(Ipv4Addr::from).ok()?.into()
    } else {
        <[u8; 16]>::try_from(address).map(Ipv6Addr::from).ok()?.to_canonical()
    };
    let collides = bound == port.host_ip
        || bound.is_unspecified() && (bound.is_ipv6() || port.host_ip.is_ipv4())
        || port.host_ip.is_unspecified() && bound.is_ipv4() == port.host_ip.is_ipv4();
    (half == port.host_port.to_be_bytes() && collides).then_some(inode)
}
