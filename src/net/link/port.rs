//! A container's end at its bridge: which frames it takes.

use super::{Doing, LinkMessage, Links, NEWLINK, Result, SETLINK, bytes, link_message};
use crate::sys::netlink::{ACK, Batch};
use netlink_packet_route::link::{InfoBridgePort, InfoPortData, InfoPortKind, LinkAttribute, LinkFlags, LinkInfo};

/// What a port does beyond the usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Port {
    /// Frames may leave by the port they came from.
    pub hairpin: bool,
    /// The bridge passes no frames to other ports that are isolated.
    pub isolated: bool,
}

impl Links {
    /// Makes an interface that is there a port of a bridge, and brings it up.
    pub fn put_on_bridge(&mut self, name: &str, bridge: u32, port: Port) -> Result<()> {
        let mut batch = Batch::default();
        push(&mut batch, name, bridge, port);
        self.socket.send_all(&mut batch).doing(|| format!("put {name} on its bridge"))
    }

    /// Takes an interface off its bridge. One that is not there is fine.
    pub fn take_off_bridge(&mut self, name: &str) -> Result<()> {
        let message = link_message(0, vec![LinkAttribute::IfName(name.to_owned()), LinkAttribute::Controller(0)]);
        match self.socket.request(SETLINK, 0, &bytes(&message)) {
            Err(e) if !e.missing() => Err(e).doing(|| format!("take {name} off its bridge")),
            _ => Ok(()),
        }
    }
}

/// Up comes last: until then nobody hears of a change. Of one that is up the kernel looks through all routes of IPv6.
pub(super) fn push(batch: &mut Batch, name: &str, bridge: u32, port: Port) {
    let named = |more| link_message(0, vec![LinkAttribute::IfName(name.to_owned()), more]);
    batch.push(SETLINK, ACK, &bytes(&named(LinkAttribute::Controller(bridge))));
    if port != Port::default() {
        batch.push(NEWLINK, ACK, &bytes(&named(LinkAttribute::LinkInfo(port.attributes()))));
    }
    let mut up: LinkMessage = link_message(0, vec![LinkAttribute::IfName(name.to_owned())]);
    up.header.flags = LinkFlags::Up;
    up.header.change_mask = LinkFlags::Up;
    batch.push(SETLINK, ACK, &bytes(&up));
}

impl Port {
    fn attributes(self) -> Vec<LinkInfo> {
        let settings = vec![InfoBridgePort::HairpinMode(self.hairpin), InfoBridgePort::Isolated(self.isolated)];
        vec![LinkInfo::PortKind(InfoPortKind::Bridge), LinkInfo::PortData(InfoPortData::BridgePort(settings))]
    }
}
