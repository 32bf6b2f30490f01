//! Reading, writing, making and removing the files and directories of a control group file system.

use super::{Error, Result};
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a group is made anew that others removed before it was in use: its parent was empty, or nobody held it yet.
pub const REMADE: usize = 16;

/// How long processes that were killed may take to vanish from a group.
const REMOVE_PATIENCE: Duration = Duration::from_secs(2);

pub fn error(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Io { action, path: path.to_owned(), source }
}

pub fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|e| error("reading", path, e))
}

/// One `write` call: cgroup files take a value whole. The file must exist: it is never created.
pub fn write(path: &Path, value: &str) -> Result<()> {
    raw_write(path, value).map_err(|e| error("writing", path, e))
}

pub fn raw_write(path: &Path, value: &str) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(path)?.write_all(value.as_bytes())
}

/// The number after `key` in a flat keyed file (`memory.events`, `cpu.stat`).
pub fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Pids in a `cgroup.procs` file; none when it cannot be read.
pub fn pids(path: &Path) -> Vec<i32> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| line.trim().parse().ok()).filter(|pid| *pid > 0).collect()
}

/// The processes of a group and of all groups below it.
pub fn collect_pids(dir: &Path, into: &mut Vec<i32>) {
    into.extend(pids(&dir.join("cgroup.procs")));
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect_pids(&entry.path(), into);
        }
    }
}

/// Makes `parent/child`; `true` if it is new. A parent that another teu removed in between (it was empty) is made anew.
pub fn make(parent: &Path, child: &Path) -> Result<bool> {
    for _ in 0..64 {
        match fs::create_dir(child) {
            Ok(()) => return Ok(true),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => return Ok(false),
            Err(e) if e.kind() == ErrorKind::NotFound => match fs::create_dir(parent) {
                Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(error("making", parent, e)),
                _ => {}
            },
            Err(e) => return Err(error("making", child, e)),
        }
    }
    Err(Error::Busy(parent.to_owned()))
}

/// Removes a group and the groups a container may have made inside it, deepest first.
pub fn remove_tree(dir: &Path) -> Result<()> {
    let deadline = Instant::now() + REMOVE_PATIENCE;
    let mut pause = Duration::from_micros(200);
    loop {
        match remove_once(dir) {
            Ok(()) => return Ok(()),
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            Err(e) if e.raw_os_error() == Some(EBUSY) || e.kind() == ErrorKind::DirectoryNotEmpty => {
                if Instant::now() >= deadline {
                    return Err(Error::Busy(dir.to_owned()));
                }
            }
            Err(e) => return Err(error("removing", dir, e)),
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

// The same numbers on every architecture; `sys` alone may name libc.
pub const EBUSY: i32 = 16;
pub const ENODEV: i32 = 19;
pub const ESRCH: i32 = 3;
pub const SIGKILL: i32 = 9;

fn remove_once(dir: &Path) -> io::Result<()> {
    match fs::remove_dir(dir) {
        Err(e) if e.raw_os_error() == Some(EBUSY) => {}
        other => return other,
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            match remove_once(&entry.path()) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
    }
    fs::remove_dir(dir)
}

/// Removes teu's own parent group when nothing is left in it; anything else is left alone, silently.
pub fn remove_if_empty(parent: &Path) {
    let _ = fs::remove_dir(parent);
}
