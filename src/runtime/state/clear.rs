//! What a killed monitor leaves behind: the end of its container, its group, its run directory's files.

use super::{LOCK, Result, init_of, judge, load, lock_within, read, write};
use crate::model::container::{State, Status};
use crate::model::time::Timestamp;
use crate::runtime::cgroup::Group;
use crate::sys::{self, process};
use std::fs::File;
use std::path::Path;
use std::time::Duration;

/// Held by whoever clears up, so that there is one at a time.
const CLEARING: &str = "clearing";
/// Those who look whether a monitor lives hold its lock for some microseconds, clearing up takes little longer.
const GLANCE: Duration = Duration::from_millis(100);
/// How long a killed process may take to be gone.
const DYING: Duration = Duration::from_secs(10);

/// The right to clear up. It shares the monitor's lock: no monitor can begin meanwhile, and whoever looks still sees
/// that none lives.
struct Clearing {
    _alone: File,
    _lock: File,
}

impl Clearing {
    /// `None`: a monitor lives, or somebody else is still at it after `patience`.
    fn begin(run_dir: &Path, patience: Duration) -> Result<Option<Clearing>> {
        loop {
            let Some(alone) = lock_within(run_dir, CLEARING, true, patience)? else { return Ok(None) };
            let Some(lock) = lock_within(run_dir, LOCK, false, GLANCE)? else { return Ok(None) };
            // A monitor that left meanwhile has removed both files: others may hold the new ones.
            if sys::files::is_at(&alone, &run_dir.join(CLEARING)) {
                return Ok(Some(Clearing { _alone: alone, _lock: lock }));
            }
        }
    }
}

/// Ends a container without a monitor: kills its init (and with it the whole pid namespace) and all that is left in
/// its cgroup, then clears up as [`clean_up`] does. Waits until it is gone, or for 10 s: the state says which. From
/// several processes at once one does it and the others wait; a container with a living monitor is left alone.
pub fn end_orphan(dir: &Path, run_dir: &Path, now: Timestamp) -> Result<State> {
    let Some(_clearing) = Clearing::begin(run_dir, DYING + GLANCE)? else { return read(dir, run_dir) };
    let state = judge(dir, || Ok(false))?;
    if state.status == Status::Orphaned && !kill(&state)? {
        return Ok(state);
    }
    finish(dir, run_dir, now)
}

/// False when it did not end in time.
fn kill(state: &State) -> Result<bool> {
    let init = init_of(state);
    if let Some(pidfd) = &init {
        match process::pidfd_signal(pidfd, 9) {
            Err(e) if e.errno() != 3 => return Err(e.into()),
            _ => {}
        }
    }
    kill_group(state);
    Ok(init.is_none_or(|pidfd| sys::poll::wait_end(pidfd, DYING)))
}

fn kill_group(state: &State) {
    if !state.cgroup.is_empty() {
        let group = Group::open(&state.cgroup);
        let _ = group.thaw();
        let _ = group.kill_all();
    }
}

/// Clears away what a killed monitor has left (cgroup, socket, run directory's files) and writes the end into the state
/// file. Does nothing when a monitor lives. Safe to repeat, and from several processes at once.
pub fn clean_up(dir: &Path, run_dir: &Path, now: Timestamp) -> Result<State> {
    let state = read(dir, run_dir)?;
    if state.status != Status::Exited
        || (state.cgroup.is_empty() && load(dir).is_ok_and(|file| file.status == Status::Exited))
    {
        return Ok(state);
    }
    let Some(_clearing) = Clearing::begin(run_dir, GLANCE)? else { return read(dir, run_dir) };
    finish(dir, run_dir, now)
}

fn finish(dir: &Path, run_dir: &Path, now: Timestamp) -> Result<State> {
    let state = judge(dir, || Ok(false))?;
    if state.status != Status::Exited {
        clear_run_dir(run_dir);
        return Ok(state);
    }
    if !state.cgroup.is_empty() {
        kill_group(&state);
        let _ = Group::open(&state.cgroup).remove();
    }
    let state = State { finished: state.finished.or(Some(now)), cgroup: String::new(), ..state };
    let written = write(dir, &state);
    clear_run_dir(run_dir);
    written.map(|()| state)
}

/// Removes sockets, locks and the run directory. Only for the holder of the lock, or of the right to clear up.
pub fn clear_run_dir(run_dir: &Path) {
    for name in ["sock", "sock.new", LOCK, CLEARING] {
        let _ = std::fs::remove_file(run_dir.join(name));
    }
    let _ = std::fs::remove_dir(run_dir);
}
