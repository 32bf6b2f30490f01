//! `create`: everything of a container but its program.

use super::config::{self, Bundle};
use super::container::{self, Container, Record, Status};
use super::hooks::{self, Moment};
use super::init::sync::{self, Message};
use super::init::{self, Setup};
use super::{
    Outcome, Runtime, devices, group, internal, invalid, mapped, mounts, namespaces, notify, process as plans, rdt,
    terminal,
};
use crate::model::time::Timestamp;
use crate::net::moved::Moved;
use crate::runtime::cgroup::{Group, resources};
use crate::runtime::init::lookup;
use crate::runtime::init::report::During;
use crate::runtime::machine::Machine;
use crate::sys::{self, access, channel, clone, mount_here, process, pty, rlimit, userns};
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// What the caller chose.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub bundle: PathBuf,
    pub pid_file: Option<PathBuf>,
    /// Gets the master of the container's terminal.
    pub console_socket: Option<PathBuf>,
    /// Gets a handle of the container's first process.
    pub pidfd_socket: Option<PathBuf>,
    pub preserve_fds: u32,
    /// Listening sockets that a service manager gave along; they come before the preserved ones.
    pub sockets: Option<Sockets>,
    pub no_new_keyring: bool,
    pub no_pivot: bool,
    /// The caller itself takes the terminal (`run` in the foreground).
    pub keep_terminal: bool,
}

/// Socket activation, as sd_listen_fds(3) describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sockets {
    pub count: u32,
    pub names: Option<String>,
}

/// A container whose first process waits.
#[derive(Debug)]
pub struct Created {
    pub container: Container,
    pub pidfd: OwnedFd,
    /// With [`Options::keep_terminal`].
    pub terminal: Option<OwnedFd>,
    /// What of the configuration is left out.
    pub warnings: Vec<String>,
}

pub fn create(runtime: &Runtime, id: &str, options: &Options) -> Outcome<Created> {
    inherited(options)?;
    make(runtime, id, options)
}

/// [`create`] after [`inherited`].
pub fn make(runtime: &Runtime, id: &str, options: &Options) -> Outcome<Created> {
    let machine = &Machine::HERE;
    container::check_id(id)?;
    let mut bundle = config::load(&options.bundle, machine)?;
    if runtime.notify.is_some() {
        notify::offer(&mut bundle.spec, &runtime.root.join(id));
    }
    let mut plan = bundle.spec.process().as_ref().map(|p| plans::plan(p, &bundle.spec, machine)).transpose()?;
    if let Some(plan) = &mut plan {
        plan.shown = options.keep_terminal;
        bundle
            .warnings
            .extend(plans::never_ambient(&plan.capabilities).into_iter().chain(plans::ignored(&bundle.spec)));
    }
    if let Some(given) = bundle.spec.linux().as_ref().and_then(|l| l.resources().as_ref()) {
        bundle.warnings.extend(resources::ignored(given));
    }
    let terminal = plan.as_ref().is_some_and(|p| p.terminal);
    let console = terminal::console(options.console_socket.as_deref(), terminal, options.keep_terminal)?;
    let watcher = terminal::watcher(options.pidfd_socket.as_deref())?;
    let namespaces = namespaces::plan(&bundle.spec)?;
    let joined = namespaces.open()?;
    if bundle.spec.linux().as_ref().is_some_and(|l| l.intel_rdt().is_some()) {
        rdt::root()?;
    }
    let place = group::place(runtime, id, &bundle)?;
    let record = record(id, &bundle, &place, options);
    let container = Container::reserve(&runtime.root, record)?;
    let mut attempt = Attempt { runtime, container, place, lock: None, group: None, devices: Vec::new(), done: false };
    attempt.lock = Some(attempt.container.lock()?);
    attempt.container.save()?;
    if runtime.notify.is_some() {
        notify::make_directory(&attempt.container.dir)?;
    }
    container::replace(&attempt.container.dir.join(container::CONFIG), &bundle.text)?;
    let group = group::make(&mut attempt.container.record, &bundle, &namespaces, &mut attempt.group)?;
    let created = start_init(&mut attempt, &bundle, plan.as_ref(), (&namespaces, &joined), &group, options)?;
    let (pidfd, terminal, socket) = match created {
        Ok(parts) => parts,
        Err(failure) => {
            let state = attempt.container.state(Status::Stopped).to_string();
            hooks::run_all(&bundle.spec, Moment::Poststop, &state, hooks::Surroundings::in_directory(&bundle.dir));
            return Err(failure);
        }
    };
    let pid = attempt.container.record.pid;
    terminal::give_pidfd(watcher, &pidfd)?;
    let terminal = terminal::hand_over(console, terminal, options.pid_file.as_deref(), pid)?;
    sync::go(socket.as_fd());
    attempt.done = true;
    let container = Container { dir: attempt.container.dir.clone(), record: attempt.container.record.clone() };
    Ok(Created { container, pidfd, terminal, warnings: bundle.warnings })
}

/// Takes back what was made, unless the container came to be.
struct Attempt<'a> {
    runtime: &'a Runtime,
    container: Container,
    place: group::Place,
    lock: Option<File>,
    group: Option<Group>,
    devices: Vec<Moved>,
    done: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        // While there is a namespace they can be taken from.
        devices::take_back(std::mem::take(&mut self.devices));
        if let Some(pidfd) = self.container.init() {
            let _ = process::pidfd_signal(&pidfd, 9);
            let _ = process::wait_pidfd(pidfd.as_fd(), true);
        }
        if let Some(group) = self.group.take().filter(|_| !self.container.record.foreign_cgroup) {
            let _ = group.kill_all();
            group::end_unit(self.runtime, &self.container.record);
            let _ = group.remove();
        }
        let _ = self.container.unmount();
        rdt::remove(&self.container.record.classes);
        let _ = self.container.forget();
    }
}

fn record(id: &str, bundle: &Bundle, place: &group::Place, options: &Options) -> Record {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let annotations = bundle.spec.annotations().clone().unwrap_or_default();
    Record {
        oci_version: bundle.spec.version().clone(),
        id: id.to_owned(),
        pid: 0,
        pid_start: 0,
        bundle: bundle.dir.clone(),
        rootfs: bundle.rootfs.clone(),
        created: Timestamp(i64::try_from(now.as_nanos()).unwrap_or(0)).rfc3339(),
        owner: channel::own_uid(),
        cgroup: place.path.clone(),
        foreign_cgroup: false,
        mounted: None,
        unit: place.unit.as_ref().map(|(unit, _)| unit.name.clone()).unwrap_or_default(),
        classes: Vec::new(),
        annotations: annotations.into_iter().collect(),
        callers_keyring: options.no_new_keyring,
    }
}

/// What is to be passed on must be there; otherwise something of our own would take its number. What else the caller
/// left open is closed: a created container would hold it until it is started.
pub fn inherited(options: &Options) -> Outcome<()> {
    let sockets = options.sockets.as_ref().map_or(0, |s| s.count);
    let count = sockets.checked_add(options.preserve_fds).filter(|n| *n < 1 << 16);
    let count = count.ok_or_else(|| invalid("more descriptors are to be passed on than a process can have"))?;
    match (3..3 + count).find(|number| !access::is_inherited(*number)) {
        Some(missing) => Err(invalid(format!("unable to stat preserved-fd {missing}: it is not open"))),
        None => process::close_between(3 + count, u32::MAX).during("closing inherited descriptors"),
    }
}

type Parts = (OwnedFd, Option<OwnedFd>, OwnedFd);

/// The outer failure: nothing was begun. The inner one: something ran already, and its end is to be told.
fn start_init(
    attempt: &mut Attempt<'_>,
    bundle: &Bundle,
    plan: Option<&plans::Plan>,
    (namespaces, joined): (&namespaces::Plan, &namespaces::Opened),
    group: &Group,
    options: &Options,
) -> Outcome<Outcome<Parts>> {
    let container = &mut attempt.container;
    let given = mounts::Given {
        machine: &Machine::HERE,
        rootfs: &bundle.rootfs,
        groups: &|| group.directories(),
        own_cgroups: namespaces.own_cgroups(),
        own_mounts: namespaces.own_mounts(),
        users: namespaces.users(&bundle.spec),
        user_namespace: namespaces.other_users() || userns::identity().in_user_namespace || channel::own_uid() != 0,
    };
    let mounts = mounts::plan(bundle, &given)?;
    if !namespaces.own_mounts() {
        container.record.mounted = Some(mount_here::cover(&bundle.rootfs).during("covering the root file system")?);
        container.save()?;
    }
    let listener = channel::listen_packets(&container.dir, container::START).during("making the start socket")?;
    let keyring = format!("_ses.{}", container.record.id);
    let keyring = (!options.no_new_keyring).then(|| CString::new(keyring).unwrap_or_default());
    let early = [Moment::Prestart, Moment::CreateRuntime];
    let hooked = early.iter().any(|moment| !hooks::of(&bundle.spec, *moment).is_empty());
    let outside = namespaces.other_users() && plan.is_some_and(|p| !p.rlimits.is_empty());
    let known = Container { dir: container.dir.clone(), record: container.record.clone() };
    let setup = Setup {
        bundle,
        namespaces,
        joined,
        mounts: &mounts,
        process: plan,
        group,
        stop_mounted: hooked || outside,
        limits_are_set: outside,
        keyring,
        own_binary: lookup::own_binary(),
        preserve_fds: options.preserve_fds + options.sockets.as_ref().map_or(0, |s| s.count),
        sockets: options.sockets.as_ref(),
        no_pivot: options.no_pivot,
        prepared: mapped::open(&mounts.mapped)?,
        state: &|status, pid| {
            let mut state = known.state(Status::Creating);
            (state["status"], state["pid"]) = (status.into(), pid.into());
            state.to_string()
        },
    };
    let (ours, theirs) = pty::socket_pair().during("making the report socket")?;
    match namespaces.clone(joined, group)? {
        clone::Side::Child => {
            // The lock is its creator's alone: a copy here would hold it for ever.
            drop((ours, attempt.lock.take()));
            let report = theirs.try_clone().during("keeping the report socket");
            let report = report.unwrap_or_else(|_| process::exit_now(1));
            init::become_it(report.as_fd(), || init::run(&setup, &listener, theirs))
        }
        clone::Side::Parent { pid, pidfd } => {
            drop((theirs, listener));
            container.record.pid = pid;
            container.record.pid_start = process::start_time(pid).unwrap_or(0);
            let map = |number: u16, tree: BorrowedFd<'_>| {
                mapped::map(&setup.mounts.mapped, &setup.prepared, number.into(), tree)
            };
            let terminal = accompany(attempt, bundle, plan, namespaces, &ours, outside, &map);
            Ok(terminal.map(|terminal| (pidfd, terminal, ours)))
        }
    }
}

/// What the creator does while the child sets itself up. Returns when it is ready, and everybody may know.
fn accompany(
    attempt: &mut Attempt<'_>,
    bundle: &Bundle,
    plan: Option<&plans::Plan>,
    namespaces: &namespaces::Plan,
    socket: &OwnedFd,
    limits: bool,
    map: &dyn Fn(u16, BorrowedFd<'_>) -> sys::Result<()>,
) -> Outcome<Option<OwnedFd>> {
    let pid = attempt.container.record.pid;
    namespaces.write_maps(pid)?;
    group::attach(&mut attempt.place, &attempt.container.record, bundle, namespaces, &mut attempt.group)?;
    attempt.devices = devices::give(&bundle.spec, pid)?;
    if let Some(wanted) = bundle.spec.linux().as_ref().and_then(|l| l.intel_rdt().as_ref()) {
        let class = rdt::prepare(&rdt::root()?, &attempt.container.record.id, wanted)?;
        attempt.container.record.classes.clone_from(&class.remove);
        class.take(pid)?;
    }
    let container = &attempt.container;
    if let Some(score) = plan.and_then(|p| p.oom_score) {
        std::fs::write(format!("/proc/{pid}/oom_score_adj"), score.to_string())
            .during(&format!("setting the OOM score to {score}"))?;
    }
    sync::go(socket.as_fd());
    let mut terminal = None;
    loop {
        match sync::receive(socket.as_fd())? {
            Some((Message::Terminal, master)) => terminal = master,
            Some((Message::Map(number), tree)) => {
                let tree = tree.ok_or_else(|| internal("the container reported a mount without its tree"))?;
                map(number, tree.as_fd()).during("mapping the ids of a mount")?;
                sync::go(socket.as_fd());
            }
            Some((Message::Mounted, _)) => {
                for (name, soft, hard) in plan.filter(|_| limits).iter().flat_map(|p| &p.rlimits) {
                    rlimit::set_of(pid, name, *soft, *hard).during("setting the limits")?;
                }
                let state = container.state(Status::Creating).to_string();
                for moment in [Moment::Prestart, Moment::CreateRuntime] {
                    hooks::run(&bundle.spec, moment, &state, hooks::Surroundings::in_directory(&bundle.dir))?;
                }
                sync::go(socket.as_fd());
            }
            Some((Message::Ready, _)) => {
                container.save()?;
                return Ok(terminal);
            }
            Some((Message::Executing | Message::Cloned(_), _)) => {
                return Err(internal("the container reported out of turn"));
            }
            Some((Message::Failed(failure), _)) => return Err(failure),
            None => return Err(died(pid)),
        }
    }
}

fn died(pid: i32) -> crate::runtime::protocol::Failure {
    let how = match process::wait_pid(pid) {
        Ok(process::Ended::Signal(s)) => format!("was killed by signal {s}"),
        Ok(process::Ended::Code(c)) => format!("ended with {c}"),
        Err(_) => "ended".to_owned(),
    };
    let mut failure = internal(format!("container init {how} before it was set up"));
    failure.hint = Some("a memory limit below 1 MiB leaves no room to set the container up".into());
    failure
}
