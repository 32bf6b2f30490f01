//! From a [`Launch`] to a living process: the monitor (single-threaded) clones the container's init here and the child
//! goes on in Rust until it executes the command. No tokio, no threads, no database.
//!
//! The binary itself and the container (CVE-2019-5736): the child runs this same binary until it executes the command.
//! Three things keep the container's hands off it. The monitor runs from a read-only mount of its own binary
//! ([`crate::sys::program::Sealed`]), so whatever descriptor of it leaks cannot be opened for writing again; the child
//! is not dumpable while it can be seen inside the container, so nobody there may open its `exe`, memory or
//! descriptors; and a command that *is* this binary (by `/proc/self/exe`, as itself, as a script's interpreter or as a
//! program's loader) is refused where the first measure could not be had.

mod ahead;
mod container;
mod into_pids;
mod joined;
pub(super) mod lookup;
pub(super) mod program;
mod reaper;
pub(super) mod report;
mod session;
mod streams;
mod underway;
pub mod users;

pub use ahead::Ahead;
pub use streams::ChildIo;
pub use underway::Underway;

use crate::runtime::cgroup::Group;
use crate::runtime::launch::Launch;
use crate::runtime::protocol::{ExecSpec, Failure, FailureKind};
use crate::sys::told::Told;
use crate::sys::{clone, process, pty};
use oci_spec::runtime::LinuxNamespaceType;
use report::{During, Message, failure};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use streams::Streams;

/// A started process: the container's init or an exec session.
#[derive(Debug)]
pub struct Child {
    /// Pid as the caller's pid namespace sees it.
    pub pid: i32,
    pub pidfd: OwnedFd,
    pub io: ChildIo,
    /// The init's mount namespace. Held, it outlives the init: otherwise the kernel takes all of it apart, with waits
    /// of milliseconds, before it tells anybody that the init has ended.
    pub mounts: Option<OwnedFd>,
    /// It was reaped before it was known that its command ran: its helper held the connection longer than it lived.
    pub ended: Option<process::Ended>,
}

/// Starts the container's init in `group` and returns once the command has been executed, or why it was not. Nothing
/// is left of a failed start. The caller must be single-threaded.
pub fn start(launch: &Launch, group: &Group) -> Result<Child, Failure> {
    let users = launch.users.as_ref().map(users::make).transpose()?;
    let made = Made { users: users.as_ref().map(AsFd::as_fd), ..Made::default() };
    begin(launch, group, made, None)?.finish()
}

/// Namespaces that were made before, to be entered; without them the spec decides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Made<'a> {
    pub network: Option<BorrowedFd<'a>>,
    /// Of a [`Launch`] with a map of its own.
    pub users: Option<BorrowedFd<'a>>,
}

/// A container's init that sets itself up while its monitor does the same. Its command waits for [`Starting::finish`];
/// dropped, it is killed.
pub struct Starting {
    /// `None`: handed on.
    underway: Option<Underway>,
    mounts: Option<OwnedFd>,
}

/// Clones the init, or lets the one go on that was cloned ahead (if it suits: else it is ended). What has to be written
/// down before the command runs is to be written before [`Starting::finish`]: so a monitor killed at any moment leaves
/// either nothing or a container that can be found. `ahead`: the init that was cloned ahead, and told this launch. The
/// caller must be single-threaded.
pub fn begin(launch: &Launch, group: &Group, made: Made<'_>, ahead: Option<Ahead>) -> Result<Starting, Failure> {
    let streams = Streams::new(launch.tty, launch.open_stdin)?;
    let flags = container::flags(launch, made.network.is_some());
    if let Some(ahead) = ahead.and_then(|ahead| ahead.fitting(launch, flags)) {
        return ahead.go_on(made.network, streams);
    }
    let plan = container::Plan::new(launch, made)?;
    let (ours, theirs) = pty::socket_pair().during("making the report socket")?;
    let (side, trees) = plan.clone(group)?;
    match side {
        clone::Side::Child => {
            drop(ours);
            become_it(&theirs, || {
                // Who entered a user namespace on the way is in its group already.
                container::settle_in(plan.own_cgroup_view, launch.users.is_none().then_some(group))?;
                container::run(&plan, trees, streams.child, &theirs)
            })
        }
        clone::Side::Parent { pid, pidfd } => Ok(Starting::new(pid, pidfd, ours, streams.parent)),
    }
}

const CLONING: &str = "cloning the container's init";

impl Starting {
    fn new(pid: i32, pidfd: OwnedFd, socket: OwnedFd, io: streams::ParentIo) -> Self {
        let mounts = process::mount_namespace(pid).ok();
        Starting { underway: Some(Underway::new(pid, pidfd, socket, io)), mounts }
    }

    /// As the caller's pid namespace sees it.
    pub fn pid(&self) -> i32 {
        self.underway.as_ref().map_or(0, Underway::pid)
    }

    /// Lets the command run, and waits until it does.
    pub fn finish(mut self) -> Result<Child, Failure> {
        let Some(underway) = self.underway.take() else {
            return Err(failure(FailureKind::Internal, "the init was started already"));
        };
        underway.go();
        Ok(Child { mounts: self.mounts.take(), ..underway.wait()? })
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(underway) = self.underway.take() {
            underway.end();
        }
    }
}

/// Starts a further process in the container whose init is behind `init`, confined like it (unless privileged). It is on its
/// way then: see [`Underway`].
pub fn exec(init: BorrowedFd<'_>, launch: &Launch, spec: &ExecSpec, group: &Group) -> Result<Underway, Failure> {
    let plan = session::Plan::new(launch, spec, init)?;
    let streams = Streams::new(spec.tty, spec.stdin)?;
    let (ours, theirs) = pty::socket_pair().during("making the report socket")?;
    let told = Told::new().during("sharing memory with the process's helper")?;
    match clone::clone3(0, group.clone_fd()).during("forking")? {
        clone::Side::Child => {
            drop(ours);
            become_it(&theirs, || session::help(&plan, group, streams.child, &theirs, &told))
        }
        clone::Side::Parent { pid, pidfd } => {
            drop((theirs, streams.child));
            plan.settle(pid);
            let underway = Underway::of_helper(pid, pidfd, ours, streams.parent, told);
            underway.go();
            Ok(underway)
        }
    }
}

/// The child's whole life until its command; ends the process when there is none. A panic must not unwind into the
/// copy of the monitor's code below.
fn become_it(socket: &OwnedFd, run: impl FnOnce() -> Result<std::convert::Infallible, Failure>) -> ! {
    let failure = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
        Ok(Err(failure)) => failure,
        Err(_) => failure(FailureKind::Internal, "the init of the container panicked"),
    };
    let code = match failure.kind {
        FailureKind::CommandNotFound => 127,
        FailureKind::CommandNotExecutable => 126,
        _ => 125,
    };
    report::send(socket, &Message::Failed(failure), None);
    process::exit_now(code)
}

/// Never leave half a container behind: it is ours until the command runs.
fn end(pidfd: &OwnedFd) {
    let _ = process::pidfd_signal(pidfd.as_fd(), 9);
    let _ = process::wait_pidfd(pidfd.as_fd(), true);
}

/// The namespaces a spec asks for, as clone flags; those with a path to join are not offered by teu.
fn namespace_flags(launch: &Launch) -> u64 {
    let namespaces = launch.spec.linux().as_ref().and_then(|l| l.namespaces().as_deref()).unwrap_or_default();
    // The whole of an ordinary user's teu is in its user namespace; time namespaces are not offered.
    let own = |kind| !matches!(kind, LinuxNamespaceType::User | LinuxNamespaceType::Time);
    namespaces.iter().map(|n| n.typ()).filter(|kind| own(*kind)).fold(0, |flags, kind| flags | namespace_flag(kind))
}

/// The clone flag that makes a namespace of that kind.
pub fn namespace_flag(kind: LinuxNamespaceType) -> u64 {
    match kind {
        LinuxNamespaceType::Mount => clone::NEWNS,
        LinuxNamespaceType::Pid => clone::NEWPID,
        LinuxNamespaceType::Uts => clone::NEWUTS,
        LinuxNamespaceType::Ipc => clone::NEWIPC,
        LinuxNamespaceType::Network => clone::NEWNET,
        LinuxNamespaceType::Cgroup => clone::NEWCGROUP,
        LinuxNamespaceType::User => clone::NEWUSER,
        LinuxNamespaceType::Time => clone::NEWTIME,
    }
}
