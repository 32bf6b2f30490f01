//! Inside a container's namespace: what is sent to the resolver's well-known port goes to the ports it really has.
//!
//! So port 53 stays free for the container itself: a DNS server in it may bind `0.0.0.0:53` as anywhere else.

use super::dns;
use super::error::{Doing, Result};
use super::netns::NetNs;
use super::nft::expr::{Base, Expr, Family, Meta, Register};
use super::nft::wire::{self, Hook};
use crate::sys::netlink::{self, Batch, Socket};

const TABLE: &str = "teu-names";
const CHAIN: &str = "output";
/// `NF_INET_LOCAL_OUT`, `NF_IP_PRI_NAT_DST`
const OUTPUT: Hook = Hook { kind: "nat", number: 3, priority: -100 };
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Leads [`dns::ADDRESS`], port 53, to these ports of the same address. Fails where the kernel has no nf_tables. `anew`: in place
/// of what is there.
pub fn resolver(ns: &NetNs, udp: u16, tcp: u16, anew: bool) -> Result<()> {
    let mut batch = Batch::default();
    wire::begin(&mut batch);
    wire::add_table(&mut batch, TABLE);
    if anew {
        batch.push(wire::DELTABLE, 0, &wire::named(TABLE));
        wire::add_table(&mut batch, TABLE);
    }
    wire::add_chain(&mut batch, TABLE, CHAIN, Some(OUTPUT));
    for (protocol, port) in [(UDP, udp), (TCP, tcp)] {
        wire::add_rule(&mut batch, TABLE, CHAIN, &rule(protocol, port), "teu: names");
    }
    // Its answer is sent only once all is done.
    batch.acknowledge_last();
    wire::end(&mut batch);
    let sent = ns.enter(|| Socket::open(netlink::Family::Netfilter).and_then(|mut socket| socket.send_all(&mut batch)));
    sent?.doing(|| "redirect the resolver's port".into())
}

/// `ip daddr 127.0.0.11 PROTOCOL dport 53 dnat to 127.0.0.11:PORT`
fn rule(protocol: u8, port: u16) -> Vec<Expr> {
    const DESTINATION4: u32 = 16;
    const DESTINATION_PORT: u32 = 2;
    let (r0, r1) = (Register(0), Register(1));
    let is = |value: &[u8]| Expr::Compare { register: r0, equal: true, value: value.to_vec() };
    let address = dns::ADDRESS.octets();
    vec![
        Expr::Meta(Meta::Family, r0),
        is(&[Family::Four as u8]),
        Expr::Payload { base: Base::Network, offset: DESTINATION4, length: 4, to: r0 },
        is(&address),
        Expr::Meta(Meta::Protocol, r0),
        is(&[protocol]),
        Expr::Payload { base: Base::Transport, offset: DESTINATION_PORT, length: 2, to: r0 },
        is(&dns::PORT.to_be_bytes()),
        Expr::Value { register: r0, value: address.to_vec() },
        Expr::Value { register: r1, value: port.to_be_bytes().to_vec() },
        Expr::Destination { family: Family::Four, address: r0, port: r1 },
    ]
}
