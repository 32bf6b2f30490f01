//! Small things other parts ask of the application: copying, themes, jumping to objects, pulls, runs.

use super::work::{Purpose, Ticket};
use super::{App, Cmd};
use crate::engine::Request;
use crate::engine::job::JobStatus;
use crate::engine::request::{PullArgs, RunArgs};
use crate::model::id::ContainerId;
use crate::model::reference::Reference;
use crate::tui::action::Scope;
use crate::tui::figures::quote;
use crate::tui::overlay::{Form, Overlay, Page, PageKind, Picker};
use crate::tui::panes::Pane;
use crate::tui::views::shell::Place;
use std::time::{Duration, Instant};

const PALETTE_HISTORY: usize = 20;

impl App {
    /// The moment of this message on the clock that never jumps.
    pub fn instant(&self) -> Instant {
        let nanos = self.now.0.saturating_sub(self.anchor.1.0).max(0);
        self.anchor.0 + Duration::from_nanos(nanos as u64)
    }

    pub fn copy(&mut self, text: String, what: &str) {
        self.toast(format!("copied {what}"), false);
        self.push(Cmd::Copy(text));
    }

    /// What can be copied about what is focused.
    pub(super) fn copy_menu(&mut self) {
        let mut texts: Vec<(&'static str, String)> = Vec::new();
        if self.panes.focus == Pane::Detail {
            match self.tabs().1 {
                super::Tab::Logs => {
                    texts.extend(self.detail.logs.copy_text().map(|t| ("the log line or selection", t)))
                }
                super::Tab::Inspect => {
                    texts.extend(self.detail.tree.selected_text().map(|t| ("the value", t)));
                    texts.extend(self.detail.tree.all_text().map(|t| ("the whole document", t)));
                }
                super::Tab::Top => {
                    let row = self.detail.processes.selected();
                    texts.extend(row.map(|r| ("the command line", r.process.command.clone())));
                    texts.extend(row.map(|r| ("the pid on this machine", r.process.pid.to_string())));
                }
                super::Tab::Files => {
                    let path = self.detail.changes.selected().map(|c| c.path.to_string_lossy().into_owned());
                    texts.extend(path.map(|p| ("the path", p)));
                }
                _ => {}
            }
        }
        if self.panes.last_list == Pane::Images {
            if let Some(row) = self.images.selected() {
                texts.push(("name", row.name.clone()));
                texts.push(("id", row.id.to_string()));
                texts.push(("run command", format!("teu run -it --rm {}", quote(&row.name))));
            }
        } else if let Some(entry) = self.selected_container() {
            let container = &entry.container;
            texts.push(("name", container.name.clone()));
            texts.push(("id", container.id.to_string()));
            texts.push(("image", container.image_ref.clone()));
            texts.push(("command", container.config.args.iter().map(|a| quote(a)).collect::<Vec<_>>().join(" ")));
            texts.push(("shell command", format!("teu exec -it {} sh", quote(&container.name))));
            texts.push(("logs command", format!("teu logs -f {}", quote(&container.name))));
        }
        match texts.len() {
            0 => self.complain("there is nothing to copy here"),
            _ => self.overlays.push(Overlay::Picker(Picker::copy(texts))),
        }
    }

    /// The theme of this name; one that is not there changes nothing.
    pub fn use_theme(&mut self, name: &str) {
        if let Some((_, theme)) = self.themes.iter().find(|(n, _)| n == name) {
            self.theme = theme.clone();
            self.theme_name = name.to_owned();
        }
    }

    pub fn choose_theme(&mut self, name: &str) {
        self.use_theme(name);
        self.say(format!("theme {name}"));
        self.save();
    }

    pub fn remember_palette(&mut self, name: &str) {
        self.palette_history.retain(|h| h != name);
        self.palette_history.push(name.to_owned());
        let extra = self.palette_history.len().saturating_sub(PALETTE_HISTORY);
        self.palette_history.drain(..extra);
        self.save();
    }

    /// An action chosen by name works in the pane it belongs to.
    pub fn enter_scope(&mut self, scope: Scope) {
        match scope {
            Scope::Containers => self.focus(Pane::Containers),
            Scope::Images => self.focus(Pane::Images),
            Scope::List if !self.panes.focus.is_list() => self.focus(self.panes.last_list),
            Scope::Stats if self.panes.focus != Pane::Detail => self.focus(Pane::Stats),
            Scope::Logs => self.show_logs(),
            Scope::Tree => {
                self.open_tab(super::Tab::Inspect);
                self.focus(Pane::Detail);
            }
            Scope::Processes => self.go_to_tab(super::Tab::Top),
            Scope::Changes => self.go_to_tab(super::Tab::Files),
            Scope::Networks => self.open_networks(),
            _ => {}
        }
    }

    pub fn show_container(&mut self, id: &ContainerId) {
        self.containers.show_all = true;
        self.containers.list.filter.set("");
        self.containers.list.selected = Some(id.clone());
        self.focus(Pane::Containers);
        self.rebuild_lists();
    }

    pub fn show_image(&mut self, key: &str) {
        self.images.list.filter.set("");
        self.images.list.selected = Some(key.to_owned());
        self.focus(Pane::Images);
        self.rebuild_lists();
    }

    pub fn pull(&mut self, reference: Reference) {
        let name = reference.familiar();
        let twice = self.work.pulls().any(|(_, t)| t.title == format!("pull {name}"));
        if twice {
            return self.say(format!("{name} is being pulled already"));
        }
        let args = PullArgs { reference, platform: None, all_tags: false, only_if_missing: false };
        self.submit(Purpose::Pull, Request::Pull(args));
    }

    /// Names whose last pull died with its teu, newest first; what they had loaded is kept.
    pub fn interrupted_pulls(&self) -> Vec<String> {
        let mut seen = std::collections::HashSet::new();
        let pulls = self.inventory.jobs.iter().filter(|j| j.name == "pull" && seen.insert(j.subject.clone()));
        let dead = pulls.filter(|j| matches!(j.status, JobStatus::Interrupted)).map(|j| j.subject.clone());
        dead.filter(|name| !self.work.pulls().any(|(_, t)| t.title == format!("pull {name}"))).collect()
    }

    /// At start: a pull that was cut off is not forgotten.
    pub(super) fn offer_resume(&mut self) {
        if std::mem::replace(&mut self.resume_offered, true) {
            return;
        }
        let key = self.keymap.key_text(crate::tui::action::Action::Pull);
        match &self.interrupted_pulls()[..] {
            [] => {}
            [one] => self.toast(format!("the pull of {one} was interrupted: {key} goes on with it"), true),
            more => self.toast(format!("{} pulls were interrupted: {key} goes on with them", more.len()), true),
        }
    }

    /// Runs what the form said; with a terminal it opens in the shells pane, and there is nothing to wait for.
    pub fn run(&mut self, args: RunArgs, texts: Vec<String>, form: &Form) -> Option<Ticket> {
        self.last_run = texts;
        self.save();
        let name = args.create.name.clone().unwrap_or_else(|| short_image(&args.create.image));
        let program = args.create.command.first().map_or("main", |c| super::terms::base_name(c)).to_owned();
        let detach = args.detach;
        let request = Request::Run(Box::new(args));
        if detach {
            return Some(self.submit(Purpose::Act, request));
        }
        self.open_term(request, &name, &program, None, Place::Tab);
        self.sent_form = self.terms.current().and_then(|term| term.ticket).map(|ticket| (ticket, form.clone()));
        None
    }

    pub fn cancel(&mut self, ticket: Ticket) {
        if let Some(task) = self.work.running.get_mut(&ticket) {
            task.cancelling = true;
            self.push(Cmd::Cancel(ticket));
        }
    }

    pub fn open_page(&mut self, kind: PageKind) {
        if kind == PageKind::Doctor {
            self.ask_doctor();
        }
        self.overlays.push(Overlay::Page(Page::new(kind)));
    }

    pub fn ask_doctor(&mut self) {
        self.doctor = None;
        self.submit(Purpose::Doctor, Request::Doctor);
    }
}

/// `starter` of `localhost/starter:latest`.
fn short_image(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split([':', '@']).next().unwrap_or(name).to_owned()
}
