//! The health check: a probe runs in the container now and then, and its results say how the container is.

use super::session::Session;
use super::underway::Purpose;
use super::{Monitor, Phase, clock};
use crate::model::container::{ExitStatus, Status};
use crate::model::health::{self, Health, HealthStatus, ProbeResult};
use crate::model::time::Timestamp;
use crate::runtime::init::{self, Child};
use crate::runtime::protocol::{ExecSpec, Failure};
use crate::sys::process;
use std::os::fd::AsFd;
use std::time::Instant;

/// What is due next.
pub(super) enum Checking {
    /// A probe at this time.
    Waiting(Instant),
    Probing(Probe),
    /// Nothing: the container is paused.
    Resting,
}

/// A probe that runs.
pub(super) struct Probe {
    session: u32,
    start: Timestamp,
    began: Instant,
    /// `None`: its time was over, and it was killed.
    deadline: Option<Instant>,
    output: Vec<u8>,
}

impl Monitor {
    /// After a start, and after a pause.
    pub(super) fn await_probe(&mut self) {
        if self.launch.health.is_none() {
            return;
        }
        let interval = self.health_interval();
        self.checking = Some(Box::new(Checking::Waiting(Instant::now() + interval)));
    }

    fn health_interval(&self) -> std::time::Duration {
        let Some(plan) = &self.launch.health else { return std::time::Duration::MAX };
        let starting = self.state.health.as_ref().is_some_and(|h| h.status == HealthStatus::Starting);
        let early = starting && self.started_at.elapsed() < plan.start_period;
        if early { plan.start_interval } else { plan.interval }
    }

    /// No probe until [`Monitor::await_probe`]; a running one does not count.
    pub(super) fn rest_probes(&mut self) {
        let Some(checking) = self.checking.as_deref_mut() else { return };
        let before = std::mem::replace(checking, Checking::Resting);
        if let Checking::Probing(probe) = before {
            self.kill_probe(probe.session);
        }
    }

    pub(super) fn health_deadline(&self) -> Option<Instant> {
        match self.checking.as_deref()? {
            Checking::Waiting(at) => Some(*at),
            Checking::Probing(probe) => probe.deadline,
            Checking::Resting => None,
        }
    }

    pub(super) fn tend_health(&mut self, now: Instant) {
        match self.checking.as_deref_mut() {
            Some(Checking::Waiting(at)) if *at <= now => self.probe(now),
            Some(Checking::Probing(probe)) if probe.deadline.is_some_and(|at| at <= now) => {
                probe.deadline = None;
                let session = probe.session;
                self.kill_probe(session);
            }
            _ => {}
        }
    }

    /// Its whole process group, which it leads: what a shell has started goes too.
    fn kill_probe(&mut self, session: u32) {
        self.kill_underway(session);
        if let Some(session) = self.session(session).filter(|s| s.exit.is_none())
            && let Some(pidfd) = &session.pidfd
        {
            // Not reaped yet, so both numbers are still its own.
            let _ = process::kill(-session.pid, 9);
            let _ = process::pidfd_signal(pidfd, 9);
        }
    }

    fn probe(&mut self, now: Instant) {
        let (Some(plan), Phase::Running, Status::Running) = (&self.launch.health, self.phase, self.state.status) else {
            self.checking = None;
            return;
        };
        let main = self.sessions.first().filter(|s| s.id == 0 && s.exit.is_none());
        let Some(main) = main.and_then(|s| s.pidfd.as_ref()) else {
            // It ends: no probe follows.
            self.checking = None;
            return;
        };
        let spec = ExecSpec {
            id: String::new(),
            args: plan.args.clone(),
            env: Vec::new(),
            user: None,
            workdir: None,
            tty: false,
            stdin: false,
            detach: true,
            privileged: false,
            size: None,
        };
        let (start, deadline) = (clock(), now.checked_add(plan.timeout));
        match init::exec(main.as_fd(), &self.launch, &spec, &self.group) {
            Ok(process) => {
                let session = self.await_further(process, Purpose::Probe);
                let probe = Probe { session, start, began: now, deadline, output: Vec::new() };
                self.checking = Some(Box::new(Checking::Probing(probe)));
            }
            Err(failure) => {
                let output = failure.chain.join(": ");
                self.take_result(ProbeResult { start, end: clock(), exit_code: -1, output }, now);
            }
        }
    }

    /// Its command runs.
    pub(super) fn probe_runs(&mut self, session: u32, child: Child) {
        self.sessions.push(Session::new(session, None, child, None, &self.epoll));
        let wanted = matches!(self.checking.as_deref(), Some(Checking::Probing(p)) if p.session == session && p.deadline.is_some());
        if !wanted {
            self.kill_probe(session);
        }
    }

    /// It never came to its command.
    pub(super) fn probe_failed(&mut self, session: u32, failure: &Failure) {
        self.probe_over(session, |_| (-1, failure.chain.join(": ")));
    }

    /// True for the session of a probe: neither the main one nor somebody's exec.
    pub(super) fn is_probe(session: &Session) -> bool {
        session.id != 0 && session.exec.is_none()
    }

    /// What a probe says, up to some kilobytes.
    pub(super) fn probe_output(&mut self, session: u32, count: usize) {
        if let Some(Checking::Probing(probe)) = self.checking.as_deref_mut()
            && probe.session == session
        {
            // One more than is shown tells that something was cut.
            let room = (health::OUTPUT + 1).saturating_sub(probe.output.len());
            probe.output.extend_from_slice(&self.buffer[..count.min(room)]);
        }
    }

    pub(super) fn probe_ended(&mut self, session: u32, exit: ExitStatus) {
        self.sessions.retain(|s| s.id != session);
        self.probe_over(session, |output| (i32::from(exit.code), shown(output)));
    }

    /// `result`: its exit code and its words, unless its time was over.
    fn probe_over(&mut self, session: u32, result: impl FnOnce(Vec<u8>) -> (i32, String)) {
        let Some(Checking::Probing(probe)) = self.checking.as_deref_mut() else { return };
        if probe.session != session {
            return;
        }
        let output = std::mem::take(&mut probe.output);
        let (start, began, killed) = (probe.start, probe.began, probe.deadline.is_none());
        let timeout = self.launch.health.as_ref().map(|plan| plan.timeout).unwrap_or_default();
        let (exit_code, output) = match killed {
            true => (-1, format!("Health check exceeded timeout ({timeout:?})")),
            false => result(output),
        };
        self.take_result(ProbeResult { start, end: clock(), exit_code, output }, began);
    }

    fn take_result(&mut self, result: ProbeResult, began: Instant) {
        let (Some(plan), Some(health)) = (&self.launch.health, &mut self.state.health) else { return };
        let before = health.status;
        let lenient = began.saturating_duration_since(self.started_at) < plan.start_period;
        health.take(result, plan, lenient);
        let status = health.status;
        self.save();
        if status != before {
            self.event(&format!("health_status: {}", status.word()), &[]);
        }
        self.await_probe();
    }

    /// The container has ended. Docker's word for one that is not checked any more is "unhealthy".
    pub(super) fn end_health(&mut self) {
        self.checking = None;
        if let Some(Health { status, .. }) = &mut self.state.health {
            *status = HealthStatus::Unhealthy;
        }
    }
}

/// Text of at most [`health::OUTPUT`] bytes; dots say that there was more.
fn shown(mut output: Vec<u8>) -> String {
    let cut = output.len() > health::OUTPUT;
    output.truncate(health::OUTPUT);
    let text = String::from_utf8_lossy(&output).into_owned();
    if cut { text + "..." } else { text }
}
