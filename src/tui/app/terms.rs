//! Shells: each terminal of the pane is an engine session; this joins the two.

use super::work::{Purpose, Ticket};
use super::{App, Cmd, work};
use crate::engine::job::{Chunk, Input};
use crate::engine::request::{AttachArgs, ExecArgs};
use crate::engine::{Error, ErrorKind, Output, Request};
use crate::model::id::{ContainerId, ExecId};
use crate::tui::emulator::{Effects, SLICE};
use crate::tui::panes::Pane;
use crate::tui::text::counted;
use crate::tui::views::shell::{End, Leader, Open, Place, ShellCommand, ShellOutcome, Shells, TermId};
use bytes::Bytes;
use std::collections::BTreeMap;

/// More terminals than this are not reopened by themselves at start.
const REATTACH: usize = 16;

/// What our terminals can do.
const TERMINAL_ENV: [&str; 2] = ["TERM=xterm-256color", "COLORTERM=truecolor"];

/// What stands behind a terminal.
#[derive(Clone, Debug)]
pub struct Term {
    /// The session; `None` once it has ended.
    pub ticket: Option<Ticket>,
    /// To run it again.
    request: Request,
    pub container: Option<ContainerId>,
    /// An exec session, not the container's main process.
    pub exec: Option<ExecId>,
    /// The session is open; before, its job's progress is shown.
    pub opened: bool,
    tty: bool,
}

pub struct Terms {
    pub view: Shells,
    pub terms: BTreeMap<TermId, Term>,
    reattached: bool,
}

impl Terms {
    pub fn new(leader: Leader, scrollback: usize) -> Terms {
        Terms { view: Shells::new(leader, scrollback), terms: BTreeMap::new(), reattached: false }
    }

    pub(super) fn by_ticket(&self, ticket: Ticket) -> Option<TermId> {
        self.terms.iter().find(|(_, t)| t.ticket == Some(ticket)).map(|(id, _)| *id)
    }

    pub fn current(&self) -> Option<&Term> {
        self.view.current().and_then(|id| self.terms.get(&id))
    }

    /// A live exec session of this container.
    pub fn open_exec(&self, owner: &str) -> Option<TermId> {
        let is_exec = |id: &TermId| {
            self.terms
                .get(id)
                .is_some_and(|t| t.ticket.is_some() && (t.exec.is_some() || matches!(t.request, Request::Exec(_))))
        };
        self.view.of_owner(owner).into_iter().find(is_exec)
    }

    /// Keys go to a program, or to what its end left.
    pub fn takes_keys(&self) -> bool {
        self.view.current().is_some()
    }
}

impl App {
    /// A shell in this container, in a tab or a split.
    pub fn open_shell(&mut self, id: &ContainerId, place: Place) {
        let Some(entry) = self.inventory.container(id).cloned() else { return };
        let args = ExecArgs {
            container: id.to_string(),
            tty: true,
            stdin: true,
            env: TERMINAL_ENV.map(str::to_owned).to_vec(),
            ..ExecArgs::default()
        };
        let name = entry.container.name.clone();
        self.open_term(Request::Exec(Box::new(args)), &name, "shell", Some(id.clone()), place);
    }

    /// The container's main process.
    pub fn open_attached(&mut self, id: &ContainerId, start: bool) {
        let Some(entry) = self.inventory.container(id).cloned() else { return };
        let request = attach(id, None, start, entry.container.config.open_stdin);
        let program = entry.container.config.args.first().map_or("main", |a| base_name(a));
        self.open_term(request, &entry.container.name, program, Some(id.clone()), Place::Tab);
    }

    /// Opens a terminal for a session and gives it the keyboard.
    pub fn open_term(&mut self, request: Request, name: &str, program: &str, owner: Option<ContainerId>, place: Place) {
        self.focus(Pane::Shells);
        self.sync_layout();
        self.add_term(request, name, program, owner, place);
        self.sync_layout();
        self.offer_leader();
    }

    fn add_term(&mut self, request: Request, name: &str, program: &str, owner: Option<ContainerId>, place: Place) {
        let open = Open {
            container: name.to_owned(),
            program: program.to_owned(),
            owner: owner.as_ref().map(ContainerId::to_string).unwrap_or_default(),
        };
        let id = self.terms.view.open(open, place);
        let request = sized(request, self.terms.view.size(id));
        let ticket = self.submit(Purpose::Shell, request.clone());
        let term = Term { ticket: Some(ticket), request, container: owner, exec: None, opened: false, tty: true };
        self.terms.terms.insert(id, term);
    }

    /// At start: the sessions that outlived the last screen are found again, with what they showed.
    pub(super) fn reattach(&mut self) {
        if std::mem::replace(&mut self.terms.reattached, true) {
            return;
        }
        let inventory = self.inventory.clone();
        let live = inventory.containers.iter().filter(|c| c.state.status.is_live() && c.state.monitor_pid != 0);
        let mut found = Vec::new();
        for entry in live {
            let (id, config) = (&entry.container.id, &entry.container.config);
            if config.tty && config.open_stdin {
                let program = config.args.first().map_or("main", |a| base_name(a));
                found.push((
                    attach(id, None, false, true),
                    entry.container.name.clone(),
                    program.to_owned(),
                    id.clone(),
                ));
            }
            for exec in entry.state.execs.iter().filter(|e| e.tty && e.exit.is_none()) {
                let program = exec.args.first().map_or("shell", |a| base_name(a));
                let request = attach(id, Some(exec.id.clone()), false, true);
                found.push((request, entry.container.name.clone(), program.to_owned(), id.clone()));
            }
        }
        let count = found.len().min(REATTACH);
        self.sync_layout();
        for (request, name, program, id) in found.into_iter().take(REATTACH) {
            self.add_term(request, &name, &program, Some(id), Place::Tab);
        }
        if count > 0 {
            self.terms.view.select_tab(0);
            self.say(format!("{} found again", counted(count, "shell")));
        }
    }

    pub(super) fn term_chunk(&mut self, ticket: Ticket, chunk: Chunk) -> bool {
        let Some(id) = self.terms.by_ticket(ticket) else { return false };
        let Some(term) = self.terms.terms.get_mut(&id) else { return false };
        match chunk {
            Chunk::Opened { container, exec, tty } => {
                term.opened = true;
                term.tty = tty;
                term.exec = exec.or(term.exec.take());
                if term.container.is_none() {
                    self.containers.list.want(container.clone());
                }
                term.container = Some(container);
                self.name_terms();
                if let Some((cols, rows)) = self.terms.view.size(id) {
                    self.push(Cmd::Send(ticket, Input::Resize { cols, rows }));
                }
            }
            Chunk::Screen(bytes) => {
                term.opened = true;
                let effects = self.terms.view.screen(id, &bytes);
                self.term_effects(ticket, effects);
            }
            Chunk::Console(bytes) => self.feed(id, ticket, &bytes),
            Chunk::Stdout(bytes) | Chunk::Stderr(bytes) if term.tty => self.feed(id, ticket, &bytes),
            Chunk::Stdout(bytes) | Chunk::Stderr(bytes) => {
                // Without a terminal nobody turned line feeds into new lines.
                let mut lines = Vec::with_capacity(bytes.len() + 16);
                for byte in bytes {
                    if byte == b'\n' {
                        lines.push(b'\r');
                    }
                    lines.push(byte);
                }
                self.feed(id, ticket, &lines);
            }
            Chunk::Notice(text) => self.say(text),
            Chunk::Gap(_)
            | Chunk::LogOlder { .. }
            | Chunk::Log(_)
            | Chunk::LogCaughtUp
            | Chunk::Stats(_)
            | Chunk::Event(_) => {}
        }
        true
    }

    /// Tabs bear the container's name and what really runs, once both are known.
    pub(super) fn name_terms(&mut self) {
        for (id, term) in &self.terms.terms {
            let Some(entry) = term.container.as_ref().and_then(|c| self.inventory.container(c)) else { continue };
            let program = match &term.exec {
                Some(exec) => entry.state.execs.iter().find(|e| e.id == *exec).and_then(|e| e.args.first()),
                None if matches!(
                    &term.request,
                    Request::Exec(_) | Request::Attach(AttachArgs { exec: Some(_), .. })
                ) =>
                {
                    None
                }
                None => entry.container.config.args.first(),
            };
            let owner = entry.container.id.as_str();
            self.terms.view.rename(*id, &entry.container.name, program.map(|p| base_name(p)), owner);
        }
    }

    fn feed(&mut self, id: TermId, ticket: Ticket, bytes: &[u8]) {
        if let Some(term) = self.terms.terms.get_mut(&id) {
            term.opened = true;
        }
        for slice in bytes.chunks(SLICE) {
            let effects = self.terms.view.feed(id, slice);
            self.term_effects(ticket, effects);
        }
    }

    fn term_effects(&mut self, ticket: Ticket, effects: Effects) {
        if !effects.replies.is_empty() {
            self.push(Cmd::Send(ticket, Input::Bytes(Bytes::from(effects.replies))));
        }
        if let Some(text) = effects.clipboard {
            self.copy_for(ticket, text);
        }
        if effects.bell {
            self.push(Cmd::Bell);
        }
        if let Some(problem) = effects.rebuilt {
            self.complain(problem);
        }
    }

    /// A program's text for the clipboard: only from the terminal that has the keyboard, and never unnoticed. What runs
    /// out of sight shall not change what the user pastes elsewhere.
    fn copy_for(&mut self, ticket: Ticket, text: String) {
        let focused = self.terms.view.current().filter(|_| self.panes.focus == Pane::Shells);
        let Some(id) = focused.filter(|id| self.terms.by_ticket(ticket) == Some(*id)) else { return };
        let label = self.terms.view.label(id).unwrap_or_default();
        self.say(format!("{label} put {} into the clipboard", counted(text.chars().count(), "character")));
        self.push(Cmd::Copy(text));
    }

    /// Ends of synchronized updates whose program forgot to end them.
    pub(super) fn tick_terms(&mut self) {
        let instant = self.instant();
        for (id, effects) in self.terms.view.tick(instant) {
            if let Some(ticket) = self.terms.terms.get(&id).and_then(|t| t.ticket) {
                self.term_effects(ticket, effects);
            }
        }
    }

    pub(super) fn term_done(&mut self, task: &work::Task, ticket: Ticket, result: &Result<Output, Error>) {
        let Some(id) = self.terms.by_ticket(ticket) else { return };
        if let Some(term) = self.terms.terms.get_mut(&id) {
            term.ticket = None;
        }
        let end = match result {
            Ok(Output::Exited { code, oom }) => {
                let container = self.terms.terms.get(&id).and_then(|t| t.container.as_ref());
                if let Some(entry) = container.filter(|_| *oom).and_then(|c| self.inventory.container(c)).cloned() {
                    self.toast(super::update::oom_text(&entry.container.name), true);
                }
                End::Exited(i32::from(*code))
            }
            Ok(Output::Detached) => End::Failed(String::from("left; Enter closes, r attaches again")),
            Ok(_) => End::Exited(0),
            Err(error) if error.kind() == ErrorKind::Cancelled => End::Failed(String::from("cancelled")),
            Err(error) => {
                self.report(task, result);
                End::Failed(work::error_text(error))
            }
        };
        self.terms.view.exited(id, end);
    }

    pub(super) fn shell_outcome(&mut self, outcome: ShellOutcome) {
        match outcome {
            ShellOutcome::None => {}
            ShellOutcome::Send(writes) => {
                for (id, bytes) in writes {
                    if let Some(ticket) = self.terms.terms.get(&id).and_then(|t| t.ticket) {
                        self.push(Cmd::Send(ticket, Input::Bytes(Bytes::from(bytes))));
                    }
                }
            }
            ShellOutcome::Leave => {
                self.panes.zoomed = false;
                self.focus(self.panes.last_list);
            }
            ShellOutcome::Copy(text) => self.copy(text, "the selection"),
            ShellOutcome::Command(command) => self.shell_command(command),
        }
    }

    fn shell_command(&mut self, command: ShellCommand) {
        match command {
            ShellCommand::New(split) => {
                let Some(id) = self.terms.current().and_then(|t| t.container.clone()) else { return };
                self.open_shell(&id, split.map_or(Place::Tab, Place::Split));
            }
            ShellCommand::Close(id) => self.close_term(id),
            ShellCommand::Rerun(id) => self.rerun_term(id),
            ShellCommand::Zoom => self.panes.zoomed = !self.panes.zoomed,
            ShellCommand::Relayout => {}
            ShellCommand::Palette => self.act(crate::tui::action::Action::Palette),
            ShellCommand::Help => self.act(crate::tui::action::Action::Help),
            ShellCommand::EditScrollback(id) => {
                let text = self.terms.view.all_text(id);
                self.push(Cmd::Edit(text));
            }
        }
        self.sync_layout();
    }

    /// An exec session is hung up; a container's main process is only left, for ending it is `stop`'s work.
    pub(super) fn close_term(&mut self, id: TermId) {
        if let Some(term) = self.terms.terms.remove(&id)
            && let Some(ticket) = term.ticket
        {
            if term.exec.is_some() {
                self.push(Cmd::Send(ticket, Input::Signal(1)));
            }
            self.push(Cmd::Leave(ticket));
            self.work.finish(ticket);
        }
        self.terms.view.close(id);
        if self.terms.view.is_empty() && self.panes.focus == Pane::Shells {
            self.panes.zoomed = false;
            self.focus(self.panes.last_list);
        }
    }

    fn rerun_term(&mut self, id: TermId) {
        let Some(term) = self.terms.terms.get(&id) else { return };
        let reads = |id: &ContainerId| self.inventory.container(id).is_none_or(|c| c.container.config.open_stdin);
        let again = match (&term.request, &term.container) {
            // What was run has become a container: attach to it, starting it when it has ended.
            (Request::Run(_), Some(container)) => attach(container, None, !self.is_live(container), reads(container)),
            (Request::Attach(a), Some(container)) => match &a.exec {
                Some(_) => Request::Exec(Box::new(ExecArgs {
                    container: container.to_string(),
                    tty: true,
                    stdin: true,
                    ..ExecArgs::default()
                })),
                None => attach(container, None, !self.is_live(container), reads(container)),
            },
            (request, _) => request.clone(),
        };
        let request = sized(again, self.terms.view.size(id));
        let ticket = self.submit(Purpose::Shell, request.clone());
        if let Some(term) = self.terms.terms.get_mut(&id) {
            term.request = request;
            term.ticket = Some(ticket);
            term.opened = false;
        }
        self.terms.view.revived(id);
    }

    fn is_live(&self, id: &ContainerId) -> bool {
        self.inventory.container(id).is_some_and(|c| c.state.status.is_live())
    }
}

/// `stdin`: the program reads what is typed; else one only watches.
fn attach(id: &ContainerId, exec: Option<ExecId>, start: bool, stdin: bool) -> Request {
    Request::Attach(AttachArgs { container: id.to_string(), exec, stdin, replay: true, size: None, start })
}

/// A program should know its size before its first byte.
fn sized(mut request: Request, size: Option<(u16, u16)>) -> Request {
    match &mut request {
        Request::Run(a) => a.size = size,
        Request::Attach(a) => a.size = size,
        Request::Exec(a) => a.size = size,
        _ => {}
    }
    request
}

/// The last part of a path.
pub fn base_name(path: &str) -> &str {
    path.rsplit('/').next().filter(|n| !n.is_empty()).unwrap_or(path)
}
