//! Changes of a running container's networks and ports, and repair.

use super::world::{HOST, OUTSIDE, ask, ask_udp, endpoint, output, plan, serve, silence, start, tcp, udp, world};
use crate::needs;
use crate::support::wait_until;
use teu::model::network::Mac;
use teu::net::Error;
use teu::net::attach::up;
use teu::net::netns::NetNs;
use teu::net::plan::Attachments;

#[test]
fn neighbours_learn_at_once_who_has_an_address_now() {
    needs!(Netns);
    world(|_| {
        let neighbour = start(1, vec![endpoint(1, 2)], Vec::new());
        let with_mac = |id, mac: [u8; 6]| {
            let mut of_nine = endpoint(1, 9);
            of_nine.endpoint.mac = Some(Mac(mac));
            let one = start(id, vec![of_nine], Vec::new());
            serve(one.ns(), "one", 80);
            one
        };
        // What the neighbour and the host remember, without asking.
        let known = |mac: &str| {
            let rows = [output("ip neigh"), neighbour.ns().enter(|| output("ip neigh")).unwrap()].concat();
            let now = |ip: &str| rows.lines().filter(|l| l.starts_with(ip) && l.contains(mac)).count();
            (now("10.77.1.9 "), now("fd77:1::9 "))
        };
        let first = with_mac(2, [2, 0x11, 0, 0, 0, 1]);
        for ip in ["10.77.1.9", "fd77:1::9"] {
            assert!(ask(None, ip, 80).unwrap().starts_with("one sees"));
            assert!(ask(Some(neighbour.ns()), ip, 80).unwrap().starts_with("one sees"));
        }
        assert_eq!(known("02:11:00:00:00:01"), (2, 2));
        assert!(first.down().is_empty());
        let second = with_mac(3, [2, 0x11, 0, 0, 0, 2]);
        wait_until("all know the new one", || (known("02:11:00:00:00:02") == (2, 2)).then_some(()));
        assert!(second.down().is_empty());
    });
}

/// What is told to a bridge costs a packet to each container: only those do that somebody may mistake for another.
#[test]
fn neighbours_are_told_only_where_a_mac_is_not_the_addresss_own() {
    needs!(Netns);
    world(|_| {
        let dir = tempfile::tempdir().unwrap();
        let start = |id: usize, host: u8, mac: Option<Mac>| {
            let mut four = endpoint(1, host);
            (four.endpoint.v6, four.endpoint.gateway6, four.endpoint.mac) = (None, None, mac);
            let plan = Attachments { dir: dir.path().to_owned(), ..plan(id, vec![four], Vec::new()) };
            up(&plan, NetNs::create().unwrap(), None, &Vec::new).unwrap()
        };
        let neighbour = start(1, 2, None);
        // What it remembers of the address is somebody's of before.
        let remember = || {
            let words = "ip neigh replace 10.77.1.9 lladdr 02:99:00:00:00:09 dev eth0 nud stale";
            neighbour.ns().enter(|| output(words)).unwrap();
        };
        let known = || neighbour.ns().enter(|| output("ip neigh")).unwrap();
        remember();
        let usual = start(2, 9, None);
        assert!(known().contains("02:99:00:00:00:09"), "{}", known());
        assert!(usual.down().is_empty());
        let own = start(3, 9, Some(Mac([2, 0x11, 0, 0, 0, 1])));
        wait_until("the neighbour is told", || known().contains("02:11:00:00:00:01").then_some(()));
        serve(own.ns(), "own", 80);
        assert!(ask(Some(neighbour.ns()), "10.77.1.9", 80).unwrap().starts_with("own sees"));
        assert!(own.down().is_empty());
        // The address has the usual MAC again, and the neighbour remembers the other.
        let usual = start(4, 9, None);
        serve(usual.ns(), "usual", 80);
        wait_until("the neighbour knows", || known().contains("02:42:0a:4d:01:09").then_some(()));
        assert!(usual.down().is_empty());
    });
}

#[test]
fn ports_come_and_go_live() {
    needs!(Netns);
    world(|w| {
        let mut web = start(1, vec![endpoint(1, 2)], Vec::new());
        serve(web.ns(), "web", 80);
        let outside = Some(&w.outside);
        silence(outside, HOST, 8080);
        let given =
            web.publish(&[tcp("0.0.0.0", 8080, 80), tcp("0.0.0.0", 0, 80), udp("0.0.0.0", 0, 80)], &Vec::new).unwrap();
        assert_eq!(given[0].host_port, 8080);
        assert_ne!(given[1].host_port, 0);
        for port in &given[..2] {
            assert_eq!(ask(outside, HOST, port.host_port).unwrap(), format!("web sees {OUTSIDE}"));
        }
        assert_eq!(ask_udp(outside, HOST, given[2].host_port).unwrap(), format!("web sees {OUTSIDE}"));
        let error = web.publish(&[tcp("0.0.0.0", 8089, 80), tcp("0.0.0.0", 8080, 81)], &Vec::new).unwrap_err();
        assert!(matches!(error, Error::PortInUse { .. }), "{error}");
        web.unpublish(&given[0]).unwrap();
        silence(outside, HOST, 8080);
        assert!(matches!(web.unpublish(&given[0]), Err(Error::NotPublished { .. })));
        assert_eq!(ask(outside, HOST, given[1].host_port).unwrap(), format!("web sees {OUTSIDE}"));
        assert_eq!(web.ports().count(), 2);
        // All or none: 8089 was given back.
        crate::support::wait_until("8089 is free", || std::net::TcpListener::bind("0.0.0.0:8089").ok());
    });
}

#[test]
fn networks_come_and_go_live_and_ports_move() {
    needs!(Netns);
    world(|w| {
        let mut web = start(1, vec![endpoint(1, 2)], vec![tcp("0.0.0.0", 8080, 80)]);
        let other = start(2, vec![endpoint(2, 2)], Vec::new());
        serve(web.ns(), "web", 80);
        serve(other.ns(), "other", 80);
        serve(&w.outside, "outside", 80);
        silence(Some(web.ns()), "10.77.2.2", 80);
        web.connect(endpoint(2, 3)).unwrap();
        assert!(matches!(web.connect(endpoint(2, 4)), Err(Error::AlreadyConnected(_))));
        let interfaces: Vec<_> = web.endpoints().map(|e| e.interface.clone()).collect();
        assert_eq!(interfaces, ["eth0", "eth1"]);
        assert_eq!(ask(Some(web.ns()), "10.77.2.2", 80).unwrap(), "other sees 10.77.2.3");
        assert_eq!(ask(Some(&w.outside), HOST, 8080).unwrap(), format!("web sees {OUTSIDE}"));
        // The network of the default route goes: route and port move to the other.
        let gone = web.disconnect("net1").unwrap();
        assert_eq!(gone.interface, "eth0");
        assert_eq!(ask(Some(&w.outside), HOST, 8080).unwrap(), format!("web sees {OUTSIDE}"));
        assert_eq!(ask(Some(web.ns()), OUTSIDE, 80).unwrap(), format!("outside sees {HOST}"));
        assert!(matches!(web.disconnect("net1"), Err(Error::NotConnected(_))));
        // Without any network a port leads nowhere, and is still ours.
        web.disconnect("net2").unwrap();
        silence(Some(&w.outside), HOST, 8080);
        assert!(std::net::TcpListener::bind("0.0.0.0:8080").is_err());
        web.connect(endpoint(1, 9)).unwrap();
        assert_eq!(ask(Some(&w.outside), HOST, 8080).unwrap(), format!("web sees {OUTSIDE}"));
        assert_eq!(web.endpoints().next().unwrap().interface, "eth0");
    });
}

#[test]
fn a_flow_of_datagrams_that_began_before_its_port_was_published_gets_there() {
    needs!(Netns);
    world(|w| {
        let mut web = start(1, vec![endpoint(1, 2)], Vec::new());
        serve(web.ns(), "web", 80);
        let early = std::net::UdpSocket::bind("0.0.0.0:8080").unwrap();
        let client = w.outside.enter(|| std::net::UdpSocket::bind("0.0.0.0:5000").unwrap()).unwrap();
        client.connect(format!("{HOST}:8080")).unwrap();
        client.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let mut buffer = [0; 64];
        client.send(b"?").unwrap();
        let (_, from) = early.recv_from(&mut buffer).unwrap();
        early.send_to(b"early", from).unwrap();
        assert_eq!(client.recv(&mut buffer).unwrap(), 5);
        drop(early);
        crate::support::wait_until("8080 is free", || web.publish(&[udp("0.0.0.0", 8080, 80)], &Vec::new).ok());
        client.send(b"?").unwrap();
        let length = client.recv(&mut buffer).unwrap();
        assert_eq!(String::from_utf8_lossy(&buffer[..length]), format!("web sees {OUTSIDE}"));
    });
}

#[test]
fn everything_comes_back_after_a_flush_and_a_vanished_bridge() {
    needs!(Netns, Nft);
    world(|w| {
        let mut web = start(1, vec![endpoint(1, 2)], vec![tcp("0.0.0.0", 8080, 80)]);
        let mut two = start(2, vec![endpoint(1, 3)], vec![tcp("0.0.0.0", 8090, 80)]);
        assert!(web.remade().table && !two.remade().table);
        serve(web.ns(), "web", 80);
        serve(two.ns(), "two", 80);
        serve(&w.outside, "outside", 80);
        let whole = output("nft list ruleset");
        let check = || {
            assert_eq!(ask(Some(&w.outside), HOST, 8080).unwrap(), format!("web sees {OUTSIDE}"));
            assert_eq!(ask(Some(&w.outside), HOST, 8090).unwrap(), format!("two sees {OUTSIDE}"));
        };
        for damage in ["nft flush ruleset", "nft flush table inet teu-7e57", "nft delete table inet teu-7e57"] {
            output(damage);
            silence(Some(&w.outside), HOST, 8080);
            // The next start mends the table and says so; a reload brings back each container's own.
            let three = start(3, vec![endpoint(1, 4)], Vec::new());
            assert!(three.remade().table && three.remade().bridges.is_empty(), "{damage}");
            assert_eq!(ask(Some(three.ns()), OUTSIDE, 80).unwrap(), format!("outside sees {HOST}"));
            web.reload().unwrap();
            two.reload().unwrap();
            check();
            assert!(three.down().is_empty());
        }
        let sorted = |text: &str| {
            let mut words: Vec<String> = text.split_whitespace().map(|w| w.trim_end_matches(',').to_owned()).collect();
            words.sort();
            words
        };
        assert_eq!(sorted(&output("nft list ruleset")), sorted(&whole));
        output("ip link del tb1");
        silence(Some(&w.outside), HOST, 8080);
        web.take_remade();
        web.reload().unwrap();
        assert_eq!(web.remade().bridges, [endpoint(1, 2).endpoint.network], "it says whose bridge it made");
        two.reload().unwrap();
        assert!(two.remade().bridges.is_empty());
        check();
        output(
            "ip link del tv00000001ffff 2>/dev/null || ip -br link | grep -o '^tv00000001[^@ ]*' | xargs -n1 ip link del",
        );
        web.reload().unwrap();
        check();
    });
}
