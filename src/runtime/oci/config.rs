//! Reading a bundle's `config.json`, and refusing what cannot be carried out before anything is made.

use super::{Outcome, invalid, unsupported};
use crate::runtime::caps;
use crate::runtime::init::report::During;
use crate::runtime::machine::Machine;
use crate::sys::{files, in_root};
use oci_spec::runtime::{LinuxNamespaceType, Spec};
use std::collections::HashSet;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// Larger configurations are refused unread.
const MAX_CONFIG: usize = 8 << 20;
/// Linux' own bound of a host name.
const MAX_HOSTNAME: usize = 64;

/// A bundle whose configuration makes sense.
#[derive(Debug)]
pub struct Bundle {
    /// Absolute.
    pub dir: PathBuf,
    /// Absolute, links in it resolved.
    pub rootfs: PathBuf,
    pub spec: Spec,
    /// As read; kept with the container, because later changes of the file must not matter.
    pub text: Vec<u8>,
    /// What is left out of it.
    pub warnings: Vec<String>,
}

pub fn load(dir: &Path, machine: &Machine) -> Outcome<Bundle> {
    let dir = dir.canonicalize().during(&format!("opening the bundle {}", dir.display()))?;
    let opened = files::open_dir(&dir).during("opening the bundle")?;
    let text = in_root::read_small(opened.as_fd(), "config.json", MAX_CONFIG)
        .during(&format!("reading the configuration of {}", dir.display()))?;
    let (spec, warnings): (Spec, _) = lenient(&text, "process").map_err(|e| invalid(format!("config.json: {e}")))?;
    check(&spec, machine)?;
    let root = spec.root().as_ref().ok_or_else(|| invalid("config.json: root is required"))?;
    let rootfs = dir.join(root.path());
    let rootfs = rootfs.canonicalize().during(&format!("opening the root file system {}", rootfs.display()))?;
    if !rootfs.is_dir() {
        return Err(invalid(format!("the root file system {} is not a directory", rootfs.display())));
    }
    if rootfs == Path::new("/") {
        return Err(invalid("the root file system must not be the host's own root"));
    }
    Ok(Bundle { dir, rootfs, spec, text, warnings })
}

pub fn parse(text: &[u8]) -> Outcome<Spec> {
    lenient(text, "process").map(|(spec, _)| spec).map_err(|e| invalid(format!("config.json: {e}")))
}

/// The `process` of an `exec`, in a file of its own; and what of it is left out, in words.
pub fn parse_process(text: &[u8]) -> serde_json::Result<(oci_spec::runtime::Process, Vec<String>)> {
    lenient(text, "")
}

/// The specification's names, where the parser has others.
fn rename_scheduler_flags(process: &mut serde_json::Map<String, serde_json::Value>) {
    let flags = process.get_mut("scheduler").and_then(|s| s.get_mut("flags")).and_then(|f| f.as_array_mut());
    for flag in flags.into_iter().flatten() {
        match flag.as_str() {
            Some("SCHED_FLAG_RESET_ON_FORK") => *flag = "SCHED_RESET_ON_FORK".into(),
            Some("SCHED_FLAG_DL_OVERRUN") => *flag = "SCHED_FLAG_D_L_OVERRUN".into(),
            _ => {}
        }
    }
}

/// Two things are no reason to fail. Where callers leave out a process's user, root is meant (so all runtimes have it,
/// though the specification asks for the field); and a capability that is not known is to be warned of.
fn lenient<T: serde::de::DeserializeOwned>(text: &[u8], place: &str) -> serde_json::Result<(T, Vec<String>)> {
    let strict = serde_json::from_slice(text);
    let said = match strict {
        Ok(value) => return Ok((value, Vec::new())),
        Err(e) => e,
    };
    let mut value: serde_json::Value = serde_json::from_slice(text)?;
    let found = if place.is_empty() { Some(&mut value) } else { value.get_mut(place) };
    let Some(process) = found.and_then(|p| p.as_object_mut()) else { return Err(said) };
    process.entry("user").or_insert_with(|| serde_json::json!({ "uid": 0, "gid": 0 }));
    rename_scheduler_flags(process);
    let mut unknown = Vec::new();
    let sets = process.get_mut("capabilities").and_then(|c| c.as_object_mut());
    for set in sets.into_iter().flat_map(|sets| sets.values_mut()).filter_map(|set| set.as_array_mut()) {
        set.retain(|name| {
            let known = name.as_str().is_none_or(|name| caps::bit(name).is_ok());
            if !known && !unknown.contains(name) {
                unknown.push(name.clone());
            }
            known
        });
    }
    let warnings = unknown.iter().map(|name| format!("ignoring the unknown capability {name}")).collect();
    Ok((serde_json::from_value(value)?, warnings))
}

/// What can be said of a configuration before anything is worked out.
pub fn check(spec: &Spec, machine: &Machine) -> Outcome<()> {
    version(spec.version())?;
    for (there, what) in [
        (spec.solaris().is_some(), "solaris"),
        (spec.windows().is_some(), "windows"),
        (spec.vm().is_some(), "vm"),
        (spec.zos().is_some(), "zos"),
    ] {
        if there {
            return Err(unsupported(format!("config.json: {what} is not supported: this is a runtime for Linux")));
        }
    }
    namespaces(spec)?;
    names(spec)?;
    linux(spec, machine)?;
    sysctls(spec)?;
    if let Some(process) = spec.process() {
        check_process(process)?;
    }
    for hook in super::hooks::all(spec) {
        if !hook.path().is_absolute() {
            return Err(invalid(format!("config.json: hook path '{}' is not absolute", hook.path().display())));
        }
        if hook.timeout().is_some_and(|t| t <= 0) {
            return Err(invalid(format!("config.json: timeout of hook {} is not positive", hook.path().display())));
        }
    }
    Ok(())
}

fn version(text: &str) -> Outcome<()> {
    let numbers: Vec<_> = text.split(['-', '+']).next().unwrap_or_default().split('.').collect();
    let right = numbers.len() == 3 && numbers.iter().all(|n| n.parse::<u32>().is_ok());
    match right {
        _ if text.is_empty() => Err(invalid("config.json: ociVersion is required")),
        false => Err(invalid(format!("config.json: ociVersion '{text}' is not a semantic version"))),
        true if numbers[0] != "1" => {
            Err(unsupported(format!("config.json: ociVersion {text} is not supported: 1.x is")))
        }
        true => Ok(()),
    }
}

/// Whether the container is in a new or a named namespace of that kind, and not in the host's.
pub fn has(spec: &Spec, kind: LinuxNamespaceType) -> bool {
    listed(spec).iter().any(|n| n.typ() == kind)
}

pub fn listed(spec: &Spec) -> &[oci_spec::runtime::LinuxNamespace] {
    spec.linux().as_ref().and_then(|l| l.namespaces().as_deref()).unwrap_or_default()
}

fn namespaces(spec: &Spec) -> Outcome<()> {
    let mut seen = HashSet::new();
    for namespace in listed(spec) {
        if !seen.insert(namespace.typ() as u64) {
            return Err(invalid(format!("config.json: the {} namespace is listed twice", namespace.typ())));
        }
        if namespace.path().as_ref().is_some_and(|p| !p.as_os_str().is_empty() && !p.is_absolute()) {
            return Err(invalid(format!("config.json: the path of the {} namespace is not absolute", namespace.typ())));
        }
    }
    Ok(())
}

fn names(spec: &Spec) -> Outcome<()> {
    for (value, what) in [(spec.hostname(), "hostname"), (spec.domainname(), "domainname")] {
        let Some(name) = value.as_ref().filter(|n| !n.is_empty()) else { continue };
        if !has(spec, LinuxNamespaceType::Uts) {
            return Err(invalid(format!("config.json: {what} needs a uts namespace of the container's own")));
        }
        if name.len() > MAX_HOSTNAME || name.contains('\0') {
            return Err(invalid(format!("config.json: {what} is longer than {MAX_HOSTNAME} bytes")));
        }
    }
    Ok(())
}

fn linux(spec: &Spec, machine: &Machine) -> Outcome<()> {
    let Some(linux) = spec.linux() else { return Ok(()) };
    let user = has(spec, LinuxNamespaceType::User);
    let maps = [linux.uid_mappings(), linux.gid_mappings()];
    if !user && maps.iter().any(|m| m.as_ref().is_some_and(|m| !m.is_empty())) {
        return Err(invalid("config.json: uidMappings and gidMappings need a user namespace"));
    }
    if linux.time_offsets().as_ref().is_some_and(|t| !t.is_empty()) && !has(spec, LinuxNamespaceType::Time) {
        return Err(invalid("config.json: timeOffsets need a time namespace"));
    }
    for path in linux.masked_paths().iter().flatten().chain(linux.readonly_paths().iter().flatten()) {
        if !path.starts_with('/') {
            return Err(invalid(format!("config.json: masked or read-only path '{path}' is not absolute")));
        }
    }
    if let Some(rdt) = linux.intel_rdt() {
        super::rdt::check(rdt)?;
    }
    super::devices::check(spec)?;
    if linux.mount_label().as_ref().is_some_and(|l| !l.is_empty()) && !machine.selinux() {
        return Err(unsupported("config.json: mountLabel is given, but SELinux is not enabled on this machine"));
    }
    Ok(())
}

/// Which sysctls belong to a namespace; all others are the host's and are not a container's to set.
fn sysctls(spec: &Spec) -> Outcome<()> {
    let given = spec.linux().as_ref().and_then(|l| l.sysctl().as_ref());
    let mut keys: Vec<&String> = given.into_iter().flat_map(|m| m.keys()).collect();
    keys.sort();
    for key in keys {
        let dotted = if key.contains('/') { key.replace('/', ".") } else { key.clone() };
        if dotted.split('.').any(|part| part.is_empty() || part == "..") || dotted.contains('\0') {
            return Err(invalid(format!("config.json: sysctl '{key}' is no name")));
        }
        let ipc = ["kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax"];
        let ipc = ipc.contains(&dotted.as_str())
            || ["kernel.shmmni", "kernel.shm_rmid_forced"].contains(&dotted.as_str())
            || dotted.starts_with("fs.mqueue.");
        let (kind, name) = if ipc {
            (LinuxNamespaceType::Ipc, "ipc")
        } else if dotted.starts_with("net.") {
            (LinuxNamespaceType::Network, "network")
        } else if dotted == "kernel.domainname" {
            (LinuxNamespaceType::Uts, "uts")
        } else if dotted == "kernel.hostname" {
            return Err(invalid("config.json: sysctl kernel.hostname is set by hostname"));
        } else if dotted.starts_with("user.") {
            (LinuxNamespaceType::User, "user")
        } else {
            return Err(invalid(format!("sysctl \"{key}\" is not in a separate kernel namespace")));
        };
        if !has(spec, kind) {
            return Err(invalid(format!("sysctl \"{key}\" is not allowed in the host's {name} namespace")));
        }
    }
    Ok(())
}

/// Of the container's process, and of one that is added by `exec`.
pub fn check_process(process: &oci_spec::runtime::Process) -> Outcome<()> {
    if !process.cwd().is_absolute() {
        return Err(invalid(format!("process.cwd '{}' is not an absolute path", process.cwd().display())));
    }
    if process.args().as_ref().is_none_or(Vec::is_empty) {
        return Err(invalid("process.args must not be empty"));
    }
    let texts = process.args().iter().chain(process.env().iter()).flatten();
    if texts.clone().any(|t| t.contains('\0')) {
        return Err(invalid("process.args and process.env cannot contain the character NUL"));
    }
    for entry in process.env().iter().flatten() {
        if entry.split_once('=').is_none_or(|(name, _)| name.is_empty()) {
            return Err(invalid(format!("invalid environment variable: {entry:?} is not NAME=VALUE")));
        }
    }
    let user = process.user();
    let groups = user.additional_gids().iter().flatten();
    if let Some(id) = [user.uid(), user.gid()].iter().chain(groups).find(|id| **id > i32::MAX as u32) {
        // The last of all means "leave it as it is" to the kernel: the process would stay root.
        return Err(invalid(format!("process.user: id {id} is out of range: at most {}", i32::MAX)));
    }
    let mut seen = HashSet::new();
    for limit in process.rlimits().iter().flatten() {
        if !seen.insert(limit.typ().to_string()) {
            return Err(invalid(format!("process.rlimits: {} is given twice", limit.typ())));
        }
        if limit.soft() > limit.hard() {
            return Err(invalid(format!("process.rlimits: the soft {} is above the hard one", limit.typ())));
        }
    }
    if let Some(score) = process.oom_score_adj().filter(|s| !(-1000..=1000).contains(s)) {
        return Err(invalid(format!("process.oomScoreAdj {score} is not within -1000..1000")));
    }
    Ok(())
}
