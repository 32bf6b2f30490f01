//! Reading a profile: which rules count for these capabilities, this kernel and these architectures.

use super::arch::{ARCHES, Arch, Numbers, X32_BIT};
use super::words::{self, NOTIFY, version};
use super::{Action, Condition, Error, Rule};
use crate::runtime::caps;
use crate::sys::confine;
use serde::Deserialize;
use std::ops::RangeInclusive;

/// What a profile means on this machine.
#[derive(Debug)]
pub struct Filter {
    pub default: Action,
    /// For architectures the profile does not name.
    pub foreign: Action,
    pub flags: u32,
    pub notifies: bool,
    /// What entries of the profile say, each once.
    pub entries: Vec<Vec<Rule>>,
    /// The machine's own architecture first.
    pub arches: Vec<ArchRules>,
}

#[derive(Debug)]
pub struct ArchRules {
    pub audit: u32,
    /// Numbers from here on belong to another ABI (x32) that is answered with ENOSYS.
    pub foreign_from: Option<u32>,
    /// Numbers beyond all that the profile names: calls its author did not know, which programs expect to be missing
    /// rather than forbidden (a libc tries a new call and falls back on the old one). runc's reading. None where the
    /// default lets calls pass.
    pub unknown: Vec<RangeInclusive<u32>>,
    /// Number and entry, sorted: several entries about one number stand in the profile's order.
    pub calls: Vec<(u32, usize)>,
}

impl Filter {
    /// The alternatives for one number, whose part of [`ArchRules::calls`] this is; the default applies when none holds.
    pub fn rules(&self, calls: &[(u32, usize)]) -> Vec<&Rule> {
        let mut rules: Vec<&Rule> = calls.iter().flat_map(|(_, entry)| &self.entries[*entry]).collect();
        // A rule without conditions decides alone, wherever it stands (libseccomp's reading).
        if let Some(plain) = rules.iter().position(|r| r.conditions.is_empty()) {
            rules = vec![rules[plain]];
        }
        rules
    }
}

/// Docker's format. What is for people (comments) is let be.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    default_action: String,
    default_errno_ret: Option<u32>,
    #[serde(default)]
    architectures: Vec<String>,
    arch_map: Option<Vec<ArchMap>>,
    #[serde(default)]
    flags: Vec<String>,
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
    let default = words::action(&file.default_action, file.default_errno_ret)?;
    if default == NOTIFY {
        return Err(Error::Notify("SCMP_ACT_NOTIFY cannot be the default: handing over the listener needs calls, too"));
    }
    let flags = file.flags.iter().try_fold(0, |all, flag| Ok::<_, Error>(all | words::flag(flag)?))?;
    let mut filter =
        Filter { default, foreign: foreign(default), flags, notifies: false, entries: Vec::new(), arches: Vec::new() };
    let mut used = Vec::new();
    for entry in &file.syscalls {
        let does = words::action(&entry.action, entry.errno_ret)?;
        let conditions = entry.args.iter().flatten().map(condition).collect::<Result<Vec<_>, _>>()?;
        let wanted = included(entry.includes.as_ref(), &ARCHES[0], capabilities, kernel)?
            && !excluded(entry.excludes.as_ref(), &ARCHES[0], capabilities, kernel)?;
        // A rule that says what happens anyway is none, as in runc.
        if !wanted || does == default {
            continue;
        }
        if does == NOTIFY {
            filter.notifies = true;
            if entry.names().any(|name| name == "write") {
                return Err(Error::Notify("SCMP_ACT_NOTIFY cannot be for write: it hands over the listener"));
            }
        }
        let rules = alternatives(conditions, does);
        let index = filter.entries.iter().position(|known| *known == rules).unwrap_or_else(|| {
            filter.entries.push(rules);
            filter.entries.len() - 1
        });
        used.push((entry, index));
    }
    if flags & confine::FILTER_WAIT_KILLABLE != 0 && !filter.notifies {
        return Err(Error::Notify("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is for SCMP_ACT_NOTIFY only"));
    }
    for arch in architectures(&file)? {
        let numbers = arch.numbers();
        add(&mut filter.arches, arch, &numbers, &used);
        let known = filter.arches.iter_mut().find(|rules| rules.audit == arch.audit);
        if let Some(known) = known.filter(|_| !lets_pass(default)) {
            known.unknown.extend(unknown(arch, &numbers, &file));
        }
    }
    Ok(filter)
}

/// A call of an architecture that no rule is about passes no filter at all, so that what lets calls pass must not be
/// what happens to it: then it ends the process, as libseccomp has it.
fn foreign(default: Action) -> Action {
    let refuses = matches!(default.0 & 0xffff_0000, 0 | 0x8000_0000 | 0x0003_0000 | 0x0005_0000);
    if refuses { default } else { Action::KILL_PROCESS }
}

/// Whoever traces or logs calls is to see new ones, too.
fn lets_pass(default: Action) -> bool {
    matches!(default.0 & 0xffff_0000, 0x7fff_0000 | 0x7ffc_0000 | 0x7ff0_0000)
}

fn unknown(arch: &Arch, numbers: &Numbers, file: &File) -> Option<RangeInclusive<u32>> {
    let named = file.syscalls.iter().flat_map(Entry::names).filter_map(|name| numbers.get(name));
    let end = if arch.bit == 0 { X32_BIT - 1 } else { u32::MAX };
    named.max().map(|last| (last | arch.bit) + 1..=end)
}

/// The machine's own, and those of its others that the profile names.
fn architectures(file: &File) -> Result<Vec<&'static Arch>, Error> {
    let native = ARCHES[0].scmp;
    let mapped = file.arch_map.iter().flatten().filter(|m| m.architecture == native);
    let mapped = mapped.flat_map(|m| m.sub_architectures.iter().flatten());
    let mut named = Vec::new();
    for name in file.architectures.iter().chain(mapped) {
        words::check_architecture(name)?;
        named.push(name.as_str());
    }
    Ok(ARCHES.iter().enumerate().filter(|(n, arch)| *n == 0 || named.contains(&arch.scmp)).map(|a| a.1).collect())
}

/// Names an architecture does not have are no error: profiles are written for all.
fn add(arches: &mut Vec<ArchRules>, arch: &Arch, numbers: &Numbers, used: &[(&Entry, usize)]) {
    let names = used.iter().flat_map(|(entry, index)| entry.names().map(move |name| (name, *index)));
    let mut calls: Vec<(u32, usize)> =
        names.filter_map(|(name, index)| Some((numbers.get(name)? | arch.bit, index))).collect();
    // Stable: what is about one number keeps its order.
    calls.sort_by_key(|(number, _)| *number);
    calls.dedup();
    match arches.iter_mut().find(|known| known.audit == arch.audit) {
        // Its numbers are all above.
        Some(known) => {
            known.foreign_from = None;
            known.calls.extend(calls);
        }
        None => {
            let shared = ARCHES.iter().any(|other| other.audit == arch.audit && other.bit != 0);
            arches.push(ArchRules {
                audit: arch.audit,
                foreign_from: shared.then_some(X32_BIT),
                unknown: Vec::new(),
                calls,
            });
        }
    }
}

impl Entry {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().chain(&self.name).map(String::as_str)
    }
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

fn condition(arg: &Arg) -> Result<Condition, Error> {
    let op = words::operator(&arg.op)?;
    if arg.index > 5 {
        return Err(Error::Index(arg.index));
    }
    Ok(Condition { index: arg.index, op, value: arg.value, second: arg.value_two })
}
