//! What a state root has left behind on the machine: processes, mounts, control groups; and all of it counted.

use super::wait::wait_until;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Asserts that nothing of this root's containers is left; processes just killed get a moment to go.
#[track_caller]
pub fn assert_none(root: &Path) {
    let mut last = Vec::new();
    let clean = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_until("nothing left behind", || {
            last = leftovers(root);
            last.is_empty().then_some(())
        });
    }));
    assert!(clean.is_ok(), "left behind:\n{}", last.join("\n"));
}

/// One line each.
pub fn leftovers(root: &Path) -> Vec<String> {
    let mut found: Vec<String> =
        processes(root).iter().map(|pid| format!("process {pid}: {}", cmdline(*pid))).collect();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let name = root.to_string_lossy().into_owned();
    found.extend(mounts.lines().filter(|line| mentions(line, &name)).map(|line| format!("mount {line}")));
    found.extend(groups(root).iter().map(|dir| format!("control group {}", dir.display())));
    found
}

/// Processes that have the root in their command line, environment or open files: monitors and clients, and what runs
/// in a mount namespace whose root came from it.
pub fn processes(root: &Path) -> Vec<i32> {
    let name = root.to_string_lossy().into_owned();
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| *pid != std::process::id() as i32).filter(|pid| belongs(*pid, &name)).collect()
}

fn belongs(pid: i32, name: &str) -> bool {
    let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let mounts = read("mountinfo");
    // A copy of this machine's mounts, which a container has until it enters its root, says nothing of the process.
    let from_it =
        |line: &str| mentions(line, name) && !line.split(' ').nth(4).is_some_and(|place| place.starts_with(name));
    if mentions(&String::from_utf8_lossy(&read("cmdline")), name)
        || String::from_utf8_lossy(&mounts).lines().any(from_it) && !same_mounts(pid)
    {
        return true;
    }
    let fds = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    fds.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|target| target.starts_with(name))
}

/// The names of roots end with numbers: that of another root may begin with this one's.
fn mentions(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| !text[at + name.len()..].starts_with(|next: char| next.is_ascii_digit()))
}

fn same_mounts(pid: i32) -> bool {
    let namespace = |who: &str| fs::read_link(format!("/proc/{who}/ns/mnt")).ok();
    namespace(&pid.to_string()) == namespace("self")
}

fn cmdline(pid: i32) -> String {
    let text = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&text).replace('\0', " ")
}

/// Ids of the containers that have, or had, a record here. Kept names survive `rm` only as long as their directory.
fn ids(root: &Path) -> Vec<String> {
    let list = |dir: PathBuf| fs::read_dir(dir).into_iter().flatten().flatten();
    let all = list(root.join("containers")).chain(list(root.join("run/containers")));
    let mut ids: Vec<String> = all.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    ids.extend(event_ids(root));
    ids.sort();
    ids.dedup();
    ids.retain(|id| id.len() == 64);
    ids
}

/// Removed containers are still named in the event log.
fn event_ids(root: &Path) -> Vec<String> {
    let text = fs::read_to_string(root.join("events.log")).unwrap_or_default();
    let hex = |c: char| !c.is_ascii_hexdigit();
    text.split(hex).filter(|word| word.len() == 64).map(str::to_owned).collect()
}

/// The directories of groups whose names end with one of these ids.
pub fn groups_of(ids: &[String]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    find_groups(Path::new("/sys/fs/cgroup"), 0, ids, &mut found);
    found
}

/// Directories of this root's containers in any hierarchy.
pub fn groups(root: &Path) -> Vec<PathBuf> {
    groups_of(&ids(root))
}

fn find_groups(dir: &Path, depth: usize, ids: &[String], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let path = entry.path();
        if ids.iter().any(|id| entry.file_name().to_string_lossy().ends_with(id)) {
            found.push(path);
        } else if depth < 6 {
            find_groups(&path, depth + 1, ids, found);
        }
    }
}

/// Kills and removes what is left, for a test that failed half-way.
pub fn kill_leftovers(root: &Path) {
    // Of a container that nobody knows yet, only its monitor has the id.
    let mut announced = Vec::new();
    for _ in 0..20 {
        let pids = processes(root);
        let ids = pids.iter().filter_map(|pid| Some(cmdline(*pid).split_once("--id=")?.1.get(..64)?.to_owned()));
        announced.extend(ids);
        let in_groups = groups(root).into_iter().flat_map(|dir| {
            let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
            text.lines().filter_map(|line| line.parse::<i32>().ok()).collect::<Vec<_>>()
        });
        let all: Vec<String> = pids.into_iter().chain(in_groups).map(|pid| pid.to_string()).collect();
        if all.is_empty() {
            break;
        }
        let _ = Command::new("kill").arg("-9").args(&all).stderr(Stdio::null()).status();
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let mut left = groups(root);
    find_groups(Path::new("/sys/fs/cgroup"), 0, &announced, &mut left);
    for dir in left {
        let _ = fs::remove_dir(dir);
    }
}

/// All that containers could leave behind, to be compared with what was there before.
#[derive(Debug, PartialEq)]
pub struct Traces {
    processes: usize,
    /// Of each process of ours.
    descriptors: BTreeMap<i32, Vec<String>>,
    /// Of all kinds, of our processes.
    namespaces: BTreeSet<String>,
    mounts: Vec<String>,
    groups: BTreeSet<String>,
    /// Directories of containers, of layers half unpacked, and network devices.
    pub names: BTreeSet<String>,
}

impl Traces {
    /// Of everything that has to do with these directories; `places` are those in them whose entries count.
    pub fn of(dirs: &[&Path], places: &[&str], groups: Vec<PathBuf>) -> Traces {
        let processes: BTreeSet<i32> = dirs.iter().flat_map(|dir| processes(dir)).collect();
        let of = |pid: i32, what: &str| PathBuf::from(format!("/proc/{pid}/{what}"));
        let namespaces = processes.iter().flat_map(|pid| {
            let dir = of(*pid, "ns");
            names(&dir).into_iter().filter_map(move |name| fs::read_link(dir.join(name)).ok())
        });
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let ours = |line: &&str| dirs.iter().any(|dir| mentions(line, &dir.to_string_lossy()));
        let found = dirs.iter().flat_map(|dir| places.iter().map(move |place| dir.join(place)));
        let found = found.flat_map(|dir| names(&dir).into_iter().map(move |name| dir.join(name).display().to_string()));
        Traces {
            processes: processes.len(),
            descriptors: processes.iter().map(|pid| (*pid, descriptors(&of(*pid, "fd")))).collect(),
            namespaces: namespaces.map(|link| link.to_string_lossy().into_owned()).collect(),
            mounts: mounts.lines().filter(ours).map(str::to_owned).collect(),
            groups: groups.iter().map(|dir| dir.display().to_string()).collect(),
            names: found.collect(),
        }
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// What a process has open, without the numbers of pipes and sockets.
fn descriptors(dir: &Path) -> Vec<String> {
    let links = names(dir).into_iter().filter_map(|number| fs::read_link(dir.join(number)).ok());
    let mut kinds: Vec<String> = links
        .map(|link| {
            link.to_string_lossy().trim_end_matches(|c: char| c.is_ascii_digit() || "[]".contains(c)).to_owned()
        })
        .collect();
    kinds.sort();
    kinds
}
