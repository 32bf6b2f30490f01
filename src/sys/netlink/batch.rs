//! Messages on their way to the kernel, numbered when they are sent.

use super::{ACK, HEADER, REQUEST, word};

/// Several messages, sent together.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) bytes: Vec<u8>,
    /// Where each message starts, and whether its refusal matters.
    pub(super) starts: Vec<(usize, bool)>,
}

impl Batch {
    pub fn push(&mut self, kind: u16, flags: u16, payload: &[u8]) {
        self.add(kind, flags, payload, true);
    }

    /// One that may be refused.
    pub fn push_optional(&mut self, kind: u16, flags: u16, payload: &[u8]) {
        self.add(kind, flags, payload, false);
    }

    fn add(&mut self, kind: u16, flags: u16, payload: &[u8], matters: bool) {
        self.starts.push((self.bytes.len(), matters));
        let length = HEADER + payload.len();
        self.bytes.extend((length as u32).to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((flags | REQUEST).to_ne_bytes());
        self.bytes.extend([0; 8]);
        self.bytes.extend(payload);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// Asks for an answer to the message pushed last.
    pub fn acknowledge_last(&mut self) {
        if let Some(&(at, _)) = self.starts.last() {
            let flags = u16::from_ne_bytes([self.bytes[at + 6], self.bytes[at + 7]]) | ACK;
            self.bytes[at + 6..at + 8].copy_from_slice(&flags.to_ne_bytes());
        }
    }

    pub fn len(&self) -> usize {
        self.starts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The kind, flags and payload of each message, as they were pushed.
    pub fn messages(&self) -> impl Iterator<Item = (u16, u16, &[u8])> {
        self.starts.iter().map(|&(at, _)| {
            let length = word(&self.bytes, at).unwrap_or(0) as usize;
            let half = |at: usize| u16::from_ne_bytes([self.bytes[at], self.bytes[at + 1]]);
            (half(at + 4), half(at + 6), &self.bytes[at + HEADER..at + length])
        })
    }

    pub(super) fn number(&mut self, first: u32) {
        for (n, &(at, _)) in self.starts.iter().enumerate() {
            self.bytes[at + 8..at + 12].copy_from_slice(&first.wrapping_add(n as u32).to_ne_bytes());
        }
    }
}
