//! Samples of containers: kept descriptors, rates from two samples, the latest second for all, an hour's ring for each.

use super::core::now;
use super::inventory::{ContainerEntry, ContainerStats, StatsBoard};
use super::ring::Ring;
use crate::model::id::ContainerId;
use crate::model::stats::{Rates, Sample};
use crate::runtime::cgroup::Sampler;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Rounds between two readings of `memory.stat`, which makes the kernel add up its per-CPU counts.
const DETAIL_EVERY: u64 = 5;

/// What front ends see.
#[derive(Default)]
pub(crate) struct Samples {
    board: Mutex<Arc<StatsBoard>>,
    rings: Mutex<HashMap<ContainerId, Ring>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Samples {
    pub fn board(&self) -> Arc<StatsBoard> {
        lock(&self.board).clone()
    }

    /// Oldest first.
    pub fn history(&self, id: &ContainerId) -> Vec<Arc<Sample>> {
        let samples = lock(&self.rings).get(id).map(Ring::samples).unwrap_or_default();
        samples.into_iter().map(Arc::new).collect()
    }

    /// The rings of containers that have ended stay for a while: until there are far more than live ones.
    pub fn publish(&self, stats: Vec<Arc<ContainerStats>>, live: &[Arc<ContainerEntry>]) {
        let mut rings = lock(&self.rings);
        for stat in &stats {
            if let Some(sample) = &stat.sample {
                rings.entry(stat.id.clone()).or_default().push(sample);
            }
        }
        if rings.len() > live.len() * 2 + 16 {
            rings.retain(|id, _| live.iter().any(|e| e.container.id == *id));
        }
        drop(rings);
        let mut board = lock(&self.board);
        let latest = stats.into_iter().map(|s| (s.id.clone(), s)).collect();
        *board = Arc::new(StatsBoard { tick: board.tick + 1, latest });
    }
}

/// Open descriptors and the sample before.
#[derive(Default)]
pub(crate) struct Probes {
    rounds: u64,
    open: HashMap<ContainerId, Probe>,
}

struct Probe {
    /// The process it was opened for: another one means another run, and other descriptors.
    pid: i32,
    sampler: Sampler,
    before: Option<Arc<ContainerStats>>,
}

pub(crate) struct Round {
    /// One per container, in the given order; a container that does not run has no sample.
    pub stats: Vec<Arc<ContainerStats>>,
    /// Thought to be live, but their control group is gone.
    pub gone: Vec<ContainerId>,
}

impl Probes {
    pub fn round(&mut self, entries: &[Arc<ContainerEntry>], detail: bool) -> Round {
        let detail = detail || self.rounds.is_multiple_of(DETAIL_EVERY);
        self.rounds += 1;
        self.open.retain(|id, _| entries.iter().any(|e| e.container.id == *id));
        let mut round = Round { stats: Vec::new(), gone: Vec::new() };
        for entry in entries {
            let stats = if entry.state.status.is_live() { self.one(entry, detail) } else { None };
            // One that has no group (an ordinary user on v1) lives on without figures.
            if stats.is_none() && entry.state.status.is_live() && !entry.state.cgroup.is_empty() {
                round.gone.push(entry.container.id.clone());
            }
            round.stats.push(stats.unwrap_or_else(|| {
                let (id, name) = (entry.container.id.clone(), entry.container.name.clone());
                Arc::new(ContainerStats { id, name, sample: None, rates: Rates::default() })
            }));
        }
        round
    }

    /// `None`: there is nothing to read any more.
    fn one(&mut self, entry: &ContainerEntry, detail: bool) -> Option<Arc<ContainerStats>> {
        let id = &entry.container.id;
        if self.open.get(id).is_none_or(|p| p.pid != entry.state.pid) {
            let sampler = Sampler::open(&entry.state.cgroup, entry.state.pid).ok()?;
            self.open.insert(id.clone(), Probe { pid: entry.state.pid, sampler, before: None });
        }
        let probe = self.open.get_mut(id)?;
        // The first one after opening has every figure, whatever the round.
        let Ok(sample) = probe.sampler.sample(now(), detail || probe.before.is_none()) else {
            self.open.remove(id);
            return None;
        };
        let rates = match probe.before.as_ref().and_then(|b| b.sample.as_ref()) {
            Some(before) => sample.rates_since(before),
            None => Rates::default(),
        };
        let name = entry.container.name.clone();
        let stats = Arc::new(ContainerStats { id: id.clone(), name, sample: Some(sample), rates });
        probe.before = Some(stats.clone());
        Some(stats)
    }
}
