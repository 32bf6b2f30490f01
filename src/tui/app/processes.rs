//! The Top tab: a container's processes, asked for anew with each second's figures while they are looked at.

use super::work::{Purpose, Ticket};
use super::{App, Tab};
use crate::engine::Request;
use crate::model::id::ContainerId;
use crate::model::process::Process;
use crate::model::time::Timestamp;
use crate::tui::figures;
use crate::tui::filter::Filter;
use crate::tui::list::List;
use crate::tui::panes::Pane;
use std::cmp::Ordering;
use std::collections::HashMap;

pub const SORTS: [&str; 6] = ["pid", "user", "time", "cpu", "memory", "command"];
const FIELDS: [&str; 3] = ["pid", "user", "command"];

/// A pid with the moment it was given: pids come again.
pub type Key = (i32, u64);

/// What a row shows.
#[derive(Clone, Debug)]
pub struct ProcessRow {
    pub key: Key,
    pub process: Process,
    /// Percent of one CPU since the look before; `None` at the first.
    pub cpu: Option<f64>,
    /// Without its trembling.
    pub memory: u64,
}

#[derive(Debug, Default)]
pub struct Processes {
    pub list: List<Key>,
    /// Filtered and sorted.
    pub rows: Vec<ProcessRow>,
    all: Vec<ProcessRow>,
    of: Option<ContainerId>,
    ticket: Option<Ticket>,
    /// When the last look was.
    looked: Option<Timestamp>,
    pub error: Option<String>,
}

impl Processes {
    /// Is there an answer for what is selected?
    pub fn known(&self) -> bool {
        self.looked.is_some()
    }

    fn take(&mut self, processes: Vec<Process>, now: Timestamp) {
        let before: HashMap<Key, &ProcessRow> = self.all.iter().map(|row| (row.key, row)).collect();
        let nanos = self.looked.map_or(0, |then| now.0.saturating_sub(then.0));
        let row = |process: Process| {
            let key = (process.inside, process.started);
            let old = before.get(&key);
            let cpu = old.filter(|_| nanos > 0).map(|old| {
                let used = process.cpu_usec.saturating_sub(old.process.cpu_usec);
                figures::steady(old.cpu.unwrap_or(0.0), used as f64 * 1e5 / nanos as f64, 0.1)
            });
            let memory = figures::steady_memory(old.map_or(0, |old| old.memory), process.memory);
            ProcessRow { key, process, cpu, memory }
        };
        self.all = processes.into_iter().map(row).collect();
        self.looked = Some(now);
        self.error = None;
        self.rebuild();
    }

    /// After a change of filter, order or rows.
    pub fn rebuild(&mut self) {
        let filter = Filter::parse(self.list.filter.text(), &FIELDS);
        let shown = |row: &&ProcessRow| {
            let pid = row.process.inside.to_string();
            filter.matches(&[("command", &row.process.command), ("user", &row.process.user), ("pid", &pid)])
        };
        let mut rows: Vec<ProcessRow> = self.all.iter().filter(shown).cloned().collect();
        let (sort, reverse) = (self.list.sort, self.list.reverse);
        rows.sort_by(|a, b| {
            let order = compare(a, b, sort);
            let order = if reverse { order.reverse() } else { order };
            // Whatever the column, equal ones keep their places.
            order.then_with(|| a.key.cmp(&b.key))
        });
        let present: std::collections::BTreeSet<Key> = self.all.iter().map(|r| r.key).collect();
        self.list.set_order(rows.iter().map(|r| r.key).collect(), self.all.len(), |key| present.contains(key));
        self.rows = rows;
    }

    pub fn selected(&self) -> Option<&ProcessRow> {
        self.list.selected_index().and_then(|i| self.rows.get(i))
    }
}

fn compare(a: &ProcessRow, b: &ProcessRow, sort: usize) -> Ordering {
    match SORTS[sort.min(SORTS.len() - 1)] {
        "user" => a.process.user.cmp(&b.process.user),
        "time" => b.process.cpu_usec.cmp(&a.process.cpu_usec),
        "cpu" => b.cpu.unwrap_or(0.0).total_cmp(&a.cpu.unwrap_or(0.0)),
        "memory" => b.memory.cmp(&a.memory),
        "command" => a.process.command.cmp(&b.process.command),
        _ => Ordering::Equal,
    }
}

impl App {
    /// Asks for the processes when they are in view and no answer is under way.
    pub(super) fn look_at_processes(&mut self) {
        if self.panes.last_list == Pane::Images || self.tabs().1 != Tab::Top {
            return;
        }
        let layout = self.panes.layout(self.size.0, self.size.1);
        let in_view = layout.panes.iter().any(|(pane, _)| *pane == Pane::Detail);
        let Some(row) = self.containers.selected().filter(|_| in_view) else { return };
        let (id, live) = (row.id.clone(), row.status.is_live());
        if self.detail.processes.of.as_ref() != Some(&id) {
            let sort = self.detail.processes.list.sort;
            self.detail.processes = Processes { of: Some(id.clone()), ..Processes::default() };
            self.detail.processes.list.sort = sort;
        }
        if live && self.detail.processes.ticket.is_none() {
            let request = Request::Top { container: id.to_string() };
            let ticket = self.submit(Purpose::Processes, request);
            self.detail.processes.ticket = Some(ticket);
        }
    }

    pub(super) fn processes_answer(&mut self, ticket: Ticket, answer: Result<Vec<Process>, String>) {
        let processes = &mut self.detail.processes;
        // Another container has been selected meanwhile.
        if processes.ticket != Some(ticket) {
            return;
        }
        processes.ticket = None;
        match answer {
            Ok(found) => processes.take(found, self.now),
            Err(why) => processes.error = Some(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(inside: i32, cpu_usec: u64, memory: u64, command: &str) -> Process {
        Process {
            pid: 4000 + inside,
            parent: 1,
            inside,
            uid: 0,
            user: "root".into(),
            state: 'S',
            cpu_usec,
            started: 7,
            memory,
            command: command.into(),
        }
    }

    #[test]
    fn cpu_is_what_was_used_between_two_looks() {
        let mut processes = Processes::default();
        let second = |n: i64| Timestamp(n * 1_000_000_000);
        processes.take(vec![process(1, 100, 5 << 20, "sh"), process(9, 0, 1 << 20, "yes")], second(1));
        assert_eq!(processes.rows[1].cpu, None);
        processes.list.sort = 3;
        let look = vec![process(1, 100, (5 << 20) + 4096, "sh"), process(9, 500_000, 1 << 20, "yes")];
        processes.take(look, second(2));
        let shown: Vec<_> = processes.rows.iter().map(|r| (r.key.0, r.cpu, r.memory)).collect();
        assert_eq!(shown, [(9, Some(50.0), 1 << 20), (1, Some(0.0), 5 << 20)]);
    }

    #[test]
    fn equal_rows_keep_their_places_either_way_round() {
        let mut processes = Processes::default();
        let all: Vec<Process> = (1..5).map(|pid| process(pid, 0, 0, "x")).collect();
        processes.list.sort = 3;
        for reverse in [false, true] {
            processes.list.reverse = reverse;
            processes.take(all.clone(), Timestamp(1));
            assert_eq!(processes.rows.iter().map(|r| r.key.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
        }
    }
}
