//! Findings about the kernel: its version and what it lets us do.

use super::{finding, ok};
use crate::engine::job::{Check, CheckLevel};
use crate::sys::userns::Identity;
use crate::sys::{facts, sub_ids};

/// clone3 into a pidfd, the new mount calls, openat2: all there from here on.
const NEEDED: (u32, u32) = (5, 6);
/// Overlay in user namespaces (5.11), mount_setattr (5.12), cgroup.kill (5.14).
const WANTED: (u32, u32) = (5, 14);

pub(super) fn version() -> Check {
    let release = facts::text("/proc/sys/kernel/osrelease").unwrap_or_default();
    let name = "kernel";
    match parse(&release) {
        Some(v) if v >= WANTED => ok(name, release),
        Some(v) if v >= NEEDED => {
            let effect = "no overlay for ordinary users before 5.11, slower kills before 5.14";
            finding(CheckLevel::Warn, name, release, effect, "a kernel from 5.14 on has all teu uses")
        }
        Some(_) => finding(
            CheckLevel::Fail,
            name,
            release,
            "system calls teu needs are missing",
            "teu needs Linux 5.6 or newer",
        ),
        None => finding(CheckLevel::Warn, name, format!("unknown version '{release}'"), "", "is /proc mounted?"),
    }
}

fn parse(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The three switches distributions have for them.
pub(super) fn user_namespaces(who: &Identity) -> Check {
    let name = "user namespaces";
    if who.rootless {
        return ok(name, format!("in use for uid {}", who.uid));
    }
    let (level, effect) = match who.uid {
        0 => (CheckLevel::Warn, "only root can use teu on this machine"),
        _ => (CheckLevel::Fail, "nothing can be pulled or run: only root can use teu on this machine"),
    };
    let off = |found: &str, remedy: &str| finding(level, name, found, effect, remedy);
    if !facts::exists("/proc/self/ns/user") {
        return off("not in this kernel", "a kernel with CONFIG_USER_NS");
    }
    if facts::number("/proc/sys/user/max_user_namespaces") == Some(0) {
        return off("none are allowed", "sysctl user.max_user_namespaces=15000");
    }
    if facts::number("/proc/sys/kernel/unprivileged_userns_clone") == Some(0) {
        return off("not for ordinary users", "sysctl kernel.unprivileged_userns_clone=1");
    }
    if facts::number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        return off("AppArmor restricts them", "sysctl kernel.apparmor_restrict_unprivileged_userns=0");
    }
    if who.uid != 0 {
        return off("refused", "as root: see what forbids unshare(2) here (a container's filter, a sandbox, a policy)");
    }
    ok(name, "allowed for everybody (root needs none)")
}

pub(super) fn sub_ids(who: &Identity) -> Check {
    let name = "sub-ids";
    let tools = ["newuidmap", "newgidmap"].map(|tool| facts::program(tool).is_some());
    match (who.rootless, who.sub_ids) {
        (true, true) => ok(name, format!("mapped for uid {}", who.uid)),
        (true, false) => {
            let found = who.note.clone().unwrap_or_else(|| "a single id is mapped".into());
            let remedy = match tools {
                [true, true] => sub_ids::remedy(who.uid),
                _ => format!("install newuidmap and newgidmap (package uidmap), then {}", sub_ids::remedy(who.uid)),
            };
            let effect = "files of other owners in an image become yours; some images do not work";
            finding(CheckLevel::Warn, name, found, effect, &remedy)
        }
        (false, _) if tools == [true, true] => ok(name, "newuidmap and newgidmap are installed (root needs none)"),
        (false, _) => ok(name, "newuidmap is not installed: ordinary users get a single id"),
    }
}

pub(super) fn seccomp() -> Check {
    match facts::text("/proc/sys/kernel/seccomp/actions_avail") {
        Some(actions) if actions.split_whitespace().any(|a| a == "errno") => ok("seccomp", "filters are available"),
        _ => finding(
            CheckLevel::Fail,
            "seccomp",
            "no filters in this kernel",
            "containers with the default profile do not start",
            "a kernel with CONFIG_SECCOMP_FILTER, or --security-opt seccomp=unconfined",
        ),
    }
}

pub(super) fn tun() -> Check {
    match facts::opens("/dev/net/tun") {
        Ok(()) => ok("/dev/net/tun", "can be opened"),
        Err(e) => finding(
            CheckLevel::Warn,
            "/dev/net/tun",
            e.to_string(),
            "ordinary users' networks need it; 'none' and 'host' do not",
            "modprobe tun",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(parse("6.18.0-amd64"), Some((6, 18)));
        assert_eq!(parse("5.4"), Some((5, 4)));
        assert_eq!(parse("what"), None);
        assert!(parse("5.10.0").unwrap() < WANTED && parse("5.10.0").unwrap() >= NEEDED);
    }
}
