//! Moves bytes: from the process's streams to the log, the kept screen and the clients, and from its clients to it.

use super::Monitor;
use super::client::Role;
use super::session::Session;
use super::tokens;
use crate::sys::poll::{self, Ready};
use std::time::Instant;

impl Monitor {
    pub(super) fn output_ready(&mut self, id: u32, token: u64, event: Ready) {
        if event.write {
            self.input_ready(id, false);
        }
        if event.read {
            self.read_output(id, token, 1);
        }
    }

    pub(super) fn input_ready(&mut self, id: u32, broken: bool) {
        let Some(session) = self.sessions.iter_mut().find(|s| s.id == id) else { return };
        if broken {
            // Nobody reads the pipe any more.
            session.close_input(&self.epoll);
        }
        session.pump_input(&self.epoll);
    }

    /// Fills the buffer from one output and passes it on, up to so many times. A terminal gives little at a time.
    fn read_output(&mut self, id: u32, token: u64, rounds: usize) {
        for _ in 0..rounds {
            let Some(session) = self.sessions.iter_mut().find(|s| s.id == id) else { return };
            let Some(output) = session.outputs.iter().find(|o| o.token == token) else { return };
            let (mut filled, mut ended) = (0, false);
            while filled < self.buffer.len() {
                match poll::read_some(&output.fd, &mut self.buffer[filled..]) {
                    Ok(Some(0)) | Err(_) => {
                        ended = true;
                        break;
                    }
                    Ok(Some(count)) => filled += count,
                    Ok(None) => break,
                }
            }
            if filled > 0 {
                self.deliver(id, token, filled);
            }
            if ended {
                if let Some(session) = self.sessions.iter_mut().find(|s| s.id == id) {
                    session.close_output(token, &self.epoll);
                }
                return;
            }
            if filled < self.buffer.len() {
                return;
            }
        }
    }

    fn deliver(&mut self, id: u32, token: u64, count: usize) {
        let Some(session) = self.sessions.iter_mut().find(|s| s.id == id) else { return };
        let Some(output) = session.outputs.iter().find(|o| o.token == token) else { return };
        let bytes = &self.buffer[..count];
        // What a left-behind process still says after its session's end is read, so that it does not block, and dropped.
        if session.over {
            return;
        }
        if id == 0
            && let Some(log) = &mut self.log
            && let Err(e) = log.write(output.log_stream(), bytes, super::clock())
            && log.lost > 0
            && !self.state.warnings.iter().any(|w| w.starts_with("log: "))
        {
            // The container goes on without it; once is enough to say.
            self.state.warnings.push(format!("log: {e}"));
        }
        if Monitor::is_probe(session) {
            return self.probe_output(id, count);
        }
        let kind = output.kind;
        if let Some(screen) = &mut session.screen {
            screen.push(bytes, Instant::now());
        }
        for client in self.clients.iter_mut().filter(|c| c.views(id)) {
            client.output(kind, bytes);
        }
    }

    /// Reads what an ended process has left in its streams (a pipe holds 1 MiB at most).
    pub(super) fn drain(&mut self, id: u32) {
        let tokens: Vec<u64> =
            self.session(id).map(|s| s.outputs.iter().map(|o| o.token).collect()).unwrap_or_default();
        for token in tokens {
            self.read_output(id, token, 32);
        }
    }

    /// What is due by time: feeding screens, ending nudges.
    pub(super) fn tend_sessions(&mut self, now: Instant) {
        for session in &mut self.sessions {
            if session.nudge_back.is_some_and(|at| at <= now) {
                session.restore_size();
            }
            let due = |s: &Session| s.screen.as_ref().and_then(|screen| screen.due()).is_some_and(|at| at <= now);
            if due(session)
                && let Some(screen) = &mut session.screen
            {
                let replies = screen.feed();
                // A client's terminal answers itself.
                if !replies.is_empty() && !self.clients.iter().any(|c| c.views(session.id)) {
                    session.push_input(&replies, &self.epoll);
                }
                if session.id == 0
                    && let Some(log) = &mut self.log
                {
                    log.shrink();
                }
            }
        }
    }

    /// Sessions wait for full lossless clients, and end when their process has and nothing more will come.
    pub(super) fn settle_sessions(&mut self) {
        let now = Instant::now();
        let mut ended = Vec::new();
        for session in &mut self.sessions {
            match session.exit {
                None => {
                    let full = self.clients.iter().any(|c| {
                        c.is_full()
                            && matches!(c.role, Role::Viewer { session: s, lossless: true, .. } if s == session.id)
                    });
                    session.block(full, &self.epoll);
                }
                Some(exit) if !session.over => {
                    if session.outputs.is_empty() || session.drain_until.is_some_and(|at| at <= now) {
                        ended.push((session.id, exit, Monitor::is_probe(session)));
                    }
                }
                Some(_) => {}
            }
        }
        for (id, exit, probe) in ended {
            match id {
                _ if probe => self.probe_ended(id, exit),
                0 => self.container_ended(exit),
                _ => self.exec_ended(id, exit),
            }
        }
    }

    /// Clients get what waits for them, go on with held input, and are let go when they are done.
    pub(super) fn settle_clients(&mut self) {
        let ids: Vec<u32> = self.clients.iter().map(|c| c.id).collect();
        for id in ids {
            self.settle_client(id);
        }
        let left: Vec<u32> = self
            .clients
            .iter()
            .filter(|c| c.gone || (c.role == Role::Closing && c.is_drained()))
            .map(|c| c.id)
            .collect();
        for id in left {
            self.drop_client(id);
        }
    }

    fn settle_client(&mut self, id: u32) {
        let Some(client) = self.clients.iter_mut().find(|c| c.id == id) else { return };
        client.flush();
        if client.held && client.role != Role::Starts {
            let session = match client.role {
                Role::Viewer { session, .. } => self.sessions.iter().find(|s| s.id == session),
                _ => None,
            };
            client.held = session.is_some_and(Session::input_is_full);
            if !client.held {
                self.read_frames(id);
            }
        }
        if let Some(client) = self.clients.iter_mut().find(|c| c.id == id) {
            client.arm(&self.epoll, tokens::client(id));
        }
    }

    /// Tells a client that could not keep up how much it missed, and shows it the screen as it is now.
    pub(super) fn close_gap(&mut self, id: u32) {
        let Some(client) = self.clients.iter_mut().find(|c| c.id == id) else { return };
        let Role::Viewer { session, .. } = client.role else { return };
        let screen = self.sessions.iter_mut().find(|s| s.id == session).and_then(|s| s.repaint(Instant::now()));
        client.end_gap(screen.as_deref());
    }
}
