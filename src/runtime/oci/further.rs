//! A further process on its way into a container.
//!
//! A helper that is not in the container's pid namespace, where nobody of the container sees it, does all that needs
//! power: it enters the other namespaces, opens the terminal, becomes the user, gives up what the program may not have.
//! Only then it clones the process, which is born with the program's powers and without a descriptor of the host's: one
//! in the container who may trace others (CAP_SYS_PTRACE) gets hold of nothing that he could not execute anyway. What is
//! left is the power to load a filter, for as long as that takes, where new privileges are not switched off.

use super::init::program::{self, Setting};
use super::init::sync::{self, Message};
use super::init::{notified_state, show_terminal};
use super::{Outcome, internal, process as plans};
use crate::runtime::cgroup::Group;
use crate::runtime::init::report::During;
use crate::sys::{attributes, clone, in_root, mount, process, pty, rlimit};
use std::convert::Infallible;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Everything the process needs.
pub struct Setup<'a> {
    pub plan: &'a plans::Plan,
    pub setting: Setting<'a>,
    pub group: &'a Group,
    /// The container's first process.
    pub init: &'a OwnedFd,
    /// The namespaces to join.
    pub flags: u64,
    /// The root, where no mount namespace brings it along.
    pub root: Option<OwnedFd>,
    /// It gets a session keyring of its own.
    pub keyring: bool,
    /// Who hears of calls, and the container's state.
    pub notified: Option<(UnixStream, serde_json::Value)>,
}

impl Setup<'_> {
    /// The process waits, because something has to be done or said by the caller when it is there.
    fn waits(&self) -> bool {
        self.plan.scheduling.is_some() || self.plan.io_priority.is_some() || self.notified.is_some()
    }
}

/// The helper's whole life, and in its clone the process's.
pub fn help(setup: Setup<'_>, socket: &OwnedFd) -> Outcome<Infallible> {
    process::set_dumpable(false).during("hiding the process")?;
    process::parent_death_signal(9).during("tying the process to the runtime")?;
    sync::await_go(socket.as_fd())?;
    let plan = setup.plan;
    if let Some(processors) = &plan.affinity.0 {
        attributes::set_affinity(processors).during("setting the processors")?;
    }
    // What has to be said of the next program is said where /proc is the host's.
    program::labels(plan)?;
    enter(&setup)?;
    if plan.affinity == (None, None) {
        // As for the first process.
        let _ = attributes::reset_affinity();
    }
    if setup.keyring {
        attributes::join_session_keyring(None).during("making a session keyring")?;
    }
    process::umask(0o022);
    if plan.terminal {
        let root: OwnedFd = std::fs::File::open("/").during("opening the container's root")?.into();
        let devpts = in_root::open_directory(root.as_fd(), "/dev/pts").during("opening the container's terminals")?;
        let pair = pty::open_in(devpts.as_fd()).during("opening a terminal in the container")?;
        show_terminal(&pair, plan, socket)?;
    }
    program::inherited_attributes(plan)?;
    let ready = program::prepare(&setup.setting)?;
    close_others(&setup, socket)?;
    match clone::clone3_sibling(0, None).during("cloning into the container")? {
        clone::Side::Child => live(&ready, setup, socket),
        clone::Side::Parent { pid, .. } => {
            sync::send(socket.as_fd(), &Message::Cloned(pid), None);
            process::exit_now(0)
        }
    }
}

/// What the process needs none of: the handle of the container's first process, directories of the host's.
fn close_others(setup: &Setup<'_>, socket: &OwnedFd) -> Outcome<()> {
    let listener = setup.notified.as_ref().map(|(listener, _)| listener.as_raw_fd());
    let mut kept = [listener.unwrap_or(socket.as_raw_fd()), socket.as_raw_fd()].map(i32::cast_unsigned);
    kept.sort_unstable();
    // Those to be passed on come first.
    let mut next = 3 + setup.setting.preserve_fds;
    for number in kept {
        if next < number {
            process::close_between(next, number - 1).during("closing the runtime's descriptors")?;
        }
        next = next.max(number + 1);
    }
    process::close_between(next, u32::MAX).during("closing the runtime's descriptors")
}

fn enter(setup: &Setup<'_>) -> Outcome<()> {
    if setup.group.clone_fd().is_none() {
        setup.group.join_current().map_err(|e| internal(e.to_string()))?;
    }
    clone::setns(setup.init.as_fd(), setup.flags).during("entering the container's namespaces")?;
    let root = setup.root.as_ref();
    root.map_or(Ok(()), |root| mount::change_root(root.as_fd())).during("entering the container's root")
}

/// In the container, seen by its processes.
fn live(ready: &program::Ready<'_>, setup: Setup<'_>, socket: &OwnedFd) -> Outcome<Infallible> {
    process::parent_death_signal(9).during("tying the process to the runtime")?;
    process::setsid().during("starting a session")?;
    if setup.plan.terminal {
        pty::control(std::io::stdin().as_fd()).during("taking the terminal")?;
    }
    let pid = if setup.waits() { sync::await_pid(socket.as_fd())? } else { 0 };
    let plan = setup.plan;
    // The rest of the setup are descriptors that are closed.
    let Setup { notified, root, .. } = setup;
    std::mem::forget(root);
    let notified = notified.map(|(socket, state)| (socket, notified_state(&state, pid, plan)));
    ready.execute(notified, || sync::send(socket.as_fd(), &Message::Executing, None), || Ok(()))
}

/// What the caller does until the program runs, in its helper's company. Returns the process and its terminal's master.
pub fn accompany(
    setup: &Setup<'_>,
    helper: (i32, OwnedFd),
    socket: &OwnedFd,
) -> Outcome<(i32, OwnedFd, Option<OwnedFd>)> {
    let mut process = None;
    let outcome = hear(setup, helper.0, socket, &mut process);
    if outcome.is_err() {
        for pidfd in process.iter().map(|(_, pidfd)| pidfd).chain([&helper.1]) {
            let _ = process::pidfd_signal(pidfd, 9);
        }
    }
    process::wait_pidfd(helper.1.as_fd(), true).during("waiting for the helper")?;
    match (outcome, process) {
        (Ok(terminal), Some((pid, pidfd))) => Ok((pid, pidfd, terminal)),
        (Ok(_), None) => Err(internal("the process died before its program ran")),
        (Err(failure), process) => {
            let _ = process.map(|(_, pidfd)| process::wait_pidfd(pidfd.as_fd(), true));
            Err(failure)
        }
    }
}

fn hear(
    setup: &Setup<'_>,
    helper: i32,
    socket: &OwnedFd,
    process: &mut Option<(i32, OwnedFd)>,
) -> Outcome<Option<OwnedFd>> {
    let plan = setup.plan;
    if let Some(score) = plan.oom_score {
        std::fs::write(format!("/proc/{helper}/oom_score_adj"), score.to_string())
            .during(&format!("setting the OOM score to {score}"))?;
    }
    if setup.setting.limits_are_set {
        for (name, soft, hard) in &plan.rlimits {
            rlimit::set_of(helper, name, *soft, *hard).during("setting the limits")?;
        }
    }
    sync::go(socket.as_fd());
    let (mut terminal, mut executing) = (None, false);
    loop {
        match sync::receive(socket.as_fd())? {
            Some((Message::Terminal, master)) => terminal = master,
            Some((Message::Cloned(pid), _)) => {
                // A child of ours: its number stays its own until we reap it.
                *process = Some((pid, process::pidfd_open(pid).during("opening the new process")?));
                program::attributes_of(pid, plan)?;
                if setup.waits() {
                    sync::tell_pid(socket.as_fd(), pid);
                }
            }
            Some((Message::Executing, _)) => executing = true,
            Some((Message::Failed(failure), _)) => return Err(failure),
            Some((other, _)) => return Err(internal(format!("unexpected report {other:?}"))),
            None if executing => return Ok(terminal),
            None => return Err(internal("the process died before its program ran")),
        }
    }
}
