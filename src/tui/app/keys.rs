//! Keys and pastes: who gets them.

use super::{App, Tab};
use crate::tui::action::Scope;
use crate::tui::input::{Edit, Input};
use crate::tui::keys::Chord;
use crate::tui::overlay::Flow;
use crate::tui::panes::Pane;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

impl App {
    pub(super) fn key(&mut self, event: KeyEvent) {
        let chord = Chord::from_event(event);
        if let Some(mut top) = self.overlays.pop() {
            let at = self.overlays.len();
            if top.key(self, chord) == Flow::Keep {
                self.overlays.insert(at, top);
            }
            return;
        }
        if self.panes.focus == Pane::Shells && self.terms.view.takes(event) {
            let outcome = self.terms.view.key(event);
            return self.shell_outcome(outcome);
        }
        if self.panes.focus == Pane::Detail {
            let tab = self.tabs().1;
            if tab == Tab::Logs && self.detail.logs.prompt_open() {
                self.detail.logs.prompt_key(event);
                return self.answer_log();
            }
            if tab == Tab::Inspect && self.detail.tree.searching {
                return self.search_key(chord);
            }
        }
        if self.filtering() {
            return self.filter_key(chord);
        }
        if let Some(action) = self.keymap.action(self.scopes(), chord) {
            self.act(action);
        }
    }

    /// The scopes of the focused pane, the nearest first.
    pub fn scopes(&self) -> &'static [Scope] {
        match self.panes.focus {
            Pane::Containers => &[Scope::Containers, Scope::List, Scope::Global],
            Pane::Images => &[Scope::Images, Scope::List, Scope::Global],
            Pane::Stats => &[Scope::Stats, Scope::Global],
            Pane::Shells => &[Scope::Global],
            Pane::Detail => match self.tabs().1 {
                Tab::Logs => &[Scope::Logs, Scope::Detail, Scope::Global],
                Tab::Stats => &[Scope::Stats, Scope::Detail, Scope::Global],
                Tab::Top => &[Scope::Processes, Scope::Detail, Scope::Global],
                Tab::Files => &[Scope::Changes, Scope::Detail, Scope::Global],
                _ => &[Scope::Tree, Scope::Detail, Scope::Global],
            },
        }
    }

    /// The filter of the focused list, and whether its field has the keyboard.
    pub(super) fn filter_field(&mut self) -> Option<(&mut Input, &mut bool)> {
        match (self.panes.focus, self.tabs().1) {
            (Pane::Containers, _) => Some(self.containers.list.filter_field()),
            (Pane::Images, _) => Some(self.images.list.filter_field()),
            (Pane::Detail, Tab::Top) => Some(self.detail.processes.list.filter_field()),
            (Pane::Detail, Tab::Files) => Some(self.detail.changes.list.filter_field()),
            _ => None,
        }
    }

    pub(super) fn filtering(&mut self) -> bool {
        self.filter_field().is_some_and(|(_, filtering)| *filtering)
    }

    fn filter_key(&mut self, chord: Chord) {
        let Some((filter, filtering)) = self.filter_field() else { return };
        match chord.code {
            KeyCode::Enter => *filtering = false,
            KeyCode::Esc => {
                *filtering = false;
                filter.set("");
            }
            KeyCode::Up => return self.step(-1),
            KeyCode::Down => return self.step(1),
            _ if chord == (Chord { code: KeyCode::Char('c'), mods: KeyModifiers::CONTROL }) => {
                *filtering = false;
                filter.set("");
            }
            _ => {
                if filter.key(chord) != Edit::Changed {
                    return;
                }
            }
        }
        self.refilter();
    }

    /// Typing into the search of the tree.
    fn search_key(&mut self, chord: Chord) {
        let tree = &mut self.detail.tree;
        match chord.code {
            KeyCode::Enter => tree.searching = false,
            KeyCode::Esc => {
                tree.searching = false;
                tree.search.set("");
            }
            _ => {
                if tree.search.key(chord) == Edit::Changed {
                    tree.find_from_here();
                }
            }
        }
    }

    pub(super) fn paste(&mut self, text: &str) {
        if let Some(mut top) = self.overlays.pop() {
            top.paste(self, text);
            return self.overlays.push(top);
        }
        if self.panes.focus == Pane::Shells && self.terms.takes_keys() {
            let outcome = self.terms.view.paste(text);
            return self.shell_outcome(outcome);
        }
        if self.panes.focus == Pane::Detail {
            match self.tabs().1 {
                Tab::Logs if self.detail.logs.prompt_open() => return self.detail.logs.paste(text),
                Tab::Inspect if self.detail.tree.searching => {
                    self.detail.tree.search.insert(text);
                    return self.detail.tree.find_from_here();
                }
                _ => {}
            }
        }
        if let Some((filter, true)) = self.filter_field().map(|(filter, filtering)| (filter, *filtering)) {
            filter.insert(text);
            self.refilter();
        }
    }
}
