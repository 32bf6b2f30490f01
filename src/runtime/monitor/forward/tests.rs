//! Ports forwarded on real sockets: a namespace plays the container, its server speaks first and last.

use super::*;
use crate::net::netns::NetNs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const INSIDE: u16 = 7000;

/// A forwarder in a loop like the monitor's.
struct Place {
    container: Arc<NetNs>,
    outside: SocketAddr,
    stop: Arc<AtomicBool>,
    worker: Option<std::thread::JoinHandle<(u32, usize)>>,
}

impl Place {
    fn new(protocol: Protocol) -> Option<Place> {
        Place::on(protocol, Ipv4Addr::LOCALHOST)
    }

    fn on(protocol: Protocol, address: Ipv4Addr) -> Option<Place> {
        let container = Arc::new(NetNs::create().ok()?);
        let stop = Arc::new(AtomicBool::new(false));
        let (listener, socket) = (TcpListener::bind((address, 0)).unwrap(), UdpSocket::bind((address, 0)).unwrap());
        listener.set_nonblocking(true).unwrap();
        socket.set_nonblocking(true).unwrap();
        let outside = match protocol {
            Protocol::Tcp => listener.local_addr().unwrap(),
            Protocol::Udp => socket.local_addr().unwrap(),
        };
        let (theirs, stopped) = (container.clone(), stop.clone());
        let worker = std::thread::spawn(move || {
            let epoll = Epoll::new().unwrap();
            let mut forwarder = Forwarder::new(5 << 40);
            let port =
                PublishedPort { host_ip: outside.ip(), host_port: outside.port(), container_port: INSIDE, protocol };
            let fd = if protocol == Protocol::Tcp { listener.as_fd() } else { socket.as_fd() };
            forwarder.open(&port, Some((Ipv4Addr::LOCALHOST, INSIDE).into()), fd, &epoll).unwrap();
            let (mut ready, mut turns, mut buffer) = (Vec::new(), 0, vec![0; 64 << 10]);
            while !stopped.load(Ordering::Relaxed) {
                epoll.wait(&mut ready, Some(Duration::from_millis(20))).unwrap();
                turns += u32::from(!ready.is_empty());
                for event in ready.drain(..) {
                    let token = event.token & ((1 << 40) - 1);
                    forwarder.ready(token, event, theirs.as_fd(), &mut buffer, &epoll);
                }
            }
            (turns, forwarder.flows.iter().flatten().count())
        });
        Some(Place { container, outside, stop, worker: Some(worker) })
    }

    fn listen(&self) -> TcpListener {
        self.container.enter(|| TcpListener::bind((Ipv4Addr::LOCALHOST, INSIDE)).unwrap()).unwrap()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.outside).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Wake-ups, and connections still open.
    fn end(mut self) -> (u32, usize) {
        self.stop.store(true, Ordering::Relaxed);
        self.worker.take().unwrap().join().unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

macro_rules! place {
    ($protocol:expr) => {
        match Place::new($protocol) {
            Some(place) => place,
            None => return eprintln!("SKIP: no right to make network namespaces"),
        }
    };
}

fn million(seed: u8) -> Vec<u8> {
    (0..1_000_000u32).map(|n| (n / 251) as u8 ^ n as u8 ^ seed).collect()
}

#[test]
fn a_million_bytes_each_way_and_each_end_on_its_own() {
    let place = place!(Protocol::Tcp);
    let listener = place.listen();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut got = Vec::new();
        // Answers only when the client has ended its own side.
        stream.read_to_end(&mut got).unwrap();
        stream.write_all(&million(2)).unwrap();
        got
    });
    let mut client = place.connect();
    client.write_all(&million(1)).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut got = Vec::new();
    client.read_to_end(&mut got).unwrap();
    assert!(got == million(2), "{} bytes", got.len());
    assert!(server.join().unwrap() == million(1));
    // Both at once, both slow to read.
    let listener = place.listen();
    let both = |mut stream: TcpStream, seed: u8| {
        let mut writer = stream.try_clone().unwrap();
        let writing = std::thread::spawn(move || {
            writer.write_all(&million(seed)).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        std::thread::sleep(Duration::from_millis(100));
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        writing.join().unwrap();
        got
    };
    let server = std::thread::spawn(move || both(listener.accept().unwrap().0, 3));
    let got = both(place.connect(), 4);
    assert!(got == million(3) && server.join().unwrap() == million(4));
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(place.end().1, 0, "connections are let go");
}

#[test]
fn whoever_waits_is_not_polled_and_errors_cross() {
    let place = place!(Protocol::Tcp);
    // Nobody listens inside.
    let refused = TcpStream::connect(place.outside).and_then(|mut stream| {
        // The reset may be there before the connection is said to be.
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.read(&mut [0; 1])
    });
    assert!(refused.is_err(), "reset, not just closed");
    let listener = place.listen();
    // The client has said its last word, the server thinks for a while.
    let mut client = place.connect();
    client.write_all(b"x").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let mut last = String::new();
    server.read_to_string(&mut last).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    server.write_all(b"y").unwrap();
    drop(server);
    let mut got = String::new();
    client.read_to_string(&mut got).unwrap();
    assert_eq!(got, "y");
    // A reader that does not read: the writer is held up, and its break is told.
    let mut client = place.connect();
    let (server, _) = listener.accept().unwrap();
    client.set_nonblocking(true).unwrap();
    let chunk = vec![0; 64 << 10];
    let mut sent = 0;
    for _ in 0..2000 {
        match client.write(&chunk) {
            Ok(count) => sent += count,
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    assert!(sent < 64 << 20, "{sent} bytes are held somewhere");
    drop(server);
    std::thread::sleep(Duration::from_millis(200));
    assert!(client.write(&chunk).and_then(|_| client.write(&chunk)).is_err());
    let (turns, open) = place.end();
    assert_eq!(open, 0);
    assert!(turns < 4000, "{turns} wake-ups");
}

#[test]
fn a_hundred_connections_at_once() {
    let place = place!(Protocol::Tcp);
    let listener = place.listen();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut line = [0; 4];
                stream.read_exact(&mut line).unwrap();
                stream.write_all(&line).unwrap();
            });
        }
    });
    let mut clients: Vec<TcpStream> = (0..100).map(|_| place.connect()).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        client.write_all(&(n as u32).to_be_bytes()).unwrap();
    }
    for (n, mut client) in clients.into_iter().enumerate() {
        let mut got = Vec::new();
        client.read_to_end(&mut got).unwrap();
        assert_eq!(got, (n as u32).to_be_bytes());
    }
}

/// Sends back what it gets, the other way round.
fn reverse(place: &Place) {
    let server = place.container.enter(|| UdpSocket::bind((Ipv4Addr::LOCALHOST, INSIDE)).unwrap()).unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok((count, from)) = server.recv_from(&mut buffer) {
            buffer[..count].reverse();
            server.send_to(&buffer[..count], from).unwrap();
        }
    });
}

#[test]
fn datagrams_are_answered_from_the_address_that_was_asked() {
    let Some(place) = Place::on(Protocol::Udp, Ipv4Addr::UNSPECIFIED) else {
        return eprintln!("SKIP: no right to make network namespaces");
    };
    reverse(&place);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let addresses: Vec<Ipv4Addr> = (1..6).map(|n| Ipv4Addr::new(127, 0, 0, n)).collect();
    // All are asked by one client before it hears from any.
    for address in &addresses {
        client.send_to(&[1, address.octets()[3]], (*address, place.outside.port())).unwrap();
    }
    let mut heard: Vec<_> = (0..addresses.len())
        .map(|_| {
            let mut got = [0; 8];
            let (count, from) = client.recv_from(&mut got).unwrap();
            assert_eq!((count, got[0], got[1]), (2, from.ip().to_canonical().to_string().as_bytes()[8] - b'0', 1));
            from.ip()
        })
        .collect();
    heard.sort();
    assert_eq!(heard, addresses);
}

#[test]
fn datagrams_find_their_way_back() {
    let place = place!(Protocol::Udp);
    reverse(&place);
    let clients: Vec<UdpSocket> = (0..50).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    for round in 0..20u8 {
        for (n, client) in clients.iter().enumerate() {
            client.send_to(&[n as u8, round, 9], place.outside).unwrap();
        }
        for (n, client) in clients.iter().enumerate() {
            client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let mut got = [0; 8];
            let (count, from) = client.recv_from(&mut got).unwrap();
            assert_eq!((&got[..count], from), (&[9, round, n as u8][..], place.outside));
        }
    }
    let large = vec![7; 60_000];
    clients[0].send_to(&large, place.outside).unwrap();
    let mut got = vec![0; 65536];
    assert_eq!(clients[0].recv(&mut got).unwrap(), large.len());
}
