//! The one network namespace of an ordinary user's containers, in which bridges and rules are made as root makes them on
//! the host; a helper program (pasta, else slirp4netns) leads outside.
//!
//! Files in `<run>/networks`: `ns` (the namespace, bound there in the user's own mount namespace), `rootless.lock`
//! (whoever makes or ends it), `rootless.used` (locked shared by every monitor with containers in it), `rootless.helper`
//! (pid and start time of the helper). The last monitor to leave ends helper and namespace; what a killed one has left
//! is taken over by the next.

use super::error::{Error, Result};
use super::netns::{self, NetNs};
use crate::sys::{self, mount, poll, process};
use std::fs::{self, DirBuilder, File};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// `NSFS_MAGIC` of linux/magic.h.
const NSFS: i64 = 0x6e73_6673;
/// How long the helper has to end.
const GRACE: Duration = Duration::from_secs(2);

/// A share in the user's network namespace; see [`Rootless::leave`].
#[derive(Debug)]
pub struct Rootless {
    dir: PathBuf,
    ns: OwnedFd,
    used: File,
    /// Why nothing outside can be reached, if so.
    pub warning: Option<String>,
}

impl Rootless {
    /// Joins what other containers use already, or makes it. `dir` is `<run>/networks`. The caller is in the user's
    /// user and mount namespace, and in the host's network namespace.
    pub fn enter(dir: &Path) -> Result<Rootless> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|e| system("make a directory", sys::Error::at("mkdir", dir, e)))?;
        let lock = open(&dir.join("rootless.lock"))?;
        poll::lock(&lock, true).map_err(|e| system("lock the user's network", e))?;
        let used = open(&dir.join("rootless.used"))?;
        let ns = match pinned(dir) {
            Some(ns) => ns,
            // A second one beside that of containers that live would part them from each other.
            None if !poll::try_lock(&used, true).unwrap_or(false) => return Err(Error::NamespaceGone(dir.join("ns"))),
            None => {
                // One that a killed monitor has left leads out of the namespace that is no more.
                end_helper(dir);
                pin(dir)?
            }
        };
        poll::lock(&used, false).map_err(|e| system("lock the user's network", e))?;
        let warning = if helper(dir).is_some() { None } else { start_helper(dir).err() };
        Ok(Rootless { dir: dir.to_owned(), ns, used, warning })
    }

    /// Starts the helper anew if it has ended.
    pub fn renew(&mut self) -> Result<()> {
        let lock = open(&self.dir.join("rootless.lock"))?;
        poll::lock(&lock, true).map_err(|e| system("lock the user's network", e))?;
        self.warning = if helper(&self.dir).is_some() { None } else { start_helper(&self.dir).err() };
        Ok(())
    }

    /// Where bridges are made.
    pub fn namespace(&self) -> Result<OwnedFd> {
        self.ns.try_clone().map_err(|e| system("copy a descriptor", sys::Error::new("fcntl", e)))
    }

    /// Gives the share back; the last one ends the helper and the namespace.
    pub fn leave(self) {
        let Rootless { dir, ns, used, .. } = self;
        drop(ns);
        let Ok(lock) = open(&dir.join("rootless.lock")) else { return };
        if poll::lock(&lock, true).is_err() || !poll::try_lock(&used, true).unwrap_or(false) {
            return;
        }
        end_helper(&dir);
        let _ = mount::detach(&dir.join("ns"));
        for name in ["ns", "rootless.helper", "rootless.used"] {
            let _ = fs::remove_file(dir.join(name));
        }
    }
}

fn system(doing: &'static str, source: sys::Error) -> Error {
    Error::System { doing, source }
}

fn open(path: &Path) -> Result<File> {
    let opened = File::options().create(true).truncate(false).write(true).open(path);
    opened.map_err(|e| system("open a lock", sys::Error::at("open", path, e)))
}

/// The namespace that is bound to the file, if one is.
fn pinned(dir: &Path) -> Option<OwnedFd> {
    let path = dir.join("ns");
    (sys::facts::file_system_magic(&path).ok()? == NSFS).then(|| netns::open(&path).ok()).flatten()
}

fn pin(dir: &Path) -> Result<OwnedFd> {
    let (path, ns) = (dir.join("ns"), NetNs::create()?);
    // It is there to forward packets; whoever makes bridges in it finds that it may.
    ns.enter(|| {
        for switch in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
            // Checked, with a clear error, where it is needed.
            let _ = fs::write(Path::new("/proc/sys/net").join(switch), "1");
        }
    })?;
    let failed = |e| system("bind the user's network namespace", e);
    File::create(&path).map_err(|e| failed(sys::Error::at("create", &path, e)))?;
    let bound = mount::clone_tree(ns.as_fd(), Path::new(""), false);
    bound.and_then(|tree| mount::attach_at(tree.as_fd(), &path)).map_err(failed)?;
    netns::open(&path)
}

/// The helper that runs, if one does.
fn helper(dir: &Path) -> Option<OwnedFd> {
    let text = fs::read_to_string(dir.join("rootless.helper")).ok()?;
    let mut fields = text.split_whitespace();
    let pid: i32 = fields.next()?.parse().ok()?;
    let start: u64 = fields.next()?.parse().ok()?;
    // The handle first, then the look: the number cannot change hands in between.
    let handle = process::pidfd_open(pid).ok()?;
    (process::start_time(pid) == Some(start)).then_some(handle)
}

fn end_helper(dir: &Path) {
    if let Some(handle) = helper(dir) {
        // pasta is the init of a pid namespace of its own, which gentler signals do not reach; it keeps nothing.
        let _ = process::pidfd_signal(&handle, 9);
        poll::wait_end(&handle, GRACE);
    }
}

/// Starts the first helper that is there; the error says why there is none, and what that means.
fn start_helper(dir: &Path) -> Result<(), String> {
    let mut problems = Vec::new();
    for start in [start_pasta, start_slirp] {
        match start(dir) {
            Ok(pid) => return record(dir, pid),
            Err(problem) => problems.push(problem),
        }
    }
    let why = problems.join("; ");
    Err(format!(
        "nothing outside can be reached, containers reach each other only: {why} (package passt or slirp4netns)"
    ))
}

fn record(dir: &Path, pid: i32) -> Result<(), String> {
    let start = process::start_time(pid).ok_or("the network helper ended at once")?;
    fs::write(dir.join("rootless.helper"), format!("{pid} {start}\n")).map_err(|e| format!("record the helper: {e}"))
}

/// pasta goes to the background by itself once the namespace is connected.
fn start_pasta(dir: &Path) -> Result<i32, String> {
    let pid_file = dir.join("pasta.pid");
    let mut command = Command::new("pasta");
    command.args(["--config-net", "--quiet", "--no-map-gw", "-t", "none", "-u", "none", "-T", "none", "-U", "none"]);
    command.arg("--pid").arg(&pid_file).arg("--netns").arg(dir.join("ns"));
    let output = command.stdin(Stdio::null()).output().map_err(|e| absent("pasta", &e))?;
    let pid = fs::read_to_string(&pid_file).ok().and_then(|text| text.trim().parse().ok());
    let _ = fs::remove_file(&pid_file);
    match pid {
        Some(pid) if output.status.success() => Ok(pid),
        _ => {
            let text = String::from_utf8_lossy(&output.stderr);
            let last = text.lines().rev().find(|l| !l.trim().is_empty() && !l.contains("syslog"));
            Err(format!("pasta failed: {}", last.unwrap_or("it says no reason").trim()))
        }
    }
}

/// slirp4netns stays in the foreground and says on a descriptor when it is ready.
fn start_slirp(dir: &Path) -> Result<i32, String> {
    let mut command = Command::new("slirp4netns");
    command.args(["--configure", "--mtu=65520", "--disable-host-loopback", "--enable-ipv6", "--ready-fd=0"]);
    command.arg("--netns-type=path").arg(dir.join("ns")).arg("tap0");
    // Standard input is where it says so: warnings go to its output.
    let (mut reader, writer) = std::io::pipe().map_err(|e| format!("make a pipe: {e}"))?;
    command.stdin(OwnedFd::from(writer)).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|e| absent("slirp4netns", &e))?;
    // The command keeps the other end open here.
    drop(command);
    let mut ready = [0];
    let told = reader.read_exact(&mut ready).is_ok();
    let pid = i32::try_from(child.id()).map_err(|e| e.to_string())?;
    if told && ready == *b"1" {
        return Ok(pid);
    }
    let _ = child.kill();
    let ended = child.wait().map_or_else(|e| e.to_string(), |status| status.to_string());
    Err(format!("slirp4netns failed: {ended}"))
}

fn absent(program: &str, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => format!("{program} is not installed"),
        _ => format!("{program}: {error}"),
    }
}

/// The user's network namespace, if it is there: bridges were made in it. `dir` is `<run>/networks`.
pub fn namespace(dir: &Path) -> Option<OwnedFd> {
    pinned(dir)
}

/// Whether [`namespace`] is there.
pub fn exists(dir: &Path) -> bool {
    namespace(dir).is_some()
}

/// Whether a helper program is installed: without one an ordinary user's containers reach nothing outside.
pub fn available(search_path: &str) -> bool {
    search_path.split(':').any(|dir| ["pasta", "slirp4netns"].iter().any(|name| Path::new(dir).join(name).is_file()))
}
