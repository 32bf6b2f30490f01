//! Who is on which network: one file per container and network below `<run>/networks`, written by the container's monitor
//! and read by the monitors of its neighbours, for the names.

use crate::model::network::Endpoint;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A file system's clock ticks this coarsely at worst: what changed more recently than that may change again unseen.
const TICK: Duration = Duration::from_millis(50);
/// Larger files are none of ours.
const MAX_FILE: u64 = 64 << 10;

/// Writes down, in one step, where a container is on a network; an older file is replaced. `dir` is `<run>/networks`.
pub fn write(dir: &Path, container: &str, endpoint: &Endpoint) -> io::Result<()> {
    let network = dir.join(&endpoint.network);
    let fresh = network.join(format!(".{container}.new"));
    let text = serde_json::to_vec(endpoint)?;
    let mut tries = 0;
    loop {
        tries += 1;
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&network);
        let written = made.and_then(|()| fs::write(&fresh, &text));
        match written.and_then(|()| fs::rename(&fresh, network.join(file_name(container)))) {
            // The last one to leave may have taken the directory away in between.
            Err(e) if e.kind() == io::ErrorKind::NotFound && tries < 5 => {}
            Err(e) => {
                let _ = fs::remove_file(&fresh);
                let _ = fs::remove_dir(&network);
                return Err(e);
            }
            Ok(()) => return Ok(()),
        }
    }
}

/// What a container is called, if it is on any network.
pub fn name(dir: &Path, container: &str) -> Option<String> {
    fs::read_dir(dir).ok()?.flatten().find_map(|network| {
        let text = fs::read(network.path().join(file_name(container))).ok()?;
        let endpoint: Endpoint = serde_json::from_slice(&text).ok()?;
        endpoint.names.into_iter().next()
    })
}

/// The ids of those on a network.
pub fn containers(dir: &Path, network: &str) -> Vec<String> {
    let files = fs::read_dir(dir.join(network)).into_iter().flatten().flatten();
    files.filter_map(|file| container_of(&file.file_name())).collect()
}

/// Removes what [`write()`] made; the network's directory goes with its last file.
pub fn remove(dir: &Path, container: &str, network: &str) {
    let network = dir.join(network);
    let _ = fs::remove_file(network.join(file_name(container)));
    let _ = fs::remove_dir(&network);
}

/// Removes the files of containers that are not `alive`: their monitors were killed before they could.
pub fn sweep(dir: &Path, alive: impl Fn(&str) -> bool) {
    for network in fs::read_dir(dir).into_iter().flatten().flatten().filter(|e| e.path().is_dir()) {
        for file in fs::read_dir(network.path()).into_iter().flatten().flatten() {
            if container_of(&file.file_name()).is_some_and(|id| !alive(&id)) {
                let _ = fs::remove_file(file.path());
            }
        }
        let _ = fs::remove_dir(network.path());
    }
}

/// Beside a network's directory, till the network or the machine ends: one of its members had a MAC that does not come from its
/// address, and whoever talked to it may remember that.
fn own_macs(dir: &Path, network: &str) -> PathBuf {
    dir.join(format!("{network}.macs"))
}

/// A MAC of a container's own is on the network.
pub fn note_own_mac(dir: &Path, network: &str) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    fs::File::create(own_macs(dir, network)).map(drop)
}

/// Whether there ever was such a MAC on the network.
pub fn has_had_own_macs(dir: &Path, network: &str) -> bool {
    own_macs(dir, network).exists()
}

/// The network is removed.
pub fn forget_network(dir: &Path, network: &str) {
    let _ = fs::remove_file(own_macs(dir, network));
}

fn file_name(container: &str) -> String {
    format!("{container}.json")
}

fn container_of(file: &OsStr) -> Option<String> {
    file.to_str()?.strip_suffix(".json").map(str::to_owned)
}

/// The members of one network, read again only when something has changed.
#[derive(Debug)]
pub struct Members {
    /// The network's id and name.
    pub network: String,
    pub name: String,
    dir: PathBuf,
    /// The directory's time when it was read; `None`: to be read.
    seen: Option<SystemTime>,
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    name: OsString,
    inode: u64,
    changed: Option<SystemTime>,
    endpoint: Endpoint,
}

impl Members {
    /// `dir` is `<run>/networks`. Nothing is read yet.
    pub fn new(dir: &Path, network: &str, name: &str) -> Members {
        let (network, name) = (network.to_owned(), name.to_lowercase());
        Members { dir: dir.join(&network), network, name, seen: None, files: Vec::new() }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Endpoint> {
        self.files.iter().map(|file| &file.endpoint)
    }

    /// Brings the list up to date: one `stat` when nothing has changed.
    pub fn refresh(&mut self) {
        let changed = fs::metadata(&self.dir).and_then(|data| data.modified());
        let Ok(changed) = changed else {
            self.files.clear();
            self.seen = None;
            return;
        };
        if self.seen == Some(changed) {
            return;
        }
        // A change that is younger than a tick of the clock could be followed by one with the same time.
        let settled = SystemTime::now().duration_since(changed).is_ok_and(|age| age > TICK);
        self.read();
        self.seen = settled.then_some(changed);
    }

    fn read(&mut self) {
        let mut old = std::mem::take(&mut self.files);
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if !name.to_str().is_some_and(|n| n.ends_with(".json")) {
                continue;
            }
            let Ok(data) = entry.metadata() else { continue };
            let (inode, changed) = (data.ino(), data.modified().ok());
            let same = |f: &File| f.name == name && f.inode == inode && f.changed == changed;
            if let Some(at) = old.iter().position(same) {
                self.files.push(old.swap_remove(at));
            } else if data.is_file()
                && data.len() <= MAX_FILE
                // One that was removed just now, or is damaged, costs its names only.
                && let Ok(text) = fs::read(entry.path())
                && let Ok(endpoint) = serde_json::from_slice(&text)
            {
                self.files.push(File { name, inode, changed, endpoint });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::dns::tests::endpoint;

    fn names(members: &mut Members) -> Vec<String> {
        members.refresh();
        let mut names: Vec<String> = members.iter().map(|e| e.names[0].clone()).collect();
        names.sort();
        names
    }

    #[test]
    fn every_change_is_seen_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut members = Members::new(dir.path(), "n1", "Blue");
        assert_eq!(members.name, "blue");
        assert!(names(&mut members).is_empty());
        for round in 0..50 {
            write(dir.path(), "c1", &endpoint("n1", &[&format!("a{round}")], Some("10.0.0.2/24"), None)).unwrap();
            assert_eq!(names(&mut members), [format!("a{round}")]);
        }
        write(dir.path(), "c2", &endpoint("n1", &["b"], None, None)).unwrap();
        write(dir.path(), "c3", &endpoint("n2", &["elsewhere"], None, None)).unwrap();
        assert_eq!(names(&mut members), ["a49", "b"]);
        fs::write(dir.path().join("n1/c4.json"), "{").unwrap();
        assert_eq!(names(&mut members), ["a49", "b"]);
        assert_eq!((containers(dir.path(), "n2"), containers(dir.path(), "n9")), (vec!["c3".to_owned()], vec![]));
        remove(dir.path(), "c1", "n1");
        assert_eq!(names(&mut members), ["b"]);
        sweep(dir.path(), |id| id == "c3");
        assert!(names(&mut members).is_empty());
        assert!(!dir.path().join("n1").exists() && dir.path().join("n2/c3.json").exists());
    }
}
