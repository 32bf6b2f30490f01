//! Further processes on their way to their command, which the container's own can hold up: nobody but their own client waits.

use super::{Monitor, tokens};
use crate::runtime::init::{Child, Underway};
use crate::runtime::protocol::{ExecSpec, Failure};
use crate::sys::poll::Interest;
use crate::sys::process::Ended;

/// A session to be.
pub(super) struct Further {
    session: u32,
    purpose: Purpose,
    process: Underway,
}

pub(super) enum Purpose {
    Exec { client: u32, spec: Box<ExecSpec> },
    Probe,
}

impl Monitor {
    /// Returns the number of the session that it becomes when its command runs.
    pub(super) fn await_further(&mut self, process: Underway, purpose: Purpose) -> u32 {
        let session = self.next_session;
        self.next_session += 1;
        // Without news it is killed with its client, or with the container.
        let _ = self.epoll.add(process.socket(), tokens::underway(session), Interest::READ);
        self.underway.push(Further { session, purpose, process });
        session
    }

    /// There is news. `ended`: it was reaped, and so.
    pub(super) fn underway_ready(&mut self, session: u32, ended: Option<Ended>) {
        let Some(at) = self.underway.iter().position(|f| f.session == session) else { return };
        let Some(outcome) = self.underway[at].process.news(ended) else { return };
        let further = self.underway.remove(at);
        let _ = self.epoll.remove(further.process.socket());
        let over = outcome.as_ref().ok().and_then(|child| Some((child.pid, child.ended?)));
        self.further_known(session, further.purpose, outcome);
        if let Some((pid, ended)) = over {
            self.process_ended(pid, ended);
        }
    }

    fn further_known(&mut self, session: u32, purpose: Purpose, outcome: Result<Child, Failure>) {
        match (purpose, outcome) {
            (Purpose::Exec { client, spec }, Ok(child)) => self.exec_runs(session, client, &spec, child),
            (Purpose::Exec { client, .. }, Err(failure)) => self.exec_failed(client, failure),
            (Purpose::Probe, Ok(child)) => self.probe_runs(session, child),
            (Purpose::Probe, Err(failure)) => self.probe_failed(session, &failure),
        }
    }

    /// Whether the reaped process was one: then it is a session now, or forgotten.
    pub(super) fn underway_ended(&mut self, pid: i32, ended: Ended) {
        let session = self.underway.iter().find(|f| f.process.pid() == pid).map(|f| f.session);
        if let Some(session) = session {
            self.underway_ready(session, Some(ended));
        }
    }

    /// An exec of that id is being started.
    pub(super) fn is_underway(&self, id: &str) -> bool {
        self.underway.iter().any(|f| matches!(&f.purpose, Purpose::Exec { spec, .. } if spec.id == id))
    }

    /// Kills it; its end is news.
    pub(super) fn kill_underway(&mut self, session: u32) {
        self.underway.iter_mut().filter(|f| f.session == session).for_each(|f| f.process.kill());
    }

    /// Nobody waits for it any more.
    pub(super) fn abandon_of(&mut self, client: u32) {
        self.abandon(|purpose| matches!(purpose, Purpose::Exec { client: of, .. } if *of == client));
    }

    /// The container has ended, and with it what was on its way.
    pub(super) fn abandon_all(&mut self) {
        let clients: Vec<u32> = self.underway.iter().filter_map(|f| f.purpose.client()).collect();
        self.abandon(|_| true);
        for client in clients {
            self.conflict(client, "is not running");
        }
    }

    fn abandon(&mut self, which: impl Fn(&Purpose) -> bool) {
        let epoll = &self.epoll;
        self.underway.retain(|further| {
            let gone = which(&further.purpose);
            if gone {
                let _ = epoll.remove(further.process.socket());
            }
            !gone
        });
    }
}

impl Purpose {
    fn client(&self) -> Option<u32> {
        match self {
            Purpose::Exec { client, .. } => Some(*client),
            Purpose::Probe => None,
        }
    }
}
