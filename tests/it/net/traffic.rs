//! Who reaches whom: published ports, the outside, neighbours; and who must not.

use super::world::{
    HOST, HOST6, OUTSIDE, OUTSIDE6, ask, ask_udp, endpoint, output, serve, silence, start, tcp, udp, world,
};
use crate::needs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;
use teu::model::network::Driver;
use teu::net::attach::Attached;

#[test]
fn a_published_port_is_reached_from_outside_from_the_host_and_from_containers() {
    needs!(Netns);
    world(|w| {
        let ports = vec![tcp("0.0.0.0", 8080, 80), udp("0.0.0.0", 8080, 80), tcp(HOST, 8081, 80)];
        let web = start(1, vec![endpoint(1, 2)], ports);
        let neighbour = start(2, vec![endpoint(1, 3)], Vec::new());
        let stranger = start(3, vec![endpoint(2, 2)], Vec::new());
        serve(web.ns(), "web", 80);
        // The container sees who asks.
        let outside = Some(&w.outside);
        assert_eq!(ask(outside, HOST, 8080).unwrap(), format!("web sees {OUTSIDE}"));
        assert_eq!(ask(outside, HOST, 8081).unwrap(), format!("web sees {OUTSIDE}"));
        assert_eq!(ask_udp(outside, HOST, 8080).unwrap(), format!("web sees {OUTSIDE}"));
        // The host by any of its addresses.
        assert_eq!(ask(None, HOST, 8080).unwrap(), format!("web sees {HOST}"));
        assert_eq!(ask(None, "127.0.0.1", 8080).unwrap(), "web sees 10.77.1.1");
        assert_eq!(ask_udp(None, "127.0.0.1", 8080).unwrap(), "web sees 10.77.1.1");
        // Containers by the host's address: itself, one of its network, one of another.
        for from in [&web, &neighbour, &stranger] {
            assert!(ask(Some(from.ns()), HOST, 8080).unwrap().starts_with("web sees "));
            assert!(ask_udp(Some(from.ns()), HOST, 8080).unwrap().starts_with("web sees "));
        }
        silence(outside, HOST, 80);
        assert!(web.down().is_empty());
        silence(outside, HOST, 8080);
    });
}

/// Whether bridged packets go through the host's IP rules differs from machine to machine.
#[test]
fn a_container_reaches_its_own_published_port_either_way() {
    needs!(Netns);
    for bridged in ["0", "1"] {
        world(move |_| {
            for version in ["iptables", "ip6tables"] {
                let setting = format!("/proc/sys/net/bridge/bridge-nf-call-{version}");
                if std::path::Path::new(&setting).exists() {
                    std::fs::write(setting, bridged).unwrap();
                }
            }
            let web = start(1, vec![endpoint(1, 2)], vec![tcp("0.0.0.0", 8080, 80), tcp("::", 8080, 80)]);
            let two = start(2, vec![endpoint(1, 3)], Vec::new());
            serve(web.ns(), "web", 80);
            for from in [&web, &two] {
                assert_eq!(ask(Some(from.ns()), HOST, 8080).unwrap(), "web sees 10.77.1.1");
                assert_eq!(ask(Some(from.ns()), HOST6, 8080).unwrap(), "web sees fd77:1::1");
            }
        });
    }
}

/// As those do that look for each other's services.
#[test]
fn neighbours_hear_each_others_multicast_and_nobody_else_does() {
    needs!(Netns);
    world(|_| {
        let groups = ["239.77.0.1:7", "[ff05::77]:7"];
        let one = start(1, vec![endpoint(1, 2)], Vec::new());
        let two = start(2, vec![endpoint(1, 3)], Vec::new());
        let stranger = start(3, vec![endpoint(2, 2)], Vec::new());
        for group in groups.map(|g| g.parse::<SocketAddr>().unwrap()) {
            let member = |of: &Attached| of.ns().enter(|| member(group)).unwrap();
            let (hears, too_far) = (member(&two), member(&stranger));
            let any = SocketAddr::new(if group.is_ipv4() { [0; 4].into() } else { [0; 16].into() }, 0);
            let said = one.ns().enter(|| UdpSocket::bind(any).unwrap().send_to(b"is anybody there?", group));
            said.unwrap().unwrap();
            let mut heard = [0; 64];
            let (length, _) = hears.recv_from(&mut heard).unwrap();
            assert_eq!(&heard[..length], b"is anybody there?");
            assert!(too_far.recv_from(&mut heard).is_err(), "another network's container heard {group}");
        }
    });
}

/// Waits a second for what it is to hear.
fn member(group: SocketAddr) -> UdpSocket {
    let (any4, any6) = (Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED);
    let socket = match group.ip() {
        IpAddr::V4(group4) => {
            let socket = UdpSocket::bind((any4, group.port())).unwrap();
            socket.join_multicast_v4(&group4, &any4).unwrap();
            socket
        }
        IpAddr::V6(group6) => {
            let socket = UdpSocket::bind((any6, group.port())).unwrap();
            socket.join_multicast_v6(&group6, 0).unwrap();
            socket
        }
    };
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    socket
}

#[test]
fn containers_on_a_parent_interface() {
    needs!(Netns);
    world(|w| {
        // A second wire, whose host end is no bridge's.
        let fd = std::os::fd::AsRawFd::as_raw_fd(&std::os::fd::AsFd::as_fd(&w.outside));
        output(&format!("ip link add mac0 type veth peer name mac1 netns /proc/{}/fd/{fd}", std::process::id()));
        output("ip link set mac0 up");
        w.outside.enter(|| output("ip addr add 10.77.9.1/24 dev mac1; ip link set mac1 up")).unwrap();
        let macvlan = |host| {
            let mut e = endpoint(9, host);
            (e.driver, e.host_interface, e.gateways) = (Driver::Macvlan, "mac0".into(), Vec::new());
            e
        };
        let one = start(1, vec![macvlan(2)], vec![tcp("127.0.0.1", 8080, 7)]);
        let two = start(2, vec![macvlan(3)], Vec::new());
        serve(&w.outside, "outside", 7);
        serve(two.ns(), "two", 7);
        assert_eq!(ask(Some(one.ns()), "10.77.9.1", 7).unwrap(), "outside sees 10.77.9.2");
        assert_eq!(ask(Some(one.ns()), "10.77.9.3", 7).unwrap(), "two sees 10.77.9.2");
        assert_eq!(ask(Some(&w.outside), "10.77.9.3", 7).unwrap(), "two sees 10.77.9.1");
        let forwards = one.forwards();
        assert_eq!(forwards[0].target.unwrap().to_string(), "10.77.9.2:7");
        assert!(one.down().is_empty());
    });
}

#[test]
fn published_ports_of_ipv6() {
    needs!(Netns);
    world(|w| {
        let web = start(1, vec![endpoint(1, 2)], vec![tcp("::", 8080, 80), udp("::", 8080, 80), tcp(HOST6, 8081, 80)]);
        let neighbour = start(2, vec![endpoint(1, 3)], Vec::new());
        serve(web.ns(), "web", 80);
        let outside = Some(&w.outside);
        assert_eq!(ask(outside, HOST6, 8080).unwrap(), format!("web sees {OUTSIDE6}"));
        assert_eq!(ask(outside, HOST6, 8081).unwrap(), format!("web sees {OUTSIDE6}"));
        assert_eq!(ask_udp(outside, HOST6, 8080).unwrap(), format!("web sees {OUTSIDE6}"));
        assert_eq!(ask(None, HOST6, 8080).unwrap(), format!("web sees {HOST6}"));
        for from in [&web, &neighbour] {
            assert!(ask(Some(from.ns()), HOST6, 8080).unwrap().starts_with("web sees "));
        }
        // What the kernel cannot translate is left to the forwarder.
        let forwards = web.forwards();
        assert!(forwards.iter().all(|f| f.port.host_ip.is_unspecified()), "{forwards:?}");
        assert_eq!(forwards[0].target.unwrap().to_string(), "[fd77:1::2]:80");
        assert_eq!(forwards.len(), 2);
    });
}

#[test]
fn containers_reach_the_outside_and_each_other() {
    needs!(Netns);
    world(|w| {
        let one = start(1, vec![endpoint(1, 2)], Vec::new());
        let two = start(2, vec![endpoint(1, 3)], Vec::new());
        serve(&w.outside, "outside", 7);
        serve(two.ns(), "two", 7);
        // The outside sees the host only.
        assert_eq!(ask(Some(one.ns()), OUTSIDE, 7).unwrap(), format!("outside sees {HOST}"));
        assert_eq!(ask_udp(Some(one.ns()), OUTSIDE, 7).unwrap(), format!("outside sees {HOST}"));
        assert_eq!(ask(Some(one.ns()), OUTSIDE6, 7).unwrap(), format!("outside sees {HOST6}"));
        assert_eq!(ask(Some(one.ns()), "10.77.1.3", 7).unwrap(), "two sees 10.77.1.2");
        assert_eq!(ask(Some(one.ns()), "fd77:1::3", 7).unwrap(), "two sees fd77:1::2");
        assert_eq!(ask(None, "10.77.1.3", 7).unwrap(), "two sees 10.77.1.1");
    });
}

#[test]
fn without_masquerading_the_outside_sees_the_container() {
    needs!(Netns);
    world(|w| {
        let mut plain = endpoint(1, 2);
        plain.masquerade = false;
        let one = start(1, vec![plain], Vec::new());
        serve(&w.outside, "outside", 7);
        assert_eq!(ask(Some(one.ns()), OUTSIDE, 7).unwrap(), "outside sees 10.77.1.2");
    });
}

#[test]
fn networks_are_apart_and_closed_to_the_outside() {
    needs!(Netns);
    world(|w| {
        let one = start(1, vec![endpoint(1, 2)], vec![tcp("127.0.0.1", 8080, 7)]);
        let two = start(2, vec![endpoint(2, 2)], Vec::new());
        serve(one.ns(), "one", 7);
        serve(two.ns(), "two", 7);
        silence(Some(one.ns()), "10.77.2.2", 7);
        silence(Some(two.ns()), "10.77.1.2", 7);
        silence(Some(one.ns()), "fd77:2::2", 7);
        // A neighbour on the wire that routes through the host reaches what is published to it, and no more.
        silence(Some(&w.outside), "10.77.1.2", 7);
        silence(Some(&w.outside), "fd77:1::2", 7);
        silence(Some(&w.outside), HOST, 8080);
        assert_eq!(ask(None, "127.0.0.1", 8080).unwrap(), "one sees 10.77.1.1");
        // A container of both networks is in neither's way.
        let both = start(3, vec![endpoint(1, 3), endpoint(2, 3)], Vec::new());
        assert_eq!(ask(Some(both.ns()), "10.77.2.2", 7).unwrap(), "two sees 10.77.2.3");
        assert_eq!(ask(Some(both.ns()), "10.77.1.2", 7).unwrap(), "one sees 10.77.1.3");
    });
}

/// Packets to 127.0.0.1 that come over the wire, as a hostile neighbour makes them.
#[test]
fn a_port_of_the_loopback_address_is_closed_to_the_wire() {
    needs!(Netns);
    world(|w| {
        let one = start(1, vec![endpoint(1, 2)], vec![tcp("127.0.0.1", 8080, 7), tcp("0.0.0.0", 8081, 7)]);
        serve(one.ns(), "one", 7);
        let hostile = "ip route del local 127.0.0.0/8 dev lo table local; ip route del local 127.0.0.1 dev lo table local; \
                       sysctl -qw net.ipv4.conf.all.route_localnet=1; ip route add 127.0.0.0/8 via";
        w.outside.enter(|| output(&format!("{hostile} {HOST} src {OUTSIDE}"))).unwrap();
        silence(Some(&w.outside), "127.0.0.1", 8080);
        silence(Some(&w.outside), "127.0.0.1", 8081);
        // Nor from a container, whose bridge does route such addresses.
        let two = start(2, vec![endpoint(1, 3)], Vec::new());
        two.ns().enter(|| output(&format!("{hostile} 10.77.1.1 src 10.77.1.3"))).unwrap();
        silence(Some(two.ns()), "127.0.0.1", 8080);
    });
}

#[test]
fn an_internal_network_reaches_nobody_else() {
    needs!(Netns);
    world(|w| {
        let internal = |host| {
            let mut e = endpoint(1, host);
            e.internal = true;
            e
        };
        let one = start(1, vec![internal(2)], Vec::new());
        let two = start(2, vec![internal(3)], Vec::new());
        let other = start(3, vec![endpoint(2, 2)], vec![tcp("0.0.0.0", 8080, 7)]);
        for (ns, name) in [(two.ns(), "two"), (&w.outside, "outside"), (other.ns(), "other")] {
            serve(ns, name, 7);
        }
        let host = teu::net::netns::NetNs::of(teu::net::netns::current().unwrap());
        serve(&host, "host", 9);
        assert_eq!(ask(Some(one.ns()), "10.77.1.3", 7).unwrap(), "two sees 10.77.1.2");
        assert_eq!(ask(Some(one.ns()), "fd77:1::3", 7).unwrap(), "two sees fd77:1::2");
        for (ip, port) in [(OUTSIDE, 7), (OUTSIDE6, 7), ("10.77.2.2", 7), (HOST, 8080), (HOST, 9), ("10.77.1.1", 9)] {
            silence(Some(one.ns()), ip, port);
        }
        // Not even with a route.
        one.ns().enter(|| output("ip route add default via 10.77.1.1")).unwrap();
        for (ip, port) in [(OUTSIDE, 7), ("10.77.2.2", 7), (HOST, 8080), (HOST, 9), ("10.77.1.1", 9)] {
            silence(Some(one.ns()), ip, port);
        }
        silence(Some(&w.outside), "10.77.1.3", 7);
        silence(Some(other.ns()), "10.77.1.3", 7);
        // The host may look in.
        assert_eq!(ask(None, "10.77.1.3", 7).unwrap(), "two sees 10.77.1.1");
        assert_eq!(ask(None, "fd77:1::3", 7).unwrap(), "two sees fd77:1::1");
        let error = teu::net::attach::up(
            &super::world::plan(4, vec![internal(4)], vec![tcp("0.0.0.0", 8082, 7)]),
            teu::net::netns::NetNs::create().unwrap(),
            None,
            &Vec::new,
        );
        assert!(error.unwrap_err().to_string().contains("no network of the container can be reached"));
    });
}
