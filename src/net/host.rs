//! The host's own networks, as the kernel's routing tables tell them: no container network may overlap one.

use crate::model::network::Cidr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A destination the host has a way to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub to: Cidr,
    pub interface: String,
}

/// Every route but the default ones, both families. A table that cannot be read has none.
pub fn routes() -> Vec<Route> {
    // Of this thread: engines may look from a namespace of their own.
    let read = |name: &str| std::fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default();
    let mut found = ipv4(&read("route"));
    found.extend(ipv6(&read("ipv6_route")));
    found
}

/// `/proc/net/route`: `iface destination gateway flags refcnt use metric mask ...`, addresses in hex, little endian.
fn ipv4(text: &str) -> Vec<Route> {
    let one = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // Printed as a number of this machine's byte order, though it is in network order in memory.
        let number =
            |index: usize| Some(u32::from_be_bytes(u32::from_str_radix(words.get(index)?, 16).ok()?.to_ne_bytes()));
        let (to, mask) = (number(1)?, number(7)?);
        let to = Cidr { address: IpAddr::V4(Ipv4Addr::from(to)), prefix: u8::try_from(mask.count_ones()).ok()? };
        (to.prefix > 0).then(|| Route { to, interface: words[0].to_owned() })
    };
    text.lines().skip(1).filter_map(one).collect()
}

/// `/proc/net/ipv6_route`: `destination prefix source prefix nexthop metric refcnt use flags iface`, all in hex.
fn ipv6(text: &str) -> Vec<Route> {
    let one = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let address = Ipv6Addr::from(u128::from_str_radix(words.first()?, 16).ok()?);
        let prefix = u8::from_str_radix(words.get(1)?, 16).ok()?;
        let passing = address.is_multicast() || address.is_unicast_link_local() || address.is_loopback();
        let route = Route { to: Cidr { address: IpAddr::V6(address), prefix }, interface: (*words.get(9)?).to_owned() };
        (prefix > 0 && !passing).then_some(route)
    };
    text.lines().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn tables_as_the_kernel_prints_them() {
        let four = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                    eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                    eth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(ipv4(four), [Route { to: "10.0.0.0/24".parse().unwrap(), interface: "eth0".into() }]);
        let six = "fd000001000000000000000000000000 40 00000000000000000000000000000000 00 \
                   00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n\
                   fe800000000000000000000000000000 40 00000000000000000000000000000000 00 \
                   00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n";
        assert_eq!(ipv6(six), [Route { to: "fd00:1::/64".parse().unwrap(), interface: "eth0".into() }]);
        assert_eq!((ipv4("x\ngarbage\n"), ipv6("garbage")), (vec![], vec![]));
    }
}
