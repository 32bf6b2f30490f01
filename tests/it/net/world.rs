//! A host of its own for a test: a thread in a fresh network namespace, with another machine on a wire, and containers.

use crate::support::wait_until;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::Command;
use std::time::Duration;
use teu::model::network::{Driver, Endpoint, Mac, Protocol, PublishedPort};
use teu::net::attach::{Attached, up};
use teu::net::link::{Links, Port, Veth};
use teu::net::netns::NetNs;
use teu::net::plan::{Attachments, EndpointPlan};
use teu::sys::{clone, loopback};

/// The host's and the other machine's addresses on the wire between them.
pub const HOST: &str = "198.51.100.1";
pub const HOST6: &str = "2001:db8::1";
pub const OUTSIDE: &str = "198.51.100.2";
pub const OUTSIDE6: &str = "2001:db8::2";
/// How long a packet is waited for that must not come.
const NEVER: Duration = Duration::from_millis(400);
const SOON: Duration = Duration::from_secs(10);

pub struct World {
    pub outside: NetNs,
}

/// Runs a test in a host of its own.
pub fn world(test: impl FnOnce(&World) + Send + 'static) {
    let body = move || {
        clone::unshare(clone::NEWNET).unwrap();
        loopback::up().unwrap();
        // Otherwise as the machine's own namespace has it.
        for switch in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
            let _ = std::fs::write(format!("/proc/sys/net/{switch}"), "0");
        }
        let outside = NetNs::create().unwrap();
        wire(&outside);
        test(&World { outside });
    };
    let name = std::thread::current().name().unwrap_or("world").to_owned();
    let thread = std::thread::Builder::new().name(name).spawn(body).unwrap();
    if let Err(failure) = thread.join() {
        std::panic::resume_unwind(failure);
    }
}

fn wire(outside: &NetNs) {
    let mut links = Links::open().unwrap();
    links.add_bridge("lan0", Mac([2, 0, 0, 0, 0, 1]), None).unwrap();
    let lan = links.find("lan0").unwrap().unwrap().index;
    links.set_up(lan, true).unwrap();
    links.add_address(lan, format!("{HOST}/24").parse().unwrap()).unwrap();
    links.add_address(lan, format!("{HOST6}/64").parse().unwrap()).unwrap();
    let pair = Veth {
        name: "lan1",
        bridge: lan,
        mtu: None,
        ns: outside.as_fd(),
        peer: "eth0",
        mac: None,
        port: Port::default(),
    };
    links.add_veth(&pair).unwrap();
    let mut there = outside.enter(Links::open).unwrap().unwrap();
    let eth = there.find("eth0").unwrap().unwrap().index;
    there.set_up(eth, true).unwrap();
    there.add_address(eth, format!("{OUTSIDE}/24").parse().unwrap()).unwrap();
    there.add_address(eth, format!("{OUTSIDE6}/64").parse().unwrap()).unwrap();
    // The other machine sends everything through the host: what must not pass is not saved by a missing route.
    there.set_default_route(eth, HOST.parse().unwrap()).unwrap();
    there.set_default_route(eth, HOST6.parse().unwrap()).unwrap();
}

/// The network `10.77.N.0/24`, `fd77:N::/64`, on the bridge `tbN`.
pub fn endpoint(network: u8, host: u8) -> EndpointPlan {
    EndpointPlan {
        driver: Driver::Bridge,
        host_interface: format!("tb{network}"),
        gateways: vec![
            format!("10.77.{network}.1/24").parse().unwrap(),
            format!("fd77:{network}::1/64").parse().unwrap(),
        ],
        internal: false,
        mtu: None,
        masquerade: true,
        isolated: false,
        shared: false,
        priority: 0,
        mode: None,
        endpoint: Endpoint {
            network: format!("{network:064x}").chars().rev().collect(),
            name: format!("net{network}"),
            interface: String::new(),
            mac: None,
            v4: Some(format!("10.77.{network}.{host}/24").parse().unwrap()),
            v6: Some(format!("fd77:{network}::{host:x}/64").parse().unwrap()),
            gateway4: Some(format!("10.77.{network}.1").parse().unwrap()),
            gateway6: Some(format!("fd77:{network}::1").parse().unwrap()),
            names: Vec::new(),
        },
    }
}

pub fn plan(id: usize, endpoints: Vec<EndpointPlan>, ports: Vec<PublishedPort>) -> Attachments {
    Attachments {
        container: container_id(id),
        root_tag: "7e57".into(),
        dir: "/dev/null/none".into(),
        rootless: false,
        listens: false,
        endpoints,
        ports,
        resolvers: Vec::new(),
    }
}

pub fn container_id(id: usize) -> String {
    format!("{id:08x}{}", "c".repeat(56))
}

pub fn start(id: usize, endpoints: Vec<EndpointPlan>, ports: Vec<PublishedPort>) -> Attached {
    up(&plan(id, endpoints, ports), NetNs::create().unwrap(), None, &Vec::new).unwrap()
}

/// As [`start`], when its ports were held until now: a process another test is just starting may still have them open.
pub fn start_when_free(id: usize, endpoints: Vec<EndpointPlan>, ports: Vec<PublishedPort>) -> Attached {
    let plan = plan(id, endpoints, ports);
    wait_until("the ports are free", || up(&plan, NetNs::create().unwrap(), None, &Vec::new).ok())
}

pub fn tcp(host_ip: &str, host_port: u16, container_port: u16) -> PublishedPort {
    PublishedPort { host_ip: host_ip.parse().unwrap(), host_port, container_port, protocol: Protocol::Tcp }
}

pub fn udp(host_ip: &str, host_port: u16, container_port: u16) -> PublishedPort {
    PublishedPort { protocol: Protocol::Udp, ..tcp(host_ip, host_port, container_port) }
}

fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), port)
}

/// Answers on that port, TCP and UDP, both families, with its name and whom it sees, until the test ends.
pub fn serve(ns: &NetNs, name: &'static str, port: u16) {
    // An IPv6 socket takes IPv4 too, as mapped addresses.
    let bind = || (TcpListener::bind(at("::", port)).unwrap(), UdpSocket::bind(at("::", port)).unwrap());
    let (listener, datagrams) = ns.enter(bind).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let peer = stream.peer_addr().map(|a| a.ip().to_canonical().to_string()).unwrap_or_default();
            let _ = (&stream).write_all(format!("{name} sees {peer}").as_bytes());
        }
    });
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok((_, from)) = datagrams.recv_from(&mut buffer) {
            let text = format!("{name} sees {}", from.ip().to_canonical());
            let _ = datagrams.send_to(text.as_bytes(), from);
        }
    });
}

/// What a server there says over TCP; `None` in place of a namespace: from the host.
pub fn ask(from: Option<&NetNs>, ip: &str, port: u16) -> Result<String, String> {
    // While very many interfaces are made and removed, the kernel is late to tell IPv6 that one is ready: then nobody answers
    // for an address within the three seconds it is looked for.
    let mut answer = ask_for(from, ip, port, SOON);
    for _ in 0..3 {
        match &answer {
            Err(text) if text.contains("No route to host") => answer = ask_for(from, ip, port, SOON),
            _ => break,
        }
    }
    answer
}

fn ask_for(from: Option<&NetNs>, ip: &str, port: u16, patience: Duration) -> Result<String, String> {
    let connect = || TcpStream::connect_timeout(&at(ip, port), patience);
    let stream = match from {
        Some(ns) => ns.enter(connect).unwrap(),
        None => connect(),
    };
    let mut stream = stream.map_err(|e| e.to_string())?;
    stream.set_read_timeout(Some(patience)).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(|e| e.to_string())?;
    Ok(text)
}

/// What a server there says over UDP.
pub fn ask_udp(from: Option<&NetNs>, ip: &str, port: u16) -> Result<String, String> {
    let any = if ip.parse::<IpAddr>().unwrap().is_ipv4() { "0.0.0.0" } else { "::" };
    let bind = || UdpSocket::bind(at(any, 0)).unwrap();
    let socket = match from {
        Some(ns) => ns.enter(bind).unwrap(),
        None => bind(),
    };
    socket.connect(at(ip, port)).map_err(|e| e.to_string())?;
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket.send(b"?").map_err(|e| e.to_string())?;
    let mut buffer = [0; 64];
    let length = socket.recv(&mut buffer).map_err(|e| e.to_string())?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// No connection comes about.
pub fn silence(from: Option<&NetNs>, ip: &str, port: u16) {
    let answer = ask_for(from, ip, port, NEVER);
    assert!(answer.is_err(), "{ip}:{port} answered: {answer:?}");
}

/// What a command prints, run where this thread is.
pub fn output(command: &str) -> String {
    let out = Command::new("sh").args(["-ec", command]).output().unwrap();
    assert!(out.status.success(), "{command}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// All rules, without those of teu's table of the tests.
pub fn foreign_rules() -> String {
    let all = output("nft list ruleset");
    let mut kept = String::new();
    let mut ours = false;
    for line in all.lines() {
        ours |= line.starts_with("table inet teu-7e57 ");
        if !ours {
            kept.push_str(line);
            kept.push('\n');
        }
        ours &= line != "}";
    }
    kept
}
