//! The container's first process, from its clone to its program. Single-threaded, and nobody's but its creator's until
//! it waits.

pub mod program;
pub mod sync;

use super::config::Bundle;
use super::create::Sockets;
use super::hooks::{self, Moment};
use super::{Outcome, internal, mounts, namespaces, process as plans};
use crate::runtime::cgroup::Group;
use crate::runtime::init::report::During;
use crate::runtime::protocol::FailureKind;
use crate::sys::mount_op::{self, Mounted};
use crate::sys::{attributes, channel, in_root, loopback, mount, poll, process, pty};
use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use sync::Message;

/// Everything that was worked out before the clone.
pub struct Setup<'a> {
    pub bundle: &'a Bundle,
    pub namespaces: &'a namespaces::Plan,
    pub joined: &'a namespaces::Opened,
    pub mounts: &'a mounts::Plan,
    /// `None`: the configuration has no process, and `start` will say so.
    pub process: Option<&'a plans::Plan>,
    pub group: &'a Group,
    /// The creator answers [`Message::Mounted`].
    pub stop_mounted: bool,
    pub limits_are_set: bool,
    pub keyring: Option<std::ffi::CString>,
    pub own_binary: Option<(u64, u64)>,
    pub preserve_fds: u32,
    /// Those of them that are sockets to listen at.
    pub sockets: Option<&'a Sockets>,
    pub no_pivot: bool,
    /// See [`mounts::Plan::mapped`].
    pub prepared: Vec<OwnedFd>,
    /// The specification's state, by status and pid.
    pub state: &'a dyn Fn(&str, i32) -> String,
}

/// The child's whole life until its program; ends the process when there is none. A panic must not unwind into the
/// copy of the creator's code.
pub fn become_it(socket: BorrowedFd<'_>, run: impl FnOnce() -> Outcome<Infallible>) -> ! {
    let failure = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
        Ok(Err(failure)) => failure,
        Err(_) => internal("the container's first process panicked"),
    };
    let code = match failure.kind {
        FailureKind::CommandNotFound => 127,
        FailureKind::CommandNotExecutable => 126,
        _ => 1,
    };
    sync::send(socket, &Message::Failed(failure), None);
    process::exit_now(code)
}

pub fn run(setup: &Setup<'_>, listener: &OwnedFd, socket: OwnedFd) -> Outcome<Infallible> {
    // Only until it waits: the container outlives its creator.
    process::parent_death_signal(9).during("tying the container to its creator")?;
    // The id maps are written, the limits of the group hold.
    sync::await_go(socket.as_fd())?;
    if setup.group.clone_fd().is_none() {
        setup.group.join_current().map_err(|e| internal(e.to_string()))?;
    }
    // What the caller was limited to (a service's CPUAffinity=) is not meant for the container. Refused is as good as done.
    let _ = attributes::reset_affinity();
    // As the host's /proc counts.
    let own = std::fs::read_link("/proc/self").during("finding the own pid")?;
    let pid: i32 = own.to_string_lossy().parse().map_err(|_| internal("/proc/self is no pid"))?;
    let notified = setup.process.map(connect_listener).transpose()?.flatten();
    let mounted = surroundings(setup, &socket)?;
    enter(setup, mounted, pid, &socket)?;
    let Some(plan) = setup.process else {
        return wait_in_vain(listener, socket);
    };
    program::attributes_of(0, plan)?;
    program::inherited_attributes(plan)?;
    let setting = program::Setting {
        own_binary: setup.own_binary,
        preserve_fds: setup.preserve_fds,
        limits_are_set: setup.limits_are_set,
        sockets: setup.sockets,
        make_cwd: true,
        plan,
    };
    let ready = program::prepare(&setting)?;
    // Who hears that it is created may ask it to end at once.
    process::end_when_asked().during("listening to signals")?;
    report_ready(&socket)?;
    drop(socket);
    let start = wait_for_start(listener)?;
    let state = (setup.state)("created", pid);
    let surroundings = hooks::Surroundings { cwd: None, env: Some(&ready.env) };
    let notified = notified.map(|socket| (socket, notification(setup, plan, pid)));
    let executing = || sync::send(start.as_fd(), &Message::Executing, None);
    // In the container, under what holds there.
    let outcome = ready
        .execute(notified, executing, || hooks::run(&setup.bundle.spec, Moment::StartContainer, &state, surroundings));
    // The one who started hears of it; the creator is gone.
    become_it(start.as_fd(), || outcome)
}

/// Namespaces' content and the mounts; the root is not entered.
fn surroundings(setup: &Setup<'_>, socket: &OwnedFd) -> Outcome<Mounted> {
    let spec = &setup.bundle.spec;
    setup.namespaces.enter_cgroups(setup.joined).during("entering the cgroup namespace")?;
    process::setsid().during("starting a session")?;
    process::umask(0);
    if setup.namespaces.makes_network() {
        loopback::up().during("bringing up the loopback interface")?;
    }
    // With the creator's rights to the bundle; afterwards as root of the container.
    let place = setup.bundle.rootfs.as_path();
    let sources = mount_op::open(&setup.mounts.root, &setup.mounts.ops, place, &setup.prepared);
    let sources = sources.during("error mounting: opening what is to be mounted")?;
    if setup.namespaces.other_users() {
        process::set_ids(0, 0).during("becoming root of the user namespace")?;
    }
    if let Some(name) = spec.hostname().as_ref().filter(|n| !n.is_empty()) {
        process::sethostname(name).during("setting the host name")?;
    }
    if let Some(name) = spec.domainname().as_ref().filter(|n| !n.is_empty()) {
        attributes::set_domain_name(name).during("setting the domain name")?;
    }
    if let Some(name) = &setup.keyring {
        attributes::join_session_keyring(Some(name)).during("making a session keyring")?;
    }
    let map = |number: usize, tree: BorrowedFd<'_>| map_ids(setup, number, tree, socket);
    let mounted = sources.build_with(&setup.mounts.root, &setup.mounts.ops, place, &map);
    let mounted = mounted.during("error mounting: setting up the root file system")?;
    if let Some(plan) = setup.process.filter(|p| p.terminal) {
        console(plan, &mounted, socket)?;
    }
    Ok(mounted)
}

/// By the creator, who has power over the file system; without a user namespace of its own the container has it, too.
fn map_ids(setup: &Setup<'_>, number: usize, tree: BorrowedFd<'_>, socket: &OwnedFd) -> crate::sys::Result<()> {
    if !setup.namespaces.other_users() {
        return super::mapped::map(&setup.mounts.mapped, &setup.prepared, number, tree);
    }
    sync::send(socket.as_fd(), &Message::Map(number as u16), Some(tree));
    let gone = |f: super::Failure| crate::sys::Error::new("mount_setattr", std::io::Error::other(f.chain.join(": ")));
    sync::await_go(socket.as_fd()).map_err(gone)
}

/// Opens a terminal in the container's own devpts, shows it as /dev/console and makes it the controlling one.
fn console(plan: &plans::Plan, mounted: &Mounted, socket: &OwnedFd) -> Outcome<()> {
    let found;
    let devpts = match &mounted.devpts {
        Some(devpts) => devpts.as_fd(),
        // A bound /dev may have one.
        None => {
            found = in_root::open_directory(mounted.root.as_fd(), "/dev/pts").during("a terminal needs a devpts")?;
            found.as_fd()
        }
    };
    let pair = pty::open_in(devpts).during("opening the container's terminal")?;
    let target =
        in_root::ensure(mounted.root.as_fd(), "/dev/console", in_root::Make::File).during("making /dev/console")?;
    let view = mount::clone_tree(pair.slave.as_fd(), Path::new(""), false).during("copying the terminal's mount")?;
    mount::attach(view.as_fd(), target.as_fd()).during("mounting /dev/console")?;
    take_terminal(&pair, plan, socket)
}

/// Shows the terminal and makes it the controlling one.
fn take_terminal(pair: &pty::Pair, plan: &plans::Plan, socket: &OwnedFd) -> Outcome<()> {
    show_terminal(pair, plan, socket)?;
    pty::control(pair.slave.as_fd()).during("taking the terminal")
}

/// Hands the master over and puts the slave on the standard streams.
pub fn show_terminal(pair: &pty::Pair, plan: &plans::Plan, socket: &OwnedFd) -> Outcome<()> {
    if let Some((columns, rows)) = plan.size {
        pty::resize(pair.master.as_fd(), columns, rows).during("sizing the terminal")?;
    }
    if plan.shown {
        pty::keep_line_ends(pair.slave.as_fd()).during("setting up the terminal")?;
    }
    poll::set_blocking(&pair.master).during("setting up the terminal")?;
    sync::send(socket.as_fd(), &Message::Terminal, Some(pair.master.as_fd()));
    for number in 0..3 {
        process::dup_onto(pair.slave.as_fd(), number).during("setting the standard streams")?;
    }
    Ok(())
}

/// The hooks around the entry, the entry itself, and the seals.
fn enter(setup: &Setup<'_>, mut mounted: Mounted, pid: i32, socket: &OwnedFd) -> Outcome<()> {
    if setup.stop_mounted {
        sync::send(socket.as_fd(), &Message::Mounted, None);
        sync::await_go(socket.as_fd())?;
    }
    hooks::run(
        &setup.bundle.spec,
        Moment::CreateContainer,
        &(setup.state)("creating", pid),
        hooks::Surroundings::in_directory(&setup.bundle.rootfs),
    )?;
    if let Some(plan) = setup.process {
        program::labels(plan)?;
        // While the root can be written; if it cannot be made here, entering it says why.
        let _ = in_root::ensure(mounted.root.as_fd(), &plan.cwd, in_root::Make::Directory);
    }
    mounted.go_on(&setup.mounts.seals).during("sealing the root file system")?;
    let entered = match setup.no_pivot {
        // The root of a mount namespace that is not the container's stays as it is.
        _ if !setup.namespaces.own_mounts() => mount::change_root,
        true => mount::move_to_root,
        false => mount::pivot,
    };
    entered(mounted.root.as_fd()).during("entering the root file system")?;
    mounted.go_on(&setup.mounts.entered).during("setting the root's propagation")
}

/// Set up: the creator writes down that there is a container, and lets go. From here on its death is told by the
/// socket: a signal would also come when it ends as it should.
fn report_ready(socket: &OwnedFd) -> Outcome<()> {
    process::parent_death_signal(0).during("letting go of the creator")?;
    sync::send(socket.as_fd(), &Message::Ready, None);
    sync::await_go(socket.as_fd())
}

/// The directory of the socket is closed to everybody else.
fn wait_for_start(listener: &OwnedFd) -> Outcome<OwnedFd> {
    loop {
        let stream = channel::accept(listener).during("waiting to be started")?;
        // Who only looked in changes nothing.
        if sync::await_go(stream.as_fd()).is_ok() {
            return Ok(stream);
        }
    }
}

/// Without a process there is a container, but nothing to start.
fn wait_in_vain(listener: &OwnedFd, socket: OwnedFd) -> Outcome<Infallible> {
    report_ready(&socket)?;
    drop(socket);
    let start = wait_for_start(listener)?;
    become_it(start.as_fd(), || Err(super::invalid("config.json has no process to start")))
}

/// Before the root is left behind nothing could reach the socket any more; connecting is the host's business.
pub fn connect_listener(plan: &plans::Plan) -> Outcome<Option<UnixStream>> {
    let Some((path, _)) = plan.filter.as_ref().and_then(|f| f.listener.as_ref()) else { return Ok(None) };
    let what = format!("connecting to the listener {}", path.display());
    UnixStream::connect(path).during(&what).map(Some)
}

fn notification(setup: &Setup<'_>, plan: &plans::Plan, pid: i32) -> String {
    let state = serde_json::from_str(&(setup.state)("creating", pid)).unwrap_or_default();
    notified_state(&state, pid, plan)
}

/// The specification's container process state; `pid`: of the process, as the runtime counts.
pub fn notified_state(state: &serde_json::Value, pid: i32, plan: &plans::Plan) -> String {
    let metadata = plan.filter.as_ref().and_then(|f| f.listener.as_ref()).map(|l| l.1.clone()).unwrap_or_default();
    let told = serde_json::json!({
        "ociVersion": state["ociVersion"], "fds": ["seccompFd"], "pid": pid, "metadata": metadata, "state": state,
    });
    told.to_string()
}
