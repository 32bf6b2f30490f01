//! What clients ask for, one arm each.

use super::client::Role;
use super::{Monitor, Phase};
use crate::model::container::{Limits, Status};
use crate::runtime::protocol::{self, Ask, FailureKind, Hello, Kind, Reply};
use std::time::Instant;

/// How a client joins a session.
pub(super) struct Join {
    pub stdin: bool,
    pub replay: bool,
    pub size: Option<(u16, u16)>,
    pub lossless: bool,
}

impl Monitor {
    pub(super) fn greet(&mut self, id: u32, hello: Hello) {
        if hello.version != protocol::VERSION {
            let message = format!(
                "this container's monitor speaks version {} of the protocol, not {}: restart the container",
                protocol::VERSION,
                hello.version
            );
            return self.refuse(id, FailureKind::Unsupported, message);
        }
        match hello.ask {
            Ask::Attach { exec, stdin, replay, size, lossless } => {
                self.attach(id, exec.as_deref(), &Join { stdin, replay, size, lossless });
            }
            Ask::Exec(spec) => self.start_exec(id, &spec),
            Ask::Kill { signal } => self.kill(id, signal),
            Ask::Stop { signal, timeout_secs, keep } => {
                self.keep |= keep;
                self.stop(id, signal, timeout_secs);
            }
            Ask::Pause => self.pause(id),
            Ask::Resume => self.resume(id),
            Ask::Update { limits } => self.update(id, *limits),
            Ask::RestartPolicy(policy) => {
                self.launch.restart = policy;
                self.answer(id, &Reply::Done);
            }
            Ask::State => {
                let mut state = self.state.clone();
                state.execs = self.exec_states();
                self.answer(id, &Reply::State(Box::new(state)));
            }
            Ask::Wait => self.wait_as(id, Role::Wait),
            Ask::Network(change) => self.change_network(id, *change),
            Ask::Rename { name, names } => self.rename(id, name, &names),
        }
    }

    fn wait_as(&mut self, id: u32, role: Role) {
        if let Some(client) = self.client(id) {
            client.role = role;
        }
    }

    fn attach(&mut self, id: u32, exec: Option<&str>, join: &Join) {
        let session = match exec {
            None if self.phase == Phase::Running => Some(0),
            None => return self.conflict(id, "is not running"),
            Some(exec) => self.exec_session(exec),
        };
        let Some(session) = session else {
            let message = format!("no exec session {} in container {}", exec.unwrap_or_default(), self.launch.name);
            return self.refuse(id, FailureKind::NotFound, message);
        };
        self.join(id, session, join);
        // Whoever started the container was there from the start.
        if session == 0 && id != 0 {
            self.event("attach", &[]);
        }
    }

    /// Makes a client a viewer of a session: the answer, its place at the input, and what is on the screen.
    pub(super) fn join(&mut self, id: u32, number: u32, join: &Join) {
        if let Some(size) = join.size {
            self.apply_size(number, size);
        }
        let (Some(session), Some(client)) =
            (self.sessions.iter_mut().find(|s| s.id == number), self.clients.iter_mut().find(|c| c.id == id))
        else {
            return;
        };
        let exec = session.exec.as_ref().map(|e| e.id.as_str().to_owned());
        client.role = Role::Viewer { session: number, stdin: join.stdin, lossless: join.lossless && !session.tty };
        client.size = join.size;
        client.reply(&Reply::Session { exec, tty: session.tty });
        if join.replay
            && let Some(screen) = session.repaint(Instant::now())
        {
            client.frame(Kind::Screen, &screen);
        }
        if let (true, Some(exit)) = (session.over, session.exit) {
            client.json(Kind::Exit, &exit);
            client.role = Role::Closing;
            return;
        }
        match (join.stdin, session.writer) {
            (true, None) => self.make_writer(id, number),
            (true, Some(_)) => client.frame(Kind::Writer, &[0]),
            (false, _) => {}
        }
    }

    fn kill(&mut self, id: u32, signal: i32) {
        if !(1..=64).contains(&signal) {
            return self.refuse(id, FailureKind::Invalid, format!("no signal {signal}"));
        }
        if self.phase != Phase::Running || !self.signal_main(signal) {
            return self.conflict(id, "is not running");
        }
        // Docker's rule: who ends it by hand does not want it restarted. Other signals may mean anything.
        self.stop_asked |= signal == 9 || signal == self.launch.stop_signal;
        if signal == 9 {
            // A frozen process of cgroup v1 does not even die.
            self.thaw();
        }
        self.answer(id, &Reply::Done);
    }

    fn stop(&mut self, id: u32, signal: Option<i32>, timeout_secs: u64) {
        self.stop_asked = true;
        self.wait_as(id, Role::Stop);
        self.stop_container(signal, Some(timeout_secs));
    }

    fn pause(&mut self, id: u32) {
        match self.state.status {
            Status::Running if self.phase == Phase::Running => {}
            Status::Paused => return self.conflict(id, "is already paused"),
            _ => return self.conflict(id, "is not running"),
        }
        match self.group.freeze() {
            Ok(()) => {
                self.state.status = Status::Paused;
                self.rest_probes();
                self.save();
                self.event("pause", &[]);
                self.answer(id, &Reply::Done);
            }
            Err(e) => self.answer(id, &Reply::Failed(super::start::group_failure(&e))),
        }
    }

    fn resume(&mut self, id: u32) {
        if self.state.status != Status::Paused {
            return self.conflict(id, "is not paused");
        }
        match self.group.thaw() {
            Ok(()) => {
                self.state.status = Status::Running;
                self.await_probe();
                self.save();
                self.event("unpause", &[]);
                self.answer(id, &Reply::Done);
            }
            Err(e) => self.answer(id, &Reply::Failed(super::start::group_failure(&e))),
        }
    }

    fn update(&mut self, id: u32, limits: Limits) {
        match self.group.update(&limits) {
            Ok(warnings) => {
                // Each update applies all limits: what could not be had before is not said twice.
                let new: Vec<_> = warnings.iter().filter(|line| !self.state.warnings.contains(line)).cloned().collect();
                self.state.warnings.extend(new);
                self.launch.limits = limits;
                self.launch.limits.pids = self.launch.limits.pids.filter(|n| *n != Limits::NO_PIDS_LIMIT);
                self.save();
                self.event("update", &[]);
                self.answer(id, &if warnings.is_empty() { Reply::Done } else { Reply::Warned(warnings) });
            }
            Err(e) => self.answer(id, &Reply::Failed(super::start::group_failure(&e))),
        }
    }

    pub(super) fn conflict(&mut self, id: u32, what: &str) {
        let message = format!("container {} {what}", self.launch.name);
        self.refuse(id, FailureKind::Conflict, message);
    }
}
