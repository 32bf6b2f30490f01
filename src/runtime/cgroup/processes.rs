//! Figures of a container without a control group (an ordinary user on a v1 machine), added up from its processes.
//!
//! They are of the same kind but coarser: memory is what the processes have for themselves (no page cache), CPU time in
//! hundredths of a second, and input and output of a process is forgotten when it ends.

use crate::model::stats::Sample;
use std::fs;
use std::path::PathBuf;

/// The processes of one pid namespace, or of one mount namespace where the pids are the machine's.
#[derive(Debug)]
pub struct Processes {
    kind: &'static str,
    namespace: PathBuf,
    /// Counters never run backwards, although ended processes take their share along.
    cpu_usec: u64,
    io: (u64, u64),
}

/// `utime` and the like count in these, on every machine.
const TICK_USEC: u64 = 10_000;

impl Processes {
    /// `None` when the process is gone, or its namespace may not be seen.
    pub fn of(init_pid: i32) -> Option<Processes> {
        // One's own namespace is no container's: all of the machine would be counted.
        ["pid", "mnt"].into_iter().find_map(|kind| {
            let namespace = namespace(kind, &init_pid.to_string())?;
            let foreign = Some(&namespace) != self::namespace(kind, "self").as_ref();
            foreign.then_some(Processes { kind, namespace, cpu_usec: 0, io: (0, 0) })
        })
    }

    /// `false` when no process is left.
    pub fn add_up(&mut self, sample: &mut Sample) -> bool {
        let (mut any, mut ticks, mut io, mut anon, mut shared) = (false, 0u64, (0u64, 0u64), 0u64, 0u64);
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().filter(|name| name.starts_with(|c: char| c.is_ascii_digit())) else {
                continue;
            };
            if namespace(self.kind, pid).as_ref() != Some(&self.namespace) {
                continue;
            }
            let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
            any = true;
            ticks += cpu_ticks(&read("stat")).unwrap_or(0);
            let status = read("status");
            let number = |key: &str| field(&status, key).unwrap_or(0);
            sample.pids += number("Threads:");
            anon += number("RssAnon:") * 1024;
            shared += number("RssShmem:") * 1024;
            sample.swap = Some(sample.swap.unwrap_or(0) + number("VmSwap:") * 1024);
            let counts = read("io");
            io.0 += field(&counts, "read_bytes:").unwrap_or(0);
            io.1 += field(&counts, "write_bytes:").unwrap_or(0);
        }
        self.cpu_usec = self.cpu_usec.max(ticks * TICK_USEC);
        self.io = (self.io.0.max(io.0), self.io.1.max(io.1));
        sample.cpu_usec = self.cpu_usec;
        (sample.io_read, sample.io_write) = self.io;
        sample.memory = anon + shared;
        sample.memory_anon = Some(anon);
        any
    }
}

fn namespace(kind: &str, pid: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok()
}

fn field(text: &str, key: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// User and system time of the process and of its children it has waited for: fields 14 to 17 of proc_pid_stat(5).
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let numbers: Vec<u64> = rest.split_whitespace().skip(11).take(4).filter_map(|n| n.parse().ok()).collect();
    (numbers.len() == 4).then(|| numbers.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_process_with_a_strange_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 99 1 1";
        assert_eq!(cpu_ticks(stat), Some(100));
        assert_eq!(field("Threads:\t3\nRssAnon:\t  12 kB\n", "RssAnon:"), Some(12));
    }

    #[test]
    fn the_machine_itself_is_no_container() {
        assert!(Processes::of(std::process::id() as i32).is_none());
        assert!(Processes::of(i32::MAX).is_none());
    }
}
