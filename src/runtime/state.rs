//! The state file of a container: written by its monitor, read by every engine, judged by what the kernel says is alive.

use crate::model::container::{ExitStatus, State, Status};
use crate::model::time::Timestamp;
use crate::runtime::cgroup::Group;
use crate::sys;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// In the container's data directory.
pub const FILE: &str = "state.json";
/// In the container's run directory; its monitor holds an flock on it for life.
pub const LOCK: &str = "lock";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{what} {path}: {source}")]
    Io { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{path} is damaged: {source}")]
    Damaged { path: PathBuf, source: serde_json::Error },
    #[error(transparent)]
    System(#[from] sys::Error),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The state as it really is: what the file says, corrected when the monitor, the init or the whole boot is gone.
/// No file: a container never started.
///
/// A damaged or lost file costs what it said, never the container: a living monitor still has it all, and without one
/// it has ended in a way nobody knows.
pub fn read(dir: &Path, run_dir: &Path) -> Result<State> {
    let state = match load(dir) {
        Ok(state) => state,
        Err(e @ Error::Damaged { .. }) => return without_file(run_dir, e.to_string()),
        Err(e) => return Err(e),
    };
    if state.status == Status::Created && !dir.exists() && monitor_lives(run_dir)? {
        return without_file(run_dir, format!("{} is gone", dir.display()));
    }
    if !(state.status.is_live() || state.status == Status::Restarting) {
        return Ok(state);
    }
    if state.boot_id != boot_id()? {
        return Ok(lost(state, "the machine was restarted while it ran"));
    }
    if monitor_lives(run_dir)? {
        return Ok(state);
    }
    // It may have ended in good order between the two looks.
    let state = match load(dir) {
        Err(e @ Error::Damaged { .. }) => return without_file(run_dir, e.to_string()),
        state => state?,
    };
    if !state.status.is_live() {
        return Ok(if state.status == Status::Restarting { lost(state, MONITOR_GONE) } else { state });
    }
    if init_of(&state).is_some() {
        return Ok(State { status: Status::Orphaned, monitor_pid: 0, error: MONITOR_GONE.into(), ..state });
    }
    Ok(lost(state, MONITOR_GONE))
}

const MONITOR_GONE: &str = "its monitor was killed";

fn without_file(run_dir: &Path, error: String) -> Result<State> {
    let state = State { status: Status::Running, error: error.clone(), ..State::default() };
    Ok(if monitor_lives(run_dir)? { state } else { lost(state, &error) })
}

/// The file alone, unchecked.
fn load(dir: &Path) -> Result<State> {
    let path = dir.join(FILE);
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| Error::Damaged { path, source }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(State::default()),
        Err(source) => Err(Error::Io { what: "read", path, source }),
    }
}

fn lost(state: State, why: &str) -> State {
    let exit = match state.status {
        // It had ended before and only waited for its next start.
        Status::Restarting => state.exit,
        _ => Some(ExitStatus { code: 255, unknown: true, ..ExitStatus::default() }),
    };
    State { status: Status::Exited, pid: 0, monitor_pid: 0, exit, error: why.into(), execs: Vec::new(), ..state }
}

/// Replaces the file in one step: a reader sees the old or the new one. On a full disk the old one is overwritten, for
/// which its own block is enough: how a container ended must not be lost.
pub fn write(dir: &Path, state: &State) -> Result<()> {
    let (path, fresh) = (dir.join(FILE), dir.join("state.json.new"));
    let text = serde_json::to_vec(state).map_err(|source| Error::Damaged { path: path.clone(), source })?;
    let done = File::create(&fresh).and_then(|mut f| f.write_all(&text));
    if let Err(source) = done {
        let full = matches!(source.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
        let _ = std::fs::remove_file(&fresh);
        return match full && overwrite(&path, &text).is_ok() {
            true => Ok(()),
            false => Err(Error::Io { what: "write", path: fresh, source }),
        };
    }
    std::fs::rename(&fresh, &path).map_err(|source| Error::Io { what: "rename", path: fresh, source })
}

fn overwrite(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut file = File::options().write(true).open(path)?;
    file.write_all(text)?;
    file.set_len(text.len() as u64)
}

/// True while a monitor holds the container's lock.
pub fn monitor_lives(run_dir: &Path) -> Result<bool> {
    let path = run_dir.join(LOCK);
    match File::open(&path) {
        Ok(file) => Ok(!sys::poll::try_lock(&file, false)?),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(Error::Io { what: "open", path, source }),
    }
}

/// Takes the container's lock for this process's life. `None`: another monitor has it.
pub fn take_lock(run_dir: &Path) -> Result<Option<File>> {
    let path = run_dir.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|source| Error::Io { what: "open", path, source })?;
    // Engines that look whether we live hold it for some microseconds.
    for _ in 0..100 {
        if sys::poll::try_lock(&file, true)? {
            return Ok(Some(file));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(None)
}

/// The kernel's name for this boot.
pub fn boot_id() -> Result<String> {
    let path = "/proc/sys/kernel/random/boot_id";
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(source) => Err(Error::Io { what: "read", path: path.into(), source }),
    }
}

/// When a process began, in clock ticks since boot; `None` when it is gone (or a zombie).
pub fn start_time(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, spaces and parentheses too.
    let mut fields = stat.get(stat.rfind(')')? + 2..)?.split(' ');
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// The init of that state when it is still the same living process.
pub fn init_of(state: &State) -> Option<OwnedFd> {
    if state.pid <= 0 {
        return None;
    }
    // First the handle, then the look: the pid cannot change hands in between.
    let pidfd = sys::poll::pidfd(state.pid).ok()?;
    (start_time(state.pid) == Some(state.pid_start) && sys::poll::is_alive(&pidfd)).then_some(pidfd)
}

/// Ends a container without a monitor: kills its init (and with it the whole pid namespace) and all that is left in
/// its cgroup. Waits until the init is gone; false when it did not end within 10 s.
pub fn kill_orphan(state: &State) -> Result<bool> {
    let init = init_of(state);
    if let Some(pidfd) = &init {
        match sys::poll::send_signal(pidfd, 9) {
            Err(e) if e.errno() != 3 => return Err(e.into()),
            _ => {}
        }
    }
    kill_group(state);
    Ok(init.is_none_or(|pidfd| sys::poll::wait_end(pidfd, Duration::from_secs(10))))
}

fn kill_group(state: &State) {
    if !state.cgroup.is_empty() {
        let group = Group::open(&state.cgroup);
        let _ = group.thaw();
        let _ = group.kill_all();
    }
}

/// Clears away what a killed monitor has left (cgroup, socket, run directory's files) and writes the end into the state
/// file. Does nothing when a monitor lives. Safe to repeat.
pub fn clean_up(dir: &Path, run_dir: &Path, now: Timestamp) -> Result<State> {
    let state = read(dir, run_dir)?;
    if state.status.is_live() || monitor_lives(run_dir)? {
        return Ok(state);
    }
    if !state.cgroup.is_empty() {
        kill_group(&state);
        let _ = Group::open(&state.cgroup).remove();
    }
    let _ = std::fs::remove_file(run_dir.join("sock"));
    let state = State { finished: state.finished.or(Some(now)), cgroup: String::new(), ..state };
    if state.status == Status::Exited {
        write(dir, &state)?;
    }
    Ok(state)
}
