//! The role `monitor`: one small single-threaded process per container that owns its terminal or pipes, its log, its exit
//! record and its attach socket, and outlives every UI.
//!
//! It never opens the database, starts no thread, and holds an flock on `<run>/lock` for life. It writes the state file
//! and appends these events: `start die oom kill stop pause unpause update attach exec_create exec_start exec_die`.

mod ahead;
mod client;
mod connections;
mod dns;
mod execs;
mod filter;
mod forward;
mod health;
mod life;
mod network;
mod pump;
mod requests;
mod screen;
mod session;
mod start;
mod starter;
mod underway;

use self::client::Client;
use self::health::Checking;
use self::network::Network;
use self::session::Session;
use crate::model::container::State;
use crate::model::event::EventRecord;
use crate::model::time::Timestamp;
use crate::runtime::announced::Announced;
use crate::runtime::cgroup::Group;
use crate::runtime::launch::Launch;
use crate::runtime::protocol::{Failure, FailureKind};
use crate::runtime::{eventlog, log, state};
use crate::sys::poll::{self, Epoll, Ready, Signals};
use crate::sys::{attributes, clone, process, userns};
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// The role's entry, called before any thread exists. `args`: the number of the descriptor of the socket that brings the
/// launch, and what is [`Announced`]; `userns`: the value of [`userns::VARIABLE`]. Unless it may stay its starter's
/// child, the first process leaves at once, with 0, and the monitor goes on as nobody's child.
pub fn main(args: &[OsString], userns: Option<&str>) -> u8 {
    let Some((control, announced)) = args.split_first() else { return 1 };
    let Some(control) = control.to_str().and_then(|c| c.parse().ok()) else { return 1 };
    let Some(announced) = Announced::parse(announced) else { return 1 };
    if !announced.child {
        match clone::fork() {
            Ok(Some(_)) => process::exit_now(0),
            Ok(None) => {}
            Err(_) => return 1,
        }
    }
    let Ok([control]) = poll::keep_only([control]) else { return 1 };
    live(control, &announced, userns)
}

/// The same for a process that was forked to become a monitor and may stay its starter's child. `seal`: the mount that it
/// runs from, if it could be had.
pub fn forked(control: OwnedFd, seal: Option<OwnedFd>, announced: &Announced, userns: Option<&str>) -> u8 {
    let Some(seal) = seal else {
        let Ok([control]) = poll::keep_only([control.into_raw_fd()]) else { return 1 };
        return live(control, announced, userns);
    };
    let Ok([control, seal]) = poll::keep_only([control.into_raw_fd(), seal.into_raw_fd()]) else { return 1 };
    let code = live(control, announced, userns);
    // Not before: the kernel takes its time to give a mount up.
    drop(seal);
    code
}

fn live(control: OwnedFd, announced: &Announced, userns: Option<&str>) -> u8 {
    // The keys of whoever starts a container are not the container's: all its processes come from here.
    if poll::become_daemon().and_then(|()| attributes::join_session_keyring(None)).is_err() {
        return 1;
    }
    if userns::enter(Path::new("/"), userns).is_err() {
        return 1;
    }
    // Its file may have a descriptor's number for a name (see `task::loading`).
    let _ = process::set_name(c"teu-monitor");
    match start::begin(control.into(), announced) {
        Some(monitor) => monitor.run(),
        None => 1,
    }
}

/// Numbers by which epoll reports.
mod tokens {
    pub(super) const SIGNALS: u64 = 0;
    pub(super) const LISTENER: u64 = 1;
    const CLIENT: u64 = 1 << 40;
    const OUTPUT: u64 = 2 << 40;
    const STDIN: u64 = 3 << 40;
    /// What is below is the resolver's, and the forwarder's, own.
    pub(super) const RESOLVER: u64 = 4 << 40;
    pub(super) const FORWARDER: u64 = 5 << 40;
    const UNDERWAY: u64 = 6 << 40;

    pub(super) enum Source {
        Signals,
        Listener,
        Client(u32),
        Output { session: u32, token: u64 },
        Stdin(u32),
        Resolver(u64),
        Forwarder(u64),
        Underway(u32),
    }

    pub(super) fn client(id: u32) -> u64 {
        CLIENT | u64::from(id)
    }

    pub(super) fn output(session: u32, stream: u8) -> u64 {
        OUTPUT | u64::from(session) << 1 | u64::from(stream)
    }

    pub(super) fn stdin(session: u32) -> u64 {
        STDIN | u64::from(session)
    }

    pub(super) fn underway(session: u32) -> u64 {
        UNDERWAY | u64::from(session)
    }

    pub(super) fn source(token: u64) -> Source {
        let low = token & (CLIENT - 1);
        let id = |bits: u64| u32::try_from(bits).unwrap_or(u32::MAX);
        match token >> 40 {
            1 => Source::Client(id(low)),
            2 => Source::Output { session: id(low >> 1), token },
            3 => Source::Stdin(id(low)),
            4 => Source::Resolver(low),
            5 => Source::Forwarder(low),
            6 => Source::Underway(id(low)),
            _ if token == SIGNALS => Source::Signals,
            _ => Source::Listener,
        }
    }
}

/// Where the container is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// Ended, to be started again then.
    Restarting(Instant),
    /// Ended for good; only clients are still served their last bytes.
    Over,
}

/// A stop under way.
struct Stopping {
    /// When SIGKILL follows; `None`: never.
    deadline: Option<Instant>,
}

struct Monitor {
    epoll: Epoll,
    signals: Signals,
    listener: UnixListener,
    /// Held for life.
    lock: Option<File>,
    launch: Launch,
    state: State,
    group: Group,
    network: Network,
    log: Option<log::Writer>,
    /// The main session first, as long as there is one.
    sessions: Vec<Session>,
    /// Processes whose command does not run yet.
    underway: Vec<underway::Further>,
    clients: Vec<Client>,
    next_client: u32,
    next_session: u32,
    phase: Phase,
    stopping: Option<Stopping>,
    /// `None`: no health check.
    checking: Option<Box<Checking>>,
    /// The user wants it down: no restart.
    stop_asked: bool,
    /// The user wants it down to start it again.
    keep: bool,
    /// Somebody saw the end of the container: perhaps the foreground `run` that it belongs to.
    watched: bool,
    /// The system wants it down (SIGTERM to the monitor): no restart now, but one after the next boot.
    shutdown: bool,
    /// How long the next restart waits.
    backoff: Duration,
    started_at: Instant,
    /// OOM kills of the group before this run.
    oom_before: u64,
    /// We sent the main process SIGKILL: an earlier OOM kill is not what ended it.
    killed: bool,
    buffer: Vec<u8>,
}

/// The time now, for records.
fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

fn failure(kind: FailureKind, message: impl Into<String>) -> Failure {
    Failure { kind, chain: vec![message.into()], hint: None }
}

impl Monitor {
    fn run(mut self) -> u8 {
        let mut ready = Vec::new();
        while self.phase != Phase::Over {
            let now = Instant::now();
            let timeout = self.deadline(now).map(|at| at.saturating_duration_since(now));
            if self.epoll.wait(&mut ready, timeout).is_err() {
                // Only a programming error makes this fail; the container must not be left without its monitor's end.
                let _ = self.group.kill_all();
            }
            for event in ready.drain(..) {
                self.dispatch(event);
            }
            self.on_time(Instant::now());
            self.settle();
        }
        self.leave()
    }

    fn dispatch(&mut self, event: Ready) {
        match tokens::source(event.token) {
            tokens::Source::Signals => self.take_signals(),
            tokens::Source::Listener => self.accept(),
            tokens::Source::Client(id) => self.client_ready(id, event),
            tokens::Source::Output { session, token } => self.output_ready(session, token, event),
            tokens::Source::Stdin(session) => self.input_ready(session, event.hangup),
            tokens::Source::Underway(session) => self.underway_ready(session, None),
            tokens::Source::Resolver(token) => self.network.resolve(token, event, &self.epoll),
            tokens::Source::Forwarder(token) => self.network.forward(token, event, &mut self.buffer, &self.epoll),
        }
    }

    /// The next moment at which something is to be done without an event.
    fn deadline(&self, now: Instant) -> Option<Instant> {
        let sessions = self.sessions.iter().flat_map(|s| {
            let screen = s.screen.as_ref().and_then(|screen| screen.due());
            [screen, s.nudge_back, s.drain_until.filter(|_| !s.over)]
        });
        let phase = match self.phase {
            Phase::Restarting(at) => Some(at),
            _ => None,
        };
        let stop = self.stopping.as_ref().and_then(|s| s.deadline);
        let gaps = self.clients.iter().map(|c| c.gap_until.filter(|at| c.gap > 0 && *at > now));
        sessions.chain([phase, stop, self.network.deadline(), self.health_deadline()]).chain(gaps).flatten().min()
    }

    fn on_time(&mut self, now: Instant) {
        if self.stopping.as_ref().is_some_and(|s| s.deadline.is_some_and(|at| at <= now)) {
            self.kill_now();
        }
        self.tend_sessions(now);
        self.network.on_time(now, &self.epoll);
        self.tend_health(now);
        if let Phase::Restarting(at) = self.phase
            && at <= now
        {
            self.start_again();
        }
    }

    /// After each turn: what clients and sessions can do next, and who has left.
    fn settle(&mut self) {
        self.settle_clients();
        self.settle_sessions();
    }

    fn session(&mut self, id: u32) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|s| s.id == id)
    }

    fn client(&mut self, id: u32) -> Option<&mut Client> {
        self.clients.iter_mut().find(|c| c.id == id)
    }

    /// Writes the state file, with the exec sessions as they are.
    fn save(&mut self) {
        self.state.execs = self.exec_states();
        let _ = state::write(&self.launch.dir, &self.state);
    }

    /// Appends an event about this container.
    fn event(&self, action: &str, more: &[(&str, String)]) {
        let base = [("name", self.launch.name.clone()), ("image", self.launch.image.clone())];
        let attributes = base.into_iter().chain(more.iter().cloned()).map(|(k, v)| (k.to_owned(), v)).collect();
        let record = EventRecord {
            time: clock(),
            kind: "container".into(),
            action: action.into(),
            id: self.launch.id.clone(),
            attributes,
        };
        let _ = eventlog::append(&self.launch.event_log, &record);
    }
}
