//! Questions passed on to the host's resolvers: numbers, checks, time limits. Sockets are the caller's.

use super::answer::{Limit, Question};
use hickory_proto::op::{Edns, Header, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Questions under way at once; further ones are refused.
pub const MAX_PENDING: usize = 256;
/// How long one resolver is waited for. Clients ask again after 5 s.
const PATIENCE: Duration = Duration::from_millis(2000);
/// How often the whole list is gone through.
const ROUNDS: usize = 2;

/// What to do next about a question.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<C> {
    /// Send [`Upstream::packet`] to this resolver, by a fresh socket.
    Ask(IpAddr),
    /// Tell the client; the question is over and its socket to be closed.
    Answer { client: C, packet: Vec<u8>, limit: Limit },
    /// Go on waiting.
    Wait,
}

/// The questions under way, each in a slot that keeps its number until it is over.
#[derive(Debug)]
pub struct Upstream<C> {
    resolvers: Vec<IpAddr>,
    slots: Vec<Option<Pending<C>>>,
}

#[derive(Debug)]
struct Pending<C> {
    client: C,
    question: Question,
    /// Our own number, which nobody else can guess.
    id: u16,
    asked: usize,
    deadline: Instant,
}

impl<C: Clone + PartialEq> Upstream<C> {
    pub fn new(resolvers: Vec<IpAddr>) -> Upstream<C> {
        Upstream { resolvers, slots: Vec::new() }
    }

    /// Nobody to ask.
    pub fn is_empty(&self) -> bool {
        self.resolvers.is_empty()
    }

    pub fn set_resolvers(&mut self, resolvers: Vec<IpAddr>) {
        self.resolvers = resolvers;
    }

    /// Takes a question on. `id` is random. `None`: the very same one is under way, or there are too many (the answer
    /// then says so).
    pub fn begin(&mut self, client: C, question: Question, id: u16, now: Instant) -> (Option<usize>, Next<C>) {
        let repeated = |p: &Pending<C>| p.client == client && p.question == question;
        if self.slots.iter().flatten().any(repeated) {
            return (None, Next::Wait);
        }
        let free = self.slots.iter().position(Option::is_none);
        let slot = free.unwrap_or(self.slots.len());
        if slot >= MAX_PENDING || self.resolvers.is_empty() {
            let (packet, limit) = (question.failed(), question.limit);
            return (None, Next::Answer { client, packet, limit });
        }
        if free.is_none() {
            self.slots.push(None);
        }
        self.slots[slot] = Some(Pending { client, question, id, asked: 0, deadline: now });
        (Some(slot), self.ask(slot, now))
    }

    /// The next resolver's turn, or the end.
    fn ask(&mut self, slot: usize, now: Instant) -> Next<C> {
        let Some(pending) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return Next::Wait };
        if pending.asked >= self.resolvers.len() * ROUNDS {
            return self.finish(slot, |question| question.failed());
        }
        let resolver = self.resolvers[pending.asked % self.resolvers.len()];
        pending.asked += 1;
        pending.deadline = now + PATIENCE;
        Next::Ask(resolver)
    }

    fn finish(&mut self, slot: usize, packet: impl FnOnce(&Question) -> Vec<u8>) -> Next<C> {
        let Some(pending) = self.slots.get_mut(slot).and_then(Option::take) else { return Next::Wait };
        while self.slots.last().is_some_and(Option::is_none) {
            self.slots.pop();
        }
        let (packet, limit) = (packet(&pending.question), pending.question.limit);
        Next::Answer { client: pending.client, packet, limit }
    }

    /// What to send: the question anew, with nothing else of what the client sent.
    pub fn packet(&self, slot: usize) -> Vec<u8> {
        let Some(pending) = self.slots.get(slot).and_then(Option::as_ref) else { return Vec::new() };
        let question = &pending.question;
        let mut message = Message::new(pending.id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = question.recursion;
        message.metadata.checking_disabled = question.checking_disabled;
        message.add_query(question.query.clone());
        if let Some(theirs) = &question.edns {
            let mut edns = Edns::new();
            edns.set_max_payload(u16::try_from(question.room()).unwrap_or(u16::MAX));
            edns.set_dnssec_ok(theirs.flags().dnssec_ok);
            message.set_edns(edns);
        }
        message.to_vec().unwrap_or_default()
    }

    /// By UDP or by TCP, as the client asked.
    pub fn limit(&self, slot: usize) -> Limit {
        self.slots.get(slot).and_then(Option::as_ref).map_or(Limit::Udp, |p| p.question.limit)
    }

    /// A packet came from the resolver that was asked.
    pub fn received(&mut self, slot: usize, packet: &[u8], now: Instant) -> Next<C> {
        let Some(pending) = self.slots.get(slot).and_then(Option::as_ref) else { return Next::Wait };
        let Some(code) = answers(packet, pending.id, &pending.question.query) else { return Next::Wait };
        let last = pending.asked >= self.resolvers.len() * ROUNDS;
        // This one cannot help; another may.
        if matches!(code, ResponseCode::ServFail | ResponseCode::Refused | ResponseCode::NotImp)
            && !last
            && self.resolvers.len() > 1
        {
            return self.ask(slot, now);
        }
        self.finish(slot, |question| {
            if packet.len() > question.room() {
                return question.truncated();
            }
            let mut answer = packet.to_vec();
            answer[..2].copy_from_slice(&question.id.to_be_bytes());
            answer
        })
    }

    /// The resolver cannot be reached (or its connection ended): the next one's turn.
    pub fn broken(&mut self, slot: usize, now: Instant) -> Next<C> {
        self.ask(slot, now)
    }

    /// Nobody is left to tell.
    pub fn forget(&mut self, client: &C) -> Vec<usize> {
        let mut gone = Vec::new();
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if slot.as_ref().is_some_and(|p| p.client == *client) {
                *slot = None;
                gone.push(number);
            }
        }
        gone
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.slots.iter().flatten().map(|p| p.deadline).min()
    }

    /// A slot whose time is over, if any.
    pub fn expired(&self, now: Instant) -> Option<usize> {
        self.slots.iter().position(|s| s.as_ref().is_some_and(|p| p.deadline <= now))
    }
}

/// The code of an answer to exactly this question; `None`: it is not one.
fn answers(packet: &[u8], id: u16, query: &Query) -> Option<ResponseCode> {
    let mut decoder = BinDecoder::new(packet);
    let header = Header::read(&mut decoder).ok()?;
    let fits = header.id == id && header.message_type == MessageType::Response && header.op_code == OpCode::Query;
    let same = |asked: Query| {
        asked.name() == query.name()
            && asked.query_type() == query.query_type()
            && asked.query_class() == query.query_class()
    };
    // Some resolvers leave the question out of a refusal.
    let asked = match header.counts.queries {
        0 => header.response_code != ResponseCode::NoError,
        1 => Query::read(&mut decoder).is_ok_and(same),
        _ => false,
    };
    (fits && asked).then_some(header.response_code)
}
