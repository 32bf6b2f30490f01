//! The responder's manners, packet by packet.

use super::upstream::{MAX_PENDING, Next, Upstream};
use super::*;
use crate::model::network::Endpoint;
use crate::net::members::{self, Members};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

pub(crate) fn endpoint(network: &str, names: &[&str], v4: Option<&str>, v6: Option<&str>) -> Endpoint {
    Endpoint {
        network: network.into(),
        name: format!("{network}-name"),
        interface: "eth0".into(),
        mac: None,
        v4: v4.map(|a| a.parse().unwrap()),
        v6: v6.map(|a| a.parse().unwrap()),
        gateway4: None,
        gateway6: None,
        names: names.iter().map(|n| (*n).to_owned()).collect(),
    }
}

/// Two networks: `blue` with two webs and a db, `green` with another db and a container of both families.
fn networks() -> Vec<Members> {
    let dir = tempfile::tempdir().unwrap();
    let all = [
        ("c1", endpoint("n1", &["one", "web", "111111111111"], Some("10.1.0.2/24"), None)),
        ("c2", endpoint("n1", &["two", "web"], Some("10.1.0.3/24"), None)),
        ("c3", endpoint("n1", &["db", "my_db"], Some("10.1.0.4/24"), None)),
        ("c4", endpoint("n2", &["db"], Some("10.2.0.2/24"), None)),
        ("c5", endpoint("n2", &["both"], Some("10.2.0.3/24"), Some("fd00:2::3/64"))),
    ];
    for (id, endpoint) in &all {
        members::write(dir.path(), id, endpoint).unwrap();
    }
    let mut found = vec![Members::new(dir.path(), "n1", "blue"), Members::new(dir.path(), "n2", "green")];
    found.iter_mut().for_each(Members::refresh);
    found
}

fn query(name: &str, kind: RecordType) -> Message {
    let mut message = Message::new(77, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message
}

fn reply(verdict: Verdict) -> Message {
    match verdict {
        Verdict::Reply(bytes) => Message::from_vec(&bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn ask(name: &str, kind: RecordType) -> Message {
    reply(answer(&query(name, kind).to_vec().unwrap(), &networks(), false, Limit::Udp, 0))
}

fn texts(message: &Message) -> Vec<String> {
    message.answers.iter().map(|r| r.data.to_string()).collect()
}

#[test]
fn names_aliases_and_ids_have_addresses() {
    for (name, address) in [
        ("one.", "10.1.0.2"),
        ("ONE.", "10.1.0.2"),
        ("111111111111.", "10.1.0.2"),
        ("my_db.", "10.1.0.4"),
        // The first network wins, unless another is named.
        ("db.", "10.1.0.4"),
        ("db.green.", "10.2.0.2"),
        ("both.", "10.2.0.3"),
    ] {
        let message = ask(name, RecordType::A);
        assert_eq!(texts(&message), [address], "{name}");
        assert_eq!((message.id, message.response_code), (77, ResponseCode::NoError));
        assert!(message.recursion_available && message.recursion_desired && message.authoritative);
        assert_eq!(message.answers[0].name, Name::from_ascii(name).unwrap());
    }
    assert_eq!(texts(&ask("both.", RecordType::AAAA)), ["fd00:2::3"]);
    assert_eq!(texts(&ask("localhost.", RecordType::A)), ["127.0.0.1"]);
}

#[test]
fn no_data_is_not_no_name() {
    for kind in [RecordType::AAAA, RecordType::MX, RecordType::TXT, RecordType::HTTPS] {
        let message = ask("one.", kind);
        assert_eq!((message.response_code, message.answers.len()), (ResponseCode::NoError, 0), "{kind}");
    }
    for name in ["three.", "one.green.", "one.blue.lan.", ".blue.", "blue."] {
        let Ok(parsed) = Name::from_ascii(name) else { continue };
        let message = ask(&parsed.to_ascii(), RecordType::A);
        assert_eq!((message.response_code, message.answers.len()), (ResponseCode::NXDomain, 0), "{name}");
    }
}

#[test]
fn shared_names_take_turns() {
    let packet = query("web.", RecordType::A).to_vec().unwrap();
    let networks = networks();
    let mut first = BTreeSet::new();
    for turn in 0..2 {
        let message = reply(answer(&packet, &networks, true, Limit::Udp, turn));
        assert_eq!(message.answers.len(), 2);
        first.insert(texts(&message)[0].clone());
    }
    assert_eq!(first.len(), 2);
}

#[test]
fn addresses_have_names() {
    assert_eq!(texts(&ask("3.0.1.10.in-addr.arpa.", RecordType::PTR)), ["two.blue."]);
    let six = "3.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.0.0.0.0.0.d.f.ip6.arpa.";
    assert_eq!(texts(&ask(six, RecordType::PTR)), ["both.green."]);
    assert_eq!(ask("99.0.1.10.in-addr.arpa.", RecordType::PTR).response_code, ResponseCode::NXDomain);
    let networks = networks();
    let decide = |name: &str| {
        let packet = query(name, RecordType::PTR).to_vec().unwrap();
        answer(&packet, &networks, true, Limit::Udp, 0)
    };
    // Private addresses of ours never leave; others, and parts of an address, are somebody else's.
    assert!(matches!(decide("99.0.1.10.in-addr.arpa."), Verdict::Reply(_)));
    assert!(matches!(decide("8.8.8.8.in-addr.arpa."), Verdict::Forward(_)));
    assert!(matches!(decide("1.10.in-addr.arpa."), Verdict::Forward(_)));
    assert!(matches!(decide("x.ip6.arpa."), Verdict::Forward(_)));
}

#[test]
fn long_answers_are_cut_and_say_so() {
    let dir = tempfile::tempdir().unwrap();
    for n in 2..200 {
        let many = endpoint("n1", &["many"], Some(&format!("10.1.0.{n}/24")), None);
        members::write(dir.path(), &format!("c{n}"), &many).unwrap();
    }
    let mut networks = [Members::new(dir.path(), "n1", "blue")];
    networks[0].refresh();
    let ask = |message: &Message, limit| {
        let Verdict::Reply(bytes) = answer(&message.to_vec().unwrap(), &networks, false, limit, 0) else { panic!() };
        (bytes.len(), Message::from_vec(&bytes).unwrap())
    };
    let mut message = query("many.", RecordType::A);
    let (size, cut) = ask(&message, Limit::Udp);
    assert!(size <= 512 && cut.truncation && !cut.answers.is_empty(), "{size}");
    let (_, whole) = ask(&message, Limit::Tcp);
    assert!(!whole.truncation && whole.answers.len() == 198);
    let mut edns = Edns::new();
    edns.set_max_payload(65535);
    message.set_edns(edns);
    let (size, large) = ask(&message, Limit::Udp);
    assert!(size > 512 && size <= 4096 && large.edns.is_some() && !large.truncation, "{size}");
}

#[test]
fn what_is_no_plain_query_is_refused_or_dropped() {
    let networks = networks();
    let decide = |packet: &[u8]| answer(packet, &networks, true, Limit::Udp, 0);
    let code = |message: &Message| reply(decide(&message.to_vec().unwrap())).response_code;
    let plain = query("one.", RecordType::A);
    let mut status = plain.clone();
    status.metadata.op_code = OpCode::Status;
    assert_eq!(code(&status), ResponseCode::NotImp);
    let mut two = plain.clone();
    two.add_query(plain.queries[0].clone());
    assert_eq!(code(&two), ResponseCode::FormErr);
    let mut loaded = plain.clone();
    loaded.add_answer(Record::from_rdata(Name::root(), 0, RData::A("1.2.3.4".parse().unwrap())));
    assert_eq!(code(&loaded), ResponseCode::FormErr);
    let mut chaos = plain.clone();
    chaos.queries[0].set_query_class(DNSClass::CH);
    assert_eq!(code(&chaos), ResponseCode::NotImp);
    let mut newer = plain.clone();
    let mut edns = Edns::new();
    edns.set_version(9);
    newer.set_edns(edns);
    // Number 16 has two names.
    assert_eq!(u16::from(code(&newer)), u16::from(ResponseCode::BADVERS));
    assert_eq!(code(&query("one.", RecordType::AXFR)), ResponseCode::Refused);
    let mut answered = plain.clone();
    answered.metadata.message_type = MessageType::Response;
    assert_eq!(decide(&answered.to_vec().unwrap()), Verdict::Drop);
    // A name that points at itself, and a head that promises more than there is.
    let mut looped = plain.to_vec().unwrap();
    looped.truncate(12);
    looped.extend([0xc0, 12, 0, 1, 0, 1]);
    assert_eq!(reply(decide(&looped)).response_code, ResponseCode::FormErr);
    assert_eq!(decide(&[]), Verdict::Drop);
    assert_eq!(decide(&[0; 11]), Verdict::Drop);
}

#[test]
fn no_packet_breaks_it() {
    let networks = networks();
    let mut seed: u64 = 88;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut message = query("one.blue.", RecordType::A);
    message.set_edns(Edns::new());
    let whole = message.to_vec().unwrap();
    for _ in 0..20_000 {
        let mut packet = whole.clone();
        for _ in 0..1 + next() % 6 {
            let at = (next() as usize) % packet.len();
            packet[at] = next() as u8;
        }
        packet.truncate((next() as usize) % (packet.len() + 1) + 1);
        let _ = answer(&packet, &networks, true, Limit::Udp, 0);
    }
}

fn question(id: u16) -> Question {
    let mut message = query("example.org.", RecordType::A);
    message.metadata.id = id;
    match answer(&message.to_vec().unwrap(), &networks(), true, Limit::Udp, 0) {
        Verdict::Forward(question) => question,
        other => panic!("{other:?}"),
    }
}

fn resolved(packet: &[u8], code: ResponseCode) -> Vec<u8> {
    let mut message = Message::from_vec(packet).unwrap();
    message.metadata.message_type = MessageType::Response;
    message.metadata.response_code = code;
    message.to_vec().unwrap()
}

#[test]
fn questions_for_others_go_round_the_resolvers() {
    let servers: Vec<IpAddr> = vec!["192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()];
    let mut upstream = Upstream::new(servers.clone());
    let now = Instant::now();
    let (slot, next) = upstream.begin("client", question(5), 4242, now);
    let slot = slot.unwrap();
    assert_eq!(next, Next::Ask(servers[0]));
    // The same question once more waits for the same answer.
    assert_eq!(upstream.begin("client", question(5), 1, now), (None, Next::Wait));
    let sent = upstream.packet(slot);
    assert_eq!(Message::from_vec(&sent).unwrap().id, 4242);
    // Not ours: another number, another question, a query.
    let mut wrong = resolved(&sent, ResponseCode::NoError);
    wrong[1] ^= 1;
    assert_eq!(upstream.received(slot, &wrong, now), Next::Wait);
    let mut other = Message::from_vec(&resolved(&sent, ResponseCode::NoError)).unwrap();
    other.queries[0].set_name(Name::from_ascii("evil.org.").unwrap());
    assert_eq!(upstream.received(slot, &other.to_vec().unwrap(), now), Next::Wait);
    assert_eq!(upstream.received(slot, &sent, now), Next::Wait);
    assert_eq!(upstream.received(slot, b"", now), Next::Wait);
    // One that fails, one that is silent, one that answers.
    assert_eq!(upstream.received(slot, &resolved(&sent, ResponseCode::ServFail), now), Next::Ask(servers[1]));
    assert_eq!(upstream.expired(now), None);
    let later = now + Duration::from_secs(3);
    assert_eq!(upstream.expired(later), Some(slot));
    assert_eq!(upstream.broken(slot, later), Next::Ask(servers[0]));
    match upstream.received(slot, &resolved(&sent, ResponseCode::NXDomain), later) {
        Next::Answer { client: "client", packet, limit: Limit::Udp } => {
            let message = Message::from_vec(&packet).unwrap();
            assert_eq!((message.id, message.response_code), (5, ResponseCode::NXDomain));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((upstream.deadline(), upstream.expired(later + Duration::from_secs(99))), (None, None));
}

#[test]
fn questions_end_when_nobody_answers_and_are_bounded() {
    let mut upstream = Upstream::new(vec!["192.0.2.1".parse().unwrap()]);
    let now = Instant::now();
    let (slot, _) = upstream.begin(0, question(1), 1, now);
    let slot = slot.unwrap();
    assert!(matches!(upstream.broken(slot, now), Next::Ask(_)));
    match upstream.broken(slot, now) {
        Next::Answer { packet, .. } => {
            assert_eq!(Message::from_vec(&packet).unwrap().response_code, ResponseCode::ServFail);
        }
        other => panic!("{other:?}"),
    }
    for n in 0..MAX_PENDING {
        assert!(matches!(upstream.begin(n, question(1), 1, now), (Some(_), Next::Ask(_))));
    }
    assert!(matches!(upstream.begin(9999, question(1), 1, now), (None, Next::Answer { .. })));
    assert_eq!(upstream.forget(&3), [3]);
    assert!(matches!(upstream.begin(9999, question(1), 1, now), (Some(3), Next::Ask(_))));
    assert!(matches!(Upstream::new(Vec::new()).begin(0, question(1), 1, now), (None, Next::Answer { .. })));
}
