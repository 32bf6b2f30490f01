//! Verbs: what actions on containers and images ask of the engine, after a question where something is lost.

use super::work::Purpose;
use super::{App, Tab};
use crate::engine::Request;
use crate::engine::request::{CreateArgs, PruneArgs, RemoveArgs, RemoveImagesArgs, RunArgs, StopArgs, Targets};
use crate::model::container::{ContainerConfig, Status};
use crate::tui::action::Action;
use crate::tui::command;
use crate::tui::overlay::{Confirm, Form, Intent, Overlay, Picker, PullPrompt};
use crate::tui::panes::Pane;
use crate::tui::views::shell::Place;
use std::time::Duration;

/// What is removed can be brought back for so long.
const UNDO_WINDOW: Duration = Duration::from_secs(12);

/// The image that can always be made.
pub const STARTER: &str = "localhost/starter";

impl App {
    pub(super) fn act_on_containers(&mut self, action: Action) {
        let targets: Vec<(String, Status)> =
            self.containers.target_rows().iter().map(|r| (r.name.clone(), r.status)).collect();
        let names: Vec<String> = targets.iter().map(|(n, _)| n.clone()).collect();
        if names.is_empty() {
            return self.complain("there is no container selected");
        }
        match action {
            Action::StartStop => self.start_stop(&targets),
            Action::Restart => {
                self.submit(
                    Purpose::Act,
                    Request::Restart(StopArgs { containers: names, timeout: None, signal: None }),
                );
            }
            Action::Pause => self.pause(&targets),
            Action::Kill => self.overlays.push(Overlay::Picker(Picker::signals(names))),
            Action::Limits => {
                let entry = self.selected_container().cloned();
                if let Some(entry) = entry {
                    self.overlays.push(Overlay::Form(Form::limits(names, &entry.container.config.limits)));
                }
            }
            Action::Rename => {
                if let Some(name) = self.containers.selected().map(|r| r.name.clone()) {
                    self.overlays.push(Overlay::Form(Form::rename(&name)));
                }
            }
            _ => {}
        }
    }

    fn start_stop(&mut self, targets: &[(String, Status)]) {
        let (live, dead): (Vec<_>, Vec<_>) = targets.iter().partition(|(_, s)| s.is_live() || *s == Status::Restarting);
        let names = |list: Vec<&(String, Status)>| list.into_iter().map(|(n, _)| n.clone()).collect::<Vec<_>>();
        // A mixed choice is started: that loses nothing.
        if dead.is_empty() {
            self.submit(Purpose::Act, Request::Stop(StopArgs { containers: names(live), timeout: None, signal: None }));
        } else {
            self.submit(Purpose::Act, Request::Start(Targets { containers: names(dead) }));
        }
    }

    fn pause(&mut self, targets: &[(String, Status)]) {
        let of = |wanted: Status| -> Vec<String> {
            targets.iter().filter(|(_, s)| *s == wanted).map(|(n, _)| n.clone()).collect()
        };
        let (running, paused) = (of(Status::Running), of(Status::Paused));
        if !running.is_empty() {
            self.submit(Purpose::Act, Request::Pause(Targets { containers: running }));
        } else if !paused.is_empty() {
            self.submit(Purpose::Act, Request::Resume(Targets { containers: paused }));
        } else {
            self.complain("only a running container can be paused");
        }
    }

    pub(super) fn remove(&mut self) {
        if self.panes.last_list == Pane::Images { self.remove_images() } else { self.remove_containers() }
    }

    fn remove_containers(&mut self) {
        let rows = self.containers.target_rows();
        let names: Vec<String> = rows.iter().map(|r| r.name.clone()).collect();
        let live = rows.iter().filter(|r| r.status.is_live()).count();
        if names.is_empty() {
            return;
        }
        let request = Request::Remove(RemoveArgs {
            containers: names.clone(),
            force: live > 0,
            volumes: false,
            undo: Some(UNDO_WINDOW),
        });
        let mut lines = vec![listed(&names)];
        if live > 0 {
            lines.push(format!(
                "{live} of them {} killed first.",
                if live == 1 { "runs and is" } else { "run and are" }
            ));
        }
        lines.push(String::from("What they wrote outside volumes is lost."));
        lines.push(self.way_back());
        self.confirm(&plural("Remove", names.len(), "container"), lines, "Remove", request);
    }

    fn remove_images(&mut self) {
        let rows = self.images.target_rows();
        let names: Vec<String> =
            rows.iter().map(|r| if r.dangling { r.id.to_string() } else { r.name.clone() }).collect();
        if names.is_empty() {
            return;
        }
        let used: usize = rows.iter().map(|r| r.used).sum();
        let mut lines = vec![listed(&names)];
        if used > 0 {
            lines.push(format!("{used} containers use them; those keep their name's last image from going."));
        }
        lines.push(self.way_back());
        let request =
            Request::RemoveImages(RemoveImagesArgs { images: names.clone(), force: false, undo: Some(UNDO_WINDOW) });
        self.confirm(&plural("Remove", names.len(), "image"), lines, "Remove", request);
    }

    pub fn confirm(&mut self, title: &str, lines: Vec<String>, yes: &'static str, request: Request) {
        let command = command::line(&request);
        let confirm = Confirm::new(title, lines, command, yes, Intent::Submit(Box::new(request)));
        self.overlays.push(Overlay::Confirm(confirm));
    }

    fn way_back(&self) -> String {
        let key = self.keymap.key_text(Action::Undo);
        format!("{key} takes it back for ten seconds; quitting does not wait.")
    }

    /// A removal under way that only hides so far is cancelled.
    pub(super) fn undo(&mut self) {
        match self.work.undoable() {
            Some(ticket) => self.cancel(ticket),
            None => self.say("there is nothing to undo"),
        }
    }

    /// Asks how much would go before asking whether it shall.
    pub(super) fn reclaim(&mut self) {
        self.submit(Purpose::Reclaim, Request::Prune(PruneArgs { dry_run: true, ..prune_args() }));
    }

    pub(super) fn reclaim_answer(&mut self, images: &[String], bytes: u64) {
        if images.is_empty() && bytes == 0 {
            return self.say("nothing to free: every image is in use");
        }
        let lines = vec![
            format!("{} images without a container: {}", images.len(), listed(images)),
            format!("{} come free.", crate::model::units::decimal_size(bytes)),
        ];
        self.confirm("Free the space of unused images", lines, "Free", Request::Prune(prune_args()));
    }

    /// Enter on a list: its details; on an empty list what the empty list offers.
    pub(super) fn open(&mut self) {
        match self.panes.focus {
            Pane::Containers if self.inventory.containers.is_empty() => self.run_starter(),
            Pane::Images if self.images.list.total == 0 => self.overlays.push(Overlay::Pull(PullPrompt::default())),
            _ => self.focus(Pane::Detail),
        }
    }

    /// The shortest way from nothing to a shell: made from this machine's own tools when it is not there.
    pub(super) fn run_starter(&mut self) {
        let config = ContainerConfig { tty: true, open_stdin: true, ..ContainerConfig::default() };
        let create = CreateArgs { image: STARTER.into(), config, default_network: true, ..CreateArgs::default() };
        let request = Request::Run(Box::new(RunArgs { create, detach: false, stdin: true, size: None }));
        self.open_term(request, "starter", "sh", None, Place::Tab);
    }

    pub(super) fn shell(&mut self) {
        let Some(row) = self.containers.selected().cloned() else {
            if self.inventory.containers.is_empty() {
                self.run_starter();
            }
            return;
        };
        match row.status {
            Status::Running => {
                // The shell already open is what is wanted; leader c opens another. Not the main process: `exit` ends it.
                match self.terms.open_exec(row.id.as_str()) {
                    Some(id) => {
                        self.terms.view.show(id);
                        self.focus(Pane::Shells);
                    }
                    None => self.open_shell(&row.id, Place::Tab),
                }
            }
            Status::Paused => self.complain(format!("{} is paused: p resumes it", row.name)),
            Status::Orphaned => self.complain(format!("{} has lost its monitor: it can only be stopped", row.name)),
            _ => self.complain(format!("{} does not run: t starts it", row.name)),
        }
    }

    pub(super) fn attach(&mut self) {
        let Some(row) = self.containers.selected().cloned() else { return };
        self.open_attached(&row.id, !row.status.is_live());
    }

    pub(super) fn show_logs(&mut self) {
        self.panes.last_list = Pane::Containers;
        self.container_tab = Tab::Logs;
        self.focus(Pane::Detail);
        self.fetch_detail();
    }

    pub(super) fn run_form(&mut self) {
        let image = match self.panes.last_list {
            Pane::Images => self.images.selected().map(|r| if r.dangling { r.id.to_string() } else { r.name.clone() }),
            _ => None,
        };
        let image =
            image.or_else(|| self.last_run.first().cloned()).or_else(|| self.images.selected().map(|r| r.name.clone()));
        let form = Form::run(image.as_deref().unwrap_or(STARTER), &self.last_run);
        self.overlays.push(Overlay::Form(form));
    }
}

fn prune_args() -> PruneArgs {
    PruneArgs { images: true, all_images: true, partial_downloads: true, ..PruneArgs::default() }
}

fn listed(names: &[String]) -> String {
    const SHOWN: usize = 6;
    let mut text = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

fn plural(verb: &str, count: usize, noun: &str) -> String {
    if count == 1 { format!("{verb} this {noun}?") } else { format!("{verb} {count} {noun}s?") }
}
