//! The messages of nf_tables, as in the kernel's `linux/netfilter/nf_tables.h`: one function for each that is needed.

use super::expr::{Expr, REGISTER_BYTES};
use crate::net::attribute::Attributes;
use crate::sys::netlink::{APPEND, Batch, CREATE};

const SUBSYSTEM: u16 = 10 << 8;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
pub const NEWTABLE: u16 = SUBSYSTEM;
pub const DELTABLE: u16 = SUBSYSTEM | 2;
const NEWCHAIN: u16 = SUBSYSTEM | 3;
pub const GETCHAIN: u16 = SUBSYSTEM | 4;
const NEWRULE: u16 = SUBSYSTEM | 6;
pub const GETRULE: u16 = SUBSYSTEM | 7;
const DELRULE: u16 = SUBSYSTEM | 8;
const NEWSET: u16 = SUBSYSTEM | 9;
pub const NEWSETELEM: u16 = SUBSYSTEM | 12;
pub const GETSETELEM: u16 = SUBSYSTEM | 13;
pub const DELSETELEM: u16 = SUBSYSTEM | 14;
pub const GETGEN: u16 = SUBSYSTEM | 16;

/// `struct nfgenmsg`: family, version, and the subsystem in a batch's own messages.
pub const HEAD: usize = 4;
pub const FAMILY_INET: u8 = 1;
pub const FAMILY_IPV4: u8 = 2;
pub const FAMILY_IPV6: u8 = 10;
const INET: [u8; HEAD] = [FAMILY_INET, 0, 0, 0];
const BATCH: [u8; HEAD] = [0, 0, 0, 10];
pub const ANY: [u8; HEAD] = [0; HEAD];
pub const GENERATION: u16 = 1;

pub const NAME: u16 = 1;
pub const CHAIN_NAME: u16 = 3;
pub const CHAIN_HOOK: u16 = 4;
pub const HOOK_NUMBER: u16 = 1;
pub const CHAIN_POLICY: u16 = 5;
pub const RULE_CHAIN: u16 = 2;
pub const RULE_EXPRESSIONS: u16 = 4;
pub const EXPRESSION_DATA: u16 = 2;
pub const COMPARE_DATA: u16 = 3;
pub const RULE_USERDATA: u16 = 7;
pub const ELEMENTS_SET: u16 = 2;
pub const ELEMENTS: u16 = 3;
pub const ELEMENT_KEY: u16 = 1;
const ELEMENT_DATA: u16 = 2;
pub const ELEMENT_USERDATA: u16 = 6;
pub const DATA_VALUE: u16 = 1;
const LIST_ITEM: u16 = 1;

const SET_MAP: u32 = 8;

/// The numbers `nft` gives to types, so that it can show what is ours; the kernel only keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Address4 = 7,
    Address6 = 8,
    Protocol = 12,
    Port = 13,
    Interface = 41,
}

impl Type {
    /// In a key: a multiple of a register's size.
    pub fn length(self) -> usize {
        match self {
            Type::Address4 | Type::Protocol | Type::Port => REGISTER_BYTES,
            Type::Address6 | Type::Interface => 16,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Type::Protocol => 1,
            Type::Port => 2,
            other => other.length(),
        }
    }
}

/// A concatenation is written six bits each; its length is that of padded parts.
fn concatenation(types: &[Type]) -> (u32, u32) {
    let length = if let [one] = types { one.bytes() } else { types.iter().map(|t| t.length()).sum() };
    (types.iter().fold(0, |sum, t| sum << 6 | *t as u32), length as u32)
}

/// Where in a packet's way a base chain sits.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// `filter` or `nat`
    pub kind: &'static str,
    pub number: u32,
    pub priority: i32,
}

/// A set; a map if it has data.
#[derive(Clone, Copy, Debug)]
pub struct Set {
    pub name: &'static str,
    pub key: &'static [Type],
    pub data: &'static [Type],
}

/// A set's element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    pub set: &'static str,
    pub key: Vec<u8>,
    pub data: Vec<u8>,
    pub comment: String,
}

pub fn begin(batch: &mut Batch) {
    batch.push(BATCH_BEGIN, 0, &BATCH);
}

/// Refused (`ERESTART`) when any rule of the namespace has changed since that generation. Kernels before 4.11 do not look.
pub fn begin_at(batch: &mut Batch, generation: u32) {
    const BATCH_GENERATION: u16 = 1;
    batch.push(BATCH_BEGIN, 0, Attributes::after(&BATCH).be32(BATCH_GENERATION, generation).as_bytes());
}

pub fn end(batch: &mut Batch) {
    batch.push(BATCH_END, 0, &BATCH);
}

fn of(table: &str) -> Attributes {
    Attributes::after(&INET).text(NAME, table)
}

/// What names a table, for a dump or a removal.
pub fn named(table: &str) -> Vec<u8> {
    of(table).as_bytes().to_vec()
}

/// As [`named`], a table of another family.
pub fn named_of(family: u8, table: &str) -> Vec<u8> {
    Attributes::after(&[family, 0, 0, 0]).text(NAME, table).as_bytes().to_vec()
}

pub fn add_table(batch: &mut Batch, table: &str) {
    batch.push(NEWTABLE, CREATE, of(table).as_bytes());
}

/// Makes the chain if it is not there, and empties it.
pub fn add_chain(batch: &mut Batch, table: &str, name: &str, hook: Option<Hook>) {
    let mut chain = of(table).text(3, name);
    if let Some(hook) = hook {
        let place = Attributes::default().be32(1, hook.number).be32(2, hook.priority.cast_unsigned());
        const ACCEPT: u32 = 1;
        chain = chain.nested(4, &place).be32(5, ACCEPT).text(7, hook.kind);
    }
    batch.push(NEWCHAIN, CREATE, chain.as_bytes());
    batch.push(DELRULE, 0, of(table).text(RULE_CHAIN, name).as_bytes());
}

pub fn add_rule(batch: &mut Batch, table: &str, chain: &str, expressions: &[Expr], comment: &str) {
    let mut list = Attributes::default();
    for expression in expressions {
        list = list.nested(LIST_ITEM, &expression.attributes());
    }
    let rule = of(table).text(RULE_CHAIN, chain).nested(4, &list).bytes(RULE_USERDATA, &tagged(comment));
    batch.push(NEWRULE, CREATE | APPEND, rule.as_bytes());
}

/// Makes the set if it is not there. `id` distinguishes sets within a batch.
pub fn add_set(batch: &mut Batch, table: &str, set: &Set, id: u32) {
    let flags = if set.data.is_empty() { 0 } else { SET_MAP };
    let (key_type, key_length) = concatenation(set.key);
    let mut made = of(table).text(2, set.name).be32(3, flags).be32(4, key_type).be32(5, key_length);
    if !set.data.is_empty() {
        let (data_type, data_length) = concatenation(set.data);
        made = made.be32(6, data_type).be32(7, data_length);
    }
    made = made.be32(10, id).bytes(13, &byte_orders(set));
    batch.push(NEWSET, CREATE, made.as_bytes());
}

/// How `nft` shall read keys and data: names of interfaces in the host's order, the rest in the network's.
fn byte_orders(set: &Set) -> Vec<u8> {
    const HOST: u32 = 1;
    const NETWORK: u32 = 2;
    let key = if set.key == [Type::Interface] { HOST } else { NETWORK };
    let mut tags = vec![0, 4];
    tags.extend(key.to_ne_bytes());
    if !set.data.is_empty() {
        tags.extend([1, 4]);
        tags.extend(NETWORK.to_ne_bytes());
    }
    tags
}

/// For `NEWSETELEM`, `DELSETELEM` or `GETSETELEM`: elements of one set, their data and comments only `with_data`.
pub fn elements(table: &str, set: &str, list: &[&Element], with_data: bool) -> Vec<u8> {
    let value = |bytes: &[u8]| Attributes::default().bytes(DATA_VALUE, bytes);
    let mut items = Attributes::default();
    for element in list {
        let mut item = Attributes::default().nested(ELEMENT_KEY, &value(&element.key));
        if with_data {
            if !element.data.is_empty() {
                item = item.nested(ELEMENT_DATA, &value(&element.data));
            }
            if !element.comment.is_empty() {
                item = item.bytes(ELEMENT_USERDATA, &tagged(&element.comment));
            }
        }
        items = items.nested(LIST_ITEM, &item);
    }
    of(table).text(ELEMENTS_SET, set).nested(ELEMENTS, &items).as_bytes().to_vec()
}

/// What names a set, for a dump of its elements.
pub fn set_of(table: &str, set: &str) -> Vec<u8> {
    of(table).text(ELEMENTS_SET, set).as_bytes().to_vec()
}

/// A comment as `nft` writes it: tag 0, length, text with its zero byte.
fn tagged(comment: &str) -> Vec<u8> {
    let text = &comment.as_bytes()[..comment.len().min(usize::from(u8::MAX) - 3)];
    let mut bytes = vec![0, text.len() as u8 + 1];
    bytes.extend(text);
    bytes.push(0);
    bytes
}

/// The text of such a comment.
pub fn untagged(userdata: &[u8]) -> Option<String> {
    match *userdata {
        [0, length, ref rest @ ..] => Some(crate::net::attribute::text(rest.get(..usize::from(length))?)),
        _ => None,
    }
}
