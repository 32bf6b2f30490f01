//! Networks and ports as elements of the table's sets and maps: the keys and data that its rules look up.

use super::wire::Element;
use super::{Network, Port, rules};
use crate::model::network::Protocol;
use std::net::IpAddr;

impl Network {
    pub(super) fn elements(&self) -> Vec<Element> {
        let name = interface(&self.bridge);
        let element = |set, key: &[u8]| Element { set, key: key.to_vec(), data: Vec::new(), comment: String::new() };
        let mut all = vec![element(rules::BRIDGES, &name)];
        if !self.isolated {
            all.push(element(rules::SAME, &[name, name].concat()));
        }
        if self.internal {
            all.push(element(rules::INTERNAL, &name));
        }
        if self.masquerade {
            all.push(element(rules::MASQUERADE, &name));
        }
        all
    }
}

/// An interface's name as the kernel compares it: 16 bytes, filled with zeros.
fn interface(name: &str) -> [u8; 16] {
    let mut key = [0; 16];
    for (to, from) in key.iter_mut().zip(name.bytes().take(15)) {
        *to = from;
    }
    key
}

impl Port {
    pub(super) fn element(&self, container: &str) -> Element {
        let (tcp, udp) = (6, 17);
        let protocol = if self.protocol == Protocol::Tcp { tcp } else { udp };
        let (set, mut key) = match self.host.ip() {
            IpAddr::V4(any) if any.is_unspecified() => (rules::ANY4, Vec::new()),
            IpAddr::V6(any) if any.is_unspecified() => (rules::ANY6, Vec::new()),
            IpAddr::V4(one) => (rules::PORTS4, one.octets().to_vec()),
            IpAddr::V6(one) => (rules::PORTS6, one.octets().to_vec()),
        };
        key.extend([protocol, 0, 0, 0]);
        key.extend(padded(self.host.port()));
        let mut data = match self.to.ip() {
            IpAddr::V4(a) => a.octets().to_vec(),
            IpAddr::V6(a) => a.octets().to_vec(),
        };
        data.extend(padded(self.to.port()));
        Element { set, key, data, comment: container.to_owned() }
    }
}

fn padded(port: u16) -> [u8; 4] {
    let [high, low] = port.to_be_bytes();
    [high, low, 0, 0]
}
