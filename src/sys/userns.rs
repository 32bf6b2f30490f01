//! An ordinary user's teu enters one user (and mount) namespace at its very start and goes on as root inside it.
//!
//! Real root stays where it is. Everything here runs before any thread exists: `unshare(CLONE_NEWUSER)` and
//! `setns` refuse a threaded process (user_namespaces(7)).

use super::{Error, Result, clone, process, sub_ids};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Who runs teu, seen from outside the namespace it entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Real ids outside.
    pub uid: u32,
    pub gid: u32,
    /// An ordinary user's teu, inside a namespace of its own.
    pub rootless: bool,
    /// Not in the initial user namespace: by `rootless`, or because the machine itself is a container.
    pub in_user_namespace: bool,
    /// Ids other than one's own are mapped; without them an image can only have files of one owner.
    pub sub_ids: bool,
    /// Why there are no sub-ids, for the user.
    pub note: Option<String>,
}

/// Why no namespace could be entered, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("cannot enter a user namespace")]
pub struct EnterError {
    #[source]
    pub source: Error,
    pub hint: Option<String>,
}

static IDENTITY: OnceLock<Identity> = OnceLock::new();

/// The environment variable that tells a re-executed role who runs it.
pub const VARIABLE: &str = "TEU_USERNS";

impl Identity {
    /// `uid:gid:full|single`, the value of [`VARIABLE`].
    pub fn to_env(&self) -> String {
        format!("{}:{}:{}", self.uid, self.gid, if self.sub_ids { "full" } else { "single" })
    }

    fn from_env(value: &str) -> Option<Self> {
        let mut parts = value.split(':');
        let uid = parts.next()?.parse().ok()?;
        let gid = parts.next()?.parse().ok()?;
        let sub_ids = match parts.next()? {
            "full" => true,
            "single" => false,
            _ => return None,
        };
        Some(Self { uid, gid, rootless: uid != 0, in_user_namespace: true, sub_ids, note: None })
    }
}

/// The identity found by [`enter`]; without it (tests, tools) that of a process that entered nothing.
pub fn identity() -> &'static Identity {
    IDENTITY.get_or_init(present)
}

/// How many ids this process's own `uid_map` or `gid_map` has from 0 on, without a gap.
pub fn mapped_ids(file: &str) -> Result<u32> {
    let path = Path::new("/proc/self").join(file);
    let text = std::fs::read_to_string(&path).map_err(|e| Error::at("read", &path, e))?;
    let numbers = |line: &str| -> Option<(u32, u32)> {
        let mut fields = line.split_whitespace().map(|n| n.parse().ok());
        Some((fields.next()??, fields.nth(1)??))
    };
    let mut ranges: Vec<(u32, u32)> = text.lines().filter_map(numbers).collect();
    ranges.sort_unstable();
    let mut end = 0_u32;
    for (start, count) in ranges {
        if start > end {
            break;
        }
        end = end.max(start.saturating_add(count));
    }
    Ok(end)
}

/// This process needs no namespace to be root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Enters the user namespace when an ordinary user runs this, else only looks. Call before any thread exists, and once.
///
/// `inherited` is the value of [`VARIABLE`] from the environment; it counts only for root inside a namespace.
/// A live monitor that published itself in `run_dir` (see [`publish`]) is joined, so that mounts and ids are one.
pub fn enter(run_dir: &Path, inherited: Option<&str>) -> Result<&'static Identity, EnterError> {
    let mut found = present();
    if found.uid != 0 {
        found = enter_as_user(run_dir, found.uid, found.gid)?;
    } else if found.in_user_namespace
        && let Some(told) = inherited.and_then(Identity::from_env)
    {
        found = told;
    }
    Ok(IDENTITY.get_or_init(|| found))
}

/// Makes this process one of those whose namespaces later teu processes of the user join: as long as one of them
/// lives, all are in the same, and so are the mounts and networks in it.
pub fn publish(run_dir: &Path) -> Result<()> {
    let _lock = lock(run_dir)?;
    publish_locked(run_dir)
}

fn publish_locked(run_dir: &Path) -> Result<()> {
    let pid = std::process::id() as i32;
    let mut text: String =
        published(run_dir).into_iter().filter(|(other, _)| *other != pid).map(|(p, s)| format!("{p} {s}\n")).collect();
    text += &format!("{pid} {}\n", process::start_time(pid).unwrap_or(0));
    let temporary = run_dir.join(".userns.new");
    std::fs::write(&temporary, text).map_err(|e| Error::at("write", &temporary, e))?;
    let place = run_dir.join("userns.pid");
    std::fs::rename(&temporary, &place).map_err(|e| Error::at("rename", &place, e))
}

/// Pid and start time of the processes that published themselves and still live.
fn published(run_dir: &Path) -> Vec<(i32, u64)> {
    let text = std::fs::read_to_string(run_dir.join("userns.pid")).unwrap_or_default();
    let pairs = text.lines().filter_map(|line| {
        let (pid, start) = line.split_once(' ')?;
        Some((pid.parse().ok()?, start.parse().ok()?))
    });
    pairs.filter(|(pid, start)| process::start_time(*pid) == Some(*start)).collect()
}

/// Held while a namespace is looked for, made and published: two that start at once must not make two.
fn lock(run_dir: &Path) -> Result<std::fs::File> {
    let path = run_dir.join("userns.lock");
    let file = std::fs::File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|e| Error::at("open", &path, e))?;
    super::poll::lock(&file, true)?;
    Ok(file)
}

fn present() -> Identity {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let fields: Vec<&str> = map.split_whitespace().collect();
    let initial = fields.is_empty() || fields == ["0", "0", "4294967295"];
    let ids = rustix::process::geteuid().as_raw();
    let count: u64 = fields.chunks(3).filter_map(|c| c.get(2)?.parse::<u64>().ok()).sum();
    Identity {
        uid: ids,
        gid: rustix::process::getegid().as_raw(),
        rootless: false,
        in_user_namespace: !initial,
        sub_ids: initial || count > 1,
        note: None,
    }
}

fn enter_as_user(run_dir: &Path, uid: u32, gid: u32) -> Result<Identity, EnterError> {
    let cwd = std::env::current_dir().ok();
    // Without a run directory nobody can be found, and nobody looks.
    let lock = lock(run_dir).ok();
    let full = |sub_ids, note| Identity { uid, gid, rootless: true, in_user_namespace: true, sub_ids, note };
    if join_published(run_dir) {
        restore_cwd(cwd);
        let sub_ids = present().sub_ids;
        let single =
            || "a running container's namespace was joined; newuidmap gave it a single id when it was made".into();
        return Ok(full(sub_ids, (!sub_ids).then(single)));
    }
    let note = make(uid, gid).map_err(|source| EnterError { hint: hint(source.errno()), source })?;
    if lock.is_some() && process::set_dumpable(true).is_ok() {
        // A failure costs only the company of those who start at this moment.
        let _ = publish_locked(run_dir);
    }
    restore_cwd(cwd);
    Ok(full(note.is_none(), note))
}

/// Joining a mount namespace moves the working directory to its root.
fn restore_cwd(cwd: Option<PathBuf>) {
    if let Some(path) = cwd {
        // A directory that is gone or closed to us leaves the process at the root: nothing relative is ours then.
        let _ = std::env::set_current_dir(path);
    }
}

/// True when the namespaces of a process of the same user were entered. Any doubt is a "no": a fresh namespace is always right,
/// its only price is that mounts made by the other one are not seen.
fn join_published(run_dir: &Path) -> bool {
    published(run_dir).into_iter().any(|(pid, start)| {
        // The pidfd first, then the check: a reused pid has another start time.
        let Ok(pidfd) = process::pidfd_open(pid) else { return false };
        process::start_time(pid) == Some(start)
            && clone::setns(std::os::fd::AsFd::as_fd(&pidfd), clone::NEWUSER | clone::NEWNS).is_ok()
            && rustix::process::geteuid().is_root()
    })
}

/// Unshares in place; a child left outside writes the maps. Returns why there are no sub-ids, if so.
fn make(uid: u32, gid: u32) -> Result<Option<String>> {
    let me = std::process::id();
    let (go_read, mut go) = std::io::pipe().map_err(|e| Error::new("pipe", e))?;
    let (mut answer, answer_write) = std::io::pipe().map_err(|e| Error::new("pipe", e))?;
    let Some(helper) = clone::fork()? else {
        drop((go, answer));
        mapper(me, uid, gid, go_read, answer_write);
    };
    drop((go_read, answer_write));
    let unshared = clone::unshare(clone::NEWUSER | clone::NEWNS);
    if unshared.is_ok() {
        // A helper that died answers with an empty text, which falls back to the single id below.
        let _ = go.write_all(b"g");
    }
    drop(go);
    let mut reply = String::new();
    let read = answer.read_to_string(&mut reply);
    process::wait_pid(helper)?;
    unshared?;
    read.map_err(|e| Error::new("read", e))?;
    if reply == "full" {
        take_root_ids()?;
        return Ok(None);
    }
    write_self("setgroups", "deny")?;
    // A map is written once; the first tool may have come through and the second not.
    if std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| map.trim().is_empty()) {
        write_self("uid_map", &format!("0 {uid} 1"))?;
    }
    write_self("gid_map", &format!("0 {gid} 1"))?;
    take_root_ids()?;
    Ok(Some(if reply.is_empty() { "the helper that maps sub-ids died".to_owned() } else { reply }))
}

/// Saved and file-system ids may differ from the effective ones; and AppArmor may have taken the new powers away
/// again, which shows only at the first use. The supplementary groups stay: what they may open is the user's to open, and
/// containers get exactly the groups they are given.
fn take_root_ids() -> Result<()> {
    process::set_ids(0, 0)?;
    super::mount::set_propagation_all("/", super::mount::Propagation::Slave)
}

fn write_self(file: &str, text: &str) -> Result<()> {
    let path = Path::new("/proc/self").join(file);
    std::fs::write(&path, text).map_err(|e| Error::at("write", &path, e))
}

/// The helper's whole life, outside the new namespace. Answers `full` or the reason why not.
fn mapper(pid: u32, uid: u32, gid: u32, mut go: std::io::PipeReader, mut answer: std::io::PipeWriter) -> ! {
    let mut byte = [0];
    if go.read_exact(&mut byte).is_ok() {
        let text = match map_ranges(pid, uid, gid) {
            Ok(()) => "full".to_owned(),
            Err(reason) => reason,
        };
        // Nobody is left to tell when this fails: the reader is gone.
        let _ = answer.write_all(text.as_bytes());
    }
    process::exit_now(0)
}

fn map_ranges(pid: u32, uid: u32, gid: u32) -> Result<(), String> {
    let (uids, gids) = sub_ids::of_user(uid)?;
    run_map("newuidmap", pid, uid, &uids)?;
    run_map("newgidmap", pid, gid, &gids)
}

fn run_map(tool: &str, pid: u32, own: u32, ranges: &[(u32, u32)]) -> Result<(), String> {
    let mut command = Command::new(tool);
    command.arg(pid.to_string()).args(["0", &own.to_string(), "1"]);
    let mut inside: u32 = 1;
    for (start, count) in ranges {
        command.args([inside.to_string(), start.to_string(), count.to_string()]);
        inside = inside.checked_add(*count).ok_or_else(|| format!("{tool}: ranges are larger than 32 bits"))?;
    }
    let output = command.output().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => format!("{tool} is not installed (Debian and Ubuntu: package uidmap)"),
        _ => format!("{tool}: {e}"),
    })?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{tool} failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// What on this machine forbids user namespaces, from the switches distributions have.
/// What mends it that no user namespace can be had.
pub fn hint(errno: i32) -> Option<String> {
    let read = |path: &str| std::fs::read_to_string(path).ok().map(|t| t.trim().to_owned());
    if read("/proc/sys/user/max_user_namespaces").as_deref() == Some("0") {
        return Some("user namespaces are switched off: sysctl user.max_user_namespaces=15000".into());
    }
    if read("/proc/sys/kernel/unprivileged_userns_clone").as_deref() == Some("0") {
        return Some("only root may make user namespaces: sysctl kernel.unprivileged_userns_clone=1".into());
    }
    if read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").as_deref() == Some("1") {
        return Some(
            "AppArmor takes the rights away again: sysctl kernel.apparmor_restrict_unprivileged_userns=0, \
             or give teu a profile that allows userns"
                .into(),
        );
    }
    match errno {
        libc::ENOSPC => Some("the limit of nested or counted user namespaces is reached".into()),
        libc::EPERM => Some("inside a container, that one must allow user namespaces; or run teu as root".into()),
        libc::EINVAL => Some("this kernel was built without user namespaces, or a chroot is in the way".into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_survives_the_environment() {
        let me = Identity { uid: 1000, gid: 100, rootless: true, in_user_namespace: true, sub_ids: true, note: None };
        assert_eq!(me.to_env(), "1000:100:full");
        assert_eq!(Identity::from_env(&me.to_env()), Some(me));
        assert_eq!(Identity::from_env("1000:100"), None);
        assert_eq!(Identity::from_env("1000:100:maybe"), None);
    }
}
