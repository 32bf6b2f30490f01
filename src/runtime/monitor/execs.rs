//! Exec sessions: started by a client, owned by the monitor, kept for a while after their end.

use super::client::Role;
use super::requests::Join;
use super::session::Session;
use super::underway::Purpose;
use super::{Monitor, Phase, clock};
use crate::model::container::{ExecState, ExitStatus, Status};
use crate::model::id::ExecId;
use crate::runtime::init::{self, Child};
use crate::runtime::protocol::{ExecSpec, Failure, FailureKind, Reply};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Ended sessions kept, with their exit code and their last screen.
const KEPT: usize = 16;
const KEPT_FOR: Duration = Duration::from_secs(600);

/// Which shell was found for an exec without a command; nothing when it has ended already.
fn command_line(pid: i32) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = bytes.split(|b| *b == 0).filter(|word| !word.is_empty());
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

impl Monitor {
    pub(super) fn start_exec(&mut self, client: u32, spec: &ExecSpec) {
        match (self.phase, self.state.status) {
            (Phase::Running, Status::Paused) => return self.conflict(client, "is paused"),
            (Phase::Running, _) => {}
            _ => return self.conflict(client, "is not running"),
        }
        let id = match ExecId::try_from(spec.id.clone()) {
            Ok(id) => id,
            Err(e) => return self.refuse(client, FailureKind::Invalid, e.to_string()),
        };
        if self.exec_session(&spec.id).is_some() || self.is_underway(&spec.id) {
            return self.refuse(client, FailureKind::Conflict, format!("exec session {} exists", id.short()));
        }
        let main = self.sessions.first().filter(|s| s.id == 0 && s.exit.is_none());
        let Some(main) = main.and_then(|s| s.pidfd.as_ref()) else {
            return self.conflict(client, "is not running");
        };
        match init::exec(main.as_fd(), &self.launch, spec, &self.group) {
            Ok(process) => {
                self.await_further(process, Purpose::Exec { client, spec: Box::new(spec.clone()) });
                if let Some(client) = self.client(client) {
                    // What it sends meanwhile is for the process.
                    (client.role, client.held) = (Role::Starts, true);
                }
            }
            Err(failure) => self.exec_failed(client, failure),
        }
    }

    pub(super) fn exec_failed(&mut self, client: u32, failure: Failure) {
        self.answer(client, &Reply::Failed(failure));
    }

    /// Its command runs.
    pub(super) fn exec_runs(&mut self, number: u32, client: u32, spec: &ExecSpec, child: Child) {
        self.prune_execs();
        let Ok(id) = ExecId::try_from(spec.id.clone()) else { return };
        let state = ExecState {
            id,
            args: if spec.args.is_empty() { command_line(child.pid) } else { spec.args.clone() },
            user: spec.user.clone().unwrap_or_default(),
            tty: spec.tty,
            pid: child.pid,
            started: clock(),
            exit: None,
            clients: 0,
        };
        let about = [("execID", spec.id.clone()), ("command", state.args.join(" "))];
        self.sessions.push(Session::new(number, Some(state), child, spec.size, &self.epoll));
        if spec.detach {
            self.answer(client, &Reply::Session { exec: Some(spec.id.clone()), tty: spec.tty });
        } else {
            let join = Join { stdin: spec.stdin, replay: false, size: spec.size, lossless: !spec.tty };
            self.join(client, number, &join);
        }
        self.save();
        self.event("exec_create", &about);
        self.event("exec_start", &about);
    }

    /// The number of the session with that id.
    pub(super) fn exec_session(&self, id: &str) -> Option<u32> {
        let session = self.sessions.iter().find(|s| s.exec.as_ref().is_some_and(|e| e.id.as_str() == id))?;
        Some(session.id)
    }

    pub(super) fn exec_states(&self) -> Vec<ExecState> {
        let with_clients = |s: &Session| {
            let clients = self.clients.iter().filter(|c| c.views(s.id)).count();
            s.exec.clone().map(|state| ExecState { clients: u32::try_from(clients).unwrap_or(u32::MAX), ..state })
        };
        self.sessions.iter().filter_map(with_clients).collect()
    }

    /// Written down first: whoever hears of the end reads the state at once.
    pub(super) fn exec_ended(&mut self, number: u32, exit: ExitStatus) {
        self.finish_exec(number, exit);
        self.save();
        self.tell_exec_end(number, exit);
    }

    fn finish_exec(&mut self, number: u32, exit: ExitStatus) {
        let Some(session) = self.sessions.iter_mut().find(|s| s.id == number) else { return };
        session.close(&self.epoll);
        session.exit = Some(exit);
        session.ended_at = Some(Instant::now());
        if let Some(state) = &mut session.exec {
            (state.pid, state.exit) = (0, Some(exit));
        }
    }

    fn tell_exec_end(&mut self, number: u32, exit: ExitStatus) {
        self.tell_exit(number, exit);
        let id = self.session(number).and_then(|s| s.exec.as_ref()).map(|e| e.id.as_str().to_owned());
        if let Some(id) = id {
            self.event("exec_die", &[("execID", id), ("exitCode", exit.code.to_string())]);
        }
    }

    /// The container is down: so are its sessions, those that ended before included.
    pub(super) fn end_execs(&mut self) {
        self.abandon_all();
        let open: Vec<u32> = self.sessions.iter().filter(|s| s.id != 0 && !s.over).map(|s| s.id).collect();
        for number in open {
            // Killed with the container, and reaped, unless it lived outside the container's pid namespace.
            let exit = self.session(number).and_then(|s| s.exit);
            let exit = exit.unwrap_or(ExitStatus { code: 137, signal: Some(9), ..ExitStatus::default() });
            self.finish_exec(number, exit);
            self.tell_exec_end(number, exit);
        }
        self.sessions.retain(|s| s.id == 0);
    }

    fn prune_execs(&mut self) {
        let old = |s: &Session| s.ended_at.is_some_and(|at| at.elapsed() > KEPT_FOR);
        self.sessions.retain(|s| !old(s));
        while self.sessions.iter().filter(|s| s.over).count() > KEPT {
            if let Some(at) = self.sessions.iter().position(|s| s.over) {
                self.sessions.remove(at);
            }
        }
    }
}
