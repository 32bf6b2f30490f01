//! Findings about numbers that run out: inotify, open files.

use super::{finding, ok};
use crate::engine::job::{Check, CheckLevel};
use crate::sys::{facts, rlimit};

/// Every open teu takes one instance and two watches; a followed log one watch.
pub(super) fn inotify() -> Vec<Check> {
    let check = |file: &str, least: u64, what: &str, remedy: &str| {
        let name = format!("inotify {what}");
        match facts::number(format!("/proc/sys/fs/inotify/{file}")) {
            Some(n) if n >= least => ok(&name, n.to_string()),
            Some(n) => {
                finding(CheckLevel::Warn, &name, n.to_string(), "following logs and events may stop working", remedy)
            }
            None => finding(
                CheckLevel::Fail,
                &name,
                "not in this kernel",
                "changes by other teu processes are not seen",
                "",
            ),
        }
    };
    vec![
        check("max_user_instances", 64, "instances", "sysctl fs.inotify.max_user_instances=512"),
        check("max_user_watches", 4096, "watches", "sysctl fs.inotify.max_user_watches=65536"),
    ]
}

/// A screen with 50 sampled containers keeps about 600 files open.
pub(super) fn open_files() -> Check {
    let name = "open files";
    match rlimit::get("nofile") {
        Ok((soft, hard)) if hard >= 4096 => ok(name, format!("{soft}, may be raised to {hard}")),
        Ok((soft, hard)) => {
            let effect = "many containers at once cannot be watched";
            let remedy = "raise it in /etc/security/limits.conf (nofile)";
            finding(CheckLevel::Warn, name, format!("{soft}, at most {hard}"), effect, remedy)
        }
        Err(e) => finding(CheckLevel::Warn, name, e.to_string(), "", ""),
    }
}
