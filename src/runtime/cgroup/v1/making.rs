//! Making a group's directories, and its cpuset when it is limited to one.

use super::{CPUSET, Group};
use crate::runtime::cgroup::files::{self, error};
use crate::runtime::cgroup::hierarchy::{V1Mounts, below};
use crate::runtime::cgroup::{Error, Result, cpuset, orphans};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

impl Group {
    pub(super) fn make_deep(&self, mounts: &V1Mounts, path: &str) -> Result<()> {
        let roots: BTreeSet<&PathBuf> = mounts.values().collect();
        for root in roots {
            let dir = below(root, path);
            // An empty parent may be removed in between by whoever leaves it.
            let mut made = fs::create_dir_all(&dir);
            for _ in 0..files::REMADE {
                if !made.as_ref().is_err_and(|e| e.kind() == ErrorKind::NotFound) {
                    break;
                }
                made = fs::create_dir_all(&dir);
            }
            made.map_err(|e| error("making", &dir, e))?;
        }
        // A new cpuset is empty, and nothing can join it before it has processors and memory nodes: level by level.
        if let Some(mount) = mounts.get(CPUSET) {
            let mut parent = mount.clone();
            for part in path.split('/').filter(|part| !part.is_empty()) {
                let dir = parent.join(part);
                cpuset::fill(&dir)?;
                parent = dir;
            }
        }
        Ok(())
    }

    pub(super) fn make(&mut self) -> Result<()> {
        self.held = self.any().map(|dir| hold(dir)).transpose()?;
        let late = self.cpuset_apart();
        for dir in self.distinct().into_iter().filter(|dir| Some(*dir) != late) {
            fs::create_dir(dir).or_else(unless_there).map_err(|e| error("making", dir, e))?;
        }
        match self.dirs.get(CPUSET) {
            Some(shared) if late.is_none() => cpuset::fill(shared)?,
            _ => {}
        }
        if let Some(dir) = self.dirs.get("memory") {
            // Only needed on kernels before 5.11; there, and where the parent has it already, writing may be refused.
            let _ = files::raw_write(&dir.join("memory.use_hierarchy"), "1");
        }
        Ok(())
    }

    /// The cpuset's directory where no other controller shares it.
    pub(super) fn cpuset_apart(&self) -> Option<&PathBuf> {
        let cpuset = self.dirs.get(CPUSET)?;
        let shared = self.dirs.iter().any(|(name, dir)| *name != CPUSET && dir == cpuset);
        (!shared).then_some(cpuset)
    }

    /// The directories that are there: all, or all but the cpuset's.
    pub(super) fn present(&self) -> Vec<&PathBuf> {
        let late = self.cpuset_apart().filter(|dir| !dir.exists());
        self.distinct().into_iter().filter(|dir| Some(*dir) != late).collect()
    }

    /// Makes the cpuset at its first limit, with all processes in it.
    pub(super) fn make_cpuset(&self) -> Result<()> {
        let Some(dir) = self.cpuset_apart().filter(|dir| !dir.exists()) else { return Ok(()) };
        fs::create_dir(dir).map_err(|e| error("making", dir, e))?;
        cpuset::fill(dir)?;
        for pid in self.pids() {
            match files::raw_write(&dir.join("cgroup.procs"), &pid.to_string()) {
                // It has ended.
                Err(e) if e.raw_os_error() == Some(files::ESRCH) => {}
                other => other.map_err(|e| error("writing", &dir.join("cgroup.procs"), e))?,
            }
        }
        Ok(())
    }
}

/// Makes the first directory and locks it.
fn hold(dir: &Path) -> Result<File> {
    for _ in 0..files::REMADE {
        fs::create_dir(dir).or_else(unless_there).map_err(|e| error("making", dir, e))?;
        if let Some(held) = orphans::hold(dir).map_err(|e| error("locking", dir, e))? {
            return Ok(held);
        }
    }
    Err(Error::Busy(dir.to_owned()))
}

fn unless_there(e: std::io::Error) -> std::io::Result<()> {
    if e.kind() == ErrorKind::AlreadyExists { Ok(()) } else { Err(e) }
}
