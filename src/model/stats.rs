//! One second's figures of a container's cgroup, and rates from two of them.

use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Counters and gauges read from the cgroup files at one moment. `None`: this kernel or hierarchy has no such figure.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub time: Timestamp,
    /// Microseconds of CPU time used so far.
    pub cpu_usec: u64,
    pub cpu_user_usec: Option<u64>,
    pub cpu_system_usec: Option<u64>,
    /// CFS periods so far, periods throttled, microseconds throttled.
    pub periods: Option<u64>,
    pub throttled: Option<u64>,
    pub throttled_usec: Option<u64>,
    /// Bytes charged now, page cache included.
    pub memory: u64,
    /// Bytes; `None`: unlimited.
    pub memory_limit: Option<u64>,
    pub memory_anon: Option<u64>,
    /// Page cache.
    pub memory_file: Option<u64>,
    /// The part of the cache that is inactive: docker subtracts it from what it shows.
    pub memory_inactive_file: Option<u64>,
    pub memory_kernel: Option<u64>,
    pub swap: Option<u64>,
    /// `memory.events`: times at the high mark, at the limit, OOM kills.
    pub memory_high_events: Option<u64>,
    pub memory_max_events: Option<u64>,
    pub oom_kills: Option<u64>,
    pub pids: u64,
    pub pids_limit: Option<u64>,
    pub io_read: u64,
    pub io_write: u64,
    /// Bytes over all interfaces but the loopback; then packets, and those that were dropped.
    pub net_rx: u64,
    pub net_tx: u64,
    #[serde(default)]
    pub net_rx_packets: Option<u64>,
    #[serde(default)]
    pub net_tx_packets: Option<u64>,
    #[serde(default)]
    pub net_rx_dropped: Option<u64>,
    #[serde(default)]
    pub net_tx_dropped: Option<u64>,
    /// CPUs allowed by the limit, in thousandths; `None`: all of the host's.
    pub cpu_limit_millis: Option<u64>,
    pub psi_cpu: Option<Pressure>,
    pub psi_memory: Option<Pressure>,
    pub psi_io: Option<Pressure>,
}

/// Pressure stall information (`some` line): share of time stalled over 10 s, in hundredths of a percent, and the total in µs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pressure {
    pub some_avg10: u32,
    pub some_total_usec: u64,
    pub full_avg10: u32,
    pub full_total_usec: u64,
}

/// What changed between two samples, per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Percent of one CPU: 200.0 is two CPUs busy.
    pub cpu_percent: f64,
    /// Share of CFS periods in which the group was throttled, 0..=100.
    pub throttled_percent: f64,
    pub io_read: f64,
    pub io_write: f64,
    pub net_rx: f64,
    pub net_tx: f64,
    pub net_rx_packets: f64,
    pub net_tx_packets: f64,
}

impl Sample {
    /// Memory without reclaimable cache, as docker's `stats` shows it.
    pub fn memory_used(&self) -> u64 {
        self.memory.saturating_sub(self.memory_inactive_file.unwrap_or(0))
    }

    /// Packets that did not arrive or leave, both ways; `None`: the container has no network of its own.
    pub fn net_dropped(&self) -> Option<u64> {
        Some(self.net_rx_dropped?.saturating_add(self.net_tx_dropped?))
    }

    /// Rates from `earlier` to `self`; zero when the clock did not advance or counters were reset.
    pub fn rates_since(&self, earlier: &Sample) -> Rates {
        let nanos = self.time.0.saturating_sub(earlier.time.0);
        if nanos <= 0 {
            return Rates::default();
        }
        let seconds = nanos as f64 / 1e9;
        let per_second = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds;
        let counted = |now: Option<u64>, then| now.zip(then).map_or(0.0, |(now, then)| per_second(now, then));
        let periods = self.periods.unwrap_or(0).saturating_sub(earlier.periods.unwrap_or(0));
        let throttled = self.throttled.unwrap_or(0).saturating_sub(earlier.throttled.unwrap_or(0));
        Rates {
            cpu_percent: per_second(self.cpu_usec, earlier.cpu_usec) / 1e4,
            throttled_percent: if periods == 0 { 0.0 } else { 100.0 * throttled as f64 / periods as f64 },
            io_read: per_second(self.io_read, earlier.io_read),
            io_write: per_second(self.io_write, earlier.io_write),
            net_rx: per_second(self.net_rx, earlier.net_rx),
            net_tx: per_second(self.net_tx, earlier.net_tx),
            net_rx_packets: counted(self.net_rx_packets, earlier.net_rx_packets),
            net_tx_packets: counted(self.net_tx_packets, earlier.net_tx_packets),
        }
    }
}
