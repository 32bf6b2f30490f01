//! Packets beyond 64 KiB: the host hands them to containers, and wherever else they come to they are cut in time.

use super::world::{OUTSIDE, World, endpoint, start, tcp, world};
use crate::needs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use teu::model::network::Mac;
use teu::net::link::{Links, Port, Veth};
use teu::net::netns::NetNs;

const BYTES: usize = 16 << 20;

fn pattern() -> Vec<u8> {
    (0..BYTES).map(|n| (n / 7) as u8).collect()
}

/// Sends much from one place to another, and sees it arrive as it was.
fn carry(from: Option<&NetNs>, listens: &NetNs, bind: &str, to: &str) {
    let listener = listens.enter(|| TcpListener::bind(bind).unwrap()).unwrap();
    let receiver = std::thread::spawn(move || {
        let (mut got, (mut stream, _)) = (Vec::new(), listener.accept().unwrap());
        stream.read_to_end(&mut got).unwrap();
        got
    });
    let connect = || TcpStream::connect(to).unwrap();
    let mut stream = from.map_or_else(connect, |ns| ns.enter(connect).unwrap());
    stream.write_all(&pattern()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(receiver.join().unwrap() == pattern(), "what came by {to} is not what was sent");
}

#[test]
fn the_host_hands_large_packets_to_containers_alone() {
    needs!(Netns);
    world(|w: &World| {
        let one = start(1, vec![endpoint(1, 2)], vec![tcp("127.0.0.1", 8080, 80)]);
        let two = start(2, vec![endpoint(1, 3)], Vec::new());
        let mut host = Links::open().unwrap();
        let of_ours: Vec<_> = host.all().unwrap().into_iter().filter(|l| l.name.starts_with('t')).collect();
        assert_eq!(of_ours.len(), 3);
        assert!(of_ours.iter().all(|l| l.large), "{of_ours:?}");
        // Kernels that know no such packets say nothing of them.
        let knows = host.find("lo").unwrap().is_some_and(|lo| !lo.large);
        let own_end = one.ns().enter(|| Links::open().unwrap().find("eth0").unwrap().unwrap()).unwrap();
        assert_eq!(own_end.large, !knows, "what a container sends may leave this machine");
        // A port of the bridge that somebody else made takes no large ones.
        let other = NetNs::create().unwrap();
        let plain = Veth {
            name: "small",
            bridge: host.find("tb1").unwrap().unwrap().index,
            mtu: None,
            ns: other.as_fd(),
            peer: "eth0",
            mac: Some(Mac([2, 0, 0, 0, 9, 9])),
            port: Port::default(),
        };
        host.add_veth(&plain).unwrap();
        other.enter(|| super::world::output("ip link set eth0 up; ip addr add 10.77.1.9/24 dev eth0")).unwrap();
        super::world::output("ip link set small gso_max_size 65536");
        carry(None, one.ns(), "10.77.1.2:80", "10.77.1.2:80");
        carry(None, one.ns(), "10.77.1.2:80", "127.0.0.1:8080");
        carry(None, &other, "10.77.1.9:80", "10.77.1.9:80");
        carry(Some(two.ns()), one.ns(), "10.77.1.2:80", "10.77.1.2:80");
        carry(Some(one.ns()), &w.outside, &format!("{OUTSIDE}:80"), &format!("{OUTSIDE}:80"));
    });
}
