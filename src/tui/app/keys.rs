//! Keys, pastes and the mouse: who gets them, and what the global actions do.

use super::{App, Cmd, Hit, Tab};
use crate::tui::action::{Action, Scope};
use crate::tui::input::Edit;
use crate::tui::keys::Chord;
use crate::tui::panes::{Edge, Pane};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

impl App {
    pub(super) fn key(&mut self, event: KeyEvent) {
        let chord = Chord::from_event(event);
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
                _ => &[Scope::Tree, Scope::Detail, Scope::Global],
            },
        }
    }

    fn filtering(&self) -> bool {
        match self.panes.focus {
            Pane::Containers => self.containers.list.filtering,
            Pane::Images => self.images.list.filtering,
            _ => false,
        }
    }

    fn filter_key(&mut self, chord: Chord) {
        let pane = self.panes.focus;
        let (filter, filtering) = match pane {
            Pane::Images => (&mut self.images.list.filter, &mut self.images.list.filtering),
            _ => (&mut self.containers.list.filter, &mut self.containers.list.filtering),
        };
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
        self.rebuild_lists();
    }

    pub(super) fn paste(&mut self, text: &str) {
        if self.filtering() {
            match self.panes.focus {
                Pane::Images => self.images.list.filter.insert(text),
                _ => self.containers.list.filter.insert(text),
            }
            self.rebuild_lists();
        }
    }

    /// Does what an action says. Actions of a list work from anywhere: the palette and the mouse use them too.
    pub fn act(&mut self, action: Action) {
        match action {
            Action::NextPane => self.cycle(1),
            Action::PreviousPane => self.cycle(Pane::ALL.len() - 1),
            Action::PaneContainers => self.focus(Pane::Containers),
            Action::PaneImages => self.focus(Pane::Images),
            Action::PaneStats => self.focus(Pane::Stats),
            Action::PaneDetail => self.focus(Pane::Detail),
            Action::PaneShells => self.focus(Pane::Shells),
            Action::Zoom => self.panes.zoomed = !self.panes.zoomed,
            Action::Grow => self.resize(true),
            Action::Shrink => self.resize(false),
            Action::NextTab => self.turn_tab(1),
            Action::PreviousTab => self.turn_tab(usize::MAX),
            Action::Down => self.step(1),
            Action::Up => self.step(-1),
            Action::PageDown => self.step(self.page()),
            Action::PageUp => self.step(-self.page()),
            Action::First => self.step(isize::MIN),
            Action::Last => self.step(isize::MAX),
            Action::Filter => self.start_filter(),
            Action::Mouse => self.toggle_mouse(),
            Action::Redraw => self.push(Cmd::Redraw),
            Action::Suspend => self.push(Cmd::Suspend),
            Action::Back => self.back(),
            Action::Quit => self.quit = true,
            other => self.act_on_lists(other),
        }
    }

    fn act_on_lists(&mut self, action: Action) {
        let images = self.panes.last_list == Pane::Images;
        match action {
            Action::Mark if images => self.images.list.toggle_mark(),
            Action::Mark => self.containers.list.toggle_mark(),
            Action::MarkRange if images => self.images.list.mark_range(),
            Action::MarkRange => self.containers.list.mark_range(),
            Action::MarkAll if images => self.images.list.mark_all(),
            Action::MarkAll => self.containers.list.mark_all(),
            Action::Sort => self.sort_by(self.panes.last_list, None),
            Action::SortReverse if images => self.images.list.reverse ^= true,
            Action::SortReverse => self.containers.list.reverse ^= true,
            Action::ShowAll => self.containers.show_all ^= true,
            _ => return,
        }
        self.rebuild_lists();
    }

    pub(super) fn focus(&mut self, pane: Pane) {
        if self.panes.focus != pane {
            self.panes.set_focus(pane);
        }
    }

    fn cycle(&mut self, by: usize) {
        let next = Pane::ALL[(self.panes.focus as usize + by) % Pane::ALL.len()];
        self.focus(next);
    }

    fn resize(&mut self, up: bool) {
        self.panes.resize(up);
        self.save();
    }

    pub(super) fn save(&mut self) {
        let state = self.remember();
        self.push(Cmd::Save(state));
    }

    fn turn_tab(&mut self, by: usize) {
        let (tabs, open) = self.tabs();
        let now = tabs.iter().position(|t| *t == open).unwrap_or(0);
        let next = if by == 1 { (now + 1) % tabs.len() } else { (now + tabs.len() - 1) % tabs.len() };
        self.open_tab(tabs[next]);
    }

    pub(super) fn open_tab(&mut self, tab: Tab) {
        if self.panes.last_list == Pane::Images {
            self.image_tab = tab;
        } else {
            self.container_tab = tab;
        }
    }

    /// Rows of a page of the focused pane.
    fn page(&self) -> isize {
        let layout = self.panes.layout(self.size.0, self.size.1);
        let height = layout.panes.iter().find(|(p, _)| *p == self.panes.focus).map_or(10, |(_, r)| r.height);
        isize::from(height.saturating_sub(4).max(1) as i16)
    }

    fn step(&mut self, by: isize) {
        match self.panes.focus {
            Pane::Containers => self.containers.list.step(by),
            Pane::Images => self.images.list.step(by),
            _ => {}
        }
    }

    fn start_filter(&mut self) {
        match self.panes.focus {
            Pane::Images => self.images.list.filtering = true,
            _ => {
                self.focus(Pane::Containers);
                self.containers.list.filtering = true;
            }
        }
    }

    fn toggle_mouse(&mut self) {
        self.mouse = !self.mouse;
        self.push(Cmd::Mouse(self.mouse));
        if self.mouse {
            self.say("the mouse works in teu");
        } else {
            self.say("the mouse belongs to the terminal: select and copy there; M takes it back");
        }
    }

    /// One level back, and no more.
    fn back(&mut self) {
        if self.panes.zoomed {
            self.panes.zoomed = false;
        } else if self.panes.focus == Pane::Images && self.images.list.step_back()
            || self.panes.focus == Pane::Containers && self.containers.list.step_back()
        {
            self.rebuild_lists();
        } else if !self.panes.focus.is_list() {
            self.focus(self.panes.last_list);
        }
    }

    /// `column` of the pane's sorts; `None`: the next one. The same column again turns the order round.
    pub(super) fn sort_by(&mut self, pane: Pane, column: Option<usize>) {
        let (sort, reverse, count) = match pane {
            Pane::Images => (&mut self.images.list.sort, &mut self.images.list.reverse, super::images::SORTS.len()),
            _ => (&mut self.containers.list.sort, &mut self.containers.list.reverse, super::containers::SORTS.len()),
        };
        match column {
            Some(c) if c == *sort => *reverse = !*reverse,
            Some(c) => (*sort, *reverse) = (c.min(count - 1), false),
            None => (*sort, *reverse) = ((*sort + 1) % count, false),
        }
        self.rebuild_lists();
    }

    pub(super) fn mouse_event(&mut self, event: MouseEvent, hit: Option<Hit>) {
        match (event.kind, hit) {
            (MouseEventKind::Down(MouseButton::Left), Some(hit)) => self.click(hit),
            (MouseEventKind::Drag(MouseButton::Left), _) => {
                if let Some(edge) = self.dragging {
                    self.panes.drag(edge, event.column, event.row, self.size.0, self.size.1);
                }
            }
            (MouseEventKind::Up(_), _) => {
                if self.dragging.take().is_some() {
                    self.save();
                }
            }
            (MouseEventKind::ScrollDown, Some(hit)) => self.wheel(&hit, 3),
            (MouseEventKind::ScrollUp, Some(hit)) => self.wheel(&hit, -3),
            _ => self.dirty = false,
        }
    }

    fn click(&mut self, hit: Hit) {
        match hit {
            Hit::Pane(pane) => self.focus(pane),
            Hit::Row(pane, index) => {
                self.focus(pane);
                match pane {
                    Pane::Images => self.images.list.select_index(index),
                    _ => self.containers.list.select_index(index),
                }
            }
            Hit::Heading(pane, column) => {
                self.focus(pane);
                self.sort_by(pane, Some(column));
            }
            Hit::Action(action) => self.act(action),
            Hit::Tab(index) => {
                let (tabs, _) = self.tabs();
                if let Some(tab) = tabs.get(index) {
                    self.open_tab(*tab);
                }
                self.focus(Pane::Detail);
            }
            Hit::Edge(edge) => self.dragging = Some(edge),
        }
    }

    fn wheel(&mut self, hit: &Hit, by: isize) {
        match hit {
            Hit::Row(Pane::Images, _) | Hit::Pane(Pane::Images) | Hit::Heading(Pane::Images, _) => {
                self.images.list.step(by);
            }
            Hit::Row(..) | Hit::Pane(Pane::Containers) | Hit::Heading(..) => self.containers.list.step(by),
            _ => {}
        }
    }

    /// A border is being dragged.
    pub fn dragged_edge(&self) -> Option<Edge> {
        self.dragging
    }
}
