//! Networks and ports of containers as their monitors open and close them: real containers, a namespace of the test's own as
//! host.

use crate::monitor::{Fixture, run};
use crate::names::{addresses, attached, endpoint, lookup, own_machine, resolver, start, stop};
use crate::needs;
use crate::support::host::page;
use crate::support::wait_until;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use teu::model::network::{Protocol, PublishedPort};
use teu::net::plan::{NetworkChange, NetworkPlan};
use teu::runtime::protocol::FailureKind;
use teu::runtime::task::Error;

fn http(host_port: u16) -> PublishedPort {
    PublishedPort { host_ip: IpAddr::V4(Ipv4Addr::LOCALHOST), host_port, container_port: 80, protocol: Protocol::Tcp }
}

#[test]
fn networks_and_ports_come_and_go_while_it_runs() {
    needs!(Root);
    own_machine();
    let _resolver = resolver();
    let (one, two) = (Fixture::new(), Fixture::new());
    let dir = one.root.path().join("run/networks");
    let serve = "exec httpd -f -p 80 -h /www";
    start(&attached(&dir, &one, serve, vec![endpoint(1, 2, &["one"], false)]));
    start(&attached(&dir, &two, "exec sleep 600", vec![endpoint(2, 2, &["two"], false)]));
    assert!(lookup(&two, "a", "one").contains("NXDOMAIN"));
    let change = |change| run(one.task().network(change));
    let connect = || NetworkChange::Connect {
        endpoint: Box::new(endpoint(2, 3, &["one", "late"], false)),
        resolvers: Vec::new(),
    };
    let state = change(connect()).unwrap();
    assert_eq!(state.endpoints.len(), 2);
    assert!(matches!(change(connect()), Err(Error::Failed(f)) if f.kind == FailureKind::Conflict));
    assert_eq!(addresses(&lookup(&two, "a", "late")), ["10.111.2.3"]);
    assert_eq!(addresses(&lookup(&one, "a", "two")), ["10.111.2.2"]);
    let state = change(NetworkChange::Disconnect { network: "2".repeat(64) }).unwrap();
    assert_eq!(state.endpoints.len(), 1);
    assert!(lookup(&two, "a", "late").contains("NXDOMAIN"));
    let port = http(0);
    let state = change(NetworkChange::Publish(vec![port])).unwrap();
    let given = state.ports[0].clone();
    let fetch = || page(&format!("http://127.0.0.1:{}", given.host_port)).filter(|said| said.trim() == "served");
    wait_until("the port is served", fetch);
    let state = change(NetworkChange::Unpublish(vec![given.clone()])).unwrap();
    assert!(state.ports.is_empty() && fetch().is_none());
    assert!(matches!(change(NetworkChange::Unpublish(vec![given.clone()])), Err(Error::Failed(_))));
    stop(&one);
    stop(&two);
}

/// The kernel's translation passes by what the host says of its own servers (as docker's and podman's does); a monitor that
/// listens is one.
#[test]
fn the_hosts_rules_for_servers_hold_where_monitors_listen() {
    needs!(Root, Nft);
    own_machine();
    let port = http(8080);
    let nft = |rules: &str| assert!(Command::new("nft").arg(rules).status().unwrap().success(), "{rules}");
    let fetch = || page(&format!("http://127.0.0.1:{}", port.host_port)).filter(|said| said.trim() == "served");
    for listens in [false, true] {
        let web = Fixture::new();
        let dir = web.root.path().join("run/networks");
        let mut launch = attached(&dir, &web, "exec httpd -f -p 80 -h /www", vec![endpoint(1, 2, &["web"], false)]);
        let NetworkPlan::Attached(plan) = &mut launch.network else { unreachable!() };
        (plan.listens, plan.ports) = (listens, vec![port.clone()]);
        start(&launch);
        wait_until("it serves", fetch);
        nft(
            "table inet host { chain input { type filter hook input priority 0; tcp dport 8080 reject with tcp reset; }; }",
        );
        assert_eq!(fetch().is_none(), listens);
        nft("delete table inet host");
        assert!(fetch().is_some());
        stop(&web);
    }
}
