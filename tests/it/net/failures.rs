//! What fails says why and leaves nothing; what died is cleaned up.

use super::world::{
    HOST, OUTSIDE, ask, container_id, endpoint, output, plan, serve, silence, start, start_when_free, tcp, udp, world,
};
use crate::needs;
use crate::support::wait_until;
use teu::model::network::Driver;
use teu::net::attach::up;
use teu::net::netns::NetNs;
use teu::net::{Error, bridge, cleanup};

/// Interfaces end with their namespace, which the kernel takes its time for.
fn no_veths() {
    let none = || (!output("ip -br link").lines().any(|l| l.starts_with("tv"))).then_some(());
    wait_until("the interfaces are gone", none);
}

#[test]
fn a_port_in_use_leaves_nothing_half_made() {
    needs!(Netns);
    world(|_| {
        let taken = std::net::TcpListener::bind("127.0.0.1:8082").unwrap();
        let ports = vec![tcp("127.0.0.1", 8081, 80), tcp("0.0.0.0", 8082, 80)];
        let error = up(&plan(1, vec![endpoint(1, 2)], ports.clone()), NetNs::create().unwrap(), None, &Vec::new)
            .unwrap_err()
            .error;
        let Error::PortInUse { address, by, .. } = &error else { panic!("{error}") };
        assert_eq!(address.port(), 8082);
        assert_eq!(by.as_ref().unwrap().pid, std::process::id() as i32, "{error}");
        no_veths();
        drop(taken);
        start_when_free(1, vec![endpoint(1, 2)], ports);
    });
}

#[test]
fn what_a_plan_cannot_mean_is_refused() {
    needs!(Netns);
    world(|_| {
        let refused = |plan| up(&plan, NetNs::create().unwrap(), None, &Vec::new).unwrap_err().to_string();
        output("ip link add tb1 type veth peer name other");
        assert_eq!(
            refused(plan(1, vec![endpoint(1, 2)], Vec::new())),
            "interface tb1 is there already and is no bridge"
        );
        let mut parentless = endpoint(2, 2);
        parentless.driver = Driver::Macvlan;
        parentless.host_interface = "eth9".into();
        assert_eq!(refused(plan(1, vec![parentless.clone()], Vec::new())), "parent interface eth9 does not exist");
        parentless.mode = Some("bridges".into());
        assert_eq!(refused(plan(1, vec![parentless], Vec::new())), "unknown macvlan mode 'bridges'");
        // The second endpoint fails: the first is taken down again.
        assert!(!refused(plan(1, vec![endpoint(3, 2), endpoint(1, 2)], Vec::new())).is_empty());
        no_veths();
        assert!(!output("nft list ruleset").contains("teu-7e57"), "a firewall table for nobody");
    });
}

#[test]
fn forwarding_that_cannot_be_switched_on_is_told_and_leaves_nothing() {
    needs!(Netns, Nft);
    world(|w| {
        teu::sys::clone::unshare(teu::sys::clone::NEWNS).unwrap();
        output("mount --make-rprivate /; mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys");
        let wanted = plan(1, vec![endpoint(1, 2)], vec![tcp("0.0.0.0", 8080, 80)]);
        let error = up(&wanted, NetNs::create().unwrap(), None, &Vec::new).unwrap_err();
        assert!(matches!(error.error, Error::Forwarding { .. }), "{error}");
        assert!(error.error.hint().unwrap().contains("sysctl -w net.ipv4.ip_forward=1"));
        no_veths();
        assert!(!output("ip -br link").contains("tb1"), "no bridge either");
        assert_eq!(output("nft list ruleset"), "");
        output("umount /proc/sys");
        let web = up(&wanted, NetNs::create().unwrap(), None, &Vec::new).unwrap();
        serve(web.ns(), "web", 80);
        assert_eq!(ask(Some(&w.outside), HOST, 8080).unwrap(), format!("web sees {OUTSIDE}"));
        assert!(web.warnings().iter().any(|t| t.contains("forwarding was off")), "{:?}", web.warnings());
    });
}

#[test]
fn a_network_that_cannot_be_joined_live_leaves_everything_as_it_was() {
    needs!(Netns, Nft);
    world(|w| {
        let mut macvlan = endpoint(9, 2);
        macvlan.driver = Driver::Macvlan;
        macvlan.host_interface = "lan0".into();
        macvlan.internal = true;
        let mut web = up(&plan(1, vec![macvlan], Vec::new()), NetNs::create().unwrap(), None, &Vec::new).unwrap();
        output("ip link add tb3 type veth peer name other");
        let error = web.connect(endpoint(3, 2)).unwrap_err();
        assert!(matches!(error, Error::WrongKind { .. }), "{error}");
        assert_eq!(output("nft list ruleset"), "", "a firewall table for nobody");
        assert_eq!(web.endpoints().count(), 1);
        web.connect(endpoint(1, 2)).unwrap();
        let port = web.publish(&[tcp("0.0.0.0", 8080, 80)], &Vec::new).unwrap();
        // Somebody has the table flushed: what fails then still brings this container's own ports back.
        output("nft flush ruleset");
        web.connect(endpoint(3, 2)).unwrap_err();
        serve(web.ns(), "web", 80);
        assert_eq!(ask(Some(&w.outside), HOST, port[0].host_port).unwrap(), format!("web sees {OUTSIDE}"));
        assert!(web.take_remade().table, "the others' ports are missing");
        assert_eq!(web.endpoints().map(|e| e.interface.as_str()).collect::<Vec<_>>(), ["eth0", "eth1"]);
    });
}

#[test]
fn what_needs_ipv6_is_refused_where_there_is_none() {
    needs!(Netns);
    world(|_| {
        teu::sys::clone::unshare(teu::sys::clone::NEWNS).unwrap();
        // As on a kernel without: no settings of it.
        output("mount --make-rprivate /; mount -t tmpfs none /proc/sys/net; mkdir -p /proc/sys/net/ipv4/conf/tb1");
        output("echo 1 > /proc/sys/net/ipv4/ip_forward");
        let refused =
            |endpoint| up(&plan(1, vec![endpoint], Vec::new()), NetNs::create().unwrap(), None, &Vec::new).unwrap_err();
        let error = refused(endpoint(1, 2));
        assert_eq!(error.to_string(), "network net1 has IPv6 addresses, and this kernel has no IPv6");
        assert!(error.error.hint().is_some());
        assert!(!output("ip -br link").contains("tb1"), "nothing was made");
        let mut four = endpoint(1, 2);
        four.endpoint.v6 = None;
        four.gateways.retain(|g| g.address.is_ipv4());
        let attached = up(&plan(1, vec![four], Vec::new()), NetNs::create().unwrap(), None, &Vec::new).unwrap();
        assert!(attached.down().is_empty());
    });
}

#[test]
fn settings_that_cannot_be_made_are_told_in_one_line() {
    needs!(Netns);
    world(|_| {
        teu::sys::clone::unshare(teu::sys::clone::NEWNS).unwrap();
        output("echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
        output("mount --make-rprivate /");
        output("mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys");
        let one = start(1, vec![endpoint(1, 2)], Vec::new());
        let told: Vec<_> = one.warnings().iter().filter(|w| w.contains("bridge tb1")).collect();
        let [told] = told[..] else { panic!("{told:?}") };
        assert!(told.starts_with("network net1: settings of bridge tb1 stay as they are (route_localnet,"), "{told}");
    });
}

#[test]
fn a_killed_monitors_rules_are_found_and_the_port_is_free_again() {
    needs!(Netns, Nft);
    world(|w| {
        let ports = || vec![tcp("0.0.0.0", 8080, 80), udp("127.0.0.1", 8080, 80)];
        let one = start(1, vec![endpoint(1, 2)], ports());
        let two = start(2, vec![endpoint(1, 3)], vec![tcp("0.0.0.0", 8090, 80)]);
        serve(two.ns(), "two", 80);
        // As after a kill: sockets and namespace are gone, nobody took the rules away.
        drop(one);
        assert_eq!(output("nft list table inet teu-7e57").matches(&container_id(1)).count(), 2);
        // Somebody who gets the port before the sweep gets it whole.
        let three = start_when_free(3, vec![endpoint(1, 4)], ports());
        serve(three.ns(), "three", 80);
        assert_eq!(ask(Some(&w.outside), HOST, 8080).unwrap(), format!("three sees {OUTSIDE}"));
        drop(three);
        let freed = cleanup::dead(&[container_id(2)].into(), "7e57").unwrap();
        assert_eq!(freed.ports, 2);
        silence(Some(&w.outside), HOST, 8080);
        assert_eq!(ask(Some(&w.outside), HOST, 8090).unwrap(), format!("two sees {OUTSIDE}"));
        assert_eq!(cleanup::dead(&Default::default(), "ffff").unwrap().ports, 0);
    });
}

#[test]
fn taking_down_leaves_nothing_but_the_bridge_and_that_can_be_removed() {
    needs!(Netns, Nft);
    world(|_| {
        let before = output("ip -br link | cut -d' ' -f1");
        let one = start(1, vec![endpoint(1, 2)], vec![tcp("0.0.0.0", 8080, 80)]);
        assert!(one.down().is_empty());
        no_veths();
        let table = output("nft list table inet teu-7e57");
        assert!(!table.contains(&container_id(1)) && table.contains("tb1"), "{table}");
        bridge::remove("tb1", false, "7e57").unwrap();
        bridge::remove("tb1", false, "7e57").unwrap();
        assert!(!output("nft list table inet teu-7e57").contains("tb1"));
        assert_eq!(output("ip -br link | cut -d' ' -f1"), before);
        cleanup::table("7e57").unwrap();
        cleanup::table("7e57").unwrap();
        assert_eq!(output("nft list ruleset"), "");
        assert!(bridge::remove("lo", false, "7e57").is_err());
    });
}
