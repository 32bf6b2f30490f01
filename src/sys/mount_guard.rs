//! What must stay as the kernel shows it: a container's `/proc`, through which it is confined and by which programs
//! judge their own confinement (CVE-2019-16884, CVE-2019-19921).

use super::mount_op::{Mount, PROCFS, Source};
use super::{Error, Result, facts};
use std::os::fd::BorrowedFd;
use std::path::Path;

/// Inode number of a procfs's root directory (linux/proc_fs.h).
const ROOT: u64 = 1;

/// Files in which others show a container its limits, or a state it may set; mounting there redirects nothing that is
/// written from outside. runc's list.
const REPLACEABLE: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/sys/crypto/fips_enabled",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/uptime",
];

/// The name in the root of a place that must be a directory there and no link: what is mounted on it is the kernel's, and
/// what is masked or written below it by name later must be found where it was mounted. A link may lead into a volume, where
/// another container can put another directory in its place in between (CVE-2019-19921, CVE-2023-27561).
pub fn plain(target: &str) -> Option<&'static str> {
    ["proc", "sys"].into_iter().find(|name| Path::new(target) == Path::new("/").join(name))
}

/// Refuses to mount anything but a procfs on `/proc`, and anything inside a procfs by whatever name that was reached.
/// `tree` is what is to be mounted, `target` the opened place.
pub fn check(mount: &Mount, tree: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Result<()> {
    let proc = match &mount.source {
        Source::New { kind, .. } => kind == "proc",
        _ => facts::magic_of(tree)? == PROCFS && inode(tree)? == ROOT,
    };
    let refuse = |why: &str| Err(Error::at("mount", &mount.target, std::io::Error::other(why.to_owned())));
    if plain(&mount.target) == Some("proc") {
        return if proc { Ok(()) } else { refuse("only a procfs can be mounted on /proc") };
    }
    if facts::magic_of(target)? == PROCFS && !REPLACEABLE.contains(&mount.target.as_str()) {
        return refuse("it is inside /proc");
    }
    Ok(())
}

fn inode(fd: BorrowedFd<'_>) -> Result<u64> {
    rustix::fs::fstat(fd).map(|stat| stat.st_ino).map_err(|e| Error::new("fstat", e))
}
