//! The state file of a container: written by its monitor, read by every engine, judged by what the kernel says is alive.

mod clear;
mod orphans;

pub use clear::{clean_up, clear_run_dir, end_orphan};
pub use orphans::taken_ports;

use crate::model::container::{ExitStatus, State, Status};
use crate::sys::{self, facts, files, process};
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// In the container's data directory.
pub const FILE: &str = "state.json";
/// What a container's data directory is called while it is being deleted: nobody's any more.
pub fn set_aside(dir: &Path) -> PathBuf {
    dir.with_extension("removed")
}

/// In the container's run directory; its monitor holds an flock on it for life.
pub const LOCK: &str = "lock";
/// A monitor whose container has ended needs a moment to clear up; engines that look whether one lives hold the lock
/// for some microseconds, those that clear up a little longer.
const LEAVING: Duration = Duration::from_secs(2);
/// How often a run directory is made anew that others remove at the same time.
const REMADE: usize = 50;

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
    judge(dir, || monitor_lives(run_dir))
}

fn judge(dir: &Path, monitor_lives: impl Fn() -> Result<bool>) -> Result<State> {
    let state = match load(dir) {
        Ok(state) => state,
        Err(e @ Error::Damaged { .. }) => return without_file(monitor_lives, e.to_string()),
        Err(e) => return Err(e),
    };
    if state.status == Status::Created && !dir.exists() && monitor_lives()? {
        return without_file(monitor_lives, format!("{} is gone", dir.display()));
    }
    if !(state.status.is_live() || state.status == Status::Restarting) {
        return Ok(state);
    }
    if facts::boot_id().is_some_and(|boot| state.boot_id != boot) {
        return Ok(lost(state, "the machine was restarted while it ran"));
    }
    if monitor_lives()? {
        return Ok(state);
    }
    // It may have ended in good order between the two looks.
    let state = match load(dir) {
        Err(e @ Error::Damaged { .. }) => return without_file(monitor_lives, e.to_string()),
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

fn without_file(monitor_lives: impl Fn() -> Result<bool>, error: String) -> Result<State> {
    let state = State { status: Status::Running, error: error.clone(), ..State::default() };
    Ok(if monitor_lives()? { state } else { lost(state, &error) })
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
/// which its own block is enough: how a container ended must not be lost. Only for the holder of
/// the lock.
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

/// Takes the container's lock for this process's life, making the run directory (0700) where it is gone. `None`:
/// another monitor has it and keeps it.
pub fn take_lock(run_dir: &Path) -> Result<Option<File>> {
    lock_within(run_dir, LOCK, true, LEAVING)
}

fn lock_within(run_dir: &Path, name: &str, exclusive: bool, patience: Duration) -> Result<Option<File>> {
    let path = run_dir.join(name);
    let deadline = Instant::now() + patience;
    loop {
        let file = open_lock(run_dir, &path)?;
        // Whoever held it before may have removed the file as its last act: then the lock is nobody's but worthless.
        if sys::poll::try_lock(&file, exclusive)? && files::is_at(&file, &path) {
            return Ok(Some(file));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn open_lock(run_dir: &Path, path: &Path) -> Result<File> {
    let open = || File::options().create(true).truncate(false).write(true).open(path);
    let mut file = open();
    // Whoever clears up may remove the directory that was just made.
    for _ in 0..REMADE {
        if !file.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
            break;
        }
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(run_dir);
        made.map_err(|source| Error::Io { what: "create", path: run_dir.to_owned(), source })?;
        file = open();
    }
    file.map_err(|source| Error::Io { what: "open", path: path.to_owned(), source })
}

/// The init of that state when it is still the same living process.
pub fn init_of(state: &State) -> Option<OwnedFd> {
    if state.pid <= 0 {
        return None;
    }
    // First the handle, then the look: the pid cannot change hands in between.
    let pidfd = process::pidfd_open(state.pid).ok()?;
    (process::start_time(state.pid) == Some(state.pid_start) && sys::poll::is_alive(&pidfd)).then_some(pidfd)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A monitor that leaves removes the lock it still holds; whoever waited for it must not end up with that file.
    #[test]
    fn a_lock_whose_file_is_gone_is_not_taken_for_the_container_s() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        let leaving = take_lock(&run).unwrap().unwrap();
        assert!(monitor_lives(&run).unwrap());
        let waiter = std::thread::spawn({
            let run = run.clone();
            move || take_lock(&run).unwrap().unwrap()
        });
        std::fs::remove_file(run.join(LOCK)).unwrap();
        std::fs::remove_dir(&run).unwrap();
        drop(leaving);
        let _lock = waiter.join().unwrap();
        assert!(monitor_lives(&run).unwrap(), "its lock is the one that others look at");
    }

    #[test]
    fn a_lock_that_is_kept_is_not_waited_for_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let _held = take_lock(dir.path()).unwrap().unwrap();
        assert!(take_lock(dir.path()).unwrap().is_none());
    }
}
