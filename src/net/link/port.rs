//! A container's end at its bridge: which frames it takes.

use super::{Doing, Links, NEWLINK, Result, SETLINK, bytes, link_message};
use crate::sys::netlink;
use netlink_packet_route::link::{InfoBridgePort, InfoPortData, InfoPortKind, LinkAttribute, LinkFlags, LinkInfo};

impl Links {
    /// Frames may leave by the bridge's port they came from.
    pub fn set_hairpin(&mut self, name: &str) -> Result<()> {
        self.set_port(name, InfoBridgePort::HairpinMode(true)).doing(|| format!("set {name} to hairpin"))
    }

    /// A bridge passes no frames between ports that are isolated.
    pub fn isolate(&mut self, name: &str) -> Result<()> {
        self.set_port(name, InfoBridgePort::Isolated(true)).doing(|| format!("isolate {name} from its neighbours"))
    }

    fn set_port(&mut self, name: &str, what: InfoBridgePort) -> netlink::Result<()> {
        let data = InfoPortData::BridgePort(vec![what]);
        let info = vec![LinkInfo::PortKind(InfoPortKind::Bridge), LinkInfo::PortData(data)];
        let message = link_message(0, vec![LinkAttribute::IfName(name.to_owned()), LinkAttribute::LinkInfo(info)]);
        self.socket.request(NEWLINK, 0, &bytes(&message))
    }

    /// Makes an interface that is there a port of a bridge, and brings it up.
    pub fn put_on_bridge(&mut self, name: &str, bridge: u32) -> Result<()> {
        let mut message =
            link_message(0, vec![LinkAttribute::IfName(name.to_owned()), LinkAttribute::Controller(bridge)]);
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        self.socket.request(SETLINK, 0, &bytes(&message)).doing(|| format!("put {name} on its bridge"))
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
