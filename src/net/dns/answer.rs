//! From a packet to an answer, a refusal, or a question for somebody else.

use super::names::{self, Found, Reverse};
use crate::net::members::Members;
use hickory_proto::op::{Edns, Header, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, PTR};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use std::net::IpAddr;

/// Seconds for which an answer about a container may be kept: none, as it may be gone at once. (0 is legal, and old
/// resolvers that cannot keep it just ask again.)
const TTL: u32 = 0;
/// Largest answer by UDP for a client that says it takes more: loopback has no smaller packets.
const MAX_UDP: u16 = 4096;
/// Without EDNS (RFC 1035).
const PLAIN_UDP: u16 = 512;
/// Records beside the question that a query may bring: an OPT, a signature, some to spare.
const MAX_ADDITIONAL: u16 = 4;

/// How long an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Udp,
    Tcp,
}

/// What becomes of a packet.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing that could be answered.
    Drop,
    Reply(Vec<u8>),
    /// Not ours: to be asked elsewhere.
    Forward(Question),
}

/// A question that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The client's number for it.
    pub id: u16,
    pub query: Query,
    pub recursion: bool,
    pub checking_disabled: bool,
    pub edns: Option<Edns>,
    pub limit: Limit,
}

impl Question {
    /// Bytes the client takes.
    pub fn room(&self) -> usize {
        match (self.limit, &self.edns) {
            (Limit::Tcp, _) => usize::from(u16::MAX),
            (Limit::Udp, None) => usize::from(PLAIN_UDP),
            (Limit::Udp, Some(edns)) => usize::from(edns.max_payload().clamp(PLAIN_UDP, MAX_UDP)),
        }
    }

    fn response(&self, code: ResponseCode) -> Message {
        let mut message = Message::response(self.id, OpCode::Query);
        message.metadata.recursion_desired = self.recursion;
        message.metadata.recursion_available = true;
        message.metadata.checking_disabled = self.checking_disabled;
        message.metadata.response_code = code;
        message.add_query(self.query.clone());
        if self.edns.is_some() {
            message.set_edns(own_edns());
        }
        message
    }

    /// The bytes of an answer; too long a one is cut and says so.
    fn encode(&self, mut message: Message) -> Vec<u8> {
        let mut bytes = message.to_vec().unwrap_or_default();
        while bytes.len() > self.room() && !message.answers.is_empty() {
            message.metadata.truncation = true;
            let keep = message.answers.len() / 2;
            message.answers.truncate(keep);
            bytes = message.to_vec().unwrap_or_default();
        }
        bytes
    }

    /// An answer without records: its code says it all.
    pub fn refusal(&self, code: ResponseCode) -> Vec<u8> {
        self.encode(self.response(code))
    }

    /// Nobody could be asked, or nobody answered.
    pub fn failed(&self) -> Vec<u8> {
        self.refusal(ResponseCode::ServFail)
    }

    /// "Ask again by TCP".
    pub fn truncated(&self) -> Vec<u8> {
        let mut message = self.response(ResponseCode::NoError);
        message.metadata.truncation = true;
        self.encode(message)
    }
}

fn own_edns() -> Edns {
    let mut edns = Edns::new();
    edns.set_max_payload(MAX_UDP);
    edns
}

/// A refusal for a packet of which only the head was understood. `None`: not even that.
pub fn refuse(packet: &[u8], code: ResponseCode) -> Option<Vec<u8>> {
    let header = Header::read(&mut BinDecoder::new(packet)).ok()?;
    let mut message = Message::response(header.id, header.op_code);
    message.metadata.recursion_desired = header.recursion_desired;
    message.metadata.response_code = code;
    message.to_vec().ok()
}

/// Decides about one query. `forward`: names of others may be asked for. `turn` goes up with every query, so that
/// containers which share a name take turns.
pub fn answer(packet: &[u8], networks: &[Members], forward: bool, limit: Limit, turn: usize) -> Verdict {
    let question = match read(packet, limit) {
        Ok(question) => question,
        Err(None) => return Verdict::Drop,
        Err(Some(code)) => return refuse(packet, code).map_or(Verdict::Drop, Verdict::Reply),
    };
    if question.edns.as_ref().is_some_and(|e| e.version() != 0) {
        return Verdict::Reply(question.refusal(ResponseCode::BADVERS));
    }
    let query = &question.query;
    if query.query_class() != DNSClass::IN {
        return Verdict::Reply(question.refusal(ResponseCode::NotImp));
    }
    if matches!(query.query_type(), RecordType::AXFR | RecordType::IXFR) {
        return Verdict::Reply(question.refusal(ResponseCode::Refused));
    }
    let records = match known(query, networks, turn) {
        Some(records) => records,
        None if forward => return Verdict::Forward(question),
        // Where there is no outside, a name that is nobody's here does not exist.
        None => return Verdict::Reply(question.refusal(ResponseCode::NXDomain)),
    };
    let mut message = match records {
        Known::Absent => return Verdict::Reply(question.refusal(ResponseCode::NXDomain)),
        Known::Records(records) => {
            let mut message = question.response(ResponseCode::NoError);
            message.add_answers(records);
            message
        }
    };
    message.metadata.authoritative = true;
    Verdict::Reply(question.encode(message))
}

/// Reads a query. The error is the code to refuse it with, `None` for a packet that must not be answered at all.
fn read(packet: &[u8], limit: Limit) -> Result<Question, Option<ResponseCode>> {
    let mut decoder = BinDecoder::new(packet);
    let header = Header::read(&mut decoder).map_err(|_| None)?;
    if header.message_type != MessageType::Query {
        // Answers to answers would never end.
        return Err(None);
    }
    if header.op_code != OpCode::Query {
        return Err(Some(ResponseCode::NotImp));
    }
    let counts = &header.counts;
    let plain = counts.queries == 1 && counts.answers == 0 && counts.authorities == 0;
    if !plain || counts.additionals > MAX_ADDITIONAL {
        return Err(Some(ResponseCode::FormErr));
    }
    let bad = Some(ResponseCode::FormErr);
    let query = Query::read(&mut decoder).map_err(|_| bad)?;
    let count = usize::from(counts.additionals);
    let (_, edns, _) = Message::read_records(&mut decoder, count, true, OpCode::Query).map_err(|_| bad)?;
    Ok(Question {
        id: header.id,
        query,
        recursion: header.recursion_desired,
        checking_disabled: header.checking_disabled,
        edns,
        limit,
    })
}

enum Known {
    /// It would be ours, but there is no such thing.
    Absent,
    /// None of the type asked for: there is the name, but nothing to say of it.
    Records(Vec<Record>),
}

/// The records of a name that is ours to answer.
fn known(query: &Query, networks: &[Members], turn: usize) -> Option<Known> {
    let name = query.name();
    let text = name.to_ascii().to_lowercase();
    let text = text.strip_suffix('.').unwrap_or(&text);
    if text.ends_with(".arpa") {
        return address_of(name).and_then(|address| pointers(query, networks, address));
    }
    match names::lookup(networks, text) {
        Found::Unknown => None,
        Found::Addresses(addresses) => {
            let wanted = |a: &IpAddr| match query.query_type() {
                RecordType::A => a.is_ipv4(),
                RecordType::AAAA => a.is_ipv6(),
                RecordType::ANY => true,
                _ => false,
            };
            let mut wanted: Vec<IpAddr> = addresses.into_iter().filter(wanted).collect();
            wanted.sort_unstable();
            if !wanted.is_empty() {
                let start = turn % wanted.len();
                wanted.rotate_left(start);
            }
            let record = |address| match address {
                IpAddr::V4(a) => Record::from_rdata(name.clone(), TTL, RData::A(A(a))),
                IpAddr::V6(a) => Record::from_rdata(name.clone(), TTL, RData::AAAA(AAAA(a))),
            };
            Some(Known::Records(wanted.into_iter().map(record).collect()))
        }
    }
}

/// The whole address that a name below `in-addr.arpa` or `ip6.arpa` stands for.
fn address_of(name: &Name) -> Option<IpAddr> {
    let network = name.parse_arpa_name().ok()?;
    (network.prefix_len() == network.max_prefix_len()).then(|| network.addr())
}

fn pointers(query: &Query, networks: &[Members], address: IpAddr) -> Option<Known> {
    match names::reverse(networks, address) {
        Reverse::Foreign => None,
        Reverse::Nobody => Some(Known::Absent),
        Reverse::Names(names) => {
            let asked = matches!(query.query_type(), RecordType::PTR | RecordType::ANY);
            let names = names.iter().filter(|_| asked);
            let target = |name: &String| Name::from_labels(name.split('.').map(str::as_bytes)).ok();
            let record = |target| Record::from_rdata(query.name().clone(), TTL, RData::PTR(PTR(target)));
            Some(Known::Records(names.filter_map(target).map(record).collect()))
        }
    }
}
