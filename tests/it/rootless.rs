//! An ordinary user's networks: one namespace for all, pasta or slirp4netns between it and the outside.
//!
//! Runs inside a user namespace (`tests/run` makes it), where teu is root as it is after its own start.

use crate::monitor::Fixture;
use crate::names::{addresses, attached, endpoint, inside, lookup, own_machine, start, stop};
use crate::support::{needs, wait_until};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command};
use teu::model::network::{Protocol, PublishedPort};
use teu::net::netns::{self, NetNs};
use teu::net::plan::{EndpointPlan, NetworkPlan};
use teu::runtime::launch::Launch;

/// Leaves the test where it cannot be: outside a user namespace, or without a helper. Which of the two there are it is that
/// is used is the caller's PATH to say.
macro_rules! needs_rootless {
    () => {
        let told = std::env::var("TEU_USERNS").ok();
        if !teu::sys::userns::enter(Path::new("/"), told.as_deref()).is_ok_and(|who| who.rootless) {
            return; // The root pass: networks of root are another test's.
        }
        if let Some(why) = lacking() {
            return needs::skip("rootless", &why, module_path!(), line!());
        }
    };
}

fn lacking() -> Option<String> {
    if !teu::net::rootless::available(&std::env::var("PATH").unwrap_or_default()) {
        return Some("neither pasta nor slirp4netns is installed".into());
    }
    let tun = std::fs::File::options().read(true).write(true).open("/dev/net/tun");
    tun.err().map(|e| format!("/dev/net/tun: {e}"))
}

/// Another machine at 198.51.100.2, next to this one at 198.51.100.1, with a server of either protocol on port 7.
struct Outside {
    /// Holds the namespace.
    process: Child,
}

impl Outside {
    fn new() -> Outside {
        let ns = NetNs::create().unwrap();
        let process = ns.enter(|| Command::new("sleep").arg("600").spawn().unwrap()).unwrap();
        let pid = process.id().to_string();
        ip(&["link", "add", "out0", "type", "veth", "peer", "name", "out1", "netns", &pid]);
        for (interface, address) in [("out0", "198.51.100.1/24"), ("out1", "198.51.100.2/24")] {
            let configure = || {
                ip(&["addr", "add", address, "dev", interface]);
                ip(&["link", "set", interface, "up"]);
            };
            if interface == "out0" { configure() } else { ns.enter(configure).unwrap() }
        }
        ip(&["route", "add", "default", "via", "198.51.100.2"]);
        let (tcp, udp) =
            ns.enter(|| (TcpListener::bind("0.0.0.0:7").unwrap(), UdpSocket::bind("0.0.0.0:7").unwrap())).unwrap();
        std::thread::spawn(move || {
            for stream in tcp.incoming() {
                let _ = stream.unwrap().write_all(b"from outside\n");
            }
        });
        std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            while let Ok((count, from)) = udp.recv_from(&mut buffer) {
                udp.send_to(&buffer[..count], from).unwrap();
            }
        });
        Outside { process }
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[track_caller]
fn ip(args: &[&str]) {
    assert!(Command::new("ip").args(args).status().unwrap().success(), "ip {args:?}");
}

fn rootless(dir: &Path, fixture: &Fixture, script: &str, endpoints: Vec<EndpointPlan>) -> Launch {
    let mut launch = attached(dir, fixture, script, endpoints);
    if let NetworkPlan::Attached(plan) = &mut launch.network {
        plan.rootless = true;
    }
    launch.user_namespace = true;
    launch
}

fn helper_pid(dir: &Path) -> Option<i32> {
    std::fs::read_to_string(dir.join("rootless.helper")).ok()?.split_whitespace().next()?.parse().ok()
}

#[test]
fn containers_of_a_user_reach_each_other_and_the_outside() {
    needs_rootless!();
    own_machine();
    let _outside = Outside::new();
    let (one, two) = (Fixture::new(), Fixture::new());
    let dir = one.root.path().join("run/networks");
    let serve = "exec httpd -f -p 80 -h /www";
    let mut launch = rootless(&dir, &one, serve, vec![endpoint(1, 2, &["one"], false)]);
    if let NetworkPlan::Attached(plan) = &mut launch.network {
        plan.ports.push(PublishedPort {
            host_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            host_port: 0,
            container_port: 80,
            protocol: Protocol::Tcp,
        });
    }
    let state = start(&launch);
    assert!(state.warnings.is_empty(), "{:?}", state.warnings);
    let helper = helper_pid(&dir).unwrap();
    let second = start(&rootless(&dir, &two, "exec sleep 600", vec![endpoint(1, 3, &["two"], false)]));
    assert_eq!(helper_pid(&dir), Some(helper), "one helper for all");
    assert_eq!(addresses(&lookup(&two, "a", "one")), ["10.111.1.2"]);
    wait_until("a neighbour is served", || inside(&two, "wget -q -O - http://one/").contains("served").then_some(()));
    assert_eq!(inside(&two, "sleep 1 | nc -w 5 198.51.100.2 7"), "from outside\n");
    let namespace = netns::open(Path::new(&format!("/proc/{}/ns/net", second.pid))).unwrap();
    let socket = netns::enter(namespace.as_fd(), || UdpSocket::bind("0.0.0.0:0").unwrap()).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    socket.send_to(b"there and back", "198.51.100.2:7").unwrap();
    let mut buffer = [0; 64];
    assert_eq!(socket.recv(&mut buffer).unwrap(), 14);
    // The published port, from this machine.
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, state.ports[0].host_port)).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.contains("served"), "{text}");
    // The first to come goes first; the last one takes all with it.
    stop(&one);
    assert_eq!(inside(&two, "sleep 1 | nc -w 5 198.51.100.2 7"), "from outside\n");
    stop(&two);
    assert!(teu::sys::process::start_time(helper).is_none(), "the helper has gone");
    assert_eq!(helper_pid(&dir), None);
    assert!(!dir.join("ns").exists());
}

#[test]
fn what_a_killed_monitor_leaves_is_taken_over() {
    needs_rootless!();
    own_machine();
    let _outside = Outside::new();
    let (one, two) = (Fixture::new(), Fixture::new());
    let dir = one.root.path().join("run/networks");
    let state = start(&rootless(&dir, &one, "exec sleep 600", vec![endpoint(1, 2, &["one"], false)]));
    let helper = helper_pid(&dir).unwrap();
    let kill = |pid: i32| assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    kill(state.monitor_pid);
    kill(state.pid);
    start(&rootless(&dir, &two, "exec sleep 600", vec![endpoint(1, 3, &["two"], false)]));
    assert_eq!(helper_pid(&dir), Some(helper));
    assert_eq!(inside(&two, "sleep 1 | nc -w 5 198.51.100.2 7"), "from outside\n");
    // A helper that was killed is replaced by the next start.
    kill(helper);
    wait_until("it is dead", || teu::sys::process::start_time(helper).is_none().then_some(()));
    let three = Fixture::new();
    start(&rootless(&dir, &three, "exec sleep 600", vec![endpoint(1, 4, &["three"], false)]));
    assert_ne!(helper_pid(&dir), Some(helper));
    assert_eq!(inside(&three, "sleep 1 | nc -w 5 198.51.100.2 7"), "from outside\n");
    stop(&two);
    stop(&three);
    assert!(!dir.join("ns").exists());
}

#[test]
fn without_a_way_out_containers_still_have_each_other() {
    needs_rootless!();
    own_machine(); // No default route: no helper can lead outside.
    let (one, two) = (Fixture::new(), Fixture::new());
    let dir = one.root.path().join("run/networks");
    let state = start(&rootless(&dir, &one, "exec sleep 600", vec![endpoint(1, 2, &["one"], false)]));
    start(&rootless(&dir, &two, "exec sleep 600", vec![endpoint(1, 3, &["two"], false)]));
    assert_eq!(addresses(&lookup(&two, "a", "one")), ["10.111.1.2"]);
    let text = state.warnings.join("\n");
    assert!(text.contains("nothing outside can be reached") || helper_pid(&dir).is_some(), "{text}");
    stop(&one);
    stop(&two);
}
