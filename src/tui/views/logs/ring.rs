//! Log lines in a bounded ring: each keeps its number for life, so that hits, marks and scroll positions stay valid.

use super::level::{self, Level};
use crate::model::log::{LogRecord, Stream};
use crate::model::time::Timestamp;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// What a row's own fields are counted as, beside its text.
const ROW_OVERHEAD: usize = 64;
/// A line without an end goes on in a new row after this many bytes.
const LONGEST_ROW: usize = 1 << 20;

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub time: Timestamp,
    pub bytes: Bytes,
    pub source: u16,
    pub stream: Stream,
    pub level: Level,
    /// Not a line but the user's mark with this number.
    pub mark: Option<u32>,
    /// The line goes on in the stream's next record.
    open: bool,
}

impl Row {
    pub fn is_error(&self) -> bool {
        self.mark.is_none()
            && (self.level == Level::Error || (self.level == Level::None && self.stream == Stream::Stderr))
    }

    fn cost(&self) -> usize {
        self.bytes.len() + ROW_OVERHEAD
    }

    pub fn of_mark(number: u32, time: Timestamp) -> Row {
        let (source, stream, level) = (0, Stream::Stdout, Level::None);
        Row { time, bytes: Bytes::new(), source, stream, level, mark: Some(number), open: false }
    }

    pub fn of_record(source: u16, record: LogRecord) -> Row {
        let level = level::detect(&record.bytes);
        let LogRecord { time, stream, partial, bytes } = record;
        Row { time, bytes, source, stream, level, mark: None, open: partial }
    }
}

/// The first row's number: others may come before it.
const BEGINNING: u64 = 1 << 40;

pub(super) struct Ring {
    rows: VecDeque<Row>,
    /// The number of the oldest row held.
    first: u64,
    bytes: usize,
    most_rows: usize,
    most_bytes: usize,
    full: bool,
}

impl Ring {
    pub fn new(most_rows: usize, most_bytes: usize) -> Self {
        Self { rows: VecDeque::new(), first: BEGINNING, bytes: 0, most_rows: most_rows.max(1), most_bytes, full: false }
    }

    pub fn first(&self) -> u64 {
        self.first
    }

    /// One past the newest row's number.
    pub fn end(&self) -> u64 {
        self.first + self.rows.len() as u64
    }

    pub fn get(&self, number: u64) -> Option<&Row> {
        self.rows.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Appends a row; the oldest go while the bounds are exceeded.
    pub fn push(&mut self, row: Row) {
        self.bytes += row.cost();
        self.rows.push_back(row);
        while self.rows.len() > self.most_rows || (self.bytes > self.most_bytes && self.rows.len() > 1) {
            if let Some(old) = self.rows.pop_front() {
                self.bytes -= old.cost();
                self.first += 1;
            }
        }
    }

    /// Nothing more can be put before the first row.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Puts older rows before the first one, the newest of them first, while there is room: `false` when there was not
    /// enough.
    pub fn prepend(&mut self, older: Ring) -> bool {
        for row in older.rows.into_iter().rev() {
            if self.rows.len() >= self.most_rows || self.bytes + row.cost() > self.most_bytes || self.first == 0 {
                self.full = true;
                return false;
            }
            self.bytes += row.cost();
            self.rows.push_front(row);
            self.first -= 1;
        }
        true
    }

    /// An empty one with the same bounds.
    pub fn emptied(&self) -> Ring {
        Ring::new(self.most_rows, self.most_bytes)
    }

    /// The unfinished line that this record continues, if it is among the newest rows.
    pub fn unfinished(&self, source: u16, stream: Stream) -> Option<u64> {
        const NEAR: usize = 64;
        let same = |row: &Row| row.mark.is_none() && row.source == source && row.stream == stream;
        let back = self.rows.iter().rev().take(NEAR).position(same)?;
        let at = self.rows.len() - 1 - back;
        let row = &self.rows[at];
        (row.open && row.bytes.len() < LONGEST_ROW).then_some(self.first + at as u64)
    }

    /// Adds a record's bytes to an unfinished line.
    pub fn join(&mut self, number: u64, record: &LogRecord) {
        let Some(row) = number.checked_sub(self.first).and_then(|at| self.rows.get_mut(at as usize)) else { return };
        let mut whole = BytesMut::with_capacity(row.bytes.len() + record.bytes.len());
        whole.extend_from_slice(&row.bytes);
        whole.extend_from_slice(&record.bytes);
        self.bytes += record.bytes.len();
        row.bytes = whole.freeze();
        row.open = record.partial;
        row.level = level::detect(&row.bytes);
    }

    /// Takes away the newest rows whose time is after `time`, at most `limit` of them.
    pub fn take_after(&mut self, time: Timestamp, limit: usize) -> Vec<Row> {
        let count = self.rows.iter().rev().take(limit).take_while(|row| row.time > time).count();
        let taken: Vec<Row> = self.rows.split_off(self.rows.len() - count).into();
        self.bytes -= taken.iter().map(Row::cost).sum::<usize>();
        taken
    }
}
