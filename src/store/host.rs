//! Small facts about the machine, read from /proc: for `info` and the header.

use std::fs::read_to_string;

fn line(path: &str) -> String {
    read_to_string(path).map(|s| s.trim().to_owned()).unwrap_or_default()
}

pub fn hostname() -> String {
    line("/proc/sys/kernel/hostname")
}

/// `6.18.0`.
pub fn kernel() -> String {
    line("/proc/sys/kernel/osrelease")
}

/// Bytes of RAM.
pub fn memory() -> u64 {
    let info = line("/proc/meminfo");
    let total = info.lines().find_map(|l| l.strip_prefix("MemTotal:"));
    total.and_then(|t| t.split_ascii_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// CPUs this process may use.
pub fn cpus() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX))
}
