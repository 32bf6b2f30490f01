//! A further process in a running container: joins its namespaces, then goes the same way as the first one.

use super::container::take_terminal;
use super::into_pids::{self, gone};
use super::namespace_flags;
use super::program::{self, Program};
use super::report::{During, failure};
use super::streams::ChildEnds;
use super::users;
use crate::runtime::cgroup::Group;
use crate::runtime::launch::Launch;
use crate::runtime::protocol::{ExecSpec, Failure, FailureKind};
use crate::sys::{clone, in_root, process, pty};
use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub(super) struct Plan<'a> {
    init: BorrowedFd<'a>,
    spec: &'a ExecSpec,
    /// Without the pid namespace: that one is entered by being born in it.
    flags: u64,
    own_pids: Option<OwnedFd>,
    oom_score: Option<i32>,
    program: Program<'a>,
}

impl<'a> Plan<'a> {
    pub fn new(launch: &'a Launch, spec: &'a ExecSpec, init: BorrowedFd<'a>) -> Result<Self, Failure> {
        let own_users = launch.users.is_some();
        let flags = namespace_flags(launch) | if own_users { clone::NEWUSER } else { 0 };
        Ok(Self {
            init,
            spec,
            flags: flags & !clone::NEWPID,
            own_pids: (flags & clone::NEWPID != 0).then(into_pids::own_pids).transpose()?,
            oom_score: launch.spec.process().as_ref().and_then(oci_spec::runtime::Process::oom_score_adj),
            program: Program::of_session(launch, spec)?,
        })
    }

    /// Clones into the container's pid namespace; one that is the host's is the monitor's own.
    pub fn clone(&self, group: &Group) -> Result<clone::Side, Failure> {
        match &self.own_pids {
            Some(own) => into_pids::clone(self.init, own.as_fd(), 0, group),
            None => clone::clone3(0, group.clone_fd()).during("cloning into the container"),
        }
    }

    /// What only the monitor can do for the new process. A score that may not be lowered stays what it is: the
    /// container's own start has already warned about that.
    pub fn settle(&self, pid: i32) {
        if let Some(score) = self.oom_score {
            let _ = std::fs::write(format!("/proc/{pid}/oom_score_adj"), score.to_string());
        }
    }
}

pub(super) fn run(plan: &Plan<'_>, group: &Group, streams: ChildEnds, socket: &OwnedFd) -> Result<Infallible, Failure> {
    process::parent_death_signal(9).during("tying the process to the monitor")?;
    if group.clone_fd().is_none() {
        group.join_current().map_err(|e| failure(FailureKind::Internal, e.to_string()))?;
    }
    if let Some(profile) = plan.program.apparmor {
        program::apparmor(profile)?;
    }
    // From here on every path is the container's.
    let own_users = plan.flags & clone::NEWUSER != 0;
    if own_users {
        plan.program.set_limits()?;
    }
    clone::setns(plan.init, plan.flags).map_err(|e| gone(&e))?;
    if own_users {
        users::become_root()?;
    }
    process::setsid().during("starting a session")?;
    process::umask(0o022);
    if streams.is_terminal() {
        let devpts =
            in_root::open_directory(root()?.as_fd(), "/dev/pts").during("opening the container's terminals")?;
        let pair = pty::open_in(devpts.as_fd()).during("opening a terminal in the container")?;
        if let Some((columns, rows)) = plan.spec.size {
            pty::resize(pair.master.as_fd(), columns, rows).during("sizing the terminal")?;
        }
        take_terminal(&pair, socket)?;
    } else {
        streams.install()?;
    }
    program::run(&plan.program, socket)
}

fn root() -> Result<OwnedFd, Failure> {
    std::fs::File::open("/").during("opening the container's root").map(OwnedFd::from)
}
