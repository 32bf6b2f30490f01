//! Networks end to end: real containers, real packets. Each test has a host of its own.

mod datagrams;
mod default;
mod files;
mod leftovers;
mod lost;
mod moved;
mod orphans;
mod parents;
mod plain;
mod ports;
mod publish;
mod screen;
mod user;
mod words;

use crate::needs;
use crate::support::host::{HOST, HOST6, ip, on_own_host, page};
use crate::support::{StateRoot, image, wait_until};
use std::collections::BTreeSet;
use std::process::Stdio;

/// A web server that says its name; returns once it answers inside.
#[track_caller]
fn web(root: &StateRoot, name: &str, flags: &[&str]) {
    let script = format!("echo {name} > /tmp/index.html; exec httpd -f -p 80 -h /tmp");
    start(root, name, flags, &["sh", "-c", &script]);
    wait_until(&format!("{name} serves"), || inside(root, name, "http://127.0.0.1"));
}

#[track_caller]
fn start(root: &StateRoot, name: &str, flags: &[&str], command: &[&str]) {
    let image = image::name();
    let args = [&["run", "-d", "--name", name], flags, &[image.as_str()], command].concat();
    root.teu(&args).exits(0);
}

/// What a page says to a container, or `None` when nobody answers.
#[track_caller]
fn inside(root: &StateRoot, name: &str, url: &str) -> Option<String> {
    let answer = root.teu(&["exec", name, "timeout", "3", "wget", "-q", "-O", "-", url]);
    (answer.code == 0).then(|| answer.out().to_owned())
}

#[track_caller]
fn fails(root: &StateRoot, code: i32, parts: &[&str], args: &[&str]) {
    let answer = root.teu(args).exits(code);
    for part in parts {
        assert!(answer.stderr.contains(part), "{args:?}: no '{part}' in {}", answer.stderr);
    }
}

#[test]
fn containers_are_reached_through_ports_and_by_name() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, outside| {
        root.teu(&["network", "create", "web"]).exits(0);
        let flags = ["--network", "web:alias=shop", "-p", "8080:80", "-p", "0.0.0.0:8081:80"];
        web(root, "front", &flags);
        assert_eq!(page("http://127.0.0.1:8080").as_deref(), Some("front"));
        assert_eq!(outside.page(&format!("http://{HOST}:8081")).as_deref(), Some("front"));
        // Without an address it is this machine's alone.
        assert_eq!(outside.page(&format!("http://{HOST}:8080")), None);
        assert_eq!(root.teu(&["port", "front"]).exits(0).stdout, "80/tcp -> 0.0.0.0:8081\n80/tcp -> 127.0.0.1:8080\n");
        let ports = root.teu(&["ps", "--format", "{{.Ports}}|{{.Networks}}"]).exits(0);
        assert_eq!(ports.out(), "0.0.0.0:8081->80/tcp, 127.0.0.1:8080->80/tcp|web");
        start(root, "client", &["--network", "web"], &["sleep", "1000"]);
        for name in ["front", "shop"] {
            assert_eq!(inside(root, "client", &format!("http://{name}")).as_deref(), Some("front"), "{name}");
        }
        let details = root.inspect("front");
        let endpoint = &details["NetworkSettings"]["Networks"]["web"];
        let address = endpoint["IPAddress"].as_str().unwrap().to_owned();
        assert_eq!(inside(root, "client", &format!("http://{address}")).as_deref(), Some("front"));
        assert_eq!(details["NetworkSettings"]["Ports"]["80/tcp"].as_array().map(Vec::len), Some(2));
        let network = root.inspect("web");
        assert_eq!(network["Containers"].as_object().map(serde_json::Map::len), Some(2));
        // What went through is counted, packets too; docker's figures are as they were.
        let figures = root.teu(&["stats", "--no-stream", "--format", "json", "front"]).exits(0).stdout;
        let figures: serde_json::Value = serde_json::from_str(figures.trim()).unwrap();
        let packets: Vec<u64> =
            figures["NetPackets"].as_str().unwrap().split(" / ").map(|n| n.parse().unwrap()).collect();
        assert!(packets.len() == 2 && packets.iter().all(|n| *n > 4), "{figures}");
        assert!(figures["NetDropped"].as_str().unwrap().contains(" / ") && figures["NetIO"].is_string(), "{figures}");
        // Its own name is its own address.
        let hosts = root.teu(&["exec", "front", "cat", "/etc/hosts"]).exits(0).stdout;
        assert!(hosts.contains(&format!("{address}\t")), "{hosts}");
        root.teu(&["rm", "-f", "front"]).exits(0);
        assert_eq!((page("http://127.0.0.1:8080"), outside.page(&format!("http://{HOST}:8081"))), (None, None));
        assert_eq!(inside(root, "client", "http://front"), None);
    });
}

#[test]
fn networks_are_kept_apart_and_internal_ones_from_everybody() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, outside| {
        root.teu(&["network", "create", "one"]).exits(0);
        root.teu(&["network", "create", "--internal", "two"]).exits(0);
        web(root, "a", &["--network", "one"]);
        web(root, "b", &["--network", "two"]);
        start(root, "c", &["--network", "one"], &["sleep", "1000"]);
        start(root, "d", &["--network", "two"], &["sleep", "1000"]);
        let address = |name: &str, network: &str| {
            let found = root.inspect(name)["NetworkSettings"]["Networks"][network]["IPAddress"].clone();
            format!("http://{}", found.as_str().unwrap())
        };
        let (a, b) = (address("a", "one"), address("b", "two"));
        assert_eq!((inside(root, "c", &a).as_deref(), inside(root, "d", &b).as_deref()), (Some("a"), Some("b")));
        assert_eq!((inside(root, "c", &b), inside(root, "d", &a)), (None, None));
        assert_eq!((inside(root, "c", "http://b"), inside(root, "d", "http://a")), (None, None));
        // Unpublished, nobody outside gets there by a route; from the internal network nobody gets out.
        assert_eq!((outside.page(&a), outside.page(&b)), (None, None));
        // Nobody listens there: whoever gets a refusal has got there.
        let refused = |name: &str| {
            let url = format!("http://{}:9", crate::support::host::OUTSIDE);
            let answer = root.teu(&["exec", name, "timeout", "3", "wget", "-q", "-O", "-", &url]);
            answer.stderr.contains("refused")
        };
        assert_eq!((refused("c"), refused("d")), (true, false));
        fails(
            root,
            125,
            &["only on internal networks (two)"],
            &["run", "--network", "two", "-p", "80:80", &image::name()],
        );
    });
}

#[test]
fn ports_and_networks_change_while_a_container_runs() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        for network in ["one", "two"] {
            root.teu(&["network", "create", network]).exits(0);
        }
        web(root, "front", &["--network", "one", "-p", "8080:80"]);
        start(root, "client", &["--network", "two"], &["sleep", "1000"]);
        root.teu(&["update", "--publish-add", "8090:80", "--publish-rm", "8080:80", "front"]).exits(0);
        assert_eq!((page("http://127.0.0.1:8090").as_deref(), page("http://127.0.0.1:8080")), (Some("front"), None));
        assert_eq!(root.teu(&["port", "front", "80"]).exits(0).out(), "127.0.0.1:8090");
        fails(root, 1, &["port 9999/tcp is not published"], &["update", "--publish-rm", "9999", "front"]);
        fails(root, 1, &["this machine's port: --publish-rm 8090:80"], &["update", "--publish-rm", "8090", "front"]);
        assert_eq!(inside(root, "client", "http://front"), None);
        root.teu(&["network", "connect", "--alias", "shop", "two", "front"]).exits(0);
        assert_eq!(inside(root, "client", "http://shop").as_deref(), Some("front"));
        fails(root, 1, &["it is connected already"], &["network", "connect", "two", "front"]);
        // Neighbours find it by its new name at once, and it finds itself.
        root.teu(&["rename", "front", "back"]).exits(0);
        let found = ["back", "shop"].map(|name| inside(root, "client", &format!("http://{name}")));
        assert_eq!(found.map(|page| page.as_deref() == Some("front")), [true, true]);
        assert_eq!(inside(root, "client", "http://front"), None);
        let hosts = root.teu(&["exec", "back", "cat", "/etc/hosts"]).exits(0).stdout;
        assert!(hosts.contains(" back\n") && !hosts.contains("front"), "{hosts}");
        root.teu(&["rename", "back", "front"]).exits(0);
        root.teu(&["network", "disconnect", "two", "front"]).exits(0);
        assert_eq!(inside(root, "client", "http://shop"), None);
        fails(root, 1, &["it is not connected to it"], &["network", "disconnect", "two", "front"]);
        // The port and the one network are what it comes back with.
        root.teu(&["restart", "-t", "0", "front"]).exits(0);
        wait_until("the server is back", || page("http://127.0.0.1:8090").filter(|text| text == "front"));
    });
}

#[test]
fn what_cannot_be_is_said_and_leaves_nothing() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        let image = image::name();
        let create = |args: &[&str]| root.teu(&[&["network", "create"], args].concat());
        create(&["--subnet", "10.9.0.0/30", "tiny"]).exits(0);
        for (parts, args) in [
            (&["a network named tiny exists already"][..], &["tiny"][..]),
            (&["overlaps with another network's", "network tiny has 10.9.0.0/30"], &["--subnet", "10.9.0.0/16", "n"]),
            (&["overlaps with the host's", "lan0"], &["--subnet", "198.51.0.0/16", "n"]),
            (&["host bits set: did you mean 10.8.0.0/24?"], &["--subnet", "10.8.0.7/24", "n"]),
            (&["invalid --subnet 'ten'"], &["--subnet", "ten", "n"]),
            (&["no matching subnet for gateway 10.8.0.1"], &["--gateway", "10.8.0.1", "n"]),
            (&["invalid --driver 'overlay'"], &["-d", "overlay", "n"]),
            (&["option 'colour' is not supported for a bridge network"], &["-o", "colour=red", "n"]),
            (&["predefined"], &["host"]),
        ] {
            fails(root, 1, parts, &[&["network", "create"], args].concat());
        }
        let names = root.teu(&["network", "ls", "--format", "{{.Name}} {{.Driver}}"]).exits(0);
        assert_eq!(names.out(), "bridge bridge\nhost host\nnone null\ntiny bridge");
        let run = |parts: &[&str], flags: &[&str]| {
            let args = [&["run", "-d"], flags, &[image.as_str(), "sleep", "1000"]].concat();
            fails(root, 125, parts, &args);
        };
        run(&["no such network: nowhere"], &["--network", "nowhere"]);
        run(&["10.9.0.9 is not in subnet 10.9.0.0/30"], &["--network", "tiny:ip=10.9.0.9"]);
        run(&["10.9.0.1 is the gateway"], &["--network", "tiny", "--ip", "10.9.0.1"]);
        start(root, "first", &["--network", "tiny", "-p", "8080:80"], &["sleep", "1000"]);
        run(&["network tiny has no free address left"], &["--rm", "--network", "tiny"]);
        run(&["10.9.0.2 is already in use", "container first has it"], &["--rm", "--network", "tiny:ip=10.9.0.2"]);
        let whose = "port 127.0.0.1:8080/tcp is in use by container first (its monitor has pid ";
        run(&[whose, "hint: choose another port of this machine"], &["--rm", "-p", "8080:80"]);
        run(&["'10.9.0.2' is not a MAC address"], &["--rm", "--mac-address", "10.9.0.2"]);
        run(&["no interface can have '01:00:00:00:00:01'"], &["--rm", "--mac-address", "01:00:00:00:00:01"]);
        let taken = std::net::TcpListener::bind("127.0.0.1:8099").unwrap();
        run(&["port 127.0.0.1:8099/tcp is in use by"], &["--rm", "-p", "8099:80"]);
        drop(taken);
        let host = ["--network", "host", "--entrypoint", "nc"];
        root.teu(&[&["run", "-d", "--name", "own"], &host[..], &[&image, "-l", "-p", "8098"]].concat()).exits(0);
        let id = root.inspect("own")["Id"].as_str().unwrap()[..12].to_owned();
        wait_until("its server listens", || std::net::TcpListener::bind("127.0.0.1:8098").err());
        run(&[") in container ", &id], &["--rm", "-p", "8098:80"]);
        root.teu(&["rm", "-f", "own"]).exits(0);
        fails(root, 1, &["it is in use", "by first"], &["network", "rm", "tiny"]);
        fails(root, 1, &["bridge is a predefined network"], &["network", "rm", "bridge"]);
        // A stopped one keeps its address until somebody needs it.
        root.teu(&["stop", "-t", "0", "first"]).exits(0);
        start(root, "second", &["--network", "tiny"], &["sleep", "1000"]);
        fails(root, 125, &["network tiny has no free address left"], &["start", "first"]);
        root.teu(&["rm", "-f", "first", "second"]).exits(0);
        assert_eq!(root.teu(&["ps", "-aq"]).exits(0).stdout, "");
        assert_eq!(root.teu(&["network", "rm", "tiny"]).exits(0).out(), "tiny");
        assert!(!ip(&["-o", "link"]).contains("10.9.0"));
    });
}

#[test]
fn a_hundred_starts_at_once_get_a_hundred_addresses() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        let image = image::name();
        let run = |n: usize| {
            let name = format!("c{n}");
            let args = ["run", "-d", "--name", &name, "--network", "bridge", &image, "sleep", "1000"];
            let mut command = root.command();
            command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        let mut running: Vec<_> = (0..100).map(run).collect();
        for child in &mut running {
            let status = child.wait().unwrap();
            let mut words = String::new();
            std::io::Read::read_to_string(child.stderr.as_mut().unwrap(), &mut words).unwrap();
            assert!(status.success(), "{words}");
        }
        let network = root.inspect("bridge");
        let members = network["Containers"].as_object().unwrap();
        let addresses: BTreeSet<&str> = members.values().map(|m| m["IPv4Address"].as_str().unwrap()).collect();
        assert_eq!((members.len(), addresses.len()), (100, 100));
    });
}

#[test]
fn a_port_and_an_address_are_free_when_a_run_has_ended() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        root.teu(&["network", "create", "--subnet", "10.9.0.0/30", "tiny"]).exits(0);
        let image = image::name();
        for _ in 0..5 {
            root.teu(&["run", "--rm", "--network", "tiny", "-p", "8080:80", &image, "true"]).exits(0);
        }
    });
}

#[test]
fn a_killed_monitor_leaves_neither_port_nor_address_taken() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        root.teu(&["network", "create", "--subnet", "10.9.0.0/30", "tiny"]).exits(0);
        web(root, "front", &["--network", "tiny", "-p", "8080:80"]);
        let state = root.inspect("front")["State"].clone();
        let kill = |key: &str| {
            let pid = i32::try_from(state[key].as_i64().unwrap()).unwrap();
            teu::sys::process::kill(pid, 9).unwrap();
        };
        kill("MonitorPid");
        kill("Pid");
        wait_until("it is seen as ended", || (root.inspect("front")["State"]["Status"] == "exited").then_some(()));
        web(root, "next", &["--network", "tiny", "-p", "8080:80"]);
        assert_eq!(page("http://127.0.0.1:8080").as_deref(), Some("next"));
        root.teu(&["rm", "-f", "front", "next"]).exits(0);
    });
}

#[test]
fn what_others_remove_comes_back() {
    needs!(Root, Registry, Cgroup, Nft);
    on_own_host(|root, outside| {
        web(root, "front", &["-p", "0.0.0.0:8081:80"]);
        let url = format!("http://{HOST}:8081");
        assert_eq!(outside.page(&url).as_deref(), Some("front"));
        nft(&["flush", "ruleset"]);
        assert_eq!(root.teu(&["network", "reload"]).exits(0).out(), "front");
        assert_eq!(outside.page(&url).as_deref(), Some("front"));
        root.teu(&["rm", "-f", "front"]).exits(0);
    });
}

#[test]
fn the_hosts_own_rules_are_not_touched() {
    needs!(Root, Registry, Cgroup, Nft);
    on_own_host(|root, _| {
        for rule in [
            &["add", "table", "inet", "mine"][..],
            &["add", "chain", "inet", "mine", "in", "{ type filter hook input priority 0; policy accept; }"],
            &["add", "rule", "inet", "mine", "in", "tcp", "dport", "22", "accept"],
        ] {
            nft(rule);
        }
        let before = nft(&["list", "table", "inet", "mine"]);
        root.teu(&["network", "create", "web"]).exits(0);
        web(root, "front", &["--network", "web", "-p", "8080:80"]);
        let tables = nft(&["list", "tables"]);
        assert_eq!(tables.lines().count(), 2, "{tables}");
        assert_eq!(nft(&["list", "table", "inet", "mine"]), before);
        root.teu(&["rm", "-f", "front"]).exits(0);
        root.teu(&["network", "rm", "web"]).exits(0);
        assert_eq!(nft(&["list", "table", "inet", "mine"]), before);
    });
}

#[track_caller]
fn nft(args: &[&str]) -> String {
    let mut command = std::process::Command::new("nft");
    crate::support::program::finish(command.args(args).stdin(Stdio::null())).exits(0).stdout
}

#[test]
fn ipv6_inside_and_from_outside() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, outside| {
        root.teu(&["network", "create", "--ipv6", "six"]).exits(0);
        web(root, "front", &["--network", "six", "-p", &format!("[{HOST6}]:8081:80")]);
        let address = root.inspect("front")["NetworkSettings"]["Networks"]["six"]["GlobalIPv6Address"].clone();
        start(root, "client", &["--network", "six"], &["sleep", "1000"]);
        let url = format!("http://[{}]", address.as_str().unwrap());
        assert_eq!(inside(root, "client", &url).as_deref(), Some("front"));
        assert_eq!(outside.page(&format!("http://[{HOST6}]:8081")).as_deref(), Some("front"));
    });
}

#[test]
fn a_container_may_share_another_ones_network() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        web(root, "front", &["-p", "8080:80"]);
        let image = image::name();
        let shared =
            ["run", "--rm", "--network", "container:front", &image, "wget", "-q", "-O", "-", "http://127.0.0.1"];
        assert_eq!(root.teu(&shared).exits(0).out(), "front");
        let conflict = ["run", "--rm", "--network", "container:front", "-p", "1:1", &image, "true"];
        fails(root, 125, &["conflicting options: published ports"], &conflict);
        root.teu(&["stop", "-t", "0", "front"]).exits(0);
        fails(root, 125, &["cannot join the network of container front", "it is not running"], &shared);
    });
}
