//! Inside a container's namespace: what is sent to the resolver's well-known port goes to the ports it really has.
//!
//! So port 53 stays free for the container itself: a DNS server in it may bind `0.0.0.0:53` as anywhere else.

use super::dns;
use super::error::{Doing, Result};
use super::netns::NetNs;
use super::nft::expr::{Base, Expr, Family, Meta, Register};
use super::nft::wire::{self, Hook};
use crate::model::network::Protocol;
use crate::sys::netlink::{self, Batch, Socket};

const TABLE: &str = "teu-names";
/// `NF_INET_LOCAL_OUT`
const OUTPUT: u32 = 3;
const RAW: i32 = -300;
const MANGLE: i32 = -150;
/// The ports are written over, in both directions, and no connection is tracked for it: a single rule that translates would
/// have the kernel track each packet of the container, which costs its traffic 3-8 %. Where the container itself tracks
/// (-200), it sees one connection to the port behind.
const QUESTIONS: (&str, Hook) = ("questions", Hook { kind: "filter", number: OUTPUT, priority: RAW });
const ANSWERS: (&str, Hook) = ("answers", Hook { kind: "filter", number: OUTPUT, priority: MANGLE });

const SOURCE4: u32 = 12;
const DESTINATION4: u32 = 16;
const SOURCE_PORT: u32 = 0;
const DESTINATION_PORT: u32 = 2;

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
    for (chain, hook) in [QUESTIONS, ANSWERS] {
        wire::add_chain(&mut batch, TABLE, chain, Some(hook));
    }
    for (protocol, port) in [(Protocol::Udp, udp), (Protocol::Tcp, tcp)] {
        let question = rule(protocol, (DESTINATION4, DESTINATION_PORT), dns::PORT, port);
        let answer = rule(protocol, (SOURCE4, SOURCE_PORT), port, dns::PORT);
        wire::add_rule(&mut batch, TABLE, QUESTIONS.0, &question, "teu: names");
        wire::add_rule(&mut batch, TABLE, ANSWERS.0, &answer, "teu: names");
    }
    // Its answer is sent only once all is done.
    batch.acknowledge_last();
    wire::end(&mut batch);
    let sent = ns.enter(|| Socket::open(netlink::Family::Netfilter).and_then(|mut socket| socket.send_all(&mut batch)));
    sent?.doing(|| "redirect the resolver's port".into())
}

/// Of the end at these offsets (`ip daddr`, `th dport`): `ip daddr 127.0.0.11 PROTOCOL dport IS PROTOCOL dport set BECOMES`.
fn rule(protocol: Protocol, (address, port): (u32, u32), is: u16, becomes: u16) -> Vec<Expr> {
    // The protocol's number, and where its header has the checksum.
    let (number, checksum) = match protocol {
        Protocol::Tcp => (6, 16),
        Protocol::Udp => (17, 6),
    };
    let r0 = Register(0);
    let equals = |value: &[u8]| Expr::Compare { register: r0, equal: true, value: value.to_vec() };
    vec![
        Expr::Meta(Meta::Family, r0),
        equals(&[Family::Four as u8]),
        Expr::Payload { base: Base::Network, offset: address, length: 4, to: r0 },
        equals(&dns::ADDRESS.octets()),
        Expr::Meta(Meta::Protocol, r0),
        equals(&[number]),
        Expr::Payload { base: Base::Transport, offset: port, length: 2, to: r0 },
        equals(&is.to_be_bytes()),
        Expr::Value { register: r0, value: becomes.to_be_bytes().to_vec() },
        Expr::Write { from: r0, offset: port, checksum },
    ]
}
