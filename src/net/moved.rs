//! Interfaces of the host that are moved into a container's network namespace, and what of them the kernel would forget
//! on the way: their addresses, and that they were up.

use super::error::{Doing, Error, Result};
use super::link::{Link, Links, bytes, link_message};
use super::netns;
use crate::sys::netlink::{CREATE, DUMP, REPLACE};
use netlink_packet_core::Parseable;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::LinkAttribute;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

const SETLINK: u16 = 19;
const NEWADDR: u16 = 20;
const GETADDR: u16 = 22;

/// Which interface, and its name inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub name: String,
    pub inside: String,
}

/// One that was moved; [`Moved::give_back`] undoes it.
#[derive(Debug)]
pub struct Moved {
    wanted: Wanted,
    up: bool,
    addresses: Vec<AddressMessage>,
    /// Sees the namespace it was moved to, and keeps it.
    inside: Links,
    /// Where it came from.
    home: OwnedFd,
}

/// Moves an interface of the namespace this process is in to `ns`, renamed, with its permanent global addresses, and
/// brings it up there. After a failure it is where it was.
pub fn give(wanted: &Wanted, ns: BorrowedFd<'_>) -> Result<Moved> {
    let mut here = Links::open()?;
    let none = || Error::Unsupported(format!("network device {} does not exist", wanted.name));
    let link = here.find(&wanted.name)?.ok_or_else(none)?;
    let mut inside = netns::enter(ns, Links::open)??;
    if inside.find(&wanted.inside)?.is_some() {
        let words = format!("a network device {} is in the container's network namespace already", wanted.inside);
        return Err(Error::Unsupported(words));
    }
    let addresses = addresses(&mut here, &link)?;
    let home = netns::current()?;
    let mut moved = Moved { wanted: wanted.clone(), up: link.up, addresses, inside, home };
    carry(&mut here, &link, ns, &wanted.inside)?;
    let settled = settle(&mut moved.inside, &wanted.inside, &moved.addresses, true);
    match settled {
        Ok(()) => Ok(moved),
        Err(e) => {
            // The first failure is the news.
            let _ = moved.give_back();
            Err(e)
        }
    }
}

impl Moved {
    /// Back to where it was, as it was. This process must still be in that namespace.
    pub fn give_back(mut self) -> Result<()> {
        // The rename may be what failed.
        let mut found = self.inside.find(&self.wanted.inside)?;
        if found.is_none() {
            found = self.inside.find(&self.wanted.name)?;
        }
        let Some(link) = found else { return Ok(()) };
        carry(&mut self.inside, &link, self.home.as_fd(), &self.wanted.name)?;
        settle(&mut Links::open()?, &self.wanted.name, &self.addresses, self.up)
    }
}

/// The kernel takes an interface that moves down and forgets its addresses; its hardware address and its MTU stay.
fn carry(from: &mut Links, link: &Link, to: BorrowedFd<'_>, name: &str) -> Result<()> {
    let attributes = vec![LinkAttribute::NetNsFd(to.as_raw_fd()), LinkAttribute::IfName(name.to_owned())];
    let message = bytes(&link_message(link.index, attributes));
    from.socket.request(SETLINK, 0, &message).doing(|| format!("move network device {} as {name}", link.name))
}

fn settle(there: &mut Links, name: &str, addresses: &[AddressMessage], up: bool) -> Result<()> {
    let none = || Error::Unsupported(format!("network device {name} is gone"));
    let link = there.find(name)?.ok_or_else(none)?;
    for address in addresses {
        let mut message = address.clone();
        message.header.index = link.index;
        let added = there.socket.request(NEWADDR, CREATE | REPLACE, &bytes(&message));
        added.doing(|| format!("add an address of network device {name}"))?;
    }
    if up { there.set_up(link.index, true) } else { Ok(()) }
}

/// What would be lost: everything else is the kernel's own to make again.
fn addresses(links: &mut Links, link: &Link) -> Result<Vec<AddressMessage>> {
    let answers = links.socket.query(GETADDR, DUMP, &bytes(&AddressMessage::default()));
    let answers = answers.doing(|| format!("list the addresses of network device {}", link.name))?;
    let mut found = Vec::new();
    for answer in answers {
        let not_understood = |_| Error::Answer { doing: "list addresses".into() };
        let mut message = AddressMessage::parse(&answer.payload[..]).map_err(not_understood)?;
        let header = &mut message.header;
        let permanent = header.flags.contains(AddressHeaderFlags::Permanent);
        if header.index != link.index || header.scope != AddressScope::Universe || !permanent {
            continue;
        }
        // It is known whose it is: nobody needs to be asked again.
        header.flags = AddressHeaderFlags::Permanent | AddressHeaderFlags::Nodad;
        message.attributes.retain(|attribute| {
            let kept = matches!(attribute, AddressAttribute::Address(_) | AddressAttribute::Local(_));
            kept || matches!(attribute, AddressAttribute::Broadcast(_) | AddressAttribute::RoutePriority(_))
        });
        found.push(message);
    }
    Ok(found)
}
