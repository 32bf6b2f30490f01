//! One container's figures, read with `pread` from files kept open: 3 µs a file instead of 10.

use super::hierarchy::{Hierarchies, V1Mounts, below};
use super::interfaces::interfaces;
use super::processes::Processes;
use super::{Error, Result, files, support};
use crate::model::stats::{Pressure, Sample};
use crate::model::time::Timestamp;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Longer than any file read here (`memory.stat` has about 3 KiB; `io.stat` one line a disk).
const BUFFER: usize = 64 << 10;
/// v1 says "unlimited" with a number near 2^63.
const V1_UNLIMITED: u64 = 1 << 62;

/// Holds up to sixteen open files; where the limit of open files is reached, it opens each one anew.
#[derive(Debug)]
pub struct Sampler {
    dir: PathBuf,
    files: Files,
    net: Option<Source>,
    /// The last `memory.stat`: kept for samples that do not read it.
    split: Split,
    buffer: Vec<u8>,
}

#[derive(Debug)]
enum Files {
    V2 {
        cpu: Source,
        cpu_max: Source,
        memory: Source,
        memory_max: Source,
        memory_stat: Source,
        memory_events: Source,
        swap: Source,
        pids: Source,
        pids_max: Source,
        io: Source,
        pressure: [Source; 3],
    },
    V1 {
        usage: Source,
        user: Source,
        system: Source,
        cpu: Source,
        quota: Source,
        period: Source,
        memory: Source,
        memory_max: Source,
        memsw: Source,
        memory_stat: Source,
        oom: Source,
        fail: Source,
        kernel: Source,
        pids: Source,
        pids_max: Source,
        io: Source,
    },
    /// No group: the sum of the processes.
    None(Processes),
}

#[derive(Clone, Copy, Debug, Default)]
struct Split {
    anon: Option<u64>,
    file: Option<u64>,
    inactive_file: Option<u64>,
    kernel: Option<u64>,
}

/// One file. `Absent`: this kernel or hierarchy has none, and will not get one.
#[derive(Debug)]
enum Source {
    Kept(File),
    Reopened(PathBuf),
    Absent,
}

impl Source {
    fn open(path: PathBuf) -> Source {
        match File::open(&path) {
            Ok(file) => Source::Kept(file),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Source::Absent,
            Err(_) => Source::Reopened(path),
        }
    }

    /// `Ok(None)`: no such figure. An error means that the group is gone.
    fn text<'a>(&self, buffer: &'a mut Vec<u8>) -> io::Result<Option<&'a str>> {
        buffer.resize(BUFFER, 0);
        let length = match self {
            Source::Absent => return Ok(None),
            Source::Kept(file) => match file.read_at(buffer, 0) {
                Ok(length) => length,
                // A file of this kernel that exists but has no figure (pressure switched off at boot).
                Err(e) if e.kind() == io::ErrorKind::Unsupported => return Ok(None),
                Err(e) => return Err(e),
            },
            Source::Reopened(path) => {
                let text = fs::read(path)?;
                buffer.clear();
                buffer.extend_from_slice(&text);
                text.len()
            }
        };
        Ok(std::str::from_utf8(&buffer[..length.min(buffer.len())]).ok())
    }

    /// A single number; `max` and anything else that is none give `None`.
    fn number(&self, buffer: &mut Vec<u8>) -> io::Result<Option<u64>> {
        Ok(self.text(buffer)?.and_then(|text| text.trim().parse().ok()))
    }
}

impl Sampler {
    /// `path` as [`super::Group::path`] gives it; `init_pid` (host pid) names the network namespace. Without a group
    /// the figures are added up from the processes of init's pid namespace.
    pub fn open(path: &str, init_pid: i32) -> Result<Sampler> {
        if path.is_empty() {
            let dir = PathBuf::from(format!("/proc/{init_pid}"));
            let processes = Processes::of(init_pid).ok_or_else(|| Error::Gone(dir.clone()))?;
            return Ok(Sampler::new(dir, Files::None(processes), init_pid));
        }
        let (dir, files) = match Hierarchies::read() {
            Hierarchies::V2(mount) => {
                let dir = below(&mount, path);
                (dir.clone(), open_v2(&dir))
            }
            Hierarchies::V1(mounts) => {
                let first = mounts.get("cpuacct").or_else(|| mounts.values().next());
                (first.map(|mount| below(mount, path)).unwrap_or_default(), open_v1(&mounts, path))
            }
            Hierarchies::None => return Err(Error::Invalid(support::NO_HIERARCHY.into())),
        };
        if !dir.exists() {
            return Err(Error::Gone(dir));
        }
        Ok(Sampler::new(dir, files, init_pid))
    }

    fn new(dir: PathBuf, files: Files, init_pid: i32) -> Sampler {
        Sampler { dir, files, net: open_net(init_pid), split: Split::default(), buffer: Vec::new() }
    }

    /// Reads everything now. `memory.stat` makes the kernel add up its per-CPU counts, so its split is read only with
    /// `detail` and otherwise carried over from the last time. [`Error::Gone`] once the group was removed.
    pub fn sample(&mut self, now: Timestamp, detail: bool) -> Result<Sample> {
        let mut sample = Sample { time: now, ..Sample::default() };
        let buffer = &mut self.buffer;
        let result = match &mut self.files {
            Files::None(processes) => match processes.add_up(&mut sample) {
                true => Ok(()),
                false => Err(io::ErrorKind::NotFound.into()),
            },
            files @ Files::V2 { .. } => read_v2(files, &mut sample, buffer, detail.then_some(&mut self.split)),
            files @ Files::V1 { .. } => read_v1(files, &mut sample, buffer, detail.then_some(&mut self.split)),
        };
        result.map_err(|e| match e.raw_os_error() {
            Some(files::ENODEV) => Error::Gone(self.dir.clone()),
            _ if e.kind() == io::ErrorKind::NotFound => Error::Gone(self.dir.clone()),
            _ => files::error("reading figures of", &self.dir, e),
        })?;
        sample.memory_anon = sample.memory_anon.or(self.split.anon);
        sample.memory_file = self.split.file;
        sample.memory_inactive_file = self.split.inactive_file;
        sample.memory_kernel = sample.memory_kernel.or(self.split.kernel);
        if let Some(net) = &self.net {
            // The namespace may be gone before the group is: then there is nothing to count.
            if let Ok(Some(text)) = net.text(&mut self.buffer) {
                interfaces(text, &mut sample);
            }
        }
        Ok(sample)
    }
}

fn open_v2(dir: &Path) -> Files {
    let open = |name: &str| Source::open(dir.join(name));
    Files::V2 {
        cpu: open("cpu.stat"),
        cpu_max: open("cpu.max"),
        memory: open("memory.current"),
        memory_max: open("memory.max"),
        memory_stat: open("memory.stat"),
        memory_events: open("memory.events"),
        swap: open("memory.swap.current"),
        pids: open("pids.current"),
        pids_max: open("pids.max"),
        io: open("io.stat"),
        pressure: ["cpu.pressure", "memory.pressure", "io.pressure"].map(open),
    }
}

fn open_v1(mounts: &V1Mounts, path: &str) -> Files {
    let open = |controller: &str, name: &str| match mounts.get(controller) {
        Some(mount) => Source::open(below(mount, path).join(name)),
        None => Source::Absent,
    };
    let io = match open("blkio", "blkio.throttle.io_service_bytes_recursive") {
        Source::Absent => open("blkio", "blkio.throttle.io_service_bytes"),
        source => source,
    };
    Files::V1 {
        usage: open("cpuacct", "cpuacct.usage"),
        user: open("cpuacct", "cpuacct.usage_user"),
        system: open("cpuacct", "cpuacct.usage_sys"),
        cpu: open("cpu", "cpu.stat"),
        quota: open("cpu", "cpu.cfs_quota_us"),
        period: open("cpu", "cpu.cfs_period_us"),
        memory: open("memory", "memory.usage_in_bytes"),
        memory_max: open("memory", "memory.limit_in_bytes"),
        memsw: open("memory", "memory.memsw.usage_in_bytes"),
        memory_stat: open("memory", "memory.stat"),
        oom: open("memory", "memory.oom_control"),
        fail: open("memory", "memory.failcnt"),
        kernel: open("memory", "memory.kmem.usage_in_bytes"),
        pids: open("pids", "pids.current"),
        pids_max: open("pids", "pids.max"),
        io,
    }
}

/// `/proc/<pid>/net/dev`, unless the container shares this process's network: the host's traffic is not its own.
fn open_net(pid: i32) -> Option<Source> {
    let namespace = |who: &str| fs::read_link(format!("/proc/{who}/ns/net")).ok();
    let theirs = namespace(&pid.to_string())?;
    if Some(&theirs) == namespace("self").as_ref() {
        return None;
    }
    Some(Source::open(format!("/proc/{pid}/net/dev").into()))
}

fn read_v2(files: &Files, sample: &mut Sample, buffer: &mut Vec<u8>, split: Option<&mut Split>) -> io::Result<()> {
    let Files::V2 { cpu, cpu_max, memory, memory_max, memory_stat, memory_events, swap, pids, pids_max, io, pressure } =
        files
    else {
        return Ok(());
    };
    if let Some(text) = cpu.text(buffer)? {
        sample.cpu_usec = files::keyed(text, "usage_usec").unwrap_or(0);
        sample.cpu_user_usec = files::keyed(text, "user_usec");
        sample.cpu_system_usec = files::keyed(text, "system_usec");
        sample.periods = files::keyed(text, "nr_periods");
        sample.throttled = files::keyed(text, "nr_throttled");
        sample.throttled_usec = files::keyed(text, "throttled_usec");
    }
    sample.cpu_limit_millis = cpu_max.text(buffer)?.and_then(|text| {
        let (quota, period) = text.trim().split_once(' ')?;
        millis(quota.parse().ok()?, period.parse().ok()?)
    });
    sample.memory = memory.number(buffer)?.unwrap_or(0);
    sample.memory_limit = memory_max.number(buffer)?;
    sample.swap = swap.number(buffer)?;
    if let Some(text) = memory_events.text(buffer)? {
        sample.memory_high_events = files::keyed(text, "high");
        sample.memory_max_events = files::keyed(text, "max");
        sample.oom_kills = files::keyed(text, "oom_kill");
    }
    sample.pids = pids.number(buffer)?.unwrap_or(0);
    sample.pids_limit = pids_max.number(buffer)?;
    if let Some(text) = io.text(buffer)? {
        (sample.io_read, sample.io_write) = (sum(text, "rbytes="), sum(text, "wbytes="));
    }
    let [cpu, memory, io] = pressure;
    sample.psi_cpu = cpu.text(buffer)?.and_then(parse_pressure);
    sample.psi_memory = memory.text(buffer)?.and_then(parse_pressure);
    sample.psi_io = io.text(buffer)?.and_then(parse_pressure);
    if let Some(split) = split
        && let Some(text) = memory_stat.text(buffer)?
    {
        let get = |key| files::keyed(text, key);
        let kernel = get("kernel").or_else(|| Some(get("slab")? + get("kernel_stack").unwrap_or(0)));
        *split = Split { anon: get("anon"), file: get("file"), inactive_file: get("inactive_file"), kernel };
    }
    Ok(())
}

fn read_v1(files: &Files, sample: &mut Sample, buffer: &mut Vec<u8>, split: Option<&mut Split>) -> io::Result<()> {
    let Files::V1 { usage, user, system, cpu, quota, period, .. } = files else { return Ok(()) };
    let micros = |nanos: Option<u64>| nanos.map(|nanos| nanos / 1_000);
    sample.cpu_usec = micros(usage.number(buffer)?).unwrap_or(0);
    sample.cpu_user_usec = micros(user.number(buffer)?);
    sample.cpu_system_usec = micros(system.number(buffer)?);
    if let Some(text) = cpu.text(buffer)? {
        sample.periods = files::keyed(text, "nr_periods");
        sample.throttled = files::keyed(text, "nr_throttled");
        sample.throttled_usec = micros(files::keyed(text, "throttled_time"));
    }
    // A quota of -1 is no number here: unlimited.
    sample.cpu_limit_millis = match (quota.number(buffer)?, period.number(buffer)?) {
        (Some(quota), Some(period)) => millis(quota, period),
        _ => None,
    };
    read_v1_memory(files, sample, buffer, split)?;
    let Files::V1 { pids, pids_max, io, .. } = files else { return Ok(()) };
    sample.pids = pids.number(buffer)?.unwrap_or(0);
    sample.pids_limit = pids_max.number(buffer)?;
    if let Some(text) = io.text(buffer)? {
        (sample.io_read, sample.io_write) = (sum(text, "Read "), sum(text, "Write "));
    }
    Ok(())
}

fn read_v1_memory(
    files: &Files,
    sample: &mut Sample,
    buffer: &mut Vec<u8>,
    split: Option<&mut Split>,
) -> io::Result<()> {
    let Files::V1 { memory, memory_max, memsw, memory_stat, oom, fail, kernel, .. } = files else { return Ok(()) };
    sample.memory = memory.number(buffer)?.unwrap_or(0);
    sample.memory_limit = memory_max.number(buffer)?.filter(|bytes| *bytes < V1_UNLIMITED);
    sample.swap = memsw.number(buffer)?.map(|both| both.saturating_sub(sample.memory));
    sample.memory_max_events = fail.number(buffer)?;
    sample.memory_kernel = kernel.number(buffer)?;
    if let Some(text) = oom.text(buffer)? {
        sample.oom_kills = files::keyed(text, "oom_kill");
    }
    if let Some(split) = split
        && let Some(text) = memory_stat.text(buffer)?
    {
        let get = |key| files::keyed(text, key);
        let inactive_file = get("total_inactive_file");
        *split = Split { anon: get("total_rss"), file: get("total_cache"), inactive_file, kernel: None };
    }
    Ok(())
}

fn millis(quota: u64, period: u64) -> Option<u64> {
    quota.checked_mul(1_000)?.checked_div(period)
}

/// Adds up the numbers after `label` in lines such as `8:0 rbytes=1 wbytes=2` and `8:0 Read 1`.
fn sum(text: &str, label: &str) -> u64 {
    let values = text.split(label).skip(1).filter_map(|rest| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<u64>().ok()
    });
    values.fold(0, u64::saturating_add)
}

/// `some avg10=1.23 avg60=… avg300=… total=456`, then the same for `full` (cpu has none before 5.13).
fn parse_pressure(text: &str) -> Option<Pressure> {
    let field = |line: &str, key: &str| -> Option<String> {
        line.split(' ').find_map(|word| word.strip_prefix(key)).map(|value| value.replace('.', ""))
    };
    let line = |kind: &str| -> Option<(u32, u64)> {
        let line = text.lines().find(|line| line.starts_with(kind))?;
        Some((field(line, "avg10=")?.parse().ok()?, field(line, "total=")?.parse().ok()?))
    };
    let (some_avg10, some_total_usec) = line("some")?;
    let (full_avg10, full_total_usec) = line("full").unwrap_or_default();
    Some(Pressure { some_avg10, some_total_usec, full_avg10, full_total_usec })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_lines() {
        let text =
            "some avg10=1.50 avg60=0.10 avg300=0.00 total=4242\nfull avg10=12.00 avg60=0.00 avg300=0.00 total=7\n";
        let expected = Pressure { some_avg10: 150, some_total_usec: 4242, full_avg10: 1200, full_total_usec: 7 };
        assert_eq!(parse_pressure(text), Some(expected));
        assert_eq!(parse_pressure(""), None);
    }

    #[test]
    fn sums_over_disks() {
        assert_eq!(sum("8:0 rbytes=10 wbytes=2 rios=3\n8:16 rbytes=5 wbytes=1\n", "rbytes="), 15);
        assert_eq!(sum("8:0 Read 7\n8:0 Write 9\nTotal 16\n", "Write "), 9);
    }

    #[test]
    fn a_group_that_is_not_there_is_gone() {
        assert!(Sampler::open("/teu/no-such-container", 1).is_err());
        assert!(Sampler::open("", i32::MAX).is_err());
    }
}
