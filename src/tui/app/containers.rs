//! The containers list: rows from the inventory and the last second's figures, filtered and sorted.

use crate::engine::{ContainerEntry, ContainerStats, Inventory, StatsBoard};
use crate::model::container::Status;
use crate::model::health::HealthStatus;
use crate::model::id::ContainerId;
use crate::model::time::Timestamp;
use crate::tui::figures;
use crate::tui::filter::Filter;
use crate::tui::list::List;
use crate::tui::ports;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Seconds of CPU history kept for the sparkline.
const HISTORY: usize = 32;
/// The CPU order moves at most this often, so that rows do not jump under the eye.
const REORDER_NANOS: i64 = 2_000_000_000;

/// A running container's row names an OOM kill for so long.
const OOM_SECONDS: u64 = 60;

/// What a row shows.
#[derive(Clone, Debug)]
pub struct ContainerRow {
    pub id: ContainerId,
    pub name: String,
    pub image: String,
    pub status: Status,
    /// Of a live one that is checked.
    pub health: Option<HealthStatus>,
    /// `exit 137 OOM`, `created`; empty for live ones.
    pub ending: String,
    pub failed: bool,
    /// Percent of one CPU.
    pub cpu: Option<f64>,
    /// Percent it may use: its limit or all of the host.
    pub cpu_limit: f64,
    pub memory: Option<u64>,
    pub memory_limit: Option<u64>,
    /// Started or, when it has ended, finished.
    pub since: Option<Timestamp>,
    pub created: Timestamp,
    pub restarts: u32,
    pub shells: usize,
    /// What is published now.
    pub ports: Vec<ports::Shown>,
    /// Something wants a look: near its limits.
    pub alert: bool,
}

/// Columns to sort by, with what the title calls them.
pub const SORTS: [&str; 6] = ["created", "name", "status", "cpu", "memory", "uptime"];
const FIELDS: [&str; 5] = ["name", "image", "status", "id", "health"];

/// A container's figures as its row shows them.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    cpu: f64,
    memory: u64,
}

impl Shown {
    fn follow(&mut self, now: &ContainerStats) {
        self.cpu = figures::steady(self.cpu, now.rates.cpu_percent, 0.1);
        let memory = now.sample.as_ref().map_or(0, |s| s.memory_used());
        self.memory = figures::steady_memory(self.memory, memory);
    }
}

#[derive(Debug)]
pub struct Containers {
    pub list: List<ContainerId>,
    pub rows: Vec<ContainerRow>,
    pub show_all: bool,
    pub history: HashMap<ContainerId, VecDeque<f32>>,
    /// The figures as they are shown: noise below what a row can tell does not move them.
    shown: HashMap<ContainerId, Shown>,
    /// When the order last followed the figures.
    ordered: Timestamp,
    /// OOM kills counted so far, and when the last came while we looked.
    ooms: HashMap<ContainerId, (u64, Option<Timestamp>)>,
}

impl Default for Containers {
    fn default() -> Self {
        Self {
            list: List::default(),
            rows: Vec::new(),
            show_all: true,
            history: HashMap::new(),
            shown: HashMap::new(),
            ordered: Timestamp::default(),
            ooms: HashMap::new(),
        }
    }
}

impl Containers {
    /// Takes a second's figures into the sparklines; the names of those the kernel has just killed a process of.
    pub fn take_stats(&mut self, stats: &StatsBoard, now: Timestamp) -> Vec<String> {
        let mut killed = Vec::new();
        self.ooms.retain(|id, _| stats.latest.contains_key(id));
        for (id, figures) in &stats.latest {
            let Some(count) = figures.sample.as_ref().and_then(|s| s.oom_kills) else { continue };
            let known = self.ooms.entry(id.clone()).or_insert((count, None));
            if count > known.0 {
                *known = (count, Some(now));
                killed.push(figures.name.clone());
            }
        }
        self.history.retain(|id, _| stats.latest.contains_key(id));
        for (id, figures) in &stats.latest {
            let values = self.history.entry(id.clone()).or_default();
            if values.len() == HISTORY {
                values.pop_front();
            }
            values.push_back(figures.rates.cpu_percent as f32);
        }
        self.shown.retain(|id, _| stats.latest.contains_key(id));
        for (id, figures) in &stats.latest {
            self.shown.entry(id.clone()).or_default().follow(figures);
        }
        killed
    }

    /// Memory of all that run, as their rows show it.
    pub fn memory_shown(&self) -> u64 {
        self.shown.values().map(|s| s.memory).sum()
    }

    /// Kills of a container whose last one came within the last minute.
    pub fn recent_ooms(&self, id: &ContainerId, now: Timestamp) -> Option<u64> {
        let (count, when) = self.ooms.get(id)?;
        when.filter(|t| now.seconds_since(*t) < OOM_SECONDS).map(|_| *count)
    }

    /// Builds the rows anew. `tick`: only figures changed, so the order may wait.
    pub fn rebuild(&mut self, inventory: &Inventory, stats: &StatsBoard, now: Timestamp, tick: bool) {
        let filter = Filter::parse(self.list.filter.text(), &FIELDS);
        let mut rows: Vec<ContainerRow> = inventory
            .containers
            .iter()
            .filter(|entry| self.show_all || entry.state.status.is_live())
            .map(|entry| row(entry, stats, inventory, self.shown.get(&entry.container.id).copied()))
            .collect();
        let total = rows.len();
        rows.retain(|row| {
            filter.matches(&[
                ("name", &row.name),
                ("image", &row.image),
                ("status", row.status.word()),
                ("status", &row.ending),
                ("id", row.id.as_str()),
                ("health", row.health.map_or("", HealthStatus::word)),
            ])
        });
        if tick && now.0.saturating_sub(self.ordered.0) < REORDER_NANOS {
            let place: HashMap<&ContainerId, usize> = self.list.order.iter().enumerate().map(|(i, k)| (k, i)).collect();
            rows.sort_by_key(|row| place.get(&row.id).copied().unwrap_or(usize::MAX));
        } else {
            self.ordered = now;
            let (sort, reverse) = (self.list.sort, self.list.reverse);
            rows.sort_by(|a, b| {
                let order = compare(a, b, sort);
                if reverse { order.reverse() } else { order }
            });
        }
        let order = rows.iter().map(|r| r.id.clone()).collect();
        let present: HashSet<&ContainerId> = inventory.containers.iter().map(|c| &c.container.id).collect();
        self.list.set_order(order, total, |id| present.contains(id));
        self.rows = rows;
    }

    pub fn selected(&self) -> Option<&ContainerRow> {
        self.list.selected_index().and_then(|i| self.rows.get(i))
    }

    /// Names of what a verb acts on.
    pub fn target_rows(&self) -> Vec<&ContainerRow> {
        let targets = self.list.targets();
        self.rows.iter().filter(|r| targets.contains(&r.id)).collect()
    }
}

fn row(entry: &Arc<ContainerEntry>, stats: &StatsBoard, inventory: &Inventory, shown: Option<Shown>) -> ContainerRow {
    let (container, state) = (&entry.container, &entry.state);
    let live = state.status.is_live();
    let figures = stats.latest.get(&container.id).filter(|_| live);
    let sample = figures.and_then(|f| f.sample.as_ref());
    let limits = &container.config.limits;
    let cpus = limits.nano_cpus.map(|n| n as f64 / 1e7).filter(|n| *n > 0.0);
    let cpu_limit = cpus.unwrap_or(f64::from(inventory.host.cpus.max(1)) * 100.0);
    let memory = sample.map(|s| shown.map_or(s.memory_used(), |shown| shown.memory));
    // What is in force, which is not always what was asked for.
    let memory_limit = sample.map_or(limits.memory, |s| s.memory_limit);
    let cpu = figures.map(|f| shown.map_or(f.rates.cpu_percent, |shown| shown.cpu));
    let near = |share: Option<f64>| share.is_some_and(|s| s >= 0.9);
    let memory_share = memory.zip(memory_limit).map(|(m, l)| m as f64 / l.max(1) as f64);
    let throttled = figures.is_some_and(|f| f.rates.throttled_percent >= 25.0);
    let health = state.health.as_ref().map(|h| h.status);
    let ending = match (state.status, &state.exit) {
        (Status::Created, _) if !state.error.is_empty() => String::from("cannot start"),
        (Status::Created, _) => String::from("created"),
        (Status::Restarting, _) => String::from("restarting"),
        (Status::Exited, Some(exit)) => exit.to_string(),
        (Status::Exited, None) => String::from("exited"),
        _ => String::new(),
    };
    let failed = !live && (!state.error.is_empty() || state.exit.is_some_and(|e| e.code != 0 || e.unknown || e.oom));
    ContainerRow {
        id: container.id.clone(),
        name: container.name.clone(),
        image: container.image_ref.clone(),
        status: state.status,
        health: health.filter(|_| live),
        ending,
        failed,
        cpu,
        cpu_limit,
        memory,
        memory_limit,
        since: if live { state.started } else { state.finished },
        created: container.created,
        restarts: state.restarts,
        shells: state.execs.iter().filter(|e| e.exit.is_none()).count()
            + usize::from(live && container.config.tty && container.config.open_stdin),
        ports: ports::shown(state.published()),
        alert: live && health == Some(HealthStatus::Unhealthy)
            || sample.is_some_and(|s| s.oom_kills.is_some_and(|n| n > 0))
            || near(memory_share)
            || throttled
            || cpus.is_some() && near(cpu.map(|c| c / cpu_limit)),
    }
}

fn compare(a: &ContainerRow, b: &ContainerRow, sort: usize) -> Ordering {
    let number = |x: Option<f64>| x.unwrap_or(-1.0);
    let first = match SORTS[sort.min(SORTS.len() - 1)] {
        "name" => a.name.cmp(&b.name),
        "status" => status_rank(a).cmp(&status_rank(b)),
        "cpu" => number(b.cpu).total_cmp(&number(a.cpu)),
        "memory" => b.memory.cmp(&a.memory),
        "uptime" => b.since.cmp(&a.since),
        _ => b.created.cmp(&a.created),
    };
    first.then_with(|| a.name.cmp(&b.name))
}

fn status_rank(row: &ContainerRow) -> u8 {
    match row.status {
        Status::Running if row.health == Some(HealthStatus::Unhealthy) => 1,
        Status::Running => 0,
        Status::Orphaned => 1,
        Status::Restarting => 2,
        Status::Paused => 3,
        Status::Created => 4,
        Status::Exited if row.failed => 5,
        Status::Exited => 6,
    }
}
