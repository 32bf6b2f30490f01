//! What the user set going: running requests by ticket, and the log of what came of them.

use crate::engine::job::{JobId, Progress, UNDOABLE};
use crate::engine::{Error, Request};
use crate::model::time::Timestamp;
use crate::tui::command;
use std::collections::{BTreeMap, VecDeque};

/// The screen's number for one request it submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What an answer is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Purpose {
    /// A change the user asked for: its result goes to the status line.
    Act,
    Pull,
    /// The JSON of the detail pane's subject.
    Inspect(String),
    /// The Top tab's rows.
    Processes,
    /// The Files tab's rows.
    Changes,
    Doctor,
    /// How much [`Request::Prune`] would free.
    Reclaim,
    Shell,
    Logs,
}

/// A request under way.
#[derive(Clone, Debug)]
pub struct Task {
    pub title: String,
    /// The same act as a command line.
    pub command: String,
    pub purpose: Purpose,
    pub started: Timestamp,
    pub job: Option<JobId>,
    pub progress: Progress,
    /// Of what is done, and of what arrives.
    done: Meter,
    arrived: Meter,
    pub cancelling: bool,
    /// A removal that can be taken back: when it was hidden.
    pub hidden: Option<Timestamp>,
}

impl Task {
    /// Cancelling it brings back what it removed.
    pub fn is_undoable(&self) -> bool {
        self.hidden.is_some() && !self.cancelling
    }

    /// Bytes a second that arrive, as long as some do.
    pub fn speed(&self) -> Option<f64> {
        let comes = self.progress.total.is_some_and(|total| self.progress.arrived < total);
        Some(self.arrived.rate).filter(|rate| comes && *rate > 0.0)
    }

    /// Seconds until the end, at the rate at which things are done.
    pub fn seconds_left(&self) -> Option<u64> {
        let left = self.progress.total?.saturating_sub(self.progress.done);
        (self.done.rate > 0.0).then(|| (left as f64 / self.done.rate).ceil() as u64)
    }
}

/// A rate a second, smoothed.
#[derive(Clone, Debug, Default)]
struct Meter {
    rate: f64,
    last: Option<(Timestamp, u64)>,
}

impl Meter {
    fn note(&mut self, now: Timestamp, count: u64) {
        // What an earlier pull left is there at once: that is no speed.
        let Some((then, before)) = self.last.filter(|(_, before)| *before > 0) else {
            self.last = Some((now, count));
            return;
        };
        let nanos = now.0.saturating_sub(then.0);
        if nanos >= 500_000_000 {
            let rate = count.saturating_sub(before) as f64 * 1e9 / nanos as f64;
            self.rate = if self.rate == 0.0 { rate } else { self.rate * 0.6 + rate * 0.4 };
            self.last = Some((now, count));
        }
    }
}

/// A line of the action log.
#[derive(Clone, Debug)]
pub struct Entry {
    pub time: Timestamp,
    pub title: String,
    /// `Err`: why not.
    pub result: Result<String, String>,
    pub nanos: i64,
    pub command: String,
}

const LOG_LINES: usize = 500;

#[derive(Clone, Debug, Default)]
pub struct Work {
    last: u64,
    pub running: BTreeMap<Ticket, Task>,
    /// Oldest first.
    pub log: VecDeque<Entry>,
}

impl Work {
    pub fn begin(&mut self, now: Timestamp, purpose: Purpose, request: &Request) -> Ticket {
        self.last += 1;
        let ticket = Ticket(self.last);
        let task = Task {
            title: format!("{} {}", request.name(), request.subject()).trim_end().to_owned(),
            command: command::line(request),
            purpose,
            started: now,
            job: None,
            progress: Progress::default(),
            done: Meter::default(),
            arrived: Meter::default(),
            cancelling: false,
            hidden: None,
        };
        self.running.insert(ticket, task);
        ticket
    }

    pub fn progress(&mut self, ticket: Ticket, now: Timestamp, progress: Progress) {
        let Some(task) = self.running.get_mut(&ticket) else { return };
        task.done.note(now, progress.done);
        task.arrived.note(now, progress.arrived);
        if progress.stage == UNDOABLE {
            task.hidden.get_or_insert(now);
        }
        task.progress = progress;
    }

    /// The last removal that can be taken back.
    pub fn undoable(&self) -> Option<Ticket> {
        self.running.iter().rev().find(|(_, task)| task.is_undoable()).map(|(ticket, _)| *ticket)
    }

    pub fn finish(&mut self, ticket: Ticket) -> Option<Task> {
        self.running.remove(&ticket)
    }

    /// Writes a line into the log.
    pub fn note(&mut self, now: Timestamp, title: &str, result: Result<String, String>, command: String) {
        self.write(Entry { time: now, title: title.to_owned(), result, nanos: 0, command });
    }

    pub fn write(&mut self, entry: Entry) {
        if self.log.len() == LOG_LINES {
            self.log.pop_front();
        }
        self.log.push_back(entry);
    }

    /// Pulls and image builds under way, oldest first.
    pub fn pulls(&self) -> impl Iterator<Item = (Ticket, &Task)> {
        self.running.iter().filter(|(_, t)| t.purpose == Purpose::Pull).map(|(id, task)| (*id, task))
    }
}

/// An error for the status line: what, why, and the hint.
pub fn error_text(error: &Error) -> String {
    match error.hint_text() {
        Some(hint) => format!("{error} (hint: {hint})"),
        None => error.to_string(),
    }
}
