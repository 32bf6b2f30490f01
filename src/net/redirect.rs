//! Inside a container's namespace: what is sent to the resolver's well-known port goes to the ports it really has.
//!
//! So port 53 stays free for the container itself: a DNS server in it may bind `0.0.0.0:53` as anywhere else.

use super::attribute::Attributes;
use super::dns;
use super::error::{Error, Result};
use super::netns::NetNs;
use crate::sys::netlink::{APPEND, Batch, CREATE, Family, Socket};

/// nfnetlink.h, nf_tables.h, netfilter.h.
mod k {
    pub const BEGIN: u16 = 0x10;
    pub const END: u16 = 0x11;
    pub const NF_TABLES: u16 = 10;
    pub const NEW_TABLE: u16 = NF_TABLES << 8;
    pub const NEW_CHAIN: u16 = NF_TABLES << 8 | 3;
    pub const NEW_RULE: u16 = NF_TABLES << 8 | 6;
    pub const IPV4: u8 = 2;
    pub const LOCAL_OUT: u32 = 3;
    /// Where destinations are changed: `NF_IP_PRI_NAT_DST`.
    pub const PRIORITY: i32 = -100;
    pub const L4_PROTOCOL: u32 = 16;
    pub const NETWORK_HEADER: u32 = 1;
    pub const TRANSPORT_HEADER: u32 = 2;
    pub const DNAT: u32 = 1;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
}

const TABLE: &str = "teu-names";
const CHAIN: &str = "output";

/// Leads [`dns::ADDRESS`], port 53, to these ports of the same address. Fails where the kernel has no nf_tables.
pub fn resolver(ns: &NetNs, udp: u16, tcp: u16) -> Result<()> {
    let mut batch = Batch::default();
    batch.push(k::BEGIN, 0, &[0, 0, 0, k::NF_TABLES as u8]);
    batch.push(k::NEW_TABLE, CREATE, message().text(1, TABLE).as_bytes());
    let hook = Attributes::default().be32(1, k::LOCAL_OUT).be32(2, k::PRIORITY.cast_unsigned());
    let chain = message().text(1, TABLE).text(3, CHAIN).nested(4, &hook).text(7, "nat");
    batch.push(k::NEW_CHAIN, CREATE, chain.as_bytes());
    for (protocol, port) in [(k::UDP, udp), (k::TCP, tcp)] {
        let rule = message().text(1, TABLE).text(2, CHAIN).nested(4, &rule(protocol, port));
        batch.push(k::NEW_RULE, CREATE | APPEND, rule.as_bytes());
    }
    // Its answer is sent only once all is done.
    batch.acknowledge_last();
    batch.push(k::END, 0, &[0, 0, 0, k::NF_TABLES as u8]);
    let sent = ns.enter(|| Socket::open(Family::Netfilter).and_then(|mut socket| socket.send_all(&mut batch)))?;
    sent.map_err(|source| Error::Netlink { doing: "redirect the resolver's port".into(), source })
}

/// `struct nfgenmsg`: family, version, resource.
fn message() -> Attributes {
    Attributes::after(&[k::IPV4, 0, 0, 0])
}

/// `ip daddr 127.0.0.11 PROTOCOL dport 53 dnat to 127.0.0.11:PORT`
fn rule(protocol: u8, port: u16) -> Attributes {
    let address = dns::ADDRESS.octets();
    let load =
        |base, offset, length: u32| Attributes::default().be32(1, 1).be32(2, base).be32(3, offset).be32(4, length);
    let value = |bytes: &[u8]| Attributes::default().bytes(1, bytes);
    let equals = |bytes: &[u8]| Attributes::default().be32(1, 1).be32(2, 0).nested(3, &value(bytes));
    let put = |register, bytes: &[u8]| Attributes::default().be32(1, register).nested(2, &value(bytes));
    let nat =
        Attributes::default().be32(1, k::DNAT).be32(2, u32::from(k::IPV4)).be32(3, 1).be32(4, 1).be32(5, 2).be32(6, 2);
    [
        ("payload", load(k::NETWORK_HEADER, 16, 4)),
        ("cmp", equals(&address)),
        ("meta", Attributes::default().be32(1, 1).be32(2, k::L4_PROTOCOL)),
        ("cmp", equals(&[protocol])),
        ("payload", load(k::TRANSPORT_HEADER, 2, 2)),
        ("cmp", equals(&dns::PORT.to_be_bytes())),
        ("immediate", put(1, &address)),
        ("immediate", put(2, &port.to_be_bytes())),
        ("nat", nat),
    ]
    .iter()
    .fold(Attributes::default(), |all, (name, data)| {
        all.nested(1, &Attributes::default().text(1, name).nested(2, data))
    })
}
