//! From the first frame to a running container, or to an error with nothing left behind.

use super::ahead::Ahead;
use super::network::Network;
use super::session::Session;
use super::starter::Starter;
use super::{Monitor, Phase, clock, failure, tokens};
use crate::model::container::{ExitStatus, State, Status};
use crate::model::health::Health;
use crate::runtime::announced::Announced;
use crate::runtime::cgroup::{Group, devices};
use crate::runtime::init;
use crate::runtime::launch::Launch;
use crate::runtime::protocol::{Failure, FailureKind};
use crate::runtime::{log, state};
use crate::sys::poll::{Epoll, Interest, Signals};
use crate::sys::{channel, facts, poll, process, userns};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

/// The first restart waits this long, each further one twice as long.
pub(super) const FIRST_BACKOFF: Duration = Duration::from_millis(100);
/// Enough for a burst of output; a terminal gives 4 KiB at a time.
const BUFFER: usize = 64 << 10;

/// Reads the launch, starts the container and answers. `None`: nothing runs (and the client knows why).
pub(super) fn begin(control: UnixStream, announced: &Announced) -> Option<Monitor> {
    let mut starter = Starter::new(control);
    let mut ahead = Ahead::make(announced);
    let launch = match starter.launch(&mut ahead) {
        Ok(launch) => launch,
        Err(message) => {
            ahead.discard();
            starter.refuse(failure(FailureKind::Invalid, message));
            return None;
        }
    };
    let ahead = ahead.meant_for(announced, &launch);
    poll::trim_heap();
    let (dir, run_dir) = (launch.dir.clone(), launch.run_dir.clone());
    match prepare(launch, ahead) {
        Ok(mut monitor) => {
            starter.stay(&mut monitor);
            monitor.event("start", &[]);
            monitor.await_probe();
            Some(monitor)
        }
        Err(failure) => {
            record_failure(&dir, &run_dir, &failure);
            starter.refuse(failure);
            None
        }
    }
}

/// Another teu may have removed it while this one waited for the lock.
fn still_there(launch: &Launch) -> Result<(), Failure> {
    if launch.dir.is_dir() {
        return Ok(());
    }
    Err(failure(FailureKind::NotFound, format!("container {} was removed", launch.name)))
}

fn make_group(launch: &Launch) -> Result<Group, Failure> {
    Group::make_in(&launch.cgroup_parent, &launch.id, userns::identity()).map_err(|e| group_failure(&e))
}

/// Everything up to the running process. On failure all of it is undone.
fn prepare(launch: Launch, ahead: Ahead) -> Result<Monitor, Failure> {
    let internal = |what: &str, e: &dyn std::fmt::Display| failure(FailureKind::Internal, format!("{what}: {e}"));
    let mut undo = Undo { run_dir: &launch.run_dir, group: ahead.group, network: None, done: false };
    let mut init = ahead.init;
    let lock = match state::take_lock(&launch.run_dir).map_err(|e| internal("take the container's lock", &e))? {
        Some(lock) => lock,
        None => {
            // The run directory is the other one's.
            undo.done = true;
            Ahead { init, group: undo.group.take() }.discard();
            return Err(failure(FailureKind::Conflict, format!("container {} is already running", launch.name)));
        }
    };
    still_there(&launch)?;
    let made = undo.group.take();
    let group = undo.group.insert(made.map_or_else(|| make_group(&launch), Ok)?);
    // On v1 rules are written one after the other, and before the last of them the init could not make its devices.
    let stepwise = group.clone_fd().is_none();
    let mut warnings = Vec::new();
    if stepwise {
        warnings.extend(restrict(&launch, group)?);
    }
    let early = stepwise && (launch.limits.cpuset_cpus.is_some() || launch.limits.cpuset_mems.is_some());
    if early {
        // On v1 a group gets a cpuset at its first limit. An init that enters that after it has made its cgroup namespace
        // sees the machine's own cpuset as the top of the hierarchy: its limits, and everybody's groups.
        init = None;
        warnings.extend(group.limit(&launch.limits).map_err(|e| group_failure(&e))?);
    }
    let network = undo.network.insert(Network::prepare(&launch, &mut init)?);
    let starting = begin_in(network, &launch, group, init)?;
    // From here on the init and its monitor work side by side.
    let (epoll, signals) = events().map_err(|e| internal("set up", &e))?;
    if !early {
        warnings.extend(group.limit(&launch.limits).map_err(|e| group_failure(&e))?);
    }
    if !stepwise {
        warnings.extend(restrict(&launch, group)?);
    }
    let oom_before = group.oom_kills();
    let (child, Recorded { state, listener, log }) =
        start_recorded(&launch, group, network, &epoll, warnings, starting)?;
    undo.done = true;
    let network = undo.network.take().unwrap_or_default();
    let group = undo.group.take().ok_or_else(|| failure(FailureKind::Internal, "the control group is lost"))?;
    drop(undo);
    let main = Session::new(0, None, child, launch.size, &epoll);
    publish_users(&launch.run_dir);
    Ok(Monitor {
        epoll,
        signals,
        listener,
        lock: Some(lock),
        launch,
        state,
        group,
        network,
        log,
        sessions: vec![main],
        underway: Vec::new(),
        clients: Vec::new(),
        next_client: 1,
        next_session: 1,
        phase: Phase::Running,
        stopping: None,
        checking: None,
        stop_asked: false,
        keep: false,
        watched: false,
        shutdown: false,
        backoff: FIRST_BACKOFF,
        started_at: Instant::now(),
        oom_before,
        killed: false,
        buffer: vec![0; BUFFER],
    })
}

/// Other programs of an ordinary user find the namespace that they share.
fn publish_users(run_dir: &Path) {
    if userns::identity().rootless
        && let Some(run) = run_dir.parent().and_then(Path::parent)
    {
        let _ = userns::publish(run);
    }
}

/// What the monitor waits for.
fn events() -> crate::sys::Result<(Epoll, Signals)> {
    let (epoll, signals) = (Epoll::new()?, Signals::take()?);
    epoll.add(&signals, tokens::SIGNALS, Interest::READ)?;
    Ok((epoll, signals))
}

/// Begins the init in the namespaces that were made for it.
pub(super) fn begin_in(
    network: &Network,
    launch: &Launch,
    group: &Group,
    ahead: Option<init::Ahead>,
) -> Result<init::Starting, Failure> {
    let (namespace, users) = (network.namespace()?, network.users()?);
    let made = init::Made { network: namespace.as_ref().map(AsFd::as_fd), users: users.as_ref().map(AsFd::as_fd) };
    init::begin(launch, group, made, ahead)
}

/// What is made while the init sets itself up.
struct Recorded {
    state: State,
    listener: UnixListener,
    log: Option<log::Writer>,
}

/// The group's devices. Returns what could not be had.
fn restrict(launch: &Launch, group: &Group) -> Result<Option<String>, Failure> {
    // In a user namespace the kernel refuses all devices by itself.
    if userns::identity().in_user_namespace {
        let lost = group.absent().filter(|_| !launch.cgroup_parent.is_empty());
        return Ok(lost.map(|why| format!("cgroup parent {} not applied: {why}", launch.cgroup_parent)));
    }
    match devices::of_spec(&launch.spec).map_err(|e| failure(FailureKind::Invalid, e))? {
        Some(rules) => group.restrict_if_possible(&rules).map_err(|e| group_failure(&e)),
        None => Ok(None),
    }
}

/// The state file says that it runs before its command does; after a failed start it says what it said before.
fn start_recorded(
    launch: &Launch,
    group: &Group,
    network: &mut Network,
    epoll: &Epoll,
    warnings: Vec<String>,
    starting: init::Starting,
) -> Result<(init::Child, Recorded), Failure> {
    let internal = |what: &str, e: &dyn std::fmt::Display| failure(FailureKind::Internal, format!("{what}: {e}"));
    let before = state::read(&launch.dir, &launch.run_dir).unwrap_or_default();
    let started = (|| {
        network.bring_up(launch, epoll)?;
        let listener = channel::listen_in(&launch.run_dir).map_err(|e| internal("open the attach socket", &e))?;
        epoll.add(&listener, tokens::LISTENER, Interest::READ).map_err(|e| internal("set up", &e))?;
        let log = log::Writer::open(&launch.dir.join("log"), &launch.log).map_err(|e| internal("open the log", &e))?;
        let state = running_state(launch, group, network, starting.pid(), warnings)?;
        Ok((starting.finish()?, Recorded { state, listener, log }))
    })();
    if started.is_err() {
        let _ = state::write(&launch.dir, &before);
    }
    started
}

fn running_state(
    launch: &Launch,
    group: &Group,
    network: &Network,
    pid: i32,
    warnings: Vec<String>,
) -> Result<State, Failure> {
    let state = State {
        status: Status::Running,
        pid,
        pid_start: process::start_time(pid).unwrap_or(0),
        monitor_pid: i32::try_from(std::process::id()).unwrap_or(0),
        started: Some(clock()),
        restarts: launch.restarts,
        cgroup: group.path().to_owned(),
        boot_id: facts::boot_id().unwrap_or_default().to_owned(),
        warnings: launch.warnings.iter().cloned().chain(warnings).chain(network.warnings()).collect(),
        endpoints: network.endpoints(),
        ports: network.ports(),
        health: launch.health.as_ref().map(|_| Health::default()),
        ..State::default()
    };
    // Without it nobody would know of the container.
    state::write(&launch.dir, &state).map_err(|e| failure(FailureKind::Internal, e.to_string()))?;
    Ok(state)
}

pub(super) fn group_failure(e: &crate::runtime::cgroup::Error) -> Failure {
    let kind = match e {
        crate::runtime::cgroup::Error::Invalid(_) => FailureKind::Invalid,
        _ => FailureKind::Internal,
    };
    failure(kind, e.to_string())
}

/// Takes back what was made before the container ran, unless it came to run.
struct Undo<'a> {
    run_dir: &'a Path,
    group: Option<Group>,
    network: Option<Network>,
    done: bool,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        if let Some(group) = &self.group {
            let _ = group.kill_all();
            let _ = group.remove();
        }
        if let Some(network) = &mut self.network {
            network.close();
            network.part();
        }
        state::clear_run_dir(self.run_dir);
    }
}

/// Docker keeps the error and the exit code of a start that failed; the status stays what it was.
fn record_failure(dir: &Path, run_dir: &Path, failure: &Failure) {
    let Ok(old) = state::read(dir, run_dir) else { return };
    if old.status.is_live() || failure.kind == FailureKind::Conflict {
        return;
    }
    let code = match failure.kind {
        FailureKind::CommandNotFound => 127,
        FailureKind::CommandNotExecutable => 126,
        _ => 128,
    };
    let exit = Some(ExitStatus { code, ..ExitStatus::default() });
    let _ = state::write(dir, &State { error: failure.chain.join(": "), exit, ..old });
}
