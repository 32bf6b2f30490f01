//! The resolver on real sockets: a namespace plays the host (with a resolver of its own), another one the container.

use super::*;
use crate::net::dns::ADDRESS;
use crate::net::members;
use crate::net::netns;
use crate::sys::clone;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A resolver in a loop like the monitor's, ended when dropped.
struct Place {
    container: Arc<NetNs>,
    dir: tempfile::TempDir,
    stop: Arc<AtomicBool>,
    worker: Option<std::thread::JoinHandle<u32>>,
}

impl Place {
    /// `None`: not the rights to make namespaces.
    fn new(outside: bool) -> Option<Place> {
        let dir = tempfile::tempdir().unwrap();
        let (path, stop) = (dir.path().to_owned(), Arc::new(AtomicBool::new(false)));
        let container = Arc::new(NetNs::create().ok()?);
        let (theirs, stopped) = (container.clone(), stop.clone());
        let (tell, told) = std::sync::mpsc::channel();
        let worker = std::thread::spawn(move || {
            clone::unshare(clone::NEWNET).unwrap();
            crate::sys::loopback::up().unwrap();
            // There before anybody asks.
            let (udp, tcp) = (UdpSocket::bind("127.0.0.53:53").unwrap(), TcpListener::bind("127.0.0.53:53").unwrap());
            std::thread::spawn(move || fake_udp(&udp));
            std::thread::spawn(move || fake_tcp(&tcp));
            let epoll = Epoll::new().unwrap();
            let mut resolver = Resolver::open(&theirs, 4 << 40, &epoll).unwrap();
            resolver.set_networks(vec![Members::new(&path, "n1", "blue")], outside);
            resolver.set_resolvers(vec!["127.0.0.52".parse().unwrap(), "127.0.0.53".parse().unwrap()]);
            tell.send(()).unwrap();
            let (mut ready, mut turns) = (Vec::new(), 0);
            while !stopped.load(Ordering::Relaxed) {
                epoll.wait(&mut ready, Some(Duration::from_millis(20))).unwrap();
                let now = Instant::now();
                turns += u32::from(!ready.is_empty());
                for event in ready.drain(..) {
                    resolver.ready(event.token & ((1 << 40) - 1), event, now, &epoll);
                }
                resolver.on_time(now, &epoll);
            }
            turns
        });
        told.recv().unwrap();
        Some(Place { container, dir, stop, worker: Some(worker) })
    }

    fn member(&self, id: &str, names: &[&str], v4: &str) {
        members::write(self.dir.path(), id, &dns::tests::endpoint("n1", names, Some(v4), None)).unwrap();
    }

    fn udp(&self) -> UdpSocket {
        let open = || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect((ADDRESS, 53)).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
            socket
        };
        self.container.enter(open).unwrap()
    }

    fn tcp(&self) -> TcpStream {
        let stream = self.container.enter(|| TcpStream::connect((ADDRESS, 53)).unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    fn ask(&self, name: &str, kind: RecordType) -> Message {
        let socket = self.udp();
        let mut packet = [0; 4096];
        // A datagram may be lost when the machine is busy: as any client, ask again.
        for _ in 0..5 {
            socket.send(&query(7, name, kind)).unwrap();
            if let Ok(count) = socket.recv(&mut packet) {
                return Message::from_vec(&packet[..count]).unwrap();
            }
        }
        panic!("no answer about {name}");
    }

    /// Ends the loop; how often it woke up for something.
    fn end(mut self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        self.worker.take().unwrap().join().unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn query(id: u16, name: &str, kind: RecordType) -> Vec<u8> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message.to_vec().unwrap()
}

/// What the fake resolver says: one address for `known.`, long texts by TCP only, else that there is no such name.
fn fake(packet: &[u8], by_tcp: bool) -> Vec<u8> {
    let mut message = Message::from_vec(packet).unwrap().into_response();
    let name = message.queries[0].name().clone();
    match name.to_ascii().as_str() {
        "known." => drop(message.add_answer(Record::from_rdata(name, 9, RData::A(A([9, 9, 9, 9].into()))))),
        "long." if by_tcp => {
            let text = || Record::from_rdata(name.clone(), 9, RData::TXT(TXT::new(vec!["x".repeat(250)])));
            message.add_answers((0..20).map(|_| text()));
        }
        "long." => message.metadata.truncation = true,
        _ => message.metadata.response_code = ResponseCode::NXDomain,
    }
    message.to_vec().unwrap()
}

fn fake_udp(socket: &UdpSocket) {
    let mut packet = [0; 4096];
    while let Ok((count, from)) = socket.recv_from(&mut packet) {
        if packet[..count].windows(7).any(|w| w == b"\x06silent") {
            continue;
        }
        socket.send_to(&fake(&packet[..count], false), from).unwrap();
    }
}

fn fake_tcp(listener: &TcpListener) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let packet = receive(&mut stream);
        send(&mut stream, &fake(&packet, true));
    }
}

fn send(stream: &mut TcpStream, packet: &[u8]) {
    stream.write_all(&[&(packet.len() as u16).to_be_bytes(), packet].concat()).unwrap();
}

fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    let mut packet = vec![0; usize::from(u16::from_be_bytes(head))];
    stream.read_exact(&mut packet).unwrap();
    packet
}

fn texts(message: &Message) -> Vec<String> {
    message.answers.iter().map(|r| r.data.to_string()).collect()
}

macro_rules! place {
    ($outside:expr) => {
        match Place::new($outside) {
            Some(place) => place,
            None => return eprintln!("SKIP: no right to make network namespaces"),
        }
    };
}

#[test]
fn names_come_and_go_with_their_containers() {
    let place = place!(true);
    assert_eq!(place.ask("web.", RecordType::A).response_code, ResponseCode::NXDomain);
    place.member("c1", &["one", "web"], "10.0.0.2/24");
    place.member("c2", &["two", "web"], "10.0.0.3/24");
    assert_eq!(texts(&place.ask("one.", RecordType::A)), ["10.0.0.2"]);
    assert_eq!(texts(&place.ask("one.", RecordType::AAAA)), [""; 0]);
    let first: std::collections::BTreeSet<String> =
        (0..8).map(|_| texts(&place.ask("web.", RecordType::A))[0].clone()).collect();
    assert_eq!(first.len(), 2, "{first:?}");
    members::remove(place.dir.path(), "c1", "n1");
    assert_eq!(place.ask("one.", RecordType::A).response_code, ResponseCode::NXDomain);
    assert_eq!(texts(&place.ask("web.", RecordType::A)), ["10.0.0.3"]);
}

#[test]
fn other_names_are_asked_outside_by_both_ways() {
    let place = place!(true);
    // The first resolver refuses connections: the second one is asked.
    assert_eq!(texts(&place.ask("known.", RecordType::A)), ["9.9.9.9"]);
    assert_eq!(place.ask("nobody.", RecordType::A).response_code, ResponseCode::NXDomain);
    assert!(place.ask("long.", RecordType::TXT).truncation);
    let mut stream = place.tcp();
    send(&mut stream, &query(8, "long.", RecordType::TXT));
    let long = receive(&mut stream);
    assert!(long.len() > 5000);
    let long = Message::from_vec(&long).unwrap();
    assert_eq!((long.id, long.answers.len(), long.truncation), (8, 20, false));
    // Many at once, in any order.
    for id in 0..100 {
        let name = if id % 2 == 0 { "known." } else { "nobody." };
        send(&mut stream, &query(id, name, RecordType::A));
    }
    let mut ids: Vec<u16> = (0..100).map(|_| Message::from_vec(&receive(&mut stream)).unwrap().id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..100).collect::<Vec<u16>>());
}

#[test]
fn cve_2024_29018_an_internal_network_asks_nobody() {
    let place = place!(false);
    place.member("c1", &["one"], "10.0.0.2/24");
    assert_eq!(texts(&place.ask("one.", RecordType::A)), ["10.0.0.2"]);
    assert_eq!(place.ask("known.", RecordType::A).response_code, ResponseCode::NXDomain);
}

#[test]
fn a_client_that_leaves_in_the_middle_costs_nothing() {
    let place = place!(true);
    for cut in [0, 1, 2, 5] {
        let whole = query(1, "one.", RecordType::A);
        let framed = [&(whole.len() as u16).to_be_bytes()[..], &whole].concat();
        let mut stream = place.tcp();
        stream.write_all(&framed[..cut]).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        // It is closed, without an answer.
        assert_eq!(stream.read(&mut [0; 10]).unwrap(), 0, "{cut}");
    }
    // One that says it is longer than any query.
    let mut stream = place.tcp();
    stream.write_all(&[0xff, 0xff, 0]).unwrap();
    assert!(matches!(stream.read(&mut [0; 10]), Ok(0) | Err(_)));
    // One that has asked, said its last word, and waits for an answer from outside that takes its time.
    let mut stream = place.tcp();
    send(&mut stream, &query(3, "known.", RecordType::A));
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(Message::from_vec(&receive(&mut stream)).unwrap().id, 3);
    assert_eq!(stream.read(&mut [0; 10]).unwrap(), 0);
    // More connections than there may be: the oldest go, new ones are served.
    let mut many: Vec<TcpStream> = (0..MAX_STREAMS + 8).map(|_| place.tcp()).collect();
    let last = many.last_mut().unwrap();
    send(last, &query(4, "nobody.", RecordType::A));
    assert_eq!(Message::from_vec(&receive(last)).unwrap().id, 4);
    // The loop slept meanwhile: each wake-up had a reason.
    std::thread::sleep(Duration::from_millis(200));
    let turns = place.end();
    assert!(turns < 400, "{turns} wake-ups");
}

#[test]
fn garbage_is_survived() {
    let place = place!(true);
    place.member("c1", &["one"], "10.0.0.2/24");
    let socket = place.udp();
    let mut seed: u32 = 1;
    for length in 0..300 {
        let garbage: Vec<u8> = (0..length)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            })
            .collect();
        let _ = socket.send(&garbage);
    }
    assert_eq!(texts(&place.ask("one.", RecordType::A)), ["10.0.0.2"]);
    let _ = netns::current();
}
