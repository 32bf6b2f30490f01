//! Many containers: the last costs what the first did, and nobody waits for another.

use super::world::{HOST, OUTSIDE, ask, endpoint, output, plan, serve, start, tcp, world};
use crate::needs;
use crate::support::wait_until;
use std::sync::Barrier;
use teu::model::network::Protocol;
use teu::net::attach::{Attached, up};
use teu::net::netns::NetNs;
use teu::net::nft::{Firewall, Network, Port};
use teu::sys::clone;

/// What one more port costs in messages and bytes, both ways.
fn cost(number: u16) -> (usize, usize) {
    let mut firewall = Firewall::open("7e57").unwrap().unwrap();
    let network = Network { bridge: "tb1".into(), internal: false, masquerade: true, isolated: false };
    let port = Port {
        host: ([127, 0, 0, 1], 10_000 + number).into(),
        protocol: Protocol::Tcp,
        to: ([10, 77, (number >> 8) as u8, number as u8], 80).into(),
    };
    firewall.add(&[network], &[port], &format!("{number:064x}")).unwrap();
    (firewall.traffic().messages, firewall.traffic().bytes)
}

#[test]
fn the_last_of_five_hundred_ports_costs_as_much_as_the_first() {
    needs!(Netns, Nft);
    world(|_| {
        cost(0); // makes the table
        let first = cost(1);
        for number in 2..500 {
            cost(number);
        }
        assert_eq!(cost(500), first);
        assert_eq!(output("nft list map inet teu-7e57 ports4 | grep -o comment | wc -l").trim(), "501");
    });
}

#[test]
fn a_hundred_attach_at_once() {
    needs!(Netns);
    world(|w| {
        let all = a_hundred();
        // One of them made the table, and nobody made it again.
        let rebuilt: Vec<usize> = (0..).zip(&all).filter(|(_, a)| a.remade().table).map(|(n, _)| n).collect();
        assert!(rebuilt.len() <= 1, "the table was made by {rebuilt:?}");
        for (n, attached) in all.iter().enumerate().step_by(9) {
            serve(attached.ns(), "one", 80);
            let port = 20_000 + n as u16;
            let answer = ask(Some(&w.outside), HOST, port);
            assert_eq!(answer, Ok(format!("one sees {OUTSIDE}")), "port {port}; {}", picture(attached));
        }
        assert_eq!(output("ip -br link | grep -c '^tv'").trim(), "100");
        for (n, attached) in all.into_iter().enumerate() {
            let failures = attached.down();
            assert!(failures.is_empty(), "container {n}: {failures:?}");
        }
        // A namespace lasts as long as its server of this test listens; all others are gone.
        let left = || output("ip -br link").matches("\ntv").count();
        wait_until("the interfaces are gone", || (left() <= 12).then_some(()));
        // And the table is one, with each rule once.
        let again = start(200, vec![endpoint(1, 2)], Vec::new());
        assert!(!again.remade().table, "{}", picture(&again));
    });
}

/// Containers that all begin in the same moment.
fn a_hundred() -> Vec<Attached> {
    let host = NetNs::of(teu::net::netns::current().unwrap());
    let barrier = Barrier::new(100);
    let (host, barrier) = (&host, &barrier);
    // Made first: one that failed at the barrier would have the others wait there.
    let namespaces: Vec<NetNs> = (0..100).map(|_| NetNs::create().unwrap()).collect();
    let attach = |(n, ns): (usize, NetNs)| {
        move || {
            let there = clone::setns(std::os::fd::AsFd::as_fd(host), clone::NEWNET);
            barrier.wait();
            there.unwrap();
            let port = tcp("0.0.0.0", 20_000 + n as u16, 80);
            up(&plan(n, vec![endpoint(1, n as u8 + 2)], vec![port]), ns, None, &Vec::new)
        }
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = namespaces.into_iter().enumerate().map(|one| scope.spawn(attach(one))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let failed: Vec<_> = (0..).zip(&results).filter_map(|(n, r)| Some((n, r.as_ref().err()?.to_string()))).collect();
    assert!(failed.is_empty(), "could not attach: {failed:#?}");
    results.into_iter().flatten().collect()
}

/// What the host and a container look like when something does not work.
fn picture(attached: &Attached) -> String {
    let show = |command: &str| output(&format!("{command} 2>&1 || true"));
    let look = "ip addr; ip route; ip neigh";
    let inside = attached.ns().enter(|| show(look)).unwrap();
    let rules = show("nft list table inet teu-7e57");
    format!("inside:\n{inside}\noutside:\n{}\n{rules}", show("ip -br link; ip route; ip neigh"))
}
