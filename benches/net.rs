//! Networks: throughput to a container over its bridge and through a published port, beside a veth pair made by hand in
//! the same run, plain and with its port redirected by hand (what the kernel's address translation takes of it); what
//! attaching a container with a port costs; how long a name takes.
//!
//! `cargo bench --bench net [-- ROUNDS]`; needs root, iproute2 and nft. All traffic stays in network namespaces of its own.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Root, median};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use teu::model::network::{Driver, Endpoint, Protocol, PublishedPort};
use teu::net::attach::up;
use teu::net::members;
use teu::net::netns::{self, NetNs};
use teu::net::plan::{Attachments, EndpointPlan};
use teu::net::redirect;
use teu::sys::{clone, loopback};

const MEASURE: Duration = Duration::from_millis(250);
const BLOCK: usize = 128 * 1024;

fn main() {
    let rounds: usize = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(5);
    clone::unshare(clone::NEWNET).expect("a network namespace: this bench needs root");
    loopback::up().unwrap();
    throughput(rounds);
    attaching();
    names();
}

/// Runs take turns, and change places each round: what else the machine does meets all alike.
fn throughput(rounds: usize) {
    let by_hand = NetNs::create().unwrap();
    let pid = std::process::id();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&by_hand.as_fd());
    ip(&format!("ip link add hand0 type veth peer name hand1 netns /proc/{pid}/fd/{fd}"));
    ip("ip addr add 10.76.0.1/24 dev hand0; ip link set hand0 up");
    by_hand.enter(|| ip("ip addr add 10.76.0.2/24 dev hand1; ip link set hand1 up")).unwrap();
    redirect_by_hand();
    let mut attachments = plan(1, 8080);
    attachments.ports.extend(plan(1, 8081).ports.into_iter().map(|p| PublishedPort { container_port: 81, ..p }));
    let container = up(&attachments, NetNs::create().unwrap(), None, &Vec::new).unwrap();
    // As in every container that asks its monitor for names.
    redirect::resolver(container.ns(), 5300, 5300, false).unwrap();
    unpaced();
    for ns in [&by_hand, container.ns()] {
        ns.enter(unpaced).unwrap();
        serve(ns, 80, |stream, block| matches!(stream.read(block), Ok(count) if count > 0));
        serve(ns, 81, |stream, block| stream.write(block).is_ok());
    }
    let to = |address: [u8; 4], port: u16| SocketAddr::from((address, port));
    let ways = |port: u16| {
        [
            ("veth pair made by hand", to([10, 76, 0, 2], port)),
            ("the same through a port redirected by hand", to([127, 0, 0, 1], 9000 + port)),
            ("container over its bridge", to([10, 77, 0, 2], port)),
            ("published port on 127.0.0.1", to([127, 0, 0, 1], 8000 + port)),
        ]
    };
    for (direction, ways, sends) in [("into it", ways(80), true), ("out of it", ways(81), false)] {
        let mut figures = [const { Vec::new() }; 4];
        for round in 0..rounds * 8 {
            for place in 0..ways.len() {
                let way = (place + round) % ways.len();
                figures[way].push(gigabits(ways[way].1, sends));
            }
        }
        let base = median(&figures[0]);
        for ((name, _), figures) in ways.iter().zip(&figures) {
            let percent = median(figures) / base * 100.0;
            println!("{direction}: {name}: {:.1} Gbit/s, {percent:.0} % of the pair by hand", median(figures));
        }
    }
    assert!(container.down().is_empty());
}

/// The least that takes a connection from this machine's loopback address to the other end of the pair.
fn redirect_by_hand() {
    std::fs::write("/proc/sys/net/ipv4/conf/hand0/route_localnet", "1").unwrap();
    let dnat = |from: u16, to: u16| format!("ip daddr 127.0.0.1 tcp dport {from} dnat to 10.76.0.2:{to};");
    ip(&format!(
        "nft 'table ip hand {{ \
            chain out {{ type nat hook output priority -100; {} {} }}; \
            chain post {{ type nat hook postrouting priority 100; oifname hand0 ip saddr 127.0.0.1 masquerade; }}; }}'",
        dnat(9080, 80),
        dnat(9081, 81)
    ));
}

/// TCP sends as fast as it can: what paces itself hides what a way costs.
fn unpaced() {
    std::fs::write("/proc/sys/net/ipv4/tcp_congestion_control", "reno").unwrap();
}

/// Does that with each connection until it is false.
fn serve(ns: &NetNs, port: u16, each: fn(&mut TcpStream, &mut [u8]) -> bool) {
    let listener = ns.enter(|| TcpListener::bind(("0.0.0.0", port)).unwrap()).unwrap();
    std::thread::spawn(move || {
        let mut block = vec![7; BLOCK];
        for mut stream in listener.incoming().flatten() {
            while each(&mut stream, &mut block) {}
        }
    });
}

fn gigabits(to: SocketAddr, sends: bool) -> f64 {
    let mut stream = TcpStream::connect(to).unwrap();
    let mut block = vec![7; BLOCK];
    let (start, mut moved) = (Instant::now(), 0);
    while start.elapsed() < MEASURE {
        moved += if sends { stream.write(&block).unwrap() } else { stream.read(&mut block).unwrap() };
    }
    moved as f64 * 8.0 / start.elapsed().as_secs_f64() / 1e9
}

/// A container asks its monitor for its neighbours, of whom there are 250.
fn names() {
    const QUESTIONS: u16 = 20_000;
    let root = Root::new("net");
    root.teu(&["image", "from-host"]);
    root.teu(&["network", "create", "bench"]);
    root.teu(&["run", "-d", "--name", "asks", "--network", "bench", "localhost/starter", "sleep", "1000"]);
    let id = root.teu(&["network", "inspect", "--format", "{{.Id}}", "bench"]);
    for n in 2..252 {
        let mut neighbour = plan(1, 0).endpoints.remove(0).endpoint;
        neighbour.network = id.trim().to_owned();
        neighbour.names = vec![format!("name{n}"), "shared".to_owned()];
        members::write(&root.path().join("run/networks"), &format!("member{n}"), &neighbour).unwrap();
    }
    let pid = root.teu(&["inspect", "--format", "{{.State.Pid}}", "asks"]);
    let inside = netns::open(Path::new(&format!("/proc/{}/ns/net", pid.trim()))).unwrap();
    let socket = netns::enter(inside.as_fd(), || UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
    socket.connect("127.0.0.11:53").unwrap();
    let mut answer = [0; 512];
    let mut ask = |n: u16| {
        let start = Instant::now();
        socket.send(&question(n, &format!("name{}", 2 + n % 250))).unwrap();
        let length = socket.recv(&mut answer).unwrap();
        assert!(length > 12 && answer[3] & 0xf == 0 && answer[7] == 1, "{:?}", &answer[..length]);
        start.elapsed().as_secs_f64() * 1e6
    };
    let mut times: Vec<f64> = (0..QUESTIONS).map(&mut ask).collect();
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[times.len() * percent / 100];
    println!("a name among 250: p50 {:.0} us, p99 {:.0} us, most {:.0} us", at(50), at(99), times[times.len() - 1]);
}

/// Asks for the IPv4 address of a name.
fn question(id: u16, name: &str) -> Vec<u8> {
    let mut packet = id.to_be_bytes().to_vec();
    packet.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0, name.len() as u8]);
    packet.extend(name.as_bytes());
    packet.extend([0, 0, 1, 0, 1]);
    packet
}

fn attaching() {
    for already in [0, 100, 500] {
        let others: Vec<_> =
            (0..already).map(|n| up(&plan(1000 + n, 0), NetNs::create().unwrap(), None, &Vec::new).unwrap()).collect();
        let (mut made, mut attached, mut ended) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..50 {
            let start = Instant::now();
            let ns = NetNs::create().unwrap();
            made.push(start.elapsed().as_secs_f64() * 1e3);
            let start = Instant::now();
            let container = up(&plan(2 + n, 0), ns, None, &Vec::new).unwrap();
            attached.push(start.elapsed().as_secs_f64() * 1e3);
            let start = Instant::now();
            let (failures, remains) = container.withdraw();
            ended.push(start.elapsed().as_secs_f64() * 1e3);
            drop(remains);
            assert!(failures.is_empty());
        }
        println!(
            "beside {already} others, p50: namespace {:.2} ms, attach with one port {:.2} ms, take down {:.2} ms",
            median(&made),
            median(&attached),
            median(&ended)
        );
        others.into_iter().for_each(|other| assert!(other.down().is_empty()));
    }
}

/// A container with the address `10.77.N.N` and one published port; 0: any.
fn plan(number: usize, host_port: u16) -> Attachments {
    let (high, low) = ((number + 1) / 200, (number + 1) % 200);
    let port = PublishedPort { host_ip: [127, 0, 0, 1].into(), host_port, container_port: 80, protocol: Protocol::Tcp };
    let endpoint = Endpoint {
        network: "b".repeat(64),
        name: "bench".into(),
        interface: "eth0".into(),
        mac: None,
        v4: Some(format!("10.77.{high}.{low}/16").parse().unwrap()),
        v6: None,
        gateway4: Some([10, 77, 255, 254].into()),
        gateway6: None,
        names: Vec::new(),
    };
    let endpoint = EndpointPlan {
        driver: Driver::Bridge,
        host_interface: "tb0".into(),
        gateways: vec!["10.77.255.254/16".parse().unwrap()],
        internal: false,
        mtu: None,
        masquerade: true,
        isolated: false,
        shared: false,
        priority: 0,
        mode: None,
        endpoint,
    };
    Attachments {
        container: format!("{number:08x}{}", "b".repeat(56)),
        root_tag: "bench".into(),
        dir: "/dev/null/none".into(),
        rootless: false,
        listens: false,
        endpoints: vec![endpoint],
        ports: vec![port],
        resolvers: Vec::new(),
    }
}

fn ip(command: &str) {
    assert!(Command::new("sh").args(["-ec", command]).status().unwrap().success(), "{command}");
}
