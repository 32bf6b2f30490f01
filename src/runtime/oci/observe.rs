//! What can be asked of a container: its processes, its figures; and the change of its limits.

use super::container::Container;
use super::{Outcome, Runtime, conflict, internal, invalid, rdt};
use crate::model::stats::Sample;
use crate::model::time::Timestamp;
use crate::runtime::cgroup::{InForce, OomWatch, Sampler, resources, version};
use crate::runtime::init::report::During;
use crate::runtime::processes;
use crate::runtime::systemd::{Manager, unit};
use crate::sys::poll::{self, Epoll, Interest};
use oci_spec::runtime::LinuxResources;
use serde_json::{Value, json};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// What every kernel can wait for at once.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Host pids of everything in the container; `None` when it has ended.
pub fn pids(runtime: &Runtime, id: &str) -> Outcome<Option<Vec<i32>>> {
    let container = Container::load(&runtime.root, id)?;
    if container.init().is_none() {
        return Ok(None);
    }
    let mut pids = container.group().pids();
    if container.record.cgroup.is_empty() {
        let all =
            processes::list(container.record.pid, false).map_err(|e| internal(format!("listing processes: {e}")))?;
        pids = all.into_iter().map(|p| p.pid).collect();
    }
    pids.sort_unstable();
    Ok(Some(pids))
}

/// Writes what is given (the specification's `linux.resources` as JSON); the rest stays, and so do the devices: callers
/// give all that they know of a container. `schemas`: of the cache and of the memory bandwidth, see [`rdt`]. Returns what
/// of it is left out, in words.
pub fn update(runtime: &Runtime, id: &str, wanted: &str, schemas: [Option<&str>; 2]) -> Outcome<Vec<String>> {
    let wanted: LinuxResources = serde_json::from_str(wanted).map_err(|e| invalid(format!("resources: {e}")))?;
    let container = Container::load(&runtime.root, id)?;
    let _lock = container.lock()?;
    if container.init().is_none() {
        return Err(conflict("container not running"));
    }
    let group = container.group();
    let wanted = InForce::of(&group).complete(wanted);
    let settings = resources::settings(version(), &wanted).map_err(|e| invalid(e.to_string()))?;
    room(&container, &wanted)?;
    if schemas.iter().any(Option::is_some) {
        let spec = container.spec()?;
        let class = spec.linux().as_ref().and_then(|l| l.intel_rdt().as_ref());
        let class =
            class.ok_or_else(|| conflict("the container has no class of cache and memory bandwidth (intelRdt)"))?;
        rdt::change(&rdt::root()?, id, class, schemas)?;
    }
    if !container.record.unit.is_empty() {
        let limits = unit::limits(&wanted, version()).map_err(invalid)?;
        let changed = Manager::connect(&runtime.buses, runtime.is_user())
            .and_then(|mut manager| manager.set(&container.record.unit, limits));
        changed.map_err(|e| super::group::refused(&e))?;
    }
    group.change(&settings).map_err(|e| internal(e.to_string()))?;
    Ok(resources::ignored(&wanted))
}

/// `checkBeforeUpdate`: with v2 a limit below what is in use would kill. v1 refuses by itself.
fn room(container: &Container, wanted: &LinuxResources) -> Outcome<()> {
    let Some(memory) = wanted.memory().as_ref().filter(|m| m.check_before_update() == Some(true)) else {
        return Ok(());
    };
    let limit = memory.limit().and_then(|limit| u64::try_from(limit).ok()).filter(|limit| *limit > 0);
    match limit.zip(container.group().memory_in_use()) {
        Some((limit, used)) if used > limit => {
            Err(conflict(format!("rejecting memory limit {limit}: {used} bytes are in use")))
        }
        _ => Ok(()),
    }
}

/// What `events` tells.
#[derive(Debug)]
pub struct Event<'a> {
    pub kind: &'static str,
    pub id: &'a str,
    pub data: Option<Value>,
}

/// Figures of a running container, as runc's `events` prints them.
pub struct Figures {
    id: String,
    container: Container,
    sampler: Sampler,
}

impl Figures {
    pub fn open(runtime: &Runtime, id: &str) -> Outcome<Figures> {
        let container = Container::load(&runtime.root, id)?;
        if container.init().is_none() {
            return Err(conflict("container not running"));
        }
        let sampler =
            Sampler::open(&container.record.cgroup, container.record.pid).map_err(|e| internal(e.to_string()))?;
        Ok(Figures { id: id.to_owned(), container, sampler })
    }

    /// `None`: the container has ended.
    pub fn take(&mut self) -> Outcome<Option<Event<'_>>> {
        if self.container.init().is_none() {
            return Ok(None);
        }
        match self.sampler.sample(Timestamp(0), true) {
            Ok(sample) => {
                let mut data = data(&sample);
                data["memory"]["raw"] = self.raw();
                Ok(Some(Event { kind: "stats", id: &self.id, data: Some(data) }))
            }
            Err(_) if self.container.init().is_none() => Ok(None),
            Err(e) => Err(internal(e.to_string())),
        }
    }

    /// `memory.stat` as it is.
    fn raw(&self) -> Value {
        let mut places = self.container.group().directories().into_iter();
        let place = places.find(|(name, _)| name.is_empty() || name == "memory");
        let text = place.and_then(|(_, dir)| std::fs::read_to_string(dir.join("memory.stat")).ok()).unwrap_or_default();
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        pairs.filter_map(|(key, value)| Some((key.to_owned(), Value::from(value.parse::<u64>().ok()?)))).collect()
    }

    /// What [`Alarm::strikes`] tells.
    pub fn oom(&self) -> Event<'_> {
        Event { kind: "oom", id: &self.id, data: None }
    }

    pub fn alarm(&self) -> Outcome<Alarm> {
        let init = self.container.init().ok_or_else(|| conflict("container not running"))?;
        let killer = OomWatch::open(&self.container.group()).map_err(|e| internal(e.to_string()))?;
        let epoll = Epoll::new().and_then(|epoll| {
            epoll.add(&init, 0, Interest::READ)?;
            killer.iter().try_for_each(|killer| epoll.add(killer, 1, Interest::READ))?;
            Ok(epoll)
        });
        Ok(Alarm { epoll: epoll.during("watching the container")?, init, killer })
    }
}

/// Waits for the OOM killer, beside a clock.
pub struct Alarm {
    epoll: Epoll,
    init: OwnedFd,
    killer: Option<OomWatch>,
}

impl Alarm {
    /// True as soon as the killer has struck; false when it is that late, or the container has ended.
    pub fn strikes(&mut self, until: Instant) -> Outcome<bool> {
        let mut ready = Vec::new();
        loop {
            let ended = !poll::is_alive(&self.init);
            // Asked last: its end may be the killer's work.
            if self.killer.as_mut().is_some_and(OomWatch::struck) {
                return Ok(true);
            }
            let left = until.saturating_duration_since(Instant::now());
            if ended || left.is_zero() {
                return Ok(false);
            }
            self.epoll.wait(&mut ready, Some(left.min(LONGEST_WAIT))).during("waiting for the container")?;
        }
    }
}

fn data(sample: &Sample) -> Value {
    let nanos = |usec: u64| usec.saturating_mul(1000);
    json!({
        "cpu": {
            "usage": {
                "total": nanos(sample.cpu_usec),
                "kernel": nanos(sample.cpu_system_usec.unwrap_or(0)),
                "user": nanos(sample.cpu_user_usec.unwrap_or(0)),
            },
            "throttling": {
                "periods": sample.periods.unwrap_or(0),
                "throttledPeriods": sample.throttled.unwrap_or(0),
                "throttledTime": nanos(sample.throttled_usec.unwrap_or(0)),
            },
        },
        "memory": {
            "cache": sample.memory_file.unwrap_or(0),
            "usage": { "limit": sample.memory_limit.unwrap_or(u64::MAX), "usage": sample.memory, "failcnt": 0 },
            "kernel": { "limit": 0, "usage": sample.memory_kernel.unwrap_or(0), "failcnt": 0 },
            "swap": { "limit": 0, "usage": sample.swap.unwrap_or(0), "failcnt": 0 },
        },
        "pids": { "current": sample.pids, "limit": sample.pids_limit.unwrap_or(0) },
        "blkio": {
            "ioServiceBytesRecursive": [
                { "op": "Read", "value": sample.io_read }, { "op": "Write", "value": sample.io_write },
            ],
        },
        "hugetlb": {},
        "intel_rdt": {},
        "network_interfaces": null,
    })
}
