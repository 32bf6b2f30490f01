//! A process as the specification describes it, turned into numbers before anything is cloned. Pure.

use super::{Outcome, invalid, unsupported};
use crate::runtime::machine::Machine;
use crate::runtime::seccomp;
use crate::runtime::{caps, cgroup};
use crate::sys::attributes::Scheduling;
use crate::sys::confine::{self, Sets};
use oci_spec::runtime::{
    Capabilities, IOPriorityClass, LinuxPersonalityDomain, LinuxSchedulerFlag, LinuxSchedulerPolicy, LinuxSeccomp,
    Process, Scheduler, Spec,
};
use std::path::PathBuf;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    pub args: Vec<String>,
    pub env: Vec<String>,
    pub cwd: String,
    pub terminal: bool,
    /// The caller itself shows the terminal, which leaves line ends as they are: the caller's own does that.
    pub shown: bool,
    /// Columns and rows; without a terminal there are none.
    pub size: Option<(u16, u16)>,
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub umask: u32,
    pub capabilities: Sets,
    pub rlimits: Vec<(String, u64, u64)>,
    pub no_new_privileges: bool,
    pub oom_score: Option<i32>,
    pub scheduling: Option<Scheduling>,
    /// Class and priority.
    pub io_priority: Option<(u32, u32)>,
    pub personality: Option<u64>,
    pub memory_policy: Option<(i32, Vec<u64>)>,
    pub affinity: Affinity,
    pub apparmor: Option<String>,
    pub selinux: Option<String>,
    pub filter: Option<Filter>,
}

/// Processors during the set-up of an `exec`, and for its program.
pub type Affinity = (Option<Vec<u32>>, Option<Vec<u32>>);

/// A compiled filter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    pub program: Vec<u8>,
    pub flags: u32,
    /// Who hears of the calls that the filter does not decide: a socket's path, and what is told along.
    pub listener: Option<(PathBuf, String)>,
}

/// `spec` gives what holds for all processes of the container.
pub fn plan(process: &Process, spec: &Spec, machine: &Machine) -> Outcome<Plan> {
    let user = process.user();
    let terminal = process.terminal().unwrap_or(false);
    let size = process.console_size().filter(|_| terminal);
    let short = |n: u64| u16::try_from(n).unwrap_or(u16::MAX);
    let linux = spec.linux().as_ref();
    Ok(Plan {
        args: process.args().clone().unwrap_or_default(),
        env: environment(process.env().as_deref().unwrap_or_default()),
        cwd: process.cwd().to_string_lossy().into_owned(),
        terminal,
        shown: false,
        size: size.map(|s| (short(s.width()), short(s.height()))),
        uid: user.uid(),
        gid: user.gid(),
        groups: user.additional_gids().clone().unwrap_or_default(),
        umask: user.umask().unwrap_or(0o022),
        capabilities: capabilities(process, machine)?,
        rlimits: process
            .rlimits()
            .iter()
            .flatten()
            .map(|l| {
                let name = l.typ().to_string().to_ascii_lowercase();
                (name.strip_prefix("rlimit_").unwrap_or(&name).to_owned(), l.soft(), l.hard())
            })
            .collect(),
        no_new_privileges: process.no_new_privileges().unwrap_or(false),
        oom_score: process.oom_score_adj(),
        scheduling: process.scheduler().as_ref().map(scheduling).transpose()?,
        io_priority: process.io_priority().as_ref().map(io_priority).transpose()?,
        personality: personality(spec)?,
        memory_policy: memory_policy(spec)?,
        affinity: affinity(process)?,
        apparmor: apparmor(process, machine)?,
        selinux: selinux(process, machine)?,
        filter: linux.and_then(|l| l.seccomp().as_ref()).map(|given| filter(given, machine)).transpose()?,
    })
}

/// Of several values of one name the last counts, and is the only one.
fn environment(given: &[String]) -> Vec<String> {
    let name = |entry: &'_ String| entry.split('=').next().unwrap_or_default().to_owned();
    let mut seen = std::collections::HashSet::new();
    let mut kept: Vec<String> = given.iter().rev().filter(|entry| seen.insert(name(entry))).cloned().collect();
    kept.reverse();
    kept
}

/// Capabilities that cannot become ambient, because they are not both permitted and inheritable.
pub fn never_ambient(sets: &Sets) -> Vec<String> {
    let lost = sets.ambient & !(sets.permitted & sets.inheritable);
    let words = "is not both permitted and inheritable";
    caps::names(lost).map(|name| format!("can't raise ambient capability CAP_{name}: it {words}")).collect()
}

/// What has no meaning.
pub fn ignored(spec: &Spec) -> Option<String> {
    let flags = spec.linux().as_ref()?.personality().as_ref()?.flags().as_ref()?;
    (!flags.is_empty()).then(|| "ignoring personality flags: the specification defines none".to_owned())
}

fn capabilities(process: &Process, machine: &Machine) -> Outcome<Sets> {
    let Some(given) = process.capabilities() else { return Ok(Sets::default()) };
    let bits = |set: &Option<Capabilities>| {
        set.iter().flatten().try_fold(0, |all, capability| {
            let bit = caps::bit(&capability.to_string()).map_err(|e| invalid(e.to_string()))?;
            Ok(all | bit)
        })
    };
    // Names this kernel does not know yet are left out, as by the other runtimes.
    let known = u64::MAX >> (63 - (machine.last_capability)());
    let set = |set| bits(set).map(|bits: u64| bits & known);
    Ok(Sets {
        bounding: set(given.bounding())?,
        effective: set(given.effective())?,
        permitted: set(given.permitted())?,
        inheritable: set(given.inheritable())?,
        ambient: set(given.ambient())?,
    })
}

fn scheduling(scheduler: &Scheduler) -> Outcome<Scheduling> {
    let policy = match scheduler.policy() {
        LinuxSchedulerPolicy::SchedOther => 0,
        LinuxSchedulerPolicy::SchedFifo => 1,
        LinuxSchedulerPolicy::SchedRr => 2,
        LinuxSchedulerPolicy::SchedBatch => 3,
        LinuxSchedulerPolicy::SchedIso => return Err(unsupported("scheduler policy SCHED_ISO is not in Linux")),
        LinuxSchedulerPolicy::SchedIdle => 5,
        LinuxSchedulerPolicy::SchedDeadline => 6,
    };
    let flags = scheduler.flags().iter().flatten().fold(0, |all, flag| {
        all | match flag {
            LinuxSchedulerFlag::SchedResetOnFork => 0x01,
            LinuxSchedulerFlag::SchedFlagReclaim => 0x02,
            LinuxSchedulerFlag::SchedFlagDLOverrun => 0x04,
            LinuxSchedulerFlag::SchedFlagKeepPolicy => 0x08,
            LinuxSchedulerFlag::SchedFlagKeepParams => 0x10,
            LinuxSchedulerFlag::SchedFlagUtilClampMin => 0x20,
            LinuxSchedulerFlag::SchedFlagUtilClampMax => 0x40,
        }
    });
    let nice = scheduler.nice().unwrap_or(0);
    if !(-20..=19).contains(&nice) {
        return Err(invalid(format!("scheduler.nice {nice} is not within -20..19")));
    }
    let priority = scheduler.priority().unwrap_or(0);
    let real_time = matches!(policy, 1 | 2);
    if priority != 0 && !real_time {
        return Err(invalid("scheduler.priority is for SCHED_FIFO and SCHED_RR only"));
    }
    let deadline = [scheduler.runtime(), scheduler.deadline(), scheduler.period()];
    if policy != 6 && deadline.iter().any(|d| d.is_some_and(|d| d != 0)) {
        return Err(invalid("scheduler.runtime, deadline and period are for SCHED_DEADLINE only"));
    }
    let [runtime, deadline, period] = deadline.map(|d| d.unwrap_or(0));
    let priority = u32::try_from(priority).map_err(|_| invalid("scheduler.priority is negative"))?;
    Ok(Scheduling { policy, flags, nice, priority, runtime, deadline, period, ..Scheduling::default() })
}

fn io_priority(given: &oci_spec::runtime::LinuxIOPriority) -> Outcome<(u32, u32)> {
    let class = match given.class() {
        IOPriorityClass::IoprioClassRt => 1,
        IOPriorityClass::IoprioClassBe => 2,
        IOPriorityClass::IoprioClassIdle => 3,
    };
    match u32::try_from(given.priority()) {
        Ok(priority @ 0..=7) => Ok((class, priority)),
        _ => Err(invalid(format!("ioPriority.priority {} is not within 0..7", given.priority()))),
    }
}

fn personality(spec: &Spec) -> Outcome<Option<u64>> {
    let Some(given) = spec.linux().as_ref().and_then(|l| l.personality().as_ref()) else { return Ok(None) };
    Ok(Some(match given.domain() {
        LinuxPersonalityDomain::PerLinux => 0,
        LinuxPersonalityDomain::PerLinux32 => 8,
    }))
}

fn memory_policy(spec: &Spec) -> Outcome<Option<(i32, Vec<u64>)>> {
    use oci_spec::runtime::{MemoryPolicyFlagType as Flag, MemoryPolicyModeType as Mode};
    let Some(given) = spec.linux().as_ref().and_then(|l| l.memory_policy().as_ref()) else { return Ok(None) };
    let mode = match given.mode() {
        Mode::MpolDefault => 0,
        Mode::MpolPreferred => 1,
        Mode::MpolBind => 2,
        Mode::MpolInterleave => 3,
        Mode::MpolLocal => 4,
        Mode::MpolPreferredMany => 5,
        Mode::MpolWeightedInterleave => 6,
    };
    let flags = given.flags().iter().flatten().fold(0, |all, flag| {
        all | match flag {
            Flag::MpolFStaticNodes => 1 << 15,
            Flag::MpolFRelativeNodes => 1 << 14,
            Flag::MpolFNumaBalancing => 1 << 13,
        }
    });
    let mut mask: Vec<u64> = Vec::new();
    if let Some(list) = given.nodes().as_ref().filter(|l| !l.is_empty()) {
        for node in numbers("memoryPolicy.nodes", list)? {
            let word = node as usize / 64;
            if word > 15 {
                return Err(invalid(format!("memoryPolicy.nodes '{list}' is out of range")));
            }
            mask.resize(mask.len().max(word + 1), 0);
            mask[word] |= 1 << (node % 64);
        }
    }
    Ok(Some((mode | flags, mask)))
}

fn affinity(process: &Process) -> Outcome<Affinity> {
    let Some(given) = process.exec_cpu_affinity() else { return Ok((None, None)) };
    let list = |text: &Option<String>| {
        text.as_ref().filter(|t| !t.is_empty()).map(|t| numbers("execCPUAffinity", t)).transpose()
    };
    Ok((list(given.initial())?, list(given.cpu_affinity_final())?))
}

fn numbers(what: &str, list: &str) -> Outcome<Vec<u32>> {
    cgroup::parse_list(list).ok_or_else(|| invalid(format!("{what} '{list}' is no list such as 0-2,4")))
}

fn apparmor(process: &Process, machine: &Machine) -> Outcome<Option<String>> {
    let Some(profile) = process.apparmor_profile().as_ref().filter(|p| !p.is_empty()) else { return Ok(None) };
    if !machine.apparmor() {
        return Err(unsupported(format!("AppArmor profile {profile} is asked for, but AppArmor is not enabled here")));
    }
    Ok(Some(profile.clone()))
}

fn selinux(process: &Process, machine: &Machine) -> Outcome<Option<String>> {
    let Some(label) = process.selinux_label().as_ref().filter(|l| !l.is_empty()) else { return Ok(None) };
    if !machine.selinux() {
        return Err(unsupported(format!("SELinux label {label} is asked for, but SELinux is not enabled here")));
    }
    Ok(Some(label.clone()))
}

fn filter(given: &LinuxSeccomp, machine: &Machine) -> Outcome<Filter> {
    if given.syscalls().iter().flatten().any(|rule| rule.names().is_empty()) {
        return Err(invalid("linux.seccomp: a rule of syscalls must have at least one name"));
    }
    // The specification's words are docker's, which the compiler reads.
    let text = serde_json::to_string(given).map_err(|e| invalid(format!("linux.seccomp: {e}")))?;
    let mut compiled = seccomp::compile_spec(&text, &(machine.kernel_release)())
        .map_err(|e| invalid(format!("linux.seccomp: {e}")))?;
    let path = given.listener_path().clone().filter(|p| !p.as_os_str().is_empty());
    if path.is_none() && given.listener_metadata().as_ref().is_some_and(|m| !m.is_empty()) {
        return Err(invalid("linux.seccomp: listenerMetadata must not be set without listenerPath"));
    }
    let listener = match (compiled.notifies, path) {
        (true, None) => return Err(invalid("linux.seccomp: SCMP_ACT_NOTIFY needs a listenerPath")),
        (true, Some(path)) => {
            compiled.flags |= confine::FILTER_NEW_LISTENER;
            Some((path, given.listener_metadata().clone().unwrap_or_default()))
        }
        // A listener without calls to hear of gets nothing.
        (false, _) => None,
    };
    Ok(Filter { program: compiled.program, flags: compiled.flags, listener })
}
