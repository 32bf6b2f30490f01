//! `-m`, `--cpus` and the other limits, with docker's meaning of zero and minus one.

use super::block;
use crate::cli::args::{Args, misuse, wrong};
use crate::engine::Result;
use crate::model::container::{Limits, Ulimit};
use crate::model::units::parse_bytes;

const ULIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// Docker's: below it the process is killed before it is the container's own.
const LEAST_MEMORY: u64 = 6 << 20;

pub(in crate::cli) fn limits(args: Args) -> Result<Limits> {
    let limits = given(args)?;
    match limits.memory_swap {
        Some(swap) if swap > 0 && limits.memory.is_none() => Err(misuse("--memory-swap needs --memory")),
        _ => Ok(limits),
    }
}

/// Each makes sense beside the others.
fn given(args: Args) -> Result<Limits> {
    let bytes = |flag: &str| -> Result<Option<u64>> {
        let size = args.text(flag).map(|v| size(flag, v)).transpose()?;
        Ok(size.filter(|n| *n > 0))
    };
    let limits = Limits {
        memory: bytes("memory")?,
        memory_swap: args.text("memory-swap").map(memory_swap).transpose()?.filter(|n| *n != 0),
        memory_reservation: bytes("memory-reservation")?,
        nano_cpus: args.text("cpus").map(nano_cpus).transpose()?.filter(|n| *n > 0),
        // The kernel knows no less than 2, as docker's users find when they ask for 1.
        cpu_shares: ranged(args, "cpu-shares", 1, 262_144)?.map(|n| n.max(2)),
        cpu_quota: args.number::<i64>("cpu-quota")?.filter(|n| *n != 0),
        cpu_period: ranged(args, "cpu-period", 1_000, 1_000_000)?,
        cpuset_cpus: args.text("cpuset-cpus").map(|v| cpu_list("cpuset-cpus", v)).transpose()?,
        cpuset_mems: args.text("cpuset-mems").map(|v| cpu_list("cpuset-mems", v)).transpose()?,
        pids: args.number::<i64>("pids-limit")?.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0),
        io_weight: ranged(args, "blkio-weight", 10, 1000)?.and_then(|n| u16::try_from(n).ok()),
        oom_score_adj: oom_score_adj(args)?,
        memory_swappiness: swappiness(args)?,
        oom_kill_disable: args.given("oom-kill-disable").then(|| args.on("oom-kill-disable")),
        cpu_rt_period: ranged(args, "cpu-rt-period", 1, 1_000_000)?,
        cpu_rt_runtime: ranged(args, "cpu-rt-runtime", 1, 1_000_000)?,
        device_weights: block::weights(args)?,
        device_rates: block::rates(args)?,
    };
    check(&limits)?;
    Ok(limits)
}

fn check(limits: &Limits) -> Result<()> {
    if let Some(memory) = limits.memory.filter(|m| *m < LEAST_MEMORY) {
        return Err(wrong("memory", &memory.to_string(), "the least that a container can start in is 6m"));
    }
    if limits.nano_cpus.is_some() && (limits.cpu_quota.is_some() || limits.cpu_period.is_some()) {
        return Err(misuse("conflicting options: --cpus and --cpu-period or --cpu-quota cannot both be set"));
    }
    match (limits.memory, limits.memory_swap) {
        (Some(memory), Some(swap)) if u64::try_from(swap).is_ok_and(|s| s < memory) => {
            Err(misuse("--memory-swap is memory plus swap: it must not be smaller than --memory"))
        }
        _ => Ok(()),
    }
}

/// Bytes with docker's suffixes.
pub(super) fn size(flag: &str, text: &str) -> Result<u64> {
    parse_bytes(text).ok_or_else(|| wrong(flag, text, "it is not a size (512m, 2g)"))
}

fn memory_swap(text: &str) -> Result<i64> {
    match text {
        "-1" => Ok(-1),
        _ => size("memory-swap", text).map(|n| i64::try_from(n).unwrap_or(i64::MAX)),
    }
}

/// Decimal digits only, as docker: no rounding through floating point.
fn nano_cpus(text: &str) -> Result<u64> {
    let bad = || wrong("cpus", text, "it is not a number of CPUs (0.5, 2)");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) || whole.len() > 6 {
        return Err(bad());
    }
    if fraction.len() > 9 {
        return Err(wrong("cpus", text, "more than nine digits after the point"));
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| bad())? };
    let nanos: u64 = format!("{fraction:0<9}").parse().map_err(|_| bad())?;
    Ok(whole * 1_000_000_000 + nanos)
}

/// 0 is docker's "not set".
fn ranged(args: Args, flag: &str, least: u64, most: u64) -> Result<Option<u64>> {
    match args.number::<u64>(flag)? {
        None | Some(0) => Ok(None),
        Some(n) if (least..=most).contains(&n) => Ok(Some(n)),
        Some(n) => Err(wrong(flag, &n.to_string(), format!("it must be {least} to {most}"))),
    }
}

/// -1 is docker's "not set".
fn swappiness(args: Args) -> Result<Option<u8>> {
    match args.number::<i64>("memory-swappiness")? {
        None | Some(-1) => Ok(None),
        Some(n) => match u8::try_from(n).ok().filter(|n| *n <= 100) {
            Some(n) => Ok(Some(n)),
            None => Err(wrong("memory-swappiness", &n.to_string(), "it must be 0 to 100, or -1 for the machine's own")),
        },
    }
}

/// What `update` is given: there, lifting the limit of tasks is not the same as leaving it, and the container may have the
/// limit of memory that one of swap needs.
pub(in crate::cli) fn changes(args: Args) -> Result<Limits> {
    let mut limits = given(args)?;
    if args.number::<i64>("pids-limit")?.is_some_and(|n| n <= 0) {
        limits.pids = Some(Limits::NO_PIDS_LIMIT);
    }
    Ok(limits)
}

fn oom_score_adj(args: Args) -> Result<Option<i32>> {
    match args.number::<i32>("oom-score-adj")? {
        Some(n) if !(-1000..=1000).contains(&n) => {
            Err(wrong("oom-score-adj", &n.to_string(), "it must be -1000 to 1000"))
        }
        other => Ok(other),
    }
}

/// `0-3,5`
fn cpu_list(flag: &str, text: &str) -> Result<String> {
    let number = |s: &str| s.parse::<u32>().ok().filter(|n| *n < 8192);
    let part = |s: &str| match s.split_once('-') {
        Some((a, b)) => number(a).zip(number(b)).is_some_and(|(a, b)| a <= b),
        None => number(s).is_some(),
    };
    if text.split(',').all(part) { Ok(text.to_owned()) } else { Err(wrong(flag, text, "it must be like 0-3 or 0,1")) }
}

pub(super) fn ulimits(texts: &[&str]) -> Result<Vec<Ulimit>> {
    texts.iter().map(|text| ulimit(text)).collect()
}

fn ulimit(text: &str) -> Result<Ulimit> {
    let (name, values) = text.split_once('=').ok_or_else(|| wrong("ulimit", text, "it must be NAME=SOFT[:HARD]"))?;
    if !ULIMITS.contains(&name) {
        return Err(wrong("ulimit", text, format!("there is no limit '{name}'; there are {}", ULIMITS.join(", "))));
    }
    let value = |v: &str| match v {
        "-1" | "unlimited" => Ok(u64::MAX),
        v => v.parse::<u64>().map_err(|_| wrong("ulimit", text, format!("'{v}' is not a number"))),
    };
    let (soft, hard) = match values.split_once(':') {
        Some((soft, hard)) => (value(soft)?, value(hard)?),
        None => (value(values)?, value(values)?),
    };
    if soft > hard {
        return Err(wrong("ulimit", text, "the soft limit is above the hard limit"));
    }
    Ok(Ulimit { name: name.to_owned(), soft, hard })
}
