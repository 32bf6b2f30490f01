//! macvlan and ipvlan: containers as neighbours of one of the host's interfaces.

use super::{fails, inside, start, web};
use crate::needs;
use crate::support::host::{OUTSIDE, Outside, ip, on_own_host, page};
use crate::support::{StateRoot, image};

/// Refuses with the reason where the kernel has no such interfaces: there the driver says so.
fn known(root: &StateRoot, driver: &str) -> bool {
    let answer = root.teu(&["run", "--rm", "--network", driver, &image::name(), "true"]);
    if answer.code == 125 {
        let why = format!("this kernel has no {driver} interfaces");
        assert!(answer.stderr.contains(&why), "{}", answer.stderr);
    }
    answer.code == 0
}

#[track_caller]
fn create(root: &StateRoot, driver: &str, options: &[&str]) {
    let place = ["--subnet", "198.51.100.0/24", "--gateway", OUTSIDE, "--ip-range", "198.51.100.64/27"];
    let args = [&["network", "create", "-d", driver, "-o", "parent=lan0"], &place[..], options, &[driver]].concat();
    root.teu(&args).exits(0);
}

fn address(root: &StateRoot, name: &str, network: &str) -> String {
    let found = root.inspect(name)["NetworkSettings"]["Networks"][network]["IPAddress"].clone();
    found.as_str().unwrap().to_owned()
}

/// In a network of its driver's name: seen by neighbours, named, published, connected.
fn as_neighbours(root: &StateRoot, outside: &Outside, driver: &str) {
    web(root, "front", &["--network", driver, "-p", "8080:80"]);
    let there = address(root, "front", driver);
    assert!(there.starts_with("198.51.100.6"), "from the range: {there}");
    assert_eq!(outside.page(&format!("http://{there}")).as_deref(), Some("front"));
    start(root, "client", &["--network", driver, "--network-alias", "c"], &["sleep", "1000"]);
    assert_eq!(inside(root, "client", "http://front").as_deref(), Some("front"));
    let refused = root.teu(&["exec", "client", "timeout", "3", "wget", "-O", "-", &format!("http://{OUTSIDE}:9")]);
    assert!(refused.stderr.contains("refused"), "{}", refused.stderr);
    // The kernel cannot lead the host's packets there; the monitor does.
    assert_eq!(page("http://127.0.0.1:8080").as_deref(), Some("front"));
    let told = root.inspect("front")["NetworkSettings"]["Networks"][driver]["MacAddress"].clone();
    let real = root.teu(&["exec", "front", "cat", "/sys/class/net/eth0/address"]).exits(0);
    assert_eq!(told, if driver == "macvlan" { real.out() } else { "" }, "an ipvlan interface has none of its own");
    // One after the other gets the same address, and nobody waits for the one before to be gone.
    for _ in 0..5 {
        root.teu(&["run", "--rm", "--network", driver, &image::name(), "true"]).exits(0);
    }
    root.teu(&["restart", "-t", "0", "front"]).exits(0);
    assert_eq!(address(root, "front", driver), there);
    start(root, "late", &[], &["sleep", "1000"]);
    root.teu(&["network", "connect", driver, "late"]).exits(0);
    assert!(inside(root, "late", "http://front").is_some() || inside(root, "late", "http://front").is_some());
    root.teu(&["network", "reload"]).exits(0);
    root.teu(&["network", "disconnect", driver, "late"]).exits(0);
    fails(root, 1, &["it is in use", "front", "client"], &["network", "rm", driver]);
    root.teu(&["rm", "-f", "front", "client", "late"]).exits(0);
    root.teu(&["network", "rm", driver]).exits(0);
}

#[test]
fn macvlan_containers_are_their_parents_neighbours() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, outside| {
        create(root, "macvlan", &[]);
        if !known(root, "macvlan") {
            return;
        }
        let mac = ["run", "--rm", "--network", "macvlan", "--mac-address", "02:42:00:00:00:77", &image::name()];
        let shown = root.teu(&[&mac[..], &["cat", "/sys/class/net/eth0/address"]].concat()).exits(0);
        assert_eq!(shown.out(), "02:42:00:00:00:77");
        as_neighbours(root, outside, "macvlan");
    });
}

#[test]
fn ipvlan_containers_are_their_parents_neighbours() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, outside| {
        create(root, "ipvlan", &[]);
        let image = image::name();
        let mac = ["run", "--rm", "--network", "ipvlan", "--mac-address", "02:42:00:00:00:77", &image, "true"];
        fails(root, 125, &["has its parent's MAC address"], &mac);
        if !known(root, "ipvlan") {
            return;
        }
        as_neighbours(root, outside, "ipvlan");
        let routed = ["-o", "ipvlan_mode=l3", "-o", "parent=lan0", "--subnet", "10.77.0.0/24", "routed"];
        root.teu(&[&["network", "create", "-d", "ipvlan"], &routed[..]].concat()).exits(0);
        let route = root.teu(&["run", "--rm", "--network", "routed", &image, "ip", "route"]).exits(0);
        assert!(route.stdout.starts_with("default dev eth0"), "{}", route.stdout);
    });
}

#[test]
fn a_parent_that_is_not_there_is_named() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        let macvlan = |args: &[&str]| root.teu(&[&["network", "create", "-d", "macvlan"], args].concat());
        let mode = ["-o", "parent=lan0", "-o", "macvlan_mode=bridges", "--subnet", "10.9.0.0/24", "n"];
        for (why, args) in [
            ("a macvlan network needs a parent", &["n"][..]),
            ("a macvlan network needs a parent", &["--internal", "n"]),
            ("a macvlan network needs a subnet", &["-o", "parent=lan0", "n"]),
            ("the option macvlan_mode cannot be 'bridges'", &mode),
        ] {
            let refused = macvlan(args).exits(1);
            assert!(refused.stderr.contains(why), "{args:?}: {}", refused.stderr);
        }
        macvlan(&["-o", "parent=eth9", "--subnet", "10.9.0.0/24", "n"]).exits(0);
        let run = ["run", "--rm", "--network", "n", &image::name(), "true"];
        fails(root, 125, &["parent interface eth9 does not exist"], &run);
        assert_eq!(root.teu(&["ps", "-aq"]).exits(0).stdout, "");
    });
}

#[test]
fn a_vlan_that_is_missing_is_made_and_goes_with_its_last_network() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        let create = |name: &str, parent: &str, place: &str| {
            let parent = format!("parent={parent}");
            root.teu(&["network", "create", "-d", "macvlan", "-o", &parent, "--subnet", place, name]).exits(0);
        };
        let there = |name: &str| ip(&["-o", "link"]).contains(&format!(" {name}@"));
        let run = |network: &str| root.teu(&["run", "--rm", "--network", network, &image::name(), "true"]);
        create("ten", "lan0.10", "10.10.0.0/24");
        create("more", "lan0.10", "10.11.0.0/24");
        create("lost", "wan7.10", "10.12.0.0/24");
        assert!(run("lost").exits(125).stderr.contains("parent interface wan7.10 does not exist"));
        let first = run("ten");
        if first.code == 125 {
            assert!(first.stderr.contains("this kernel has no "), "{}", first.stderr);
            return;
        }
        run("more").exits(0);
        assert!(ip(&["-d", "link", "show", "lan0.10"]).contains("vlan protocol 802.1Q id 10 "));
        root.teu(&["network", "rm", "ten"]).exits(0);
        assert!(there("lan0.10"), "another network is on it");
        root.teu(&["network", "rm", "more"]).exits(0);
        assert!(!there("lan0.10"));
        // One that somebody else made is not ours to take away.
        ip(&["link", "add", "link", "lan0", "name", "lan0.11", "type", "vlan", "id", "11"]);
        create("eleven", "lan0.11", "10.13.0.0/24");
        run("eleven").exits(0);
        root.teu(&["network", "rm", "eleven"]).exits(0);
        assert!(there("lan0.11"));
    });
}
