//! The container's first process, from its clone to its command.

use super::joined::{self, Joined};
use super::program::{self, Program};
use super::report::{self, During, Message, failure};
use super::streams::ChildEnds;
use super::users::{self, Bound};
use super::{CLONING, Made, into_pids, namespace_flags};
use crate::model::isolation::UserMap;
use crate::runtime::cgroup::Group;
use crate::runtime::launch::Launch;
use crate::runtime::protocol::{Failure, FailureKind};
use crate::runtime::rootfs;
use crate::sys::mount::Overlay;
use crate::sys::mount_op::{self, MountOp, Mounted, Root};
use crate::sys::{attributes, clone, in_root, loopback, mount, process, pty};
use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

pub(super) const LOOPBACK: &str = "bringing up the loopback interface";

/// Everything that can be worked out before the clone.
pub(super) struct Plan<'a> {
    launch: &'a Launch,
    /// The cgroup namespace is left out: it is made once the process is in its group.
    pub flags: u64,
    pub own_cgroup_view: bool,
    /// It has no interface up yet.
    new_network: bool,
    /// The network namespace to join instead of a new one.
    network: Option<BorrowedFd<'a>>,
    /// The user namespace of its own, its map, and what is bound from the host.
    users: Option<(BorrowedFd<'a>, &'a UserMap, Vec<Bound>)>,
    joined: Joined,
    root: Root,
    ops: Vec<MountOp>,
    program: Program<'a>,
}

/// The namespaces to be made, as clone flags: not those that are joined, which `network` says of the network's.
pub(super) fn flags(launch: &Launch, network: bool) -> u64 {
    let users = if launch.users.is_some() { clone::NEWUSER } else { 0 };
    (namespace_flags(launch) | users) & !joined::flags(&launch.isolation) & !(if network { clone::NEWNET } else { 0 })
}

impl<'a> Plan<'a> {
    pub fn new(launch: &'a Launch, made: Made<'a>) -> Result<Self, Failure> {
        let network = made.network;
        let joined = Joined::find(launch)?;
        let flags = flags(launch, network.is_some());
        if flags & clone::NEWNS == 0 {
            return Err(failure(FailureKind::Invalid, "a container needs a mount namespace of its own"));
        }
        let mut ops = rootfs::plan(launch).map_err(|e| failure(FailureKind::Invalid, e.to_string()))?;
        let users = match (made.users, &launch.users) {
            (Some(users), Some(map)) => Some((users, map, users::take_binds(launch, &mut ops))),
            _ => None,
        };
        Ok(Self {
            launch,
            // A user namespace is entered, not made.
            flags: flags & !(clone::NEWCGROUP | clone::NEWUSER),
            new_network: flags & clone::NEWNET != 0,
            network,
            users,
            own_cgroup_view: flags & clone::NEWCGROUP != 0,
            root: rootfs::root(launch),
            ops,
            joined,
            program: Program::of_container(launch)?,
        })
    }

    /// Whether the first of the trees it is run with is to be its root: this overlay, if it is the one that it has.
    pub fn take_root(&mut self, mounted: &Overlay) -> bool {
        let taken = self.users.is_none() && matches!(&self.root, Root::Overlay(own) if own == mounted);
        if taken {
            self.root = Root::Prepared(0);
        }
        taken
    }

    /// The new process, and in it what was prepared for it.
    pub fn clone(&self, group: &Group) -> Result<(clone::Side, Vec<OwnedFd>), Failure> {
        let Some((users, map, binds)) = &self.users else {
            let side = match self.joined.pids() {
                Some(init) => into_pids::clone(init, into_pids::own_pids()?.as_fd(), self.flags, group),
                None => clone::clone3(self.flags, group.clone_fd()).during(CLONING),
            };
            return side.map(|side| (side, Vec::new()));
        };
        let mut trees = Vec::new();
        let side = users::by_helper(|| {
            group.join_current().map_err(|e| failure(FailureKind::Internal, e.to_string()))?;
            program::set_oom_score(self.launch)?;
            self.program.set_limits()?;
            trees = users::prepare(self.launch, map, &self.root, binds, *users)?;
            if let Some(network) = self.network {
                clone::setns(network, clone::NEWNET).during("entering the network namespace")?;
            }
            clone::setns(*users, clone::NEWUSER).during("entering the user namespace")?;
            clone::clone3_sibling(self.flags, None).during(CLONING)
        })?;
        Ok((side, trees))
    }
}

/// The first steps, for which nothing need be known about the container but its group.
pub(super) fn settle_in(own_cgroup_view: bool, group: Option<&Group>) -> Result<(), Failure> {
    // Only until the command runs: the container outlives its monitor.
    process::parent_death_signal(9).during("tying the init to the monitor")?;
    if let Some(group) = group.filter(|group| group.clone_fd().is_none()) {
        group.join_current().map_err(|e| failure(FailureKind::Internal, e.to_string()))?;
    }
    if own_cgroup_view {
        clone::unshare(clone::NEWCGROUP).during("making the cgroup namespace")?;
    }
    process::setsid().during("starting a session")?;
    process::umask(0);
    Ok(())
}

/// After [`settle_in`].
pub(super) fn run(
    plan: &Plan<'_>,
    mut trees: Vec<OwnedFd>,
    streams: ChildEnds,
    socket: &OwnedFd,
) -> Result<Infallible, Failure> {
    let launch = plan.launch;
    let own_users = plan.users.is_some();
    plan.joined.enter()?;
    if let Some(namespace) = plan.network.filter(|_| !own_users) {
        clone::setns(namespace, clone::NEWNET).during("entering the network namespace")?;
    }
    if plan.new_network {
        loopback::up().during(LOOPBACK)?;
    }
    let what = "setting up the root file system";
    trees.extend(plan.joined.shared_memory()?);
    let root = if own_users { &users::ROOT } else { &plan.root };
    let sources = mount_op::open(root, &plan.ops, &launch.dir, &trees).during(what)?;
    if own_users {
        users::become_root()?;
    } else {
        program::set_oom_score(launch)?;
    }
    if let Some(name) = launch.spec.hostname() {
        process::sethostname(name).during("setting the host name")?;
    }
    if let Some(name) = launch.spec.domainname() {
        attributes::set_domain_name(name).during("setting the domain name")?;
    }
    if let Some(profile) = plan.program.apparmor {
        program::apparmor(profile)?;
    }
    let mounted = sources.build(root, &plan.ops, &launch.dir).during(what)?;
    drop(trees);
    if streams.is_terminal() {
        console(launch, &mounted, socket)?;
    } else {
        streams.install()?;
    }
    mount::pivot(mounted.root.as_fd()).during("entering the root file system")?;
    // From here on nothing but the standard streams and the report socket is needed.
    drop(mounted);
    process::umask(0o022);
    report::await_go(socket)?;
    let ready = program::prepare(&plan.program, || process::cloexec_from(3).during("closing inherited descriptors"))?;
    ready.execute(socket)
}

/// Opens a terminal in the container's own devpts, shows it as /dev/console and makes it the controlling one.
fn console(launch: &Launch, mounted: &Mounted, socket: &OwnedFd) -> Result<(), Failure> {
    let Some(devpts) = &mounted.devpts else {
        return Err(failure(FailureKind::Invalid, "a terminal needs a devpts at /dev/pts"));
    };
    let pair = pty::open_in(devpts.as_fd()).during("opening the container's terminal")?;
    if let Some((columns, rows)) = launch.size {
        pty::resize(pair.master.as_fd(), columns, rows).during("sizing the container's terminal")?;
    }
    let target =
        in_root::ensure(mounted.root.as_fd(), "/dev/console", in_root::Make::File).during("making /dev/console")?;
    let view = mount::clone_tree(pair.slave.as_fd(), Path::new(""), false).during("copying the terminal's mount")?;
    mount::attach(view.as_fd(), target.as_fd()).during("mounting /dev/console")?;
    take_terminal(&pair, socket)
}

fn take_terminal(pair: &pty::Pair, socket: &OwnedFd) -> Result<(), Failure> {
    show_terminal(pair, socket)?;
    pty::control(pair.slave.as_fd()).during("taking the terminal")
}

/// Hands the master to the monitor and puts the slave on the standard streams.
pub(super) fn show_terminal(pair: &pty::Pair, socket: &OwnedFd) -> Result<(), Failure> {
    report::send(socket, &Message::Terminal, Some(pair.master.as_fd()));
    for number in 0..3 {
        process::dup_onto(pair.slave.as_fd(), number).during("setting the standard streams")?;
    }
    Ok(())
}
