//! Groups that nobody will ever remove: their monitor was killed before it had written down what it made.
//!
//! A monitor holds a shared lock on its group's directory for as long as it lives. A group of teu's own name that no
//! monitor holds and no process is in belongs to nobody, whichever state root it was made for.

use super::hierarchy::Hierarchies;
use super::{Result, files, v1, v2};
use crate::model::id::ContainerId;
use crate::sys::poll;
use crate::sys::userns::Identity;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Locks a group that was just made. `None`: it was swept in between.
pub(super) fn hold(dir: &Path) -> io::Result<Option<File>> {
    let file = match File::open(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    poll::lock(&file, false).map_err(|e| e.source)?;
    Ok(is_still(&file, dir).then_some(file))
}

/// Whether an open directory still is the one of that name: it may have been removed, and another one made, before it was locked.
fn is_still(file: &File, dir: &Path) -> bool {
    let identity = |metadata: io::Result<fs::Metadata>| metadata.ok().map(|m| (m.dev(), m.ino()));
    let now = identity(fs::metadata(dir));
    now.is_some() && now == identity(file.metadata())
}

/// Removes the groups that belong to nobody, as far as this user may. Returns how many; an error keeps none of the others.
pub fn sweep(identity: &Identity) -> Result<usize> {
    let hierarchies = Hierarchies::read();
    let (parent, prefix) = match &hierarchies {
        Hierarchies::V2(mount) => match v2::place(mount, identity) {
            Ok(path) => (super::hierarchy::below(mount, &path), ""),
            Err(_) => return Ok(0),
        },
        Hierarchies::V1(mounts) => match v1::any(mounts) {
            Some(mount) if !identity.rootless => (mount.clone(), v1::NAME),
            _ => return Ok(0),
        },
        Hierarchies::None => return Ok(0),
    };
    let names = fs::read_dir(&parent).into_iter().flatten().flatten().filter_map(|e| e.file_name().into_string().ok());
    let of_a_container = |name: &String| {
        let id = name.strip_prefix(prefix).map(|id| ContainerId::try_from(id.to_owned()));
        id.is_some_and(|id| id.is_ok())
    };
    let mut outcome = Ok(0);
    for name in names.filter(of_a_container) {
        let swept = sweep_one(&hierarchies, &parent.join(&name), &name);
        outcome = match (outcome, swept) {
            (Ok(count), Ok(swept)) => Ok(count + usize::from(swept)),
            (Err(e), _) | (_, Err(e)) => Err(e),
        };
    }
    if matches!(hierarchies, Hierarchies::V2(_)) {
        files::remove_if_empty(&parent);
    }
    outcome
}

/// `false`: it is somebody's.
fn sweep_one(hierarchies: &Hierarchies, dir: &Path, name: &str) -> Result<bool> {
    let Ok(file) = File::open(dir) else { return Ok(false) };
    if !poll::try_lock(&file, true).unwrap_or(false) || !is_still(&file, dir) {
        return Ok(false);
    }
    // A monitor that made it just now waits for the lock, and makes the group anew when this directory is gone: so
    // this one goes last.
    let mut dirs: Vec<PathBuf> = match hierarchies {
        Hierarchies::V1(mounts) => mounts.values().map(|mount| mount.join(name)).collect(),
        _ => Vec::new(),
    };
    dirs.retain(|other| other != dir && other.exists());
    dirs.dedup();
    dirs.push(dir.to_owned());
    let mut pids = Vec::new();
    dirs.iter().for_each(|dir| files::collect_pids(dir, &mut pids));
    if !pids.is_empty() {
        return Ok(false);
    }
    dirs.iter().try_for_each(|dir| files::remove_tree(dir)).map(|()| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_made_anew_is_not_the_one_that_was_opened() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("group");
        fs::create_dir(&dir).unwrap();
        let file = File::open(&dir).unwrap();
        assert!(is_still(&file, &dir));
        fs::remove_dir(&dir).unwrap();
        assert!(!is_still(&file, &dir));
        fs::create_dir(&dir).unwrap();
        assert!(!is_still(&file, &dir));
    }
}
