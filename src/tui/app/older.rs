//! A log's older lines: fetched when somebody looks for something, goes to the top, or takes the whole log along.

use super::App;
use super::detail::{LOG_LINES, LOG_TAIL};
use super::work::{Purpose, Ticket};
use crate::engine::Request;
use crate::engine::request::LogsArgs;
use crate::model::log::LogRecord;

/// What waits for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    Save,
    Pipe(String),
}

#[derive(Debug, Default)]
pub(super) struct Older {
    /// The number of the first record held.
    pub before: u64,
    ticket: Option<Ticket>,
    records: Vec<LogRecord>,
    waits: Option<Waits>,
    /// They could not be read: not again and again.
    failed: bool,
}

impl App {
    pub(super) fn tend_older(&mut self) {
        if self.detail.logs.wants_older() {
            self.fetch_older();
        }
    }

    /// True when `what` is done once they are there.
    pub(super) fn after_older(&mut self, what: Waits) -> bool {
        self.fetch_older();
        let waits = self.detail.older.ticket.is_some();
        if waits {
            self.detail.older.waits = Some(what);
            self.say("the older lines of the log are read first");
        }
        waits
    }

    fn fetch_older(&mut self) {
        let (records, older) = (self.detail.logs.older(), &self.detail.older);
        let Some(id) = self.detail.logs_of.clone() else { return };
        if records == 0 || older.ticket.is_some() || older.failed || self.detail.logs.is_full() {
            return;
        }
        let tail = Some(records.min(LOG_LINES as u64 - LOG_TAIL));
        let args = LogsArgs { container: id.to_string(), tail, before: Some(older.before), ..LogsArgs::default() };
        self.detail.older.ticket = Some(self.submit(Purpose::Logs, Request::Logs(args)));
    }

    /// Another log is opened.
    pub(super) fn drop_older(&mut self) {
        if let Some(ticket) = std::mem::take(&mut self.detail.older).ticket {
            self.work.finish(ticket);
            self.push(super::Cmd::Leave(ticket));
        }
    }

    /// False when they are not of this ticket.
    pub(super) fn take_older(&mut self, ticket: Ticket, records: &mut Vec<LogRecord>) -> bool {
        let ours = self.detail.older.ticket == Some(ticket);
        if ours {
            self.detail.older.records.append(records);
        }
        ours
    }

    pub(super) fn older_done(&mut self, ticket: Ticket, error: Option<String>) {
        if self.detail.older.ticket != Some(ticket) {
            return;
        }
        let older = &mut self.detail.older;
        older.ticket = None;
        older.failed = error.is_some() || older.records.is_empty();
        let (records, waits) = (std::mem::take(&mut older.records), older.waits.take());
        older.before = older.before.saturating_sub(records.len() as u64);
        self.detail.logs.prepend(records);
        if let Some(why) = error {
            self.complain(format!("the older lines of the log: {why}"));
        }
        match waits {
            Some(Waits::Save) => self.write_log(),
            Some(Waits::Pipe(command)) => self.pipe_log(command),
            None => {}
        }
    }
}
