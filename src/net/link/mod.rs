//! Interfaces, addresses and routes of one network namespace, by route netlink.

mod port;
mod vlan;

pub use port::Port;

use super::attribute::{Attributes, find, text};
use super::error::{Doing, Error, Result};
use crate::model::network::{Cidr, Mac};
use crate::sys::netlink::{self, ACK, Batch, CREATE, DUMP, EXCL, Family, REPLACE, Socket, Traffic};
use netlink_packet_core::Emitable;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoBridge, InfoData, InfoIpVlan, InfoKind, InfoMacVlan, InfoVeth,
    IpVlanMode, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, MacVlanMode,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

const NEWLINK: u16 = 16;
const DELLINK: u16 = 17;
const GETLINK: u16 = 18;
const SETLINK: u16 = 19;
const NEWADDR: u16 = 20;
const DELADDR: u16 = 21;
const NEWROUTE: u16 = 24;

/// What the interfaces that were made here are known by, where their names do not tell: shown by `ip link` as their alias.
const MARK: &str = "made by teu for its networks";

/// `struct ifinfomsg`: what stands before the attributes.
const LINK_HEAD: usize = 16;
const IFLA_IFNAME: u16 = 3;
const IFLA_IFALIAS: u16 = 20;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_AF_SPEC: u16 = 26;
const AF_INET: u16 = 2;
const IFLA_INET_CONF: u16 = 1;
/// `IPV4_DEVCONF_ARP_NOTIFY`
const ARP_NOTIFY: u16 = 22;
const IFLA_GSO_IPV4_MAX_SIZE: u16 = 63;

/// A pair uses one queue each way whatever it has room for: the kernel would make one for each processor, and then wait until
/// nobody can be using those it takes away again.
const ONE_QUEUE: [LinkAttribute; 2] = [LinkAttribute::NumTxQueues(1), LinkAttribute::NumRxQueues(1)];

/// How many bytes the host's TCP over IPv4 hands to a container at once. More than the usual 64 KiB saves the way through the
/// kernel for two packets of three. The container's own end stays as it is: what it sends may leave by hardware that takes
/// 64 KiB, and would be cut into frames before. Kernels before 6.3 know nothing of it, and pass over the attribute.
const LARGE: u32 = 3 << 16;

/// An interface that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    pub name: String,
    /// `bridge`, `veth`; `None` for hardware and loopback.
    pub kind: Option<String>,
    pub up: bool,
    /// A text that somebody gave it; mostly empty.
    pub alias: String,
    /// IPv4 may hand it packets as large as it could: false only where the kernel knows of such.
    pub large: bool,
}

impl Link {
    /// Made for our networks, and not by somebody else for others.
    pub fn is_ours(&self) -> bool {
        self.alias == MARK
    }
}

/// A pair of interfaces: one here, at a bridge; the other in the container.
#[derive(Debug)]
pub struct Veth<'a> {
    pub name: &'a str,
    pub bridge: u32,
    pub mtu: Option<u32>,
    pub ns: BorrowedFd<'a>,
    pub peer: &'a str,
    pub mac: Option<Mac>,
    pub port: Port,
}

/// An interface of the container on top of one of the host's.
#[derive(Debug)]
pub struct OnParent<'a> {
    pub parent: u32,
    pub mtu: Option<u32>,
    pub ns: BorrowedFd<'a>,
    pub name: &'a str,
    pub mac: Option<Mac>,
    pub kind: OnParentKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnParentKind {
    Macvlan(MacVlanMode),
    Ipvlan(IpVlanMode),
}

/// What a bridged network is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bridge,
    Veth,
}

/// The interfaces of the namespace it was opened in.
#[derive(Debug)]
pub struct Links {
    pub(super) socket: Socket,
}

impl Links {
    pub fn open() -> Result<Links> {
        let socket = Socket::open(Family::Route).doing(|| "open a route socket".into())?;
        Ok(Links { socket })
    }

    pub fn traffic(&self) -> Traffic {
        self.socket.traffic()
    }

    pub fn find(&mut self, name: &str) -> Result<Option<Link>> {
        let message = link_message(0, vec![LinkAttribute::IfName(name.to_owned())]);
        match self.socket.query(GETLINK, 0, &bytes(&message)) {
            Ok(answers) => Ok(answers.iter().find_map(|m| parse_link(&m.payload))),
            Err(e) if e.missing() => Ok(None),
            Err(e) => Err(e).doing(|| format!("look for interface {name}")),
        }
    }

    /// All interfaces.
    pub fn all(&mut self) -> Result<Vec<Link>> {
        let answers = self.socket.query(GETLINK, DUMP, &bytes(&link_message(0, Vec::new())));
        Ok(answers.doing(|| "list interfaces".into())?.iter().filter_map(|m| parse_link(&m.payload)).collect())
    }

    /// Whether an interface of that kind could be made here. None is: the kernel looks at the caller's rights, then for the
    /// kind, and then refuses an address that no interface can have.
    pub fn can_make(&mut self, kind: Kind) -> netlink::Result<()> {
        let kind = if kind == Kind::Bridge { InfoKind::Bridge } else { InfoKind::Veth };
        let attributes = vec![
            LinkAttribute::IfName("teu-look".to_owned()),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]),
            LinkAttribute::Address(vec![1, 0, 0, 0, 0, 0]),
        ];
        let asked = self.socket.request(NEWLINK, CREATE | EXCL, &bytes(&link_message(0, attributes)));
        asked.or_else(|refusal| if refusal.missing() || refusal.exists() { Ok(()) } else { Err(refusal) })
    }

    /// A bridge that is down; false when an interface of that name was there. It listens to nobody's membership of multicast
    /// groups: without a router that asks for them its frames go to all anyway, and each port that comes would have it set
    /// the timers of all.
    pub fn add_bridge(&mut self, name: &str, mac: Mac, mtu: Option<u32>) -> Result<bool> {
        let mut attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Bridge),
                LinkInfo::Data(InfoData::Bridge(vec![InfoBridge::MulticastSnooping(false)])),
            ]),
            LinkAttribute::Address(mac.0.to_vec()),
        ];
        attributes.extend(mtu.map(LinkAttribute::Mtu));
        match self.socket.request(NEWLINK, CREATE | EXCL, &bytes(&link_message(0, attributes))) {
            Ok(()) => {
                let by_name = LinkAttribute::IfName(name.to_owned());
                let marked = link_message(0, vec![by_name, LinkAttribute::IfAlias(MARK.to_owned())]);
                self.socket.request(SETLINK, 0, &bytes(&marked)).doing(|| format!("mark bridge {name}"))?;
                Ok(true)
            }
            Err(e) if e.exists() => Ok(false),
            Err(e) => Err(e).doing(|| format!("make bridge {name}")),
        }
    }

    /// Both ends; ours is up. A leftover of the same name is replaced.
    pub fn add_veth(&mut self, veth: &Veth<'_>) -> Result<()> {
        let mut peer = vec![LinkAttribute::IfName(veth.peer.to_owned()), LinkAttribute::NetNsFd(veth.ns.as_raw_fd())];
        peer.extend(veth.mac.map(|m| LinkAttribute::Address(m.0.to_vec())));
        peer.extend(veth.mtu.map(LinkAttribute::Mtu));
        peer.extend(ONE_QUEUE);
        let data = InfoData::Veth(InfoVeth::Peer(link_message(0, peer)));
        let info = vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(data)];
        let mut attributes = vec![LinkAttribute::IfName(veth.name.to_owned()), LinkAttribute::LinkInfo(info)];
        attributes.extend(veth.mtu.map(LinkAttribute::Mtu));
        attributes.extend(ONE_QUEUE);
        attributes.push(LinkAttribute::GsoIpv4MaxSize(LARGE));
        let made = bytes(&link_message(0, attributes));
        let by_name = LinkAttribute::IfName(veth.name.to_owned());
        let no_addresses = bytes(&link_message(0, vec![by_name, own_link_local(false)]));
        let attempt = |links: &mut Links| {
            let mut batch = Batch::default();
            batch.push(NEWLINK, CREATE | EXCL | ACK, &made);
            // Refused where IPv6 is switched off, and then not needed.
            batch.push_optional(SETLINK, 0, &no_addresses);
            port::push(&mut batch, veth.name, veth.bridge, veth.port);
            links.socket.send_all(&mut batch)
        };
        match attempt(self) {
            Err(e) if e.exists() => {
                self.remove(veth.name)?;
                attempt(self)
            }
            other => other,
        }
        .doing(|| format!("make interface {} for {}", veth.name, veth.peer))
    }

    /// Lets a bridge take large packets: as its ports do, of which it must have one. Who refuses does well without.
    pub fn enlarge(&mut self, bridge: u32) {
        let message = link_message(bridge, vec![LinkAttribute::GsoIpv4MaxSize(LARGE)]);
        if let Err(refusal) = self.socket.request(SETLINK, 0, &bytes(&message)) {
            tracing::debug!(error = %refusal, "large packets to containers");
        }
    }

    /// macvlan or ipvlan, made right in the container's namespace.
    pub fn add_on_parent(&mut self, wanted: &OnParent<'_>) -> Result<()> {
        let (kind, data) = match wanted.kind {
            OnParentKind::Macvlan(mode) => (InfoKind::MacVlan, InfoData::MacVlan(vec![InfoMacVlan::Mode(mode)])),
            OnParentKind::Ipvlan(mode) => (InfoKind::IpVlan, InfoData::IpVlan(vec![InfoIpVlan::Mode(mode)])),
        };
        let mut attributes = vec![
            LinkAttribute::IfName(wanted.name.to_owned()),
            LinkAttribute::NetNsFd(wanted.ns.as_raw_fd()),
            LinkAttribute::Link(wanted.parent),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind), LinkInfo::Data(data)]),
        ];
        attributes.extend(wanted.mac.map(|m| LinkAttribute::Address(m.0.to_vec())));
        attributes.extend(wanted.mtu.map(LinkAttribute::Mtu));
        match self.socket.request(NEWLINK, CREATE | EXCL, &bytes(&link_message(0, attributes))) {
            Err(e) if e.unsupported() => {
                let kind = if matches!(wanted.kind, OnParentKind::Macvlan(_)) { "macvlan" } else { "ipvlan" };
                Err(Error::Unsupported(format!("this kernel has no {kind} interfaces")))
            }
            other => other.doing(|| format!("make interface {}", wanted.name)),
        }
    }

    /// False when there is none of that name.
    pub fn remove(&mut self, name: &str) -> Result<bool> {
        let message = link_message(0, vec![LinkAttribute::IfName(name.to_owned())]);
        match self.socket.request(DELLINK, 0, &bytes(&message)) {
            Ok(()) => Ok(true),
            Err(e) if e.missing() => Ok(false),
            Err(e) => Err(e).doing(|| format!("remove interface {name}")),
        }
    }

    /// Up; `link_local`: with an IPv6 address made from its MAC.
    pub fn set_up(&mut self, index: u32, link_local: bool) -> Result<()> {
        let mut batch = Batch::default();
        if !link_local {
            batch.push_optional(SETLINK, 0, &bytes(&link_message(index, vec![own_link_local(false)])));
        }
        let mut up = link_message(index, Vec::new());
        up.header.flags = LinkFlags::Up;
        up.header.change_mask = LinkFlags::Up;
        batch.push(SETLINK, ACK, &bytes(&up));
        self.socket.send_all(&mut batch).doing(|| "bring an interface up".into())
    }

    /// One that is not there is fine.
    pub fn remove_address(&mut self, index: u32, cidr: Cidr) -> Result<()> {
        match self.socket.request(DELADDR, 0, &bytes(&address_message(index, cidr))) {
            Err(e) if !e.missing() => Err(e).doing(|| format!("remove address {cidr}")),
            _ => Ok(()),
        }
    }

    /// One that is there already stays.
    pub fn add_address(&mut self, index: u32, cidr: Cidr) -> Result<()> {
        let mut message = address_message(index, cidr);
        match cidr.address {
            IpAddr::V4(_) if cidr.prefix < 31 => {
                message.attributes.push(AddressAttribute::Broadcast(broadcast(cidr)));
            }
            // Who has it is known: nobody needs to be asked, and it is usable at once.
            IpAddr::V6(_) => message.header.flags = AddressHeaderFlags::Nodad,
            IpAddr::V4(_) => {}
        }
        match self.socket.request(NEWADDR, CREATE | EXCL, &bytes(&message)) {
            Err(e) if !e.exists() => Err(e).doing(|| format!("add address {cidr}")),
            _ => Ok(()),
        }
    }

    /// Tells the neighbours whose the interface's addresses are now: one may remember another MAC of a container that had them
    /// before, and would send to it for seconds. The kernel does so when the MAC is set, be it to what it is. For IPv6 it
    /// wants `ndisc_notify` set.
    pub fn announce(&mut self, index: u32, mac: Mac) -> Result<()> {
        let settings = Attributes::default().bytes(ARP_NOTIFY, &1u32.to_ne_bytes());
        let of_family = Attributes::default().nested(IFLA_INET_CONF, &settings);
        let families = Attributes::default().nested(AF_INET, &of_family);
        let notify = Attributes::after(&bytes(&link_message(index, Vec::new()))).nested(IFLA_AF_SPEC, &families);
        let mut batch = Batch::default();
        batch.push_optional(SETLINK, 0, notify.as_bytes());
        batch.push(SETLINK, ACK, &bytes(&link_message(index, vec![LinkAttribute::Address(mac.0.to_vec())])));
        self.socket.send_all(&mut batch).doing(|| format!("announce {mac}"))
    }

    /// The default route of the gateway's family, in place of another one.
    pub fn set_default_route(&mut self, index: u32, gateway: IpAddr) -> Result<()> {
        let message = default_route(index, Some(gateway), family(gateway));
        self.socket
            .request(NEWROUTE, CREATE | REPLACE, &bytes(&message))
            .doing(|| format!("set the default route by {gateway}"))
    }

    /// The default route straight to an interface, for those without a gateway.
    pub fn set_default_device(&mut self, index: u32, six: bool) -> Result<()> {
        let family = if six { AddressFamily::Inet6 } else { AddressFamily::Inet };
        self.socket
            .request(NEWROUTE, CREATE | REPLACE, &bytes(&default_route(index, None, family)))
            .doing(|| "set the default route".into())
    }
}

pub(super) fn bytes(message: &impl Emitable) -> Vec<u8> {
    let mut buffer = vec![0; message.buffer_len()];
    message.emit(&mut buffer);
    buffer
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

pub(super) fn link_message(index: u32, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes = attributes;
    message
}

fn address_message(index: u32, cidr: Cidr) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(cidr.address);
    message.header.prefix_len = cidr.prefix;
    message.header.scope = AddressScope::Universe;
    message.header.index = index;
    message.attributes = vec![AddressAttribute::Local(cidr.address), AddressAttribute::Address(cidr.address)];
    message
}

/// Whether the kernel makes a link-local IPv6 address when the interface comes up.
fn own_link_local(wanted: bool) -> LinkAttribute {
    let mode = if wanted { In6AddrGenMode::Eui64 } else { In6AddrGenMode::None };
    LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(mode)])])
}

fn default_route(index: u32, gateway: Option<IpAddr>, family: AddressFamily) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: family,
        table: RouteHeader::RT_TABLE_MAIN,
        protocol: RouteProtocol::Static,
        scope: if gateway.is_some() { RouteScope::Universe } else { RouteScope::Link },
        kind: RouteType::Unicast,
        ..RouteHeader::default()
    };
    message.attributes = vec![RouteAttribute::Oif(index)];
    message.attributes.extend(gateway.map(|g| RouteAttribute::Gateway(RouteAddress::from(g))));
    message
}

fn broadcast(cidr: Cidr) -> Ipv4Addr {
    match cidr.network() {
        IpAddr::V4(network) => (u32::from(network) | u32::MAX.checked_shr(u32::from(cidr.prefix)).unwrap_or(0)).into(),
        IpAddr::V6(_) => Ipv4Addr::BROADCAST,
    }
}

/// What is needed of a link's description. Not the crate's parser: that refuses the whole message for one attribute of
/// a newer kernel.
fn parse_link(payload: &[u8]) -> Option<Link> {
    let word = |at: usize| Some(u32::from_ne_bytes(payload.get(at..at + 4)?.try_into().ok()?));
    let attributes = payload.get(LINK_HEAD..)?;
    let kind = find(attributes, IFLA_LINKINFO).and_then(|info| find(info, IFLA_INFO_KIND)).map(text);
    let up = word(8)? & LinkFlags::Up.bits() != 0;
    let most = |value: &[u8]| Some(u32::from_ne_bytes(value.try_into().ok()?));
    let large = find(attributes, IFLA_GSO_IPV4_MAX_SIZE).and_then(most).is_none_or(|most| most >= LARGE);
    let alias = find(attributes, IFLA_IFALIAS).map(text).unwrap_or_default();
    Some(Link { index: word(4)?, name: text(find(attributes, IFLA_IFNAME)?), kind, up, alias, large })
}

#[cfg(test)]
mod tests;
