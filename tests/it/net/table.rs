//! The firewall's table while others change it: nobody's ports are lost.

use super::world::{output, world};
use crate::needs;
use std::cell::RefCell;
use teu::model::network::Protocol;
use teu::net::nft::{Firewall, Network, Port};

const TABLE: &str = "inet teu-7e57";

fn open() -> Firewall {
    Firewall::open("7e57").unwrap().unwrap()
}

fn port(number: u16) -> Port {
    let (host, to) = (([127, 0, 0, 1], number).into(), ([10, 77, 1, 2], 80).into());
    Port { host, protocol: Protocol::Tcp, to }
}

/// Whether the table had to be made anew.
fn add(firewall: &mut Firewall, number: u16, container: &str) -> bool {
    let network = Network { bridge: "tb1".into(), internal: false, masquerade: true, isolated: false };
    firewall.add(&[network], &[port(number)], container).unwrap()
}

/// Whose ports the table has.
fn containers(firewall: &mut Firewall) -> Vec<String> {
    let seen = RefCell::new(Vec::new());
    let keep = |container: &str| {
        seen.borrow_mut().push(container.to_owned());
        true
    };
    assert_eq!(firewall.sweep(keep).unwrap(), 0);
    let mut seen = seen.into_inner();
    seen.sort();
    seen
}

#[test]
fn of_two_that_miss_the_table_one_makes_it() {
    needs!(Netns, Nft);
    world(|_| {
        let (mut one, mut two) = (open(), open());
        assert!(add(&mut one, 8001, "one"));
        assert!(!add(&mut two, 8002, "two"));
        assert_eq!(containers(&mut open()), ["one", "two"]);
    });
}

/// Sets and chains of another version cannot be kept, but what another starter put in their place can.
#[test]
fn a_table_of_another_version_is_replaced_once() {
    needs!(Netns, Nft);
    world(|_| {
        output(&format!(
            "nft add table {TABLE}; nft add set {TABLE} bridges '{{ type ipv4_addr; }}'; nft add chain {TABLE} mine"
        ));
        let (mut one, mut two) = (open(), open());
        assert!(add(&mut one, 8001, "one"));
        assert!(!add(&mut two, 8002, "two"));
        assert_eq!(containers(&mut open()), ["one", "two"]);
        assert!(!output(&format!("nft list table {TABLE}")).contains("mine"));
    });
}

/// Rules that somebody flushed come back, and no port is lost for it, not even where one is in the way.
#[test]
fn flushed_rules_come_back_with_the_ports_kept() {
    needs!(Netns, Nft);
    world(|_| {
        add(&mut open(), 8001, "one");
        add(&mut open(), 8002, "dead");
        let before = output(&format!("nft list table {TABLE}"));
        output(&format!("nft flush table {TABLE}"));
        let mut late = open();
        assert!(add(&mut open(), 8002, "two"));
        assert!(!add(&mut late, 8003, "three"));
        assert_eq!(containers(&mut open()), ["one", "three", "two"]);
        open().remove_ports(&[port(8003)]).unwrap();
        assert_eq!(output(&format!("nft list table {TABLE}")), before.replace("dead", "two"));
        // Gone altogether since it was looked at.
        let mut late = open();
        output(&format!("nft delete table {TABLE}"));
        assert!(add(&mut late, 8004, "four"));
        assert_eq!(containers(&mut open()), ["four"]);
    });
}
