//! A further process in a running container: joins its namespaces, then goes the same way as the first one.

use super::container::take_terminal;
use super::namespace_flags;
use super::program::{self, Program};
use super::report::{During, failure};
use super::streams::ChildEnds;
use crate::runtime::cgroup::Group;
use crate::runtime::launch::Launch;
use crate::runtime::protocol::{ExecSpec, Failure, FailureKind};
use crate::sys::{clone, in_root, process, pty, userns};
use std::convert::Infallible;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub(super) struct Plan<'a> {
    init: BorrowedFd<'a>,
    spec: &'a ExecSpec,
    /// Without the pid namespace: that one is entered by being born in it.
    flags: u64,
    own_pids: OwnedFd,
    oom_score: Option<i32>,
    program: Program<'a>,
}

impl<'a> Plan<'a> {
    pub fn new(launch: &'a Launch, spec: &'a ExecSpec, init: BorrowedFd<'a>) -> Result<Self, Failure> {
        let path = "/proc/self/ns/pid";
        Ok(Self {
            init,
            spec,
            flags: namespace_flags(launch) & !clone::NEWPID,
            own_pids: std::fs::File::open(path).during("opening the pid namespace")?.into(),
            oom_score: launch.spec.process().as_ref().and_then(oci_spec::runtime::Process::oom_score_adj),
            program: Program::of_session(launch, spec)?,
        })
    }

    /// Clones into the container's pid namespace: only children follow a `setns` of that kind.
    pub fn clone(&self, group: &Group) -> Result<clone::Side, Failure> {
        // In a user namespace nobody may return to the machine's own pid namespace: somebody goes there for good.
        if userns::identity().in_user_namespace { self.clone_by_helper(group) } else { self.clone_and_return(group) }
    }

    /// A helper enters, clones the process as its own sibling (so that it is the monitor's child), tells its pid, ends.
    fn clone_by_helper(&self, group: &Group) -> Result<clone::Side, Failure> {
        let (mut ours, mut theirs) = std::io::pipe().during("making a pipe")?;
        let Some(helper) = clone::fork().during("forking")? else {
            drop(ours);
            let side = process::set_dumpable(false)
                .and_then(|_| clone::setns(self.init, clone::NEWPID))
                .and_then(|()| clone::clone3_sibling(0, group.clone_fd()));
            let answer = match side {
                Ok(clone::Side::Child) => return Ok(clone::Side::Child),
                Ok(clone::Side::Parent { pid, .. }) => pid,
                Err(e) => -e.errno(),
            };
            let told = theirs.write_all(&answer.to_ne_bytes());
            process::exit_now(i32::from(told.is_err()));
        };
        drop(theirs);
        let mut answer = [0; 4];
        let told = ours.read_exact(&mut answer);
        process::wait_pid(helper).during("waiting for the helper")?;
        told.during("hearing of the new process")?;
        match i32::from_ne_bytes(answer) {
            // A child of ours: its number stays its own until we reap it.
            pid if pid > 0 => {
                Ok(clone::Side::Parent { pid, pidfd: process::pidfd_open(pid).during("opening the new process")? })
            }
            errno => Err(gone(&crate::sys::Error::new("setns", std::io::Error::from_raw_os_error(-errno)))),
        }
    }

    /// Without a process in between: the monitor goes there and back around the clone. The copy of the monitor that processes of the
    /// container can now see must not be dumpable at any moment.
    fn clone_and_return(&self, group: &Group) -> Result<clone::Side, Failure> {
        let dumpable = process::set_dumpable(false).during("hiding the monitor")?;
        let show_again = || if dumpable { process::set_dumpable(true).map(drop) } else { Ok(()) };
        if let Err(e) = clone::setns(self.init, clone::NEWPID) {
            show_again().during("showing the monitor again")?;
            return Err(gone(&e));
        }
        let side = clone::clone3(0, group.clone_fd());
        if let Ok(clone::Side::Child) = side {
            return Ok(clone::Side::Child);
        }
        let back = clone::setns(self.own_pids.as_fd(), clone::NEWPID);
        show_again().during("showing the monitor again")?;
        back.during("returning to the monitor's pid namespace")?;
        side.during("cloning into the container")
    }

    /// What only the monitor can do for the new process. A score that may not be lowered stays what it is: the
    /// container's own start has already warned about that.
    pub fn settle(&self, pid: i32) {
        if let Some(score) = self.oom_score {
            let _ = std::fs::write(format!("/proc/{pid}/oom_score_adj"), score.to_string());
        }
    }
}

fn gone(error: &crate::sys::Error) -> Failure {
    match error.errno() {
        // ESRCH: its init has ended, and with it the namespace.
        3 => failure(FailureKind::Conflict, "the container is not running"),
        _ => Failure {
            kind: FailureKind::Internal,
            chain: vec!["entering the container's namespaces".into(), super::report::text(error)],
            hint: None,
        },
    }
}

pub(super) fn run(plan: &Plan<'_>, group: &Group, streams: ChildEnds, socket: &OwnedFd) -> Result<Infallible, Failure> {
    process::parent_death_signal(9).during("tying the process to the monitor")?;
    if group.clone_fd().is_none() {
        group.join_current().map_err(|e| failure(FailureKind::Internal, e.to_string()))?;
    }
    // From here on every path is the container's.
    clone::setns(plan.init, plan.flags).map_err(|e| gone(&e))?;
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
