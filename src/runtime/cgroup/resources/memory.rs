//! The `memory` of `linux.resources`. 0 is "not set" there.

use super::{Absent, List, max_or};
use crate::runtime::cgroup::{Error, Result};
use oci_spec::runtime::{LinuxMemory, LinuxResources};

/// What is given and no kernel has any more, in words.
pub fn ignored(resources: &LinuxResources) -> Vec<String> {
    let Some(memory) = resources.memory() else { return Vec::new() };
    let mut warnings = Vec::new();
    if memory.kernel().is_some_and(|limit| limit != 0) {
        warnings
            .push("memory.kernel is ignored: kernels since 5.16 have no limit of their own memory alone".to_owned());
    }
    if memory.use_hierarchy() == Some(false) {
        warnings.push("memory.useHierarchy is ignored: a group's memory is that of the groups in it, too".to_owned());
    }
    warnings
}

/// 2^64-1 is the -1 by which callers mean the machine's own.
fn swappiness(memory: &LinuxMemory) -> Option<u64> {
    memory.swappiness().filter(|number| *number != u64::MAX)
}

pub fn v1(list: &mut List, memory: &LinuxMemory) {
    if let Some(limit) = memory.limit().filter(|l| *l != 0) {
        list.either("memory", "memory.limit_in_bytes", limit);
    }
    // Without a limit of memory there is none of memory and swap together.
    let swap = memory.swap().filter(|s| *s != 0).or(memory.limit().filter(|l| *l == -1));
    if let Some(swap) = swap {
        list.either("memory", "memory.memsw.limit_in_bytes", swap);
        if memory.swap().is_none_or(|s| s == 0) {
            list.or(Absent::Skip);
        }
    }
    let numbers =
        [("memory.soft_limit_in_bytes", memory.reservation()), ("memory.kmem.tcp.limit_in_bytes", memory.kernel_tcp())];
    for (file, value) in numbers {
        if let Some(value) = value.filter(|v| *v != 0) {
            list.push("memory", file, value);
        }
    }
    if let Some(swappiness) = swappiness(memory) {
        list.push("memory", "memory.swappiness", swappiness);
    }
    if memory.disable_oom_killer() == Some(true) {
        list.push("memory", "memory.oom_control", 1);
    }
}

pub fn v2(list: &mut List, memory: &LinuxMemory) -> Result<()> {
    if let Some(swap) = memory.swap().filter(|s| *s != 0) {
        // The specification counts memory and swap together, v2 swap alone.
        let alone = match (swap, memory.limit()) {
            (..0, _) => -1,
            (_, None | Some(0)) => {
                return Err(Error::Invalid("a limit of memory and swap needs a memory limit too".into()));
            }
            (_, Some(..0)) => -1,
            (total, Some(limit)) if total >= limit => total - limit,
            (total, Some(limit)) => {
                let message = format!("memory and swap of {total} bytes are less than the memory limit of {limit}");
                return Err(Error::Invalid(message));
            }
        };
        list.push("memory", "memory.swap.max", max_or(alone));
    } else if memory.limit() == Some(-1) {
        // Without a limit of memory there is none of memory and swap together.
        list.push("memory", "memory.swap.max", "max");
        list.or(Absent::Skip);
    }
    if let Some(limit) = memory.limit().filter(|l| *l != 0) {
        list.push("memory", "memory.max", max_or(limit));
    }
    if let Some(reservation) = memory.reservation().filter(|r| *r != 0) {
        list.push("memory", "memory.low", max_or(reservation));
    }
    if memory.disable_oom_killer() == Some(true) {
        return Err(Error::Invalid("the OOM killer cannot be switched off with control groups v2".into()));
    }
    let gone = [
        (swappiness(memory).is_some(), "memory.swappiness"),
        (memory.kernel_tcp().is_some_and(|limit| limit > 0), "memory.kernelTCP"),
    ];
    if let Some((_, name)) = gone.into_iter().find(|(given, _)| *given) {
        return Err(Error::Invalid(format!("{name} cannot be had with control groups v2")));
    }
    Ok(())
}
