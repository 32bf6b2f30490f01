//! Bytes of a log segment: blocks (header, checksum, records) and the sparse index beside them.
//!
//! Segment `<first record, 16 hex>.log`: blocks one after another. Block, little-endian: magic `u32`, payload length
//! `u32`, CRC-32 `u32` of all that follows it, records `u32`, number of the first record `u64`, base time `i64` (unix
//! ns), payload. Lines that came together are one entry: varint ns since the base time, varint `length << 2 | partial << 1
//! | stderr`, the lines with a newline between each two. Each counts as a record; a partial one stands alone. Index `<same>.idx`: entries of number `u64`, time `i64`, offset `u64`, one per 64 KiB or so.

use crate::model::log::{LogRecord, Stream};
use crate::model::time::Timestamp;
use bytes::Bytes;

const MAGIC: u32 = 0x31_67_6f_6c;
/// Length of a block's header.
pub(super) const HEADER: usize = 32;
/// Where the checksummed part begins.
const COVERED: usize = 12;
/// Length of an index entry.
pub(super) const ENTRY: u64 = 24;
/// Lines longer than this are split.
pub(super) const MAX_LINE: usize = 16 << 10;
/// Distance of index entries in the segment.
pub(super) const STRIDE: u64 = 64 << 10;
/// Nothing larger is ever written as one block.
const MAX_PAYLOAD: u32 = 4 << 20;

/// A block's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub length: u32,
    pub crc: u32,
    pub count: u32,
    pub seq: u64,
    pub time: i64,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

impl Header {
    /// `None`: not a block.
    pub(super) fn parse(bytes: &[u8; HEADER]) -> Option<Header> {
        let length = u32_at(bytes, 4);
        (u32_at(bytes, 0) == MAGIC && length <= MAX_PAYLOAD).then(|| Header {
            length,
            crc: u32_at(bytes, 8),
            count: u32_at(bytes, 12),
            seq: u64_at(bytes, 16),
            time: u64_at(bytes, 24).cast_signed(),
        })
    }

    /// Header and payload together.
    pub(super) fn whole(&self) -> u64 {
        HEADER as u64 + u64::from(self.length)
    }
}

/// Completes a block whose first [`HEADER`] bytes were left free.
pub(super) fn seal(block: &mut [u8], count: u32, seq: u64, time: i64) {
    let length = u32::try_from(block.len() - HEADER).unwrap_or(0);
    block[0..4].copy_from_slice(&MAGIC.to_le_bytes());
    block[4..8].copy_from_slice(&length.to_le_bytes());
    block[12..16].copy_from_slice(&count.to_le_bytes());
    block[16..24].copy_from_slice(&seq.to_le_bytes());
    block[24..32].copy_from_slice(&time.to_le_bytes());
    let crc = crc32(&block[COVERED..]);
    block[8..12].copy_from_slice(&crc.to_le_bytes());
}

/// True when a whole block's checksum is right.
pub(super) fn is_intact(block: &[u8], header: &Header) -> bool {
    block.len() as u64 == header.whole() && crc32(&block[COVERED..]) == header.crc
}

/// Appends lines to a block's payload: the last one without its newline.
pub(super) fn put_lines(block: &mut Vec<u8>, delta: u64, stream: Stream, partial: bool, lines: &[u8]) {
    put_varint(block, delta);
    let flags = u64::from(partial) << 1 | u64::from(stream == Stream::Stderr);
    put_varint(block, (lines.len() as u64) << 2 | flags);
    block.extend_from_slice(lines);
}

/// The records of a block's payload, one after another.
#[derive(Debug, Default)]
pub(super) struct Records {
    payload: Bytes,
    base: i64,
    at: usize,
    lines: Option<Lines>,
}

/// The entry at hand.
#[derive(Clone, Copy, Debug)]
struct Lines {
    end: usize,
    time: Timestamp,
    stream: Stream,
    partial: bool,
}

impl Records {
    pub(super) fn new(payload: Bytes, base: i64) -> Records {
        Records { payload, base, at: 0, lines: None }
    }

    /// What is left when it makes no sense is left out.
    fn next_lines(&mut self) -> Option<Lines> {
        let delta = take_varint(&self.payload, &mut self.at)?;
        let head = take_varint(&self.payload, &mut self.at)?;
        let end = self.at.checked_add(usize::try_from(head >> 2).ok()?)?;
        (end <= self.payload.len()).then_some(Lines {
            end,
            time: Timestamp(self.base.saturating_add_unsigned(delta)),
            stream: if head & 1 == 0 { Stream::Stdout } else { Stream::Stderr },
            partial: head & 2 != 0,
        })
    }
}

impl Iterator for Records {
    type Item = LogRecord;

    fn next(&mut self) -> Option<LogRecord> {
        let lines = match self.lines.take() {
            Some(lines) => lines,
            None => self.next_lines()?,
        };
        let rest = &self.payload[self.at..lines.end];
        let length = line_length(rest);
        let bytes = self.payload.slice(self.at..self.at + length);
        self.at += length;
        if length < rest.len() {
            // Over its newline; after it there is a line, be it an empty one.
            self.at += 1;
            self.lines = Some(lines);
        }
        Some(LogRecord { time: lines.time, stream: lines.stream, partial: lines.partial, bytes })
    }
}

/// Length of the first line, without its newline; of all when there is none.
pub(super) fn line_length(bytes: &[u8]) -> usize {
    // The standard library's way to its fast byte search; on a slice it cannot fail.
    let taken = std::io::BufRead::skip_until(&mut &*bytes, b'\n').unwrap_or(bytes.len());
    if bytes[..taken].ends_with(b"\n") { taken - 1 } else { taken }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// An index entry: the block at `offset` begins with record `seq`, written at `time`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub seq: u64,
    pub time: i64,
    pub offset: u64,
}

impl Entry {
    pub(super) fn to_bytes(self) -> [u8; ENTRY as usize] {
        let mut out = [0; ENTRY as usize];
        out[..8].copy_from_slice(&self.seq.to_le_bytes());
        out[8..16].copy_from_slice(&self.time.to_le_bytes());
        out[16..].copy_from_slice(&self.offset.to_le_bytes());
        out
    }

    pub(super) fn parse(bytes: &[u8; ENTRY as usize]) -> Entry {
        Entry { seq: u64_at(bytes, 0), time: u64_at(bytes, 8).cast_signed(), offset: u64_at(bytes, 16) }
    }
}

/// The usual CRC-32 (IEEE 802.3), by the processor's own instructions where it has them.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_crc() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn a_block_comes_back() {
        let mut block = vec![0; HEADER];
        put_lines(&mut block, 0, Stream::Stdout, false, b"one\n\ntwo\n");
        put_lines(&mut block, 5_000_000_000, Stream::Stderr, true, &[7; 300]);
        seal(&mut block, 5, 41, -1);
        let header = Header::parse(block[..HEADER].try_into().unwrap()).unwrap();
        assert_eq!((header.count, header.seq, header.time, header.whole()), (5, 41, -1, block.len() as u64));
        assert!(is_intact(&block, &header));
        let records: Vec<_> = Records::new(Bytes::copy_from_slice(&block[HEADER..]), header.time).collect();
        let texts: Vec<&[u8]> = records.iter().map(|r| &r.bytes[..]).collect();
        assert_eq!(texts, [b"one", &b""[..], b"two", b"", &[7; 300]]);
        assert!(records[..4].iter().all(|r| (r.stream, r.partial, r.time.0) == (Stream::Stdout, false, -1)));
        assert_eq!((records[4].stream, records[4].partial, records[4].time.0), (Stream::Stderr, true, 4_999_999_999));
        block[40] ^= 1;
        assert!(!is_intact(&block, &header));
    }
}
