//! Interfaces in namespaces of the tests' own.

use super::*;
use crate::net::netns::NetNs;
use std::os::fd::AsFd;

/// A fresh namespace's interfaces; `None` without the right to make one.
fn fresh() -> Option<(NetNs, Links)> {
    let ns = NetNs::create().ok()?;
    let links = ns.enter(Links::open).unwrap().unwrap();
    Some((ns, links))
}

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

#[test]
fn a_bridge_a_pair_an_address_a_route() {
    let (Some((_host, mut host)), Some((inside, mut links))) = (fresh(), fresh()) else { return };
    let mac = Mac([2, 0x42, 1, 2, 3, 4]);
    assert!(host.add_bridge("tb0", mac, Some(1400)).unwrap());
    assert!(!host.add_bridge("tb0", mac, None).unwrap());
    let bridge = host.find("tb0").unwrap().unwrap();
    assert_eq!((bridge.kind.as_deref(), bridge.up), (Some("bridge"), false));
    host.set_up(bridge.index, true).unwrap();
    host.add_address(bridge.index, cidr("10.9.0.1/24")).unwrap();
    host.add_address(bridge.index, cidr("10.9.0.1/24")).unwrap();
    let mut veth = Veth {
        name: "tv0",
        bridge: bridge.index,
        mtu: None,
        ns: inside.as_fd(),
        peer: "eth0",
        mac: Some(mac),
        port: Port::default(),
    };
    host.add_veth(&veth).unwrap();
    // A leftover of the same name gives way.
    veth.peer = "eth1";
    host.add_veth(&veth).unwrap();
    assert_eq!(links.find("eth0").unwrap(), None);
    let eth = links.find("eth1").unwrap().unwrap();
    links.set_up(eth.index, false).unwrap();
    links.add_address(eth.index, cidr("10.9.0.2/24")).unwrap();
    links.set_default_route(eth.index, "10.9.0.1".parse().unwrap()).unwrap();
    links.set_default_route(eth.index, "10.9.0.1".parse().unwrap()).unwrap();
    links.remove_address(eth.index, cidr("10.9.0.2/24")).unwrap();
    links.remove_address(eth.index, cidr("10.9.0.2/24")).unwrap();
    assert!(host.remove("tv0").unwrap() && !host.remove("tv0").unwrap());
    assert_eq!(links.find("eth1").unwrap(), None);
}

#[test]
fn broadcast_addresses() {
    assert_eq!(broadcast(cidr("10.1.2.3/24")), Ipv4Addr::new(10, 1, 2, 255));
    assert_eq!(broadcast(cidr("10.1.2.3/30")), Ipv4Addr::new(10, 1, 2, 3));
}
