//! Many containers: the last costs what the first did, and nobody waits for another.

use super::world::{HOST, OUTSIDE, ask, endpoint, output, plan, serve, start, tcp, world};
use crate::needs;
use crate::support::wait_until;
use std::sync::Barrier;
use teu::model::network::Protocol;
use teu::net::attach::up;
use teu::net::netns::NetNs;
use teu::net::nft::{Firewall, Network, Port};
use teu::sys::clone;

/// What one more port costs in messages and bytes, both ways.
fn cost(number: u16) -> (usize, usize) {
    let (mut firewall, state) = Firewall::open("7e57").unwrap().unwrap();
    let network = Network { bridge: "tb1".into(), internal: false, masquerade: true };
    let port = Port {
        host: ([127, 0, 0, 1], 10_000 + number).into(),
        protocol: Protocol::Tcp,
        to: ([10, 77, (number >> 8) as u8, number as u8], 80).into(),
    };
    firewall.add(state, &[network], &[port], &format!("{number:064x}")).unwrap();
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
        let host = NetNs::of(teu::net::netns::current().unwrap());
        let barrier = Barrier::new(100);
        let (host, barrier) = (&host, &barrier);
        let all: Vec<_> = std::thread::scope(|scope| {
            let attach = |n: usize| {
                move || {
                    clone::setns(std::os::fd::AsFd::as_fd(host), clone::NEWNET).unwrap();
                    let ns = NetNs::create().unwrap();
                    barrier.wait();
                    let port = tcp("0.0.0.0", 20_000 + n as u16, 80);
                    up(&plan(n, vec![endpoint(1, n as u8 + 2)], vec![port]), ns, None).unwrap()
                }
            };
            let threads: Vec<_> = (0..100).map(|n| scope.spawn(attach(n))).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        for (n, attached) in all.iter().enumerate().step_by(9) {
            serve(attached.ns(), "one", 80);
            assert_eq!(ask(Some(&w.outside), HOST, 20_000 + n as u16).unwrap(), format!("one sees {OUTSIDE}"));
        }
        assert_eq!(output("ip -br link | grep -c '^tv'").trim(), "100");
        for attached in all {
            assert!(attached.down().is_empty());
        }
        // A namespace lasts as long as its server of this test listens; all others are gone.
        let left = || output("ip -br link").matches("\ntv").count();
        wait_until("the interfaces are gone", || (left() <= 12).then_some(()));
        // And the table is one, with each rule once.
        let again = start(200, vec![endpoint(1, 2)], Vec::new());
        assert!(!again.rebuilt());
    });
}
