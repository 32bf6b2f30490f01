//! The loop's hands: submits what `update` asked for and listens to the jobs, sessions and progress that come of it.

use super::app::Msg;
use super::app::work::Ticket;
use crate::engine::job::{Chunk, Input, Progress};
use crate::engine::{Engine, Error, Output, Request};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, PollSender};

/// Progress is looked at this often at most; the newest is all that counts.
const PROGRESS_PACE: Duration = Duration::from_millis(80);

enum Report {
    Progress(Ticket, watch::Receiver<Progress>, Progress),
    /// The job is over, or was dropped: no more progress.
    Silent,
    Done(Ticket, Result<Output, Error>),
}

/// One session's streams.
struct Session {
    output: Option<mpsc::Receiver<Chunk>>,
    input: PollSender<Input>,
    /// What the session was too busy to take: a pasted megabyte waits here and arrives whole and in order.
    waiting: VecDeque<Input>,
    /// The job's outcome, told after its last output.
    outcome: Option<Result<Output, Error>>,
}

/// Everything the screen has going in the engine.
pub struct World {
    engine: Engine,
    reports: FuturesUnordered<BoxFuture<'static, Report>>,
    cancels: BTreeMap<Ticket, CancellationToken>,
    sessions: BTreeMap<Ticket, Session>,
    /// The session to serve first, so that a shouting one does not starve the others.
    turn: Ticket,
}

impl World {
    pub fn new(engine: Engine) -> World {
        World {
            engine,
            reports: FuturesUnordered::new(),
            cancels: BTreeMap::new(),
            sessions: BTreeMap::new(),
            turn: Ticket(0),
        }
    }

    pub fn submit(&mut self, ticket: Ticket, request: Request) -> Msg {
        let mut handle = self.engine.submit(request);
        self.cancels.insert(ticket, handle.canceller());
        if let Some(io) = handle.io.take() {
            let session = Session {
                output: Some(io.output),
                input: PollSender::new(io.input),
                waiting: VecDeque::new(),
                outcome: None,
            };
            self.sessions.insert(ticket, session);
        }
        let outcome = handle.outcome();
        self.reports.push(Box::pin(async move { Report::Done(ticket, outcome.await) }));
        self.reports.push(next_progress(ticket, handle.progress(), Duration::ZERO));
        Msg::Started(ticket, handle.id)
    }

    pub fn cancel(&mut self, ticket: Ticket) {
        if let Some(token) = self.cancels.get(&ticket) {
            token.cancel();
        }
    }

    pub fn send(&mut self, ticket: Ticket, input: Input) {
        let Some(session) = self.sessions.get_mut(&ticket) else { return };
        match (session.waiting.back_mut(), &input) {
            (Some(Input::Resize { cols, rows }), Input::Resize { cols: c, rows: r }) => {
                (*cols, *rows) = (*c, *r);
            }
            _ => session.waiting.push_back(input),
        }
    }

    /// Leaves a session: its streams are dropped, the job is told to end; the process goes on.
    pub fn leave(&mut self, ticket: Ticket) {
        if let Some(session) = self.sessions.remove(&ticket)
            && let Some(sender) = session.input.get_ref()
        {
            let _ = sender.try_send(Input::Detach);
        }
        self.cancel(ticket);
    }

    /// Is anything of this ticket still to come?
    fn forget(&mut self, ticket: Ticket) {
        self.cancels.remove(&ticket);
        self.sessions.remove(&ticket);
    }

    /// The next thing that happened. Cancel-safe.
    pub async fn next(&mut self) -> Msg {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Msg> {
        while !self.reports.is_empty() {
            match self.reports.poll_next_unpin(context) {
                Poll::Ready(Some(Report::Progress(ticket, receiver, progress))) => {
                    self.reports.push(next_progress(ticket, receiver, PROGRESS_PACE));
                    return Poll::Ready(Msg::Progress(ticket, progress));
                }
                Poll::Ready(Some(Report::Silent)) => {}
                Poll::Ready(Some(Report::Done(ticket, outcome))) => match self.sessions.get_mut(&ticket) {
                    Some(session) if session.output.is_some() => session.outcome = Some(outcome),
                    _ => {
                        self.forget(ticket);
                        return Poll::Ready(Msg::Done(ticket, outcome));
                    }
                },
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        self.poll_sessions(context)
    }

    fn poll_sessions(&mut self, context: &mut Context<'_>) -> Poll<Msg> {
        let tickets: Vec<Ticket> = self.sessions.keys().copied().collect();
        let start = tickets.partition_point(|t| *t <= self.turn);
        for ticket in tickets[start..].iter().chain(&tickets[..start]) {
            let Some(session) = self.sessions.get_mut(ticket) else { continue };
            session.flush(context);
            if let Some(output) = &mut session.output {
                match output.poll_recv(context) {
                    Poll::Ready(Some(chunk)) => {
                        self.turn = *ticket;
                        return Poll::Ready(Msg::Session(*ticket, chunk));
                    }
                    Poll::Ready(None) => session.output = None,
                    Poll::Pending => {}
                }
            }
            if session.output.is_none()
                && let Some(outcome) = session.outcome.take()
            {
                self.forget(*ticket);
                return Poll::Ready(Msg::Done(*ticket, outcome));
            }
        }
        Poll::Pending
    }
}

impl Session {
    fn flush(&mut self, context: &mut Context<'_>) {
        while !self.waiting.is_empty() {
            match self.input.poll_reserve(context) {
                Poll::Ready(Ok(())) => {
                    if let Some(input) = self.waiting.pop_front()
                        && self.input.send_item(input).is_err()
                    {
                        self.waiting.clear();
                    }
                }
                Poll::Ready(Err(_)) => self.waiting.clear(),
                Poll::Pending => return,
            }
        }
    }
}

fn next_progress(
    ticket: Ticket,
    mut receiver: watch::Receiver<Progress>,
    pause: Duration,
) -> BoxFuture<'static, Report> {
    Box::pin(async move {
        tokio::time::sleep(pause).await;
        match receiver.changed().await {
            Ok(()) => {
                let progress = receiver.borrow_and_update().clone();
                Report::Progress(ticket, receiver, progress)
            }
            Err(_) => Report::Silent,
        }
    })
}
