//! A container as it is kept: its directory below the runtime's root, and what it is doing now.
//!
//! `<root>/<id>/`: `state.json` (written by rename), `config.json` (as it was at create), `start` (a socket: its init
//! waits there; gone once it has been started) and `lock`. Nothing is believed of a process but what its start time
//! and the kernel say.

use super::{Outcome, conflict, internal, invalid, not_found};
use crate::runtime::cgroup::Group;
use crate::runtime::init::report::During;
use crate::sys::{mount_here, poll, process, tree};
use oci_spec::runtime::Spec;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

pub const STATE: &str = "state.json";
pub const CONFIG: &str = "config.json";
pub const START: &str = "start";
const LOCK: &str = "lock";
const MAX_ID: usize = 1024;

/// What `state.json` holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    pub oci_version: String,
    pub id: String,
    /// 0 until the first process is there.
    pub pid: i32,
    /// With the pid it names the process for ever; see [`process::start_time`].
    pub pid_start: u64,
    pub bundle: PathBuf,
    pub rootfs: PathBuf,
    /// RFC 3339.
    pub created: String,
    pub owner: u32,
    /// Below each hierarchy's mount; empty: none.
    pub cgroup: String,
    /// The group was there before: it is not removed.
    pub foreign_cgroup: bool,
    /// Its root is mounted where everybody sees it, because it has no mount namespace of its own: see
    /// [`crate::sys::mount_here`].
    #[serde(default)]
    pub mounted: Option<u64>,
    /// The service manager's unit that has the group; empty: none.
    #[serde(default)]
    pub unit: String,
    /// Directories of `resctrl` that were made for it.
    #[serde(default)]
    pub classes: Vec<PathBuf>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Its processes keep the keys of whoever starts them (`--no-new-keyring`).
    #[serde(default)]
    pub callers_keyring: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Creating,
    Created,
    Running,
    Paused,
    Stopped,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::Creating => "creating",
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Stopped => "stopped",
        }
    }
}

#[derive(Debug)]
pub struct Container {
    pub dir: PathBuf,
    pub record: Record,
}

/// Letters, digits and `_ + - .`, as the other runtimes have it; no path can be made of it.
pub fn check_id(id: &str) -> Outcome<()> {
    let right = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
    if id.is_empty() || id.len() > MAX_ID || !id.chars().all(right) || id == "." || id == ".." {
        return Err(invalid(format!("invalid container ID format: '{id}'")));
    }
    Ok(())
}

impl Container {
    pub fn load(root: &Path, id: &str) -> Outcome<Container> {
        check_id(id)?;
        let dir = root.join(id);
        let text = match std::fs::read(dir.join(STATE)) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Err(not_found("container does not exist"));
            }
            Err(e) => return Err(internal(format!("reading the state of {id}: {e}"))),
        };
        let record =
            serde_json::from_slice(&text).map_err(|e| internal(format!("the state of {id} is damaged: {e}")))?;
        Ok(Container { dir, record })
    }

    /// Makes the directory, which is what reserves the id.
    pub fn reserve(root: &Path, record: Record) -> Outcome<Container> {
        check_id(&record.id)?;
        let dir = root.join(&record.id);
        let make = |dir: &Path, deep| std::fs::DirBuilder::new().recursive(deep).mode(0o700).create(dir);
        make(root, true).during(&format!("making the runtime's directory {}", root.display()))?;
        match make(&dir, false) {
            Ok(()) => Ok(Container { dir, record }),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(conflict("container with given ID already exists")),
            Err(e) => Err(internal(format!("making {}: {e}", dir.display()))),
        }
    }

    pub fn save(&self) -> Outcome<()> {
        let text = serde_json::to_vec(&self.record).map_err(|e| internal(format!("writing the state: {e}")))?;
        replace(&self.dir.join(STATE), &text)
    }

    /// The configuration as it was at create.
    pub fn spec(&self) -> Outcome<Spec> {
        let path = self.dir.join(CONFIG);
        let text = std::fs::read(&path).during(&format!("reading {}", path.display()))?;
        super::config::parse(&text)
    }

    /// Changes of one container come one after the other.
    pub fn lock(&self) -> Outcome<File> {
        let file = File::options().create(true).truncate(false).write(true).open(self.dir.join(LOCK));
        let file = match file {
            Err(e) if e.kind() == ErrorKind::NotFound => return Err(not_found("container does not exist")),
            other => other.during("opening the container's lock")?,
        };
        poll::lock(&file, true).during("locking the container")?;
        Ok(file)
    }

    pub fn group(&self) -> Group {
        Group::open_at(&self.record.cgroup)
    }

    /// The first process, while it lives.
    pub fn init(&self) -> Option<OwnedFd> {
        if self.record.pid <= 0 {
            return None;
        }
        // First the handle, then the look: the pid cannot change hands in between.
        let pidfd = process::pidfd_open(self.record.pid).ok()?;
        (process::start_time(self.record.pid) == Some(self.record.pid_start)).then_some(pidfd)
    }

    /// Takes away what was mounted for it in a mount namespace that is not its own.
    pub fn unmount(&self) -> crate::sys::Result<()> {
        self.record.mounted.map_or(Ok(()), |number| mount_here::uncover(&self.record.rootfs, number))
    }

    pub fn status(&self) -> Status {
        if self.record.pid <= 0 {
            // Whoever creates it holds the lock.
            let free = File::open(self.dir.join(LOCK)).is_ok_and(|file| poll::try_lock(&file, false).unwrap_or(true));
            return if free { Status::Stopped } else { Status::Creating };
        }
        if self.init().is_none() {
            return Status::Stopped;
        }
        if self.group().frozen() {
            Status::Paused
        } else if self.dir.join(START).exists() {
            Status::Created
        } else {
            Status::Running
        }
    }

    /// The specification's state, as hooks and `state` show it.
    pub fn state(&self, status: Status) -> serde_json::Value {
        let mut state = serde_json::json!({
            "ociVersion": self.record.oci_version,
            "id": self.record.id,
            "status": status.name(),
            "bundle": self.record.bundle,
        });
        if status != Status::Stopped {
            state["pid"] = self.record.pid.into();
        }
        if !self.record.annotations.is_empty() {
            state["annotations"] = serde_json::json!(self.record.annotations);
        }
        state
    }

    /// The last step of a container's life.
    pub fn forget(&self) -> Outcome<()> {
        match std::fs::metadata(&self.dir) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            _ => tree::remove(&self.dir).during(&format!("removing {}", self.dir.display())),
        }
    }
}

/// All containers below a root that can be read, by id.
pub fn all(root: &Path) -> Vec<Container> {
    let mut found: Vec<Container> = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Container::load(root, entry.file_name().to_str()?).ok())
        .collect();
    found.sort_by(|a, b| a.record.id.cmp(&b.record.id));
    found
}

/// A reader sees the old file or the new one.
pub fn replace(path: &Path, text: &[u8]) -> Outcome<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    std::fs::write(&fresh, text)
        .and_then(|()| std::fs::rename(&fresh, path))
        .during(&format!("writing {}", path.display()))
}
