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
    /// Bytes a second, smoothed.
    pub speed: f64,
    measured: (Timestamp, u64),
    pub cancelling: bool,
    /// A removal that can be taken back: when it was hidden.
    pub hidden: Option<Timestamp>,
}

impl Task {
    /// Cancelling it brings back what it removed.
    pub fn is_undoable(&self) -> bool {
        self.hidden.is_some() && !self.cancelling
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
            speed: 0.0,
            measured: (now, 0),
            cancelling: false,
            hidden: None,
        };
        self.running.insert(ticket, task);
        ticket
    }

    pub fn progress(&mut self, ticket: Ticket, now: Timestamp, progress: Progress) {
        let Some(task) = self.running.get_mut(&ticket) else { return };
        // What an earlier pull left is there at once: that is no speed.
        if task.measured.1 == 0 {
            task.measured = (now, progress.done);
        }
        let nanos = now.0.saturating_sub(task.measured.0.0);
        if nanos >= 500_000_000 {
            let speed = progress.done.saturating_sub(task.measured.1) as f64 * 1e9 / nanos as f64;
            task.speed = if task.speed == 0.0 { speed } else { task.speed * 0.6 + speed * 0.4 };
            task.measured = (now, progress.done);
        }
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
