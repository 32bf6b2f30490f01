//! What the table always holds. Containers and networks add elements to its sets and maps, never a rule.
//!
//! The table accepts nothing that another table drops: the host's own firewall has the last word.

use super::expr::{Base, End, Expr, Family, Meta, Register, Track, Verdict};
use super::wire::{self, Hook, Set, Type};
use crate::sys::netlink::Batch;

/// Part of every rule's comment: rules of another version are replaced.
const VERSION: &str = "teu 2";

pub const BRIDGES: &str = "bridges";
pub const INTERNAL: &str = "internal";
pub const MASQUERADE: &str = "translated";
pub const SAME: &str = "same";
pub const PORTS4: &str = "ports4";
pub const PORTS6: &str = "ports6";
/// Published on every address of the host.
pub const ANY4: &str = "any4";
pub const ANY6: &str = "any6";
/// The maps of published ports.
pub const PORT_MAPS: [&str; 4] = [PORTS4, ANY4, PORTS6, ANY6];

const SETS: [Set; 8] = {
    use Type::{Address4, Address6, Interface, Port, Protocol};
    [
        Set { name: BRIDGES, key: &[Interface], data: &[] },
        Set { name: INTERNAL, key: &[Interface], data: &[] },
        Set { name: MASQUERADE, key: &[Interface], data: &[] },
        Set { name: SAME, key: &[Interface, Interface], data: &[] },
        Set { name: PORTS4, key: &[Address4, Protocol, Port], data: &[Address4, Port] },
        Set { name: ANY4, key: &[Protocol, Port], data: &[Address4, Port] },
        Set { name: PORTS6, key: &[Address6, Protocol, Port], data: &[Address6, Port] },
        Set { name: ANY6, key: &[Protocol, Port], data: &[Address6, Port] },
    ]
};

const PUBLISH: &str = "publish";
const PREROUTING: u32 = 0;
const INPUT: u32 = 1;
const FORWARD: u32 = 2;
const OUTPUT: u32 = 3;
const POSTROUTING: u32 = 4;

const CHAINS: [(&str, Option<Hook>); 7] = [
    (PUBLISH, None),
    ("raw", Some(Hook { kind: "filter", number: PREROUTING, priority: -300 })),
    ("prerouting", Some(Hook { kind: "nat", number: PREROUTING, priority: -100 })),
    ("output", Some(Hook { kind: "nat", number: OUTPUT, priority: -100 })),
    ("postrouting", Some(Hook { kind: "nat", number: POSTROUTING, priority: 100 })),
    ("forward", Some(Hook { kind: "filter", number: FORWARD, priority: 0 })),
    ("input", Some(Hook { kind: "filter", number: INPUT, priority: 0 })),
];

const R0: Register = Register(0);
/// The second sixteen bytes.
const R4: Register = Register(4);

struct Rule {
    chain: &'static str,
    expressions: Vec<Expr>,
    about: &'static str,
}

/// Adds the table, its sets and chains, and puts the rules in place of whatever the chains held.
pub fn add(batch: &mut Batch, table: &str) {
    wire::add_table(batch, table);
    for (id, set) in (1..).zip(&SETS) {
        wire::add_set(batch, table, set, id);
    }
    for (name, hook) in CHAINS {
        wire::add_chain(batch, table, name, hook);
    }
    for rule in rules() {
        wire::add_rule(batch, table, rule.chain, &rule.expressions, &comment(&rule));
    }
}

/// Chain and comment of each rule.
pub fn marks() -> Vec<(String, String)> {
    rules().iter().map(|r| (r.chain.to_owned(), comment(r))).collect()
}

fn comment(rule: &Rule) -> String {
    format!("{VERSION}: {}", rule.about)
}

fn rules() -> Vec<Rule> {
    use Verdict::{Accept, Drop, Jump, Return};
    let rule = |chain, about, parts: &[&[Expr]]| Rule { chain, expressions: parts.concat(), about };
    let end = |verdict| [Expr::Verdict(verdict)];
    let masq = [Expr::Masquerade];
    let (from_ours, to_ours) = (from(BRIDGES), to(BRIDGES));
    vec![
        rule(PUBLISH, "a port of one address", &[&publish(Family::Four, false)]),
        rule(PUBLISH, "a port of all addresses", &[&publish(Family::Four, true)]),
        rule(PUBLISH, "a port of one address", &[&publish(Family::Six, false)]),
        rule(PUBLISH, "a port of all addresses", &[&publish(Family::Six, true)]),
        // The bridges route 127.0.0.0/8 for the host's sake, so nobody on them may use it.
        // Every packet that comes to this machine is asked: the address, which nearly none has, is compared soonest.
        rule("raw", "no loopback address from a container", &[&loopback4(), &from_ours, &end(Drop)]),
        // A loopback address that comes from outside is nobody's business, whatever is published on it.
        rule("prerouting", "no loopback address from outside", &[&loopback4(), &end(Return)]),
        rule("prerouting", "no loopback address from outside", &[&loopback6(), &end(Return)]),
        rule("prerouting", "published ports", &[&end(Jump(PUBLISH))]),
        // The kernel routes no ::1 to another interface.
        rule("output", "no ::1", &[&loopback6(), &end(Return)]),
        rule("output", "published ports", &[&end(Jump(PUBLISH))]),
        rule("postrouting", "a container by a published port", &[&from_ours, &to_ours, &redirected(), &masq]),
        // Where bridged packets go through these rules, they come here without an interface they came by.
        rule("postrouting", "a container by a bridged port", &[&bridged(), &to_ours, &redirected(), &foreign(), &masq]),
        rule("postrouting", "the host by a loopback address", &[&to_ours, &from_loopback4(), &masq]),
        rule("postrouting", "leaves the networks", &[&from(MASQUERADE), &not_to(BRIDGES), &masq]),
        rule("forward", "answers", &[&answers(), &end(Accept)]),
        rule("forward", "within a network", &[&within(), &end(Accept)]),
        rule("forward", "from an internal network", &[&from(INTERNAL), &end(Drop)]),
        rule("forward", "to an internal network", &[&to(INTERNAL), &end(Drop)]),
        rule("forward", "published ports", &[&redirected(), &end(Accept)]),
        rule("forward", "to a network from anywhere else", &[&to_ours, &end(Drop)]),
        rule("input", "answers", &[&answers(), &end(Accept)]),
        rule("input", "neighbours of an internal network", &[&from(INTERNAL), &icmp6(), &end(Accept)]),
        rule("input", "from an internal network", &[&from(INTERNAL), &end(Drop)]),
    ]
}

fn from(set: &'static str) -> Vec<Expr> {
    vec![Expr::Meta(Meta::InName, R0), Expr::Lookup { set, key: R0, to: None }]
}

fn to(set: &'static str) -> Vec<Expr> {
    vec![Expr::Meta(Meta::OutName, R0), Expr::Lookup { set, key: R0, to: None }]
}

fn not_to(set: &'static str) -> Vec<Expr> {
    vec![Expr::Meta(Meta::OutName, R0), Expr::NotIn { set, key: R0 }]
}

/// In and out by the same bridge.
fn within() -> Vec<Expr> {
    vec![Expr::Meta(Meta::InName, R0), Expr::Meta(Meta::OutName, R4), Expr::Lookup { set: SAME, key: R0, to: None }]
}

fn family(family: Family) -> Vec<Expr> {
    vec![Expr::Meta(Meta::Family, R0), Expr::Compare { register: R0, equal: true, value: vec![family as u8] }]
}

const SOURCE4: u32 = 12;
const DESTINATION4: u32 = 16;
const DESTINATION6: u32 = 24;

fn address_is_loopback4(offset: u32) -> Vec<Expr> {
    let mut parts = family(Family::Four);
    // The first byte says it.
    parts.push(Expr::Payload { base: Base::Network, offset, length: 1, to: R0 });
    parts.push(Expr::Compare { register: R0, equal: true, value: vec![127] });
    parts
}

fn loopback4() -> Vec<Expr> {
    address_is_loopback4(DESTINATION4)
}

fn from_loopback4() -> Vec<Expr> {
    address_is_loopback4(SOURCE4)
}

fn loopback6() -> Vec<Expr> {
    let mut parts = family(Family::Six);
    parts.push(Expr::Payload { base: Base::Network, offset: DESTINATION6, length: 16, to: R0 });
    let one = std::net::Ipv6Addr::LOCALHOST.octets().to_vec();
    parts.push(Expr::Compare { register: R0, equal: true, value: one });
    parts
}

fn tracked(what: Track, bits: u32) -> Vec<Expr> {
    vec![
        Expr::Track(what, R0),
        Expr::Mask { register: R0, mask: bits.to_ne_bytes().to_vec() },
        Expr::Compare { register: R0, equal: false, value: vec![0; 4] },
    ]
}

/// Packets of connections that were permitted.
fn answers() -> Vec<Expr> {
    const ESTABLISHED: u32 = 2;
    const RELATED: u32 = 4;
    tracked(Track::State, ESTABLISHED | RELATED)
}

/// Packets of connections whose destination was changed.
fn redirected() -> Vec<Expr> {
    const DESTINATION_CHANGED: u32 = 0x20;
    tracked(Track::Status, DESTINATION_CHANGED)
}

fn icmp6() -> Vec<Expr> {
    const ICMP6: u8 = 58;
    vec![Expr::Meta(Meta::Protocol, R0), Expr::Compare { register: R0, equal: true, value: vec![ICMP6] }]
}

/// The address is, or is not, one of this machine's.
fn this_machine(end: End, is: bool) -> Vec<Expr> {
    const LOCAL: u32 = 2;
    let value = LOCAL.to_ne_bytes().to_vec();
    vec![Expr::AddressKind(end, R0), Expr::Compare { register: R0, equal: is, value }]
}

fn foreign() -> Vec<Expr> {
    this_machine(End::Source, false)
}

fn bridged() -> Vec<Expr> {
    vec![Expr::Meta(Meta::InIndex, R0), Expr::Compare { register: R0, equal: true, value: vec![0; 4] }]
}

/// Destination address (unless published on all), protocol and port are the key; address and port come out.
fn publish(version: Family, all: bool) -> Vec<Expr> {
    let (set, address, registers) = match (version, all) {
        (Family::Four, false) => (PORTS4, Some((DESTINATION4, 4)), 1),
        (Family::Six, false) => (PORTS6, Some((DESTINATION6, 16)), 4),
        (Family::Four, true) => (ANY4, None, 1),
        (Family::Six, true) => (ANY6, None, 4),
    };
    let mut parts = family(version);
    let mut next = 0;
    if let Some((offset, length)) = address {
        parts.push(Expr::Payload { base: Base::Network, offset, length, to: R0 });
        next = registers;
    } else {
        parts.extend(this_machine(End::Destination, true));
    }
    const DESTINATION_PORT: u32 = 2;
    parts.push(Expr::Meta(Meta::Protocol, Register(next)));
    let port = Register(next + 1);
    parts.push(Expr::Payload { base: Base::Transport, offset: DESTINATION_PORT, length: 2, to: port });
    parts.push(Expr::Lookup { set, key: R0, to: Some(R0) });
    parts.push(Expr::Destination { family: version, address: R0, port: Register(registers) });
    parts
}
