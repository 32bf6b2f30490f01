//! Reads a log while it is being written: from either end, from a time, backward by pages, and on as it grows.

use super::format::{self, Header, Records};
use super::segment::{self, Segment};
use super::{Error, Result};
use crate::model::log::LogRecord;
use crate::model::time::Timestamp;
use crate::sys::watch::Watch;
use bytes::Bytes;
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};

/// Records side by side in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Number of the first one. Numbers count records since the container's first output and are never used again.
    pub start: u64,
    pub records: Vec<LogRecord>,
}

impl Page {
    /// Number after the last record.
    pub fn end(&self) -> u64 {
        self.start + self.records.len() as u64
    }
}

/// A place in the log. To follow: after `next` gave `None`, wait until the descriptor of [`Reader::watch`] is readable,
/// then call `next` again (it takes the notices).
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    watch: Option<Watch>,
    scan: Scan,
}

impl Reader {
    /// At the oldest record kept. A directory that is not there is an empty log.
    pub fn open(dir: &Path) -> Result<Reader> {
        Ok(Reader { dir: dir.to_owned(), watch: None, scan: Scan::at(0) })
    }

    /// Numbers of the oldest record kept and after the newest one. Costs a few small reads, however long the log is.
    pub fn bounds(&self) -> Result<(u64, u64)> {
        let all = segment::list(&self.dir)?;
        let (Some(first), Some(last)) = (all.first(), all.last()) else { return Ok((0, 0)) };
        let end = Segment::open(&self.dir, *last)?.map_or(*last, |segment| segment.end().0);
        Ok((*first, end))
    }

    /// Goes to the last `n` records.
    pub fn seek_tail(&mut self, n: u64) -> Result<()> {
        let (first, end) = self.bounds()?;
        self.seek(end.saturating_sub(n).max(first));
        Ok(())
    }

    /// Goes to the record of that number (the oldest kept one when it was rotated away).
    pub fn seek(&mut self, number: u64) {
        self.scan = Scan::at(number);
    }

    /// Goes to the first record of that time or later.
    pub fn seek_since(&mut self, time: Timestamp) -> Result<()> {
        let number = self.number_at(time)?;
        self.seek(number);
        Ok(())
    }

    /// Number of the first record of that time or later.
    pub fn number_at(&self, time: Timestamp) -> Result<u64> {
        let mut start = 0;
        for first in segment::list(&self.dir)? {
            let Some(segment) = Segment::open(&self.dir, first)? else { continue };
            match segment.header(0) {
                Some(header) if header.time < time.0 => {
                    let offset = segment.seek(|entry| entry.time < time.0);
                    start = segment.header(offset).map_or(first, |h| h.seq);
                }
                _ => break,
            }
        }
        let mut scan = Scan::at(start);
        loop {
            let number = scan.peek_number(&self.dir)?;
            match scan.next(&self.dir)? {
                Some(record) if record.time < time => {}
                _ => return Ok(number),
            }
        }
    }

    /// The next record; `None`: there is no more now.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<LogRecord>> {
        if let Some(record) = self.scan.buffered() {
            return Ok(Some(record));
        }
        if let Some(watch) = &self.watch {
            // Before looking, so that what is written after the look makes the descriptor readable again.
            watch.drain();
        }
        self.scan.next(&self.dir)
    }

    /// Number of the record that `next` will give.
    pub fn number(&self) -> u64 {
        self.scan.number
    }

    /// Up to `n` records before number `before`, oldest first.
    pub fn read_before(&self, before: u64, n: usize) -> Result<Page> {
        let (first, end) = self.bounds()?;
        let before = before.clamp(first, end);
        let start = before.saturating_sub(n as u64).max(first);
        self.read_after(start, usize::try_from(before - start).unwrap_or(n))
    }

    /// Up to `n` records from number `start` on.
    pub fn read_after(&self, start: u64, n: usize) -> Result<Page> {
        let mut scan = Scan::at(start);
        let start = scan.peek_number(&self.dir)?;
        let mut records = Vec::with_capacity(n.min(4096));
        while records.len() < n {
            match scan.next(&self.dir)? {
                Some(record) => records.push(record),
                None => break,
            }
        }
        Ok(Page { start, records })
    }

    /// Starts noticing growth: the descriptor to poll. The log's directory is made when it is not there yet.
    pub fn watch(&mut self) -> Result<RawFd> {
        if self.watch.is_none() {
            std::fs::create_dir_all(&self.dir).map_err(|source| Error::Io {
                what: "create",
                path: self.dir.clone(),
                source,
            })?;
            let watch = Watch::new()?;
            watch.add_dir(&self.dir)?;
            self.watch = Some(watch);
        }
        Ok(self.watch.as_ref().map_or(-1, AsRawFd::as_raw_fd))
    }

    /// Blocks skipped because they are damaged.
    pub fn damaged(&self) -> u64 {
        self.scan.damaged
    }
}

/// A forward scan: the open segment, where its next block is, and the records of the block at hand.
#[derive(Debug)]
struct Scan {
    number: u64,
    segment: Option<Segment>,
    offset: u64,
    records: Records,
    /// Number of the next of `records`.
    here: u64,
    /// Number after the last of them.
    block_end: u64,
    damaged: u64,
}

impl Scan {
    fn at(number: u64) -> Scan {
        Scan { number, segment: None, offset: 0, records: Records::default(), here: 0, block_end: 0, damaged: 0 }
    }

    fn next(&mut self, dir: &Path) -> Result<Option<LogRecord>> {
        loop {
            if let Some(record) = self.buffered() {
                return Ok(Some(record));
            }
            if !self.load(dir)? {
                return Ok(None);
            }
        }
    }

    /// A record of the block at hand.
    fn buffered(&mut self) -> Option<LogRecord> {
        for record in self.records.by_ref() {
            let number = self.here;
            self.here += 1;
            if number >= self.number {
                self.number = number + 1;
                return Some(record);
            }
        }
        None
    }

    /// The number `next` will give, when the one asked for is no longer there.
    fn peek_number(&mut self, dir: &Path) -> Result<u64> {
        if self.here >= self.block_end && self.load(dir)? && self.here > self.number {
            self.number = self.here;
        }
        Ok(self.number)
    }

    /// Reads the next block; false when there is none yet.
    fn load(&mut self, dir: &Path) -> Result<bool> {
        if self.segment.is_none() && !self.locate(dir)? {
            return Ok(false);
        }
        loop {
            if self.take_block() {
                return Ok(true);
            }
            let Some(current) = self.segment.as_ref().map(|s| s.first) else { return Ok(false) };
            let Some(next) = segment::list(dir)?.into_iter().find(|first| *first > current) else { return Ok(false) };
            // It may have got its last blocks before the next segment was begun.
            if self.take_block() {
                return Ok(true);
            }
            (self.segment, self.offset) = (Segment::open(dir, next)?, 0);
            if self.segment.is_none() && !self.locate(dir)? {
                return Ok(false);
            }
        }
    }

    fn take_block(&mut self) -> bool {
        let Some(segment) = &self.segment else { return false };
        loop {
            let Some((header, block)) = intact_block(segment, self.offset) else {
                // Nothing after it: this is the end as far as written. Else it is damaged, unless it came just now.
                let Some(offset) = segment.resume_after(self.offset) else { return false };
                if intact_block(segment, self.offset).is_none() {
                    self.offset = offset;
                    self.damaged += 1;
                }
                continue;
            };
            self.offset += header.whole();
            if header.seq + u64::from(header.count) <= self.number {
                continue;
            }
            (self.here, self.block_end) = (header.seq, header.seq + u64::from(header.count));
            self.records = Records::new(Bytes::from(block).slice(format::HEADER..), header.time);
            return true;
        }
    }

    /// Opens the segment that holds the wanted number, at the last indexed block before it.
    fn locate(&mut self, dir: &Path) -> Result<bool> {
        let all = segment::list(dir)?;
        let after = all.partition_point(|first| *first <= self.number);
        for first in &all[after.saturating_sub(1)..] {
            if let Some(segment) = Segment::open(dir, *first)? {
                self.offset = segment.seek(|entry| entry.seq <= self.number);
                self.segment = Some(segment);
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn intact_block(segment: &Segment, offset: u64) -> Option<(Header, Vec<u8>)> {
    let header = segment.header(offset)?;
    let block = segment.block(offset, &header)?;
    format::is_intact(&block, &header).then_some((header, block))
}
