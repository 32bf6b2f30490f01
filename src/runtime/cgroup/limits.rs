//! Docker's limits turned into the numbers the kernel takes, and refused when they make no sense here.

use super::device_limits::DeviceLimit;
use super::{Error, Result};
use crate::model::container::Limits;
use std::fs;

/// Docker's floor: below it a container's own start is killed.
pub const MIN_MEMORY: u64 = 6 << 20;
const DEFAULT_PERIOD: u64 = 100_000;

/// Checked limits; `None` is "leave it".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    pub memory: Option<u64>,
    pub swap: Option<Swap>,
    pub reservation: Option<u64>,
    /// Quota (`None`: unlimited) and period in microseconds.
    pub cpu: Option<(Option<u64>, u64)>,
    pub shares: Option<u64>,
    pub cpus: Option<String>,
    pub mems: Option<String>,
    pub pids: Option<u64>,
    pub io_weight: Option<u16>,
    pub swappiness: Option<u8>,
    pub oom_kill_disable: Option<bool>,
    pub rt_period: Option<u64>,
    pub rt_runtime: Option<u64>,
    pub devices: Vec<DeviceLimit>,
}

/// Memory and swap together, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swap {
    /// `None`: unlimited.
    pub total: Option<u64>,
    /// Asked for by name; otherwise it is docker's default of twice the memory, and its lack is no news.
    pub explicit: bool,
}

fn invalid<T>(message: String) -> Result<T> {
    Err(Error::Invalid(message))
}

impl Plan {
    pub fn new(limits: &Limits) -> Result<Plan> {
        let (memory, swap) = memory(limits)?;
        if let Some(reservation) = limits.memory_reservation {
            if reservation < MIN_MEMORY {
                return invalid(format!("memory reservation of {reservation} bytes is too small: the least is 6 MiB"));
            }
            if memory.is_some_and(|memory| memory < reservation) {
                return invalid(format!("memory reservation of {reservation} bytes is larger than the memory limit"));
            }
        }
        if let Some(number) = limits.memory_swappiness.filter(|number| *number > 100) {
            return invalid(format!("memory swappiness of {number} is out of range: 0 to 100"));
        }
        if limits.pids == Some(0) {
            return invalid("a limit of 0 processes lets nothing run".into());
        }
        if let Some(shares) = limits.cpu_shares.filter(|shares| !(2..=262_144).contains(shares)) {
            return invalid(format!("cpu shares of {shares} are out of range: 2 to 262144, 1024 is the default"));
        }
        if let Some(weight) = limits.io_weight.filter(|weight| !(10..=1000).contains(weight)) {
            return invalid(format!("block io weight of {weight} is out of range: 10 to 1000"));
        }
        Ok(Plan {
            memory,
            swap,
            reservation: limits.memory_reservation,
            cpu: cpu(limits, host_cpus())?,
            shares: limits.cpu_shares,
            cpus: set("cpus", limits.cpuset_cpus.as_deref(), "/sys/devices/system/cpu/online")?,
            mems: set("memory nodes", limits.cpuset_mems.as_deref(), "/sys/devices/system/node/online")?,
            pids: limits.pids,
            io_weight: limits.io_weight,
            swappiness: limits.memory_swappiness,
            oom_kill_disable: limits.oom_kill_disable,
            rt_period: limits.cpu_rt_period,
            rt_runtime: limits.cpu_rt_runtime,
            devices: super::device_limits::resolve(limits)?,
        })
    }

    /// Names of the limits that were asked for, as shown in warnings.
    pub fn asked(&self) -> Vec<&'static str> {
        let all = [
            (self.memory.is_some(), MEMORY),
            (self.swap.is_some_and(|swap| swap.explicit), SWAP),
            (self.reservation.is_some(), RESERVATION),
            (self.cpu.is_some(), CPU),
            (self.shares.is_some(), SHARES),
            (self.cpus.is_some() || self.mems.is_some(), CPUSET),
            (self.pids.is_some(), PIDS),
            (self.io_weight.is_some(), IO),
            (self.swappiness.is_some(), SWAPPINESS),
            (self.oom_kill_disable == Some(true), OOM_KILL),
            (self.rt_period.is_some() || self.rt_runtime.is_some(), REAL_TIME),
            (!self.devices.is_empty(), DEVICES),
        ];
        all.into_iter().filter_map(|(asked, name)| asked.then_some(name)).collect()
    }
}

pub const MEMORY: &str = "memory limit";
pub const SWAP: &str = "swap limit";
pub const RESERVATION: &str = "memory reservation";
pub const CPU: &str = "cpu limit";
pub const SHARES: &str = "cpu shares";
pub const CPUSET: &str = "cpuset";
pub const PIDS: &str = "process limit";
pub const IO: &str = "block io weight";
pub const SWAPPINESS: &str = "memory swappiness";
pub const OOM_KILL: &str = "switching off the OOM killer";
pub const REAL_TIME: &str = "real-time cpu limit";
pub const DEVICES: &str = "block device limit";

/// Number of tasks as both versions take it.
pub fn pids(number: u64) -> String {
    if number == Limits::NO_PIDS_LIMIT { "max".to_owned() } else { number.to_string() }
}

/// What v2 has no more.
pub fn only_v1(plan: &Plan) -> Vec<String> {
    let gone = [
        (plan.swappiness.is_some(), SWAPPINESS),
        (plan.oom_kill_disable == Some(true), OOM_KILL),
        (plan.rt_period.is_some() || plan.rt_runtime.is_some(), REAL_TIME),
    ];
    let gone = gone.into_iter().filter_map(|(asked, name)| asked.then_some(name));
    gone.map(|name| format!("{name} not applied: control groups v2 have no such thing")).collect()
}

fn memory(limits: &Limits) -> Result<(Option<u64>, Option<Swap>)> {
    let memory = limits.memory.filter(|bytes| *bytes > 0);
    if let Some(bytes) = memory.filter(|bytes| *bytes < MIN_MEMORY) {
        return invalid(format!("memory limit of {bytes} bytes is too small: the least is 6 MiB"));
    }
    let swap = match (memory, limits.memory_swap.filter(|swap| *swap != 0)) {
        (None, None) => None,
        (None, Some(-1)) => Some(Swap { total: None, explicit: true }),
        (None, Some(_)) => return invalid("a limit of memory and swap needs a memory limit too".into()),
        (Some(memory), None) => Some(Swap { total: Some(memory.saturating_mul(2)), explicit: false }),
        (Some(_), Some(-1)) => Some(Swap { total: None, explicit: true }),
        (Some(memory), Some(total)) => match u64::try_from(total) {
            Ok(total) if total >= memory => Some(Swap { total: Some(total), explicit: true }),
            Ok(total) => {
                return invalid(format!(
                    "memory and swap of {total} bytes together are less than the memory limit of {memory}"
                ));
            }
            Err(_) => return invalid(format!("memory and swap of {total} bytes: only -1 (unlimited) may be negative")),
        },
    };
    Ok((memory, swap))
}

/// Quota and period in microseconds; see `Documentation/scheduler/sched-bwc.rst` for their bounds.
fn cpu(limits: &Limits, host: u64) -> Result<Option<(Option<u64>, u64)>> {
    let nanos = limits.nano_cpus.filter(|nanos| *nanos > 0);
    let quota = limits.cpu_quota.filter(|quota| *quota != 0);
    let period = limits.cpu_period.filter(|period| *period != 0);
    if let Some(period) = period.filter(|period| !(1_000..=1_000_000).contains(period)) {
        return invalid(format!("cpu period of {period} µs is out of range: 1000 to 1000000"));
    }
    match (nanos, quota) {
        (Some(_), Some(_)) => invalid("cpus and a cpu quota exclude each other".into()),
        (Some(nanos), None) => {
            if nanos > host.saturating_mul(1_000_000_000) || nanos < 10_000_000 {
                let cpus = nanos as f64 / 1e9;
                return invalid(format!("{cpus} cpus are out of range: this machine has {host}, the least is 0.01"));
            }
            let period = period.unwrap_or(DEFAULT_PERIOD);
            let quota = (u128::from(nanos) * u128::from(period) / 1_000_000_000) as u64;
            Ok(Some((Some(quota.max(1_000)), period)))
        }
        (None, Some(quota)) => {
            let period = period.unwrap_or(DEFAULT_PERIOD);
            match u64::try_from(quota) {
                Ok(quota) if quota >= 1_000 => Ok(Some((Some(quota), period))),
                Err(_) if quota == -1 => Ok(Some((None, period))),
                _ => invalid(format!("cpu quota of {quota} µs is out of range: at least 1000, or -1 for unlimited")),
            }
        }
        (None, None) => Ok(period.map(|period| (None, period))),
    }
}

/// A list such as `0-2,4`, checked against those that are online.
fn set(what: &str, list: Option<&str>, online: &str) -> Result<Option<String>> {
    let Some(list) = list.map(str::trim).filter(|list| !list.is_empty()) else { return Ok(None) };
    let Some(wanted) = parse_list(list) else {
        return invalid(format!("{list:?} is no list of {what}: write 0-2,4"));
    };
    let online = fs::read_to_string(online).unwrap_or_else(|_| "0".into());
    let there = parse_list(online.trim()).unwrap_or_default();
    match wanted.iter().find(|number| !there.contains(number)) {
        Some(number) => {
            invalid(format!("{what} {list}: number {number} is not there (this machine has {})", online.trim()))
        }
        None => Ok(Some(list.to_owned())),
    }
}

/// The numbers of a kernel list; `None` when it is malformed or absurdly long.
pub fn parse_list(list: &str) -> Option<Vec<u32>> {
    let mut numbers = Vec::new();
    for part in list.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (u32, u32) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        if from > to || to > 65_535 || numbers.len() > 65_535 {
            return None;
        }
        numbers.extend(from..=to);
    }
    Some(numbers)
}

fn host_cpus() -> u64 {
    let online = fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    parse_list(online.trim()).map_or(1, |cpus| cpus.len().max(1) as u64)
}

/// Docker's shares (2..=262144) as a v2 weight (1..=10000): the smooth curve of OCI runtimes since 2025, on which both
/// defaults (1024 and 100) and both ends meet.
pub fn weight_of_shares(shares: u64) -> u64 {
    let log = (shares.clamp(2, 262_144) as f64).log2();
    let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
    (10f64.powf(exponent).ceil() as u64).clamp(1, 10_000)
}

/// Docker's block io weight (10..=1000) as a v2 weight (1..=10000).
pub fn io_weight(weight: u16) -> u64 {
    1 + (u64::from(weight).saturating_sub(10)) * 9_999 / 990
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(limits: Limits, expected: &str) {
        match Plan::new(&limits) {
            Err(Error::Invalid(message)) => assert!(message.contains(expected), "{message:?} lacks {expected:?}"),
            other => panic!("{limits:?} gave {other:?}"),
        }
    }

    #[test]
    fn docker_s_memory_rules() {
        let some = |memory, memory_swap| Limits { memory, memory_swap, ..Limits::default() };
        check(some(Some(4 << 20), None), "6 MiB");
        check(some(None, Some(1 << 30)), "needs a memory limit");
        check(some(Some(64 << 20), Some(32 << 20)), "less than the memory limit");
        check(some(Some(64 << 20), Some(-5)), "only -1");
        check(Limits { memory_reservation: Some(128 << 20), ..some(Some(64 << 20), None) }, "larger than");
        let plan = Plan::new(&some(Some(64 << 20), None)).expect("plain limit");
        assert_eq!(plan.swap, Some(Swap { total: Some(128 << 20), explicit: false }));
        assert_eq!(plan.asked(), [MEMORY]);
    }

    #[test]
    fn cpus_become_a_quota() {
        let nanos = |nano_cpus| Limits { nano_cpus: Some(nano_cpus), ..Limits::default() };
        assert_eq!(cpu(&nanos(500_000_000), 2).expect("half"), Some((Some(50_000), 100_000)));
        assert_eq!(cpu(&nanos(10_000_000), 2).expect("least"), Some((Some(1_000), 100_000)));
        check(nanos(1), "out of range");
        check(nanos(u64::MAX), "out of range");
        check(Limits { cpu_quota: Some(50_000), ..nanos(500_000_000) }, "exclude");
        check(Limits { cpu_quota: Some(-3), ..Limits::default() }, "quota");
        check(Limits { cpu_period: Some(5), ..Limits::default() }, "period");
    }

    #[test]
    fn sets_are_checked_against_the_machine() {
        let cpus = |list: &str| Limits { cpuset_cpus: Some(list.into()), ..Limits::default() };
        check(cpus("0-"), "no list");
        check(cpus("4-2"), "no list");
        check(cpus("4000"), "is not there");
        assert_eq!(Plan::new(&cpus("0")).expect("cpu 0").cpus.as_deref(), Some("0"));
        assert_eq!(parse_list("0-2,4"), Some(vec![0, 1, 2, 4]));
    }

    #[test]
    fn weights_meet_at_defaults_and_ends() {
        assert_eq!([2, 1024, 262_144].map(weight_of_shares), [1, 100, 10_000]);
        assert_eq!([10, 1000].map(io_weight), [1, 10_000]);
        check(Limits { cpu_shares: Some(1), ..Limits::default() }, "shares");
        check(Limits { io_weight: Some(5), ..Limits::default() }, "weight");
        check(Limits { pids: Some(0), ..Limits::default() }, "0 processes");
    }
}
