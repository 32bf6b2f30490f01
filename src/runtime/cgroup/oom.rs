//! Notice of the OOM killer in a group, on a descriptor that any loop can poll.

use super::Group;
use super::files::{self, error, keyed};
use crate::sys::poll::Counter;
use crate::sys::watch::Watch;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// Readable when something may have happened: [`OomWatch::struck`] says whether it was that.
#[derive(Debug)]
pub struct OomWatch {
    dir: PathBuf,
    notice: Notice,
}

#[derive(Debug)]
enum Notice {
    /// The kernel adds one each time it is out of memory, and one more when the group is removed.
    V1 { told: Counter, heard: u64, answered: u64 },
    /// `memory.events` changes with its numbers. Held open: only of files in use notices are given.
    V2 { changed: Watch, _events: File, kills: u64 },
}

impl OomWatch {
    /// `None`: nobody counts the group's memory.
    pub fn open(group: &Group) -> super::Result<Option<OomWatch>> {
        let mut places = group.directories().into_iter();
        let Some((name, dir)) = places.find(|(name, _)| name.is_empty() || name == "memory") else { return Ok(None) };
        let notice = if name.is_empty() { v2(&dir)? } else { v1(&dir)? };
        Ok(notice.map(|notice| OomWatch { dir, notice }))
    }

    /// Whether the killer struck since this was last asked.
    pub fn struck(&mut self) -> bool {
        match &mut self.notice {
            Notice::V1 { told, heard, answered } => {
                *heard += told.take();
                // The files of a group go first, then it tells.
                let times = *heard - u64::from(*heard > 0 && !self.dir.exists());
                std::mem::replace(answered, times.max(*answered)) < times
            }
            Notice::V2 { changed, kills, .. } => {
                changed.drain();
                let now = (*kills).max(count(&self.dir));
                std::mem::replace(kills, now) < now
            }
        }
    }
}

impl AsFd for OomWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.notice {
            Notice::V1 { told, .. } => told.as_fd(),
            Notice::V2 { changed, .. } => changed.as_fd(),
        }
    }
}

fn v1(dir: &Path) -> super::Result<Option<Notice>> {
    let file = dir.join("memory.oom_control");
    let Ok(control) = File::open(&file) else { return Ok(None) };
    let told = Counter::new().map_err(|e| error("watching", &file, e.source))?;
    let words = format!("{} {}", told.as_fd().as_raw_fd(), control.as_raw_fd());
    files::write(&dir.join("cgroup.event_control"), &words)?;
    Ok(Some(Notice::V1 { told, heard: 0, answered: 0 }))
}

fn v2(dir: &Path) -> super::Result<Option<Notice>> {
    let file = dir.join("memory.events");
    let Ok(events) = File::open(&file) else { return Ok(None) };
    let watched = |e: crate::sys::Error| error("watching", &file, e.source);
    let changed = Watch::new().map_err(watched)?;
    changed.add_dir(dir).map_err(watched)?;
    Ok(Some(Notice::V2 { changed, _events: events, kills: count(dir) }))
}

fn count(dir: &Path) -> u64 {
    let events = std::fs::read_to_string(dir.join("memory.events")).unwrap_or_default();
    keyed(&events, "oom_kill").unwrap_or(0)
}
