//! The processes of a container: everything in its init's pid namespace, read from `/proc`.

use crate::model::process::Process;
use crate::sys::{files, process};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// More of a passwd file is not looked at.
const PASSWD_LIMIT: u64 = 1 << 20;
/// `utime`, `stime` and `starttime` count in these, on every machine.
const TICK_USEC: u64 = 10_000;

/// How often is looked for processes that fork faster than they are killed.
const ROUNDS: u32 = 100;

/// Ordered by pid. Fails when `init_pid` is gone or may not be looked at. `shares_pids`: the pid namespace is not the
/// container's own, so what is in its mount namespace counts.
pub fn list(init_pid: i32, shares_pids: bool) -> io::Result<Vec<Process>> {
    let proc = Path::new("/proc");
    let kind = if shares_pids { "ns/mnt" } else { "ns/pid" };
    let namespace = |dir: &Path| fs::metadata(dir.join(kind)).map(|m| (m.dev(), m.ino()));
    let init = proc.join(init_pid.to_string());
    let wanted = namespace(&init)?;
    let passwd = passwd(&init);
    let mut processes: Vec<Process> = fs::read_dir(proc)?
        .flatten()
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let dir = entry.path();
            let inside = namespace(&dir).is_ok_and(|found| found == wanted);
            inside.then(|| read(pid, &dir, &passwd)).flatten()
        })
        .collect();
    processes.sort_unstable_by_key(|p| p.pid);
    Ok(processes)
}

/// Kills all that is in a mount namespace: what is left of a container without a control group and without a pid
/// namespace of its own.
pub fn kill_in(mounts: &OwnedFd) {
    let identity = |m: fs::Metadata| (m.dev(), m.ino());
    let Ok(wanted) = fs::metadata(format!("/proc/self/fd/{}", mounts.as_raw_fd())).map(identity) else { return };
    for _ in 0..ROUNDS {
        let mut any = false;
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let inside =
                || fs::metadata(format!("/proc/{pid}/ns/mnt")).map(identity).is_ok_and(|found| found == wanted);
            if !inside() {
                continue;
            }
            // The handle first, then another look: the number may be another's by now.
            if let Ok(handle) = process::pidfd_open(pid)
                && inside()
            {
                any |= process::pidfd_signal(&handle, 9).is_ok();
            }
        }
        if !any {
            return;
        }
    }
}

/// The container's own; empty when it has none.
fn passwd(init: &Path) -> String {
    let mut text = String::new();
    let found = files::open_dir(&init.join("root")).and_then(|root| {
        // Inside its root, however its links point, and never waiting on a pipe.
        files::open_file_in_root(&root, OsStr::new("etc/passwd"))
    });
    if let Ok(file) = found
        && file.metadata().is_ok_and(|m| m.is_file())
    {
        let _unreadable = file.take(PASSWD_LIMIT).read_to_string(&mut text);
    }
    text
}

/// `None`: it has just ended.
fn read(pid: i32, dir: &Path, passwd: &str) -> Option<Process> {
    let status = fs::read_to_string(dir.join("status")).ok()?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let first = |name: &str| field(name).and_then(|rest| rest.split_whitespace().next());
    let uid: u32 = first("Uid:")?.parse().ok()?;
    let stat = Stat::parse(&fs::read_to_string(dir.join("stat")).ok()?)?;
    let line = fs::read(dir.join("cmdline")).ok()?;
    Some(Process {
        pid,
        parent: stat.parent,
        inside: field("NSpid:").and_then(|pids| pids.split_whitespace().last()?.parse().ok()).unwrap_or(pid),
        uid,
        user: user_name(passwd, uid),
        state: stat.state,
        cpu_usec: stat.ticks * TICK_USEC,
        started: stat.started,
        memory: first("VmRSS:").and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024,
        command: command(&line, first("Name:").unwrap_or_default()),
    })
}

fn user_name(passwd: &str, uid: u32) -> String {
    let digits = uid.to_string();
    let named = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|n| !n.is_empty())?;
        (fields.nth(1)? == digits).then(|| clean(name))
    });
    named.unwrap_or(digits)
}

fn command(line: &[u8], name: &str) -> String {
    let line = String::from_utf8_lossy(line);
    let line = line.trim_end_matches('\0').replace('\0', " ");
    if line.is_empty() { clean(&format!("[{name}]")) } else { clean(&line) }
}

/// Its own words are the container's to choose: no control character reaches a terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// The part of proc_pid_stat(5) that matters here.
#[derive(Debug, PartialEq)]
struct Stat {
    state: char,
    parent: i32,
    ticks: u64,
    started: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Stat> {
        // The name before it may hold anything, brackets and blanks included.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Stat {
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            ticks: number(11)? + number(12)?,
            started: number(19)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_of_a_process_with_a_strange_name() {
        let text = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 99 1 1";
        assert_eq!(Stat::parse(text), Some(Stat { state: 'S', parent: 1, ticks: 30, started: 99 }));
        assert_eq!(Stat::parse("7 (a) S 1"), None);
    }

    #[test]
    fn names_come_from_the_containers_own_file() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n:x:5::::\nwe\u{1b}b:x:33:33:::\n";
        let names = [0, 33, 5].map(|uid| user_name(passwd, uid));
        assert_eq!(names, ["root", "we?b", "5"]);
    }

    #[test]
    fn commands_are_one_clean_line() {
        assert_eq!(command(b"sh\0-c\0echo \x1b[2J\n\0", "sh"), "sh -c echo ?[2J?");
        assert_eq!(command(b"", "kworker"), "[kworker]");
        assert_eq!(command(b"\0\0", "x"), "[x]");
    }

    #[test]
    fn this_process_is_among_its_namespaces_own() {
        let own = std::process::id() as i32;
        let found = list(own, false).unwrap().into_iter().find(|p| p.pid == own).unwrap();
        assert!(found.memory > 0 && found.started > 0 && !found.command.is_empty(), "{found:?}");
        assert!(list(i32::MAX, false).is_err());
    }
}
