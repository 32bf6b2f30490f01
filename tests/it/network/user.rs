//! An ordinary user's networks on the command line: `tests/run` gives that pass a host of its own, with a way out.

use super::datagrams::{echoes, serve};
use super::fails;
use crate::needs;
use crate::support::host::{HOST, page};
use crate::support::{StateRoot, image, leaks, program, wait_until};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

/// An address of this machine that is reached through its default route's interface: what is outside for containers.
const BEYOND: &str = "203.0.113.2";

/// Leaves the test where there is no way out, or no helper to take it.
macro_rules! needs_way_out {
    () => {
        needs!(User, Userns, SubIds, Registry);
        if let Some(lack) = teu::net::support::way_out(&std::env::var("PATH").unwrap_or_default()) {
            return crate::support::needs::skip("rootless", &lack.to_string(), module_path!(), line!());
        }
        if TcpListener::bind((BEYOND, 0)).is_err() {
            return crate::support::needs::skip("rootless", "no address beyond the way out", module_path!(), line!());
        }
    };
}

fn run_dir(root: &StateRoot) -> std::path::PathBuf {
    root.path().join("run/networks")
}

#[track_caller]
fn web(root: &StateRoot, name: &str, flags: &[&str]) {
    let script = format!("echo {name} > /tmp/index.html; exec httpd -f -p 80 -h /tmp");
    let image = image::name();
    let args = [&["run", "-d", "--name", name], flags, &[&image, "sh", "-c", &script]].concat();
    assert_eq!(root.teu(&args).exits(0).stderr, "", "no warning");
    wait_until(&format!("{name} serves"), || super::inside(root, name, "http://127.0.0.1"));
}

/// The address of a page that says `beyond`.
fn serve_beyond() -> String {
    let beyond = TcpListener::bind((BEYOND, 0)).unwrap();
    let port = beyond.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in beyond.incoming().flatten() {
            // One that closes with the question unread resets the connection, and the answer may be lost.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nbeyond\n");
        }
    });
    format!("http://{BEYOND}:{port}")
}

#[test]
fn ports_names_and_a_way_out_for_a_user() {
    needs_way_out!();
    let root = &StateRoot::with_image();
    let out = serve_beyond();
    // On the default network: published for this machine, and for everybody.
    web(root, "front", &["-p", "8080:80", "-p", "0.0.0.0:8081:80"]);
    assert_eq!(root.inspect("front")["HostConfig"]["NetworkMode"], "bridge");
    assert_eq!(page("http://127.0.0.1:8080").as_deref(), Some("front"));
    assert_eq!(page(&format!("http://{HOST}:8081")).as_deref(), Some("front"));
    assert_eq!(page(&format!("http://{HOST}:8080")), None);
    // On a network of their own: each other by name, not the others, and the outside.
    root.teu(&["network", "create", "own"]).exits(0);
    web(root, "shop", &["--network", "own:alias=store"]);
    web(root, "client", &["--network", "own"]);
    for name in ["shop", "store"] {
        assert_eq!(super::inside(root, "client", &format!("http://{name}")).as_deref(), Some("shop"));
    }
    assert_eq!(super::inside(root, "client", "http://front"), None);
    for name in ["front", "client"] {
        assert_eq!(super::inside(root, name, &out).as_deref(), Some("beyond"), "{name}");
    }
    root.teu(&["network", "connect", "own", "front"]).exits(0);
    assert_eq!(super::inside(root, "client", "http://front").as_deref(), Some("front"));
    root.teu(&["update", "--publish-add", "8090:80", "--publish-rm", "8080:80", "front"]).exits(0);
    assert_eq!((page("http://127.0.0.1:8090").as_deref(), page("http://127.0.0.1:8080")), (Some("front"), None));
    // All leave: the helper, the namespace and its files go with the last.
    root.teu(&["rm", "-f", "front", "shop", "client"]).exits(0);
    let left = || std::fs::read_dir(run_dir(root)).unwrap().count();
    wait_until("only the lock is left", || (left() == 1).then_some(()));
    leaks::assert_none(root.path());
}

/// By the machine's own address, as by root: his network namespace has that address too.
#[test]
fn a_users_ports_are_open_to_his_own_containers() {
    needs_way_out!();
    needs!(Nft);
    let root = &StateRoot::with_image();
    root.teu(&["network", "create", "--subnet", "10.83.0.0/29", "own"]).exits(0);
    web(
        root,
        "front",
        &["--network", "own", "-p", "0.0.0.0:8061:80", "-p", &format!("{HOST}:8062:80"), "-p", "8063:80"],
    );
    web(root, "neighbour", &["--network", "own"]);
    web(root, "stranger", &[]);
    let address = root.inspect("front")["NetworkSettings"]["Networks"]["own"]["IPAddress"].as_str().unwrap().to_owned();
    let at_host = |name: &str, port: u16| super::inside(root, name, &format!("http://{HOST}:{port}"));
    for name in ["front", "neighbour", "stranger"] {
        for port in [8061, 8062] {
            assert_eq!(at_host(name, port).as_deref(), Some("front"), "{name} at {port}");
        }
        assert_eq!(at_host(name, 8063), None, "it is this machine's alone");
    }
    assert_eq!(page(&format!("http://{HOST}:8061")).as_deref(), Some("front"));
    root.teu(&["update", "--publish-add", "0.0.0.0:8064:80", "--publish-rm", "8061:80", "front"]).exits(0);
    assert_eq!((at_host("stranger", 8061), at_host("stranger", 8064).as_deref()), (None, Some("front")));
    // Whoever has its address next is not behind its ports.
    let state = root.inspect("front")["State"].clone();
    for key in ["MonitorPid", "Pid"] {
        teu::sys::process::kill(i32::try_from(state[key].as_i64().unwrap()).unwrap(), 9).unwrap();
    }
    wait_until("it is seen as ended", || (root.inspect("front")["State"]["Status"] == "exited").then_some(()));
    web(root, "next", &["--network", "own", "--ip", &address]);
    assert_eq!((at_host("stranger", 8062), at_host("stranger", 8064)), (None, None));
    root.teu(&["rm", "-f", "front", "neighbour", "stranger", "next"]).exits(0);
    let left = || std::fs::read_dir(run_dir(root)).unwrap().count();
    wait_until("only the lock is left", || (left() == 1).then_some(()));
}

#[test]
fn a_lost_way_out_comes_back() {
    needs_way_out!();
    let root = &StateRoot::with_image();
    web(root, "one", &[]);
    let helper = || std::fs::read_to_string(run_dir(root).join("rootless.helper")).unwrap();
    let pid: i32 = helper().split(' ').next().unwrap().parse().unwrap();
    let before = helper();
    teu::sys::process::kill(pid, 9).unwrap();
    wait_until("the helper is gone", || teu::sys::process::start_time(pid).is_none().then_some(()));
    root.teu(&["network", "reload"]).exits(0);
    assert_ne!(helper(), before);
    let out = serve_beyond();
    wait_until("somebody beyond answers", || super::inside(root, "one", &out).filter(|page| page == "beyond"));
    root.teu(&["rm", "-f", "one"]).exits(0);
    let left = || std::fs::read_dir(run_dir(root)).unwrap().count();
    wait_until("only the lock is left", || (left() == 1).then_some(()));
}

#[test]
fn containers_are_not_parted_when_their_namespace_is_gone() {
    needs_way_out!();
    let root = &StateRoot::with_image();
    web(root, "one", &[]);
    // A user namespace may take away what is mounted in another one's mount namespace.
    std::fs::remove_file(run_dir(root).join("ns")).unwrap();
    let image = image::name();
    let parts = ["network namespace of your containers is gone", "stop the containers that have networks"];
    fails(root, 125, &parts, &["run", "--rm", "--name", "two", &image, "true"]);
    assert_eq!(root.teu(&["ps", "-a", "--format", "{{.Names}}"]).exits(0).stdout, "one\n");
    root.teu(&["stop", "-t", "0", "one"]).exits(0);
    web(root, "three", &[]);
    let out = serve_beyond();
    wait_until("somebody beyond answers", || super::inside(root, "three", &out).filter(|page| page == "beyond"));
    root.teu(&["rm", "-f", "one", "three"]).exits(0);
    let left = || std::fs::read_dir(run_dir(root)).unwrap().count();
    wait_until("only the lock is left", || (left() == 1).then_some(()));
}

#[test]
fn a_users_udp_ports_answer() {
    needs_way_out!();
    needs!(Perl);
    let root = &StateRoot::new();
    serve(root, "echo", &["-p", "5353:54/udp", "-p", "0.0.0.0:5354:54/udp"], &["0.0.0.0"]);
    echoes("127.0.0.1:5353");
    echoes(&format!("{HOST}:5354"));
    root.teu(&["rm", "-f", "echo"]).exits(0);
}

#[test]
fn what_a_user_may_not_is_said() {
    needs_way_out!();
    let root = &StateRoot::with_image();
    let image = image::name();
    let refused = |parts: &[&str], flags: &[&str]| {
        fails(root, 125, parts, &[&["run", "--rm"], flags, &[image.as_str(), "true"]].concat());
    };
    refused(&["port 127.0.0.1:80/tcp needs root", "ip_unprivileged_port_start"], &["-p", "80:80"]);
    let taken = TcpListener::bind("127.0.0.1:8095").unwrap();
    // Whose it is can be seen of processes in the same user namespace only.
    refused(&["port 127.0.0.1:8095/tcp is in use"], &["-p", "8095:80"]);
    drop(taken);
    refused(&["'up:host-gateway'", "no way to the host"], &["--add-host", "up:host-gateway"]);
    let macvlan = ["network", "create", "-d", "macvlan", "-o", "parent=lo", "--subnet", "10.9.0.0/24", "n"];
    fails(root, 1, &["macvlan networks need root"], &macvlan);
    assert_eq!(root.teu(&["ps", "-aq"]).exits(0).stdout, "");
    wait_until("nothing is left", || (!run_dir(root).join("ns").exists()).then_some(()));
}

/// What `program` says in the namespace that the bridges of a user with a container of that name are in.
#[track_caller]
fn among_bridges(root: &StateRoot, name: &str, program: &[&str]) -> String {
    let monitor = root.inspect(name)["State"]["MonitorPid"].to_string();
    let mut command = Command::new("nsenter");
    command.args(["-t", &monitor, "--user", "--mount", "--preserve-credentials", "nsenter"]);
    command.arg(format!("--net={}", run_dir(root).join("ns").display())).args(program);
    program::finish(command.stdin(Stdio::null())).exits(0).stdout
}

#[test]
fn a_users_removed_network_leaves_nothing_to_the_next() {
    needs!(User, Userns, SubIds, Registry, Nft);
    let root = &StateRoot::with_image();
    let image = image::name();
    let run = |network: &str| root.teu(&["run", "--rm", "--network", network, &image, "true"]).exits(0);
    let create = |name: &str, flags: &[&str]| {
        let id = root.teu(&[&["network", "create"], flags, &[name]].concat()).exits(0).stdout;
        format!("tb{}", &id[..12])
    };
    let base = create("base", &[]);
    // The namespace lives as long as it does.
    root.teu(&["run", "-d", "--name", "keep", "--network", "base", &image, "sleep", "1000"]).exits(0);
    let bridges = || {
        let list = among_bridges(root, "keep", &["ip", "-o", "link", "show", "type", "bridge"]);
        let names: Vec<String> = list.lines().filter_map(|l| Some(l.split(": ").nth(1)?.to_owned())).collect();
        names
    };
    let rules = || among_bridges(root, "keep", &["nft", "list", "ruleset"]);
    let remove = |name: &str| root.teu(&["network", "rm", name]).exits(0);
    let prune = || root.teu(&["network", "prune", "-f"]).exits(0);
    for (name, by_name) in [("v1", true), ("v2", false)] {
        let bridge = create(name, &["--subnet", "10.82.0.0/24"]);
        run(name);
        assert_eq!(bridges(), [base.as_str(), &bridge]);
        assert!(rules().contains(&bridge), "{}", rules());
        let _ = if by_name { remove(name) } else { prune() };
        assert_eq!(bridges(), [base.as_str()], "{name}");
        assert!(rules().contains(&base) && !rules().contains(&bridge), "{}", rules());
        let routes = among_bridges(root, "keep", &["ip", "route"]);
        assert!(!routes.contains("10.82.0.0/24"), "{routes}");
    }
    // The default one's goes too when nobody is on it, and one that the user named.
    run("bridge");
    assert_eq!(bridges().len(), 2);
    prune();
    assert_eq!(bridges(), [base.as_str()]);
    create("named", &["-o", "com.docker.network.bridge.name=mine"]);
    run("named");
    assert_eq!(bridges(), [base.as_str(), "mine"]);
    remove("named");
    assert_eq!(bridges(), [base.as_str()]);
    // Without a namespace there is nothing to be taken away.
    root.teu(&["rm", "-f", "keep"]).exits(0);
    remove("base");
    prune();
}
