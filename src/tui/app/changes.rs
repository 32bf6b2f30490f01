//! The Files tab: what a container made of its image, read when it is looked at.

use super::work::{Purpose, Ticket};
use super::{App, Tab};
use crate::engine::Request;
use crate::model::change::{Change, ChangeKind};
use crate::model::id::ContainerId;
use crate::tui::filter::Filter;
use crate::tui::list::List;
use crate::tui::panes::Pane;
use std::path::PathBuf;

const FIELDS: [&str; 2] = ["path", "kind"];

#[derive(Debug, Default)]
pub struct Changes {
    pub list: List<PathBuf>,
    /// Filtered.
    pub rows: Vec<Change>,
    all: Vec<Change>,
    of: Option<ContainerId>,
    ticket: Option<Ticket>,
    /// The answer is there.
    pub known: bool,
    pub error: Option<String>,
}

impl Changes {
    pub fn rebuild(&mut self) {
        let filter = Filter::parse(self.list.filter.text(), &FIELDS);
        let shown = |change: &&Change| {
            let kind = match change.kind {
                ChangeKind::Added => "added",
                ChangeKind::Changed => "changed",
                ChangeKind::Deleted => "deleted",
            };
            filter.matches(&[("path", &change.path.to_string_lossy()), ("kind", kind)])
        };
        self.rows = self.all.iter().filter(shown).cloned().collect();
        let order = self.rows.iter().map(|c| c.path.clone()).collect();
        self.list.set_order(order, self.all.len(), |_| true);
    }

    pub fn selected(&self) -> Option<&Change> {
        self.list.selected_index().and_then(|i| self.rows.get(i))
    }

    /// `3 added · 2 changed · 1 deleted`; of all, filtered or not.
    pub fn summary(&self) -> String {
        let count = |kind| self.all.iter().filter(|c| c.kind == kind).count();
        let (added, changed, deleted) =
            (count(ChangeKind::Added), count(ChangeKind::Changed), count(ChangeKind::Deleted));
        format!("{added} added · {changed} changed · {deleted} deleted")
    }
}

impl App {
    /// Asks for the changes when they are in view and those known are another container's.
    pub(super) fn look_at_changes(&mut self) {
        if self.panes.last_list == Pane::Images || self.tabs().1 != Tab::Files {
            return;
        }
        let Some(id) = self.containers.selected().map(|row| row.id.clone()) else { return };
        if self.detail.changes.of.as_ref() != Some(&id) {
            self.detail.changes = Changes { of: Some(id), ..Changes::default() };
            self.refresh_changes();
        }
    }

    /// Reads them again.
    pub(super) fn refresh_changes(&mut self) {
        let Some(id) = self.detail.changes.of.clone() else { return };
        if self.detail.changes.ticket.is_none() {
            let ticket = self.submit(Purpose::Changes, Request::Diff { container: id.to_string() });
            self.detail.changes.ticket = Some(ticket);
        }
    }

    pub(super) fn changes_answer(&mut self, ticket: Ticket, answer: Result<Vec<Change>, String>) {
        let changes = &mut self.detail.changes;
        if changes.ticket != Some(ticket) {
            return;
        }
        changes.ticket = None;
        changes.known = true;
        match answer {
            Ok(found) => {
                changes.all = found;
                changes.error = None;
                changes.rebuild();
            }
            Err(why) => changes.error = Some(why),
        }
    }
}
