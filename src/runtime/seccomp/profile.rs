//! Reading a profile: which rules count for these capabilities, this kernel and these architectures.

use super::arch::{ARCHES, Arch};
use super::{Action, Condition, Error, Op, Rule};
use crate::runtime::caps;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a profile means on this machine.
#[derive(Debug)]
pub struct Filter {
    pub default: Action,
    /// The machine's own architecture first.
    pub arches: Vec<ArchRules>,
}

#[derive(Debug)]
pub struct ArchRules {
    pub audit: u32,
    pub foreign_from: Option<u32>,
    /// By number; alternatives in order, the default applies when none holds.
    pub calls: BTreeMap<u32, Vec<Rule>>,
}

/// Docker's format. Fields that steer other tools (comments, flags) are let be.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    default_action: String,
    default_errno_ret: Option<u32>,
    #[serde(default)]
    architectures: Vec<String>,
    arch_map: Option<Vec<ArchMap>>,
    /// Of the OCI specification: who hears of the calls that are notified.
    listener_path: Option<String>,
    #[serde(default)]
    syscalls: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchMap {
    architecture: String,
    sub_architectures: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    /// Old profiles have one name per entry.
    name: Option<String>,
    #[serde(default)]
    names: Vec<String>,
    action: String,
    errno_ret: Option<u32>,
    args: Option<Vec<Arg>>,
    includes: Option<Gate>,
    excludes: Option<Gate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arg {
    index: u32,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Gate {
    caps: Option<Vec<String>>,
    arches: Option<Vec<String>>,
    min_kernel: Option<String>,
}

pub(super) fn read(text: &str, capabilities: u64, kernel: (u32, u32)) -> Result<Filter, Error> {
    let file: File = serde_json::from_str(text)?;
    let default = action(&file.default_action, file.default_errno_ret, file.listener_path.is_some())?;
    let native = &ARCHES[0];
    let mut entries = Vec::new();
    for entry in &file.syscalls {
        let does = action(&entry.action, entry.errno_ret, file.listener_path.is_some())?;
        let conditions = entry.args.iter().flatten().map(condition).collect::<Result<Vec<_>, _>>()?;
        let wanted = included(entry.includes.as_ref(), native, capabilities, kernel)?
            && !excluded(entry.excludes.as_ref(), native, capabilities, kernel)?;
        // A rule that says what happens anyway is none, as in runc.
        if wanted && does != default {
            entries.push((entry, alternatives(conditions, does)));
        }
    }
    let arches = ARCHES.iter().enumerate().filter(|(n, arch)| *n == 0 || also(&file, arch));
    let arches = arches.map(|(_, arch)| rules(arch, &entries)).collect();
    Ok(Filter { default, arches })
}

fn also(file: &File, arch: &Arch) -> bool {
    let native = ARCHES[0].scmp;
    let mapped = file.arch_map.iter().flatten().filter(|m| m.architecture == native);
    file.architectures.iter().any(|a| a == arch.scmp)
        || mapped.flat_map(|m| m.sub_architectures.iter().flatten()).any(|a| a == arch.scmp)
}

/// Names an architecture does not have are no error: profiles are written for all.
fn rules(arch: &Arch, entries: &[(&Entry, Vec<Rule>)]) -> ArchRules {
    let numbers = arch.numbers();
    let mut calls: BTreeMap<u32, Vec<Rule>> = BTreeMap::new();
    for (entry, rules) in entries {
        for name in entry.names.iter().chain(&entry.name) {
            if let Some(number) = numbers.get(name.as_str()) {
                calls.entry(*number).or_default().extend(rules.iter().cloned());
            }
        }
    }
    for rules in calls.values_mut() {
        // A rule without conditions decides alone, wherever it stands (libseccomp's reading).
        if let Some(plain) = rules.iter().position(|r| r.conditions.is_empty()) {
            *rules = vec![rules.swap_remove(plain)];
        }
    }
    ArchRules { audit: arch.audit, foreign_from: arch.foreign_from, calls }
}

/// Conditions on different arguments must all hold; several on the same one are alternatives (runc's reading).
fn alternatives(conditions: Vec<Condition>, action: Action) -> Vec<Rule> {
    let repeated = conditions.iter().enumerate().any(|(n, c)| conditions[..n].iter().any(|d| d.index == c.index));
    if repeated {
        return conditions.into_iter().map(|c| Rule { conditions: vec![c], action }).collect();
    }
    vec![Rule { conditions, action }]
}

fn included(gate: Option<&Gate>, arch: &Arch, capabilities: u64, kernel: (u32, u32)) -> Result<bool, Error> {
    let Some(gate) = gate else { return Ok(true) };
    for name in gate.caps.iter().flatten() {
        if capabilities & capability(name)? == 0 {
            return Ok(false);
        }
    }
    if gate.arches.as_ref().is_some_and(|a| !a.is_empty() && !a.iter().any(|a| a == arch.name)) {
        return Ok(false);
    }
    Ok(min_kernel(gate)?.is_none_or(|least| kernel >= least))
}

fn excluded(gate: Option<&Gate>, arch: &Arch, capabilities: u64, kernel: (u32, u32)) -> Result<bool, Error> {
    let Some(gate) = gate else { return Ok(false) };
    for name in gate.caps.iter().flatten() {
        if capabilities & capability(name)? != 0 {
            return Ok(true);
        }
    }
    if gate.arches.iter().flatten().any(|a| a == arch.name) {
        return Ok(true);
    }
    Ok(min_kernel(gate)?.is_some_and(|least| kernel >= least))
}

fn capability(name: &str) -> Result<u64, Error> {
    caps::bit(name).map_err(|_| Error::Unknown { what: "capability", value: name.to_owned() })
}

fn min_kernel(gate: &Gate) -> Result<Option<(u32, u32)>, Error> {
    let Some(text) = gate.min_kernel.as_deref().filter(|t| !t.is_empty()) else { return Ok(None) };
    version(text).map(Some).ok_or_else(|| Error::Unknown { what: "kernel version", value: text.to_owned() })
}

/// `6.18.44-fc` is (6, 18).
pub(super) fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn action(name: &str, errno: Option<u32>, notify: bool) -> Result<Action, Error> {
    let data = errno.unwrap_or(1);
    Ok(match name {
        "SCMP_ACT_ALLOW" => Action::ALLOW,
        "SCMP_ACT_ERRNO" => Action::errno(data),
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Action(0),
        "SCMP_ACT_KILL_PROCESS" => Action(0x8000_0000),
        "SCMP_ACT_TRAP" => Action(0x0003_0000),
        "SCMP_ACT_TRACE" => Action(0x7ff0_0000 | (data & 0xffff)),
        "SCMP_ACT_LOG" => Action(0x7ffc_0000),
        // Needs somebody who listens.
        "SCMP_ACT_NOTIFY" if notify => Action(0x7fc0_0000),
        "SCMP_ACT_NOTIFY" => return Err(Error::Unsupported(name.to_owned())),
        _ => return Err(Error::Unknown { what: "action", value: name.to_owned() }),
    })
}

fn condition(arg: &Arg) -> Result<Condition, Error> {
    let op = match arg.op.as_str() {
        "SCMP_CMP_NE" => Op::Ne,
        "SCMP_CMP_LT" => Op::Lt,
        "SCMP_CMP_LE" => Op::Le,
        "SCMP_CMP_EQ" => Op::Eq,
        "SCMP_CMP_GE" => Op::Ge,
        "SCMP_CMP_GT" => Op::Gt,
        "SCMP_CMP_MASKED_EQ" => Op::MaskedEq,
        other => return Err(Error::Unknown { what: "operator", value: other.to_owned() }),
    };
    if arg.index > 5 {
        return Err(Error::Index(arg.index));
    }
    Ok(Condition { index: arg.index, op, value: arg.value, second: arg.value_two })
}
