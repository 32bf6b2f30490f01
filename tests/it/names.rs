//! Names of containers as their monitors serve them: real containers, a namespace of the test's own as host.

use crate::monitor::{Fixture, program, run};
use crate::needs;
use crate::support::wait_until;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use teu::model::container::{RestartPolicy, State};
use teu::model::network::{Driver, Endpoint};
use teu::net::plan::{Attachments, EndpointPlan, NetworkPlan};
use teu::runtime::announced::Announced;
use teu::runtime::launch::Launch;
use teu::runtime::protocol::FailureKind;
use teu::runtime::task::{self, Error};
use teu::sys::{clone, loopback};

/// This thread, and what it starts, sees a machine of its own. Names of interfaces cannot collide.
pub fn own_machine() {
    clone::unshare(clone::NEWNET).unwrap();
    loopback::up().unwrap();
}

/// Two networks of one state root: 10.111.NUMBER.0/24.
pub fn endpoint(network: u8, host: u8, names: &[&str], internal: bool) -> EndpointPlan {
    let gateway = Ipv4Addr::new(10, 111, network, 1);
    EndpointPlan {
        driver: Driver::Bridge,
        host_interface: format!("tbtest{network}"),
        gateways: vec![format!("{gateway}/24").parse().unwrap()],
        internal,
        mtu: None,
        masquerade: true,
        isolated: false,
        shared: false,
        priority: 0,
        mode: None,
        endpoint: Endpoint {
            network: format!("{network}").repeat(64),
            name: format!("net{network}"),
            interface: String::new(),
            mac: None,
            v4: Some(format!("10.111.{network}.{host}/24").parse().unwrap()),
            v6: None,
            gateway4: Some(gateway),
            gateway6: None,
            names: names.iter().map(|n| (*n).to_owned()).collect(),
        },
    }
}

/// A container on these networks; `dir` is what they share.
pub fn attached(dir: &Path, fixture: &Fixture, script: &str, endpoints: Vec<EndpointPlan>) -> Launch {
    std::fs::write(fixture.rootfs().join("etc/resolv.conf"), "nameserver 127.0.0.11\noptions ndots:0\n").unwrap();
    std::fs::create_dir_all(fixture.rootfs().join("www")).unwrap();
    std::fs::write(fixture.rootfs().join("www/index.html"), "served\n").unwrap();
    let launch = fixture.launch(script);
    // What a bundle gives every container.
    let own: Vec<String> =
        endpoints.iter().filter_map(|e| Some(format!("{}\tbox\n", e.endpoint.v4?.address))).collect();
    std::fs::write(launch.dir.join("hostname"), "box\n").unwrap();
    std::fs::write(launch.dir.join("hosts"), format!("127.0.0.1\tlocalhost\n{}", own.concat())).unwrap();
    let plan = Attachments {
        container: fixture.id.clone(),
        root_tag: "names".into(),
        dir: dir.to_owned(),
        rootless: false,
        listens: false,
        endpoints,
        ports: Vec::new(),
        resolvers: vec!["127.0.0.53".parse().unwrap()],
    };
    Launch { network: NetworkPlan::Attached(Box::new(plan)), ..launch }
}

pub fn start(launch: &Launch) -> State {
    // The monitor finds helpers where the test would.
    let environment = [("PATH".into(), std::env::var_os("PATH").unwrap_or_default())];
    run(async { task::begin(program(), &environment, Announced::default()).unwrap().launch(launch, None).await })
        .unwrap();
    teu::runtime::state::read(&launch.dir, &launch.run_dir).unwrap()
}

pub fn stop(fixture: &Fixture) {
    run(fixture.task().stop(Some(9), 0)).unwrap();
    fixture.wait_over();
}

/// Runs a script in a container: what it says.
pub fn inside(fixture: &Fixture, script: &str) -> String {
    run(async {
        let spec = crate::monitor::exec_spec(script, false);
        let started = fixture.task().exec(spec).await;
        let ended = || format!("{:?} {:?}", fixture.state(), fixture.log_lines());
        let mut session = started.unwrap_or_else(|e| panic!("{e}: {}", ended())).unwrap();
        session.writer.eof().await.unwrap();
        let (out, err, _) = crate::monitor::finish(&mut session).await;
        out + &err
    })
}

pub fn lookup(fixture: &Fixture, kind: &str, name: &str) -> String {
    inside(fixture, &format!("nslookup -type={kind} {name} 127.0.0.11"))
}

/// Addresses that an answer of nslookup shows, without the server's.
pub fn addresses(answer: &str) -> Vec<String> {
    let part = answer.split("\n\n").skip(1).collect::<Vec<_>>().join("\n");
    let lines = part.lines().filter_map(|l| l.strip_prefix("Address: ").or_else(|| l.strip_prefix("Address 1: ")));
    lines.map(|l| l.trim().to_owned()).collect()
}

/// A resolver at 127.0.0.53 that knows one name, by UDP and TCP; counts what it is asked.
pub fn resolver() -> Arc<AtomicU32> {
    let asked = Arc::new(AtomicU32::new(0));
    let answer = |packet: &[u8]| {
        let mut answer = packet.to_vec();
        answer[2] |= 0x80;
        let known = packet.windows(8).any(|w| w == b"\x07outside");
        if known && packet[packet.len() - 3] == 1 {
            answer[7] = 1;
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 99]);
        } else if !known {
            answer[3] |= 3;
        }
        answer
    };
    let udp = UdpSocket::bind("127.0.0.53:53").unwrap();
    let tcp = TcpListener::bind("127.0.0.53:53").unwrap();
    let count = asked.clone();
    std::thread::spawn(move || {
        let mut packet = [0; 4096];
        while let Ok((length, from)) = udp.recv_from(&mut packet) {
            count.fetch_add(1, Ordering::Relaxed);
            udp.send_to(&answer(&packet[..length]), from).unwrap();
        }
    });
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in tcp.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 2];
            stream.read_exact(&mut head).unwrap();
            let mut packet = vec![0; usize::from(u16::from_be_bytes(head))];
            stream.read_exact(&mut packet).unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            let answer = answer(&packet);
            stream.write_all(&[&(answer.len() as u16).to_be_bytes()[..], &answer].concat()).unwrap();
        }
    });
    asked
}

#[test]
fn containers_find_each_other_and_the_outside() {
    needs!(Root);
    own_machine();
    let asked = resolver();
    let (one, two) = (Fixture::new(), Fixture::new());
    let dir = one.root.path().join("run/networks");
    let launch = attached(&dir, &one, "exec sleep 600", vec![endpoint(1, 2, &["one", "web"], false)]);
    let state = start(&launch);
    assert_eq!(state.endpoints[0].interface, "eth0");
    let serve = "exec httpd -f -p 80 -h /www";
    let launch = attached(&dir, &two, serve, vec![endpoint(1, 3, &["two", "web"], false)]);
    start(&launch);
    assert_eq!(addresses(&lookup(&one, "a", "two")), ["10.111.1.3"]);
    assert_eq!(addresses(&lookup(&two, "a", "one")), ["10.111.1.2"]);
    assert_eq!(addresses(&lookup(&two, "a", "one.net1")), ["10.111.1.2"]);
    let firsts: std::collections::BTreeSet<String> =
        (0..6).map(|_| addresses(&lookup(&one, "a", "web"))[0].clone()).collect();
    assert_eq!(firsts.len(), 2, "{firsts:?}");
    let none = lookup(&one, "aaaa", "two");
    assert!(addresses(&none).is_empty() && !none.contains("NXDOMAIN"), "{none}");
    assert!(lookup(&one, "a", "three").contains("NXDOMAIN"));
    assert!(lookup(&one, "ptr", "3.1.111.10.in-addr.arpa").contains("two.net1"));
    wait_until("the server serves", || inside(&one, "wget -q -O - http://two/").contains("served").then_some(()));
    // The outside, by the resolver of the test's machine.
    let before = asked.load(Ordering::Relaxed);
    assert_eq!(addresses(&lookup(&one, "a", "outside")), ["192.0.2.99"]);
    assert_eq!(asked.load(Ordering::Relaxed), before + 1);
    // Whoever leaves is forgotten.
    stop(&two);
    assert!(lookup(&one, "a", "two").contains("NXDOMAIN"));
    assert_eq!(addresses(&lookup(&one, "a", "web")), ["10.111.1.2"]);
    stop(&one);
    assert!(!dir.join("1".repeat(64)).exists());
}

#[test]
fn an_internal_network_asks_nobody_and_port_53_is_the_containers_own() {
    needs!(Root);
    own_machine();
    let asked = resolver();
    let (one, two) = (Fixture::new(), Fixture::new());
    let dir = one.root.path().join("run/networks");
    let own = vec![endpoint(1, 2, &["one"], true)];
    let state = start(&attached(&dir, &one, "exec nc -ll -p 53 -e cat", own));
    start(&attached(&dir, &two, "exec sleep 600", vec![endpoint(1, 3, &["two"], true)]));
    assert!(lookup(&two, "a", "outside").contains("NXDOMAIN"));
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    assert_eq!(addresses(&lookup(&two, "a", "one")), ["10.111.1.2"]);
    // Its own servers listen on all addresses, and its names still work.
    let namespace = teu::net::netns::open(Path::new(&format!("/proc/{}/ns/net", state.pid))).unwrap();
    let own = teu::net::netns::enter(namespace.as_fd(), || UdpSocket::bind("0.0.0.0:53").unwrap()).unwrap();
    wait_until("it answers", || (inside(&two, "echo own | nc -w 2 10.111.1.2 53") == "own\n").then_some(()));
    assert_eq!(addresses(&lookup(&one, "a", "two")), ["10.111.1.3"]);
    drop(own);
    stop(&one);
    stop(&two);
}

/// Asks for the address of a name, as a client of the namespace.
fn ask(namespace: &impl AsFd, name: &str, tcp: bool) -> std::io::Result<Ipv4Addr> {
    let head = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let question = [&head, &[name.len() as u8][..], name.as_bytes(), &[0, 0, 1, 0, 1]].concat();
    let patience = Some(std::time::Duration::from_secs(5));
    let mut answer = vec![0; 512];
    teu::net::netns::enter(namespace.as_fd(), || {
        let length = if tcp {
            let mut stream = TcpStream::connect("127.0.0.11:53")?;
            stream.set_read_timeout(patience)?;
            stream.write_all(&[&(question.len() as u16).to_be_bytes(), &question[..]].concat())?;
            let mut head = [0; 2];
            stream.read_exact(&mut head)?;
            let length = usize::from(u16::from_be_bytes(head));
            stream.read_exact(&mut answer[..length])?;
            length
        } else {
            let socket = UdpSocket::bind("0.0.0.0:0")?;
            socket.set_read_timeout(patience)?;
            socket.connect("127.0.0.11:53")?;
            socket.send(&question)?;
            socket.recv(&mut answer)?
        };
        let last: [u8; 4] = answer[length - 4..length].try_into().unwrap();
        Ok(Ipv4Addr::from(last))
    })
    .unwrap()
}

/// Translation would have the kernel track every packet of the container. What tracks all the same, as the container's own
/// rules may, sees connections that are whole.
#[test]
fn names_have_no_connection_tracked_and_bear_it() {
    needs!(Root, Nft);
    own_machine();
    let (one, two) = (Fixture::new(), Fixture::new());
    let dir = one.root.path().join("run/networks");
    let state = start(&attached(&dir, &one, "exec sleep 600", vec![endpoint(1, 2, &["one"], false)]));
    start(&attached(&dir, &two, "exec sleep 600", vec![endpoint(1, 3, &["two"], false)]));
    let namespace = teu::net::netns::open(Path::new(&format!("/proc/{}/ns/net", state.pid))).unwrap();
    let nft = |rules: &str| {
        let told = teu::net::netns::enter(namespace.as_fd(), || Command::new("nft").arg(rules).output().unwrap());
        let told = told.unwrap();
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        String::from_utf8(told.stdout).unwrap()
    };
    let tracked = || {
        let count = || std::fs::read_to_string("/proc/thread-self/net/stat/nf_conntrack").unwrap();
        let text = teu::net::netns::enter(namespace.as_fd(), count).unwrap();
        let entries = text.lines().nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        u32::from_str_radix(&entries, 16).unwrap()
    };
    let two = Ipv4Addr::new(10, 111, 1, 3);
    for tcp in [false, true] {
        assert_eq!(ask(&namespace, "two", tcp).unwrap(), two);
    }
    assert_eq!(tracked(), 0);
    let drop_invalid =
        |hook: &str| format!("chain {hook} {{ type filter hook {hook} priority 0; ct state invalid drop; }};");
    nft(&format!("table inet own {{ {} {} }}", drop_invalid("input"), drop_invalid("output")));
    for tcp in [false, true] {
        assert_eq!(ask(&namespace, "two", tcp).unwrap(), two);
    }
    assert_eq!(tracked(), 2, "{}", nft("list ruleset"));
}

#[test]
fn a_restart_keeps_the_namespace_and_another_may_share_it() {
    needs!(Root);
    own_machine();
    let (one, guest) = (Fixture::new(), Fixture::new());
    let dir = one.root.path().join("run/networks");
    let endpoints = vec![endpoint(1, 2, &["one"], false)];
    let launch = attached(&dir, &one, "readlink /proc/self/ns/net; exec sleep 600", endpoints);
    let state = start(&Launch { restart: RestartPolicy::Always, ..launch });
    let join = |pid_start| NetworkPlan::Join { container: "one".into(), pid: state.pid, pid_start };
    let script = "readlink /proc/self/ns/net; nslookup one 127.0.0.11";
    match run(task::spawn(program(), &Launch { network: join(1), ..guest.launch(script) }, None)) {
        Err(Error::Failed(failure)) => assert_eq!(failure.kind, FailureKind::Conflict, "{failure:?}"),
        other => panic!("{other:?}"),
    }
    let launch = Launch { network: join(state.pid_start), ..guest.launch(script) };
    start(&launch);
    guest.wait_over();
    let said = guest.log_lines();
    assert_eq!(said[0], one.log_lines()[0]);
    assert!(said.join("\n").contains("10.111.1.2"), "{said:?}");
    // Behind teu's back: whoever kills it by hand does not want it again.
    teu::sys::process::kill(state.pid, 9).unwrap();
    wait_until("it has started again", || (one.log_lines().len() == 2).then_some(()));
    let lines = one.log_lines();
    assert_eq!(lines[0], lines[1]);
    assert_eq!(one.state().endpoints, state.endpoints);
    assert_eq!(addresses(&lookup(&one, "a", "one")), ["10.111.1.2"]);
    stop(&one);
    assert!(one.state().endpoints.is_empty());
}

#[test]
fn a_new_name_reaches_the_neighbours_at_once() {
    needs!(Root);
    own_machine();
    let _resolver = resolver();
    let (one, two) = (Fixture::new(), Fixture::new());
    let dir = one.root.path().join("run/networks");
    let idle = "exec sleep 600";
    let launch = attached(&dir, &one, idle, vec![endpoint(1, 2, &["old", "api"], false)]);
    let hosts = launch.dir.join("hosts");
    std::fs::write(&hosts, "127.0.0.1\tlocalhost\n10.111.1.2\tbox old api\n").unwrap();
    start(&launch);
    start(&attached(&dir, &two, idle, vec![endpoint(1, 3, &["two"], false)]));
    assert_eq!(addresses(&lookup(&two, "a", "old")), ["10.111.1.2"]);
    let names = [("1".repeat(64), vec!["new".to_owned(), "api".to_owned()])].into();
    run(one.task().rename("new", names)).unwrap();
    assert_eq!(addresses(&lookup(&two, "a", "new")), ["10.111.1.2"]);
    assert!(lookup(&two, "a", "old").contains("NXDOMAIN"));
    assert!(lookup(&two, "ptr", "2.1.111.10.in-addr.arpa").contains("new.net1"));
    assert_eq!(addresses(&lookup(&one, "a", "new")), ["10.111.1.2"]);
    assert_eq!(std::fs::read_to_string(hosts).unwrap(), "127.0.0.1\tlocalhost\n10.111.1.2\tbox api new\n");
    assert_eq!(one.state().endpoints[0].names, ["new", "api"]);
    stop(&one);
    stop(&two);
}
