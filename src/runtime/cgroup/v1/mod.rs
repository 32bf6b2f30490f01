//! Groups on v1 and hybrid machines: one directory per controller, `/teu-<id>` beside the machine's own groups.
//!
//! Eight hierarchies are eight directories to make, enter and remove: so there is no common parent, which would have to
//! come and go with the first and the last container, and a group gets a cpuset only when it is limited to one.

mod making;
mod rest;

use super::devices::Rule;
use super::files::{self, error, keyed, read, write};
use super::hierarchy::{V1Mounts, below};
use super::limits::{self, Plan};
use super::{Error, Result};
use crate::sys::process;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Each group's name begins so.
pub const NAME: &str = "teu-";
const CPUSET: &str = "cpuset";
/// How long freezing may take before it is given up (a process in an uninterruptible wait).
const FREEZE_PATIENCE: Duration = Duration::from_secs(5);
/// The v1 way to say "unlimited".
const UNLIMITED: &str = "-1";

#[derive(Debug)]
pub struct Group {
    path: String,
    /// Directory by controller; controllers mounted together share a directory.
    dirs: BTreeMap<&'static str, PathBuf>,
    /// Says that the group is somebody's: see [`super::orphans`].
    held: Option<File>,
}

/// The hierarchy in which a group is locked, and all its processes are counted: all are in all of them.
pub fn any<'a>(dirs: &'a BTreeMap<&'static str, PathBuf>) -> Option<&'a PathBuf> {
    ["freezer", "pids", "memory"].iter().find_map(|name| dirs.get(name)).or_else(|| dirs.values().next())
}

impl Group {
    /// Without limits; nothing is left of a failure.
    pub fn create(mounts: &V1Mounts, id: &str) -> Result<Group> {
        let mut group = Self::open(mounts, &format!("/{NAME}{id}"));
        match group.make() {
            Ok(()) => Ok(group),
            Err(e) => {
                let _ = group.remove();
                Err(e)
            }
        }
    }

    /// See [`super::Group::create_at`].
    pub fn create_at(mounts: &V1Mounts, path: &str) -> Result<(Group, bool)> {
        let group = Self::open(mounts, path);
        let old = group.any().is_some_and(|dir| dir.exists());
        match group.make_deep(mounts, path) {
            Err(e) if !old => {
                // The first failure is the news; what was made is taken back as far as it goes.
                let _ = group.remove();
                Err(e)
            }
            other => other.map(|()| (group, old)),
        }
    }

    pub fn set(&self, controller: &str, file: &str, value: &str) -> Result<()> {
        let value = if value == "max" { UNLIMITED } else { value };
        // "max" is pids' own word.
        let value = if file == "pids.max" && value == UNLIMITED { "max" } else { value };
        match self.dirs.get(controller).map(|dir| dir.join(file)).filter(|path| path.exists()) {
            Some(path) => write(&path, value),
            None => {
                let message = format!("{file} cannot be set: the {controller} controller is not available here");
                Err(Error::Invalid(message))
            }
        }
    }

    pub fn exists(&self) -> bool {
        self.any().is_some_and(|dir| dir.exists())
    }

    pub fn frozen(&self) -> bool {
        let state = self.freezer_state().and_then(|file| fs::read_to_string(file).ok());
        state.is_some_and(|state| state.trim() != "THAWED")
    }

    pub fn directories(&self) -> Vec<(String, PathBuf)> {
        self.dirs.iter().map(|(name, dir)| ((*name).to_owned(), dir.clone())).collect()
    }

    pub fn restrict(&self, rules: &[Rule]) -> Result<()> {
        let Some(dir) = self.dirs.get("devices") else {
            return Err(Error::Invalid("devices cannot be restricted: this machine has no devices controller".into()));
        };
        for rule in rules {
            let (file, lines) = rule.lines();
            lines.iter().try_for_each(|line| write(&dir.join(file), line))?;
        }
        Ok(())
    }

    pub fn open(mounts: &V1Mounts, path: &str) -> Group {
        let dirs = mounts.iter().map(|(name, mount)| (*name, below(mount, path))).collect();
        Group { path: path.to_owned(), dirs, held: None }
    }

    /// The same with a directory below in all hierarchies, or in those of `controllers`.
    pub fn inner(mut self, controllers: Option<&str>, path: &str) -> Result<Group> {
        let mut names = controllers.into_iter().flat_map(|c| c.split(','));
        if let Some(name) = names.find(|name| !self.dirs.contains_key(name)) {
            return Err(Error::Invalid(format!("there is no control group hierarchy '{name}'")));
        }
        let chosen = |name: &str| controllers.is_none_or(|c| c.split(',').any(|one| one == name));
        // Controllers that are mounted together have one directory.
        let outer: Vec<PathBuf> = self.dirs.iter().filter(|(name, _)| chosen(name)).map(|(_, d)| d.clone()).collect();
        for dir in self.dirs.values_mut().filter(|dir| outer.contains(dir)) {
            dir.push(path);
            if !dir.is_dir() {
                return Err(Error::Missing(dir.clone()));
            }
        }
        Ok(self)
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    fn distinct(&self) -> Vec<&PathBuf> {
        let mut dirs: Vec<&PathBuf> = self.dirs.values().collect();
        dirs.sort();
        dirs.dedup();
        dirs
    }

    fn any(&self) -> Option<&PathBuf> {
        any(&self.dirs)
    }

    pub fn join_current(&self) -> Result<()> {
        self.present().into_iter().try_for_each(|dir| write(&dir.join("tasks"), "0"))
    }

    pub fn join(&self, pid: i32) -> Result<()> {
        let pid = pid.to_string();
        self.present().into_iter().try_for_each(|dir| write(&dir.join("cgroup.procs"), &pid))
    }

    pub fn pids(&self) -> Vec<i32> {
        let mut pids = Vec::new();
        if let Some(dir) = self.any() {
            files::collect_pids(dir, &mut pids);
        }
        pids
    }

    pub fn populated(&self) -> bool {
        !self.pids().is_empty()
    }

    /// Freeze, signal, thaw: nothing can fork away in between. Without a freezer, rounds until no one is new.
    pub fn kill_all(&self) -> Result<()> {
        if self.freezer_state().is_none() {
            return self.kill_rounds();
        }
        // Where nobody is, nobody can fork.
        if !self.populated() {
            return Ok(());
        }
        // A group that will not freeze (a process stuck in the kernel) is still killed, round by round.
        let frozen = self.set_freezer("FROZEN").is_ok();
        let result = self.kill_rounds_or_once(frozen);
        let thawed = self.thaw();
        result.and(thawed)
    }

    fn kill_rounds_or_once(&self, frozen: bool) -> Result<()> {
        if frozen { self.kill_once().map(|_| ()) } else { self.kill_rounds() }
    }

    /// How many were signalled. A pid listed while its group is frozen cannot be reused.
    fn kill_once(&self) -> Result<usize> {
        let pids = self.pids();
        for pid in &pids {
            match process::kill(*pid, files::SIGKILL) {
                Err(e) if e.errno() != files::ESRCH => {
                    return Err(error("killing a process of", Path::new(&self.path), e.source));
                }
                _ => {}
            }
        }
        Ok(pids.len())
    }

    fn kill_rounds(&self) -> Result<()> {
        for _ in 0..100 {
            if self.kill_once()? == 0 {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn freezer_state(&self) -> Option<PathBuf> {
        Some(self.dirs.get("freezer")?.join("freezer.state"))
    }

    pub fn freeze(&self) -> Result<()> {
        let result = self.set_freezer("FROZEN");
        if result.is_err() {
            // Never leave a container half frozen.
            let _ = self.thaw();
        }
        result
    }

    /// Of one that is gone meanwhile (a manager removes a scope whose last process has ended) nothing stands still.
    pub fn thaw(&self) -> Result<()> {
        let gone = || self.dirs.get("freezer").is_some_and(|dir| !dir.exists());
        self.set_freezer("THAWED").or_else(|e| if gone() { Ok(()) } else { Err(e) })
    }

    /// Writes the state until the kernel reports it; a fork in the middle needs another write.
    fn set_freezer(&self, wanted: &str) -> Result<()> {
        let Some(state) = self.freezer_state() else {
            return Err(Error::Invalid("this machine has no freezer controller: nothing can be paused".into()));
        };
        let deadline = Instant::now() + FREEZE_PATIENCE;
        loop {
            write(&state, wanted)?;
            if read(&state)?.trim() == wanted {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(error("waiting for the freezer of", &state, ErrorKind::TimedOut.into()));
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    pub fn oom_kills(&self) -> u64 {
        let Some(dir) = self.dirs.get("memory") else { return 0 };
        let text = fs::read_to_string(dir.join("memory.oom_control")).unwrap_or_default();
        keyed(&text, "oom_kill").unwrap_or(0)
    }

    pub fn remove(&self) -> Result<()> {
        let mut first = Ok(());
        for dir in self.distinct() {
            let removed = files::remove_tree(dir);
            first = first.and(removed);
            if Path::new(&self.path).parent() == Some(Path::new(super::OCI_PARENT)) {
                dir.parent().map(files::remove_if_empty);
            }
        }
        first
    }

    /// Applies what the plan names; returns a line per limit whose controller is missing.
    pub fn apply(&self, plan: &Plan) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        if plan.cpus.is_some() || plan.mems.is_some() {
            self.make_cpuset()?;
        }
        let mut set = |name: &str, controller: &str, file: &str, value: &str| -> Result<()> {
            let path = self.dirs.get(controller).map(|dir| dir.join(file)).filter(|path| path.exists());
            match path {
                Some(path) => write(&path, value),
                None => {
                    warnings.push(format!("{name} not applied: this machine has no {file} ({controller} controller)"));
                    Ok(())
                }
            }
        };
        if let Some((quota, period)) = plan.cpu {
            // Quota off first: a period must never be shorter than what a quota in force allows.
            set(limits::CPU, "cpu", "cpu.cfs_quota_us", UNLIMITED)?;
            set(limits::CPU, "cpu", "cpu.cfs_period_us", &period.to_string())?;
            if let Some(quota) = quota {
                set(limits::CPU, "cpu", "cpu.cfs_quota_us", &quota.to_string())?;
            }
        }
        if let Some(shares) = plan.shares {
            set(limits::SHARES, "cpu", "cpu.shares", &shares.to_string())?;
        }
        if let Some(mems) = &plan.mems {
            set(limits::CPUSET, "cpuset", "cpuset.mems", mems)?;
        }
        if let Some(cpus) = &plan.cpus {
            set(limits::CPUSET, "cpuset", "cpuset.cpus", cpus)?;
        }
        if let Some(pids) = plan.pids {
            set(limits::PIDS, "pids", "pids.max", &limits::pids(pids))?;
        }
        if let Some(bytes) = plan.reservation {
            set(limits::RESERVATION, "memory", "memory.soft_limit_in_bytes", &bytes.to_string())?;
        }
        if let Some(weight) = plan.io_weight {
            let bfq = self.dirs.get("blkio").is_some_and(|dir| dir.join("blkio.bfq.weight").exists());
            set(limits::IO, "blkio", if bfq { "blkio.bfq.weight" } else { "blkio.weight" }, &weight.to_string())?;
        }
        let cpu = self.dirs.get("cpu").map(PathBuf::as_path);
        rest::apply(plan, cpu, Path::new(&self.path), &mut set)?;
        self.apply_memory(plan, &mut warnings)?;
        warnings.dedup();
        Ok(warnings)
    }

    /// `memsw` (memory and swap together) may never be below `limit`, so the order depends on the direction.
    fn apply_memory(&self, plan: &Plan, warnings: &mut Vec<String>) -> Result<()> {
        if plan.memory.is_none() && plan.swap.is_none() {
            return Ok(());
        }
        let Some(dir) = self.dirs.get("memory") else {
            warnings.push(format!("{} not applied: this machine has no memory controller", limits::MEMORY));
            return Ok(());
        };
        let (limit, memsw) = (dir.join("memory.limit_in_bytes"), dir.join("memory.memsw.limit_in_bytes"));
        let memory = plan.memory.map(|bytes| (limit, bytes.to_string()));
        let swap = plan.swap.filter(|swap| {
            let there = memsw.exists();
            if !there && swap.explicit {
                warnings.push(format!("{} not applied: the kernel does not account swap", limits::SWAP));
            }
            there
        });
        let swap = swap.map(|swap| (memsw, swap.total.map_or(UNLIMITED.into(), |bytes| bytes.to_string())));
        let set = |value: &Option<(PathBuf, String)>| value.as_ref().map_or(Ok(()), |(path, value)| write(path, value));
        if set(&memory).is_ok() {
            return set(&swap);
        }
        set(&swap).and_then(|()| set(&memory)).map_err(|e| explain_memory(e, plan.memory))
    }
}

/// EBUSY means: more is in use than the new limit allows.
fn explain_memory(e: Error, bytes: Option<u64>) -> Error {
    match (&e, bytes) {
        (Error::Io { source, .. }, Some(bytes)) if source.raw_os_error() == Some(files::EBUSY) => {
            Error::Invalid(format!("memory limit of {bytes} bytes is less than the container uses now"))
        }
        _ => e,
    }
}
