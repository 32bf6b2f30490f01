//! Which addresses a network has and which of them a container may get. Pure; who has which is in the database.

use crate::model::network::{Cidr, Subnet};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("subnet {0} is too small: gateway and one container need a /30 (IPv6: /126) or larger")]
    TooSmall(Cidr),
    #[error("subnet {0} is not one a network can have: it is loopback, multicast, link-local or unspecified")]
    Unusable(Cidr),
    #[error("subnet {0} has host bits set: did you mean {1}?")]
    HostBits(Cidr, Cidr),
    #[error("gateway {gateway} is not an address of subnet {subnet}")]
    Gateway { gateway: IpAddr, subnet: Cidr },
    #[error("address range {range} is not within subnet {subnet}")]
    Range { range: Cidr, subnet: Cidr },
    #[error("address {address} is not in subnet {subnet}")]
    Outside { address: IpAddr, subnet: Cidr },
    #[error("address {address} is the {what} of subnet {subnet}")]
    Reserved { address: IpAddr, what: &'static str, subnet: Cidr },
}

/// Docker's pools: sixteen bits each of 172.17 to 172.31, then twenty bits each of 192.168.
pub fn pools() -> impl Iterator<Item = Cidr> {
    let large = (17..=31).map(|n| Cidr { address: IpAddr::from([172, n, 0, 0]), prefix: 16 });
    let small = (0..16).map(|n| Cidr { address: IpAddr::from([192, 168, n * 16, 0]), prefix: 20 });
    large.chain(small)
}

/// The first pool that overlaps none of `taken`.
pub fn choose_pool(taken: &[Cidr]) -> Option<Cidr> {
    pools().find(|pool| taken.iter().all(|other| !pool.overlaps(other)))
}

/// A unique local /64 (RFC 4193) from 56 random bits.
pub fn unique_local(random: [u8; 7]) -> Cidr {
    let [a, b, c, d, e, f, g] = random;
    let octets = [0xfd, a, b, c, d, e, f, g, 0, 0, 0, 0, 0, 0, 0, 0];
    Cidr { address: IpAddr::V6(Ipv6Addr::from(octets)), prefix: 64 }
}

/// Checks what was asked for; the gateway is the first address unless named.
pub fn subnet(cidr: Cidr, gateway: Option<IpAddr>, range: Option<Cidr>) -> Result<Subnet, Error> {
    let network = cidr.network();
    let whole = Cidr { address: network, prefix: cidr.prefix };
    let most = if network.is_ipv4() { 30 } else { 126 };
    if cidr.prefix > most {
        return Err(Error::TooSmall(cidr));
    }
    if cidr.address != network {
        return Err(Error::HostBits(cidr, whole));
    }
    if network.is_loopback() || network.is_multicast() || network.is_unspecified() || link_local(network) {
        return Err(Error::Unusable(cidr));
    }
    let gateway = gateway.or_else(|| offset(network, 1)).unwrap_or(network);
    let made = Subnet { subnet: whole, gateway, range, auxiliary: BTreeMap::new() };
    if !whole.contains(gateway) || gateway == network || Some(gateway) == broadcast(&whole) {
        return Err(Error::Gateway { gateway, subnet: whole });
    }
    match range {
        Some(range) if !whole.contains(range.address) || range.prefix < whole.prefix => {
            Err(Error::Range { range, subnet: whole })
        }
        _ => Ok(made),
    }
}

fn link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => a.is_link_local(),
        IpAddr::V6(a) => a.is_unicast_link_local(),
    }
}

/// First and last address that may be handed out unasked. The gateway may lie between them.
pub fn bounds(subnet: &Subnet) -> (IpAddr, IpAddr) {
    let range = subnet.range.unwrap_or(subnet.subnet);
    let (first, last) = (range.network(), last_of(&range));
    let first = if first == subnet.subnet.network() { offset(first, 1).unwrap_or(first) } else { first };
    match (last, broadcast(&subnet.subnet)) {
        (IpAddr::V4(end), Some(broadcast)) if last == broadcast => {
            (first, IpAddr::V4(Ipv4Addr::from(u32::from(end).saturating_sub(1))))
        }
        _ => (first, last),
    }
}

/// Addresses that are never handed out.
pub fn reserved(subnet: &Subnet) -> impl Iterator<Item = IpAddr> {
    subnet.auxiliary.values().copied().chain([subnet.gateway])
}

/// May a container ask for this address? A range binds only those that do not ask.
pub fn may_have(subnet: &Subnet, address: IpAddr) -> Result<(), Error> {
    let reserved = |what| Err(Error::Reserved { address, what, subnet: subnet.subnet });
    if !subnet.subnet.contains(address) {
        return Err(Error::Outside { address, subnet: subnet.subnet });
    }
    if address == subnet.gateway {
        return reserved("gateway");
    }
    if subnet.auxiliary.values().any(|a| *a == address) {
        return reserved("auxiliary address");
    }
    if address == subnet.subnet.network() {
        return reserved("network address");
    }
    if Some(address) == broadcast(&subnet.subnet) {
        return reserved("broadcast address");
    }
    Ok(())
}

fn last_of(cidr: &Cidr) -> IpAddr {
    let host_bits = |width: u32| width - u32::from(cidr.prefix).min(width);
    match cidr.network() {
        IpAddr::V4(a) => {
            let hosts = u32::MAX.checked_shr(32 - host_bits(32)).unwrap_or(0);
            IpAddr::V4((u32::from(a) | hosts).into())
        }
        IpAddr::V6(a) => {
            let hosts = u128::MAX.checked_shr(128 - host_bits(128)).unwrap_or(0);
            IpAddr::V6((u128::from(a) | hosts).into())
        }
    }
}

fn broadcast(subnet: &Cidr) -> Option<IpAddr> {
    subnet.address.is_ipv4().then(|| last_of(subnet))
}

fn offset(address: IpAddr, by: u32) -> Option<IpAddr> {
    match address {
        IpAddr::V4(a) => u32::from(a).checked_add(by).map(|n| IpAddr::V4(n.into())),
        IpAddr::V6(a) => u128::from(a).checked_add(by.into()).map(|n| IpAddr::V6(n.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn pools_keep_off_what_is_there() {
        assert_eq!(choose_pool(&[]), Some(cidr("172.17.0.0/16")));
        assert_eq!(choose_pool(&[cidr("172.16.0.0/12")]), Some(cidr("192.168.0.0/20")));
        assert_eq!(choose_pool(&[cidr("172.17.5.0/24"), cidr("fd00::/8")]), Some(cidr("172.18.0.0/16")));
        assert_eq!(choose_pool(&[cidr("172.16.0.0/12"), cidr("192.168.0.0/16")]), None);
        assert_eq!(unique_local([1, 2, 3, 4, 5, 6, 7]), cidr("fd01:203:405:607::/64"));
    }

    #[test]
    fn gateways_and_ranges() {
        let plain = subnet(cidr("10.1.0.0/24"), None, None).unwrap();
        assert_eq!(plain.gateway, ip("10.1.0.1"));
        assert_eq!(bounds(&plain), (ip("10.1.0.1"), ip("10.1.0.254")));
        let ranged = subnet(cidr("10.1.0.0/24"), Some(ip("10.1.0.254")), Some(cidr("10.1.0.128/25"))).unwrap();
        assert_eq!(bounds(&ranged), (ip("10.1.0.128"), ip("10.1.0.254")));
        let six = subnet(cidr("fd00:1::/64"), None, None).unwrap();
        assert_eq!((six.gateway, bounds(&six).1), (ip("fd00:1::1"), ip("fd00:1::ffff:ffff:ffff:ffff")));
    }

    #[test]
    fn what_no_network_can_be() {
        let no = |text: &str, gateway: Option<&str>, range: Option<&str>| {
            subnet(cidr(text), gateway.map(ip), range.map(cidr)).unwrap_err().to_string()
        };
        assert!(no("10.0.0.0/31", None, None).contains("too small"));
        assert!(no("10.0.0.5/24", None, None).contains("did you mean 10.0.0.0/24?"));
        assert!(no("127.0.0.0/8", None, None).contains("loopback"));
        assert!(no("fe80::/64", None, None).contains("link-local"));
        assert!(no("10.0.0.0/24", Some("10.0.1.1"), None).contains("gateway 10.0.1.1 is not an address of"));
        assert!(no("10.0.0.0/24", Some("10.0.0.255"), None).contains("gateway 10.0.0.255"));
        assert!(no("10.0.0.0/24", Some("fd00::1"), None).contains("gateway fd00::1"));
        assert!(no("10.0.0.0/24", None, Some("10.0.1.0/25")).contains("range 10.0.1.0/25 is not within"));
        assert!(no("10.0.0.0/24", None, Some("10.0.0.0/16")).contains("range 10.0.0.0/16 is not within"));
    }

    #[test]
    fn what_no_container_can_ask_for() {
        let net = subnet(cidr("10.1.0.0/24"), None, None).unwrap();
        assert_eq!(may_have(&net, ip("10.1.0.77")), Ok(()));
        for (address, part) in [
            ("10.2.0.1", "not in subnet"),
            ("10.1.0.1", "is the gateway"),
            ("10.1.0.0", "is the network address"),
            ("10.1.0.255", "is the broadcast address"),
        ] {
            assert!(may_have(&net, ip(address)).unwrap_err().to_string().contains(part), "{address}");
        }
    }

    proptest! {
        #[test]
        fn everything_between_the_bounds_may_be_had(prefix in 8u8..=30, pick in any::<u32>()) {
            let net = subnet(Cidr { address: Cidr { address: ip("10.77.88.99"), prefix }.network(), prefix }, None, None);
            let net = net.unwrap();
            let (IpAddr::V4(first), IpAddr::V4(last)) = bounds(&net) else { panic!("IPv4") };
            let (first, last) = (u32::from(first), u32::from(last));
            let address = IpAddr::V4((first + pick % (last - first + 1)).into());
            prop_assert!(may_have(&net, address).is_ok() || address == net.gateway);
        }
    }
}
