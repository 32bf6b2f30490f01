//! Lines that are older than those held: a log is opened with its newest, the rest is asked for when it is wanted.

use super::LogView;
use super::ring::{Ring, Row};
use crate::model::log::LogRecord;

impl LogView {
    /// So many older records are there, and not held.
    pub fn set_older(&mut self, records: u64) {
        self.older = records;
    }

    pub fn older(&self) -> u64 {
        self.older
    }

    /// There is no room for older ones.
    pub fn is_full(&self) -> bool {
        self.ring.is_full()
    }

    /// Somebody looks for something, or stands at the first line that is held; and there is room.
    pub fn wants_older(&self) -> bool {
        let looks = self.query.search.is_some() || self.query.filtering();
        let at_top = !self.view.follow && self.view.top.0 <= self.ring.first();
        self.older > 0 && !self.is_empty() && !self.ring.is_full() && (looks || at_top)
    }

    /// Takes in records that come right before the first one held, as many as there is room for.
    pub fn prepend(&mut self, records: Vec<LogRecord>) {
        let count = records.len() as u64;
        let mut whole = Ring::new(usize::MAX, usize::MAX);
        for record in records {
            match whole.unfinished(0, record.stream) {
                Some(number) => whole.join(number, &record),
                None => whole.push(Row::of_record(0, record)),
            }
        }
        let before = self.ring.first();
        let fits = self.ring.prepend(whole);
        self.older = if fits { self.older.saturating_sub(count) } else { self.older.max(1) };
        for number in (self.ring.first()..before).rev() {
            if self.ring.get(number).is_some_and(Row::is_error) {
                self.index.errors.push_front(number);
            }
        }
        let jump = self.jump;
        self.requery();
        self.jump = jump;
        self.jump_if_found();
    }
}
