//! The end of the main process, and what follows: the exit record, a restart by policy, or the end of the monitor.

use super::client::Role;
use super::session::Session;
use super::start::{FIRST_BACKOFF, begin_in};
use super::{Monitor, Phase, clock};
use crate::model::container::{ExitStatus, RestartPolicy, State, Status};
use crate::model::health::Health;
use crate::model::isolation::Sharing;
use crate::runtime::protocol::{Failure, Kind, Reply};
use crate::runtime::{init, processes, state};
use crate::sys::process::{self, Ended};
use crate::sys::tree;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The longest wait before a restart.
const MAX_BACKOFF: Duration = Duration::from_secs(60);
/// A run of this length counts as healthy: the waits begin anew.
const HEALTHY: Duration = Duration::from_secs(10);
/// How long the streams of a dead container are waited for, should somebody outside hold them open.
const DRAIN: Duration = Duration::from_secs(1);
/// How long clients get to take their last bytes.
const LINGER: Duration = Duration::from_secs(2);
/// A foreground `run --rm` has so long to remove its container before the monitor sees to it.
const REMOVAL: Duration = Duration::from_millis(500);

impl Monitor {
    pub(super) fn take_signals(&mut self) {
        while let Some(signal) = self.signals.next() {
            // 15: the system is going down; the rest (terminal gone, ...) is not meant for a monitor.
            if signal == 15 && !self.shutdown {
                self.shutdown = true;
                self.stop_container(None, Some(u64::from(self.launch.stop_timeout_secs)));
            }
        }
        while let Ok(Some((pid, ended))) = process::reap_any() {
            self.process_ended(pid, ended);
        }
    }

    pub(super) fn process_ended(&mut self, pid: i32, ended: Ended) {
        // It may have begun and ended before anybody heard that it began.
        self.underway_ended(pid, ended);
        let main = self.sessions.first().is_some_and(|s| s.id == 0 && s.pid == pid);
        let ours = self.killed && matches!(ended, Ended::Signal(9));
        let oom = main && !ours && self.group.oom_kills() > self.oom_before;
        if main {
            self.kill_leftovers();
        }
        let Some(session) = self.sessions.iter_mut().find(|s| s.pid == pid && s.exit.is_none()) else { return };
        let (code, signal) = match ended {
            Ended::Code(code) => (u8::try_from(code & 0xff).unwrap_or(u8::MAX), None),
            Ended::Signal(signal) => (u8::try_from(128 + signal).unwrap_or(u8::MAX), Some(signal)),
        };
        session.exit = Some(ExitStatus { code, signal, oom, unknown: false });
        // A process left behind by an exec may hold its streams: what is there now is all that is waited for.
        session.drain_until = Some(Instant::now() + if main { DRAIN } else { Duration::from_millis(50) });
        session.block(false, &self.epoll);
        let id = session.id;
        self.drain(id);
    }

    /// Whatever the main process left behind goes too, so that the streams end. With a pid namespace of its own the
    /// kernel has seen to it; where no group takes them along either, they are found by their mounts.
    fn kill_leftovers(&self) {
        if self.launch.isolation.pid == Sharing::Private {
            return;
        }
        let _ = self.group.kill_all();
        let mounts = self.sessions.first().and_then(|main| main.mounts.as_ref());
        if let Some(mounts) = mounts.filter(|_| self.group.path().is_empty()) {
            processes::kill_in(mounts);
        }
    }

    /// The main process has ended and its output is through.
    pub(super) fn container_ended(&mut self, exit: ExitStatus) {
        let now = clock();
        if let Some(log) = &mut self.log {
            let _ = log.finish(now);
        }
        let again = self.restarts_after(exit);
        self.state = State {
            status: if again { Status::Restarting } else { Status::Exited },
            pid: 0,
            pid_start: 0,
            finished: Some(now),
            exit: Some(exit),
            stopped_by_user: self.stop_asked,
            kept: self.keep,
            ..std::mem::take(&mut self.state)
        };
        self.end_health();
        self.end_execs();
        if !again {
            self.state.monitor_pid = 0;
            // Who hears of the end may start another one with the same port or address.
            self.state.warnings.extend(self.network.close());
            self.state.endpoints.clear();
            self.state.ports.clear();
        }
        // A container that goes with its end is written down after that has been told: its `run` waits for no disk.
        let passing = !again && !self.keep && !self.launch.on_end.is_empty();
        if !passing {
            self.save();
        }
        self.tell_exit(0, exit);
        if exit.oom {
            self.event("oom", &[]);
        }
        self.event("die", &[("exitCode", exit.code.to_string())]);
        if self.stopping.take().is_some() {
            self.event("stop", &[]);
        }
        self.sessions.retain(|s| s.id != 0);
        self.phase = if again { self.next_start() } else { Phase::Over };
    }

    /// Docker's rules.
    fn restarts_after(&self, exit: ExitStatus) -> bool {
        if self.stop_asked || self.shutdown {
            return false;
        }
        match self.launch.restart {
            RestartPolicy::No => false,
            RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
            RestartPolicy::OnFailure(bound) => exit.code != 0 && (bound == 0 || self.state.restarts < bound),
        }
    }

    fn next_start(&mut self) -> Phase {
        if self.started_at.elapsed() >= HEALTHY {
            self.backoff = FIRST_BACKOFF;
        }
        let at = Instant::now() + self.backoff;
        self.backoff = (self.backoff * 2).min(MAX_BACKOFF);
        Phase::Restarting(at)
    }

    /// Starts the container anew, in the same group.
    pub(super) fn start_again(&mut self) {
        self.state.restarts += 1;
        self.oom_before = self.group.oom_kills();
        self.killed = false;
        self.started_at = Instant::now();
        let before = self.state.clone();
        match self.init_again() {
            Ok(child) => {
                let main = Session::new(0, None, child, self.launch.size, &self.epoll);
                self.sessions.insert(0, main);
                self.phase = Phase::Running;
                self.save();
                self.event("start", &[]);
                self.await_probe();
            }
            Err(failure) => {
                self.state = before;
                self.state.error = failure.chain.join(": ");
                let exit = self.state.exit.unwrap_or_default();
                if self.restarts_after(ExitStatus { code: exit.code.max(1), ..exit }) {
                    self.phase = self.next_start();
                } else {
                    self.state.status = Status::Exited;
                    self.state.monitor_pid = 0;
                    self.phase = Phase::Over;
                }
                self.save();
            }
        }
    }

    fn init_again(&mut self) -> Result<init::Child, Failure> {
        let starting = begin_in(&self.network, &self.launch, &self.group, None)?;
        self.state.status = Status::Running;
        self.state.pid = starting.pid();
        self.state.pid_start = process::start_time(starting.pid()).unwrap_or(0);
        self.state.started = Some(clock());
        self.state.error = String::new();
        self.state.health = self.launch.health.as_ref().map(|_| Health::default());
        let _ = state::write(&self.launch.dir, &self.state);
        starting.finish()
    }

    /// Signal now, SIGKILL later; a paused container is let go on, a waiting restart is called off.
    pub(super) fn stop_container(&mut self, signal: Option<i32>, timeout_secs: Option<u64>) {
        match self.phase {
            Phase::Running => {}
            Phase::Restarting(_) => {
                self.state.status = Status::Exited;
                self.state.stopped_by_user = self.stop_asked;
                self.state.kept = self.keep;
                self.state.monitor_pid = 0;
                self.save();
                self.event("stop", &[]);
                self.phase = Phase::Over;
                return;
            }
            Phase::Over => return,
        }
        let signal = signal.unwrap_or(self.launch.stop_signal);
        self.signal_main(signal);
        self.thaw();
        let wait = Duration::from_secs(timeout_secs.unwrap_or(10));
        let deadline = Instant::now().checked_add(wait);
        let earlier = self.stopping.take().and_then(|s| s.deadline);
        self.stopping = Some(super::Stopping { deadline: earlier.into_iter().chain(deadline).min() });
    }

    /// The time of grace is over.
    pub(super) fn kill_now(&mut self) {
        if let Some(stopping) = &mut self.stopping {
            stopping.deadline = None;
        }
        self.signal_main(9);
        self.thaw();
        let _ = self.group.kill_all();
    }

    /// Sends a signal to the main process, by a handle that no other process can have taken over.
    pub(super) fn signal_main(&mut self, signal: i32) -> bool {
        let main = self.sessions.first().filter(|s| s.id == 0 && s.exit.is_none());
        let Some(main) = main.and_then(|s| s.pidfd.as_ref()) else { return false };
        let sent = process::pidfd_signal(main, signal).is_ok();
        if sent {
            self.killed |= signal == 9;
            self.event("kill", &[("signal", signal.to_string())]);
        }
        sent
    }

    pub(super) fn thaw(&mut self) {
        if self.state.status == Status::Paused && self.group.thaw().is_ok() {
            self.state.status = Status::Running;
            self.await_probe();
            self.save();
        }
    }

    /// The end of the monitor. Whoever waits for an exit code has it already; now what was made is taken away.
    pub(super) fn leave(mut self) -> u8 {
        let _ = self.epoll.remove(&self.listener);
        let _ = self.epoll.remove(&self.signals);
        let _ = self.group.kill_all();
        let removed = self.group.remove();
        self.state.cgroup = if removed.is_ok() { String::new() } else { self.state.cgroup.clone() };
        self.state.execs.clear();
        self.state.warnings.extend(self.network.close());
        self.state.warnings.extend(self.network.part());
        self.state.endpoints.clear();
        self.state.ports.clear();
        let _ = state::write(&self.launch.dir, &self.state);
        state::clear_run_dir(&self.launch.run_dir);
        // From here on another monitor may start this container.
        drop(self.lock.take());
        self.answer_waiting();
        // A foreground `run` that is still there removes the container itself: quicker than another program can.
        self.linger();
        let removed = !self.state.kept && self.watched && self.is_removed_soon();
        if removed {
            // Out of that one's way: it need not wait for what the container has written to be deleted.
            let _ = tree::remove(&state::set_aside(&self.launch.dir));
        }
        if !removed && !self.state.kept {
            self.run_on_end();
        }
        0
    }

    fn run_on_end(&self) {
        if let Some((program, args)) = self.launch.on_end.split_first() {
            let null = (Stdio::null(), Stdio::null(), Stdio::null());
            let _ = Command::new(program).args(args).stdin(null.0).stdout(null.1).stderr(null.2).spawn();
        }
    }

    fn is_removed_soon(&self) -> bool {
        let until = Instant::now() + REMOVAL;
        while !self.launch.on_end.is_empty() && self.launch.dir.exists() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        !self.launch.dir.exists()
    }

    fn answer_waiting(&mut self) {
        let exit = self.state.exit.unwrap_or_default();
        let state = self.state.clone();
        for client in &mut self.clients {
            match client.role {
                Role::Stop => client.reply(&Reply::Ended(exit)),
                Role::Wait => client.reply(&Reply::State(Box::new(state.clone()))),
                _ => {}
            }
            client.role = Role::Closing;
            client.held = true;
        }
    }

    /// Gives clients the time to take what is queued for them; a lossless one as long as it lives.
    fn linger(&mut self) {
        let until = Instant::now() + LINGER;
        let mut ready = Vec::new();
        loop {
            self.clients.retain_mut(|client| {
                client.flush();
                client.arm(&self.epoll, super::tokens::client(client.id));
                !client.gone && !client.is_drained() && (client.patient || Instant::now() < until)
            });
            if self.clients.is_empty() {
                return;
            }
            let timeout = Some(Duration::from_millis(500));
            if self.epoll.wait(&mut ready, timeout).is_err() {
                return;
            }
        }
    }

    /// The exit of a session, to all who see it; they are done then.
    pub(super) fn tell_exit(&mut self, session: u32, exit: ExitStatus) {
        let behind: Vec<u32> = self.clients.iter().filter(|c| c.gap > 0 && c.views(session)).map(|c| c.id).collect();
        for id in behind {
            self.close_gap(id);
        }
        self.watched |= session == 0 && self.clients.iter().any(|c| c.views(session));
        for client in self.clients.iter_mut().filter(|c| c.views(session)) {
            client.patient = matches!(client.role, Role::Viewer { lossless: true, .. });
            client.json(Kind::Exit, &exit);
            client.role = Role::Closing;
        }
    }
}
