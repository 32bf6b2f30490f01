//! The processes of a container: everything in its init's pid namespace, read from `/proc`.

use crate::model::process::Process;
use crate::sys::files;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// More of a passwd file is not looked at.
const PASSWD_LIMIT: u64 = 1 << 20;
/// `utime`, `stime` and `starttime` count in these, on every machine.
const TICK_USEC: u64 = 10_000;

/// Ordered by pid. Fails when `init_pid` is gone or may not be looked at.
pub fn list(init_pid: i32) -> io::Result<Vec<Process>> {
    let proc = Path::new("/proc");
    let namespace = |dir: &Path| fs::metadata(dir.join("ns/pid")).map(|m| (m.dev(), m.ino()));
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
        let found = list(own).unwrap().into_iter().find(|p| p.pid == own).unwrap();
        assert!(found.memory > 0 && found.started > 0 && !found.command.is_empty(), "{found:?}");
        assert!(list(i32::MAX).is_err());
    }
}
