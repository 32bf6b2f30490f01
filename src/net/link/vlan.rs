//! Parents of macvlan and ipvlan networks: an interface that is there, or, by a name like `eth0.10`, a VLAN of one, made when
//! it is first needed and taken away with the network.

use super::{ACK, Batch, CREATE, Doing, EXCL, Error, Links, MARK, NEWLINK, Result, SETLINK, bytes, link_message};
use netlink_packet_route::link::{InfoData, InfoKind, InfoVlan, LinkAttribute, LinkFlags, LinkInfo};

/// Numbers that frames can carry and that mean something.
const NUMBERS: std::ops::RangeInclusive<u16> = 1..=4094;

/// `eth0.10`: VLAN 10 of `eth0`.
fn split(name: &str) -> Option<(&str, u16)> {
    let (base, number) = name.rsplit_once('.')?;
    let number = number.parse().ok().filter(|n| NUMBERS.contains(n))?;
    (!base.is_empty()).then_some((base, number))
}

impl Links {
    /// The number of a parent interface, which is made if it is a VLAN's and missing.
    pub fn parent(&mut self, name: &str) -> Result<u32> {
        if let Some(found) = self.find(name)? {
            return Ok(found.index);
        }
        let missing = || Error::NoParent(name.to_owned());
        let (base, number) = split(name).ok_or_else(missing)?;
        let base = self.find(base)?.ok_or_else(missing)?;
        self.add_vlan(name, base.index, number)?;
        Ok(self.find(name)?.ok_or_else(missing)?.index)
    }

    /// One that is there already stays as it is.
    fn add_vlan(&mut self, name: &str, base: u32, number: u16) -> Result<()> {
        let by_name = LinkAttribute::IfName(name.to_owned());
        let data = InfoData::Vlan(vec![InfoVlan::Id(number)]);
        let info = LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Vlan), LinkInfo::Data(data)]);
        let made = link_message(0, vec![by_name.clone(), LinkAttribute::Link(base), info]);
        let mut up = link_message(0, vec![by_name, LinkAttribute::IfAlias(MARK.to_owned())]);
        up.header.flags = LinkFlags::Up;
        up.header.change_mask = LinkFlags::Up;
        let mut batch = Batch::default();
        batch.push(NEWLINK, CREATE | EXCL | ACK, &bytes(&made));
        batch.push(SETLINK, ACK, &bytes(&up));
        match self.socket.send_all(&mut batch) {
            Err(e) if e.exists() => Ok(()),
            Err(e) if e.unsupported() => Err(Error::Unsupported(format!("this kernel has no VLANs to make {name} of"))),
            made => made.doing(|| format!("make VLAN {name}")),
        }
    }

    /// Takes away a VLAN that [`Links::parent`] made; any other interface stays.
    pub fn remove_vlan(&mut self, name: &str) -> Result<()> {
        match self.find(name)? {
            Some(link) if link.is_ours() => self.remove(name).map(drop),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_vlans() {
        assert_eq!(split("eth0.10"), Some(("eth0", 10)));
        assert_eq!(split("bond0.1.4094"), Some(("bond0.1", 4094)));
        for other in ["eth0", "eth0.", ".10", "eth0.0", "eth0.4095", "eth0.x", "eth0.-1"] {
            assert_eq!(split(other), None, "{other}");
        }
    }
}
