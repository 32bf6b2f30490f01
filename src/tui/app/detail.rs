//! The detail pane and the stats pane: they show what is selected, and fetch it when the selection rests.

use super::changes::Changes;
use super::older::{Older, Waits};
use super::processes::Processes;
use super::work::{Purpose, Ticket};
use super::{App, Cmd, Tab};
use crate::engine::job::Chunk;
use crate::engine::request::{InspectArgs, InspectKind, LogsArgs};
use crate::engine::{ContainerEntry, Request};
use crate::model::id::ContainerId;
use crate::model::stats::Sample;
use crate::model::time::Timestamp;
use crate::tui::panes::Pane;
use crate::tui::views::logs::{Ask, LogView};
use crate::tui::views::stats::StatsView;
use crate::tui::views::tree::Tree;
use std::sync::Arc;

/// A held arrow key passes many rows: nothing is fetched for those it only passes.
const REST_NANOS: i64 = 60_000_000;
pub(super) const LOG_TAIL: u64 = 20_000;
pub(super) const LOG_LINES: usize = 200_000;
const LOG_BYTES: usize = 32 << 20;

/// What the detail is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Container(ContainerId),
    /// An image row's key.
    Image(String),
}

pub struct Detail {
    pub subject: Option<Subject>,
    /// When the selection came to rest, if what it needs is not fetched yet.
    due: Option<Timestamp>,
    pub logs: LogView,
    pub(super) logs_of: Option<ContainerId>,
    pub(super) older: Older,
    logs_ticket: Option<Ticket>,
    pub logs_error: Option<String>,
    /// There is search work left.
    pub logs_busy: bool,
    pub stats: StatsView,
    stats_of: Option<ContainerId>,
    pub tree: Tree,
    /// What the tree shows: the subject and, for a container, the state of it that was asked for.
    tree_of: Option<(Subject, Option<Arc<ContainerEntry>>)>,
    pub tree_error: Option<String>,
    pub processes: Processes,
    pub changes: Changes,
    /// First line shown of the tabs that are plain lines.
    pub offset: usize,
}

impl Default for Detail {
    fn default() -> Self {
        Self {
            subject: None,
            due: None,
            logs: LogView::with_capacity(LOG_LINES, LOG_BYTES),
            logs_of: None,
            older: Older::default(),
            logs_ticket: None,
            logs_error: None,
            logs_busy: false,
            stats: StatsView::default(),
            stats_of: None,
            tree: Tree::default(),
            tree_of: None,
            tree_error: None,
            processes: Processes::default(),
            changes: Changes::default(),
            offset: 0,
        }
    }
}

impl Detail {
    /// When [`App::tend_detail`] has something to do.
    pub fn wake_at(&self) -> Option<Timestamp> {
        if self.logs_busy { Some(Timestamp::default()) } else { self.due }
    }
}

impl App {
    pub fn subject(&self) -> Option<Subject> {
        if self.panes.last_list == Pane::Images {
            self.images.selected().map(|r| Subject::Image(r.key.clone()))
        } else {
            self.containers.selected().map(|r| Subject::Container(r.id.clone()))
        }
    }

    pub fn selected_container(&self) -> Option<&Arc<ContainerEntry>> {
        self.containers.selected().and_then(|r| self.inventory.container(&r.id))
    }

    /// The name the detail's title shows.
    pub fn subject_name(&self) -> String {
        match self.subject() {
            Some(Subject::Container(_)) => self.containers.selected().map(|r| r.name.clone()),
            Some(Subject::Image(_)) => self.images.selected().map(|r| r.name.clone()),
            None => None,
        }
        .unwrap_or_default()
    }

    /// After every message: follows the selection, fetching once it rests.
    pub(super) fn tend_detail(&mut self) {
        let subject = self.subject();
        if subject != self.detail.subject {
            // The first one is wanted at once.
            let rest = if self.detail.subject.is_none() { 0 } else { REST_NANOS };
            self.detail.subject = subject;
            self.detail.offset = 0;
            self.detail.due = Some(Timestamp(self.now.0.saturating_add(rest)));
        }
        if self.detail.due.is_some_and(|due| due <= self.now) {
            self.detail.due = None;
            self.fetch_detail();
        }
        self.detail.logs_busy = self.detail.logs.advance();
        self.tend_older();
    }

    /// Fetches what the open tab needs and has not.
    pub(super) fn fetch_detail(&mut self) {
        if self.detail.due.is_some() {
            return;
        }
        let (_, tab) = self.tabs();
        if let Some(id) = self.containers.selected().map(|r| r.id.clone()) {
            if self.detail.stats_of.as_ref() != Some(&id) {
                self.detail.stats_of = Some(id.clone());
                self.detail.stats.set(Vec::new());
                self.push(Cmd::History(id.clone()));
            }
            if tab == Tab::Logs {
                self.open_logs(id);
            }
        }
        match tab {
            Tab::Inspect => self.inspect(),
            Tab::Top => self.look_at_processes(),
            Tab::Files => self.look_at_changes(),
            _ => {}
        }
    }

    fn open_logs(&mut self, id: ContainerId) {
        let same = self.detail.logs_of.as_ref() == Some(&id);
        let live = self.inventory.container(&id).is_some_and(|c| c.state.status.is_live());
        if same && (self.detail.logs_ticket.is_some() || !live || self.detail.logs_error.is_some()) {
            return;
        }
        if let Some(ticket) = self.detail.logs_ticket.take() {
            self.work.finish(ticket);
            self.push(Cmd::Leave(ticket));
        }
        self.drop_older();
        self.detail.logs.clear();
        self.detail.logs_error = None;
        self.detail.logs_of = Some(id.clone());
        let window = self.detail.logs.window().map(|seconds| seconds as i64 * 1_000_000_000);
        let since = window.map(|nanos| self.now.0.saturating_sub(nanos));
        let args =
            LogsArgs { container: id.to_string(), follow: true, tail: Some(LOG_TAIL), since, ..LogsArgs::default() };
        self.detail.logs_ticket = Some(self.submit(Purpose::Logs, Request::Logs(args)));
    }

    pub(super) fn logs_chunk(&mut self, ticket: Ticket, mut chunk: Chunk) {
        if let Chunk::Log(records) = &mut chunk
            && self.take_older(ticket, records)
        {
            return;
        }
        if self.detail.logs_ticket != Some(ticket) {
            return;
        }
        match chunk {
            Chunk::Log(records) => self.detail.logs.push(records),
            Chunk::LogOlder { before, records } => {
                self.detail.older.before = before;
                self.detail.logs.set_older(records);
            }
            Chunk::Notice(text) => self.say(text),
            _ => {}
        }
    }

    pub(super) fn logs_done(&mut self, ticket: Ticket, error: Option<String>) {
        self.older_done(ticket, error.clone());
        if self.detail.logs_ticket == Some(ticket) {
            self.detail.logs_ticket = None;
            self.detail.logs_error = error;
        }
    }

    /// The log as it is shown, into `web-20261121T101500.log`.
    pub(super) fn save_log(&mut self) {
        if self.detail.logs.is_empty() {
            return self.say("the log has no lines to save");
        }
        if !self.after_older(Waits::Save) {
            self.write_log();
        }
    }

    pub(super) fn write_log(&mut self) {
        let time: String = self.now.rfc3339().chars().filter(|c| !matches!(c, '-' | ':')).take(15).collect();
        let name = format!("{}-{time}.log", self.subject_name());
        let bytes = self.detail.logs.all_text();
        self.push(Cmd::WriteFile(name, bytes));
    }

    /// After a key into the log's prompt: what the log then wants.
    pub(super) fn answer_log(&mut self) {
        match self.detail.logs.take_ask() {
            Some(Ask::Window(seconds)) => {
                self.detail.logs.set_window(seconds);
                self.detail.logs_of = None;
                self.fetch_detail();
            }
            Some(Ask::Pipe(command)) if self.after_older(Waits::Pipe(command.clone())) => {}
            Some(Ask::Pipe(command)) => self.pipe_log(command),
            None => {}
        }
    }

    pub(super) fn pipe_log(&mut self, command: String) {
        let bytes = self.detail.logs.all_text();
        self.push(Cmd::Pipe(command, bytes));
    }

    fn inspect(&mut self) {
        let Some(subject) = self.subject() else { return };
        // Not the inventory's revision: asking is a job, jobs are in the inventory, and that would go round for ever.
        let state = match &subject {
            Subject::Container(id) => self.inventory.container(id).cloned(),
            Subject::Image(_) => None,
        };
        if self
            .detail
            .tree_of
            .as_ref()
            .is_some_and(|(s, old)| *s == subject && same_entry(old.as_ref(), state.as_ref()))
        {
            return;
        }
        if self.detail.tree_of.as_ref().is_none_or(|(s, _)| *s != subject) {
            self.detail.tree = Tree::default();
        }
        self.detail.tree_of = Some((subject.clone(), state));
        let (name, kind) = match &subject {
            Subject::Container(id) => (id.to_string(), InspectKind::Container),
            Subject::Image(key) => (key.clone(), InspectKind::Image),
        };
        let args = InspectArgs { names: vec![name.clone()], kind, size: false };
        self.submit(Purpose::Inspect(name), Request::Inspect(args));
    }

    /// The inspect answer, if it is still about what is shown.
    pub(super) fn inspected(&mut self, name: &str, value: Result<serde_json::Value, String>) {
        let current = match &self.detail.tree_of {
            Some((Subject::Container(id), _)) => id.as_str() == name,
            Some((Subject::Image(key), _)) => key == name,
            None => false,
        };
        if !current {
            return;
        }
        match value {
            Ok(value) => {
                self.detail.tree_error = None;
                self.detail.tree.set(value);
            }
            Err(why) => self.detail.tree_error = Some(why),
        }
    }

    pub(super) fn history(&mut self, id: &ContainerId, samples: Vec<Arc<Sample>>) {
        if self.detail.stats_of.as_ref() == Some(id) {
            self.detail.stats.set(samples);
        }
    }

    pub(super) fn push_sample(&mut self) {
        let Some(id) = &self.detail.stats_of else { return };
        if let Some(sample) = self.stats.latest.get(id).and_then(|s| s.sample.clone()) {
            self.detail.stats.push(Arc::new(sample));
        }
    }

    /// Scrolls what the detail shows, from itself or from a list.
    pub(super) fn scroll_detail(&mut self, by: isize) {
        match self.tabs().1 {
            Tab::Logs => match by {
                isize::MIN => self.detail.logs.to_start(),
                isize::MAX => self.detail.logs.to_end(),
                by => self.detail.logs.scroll(by as i64),
            },
            Tab::Stats => {}
            Tab::Inspect => self.detail.tree.step(by),
            Tab::Top => self.detail.processes.list.step(by),
            Tab::Files => self.detail.changes.list.step(by),
            Tab::Env | Tab::Layers => {
                let lines = crate::tui::views::lines::lines(self).len();
                self.detail.offset = self.detail.offset.saturating_add_signed(by).min(lines.saturating_sub(1));
            }
        }
    }
}

fn same_entry(a: Option<&Arc<ContainerEntry>>, b: Option<&Arc<ContainerEntry>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a.container == b.container && a.state == b.state,
        (None, None) => true,
        _ => false,
    }
}
