//! Clients come, send frames, and leave.

use super::client::{Client, Got, Role};
use super::{Monitor, failure, tokens};
use crate::runtime::protocol::{FailureKind, Frame, Kind, Reply};
use crate::sys::channel;
use crate::sys::poll::{Interest, Ready};
use crate::sys::process;
use bytes::BytesMut;
use std::time::Instant;

/// More connections at once are turned away.
const MAX_CLIENTS: usize = 128;

impl Monitor {
    pub(super) fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            let ours = channel::peer(&stream).is_ok_and(|peer| peer.uid == channel::own_uid());
            if !ours || self.clients.len() >= MAX_CLIENTS || stream.set_nonblocking(true).is_err() {
                continue;
            }
            let id = self.next_client;
            self.next_client = self.next_client.wrapping_add(1).max(1);
            if self.epoll.add(&stream, tokens::client(id), Interest::READ).is_ok() {
                self.clients.push(Client::new(id, stream, BytesMut::new()));
            }
        }
    }

    pub(super) fn client_ready(&mut self, id: u32, event: Ready) {
        let Some(client) = self.clients.iter_mut().find(|c| c.id == id) else { return };
        if event.write {
            client.flush();
            if client.gap > 0 && client.is_drained() && client.gap_until.is_none_or(|at| at <= Instant::now()) {
                self.close_gap(id);
            }
        }
        let Some(client) = self.clients.iter_mut().find(|c| c.id == id) else { return };
        // Hung up and nothing to be read now: nobody is there any more.
        if event.hangup && (client.held || client.input_closed) {
            client.gone = true;
        }
        if !event.read || client.held || client.input_closed {
            return;
        }
        match client.read(&mut self.buffer) {
            Got::Bytes => self.read_frames(id),
            Got::Nothing => {}
            Got::End => {
                // A client may have closed only its sending side, and still want the output.
                client.input_closed = true;
                client.gone |= event.hangup || client.role == Role::Greeting;
            }
        }
    }

    /// Takes the whole frames a client has sent, until its input must wait.
    pub(super) fn read_frames(&mut self, id: u32) {
        loop {
            let Some(client) = self.client(id) else { return };
            if client.held || client.gone || client.role == Role::Closing {
                return;
            }
            match client.decoder.next() {
                Ok(None) => return,
                Ok(Some(frame)) => self.take_frame(id, &frame),
                Err(e) => return self.refuse(id, FailureKind::Invalid, e.to_string()),
            }
        }
    }

    fn take_frame(&mut self, id: u32, frame: &Frame) {
        let Some(client) = self.client(id) else { return };
        match (client.role, frame.kind) {
            (Role::Greeting, Kind::Hello) => match frame.json() {
                Ok(hello) => self.greet(id, hello),
                Err(e) => self.refuse(id, FailureKind::Invalid, e.to_string()),
            },
            (Role::Viewer { session, stdin, .. }, kind) => self.viewer_frame(id, session, stdin, kind, frame),
            (_, kind) => self.refuse(id, FailureKind::Invalid, format!("unexpected {kind:?} frame")),
        }
    }

    fn viewer_frame(&mut self, id: u32, session: u32, stdin: bool, kind: Kind, frame: &Frame) {
        match kind {
            Kind::Stdin if stdin => self.input(id, session, &frame.payload),
            Kind::StdinEof if stdin => {
                if self.is_writer(id, session)
                    && let Some(s) = self.sessions.iter_mut().find(|s| s.id == session)
                {
                    s.end_input(&self.epoll);
                }
            }
            Kind::Writer if stdin => self.make_writer(id, session),
            Kind::Resize => {
                if let (Some(size), Some(client)) = (frame.size(), self.client(id)) {
                    client.size = Some(size);
                    self.apply_size(session, size);
                }
            }
            Kind::Signal => {
                if let (Some(signal), Some(s)) = (frame.signal(), self.session(session))
                    && s.exit.is_none()
                    && let Some(pidfd) = &s.pidfd
                {
                    let _ = process::pidfd_signal(pidfd, signal);
                }
            }
            Kind::Stdin | Kind::StdinEof | Kind::Writer => {}
            other => self.refuse(id, FailureKind::Invalid, format!("unexpected {other:?} frame in a session")),
        }
    }

    fn input(&mut self, id: u32, session: u32, bytes: &[u8]) {
        if !self.is_writer(id, session) {
            return;
        }
        // Who types is who looks: the window follows.
        if let Some(size) = self.client(id).and_then(|c| c.size) {
            self.apply_size(session, size);
        }
        let Some(s) = self.sessions.iter_mut().find(|s| s.id == session) else { return };
        s.push_input(bytes, &self.epoll);
        let full = s.input_is_full();
        if let Some(client) = self.client(id) {
            client.held = full;
        }
    }

    pub(super) fn apply_size(&mut self, session: u32, size: (u16, u16)) {
        if let Some(s) = self.session(session) {
            s.resize(size);
        }
        if session == 0 {
            // A restart begins with it.
            self.launch.size = Some(size);
        }
    }

    /// True for the client whose input counts; without one, the first to write becomes it.
    fn is_writer(&mut self, id: u32, session: u32) -> bool {
        match self.session(session).map(|s| s.writer) {
            Some(Some(writer)) => writer == id,
            Some(None) => {
                self.make_writer(id, session);
                true
            }
            None => false,
        }
    }

    /// The client's input counts from now on; the one before is told.
    pub(super) fn make_writer(&mut self, id: u32, session: u32) {
        let Some(s) = self.session(session) else { return };
        let takes = s.takes_input();
        let before = s.writer.replace(id).filter(|before| *before != id);
        if let Some(client) = before.and_then(|before| self.client(before)) {
            client.frame(Kind::Writer, &[0]);
        }
        if let Some(client) = self.client(id) {
            client.frame(Kind::Writer, &[u8::from(takes)]);
            if let Some(size) = client.size {
                self.apply_size(session, size);
            }
        }
    }

    /// A client has left: the next one may write, and the window becomes that of the newest.
    pub(super) fn drop_client(&mut self, id: u32) {
        let Some(at) = self.clients.iter().position(|c| c.id == id) else { return };
        let client = self.clients.remove(at);
        let _ = self.epoll.remove(&client.stream);
        if client.role == Role::Starts {
            self.abandon_of(id);
        }
        let Role::Viewer { session, .. } = client.role else { return };
        let heir = self
            .clients
            .iter()
            .rev()
            .find(|c| matches!(c.role, Role::Viewer { session: s, stdin: true, .. } if s == session));
        let heir = heir.map(|c| c.id);
        if let Some(s) = self.session(session)
            && s.writer == Some(id)
        {
            s.writer = None;
            if let Some(heir) = heir {
                self.make_writer(heir, session);
            }
        }
        let size = self.clients.iter().rev().filter(|c| c.views(session)).find_map(|c| c.size);
        if let Some(size) = size {
            self.apply_size(session, size);
        }
    }

    pub(super) fn refuse(&mut self, id: u32, kind: FailureKind, message: String) {
        self.answer(id, &Reply::Failed(failure(kind, message)));
    }

    /// The last word to a client.
    pub(super) fn answer(&mut self, id: u32, reply: &Reply) {
        if let Some(client) = self.client(id) {
            client.reply(reply);
            client.role = Role::Closing;
        }
    }
}
