//! The firewall table of one state root: static rules, elements for networks and published ports, all by nf_tables
//! netlink. Every change is one transaction.

mod conntrack;
mod elements;
pub(super) mod expr;
mod others;
mod rules;
pub(super) mod wire;

use super::attribute::{find, walk};
use super::error::{Doing, Error, Result};
use crate::model::network::Protocol;
use crate::sys::netlink::{self, Batch, CREATE, DUMP, EXCL, Family, Socket, Traffic};
use std::net::{IpAddr, SocketAddr};
use wire::{Element, NEWSETELEM};

/// A network as the rules know it: by its bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    pub bridge: String,
    pub internal: bool,
    pub masquerade: bool,
    /// Nothing is passed from one container to another.
    pub isolated: bool,
}

/// A published port: where packets come to, and where they are to go. Both of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    pub host: SocketAddr,
    pub protocol: Protocol,
    pub to: SocketAddr,
}

/// What the table was like when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    /// Not there, damaged, or of another version; the generation of all rules it was so in.
    Missing {
        generation: u32,
    },
}

/// What a transaction does before it comes to elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rules {
    Keep,
    /// Puts sets, chains and rules in their places, and keeps what the sets hold.
    Restore,
    /// Begins with an empty table.
    Replace,
}

/// How often a change is tried that others' changes get in the way of. Of many that rebuild a table at once the first is
/// done, and the others see it whole when they look again.
const ATTEMPTS: usize = 64;

#[derive(Debug)]
pub struct Firewall {
    socket: Socket,
    table: String,
    state: State,
}

impl Firewall {
    /// Of the namespace the caller is in; `None`: this kernel has no nf_tables.
    pub fn open(root_tag: &str) -> Result<Option<Firewall>> {
        let socket = match Socket::open(Family::Netfilter) {
            Ok(socket) => socket,
            Err(e) if e.unsupported() => return Ok(None),
            Err(e) => return Err(e).doing(|| "open a netfilter socket".into()),
        };
        let mut firewall = Firewall { socket, table: table_name(root_tag), state: State::Whole };
        match firewall.look() {
            Ok(()) => Ok(Some(firewall)),
            Err(e) if e.unsupported() || e.invalid() => Ok(None),
            Err(e) => Err(e).doing(|| "list firewall rules".into()),
        }
    }

    pub fn traffic(&self) -> Traffic {
        self.socket.traffic()
    }

    /// Sees what the table is like now. A table that is not whole is looked at again, after the generation was asked for: a
    /// transaction for that generation then cannot undo what somebody else has repaired meanwhile.
    fn look(&mut self) -> netlink::Result<()> {
        self.state = State::Whole;
        if !self.whole()? {
            let generation = self.generation()?;
            if !self.whole()? {
                self.state = State::Missing { generation };
            }
        }
        Ok(())
    }

    fn whole(&mut self) -> netlink::Result<bool> {
        let found = self.socket.query(wire::GETRULE, DUMP, &wire::named(&self.table))?;
        let mark = |payload: &[u8]| {
            let attributes = payload.get(wire::HEAD..)?;
            let chain = super::attribute::text(find(attributes, wire::RULE_CHAIN)?);
            Some((chain, wire::untagged(find(attributes, wire::RULE_USERDATA)?)?))
        };
        let mut marks: Vec<_> = found.iter().map(|m| mark(&m.payload).unwrap_or_default()).collect();
        let mut wanted = rules::marks();
        marks.sort();
        wanted.sort();
        Ok(marks == wanted)
    }

    /// Grows with every change of any table of the namespace.
    fn generation(&mut self) -> netlink::Result<u32> {
        let answers = self.socket.query(wire::GETGEN, 0, &wire::ANY)?;
        let number = |m: &netlink::Message| {
            let value = find(m.payload.get(wire::HEAD..)?, wire::GENERATION)?;
            Some(u32::from_be_bytes(value.try_into().ok()?))
        };
        answers.iter().find_map(number).ok_or(netlink::Error::Cut)
    }

    /// Adds networks (those that are there stay) and a container's ports, in one transaction, with the rules if they
    /// are missing: then true, and the ports of others may be missing too. A port's element that somebody else left behind is
    /// replaced: the caller holds the port.
    pub fn add(&mut self, networks: &[Network], ports: &[Port], container: &str) -> Result<bool> {
        let networks: Vec<Element> = networks.iter().flat_map(Network::elements).collect();
        let ports: Vec<Element> = ports.iter().map(|p| p.element(container)).collect();
        if self.state == State::Whole && networks.is_empty() && ports.is_empty() {
            return Ok(false);
        }
        let mut done = Ok(());
        for _ in 0..ATTEMPTS {
            let before = self.state;
            done = match before {
                State::Whole => self.replacing(Rules::Keep, &networks, &ports),
                State::Missing { .. } => self.rebuild(&networks, &ports),
            };
            match &done {
                Ok(()) => {
                    self.state = State::Whole;
                    return Ok(before != State::Whole);
                }
                // Somebody changed the table since it was looked at.
                Err(e) if e.outdated() || before == State::Whole && (e.missing() || collides(e)) => {
                    self.look().doing(|| "list firewall rules".into())?;
                }
                Err(_) => break,
            }
        }
        match done {
            // The chain types are there or the kernel says there is no such thing.
            Err(e) if e.unsupported() || e.missing() => Err(Error::NoFirewall { what: "translating addresses" }),
            other => other.map(|()| false).doing(|| format!("change firewall table {}", self.table)),
        }
    }

    /// A table of the name that has other chains or sets is of another version: none of its ports can be kept.
    fn rebuild(&mut self, networks: &[Element], ports: &[Element]) -> netlink::Result<()> {
        match self.replacing(Rules::Restore, networks, ports) {
            Err(e) if collides(&e) => self.transaction(Rules::Replace, &[], networks, ports),
            other => other,
        }
    }

    /// Ports that are there already are taken from whoever left them.
    fn replacing(&mut self, rules: Rules, networks: &[Element], ports: &[Element]) -> netlink::Result<()> {
        match self.transaction(rules, &[], networks, ports) {
            Err(e) if collides(&e) => {
                let old: Vec<Element> = ports.iter().filter(|p| self.has(p)).cloned().collect();
                self.transaction(rules, &old, networks, ports)
            }
            other => other,
        }
    }

    fn transaction(
        &mut self,
        rules: Rules,
        old: &[Element],
        networks: &[Element],
        ports: &[Element],
    ) -> netlink::Result<()> {
        let mut batch = Batch::default();
        match self.state {
            State::Missing { generation } if rules != Rules::Keep => wire::begin_at(&mut batch, generation),
            _ => wire::begin(&mut batch),
        }
        if rules == Rules::Replace {
            batch.push(wire::DELTABLE, 0, &wire::named(&self.table));
        }
        if rules != Rules::Keep {
            rules::add(&mut batch, &self.table);
        }
        push(&mut batch, wire::DELSETELEM, 0, &self.table, old);
        push(&mut batch, NEWSETELEM, CREATE, &self.table, networks);
        push(&mut batch, NEWSETELEM, CREATE | EXCL, &self.table, ports);
        self.commit(batch)
    }

    fn commit(&mut self, mut batch: Batch) -> netlink::Result<()> {
        // The answer to the last message comes after all others', and is sent only once all is done.
        batch.acknowledge_last();
        wire::end(&mut batch);
        self.socket.send_all(&mut batch)
    }

    fn has(&mut self, element: &Element) -> bool {
        let wanted = wire::elements(&self.table, element.set, &[element], false);
        self.socket.query(wire::GETSETELEM, 0, &wanted).is_ok()
    }

    /// Whether what comes to this port is led somewhere: on its address, or on all of the family.
    pub fn knows(&mut self, port: &Port) -> bool {
        let all = match port.host.ip() {
            IpAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        };
        let on_all = Port { host: SocketAddr::new(all, port.host.port()), ..port.clone() };
        [port, &on_all].into_iter().any(|port| self.has(&port.element("")))
    }

    /// Removes a container's ports; those that are not there are fine.
    pub fn remove_ports(&mut self, ports: &[Port]) -> Result<()> {
        let elements: Vec<Element> = ports.iter().map(|p| p.element("")).collect();
        self.remove(&elements)
    }

    pub fn remove_network(&mut self, bridge: &str) -> Result<()> {
        let all = Network { bridge: bridge.to_owned(), internal: true, masquerade: true, isolated: false };
        self.remove(&all.elements())
    }

    fn remove(&mut self, elements: &[Element]) -> Result<()> {
        let mut attempt = |elements: &[Element]| {
            let mut batch = Batch::default();
            wire::begin(&mut batch);
            push(&mut batch, wire::DELSETELEM, 0, &self.table, elements);
            self.commit(batch)
        };
        if elements.is_empty() {
            return Ok(());
        }
        match attempt(elements) {
            // One that is missing undoes the whole: then each on its own.
            Err(e) if e.missing() && elements.len() > 1 => {
                for element in elements {
                    match attempt(std::slice::from_ref(element)) {
                        Err(e) if !e.missing() => return Err(e).doing(|| "remove a published port".into()),
                        _ => {}
                    }
                }
                Ok(())
            }
            Err(e) if e.missing() => Ok(()),
            other => other.doing(|| "remove published ports".into()),
        }
    }

    /// Removes the ports of every container that `keep` does not want; how many.
    pub fn sweep(&mut self, keep: impl Fn(&str) -> bool) -> Result<usize> {
        let mut removed = 0;
        for set in rules::PORT_MAPS {
            let dead: Vec<Element> = self.dump(set)?.into_iter().filter(|e| !keep(&e.comment)).collect();
            removed += dead.len();
            self.remove(&dead)?;
        }
        Ok(removed)
    }

    fn dump(&mut self, set: &'static str) -> Result<Vec<Element>> {
        let answers = match self.socket.query(wire::GETSETELEM, DUMP, &wire::set_of(&self.table, set)) {
            Err(e) if e.missing() => return Ok(Vec::new()),
            other => other.doing(|| format!("list firewall set {set}"))?,
        };
        let mut found = Vec::new();
        for answer in answers {
            let list = answer.payload.get(wire::HEAD..).and_then(|a| find(a, wire::ELEMENTS)).unwrap_or_default();
            for (_, item) in walk(list) {
                let Some(key) = find(item, wire::ELEMENT_KEY).and_then(|k| find(k, wire::DATA_VALUE)) else { continue };
                let comment = find(item, wire::ELEMENT_USERDATA).and_then(wire::untagged).unwrap_or_default();
                found.push(Element { set, key: key.to_vec(), data: Vec::new(), comment });
            }
        }
        Ok(found)
    }

    /// Removes a table that has neither a network nor a port; whether it did. Whoever comes to use it meanwhile keeps it.
    pub fn remove_unused(&mut self) -> Result<bool> {
        for _ in 0..ATTEMPTS {
            let generation = self.generation().doing(|| "list firewall rules".into())?;
            for set in [&[rules::BRIDGES][..], &rules::PORT_MAPS].concat() {
                if !self.dump(set)?.is_empty() {
                    return Ok(false);
                }
            }
            let mut batch = Batch::default();
            wire::begin_at(&mut batch, generation);
            batch.push(wire::DELTABLE, 0, &wire::named(&self.table));
            match self.commit(batch) {
                Err(e) if e.outdated() => {}
                Err(e) if e.missing() => return Ok(false),
                other => return other.map(|()| true).doing(|| format!("remove firewall table {}", self.table)),
            }
        }
        Ok(false)
    }

    /// Removes everything.
    pub fn remove_table(&mut self) -> Result<()> {
        let mut batch = Batch::default();
        wire::begin(&mut batch);
        batch.push(wire::DELTABLE, 0, &wire::named(&self.table));
        match self.commit(batch) {
            Err(e) if !e.missing() => Err(e).doing(|| format!("remove firewall table {}", self.table)),
            _ => Ok(()),
        }
    }

    /// Forgets the flows of UDP ports: they would go on as they began.
    pub fn forget_flows(&mut self, ports: &[Port]) {
        for port in ports.iter().filter(|p| p.protocol == Protocol::Udp) {
            conntrack::forget(&mut self.socket, port.host);
        }
    }
}

/// Something of the kind is there, and is different.
fn collides(e: &netlink::Error) -> bool {
    e.exists() || e.busy()
}

/// The name of a state root's table.
pub fn table_name(root_tag: &str) -> String {
    if root_tag.is_empty() { "teu".into() } else { format!("teu-{root_tag}") }
}

/// The elements, one message for those of each set that follow one another.
fn push(batch: &mut Batch, kind: u16, flags: u16, table: &str, elements: &[Element]) {
    // A message's lists have lengths of 16 bits.
    const MOST: usize = 200;
    for run in elements.chunk_by(|a, b| a.set == b.set) {
        for part in run.chunks(MOST) {
            let list: Vec<&Element> = part.iter().collect();
            batch.push(kind, flags, &wire::elements(table, part[0].set, &list, kind == NEWSETELEM));
        }
    }
}
