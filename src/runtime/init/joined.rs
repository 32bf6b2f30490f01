//! Namespaces of other containers that an init is born in or enters.

use super::report::{During, failure};
use crate::model::container::Status;
use crate::model::isolation::Isolation;
use crate::runtime::launch::Launch;
use crate::runtime::protocol::{Failure, FailureKind};
use crate::runtime::state;
use crate::sys::{clone, mount, process};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Found anew at each start: the other container may have been started again in between.
#[derive(Debug, Default)]
pub(super) struct Joined {
    /// An init, and which of its namespaces are entered.
    entered: Vec<(OwnedFd, u64)>,
    /// The init whose pid namespace it is to be born in.
    pids: Option<OwnedFd>,
    /// The mount namespace that has the other's /dev/shm.
    shared_memory: Option<OwnedFd>,
}

impl Joined {
    pub fn find(launch: &Launch) -> Result<Joined, Failure> {
        let Isolation { ipc, pid, uts, .. } = &launch.isolation;
        let mut joined = Joined::default();
        if let Some(id) = ipc.container() {
            let (number, init) = init_of(launch, id, "IPC")?;
            joined.shared_memory = Some(process::mount_namespace(number).during("opening the other's mounts")?);
            joined.entered.push((init, clone::NEWIPC));
        }
        if let Some(id) = uts.container() {
            joined.entered.push((init_of(launch, id, "UTS")?.1, clone::NEWUTS));
        }
        if let Some(id) = pid.container() {
            joined.pids = Some(init_of(launch, id, "PID")?.1);
        }
        Ok(joined)
    }

    pub fn pids(&self) -> Option<BorrowedFd<'_>> {
        self.pids.as_ref().map(AsFd::as_fd)
    }

    /// A copy of the other's /dev/shm. By the new process itself.
    pub fn shared_memory(&self) -> Result<Option<OwnedFd>, Failure> {
        let copy = |fd: &OwnedFd| mount::clone_foreign(fd.as_fd(), "/dev/shm").during("sharing the other's /dev/shm");
        self.shared_memory.as_ref().map(copy).transpose()
    }

    /// By the new process itself.
    pub fn enter(&self) -> Result<(), Failure> {
        self.entered
            .iter()
            .try_for_each(|(init, flag)| clone::setns(init.as_fd(), *flag).during("entering the other's namespaces"))
    }
}

/// Clone flags of the namespaces that are joined, and so not made.
pub(super) fn flags(isolation: &Isolation) -> u64 {
    let Isolation { ipc, pid, uts, .. } = isolation;
    let flag = |joined: Option<&str>, flag: u64| if joined.is_some() { flag } else { 0 };
    flag(ipc.container(), clone::NEWIPC) | flag(pid.container(), clone::NEWPID) | flag(uts.container(), clone::NEWUTS)
}

/// The pid and a handle of another container's init.
fn init_of(launch: &Launch, id: &str, what: &str) -> Result<(i32, OwnedFd), Failure> {
    let beside = |dir: &std::path::Path| dir.parent().map(|all| all.join(id)).unwrap_or_default();
    let not_running = |name: &str| {
        let mut failure = failure(
            FailureKind::Conflict,
            format!("cannot join the {what} namespace of container {name}: it is not running"),
        );
        failure.hint = Some(format!("start it first: `teu start {name}`"));
        failure
    };
    let short = id.get(..12).unwrap_or(id);
    let state = state::read(&beside(&launch.dir), &beside(&launch.run_dir)).map_err(|_| not_running(short))?;
    if !state.status.is_live() || state.status == Status::Orphaned && state.pid <= 0 {
        return Err(not_running(short));
    }
    // The handle first, then the check: a pid that is another's by now has another start time.
    let init = process::pidfd_open(state.pid).map_err(|_| not_running(short))?;
    if process::start_time(state.pid) != Some(state.pid_start) {
        return Err(not_running(short));
    }
    Ok((state.pid, init))
}
