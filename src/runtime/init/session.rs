//! A further process in a running container.
//!
//! A helper that is not in the container's pid namespace, where nobody of the container sees it, does all that needs
//! power: it enters the other namespaces, opens the terminal, becomes the user, gives up what the command may not have.
//! Only then it clones the process, which is born with the command's powers and without a descriptor of the host's: one
//! in the container who may trace others (CAP_SYS_PTRACE) gets hold of nothing that he could not execute anyway. What is
//! left is the power to load a filter, for as long as that takes, where new privileges are not switched off.

use super::container::show_terminal;
use super::into_pids::gone;
use super::namespace_flags;
use super::program::{self, Program};
use super::report::{self, During, Message, failure};
use super::streams::ChildEnds;
use super::users;
use crate::runtime::cgroup::Group;
use crate::runtime::launch::Launch;
use crate::runtime::protocol::{ExecSpec, Failure, FailureKind};
use crate::sys::told::Told;
use crate::sys::{clone, in_root, process, pty};
use std::convert::Infallible;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

const ENOMEM: i32 = 12;

pub(super) struct Plan<'a> {
    init: BorrowedFd<'a>,
    spec: &'a ExecSpec,
    /// The namespaces to join; that of the pids by being born in it.
    flags: u64,
    oom_score: Option<i32>,
    program: Program<'a>,
}

impl<'a> Plan<'a> {
    pub fn new(launch: &'a Launch, spec: &'a ExecSpec, init: BorrowedFd<'a>) -> Result<Self, Failure> {
        let users = if launch.users.is_some() { clone::NEWUSER } else { 0 };
        Ok(Self {
            init,
            spec,
            flags: namespace_flags(launch) | users,
            oom_score: launch.spec.process().as_ref().and_then(oci_spec::runtime::Process::oom_score_adj),
            program: Program::of_session(launch, spec)?,
        })
    }

    /// What only the monitor can do for the process: by its helper, before that goes on. A score that may not be lowered
    /// stays what it is: the container's own start has already warned about that.
    pub fn settle(&self, helper: i32) {
        if let Some(score) = self.oom_score {
            let _ = std::fs::write(format!("/proc/{helper}/oom_score_adj"), score.to_string());
        }
    }
}

/// The helper's whole life, and in its clone the process's.
pub(super) fn help(
    plan: &Plan<'_>,
    group: &Group,
    streams: ChildEnds,
    socket: &OwnedFd,
    told: &Told,
) -> Result<Infallible, Failure> {
    process::set_dumpable(false).during("hiding the process")?;
    process::parent_death_signal(9).during("tying the process to the monitor")?;
    report::await_go(socket)?;
    enter(plan, group)?;
    process::umask(0o022);
    let tty = streams.is_terminal();
    if tty {
        open_terminal(plan.spec.size, socket)?;
    } else {
        streams.install()?;
    }
    let ready = program::prepare(&plan.program, || close_all_but(socket))?;
    let side = clone::clone3_sibling_told(0, told);
    if side.as_ref().is_err_and(|e| e.errno() == ENOMEM) {
        // What the kernel says where the namespace's first process has ended.
        return Err(failure(FailureKind::Conflict, "the container is not running"));
    }
    match side.during("cloning into the container")? {
        clone::Side::Child => live(&ready, tty, socket),
        clone::Side::Parent { pid, pidfd } => {
            report::send(socket, &Message::Cloned(pid), Some(pidfd.as_fd()));
            process::exit_now(0)
        }
    }
}

fn enter(plan: &Plan<'_>, group: &Group) -> Result<(), Failure> {
    if group.clone_fd().is_none() {
        group.join_current().map_err(|e| failure(FailureKind::Internal, e.to_string()))?;
    }
    if let Some(profile) = plan.program.apparmor {
        program::apparmor(profile)?;
    }
    let own_users = plan.flags & clone::NEWUSER != 0;
    if own_users {
        plan.program.set_limits()?;
    }
    // From here on every path is the container's.
    clone::setns(plan.init, plan.flags).map_err(|e| gone(&e))?;
    if own_users { users::become_root() } else { Ok(()) }
}

fn open_terminal(size: Option<(u16, u16)>, socket: &OwnedFd) -> Result<(), Failure> {
    let root: OwnedFd = std::fs::File::open("/").during("opening the container's root")?.into();
    let devpts = in_root::open_directory(root.as_fd(), "/dev/pts").during("opening the container's terminals")?;
    let pair = pty::open_in(devpts.as_fd()).during("opening a terminal in the container")?;
    if let Some((columns, rows)) = size {
        pty::resize(pair.master.as_fd(), columns, rows).during("sizing the terminal")?;
    }
    show_terminal(&pair, socket)
}

/// What the process needs none of: the monitor's descriptors, and the handle of the container's first process.
fn close_all_but(socket: &OwnedFd) -> Result<(), Failure> {
    let kept = socket.as_raw_fd().cast_unsigned();
    if kept > 3 {
        process::close_between(3, kept - 1).during("closing the monitor's descriptors")?;
    }
    process::close_between(kept + 1, u32::MAX).during("closing the monitor's descriptors")
}

/// In the container, seen by its processes. It waits until its monitor knows of it: one that nobody knows runs nothing.
fn live(ready: &program::Ready<'_>, tty: bool, socket: &OwnedFd) -> Result<Infallible, Failure> {
    process::parent_death_signal(9).during("tying the process to the monitor")?;
    report::await_go(socket)?;
    process::setsid().during("starting a session")?;
    if tty {
        pty::control(std::io::stdin().as_fd()).during("taking the terminal")?;
    }
    ready.execute(socket)
}
