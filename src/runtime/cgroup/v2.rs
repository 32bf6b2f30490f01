//! Groups on the unified hierarchy: born-in by `clone3`, one kill file, one freeze file.

use super::device_limits;
use super::device_program;
use super::devices::Rule;
use super::files::{self, error, keyed, read, write};
use super::hierarchy::{Hierarchies, below, own_v2_path};
use super::limits::{self, Plan, io_weight, weight_of_shares};
use super::{Error, Result, orphans};
use crate::sys::userns::Identity;
use crate::sys::{access, device_filter, process};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const CONTROLLERS: [&str; 5] = ["cpu", "memory", "pids", "io", "cpuset"];
/// The name of teu's parent group, and of the leaf that a delegated group's own processes are moved to.
const PARENT: &str = "teu";
const LEAF: &str = "teu-host";
const FREEZE_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Group {
    path: String,
    dir: PathBuf,
    /// Of one made here it is locked: see [`super::orphans`].
    fd: Option<File>,
}

/// The path (`/teu`, `/user.slice/.../teu`) below which this user may make groups; else why not and what mends it.
pub fn place(mount: &Path, identity: &Identity) -> Result<String, String> {
    if !identity.rootless {
        return Ok(format!("/{PARENT}"));
    }
    place_of_user(mount)
}

/// The group in which this user may make others; none is the machine's top, where he may not.
pub fn delegated_to_user() -> Option<String> {
    let Hierarchies::V2(mount) = Hierarchies::read() else { return None };
    let place = place_of_user(&mount).ok()?;
    place.strip_suffix(PARENT).map(|above| above.trim_end_matches('/').to_owned())
}

fn place_of_user(mount: &Path) -> Result<String, String> {
    let own = own_v2_path().ok_or("this process's control group is outside of what is mounted")?;
    let mut path = own.as_str();
    let mut occupied = None;
    loop {
        let dir = below(mount, path);
        if delegated(&dir) {
            if ready(&dir) {
                return Ok(join(path, PARENT));
            }
            occupied.get_or_insert(path);
        }
        let Some((up, _)) = path.rsplit_once('/').filter(|_| path != "/") else { break };
        path = if up.is_empty() { "/" } else { up };
    }
    // Every delegated group has processes of its own: they move to a leaf when controllers are switched on.
    occupied.map(|path| join(path, PARENT)).ok_or_else(|| not_delegated(&own))
}

fn join(path: &str, name: &str) -> String {
    format!("{}/{name}", path.trim_end_matches('/'))
}

/// May this user make groups in it and switch controllers on?
fn delegated(dir: &Path) -> bool {
    let writable = |file: &str| fs::OpenOptions::new().write(true).open(dir.join(file)).is_ok();
    writable("cgroup.procs") && writable("cgroup.subtree_control") && access::is_writable_dir(dir)
}

/// Its children have controllers already, or could have them at once: no process of its own is in the way.
fn ready(dir: &Path) -> bool {
    let on = fs::read_to_string(dir.join("cgroup.subtree_control")).unwrap_or_default();
    on.split_whitespace().any(|name| name == "memory" || name == "pids")
        || files::pids(&dir.join("cgroup.procs")).is_empty()
}

impl Group {
    /// Without limits; nothing is left of a failure.
    pub fn create(mount: &Path, parent: &str, id: &str) -> Result<Group> {
        let path = join(parent, id);
        let (base, dir) = (below(mount, parent), below(mount, &path));
        let above = base.parent().unwrap_or(mount).to_owned();
        for _ in 0..files::REMADE {
            make(&above, &base, &dir)?;
            match orphans::hold(&dir) {
                Ok(Some(held)) => return Ok(Group { path, dir, fd: Some(held) }),
                Ok(None) => {}
                Err(e) => {
                    let _ = files::remove_tree(&dir);
                    files::remove_if_empty(&base);
                    return Err(error("opening", &dir, e));
                }
            }
        }
        Err(Error::Busy(dir))
    }

    /// See [`super::Group::create_at`].
    pub fn create_at(mount: &Path, path: &str) -> Result<(Group, bool)> {
        let mut dir = mount.to_owned();
        let mut old = true;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            enable_beside(&dir);
            dir.push(part);
            old = match fs::create_dir(&dir) {
                Ok(()) => false,
                Err(e) if e.kind() == ErrorKind::AlreadyExists => true,
                Err(e) => return Err(error("making", &dir, e)),
            };
        }
        let fd = File::open(&dir).map_err(|e| error("opening", &dir, e))?;
        Ok((Group { path: path.to_owned(), dir, fd: Some(fd) }, old))
    }

    pub fn set(&self, file: &str, value: &str) -> Result<()> {
        let path = self.dir.join(file);
        match files::raw_write(&path, value) {
            Err(e) if e.kind() == ErrorKind::NotFound && self.dir.exists() => {
                let controller = file.split('.').next().unwrap_or(file);
                Err(Error::Invalid(format!("{file} cannot be set: the {controller} controller is not available here")))
            }
            other => other.map_err(|e| error("writing", &path, e)),
        }
    }

    pub fn exists(&self) -> bool {
        self.dir.exists()
    }

    pub fn frozen(&self) -> bool {
        let events = fs::read_to_string(self.dir.join("cgroup.events")).unwrap_or_default();
        keyed(&events, "frozen") == Some(1)
    }

    pub fn directory(&self) -> &Path {
        &self.dir
    }

    pub fn restrict(&self, rules: &[Rule]) -> Result<()> {
        let Some(fd) = &self.fd else { return Ok(()) };
        device_filter::attach(fd.as_fd(), &device_program::program(rules))
            .map_err(|e| Error::Invalid(format!("devices cannot be restricted: {e}")))
    }

    pub fn open(mount: &Path, path: &str) -> Group {
        let dir = below(mount, path);
        let fd = File::open(&dir).ok();
        Group { path: path.to_owned(), dir, fd }
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn clone_fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    pub fn join(&self, pid: &str) -> Result<()> {
        write(&self.dir.join("cgroup.procs"), pid)
    }

    pub fn pids(&self) -> Vec<i32> {
        let mut pids = Vec::new();
        files::collect_pids(&self.dir, &mut pids);
        pids
    }

    pub fn populated(&self) -> bool {
        let events = fs::read_to_string(self.dir.join("cgroup.events")).unwrap_or_default();
        keyed(&events, "populated") == Some(1)
    }

    pub fn kill_all(&self) -> Result<()> {
        match files::raw_write(&self.dir.join("cgroup.kill"), "1") {
            Ok(()) => Ok(()),
            Err(e) if gone(&e) && !self.dir.exists() => Ok(()),
            // Kernels before 5.14.
            Err(e) if e.kind() == ErrorKind::NotFound => self.kill_frozen(),
            Err(e) => Err(error("writing", &self.dir.join("cgroup.kill"), e)),
        }
    }

    fn kill_frozen(&self) -> Result<()> {
        let _ = self.set_frozen(true);
        for pid in self.pids() {
            // Gone already is as good.
            let _ = process::kill(pid, files::SIGKILL);
        }
        self.set_frozen(false)
    }

    pub fn freeze(&self) -> Result<()> {
        let result = self.set_frozen(true);
        if result.is_err() {
            let _ = self.set_frozen(false);
        }
        result
    }

    /// Of one that is gone meanwhile (a manager removes a scope whose last process has ended) nothing stands still.
    pub fn thaw(&self) -> Result<()> {
        self.set_frozen(false).or_else(|e| if self.dir.exists() { Err(e) } else { Ok(()) })
    }

    fn set_frozen(&self, frozen: bool) -> Result<()> {
        write(&self.dir.join("cgroup.freeze"), if frozen { "1" } else { "0" })?;
        let events = self.dir.join("cgroup.events");
        let deadline = Instant::now() + FREEZE_PATIENCE;
        while keyed(&read(&events)?, "frozen") != Some(u64::from(frozen)) {
            if Instant::now() >= deadline {
                return Err(error("waiting for the freezer of", &self.dir, ErrorKind::TimedOut.into()));
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        Ok(())
    }

    pub fn oom_kills(&self) -> u64 {
        let events = fs::read_to_string(self.dir.join("memory.events")).unwrap_or_default();
        keyed(&events, "oom_kill").unwrap_or(0)
    }

    pub fn remove(&self) -> Result<()> {
        files::remove_tree(&self.dir)?;
        if let Some(parent) = self.dir.parent().filter(|p| p.ends_with(PARENT) || p.ends_with(&super::OCI_PARENT[1..]))
        {
            files::remove_if_empty(parent);
        }
        Ok(())
    }

    /// Applies what the plan names; returns a line per limit whose controller is missing.
    pub fn apply(&self, plan: &Plan) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        let mut set = |name: &str, file: &str, value: String| -> Result<()> {
            let path = self.dir.join(file);
            match files::raw_write(&path, &value) {
                Err(e) if e.kind() == ErrorKind::NotFound && self.dir.exists() => {
                    let controller = file.split('.').next().unwrap_or(file);
                    warnings.push(format!("{name} not applied: the {controller} controller is not available here"));
                    Ok(())
                }
                other => other.map_err(|e| error("writing", &path, e)),
            }
        };
        if let Some((quota, period)) = plan.cpu {
            let quota = quota.map_or("max".into(), |quota| quota.to_string());
            set(limits::CPU, "cpu.max", format!("{quota} {period}"))?;
        }
        if let Some(shares) = plan.shares {
            set(limits::SHARES, "cpu.weight", weight_of_shares(shares).to_string())?;
        }
        if let Some(mems) = &plan.mems {
            set(limits::CPUSET, "cpuset.mems", mems.clone())?;
        }
        if let Some(cpus) = &plan.cpus {
            set(limits::CPUSET, "cpuset.cpus", cpus.clone())?;
        }
        if let Some(pids) = plan.pids {
            set(limits::PIDS, "pids.max", limits::pids(pids))?;
        }
        if let Some(bytes) = plan.reservation {
            set(limits::RESERVATION, "memory.low", bytes.to_string())?;
        }
        if let Some(weight) = plan.io_weight {
            let file = if self.dir.join("io.bfq.weight").exists() { "io.bfq.weight" } else { "io.weight" };
            set(limits::IO, file, io_weight(weight).to_string())?;
        }
        for device in &plan.devices {
            let (file, line) = device.v2();
            set(limits::DEVICES, file, line).map_err(device_limits::explain)?;
        }
        if let Some(bytes) = plan.memory {
            set(limits::MEMORY, "memory.max", bytes.to_string())?;
        }
        if let Some(swap) = plan.swap.filter(|swap| swap.explicit || self.dir.join("memory.swap.max").exists()) {
            // Docker's number is memory and swap together; the kernel's is swap alone.
            let alone = swap.total.map(|total| total.saturating_sub(plan.memory.unwrap_or(0)));
            set(limits::SWAP, "memory.swap.max", alone.map_or("max".into(), |bytes| bytes.to_string()))?;
        }
        warnings.extend(limits::only_v1(plan));
        warnings.dedup();
        Ok(warnings)
    }
}

/// Makes the group with controllers switched on all the way, even if another teu removes the empty parent meanwhile.
fn make(above: &Path, base: &Path, dir: &Path) -> Result<()> {
    enable(above)?;
    for _ in 0..files::REMADE {
        files::make(above, base)?;
        match enable(base) {
            Err(_) if !base.exists() => continue,
            other => other?,
        }
        match fs::create_dir(dir) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) if gone(&e) => continue,
            Err(e) => return Err(error("making", dir, e)),
        }
        // Made anew by another teu in between, not yet with its controllers: ours now.
        return enable(base);
    }
    Err(Error::Busy(base.to_owned()))
}

fn gone(e: &io::Error) -> bool {
    e.kind() == ErrorKind::NotFound || e.raw_os_error() == Some(files::ENODEV)
}

/// Switches on, for the children of `dir`, every controller teu uses and `dir` has; one that is refused is left out
/// (its limits then warn). Processes in the way are moved to a leaf first, and not only when the kernel says EBUSY:
/// cpu and pids are accepted beside processes, and make the group a threaded one whose children take no process
/// (EOPNOTSUPP; cgroup v2, "Threads").
fn enable(dir: &Path) -> Result<()> {
    let control = dir.join("cgroup.subtree_control");
    let (has, on) = (read(&dir.join("cgroup.controllers"))?, read(&control)?);
    let listed = |text: &str, name: &str| text.split_whitespace().any(|word| word == name);
    let wanted: Vec<_> = CONTROLLERS.into_iter().filter(|name| listed(&has, name) && !listed(&on, name)).collect();
    // The root of the hierarchy has no type, and may hold processes.
    if !wanted.is_empty() && dir.join("cgroup.type").exists() {
        move_to_leaf(dir)?;
    }
    for name in wanted {
        // Refused: this controller is not to be had here.
        let _ = files::raw_write(&control, &format!("+{name}"));
    }
    Ok(())
}

/// Switches controllers on for the children of a group that may be another's: its processes are left where they are,
/// and then there are no controllers (whose limits are missed by name later on).
fn enable_beside(dir: &Path) {
    let has = fs::read_to_string(dir.join("cgroup.controllers")).unwrap_or_default();
    let control = dir.join("cgroup.subtree_control");
    let on = fs::read_to_string(&control).unwrap_or_default();
    if dir.join("cgroup.type").exists() && !files::pids(&dir.join("cgroup.procs")).is_empty() {
        return;
    }
    for name in has.split_whitespace().filter(|name| !on.split_whitespace().any(|have| have == *name)) {
        // Refused: this controller is not to be had here.
        let _ = files::raw_write(&control, &format!("+{name}"));
    }
}

/// "No internal processes": a group with controllers for its children may hold no process itself.
fn move_to_leaf(dir: &Path) -> Result<()> {
    if files::pids(&dir.join("cgroup.procs")).is_empty() {
        return Ok(());
    }
    let leaf = dir.join(LEAF);
    files::make(dir, &leaf)?;
    let procs = leaf.join("cgroup.procs");
    for _ in 0..16 {
        let pids = files::pids(&dir.join("cgroup.procs"));
        if pids.is_empty() {
            return Ok(());
        }
        for pid in pids {
            match files::raw_write(&procs, &pid.to_string()) {
                Err(e) if e.raw_os_error() != Some(files::ESRCH) => return Err(error("writing", &procs, e)),
                _ => {}
            }
        }
    }
    Ok(())
}

fn not_delegated(own: &str) -> String {
    format!(
        "{own} is not delegated to this user; start teu in a delegated scope: \
         systemd-run --user --scope -p Delegate=yes teu"
    )
}
