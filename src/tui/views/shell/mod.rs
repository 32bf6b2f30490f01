//! The shells pane: terminals in tabs and splits, the leader key, copy mode, mouse. State only: what must be sent, copied or
//! asked of the engine comes back as an outcome.

mod copy;
mod draw;
mod input;
mod layout;
mod leader;
mod mouse;
mod pane;
#[cfg(test)]
mod tests;

pub use draw::ShellCursor;
pub use input::{LEADER_KEYS, ShellCommand, ShellOutcome};
pub use layout::Split;
pub use leader::Leader;
pub use pane::{End, TermId};

use crate::tui::emulator::{Effects, Terminal};
use layout::Node;
use pane::{Clicks, Pane};
use ratatui::layout::Rect;
use std::time::Instant;

/// Where a new terminal goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A tab of its own.
    Tab,
    /// Beside or below the current terminal.
    Split(Split),
}

/// What a new terminal is called.
#[derive(Clone, Debug, Default)]
pub struct Open {
    /// The container's name, as shown.
    pub container: String,
    /// What runs in it: `sh`.
    pub program: String,
    /// What the caller knows the container by (its id): for `of_owner`.
    pub owner: String,
}

struct Tab {
    root: Node,
    focus: TermId,
    /// Only the focused terminal is shown.
    zoomed: bool,
}

/// All terminals.
pub struct Shells {
    panes: Vec<Pane>,
    tabs: Vec<Tab>,
    active: usize,
    leader: Leader,
    leader_pending: bool,
    broadcast: bool,
    history: usize,
    area: Rect,
    next_id: u64,
    colors: Option<Colors>,
    dirty: bool,
}

type Colors = ((u8, u8, u8), (u8, u8, u8));

impl Shells {
    /// `history`: lines of scrollback for each terminal.
    pub fn new(leader: Leader, history: usize) -> Self {
        Self {
            panes: Vec::new(),
            tabs: Vec::new(),
            active: 0,
            leader,
            leader_pending: false,
            broadcast: false,
            history,
            area: Rect::new(0, 0, 80, 24),
            next_id: 1,
            colors: None,
            dirty: true,
        }
    }

    /// What programs that ask for the default colours are told: the host terminal's.
    pub fn set_colors(&mut self, foreground: (u8, u8, u8), background: (u8, u8, u8)) {
        self.colors = Some((foreground, background));
        self.panes.iter_mut().for_each(|pane| pane.terminal.set_colors(foreground, background));
    }

    /// A new terminal, shown at once; its program should get `size(id)` before its first byte. Call `resize` afterwards: a
    /// split makes others smaller.
    pub fn open(&mut self, open: Open, place: Place) -> TermId {
        let id = TermId(self.next_id);
        self.next_id += 1;
        match (place, self.tabs.get_mut(self.active)) {
            (Place::Split(how), Some(tab)) => {
                tab.root.split(tab.focus, how, id);
                tab.focus = id;
                tab.zoomed = false;
            }
            _ => {
                let at = if self.tabs.is_empty() { 0 } else { self.active + 1 };
                self.tabs.insert(at, Tab { root: Node::Leaf(id), focus: id, zoomed: false });
                self.active = at;
            }
        }
        let area = self.area_of(id).unwrap_or(self.area);
        let mut terminal = Terminal::new(area.width, area.height, self.history);
        if let Some((foreground, background)) = self.colors {
            terminal.set_colors(foreground, background);
        }
        self.panes.push(Pane {
            id,
            container: open.container,
            program: open.program,
            owner: open.owner,
            title: String::new(),
            cwd: None,
            terminal,
            end: None,
            activity: false,
            bell: false,
            copy: None,
            clicks: Clicks::default(),
            dragging: false,
        });
        self.dirty = true;
        id
    }

    /// Output of a program. Give at most `emulator::SLICE` bytes a turn. Replies must be sent to it before later input.
    pub fn feed(&mut self, id: TermId, bytes: &[u8]) -> Effects {
        self.with_output(id, |terminal| terminal.feed(bytes))
    }

    /// A replayed screen: replaces what is shown, keeps the history.
    pub fn screen(&mut self, id: TermId, bytes: &[u8]) -> Effects {
        self.with_output(id, |terminal| terminal.replay(bytes))
    }

    fn with_output(&mut self, id: TermId, f: impl FnOnce(&mut Terminal) -> Effects) -> Effects {
        let seen = self.is_visible(id);
        let Some(pane) = self.pane_mut(id) else { return Effects::default() };
        let effects = f(&mut pane.terminal);
        let badge = !seen && !pane.activity;
        pane.absorb(&effects, seen);
        self.dirty |= seen || badge || effects.title.is_some();
        effects
    }

    /// The program ended; its last screen stays until `close`. Returns whether it had the keyboard.
    pub fn exited(&mut self, id: TermId, end: End) -> bool {
        let focused = self.current() == Some(id);
        let Some(pane) = self.pane_mut(id) else { return false };
        pane.leave_copy_mode();
        pane.end = Some(end);
        self.leader_pending = false;
        self.dirty = true;
        focused
    }

    /// The terminal runs again (re-exec or re-attach) under the same place and history.
    pub fn revived(&mut self, id: TermId) {
        if let Some(pane) = self.pane_mut(id) {
            pane.end = None;
        }
        self.dirty = true;
    }

    /// What is known of a terminal by now: `None` keeps the program's name.
    pub fn rename(&mut self, id: TermId, container: &str, program: Option<&str>, owner: &str) {
        let Some(pane) = self.pane_mut(id) else { return };
        container.clone_into(&mut pane.container);
        owner.clone_into(&mut pane.owner);
        if let Some(program) = program {
            program.clone_into(&mut pane.program);
        }
        self.dirty = true;
    }

    pub fn close(&mut self, id: TermId) {
        self.panes.retain(|pane| pane.id != id);
        let Some(at) = self.tabs.iter().position(|tab| tab.root.leaves().contains(&id)) else { return };
        let tab = self.tabs.remove(at);
        if let Some(root) = tab.root.without(id) {
            let focus = if tab.focus == id { root.leaves()[0] } else { tab.focus };
            self.tabs.insert(at, Tab { root, focus, zoomed: false });
        } else if self.active > at || self.active >= self.tabs.len() {
            self.active = self.active.saturating_sub(1);
        }
        self.look();
    }

    /// Sets the pane's inner area; returns the terminals whose size changed: tell their programs, at most once a settled size.
    pub fn resize(&mut self, area: Rect) -> Vec<(TermId, u16, u16)> {
        self.area = area;
        let mut changed = Vec::new();
        for id in self.panes.iter().map(|pane| pane.id).collect::<Vec<_>>() {
            let Some(place) = self.area_of(id) else { continue };
            let Some(pane) = self.pane_mut(id) else { continue };
            if !place.is_empty() && pane.terminal.resize(place.width, place.height) {
                let (columns, rows) = pane.terminal.size();
                changed.push((id, columns, rows));
            }
        }
        self.dirty |= !changed.is_empty();
        changed
    }

    /// Columns and rows of a terminal.
    pub fn size(&self, id: TermId) -> Option<(u16, u16)> {
        self.pane(id).map(|pane| pane.terminal.size())
    }

    pub fn is_empty(&self) -> bool {
        self.panes.is_empty()
    }

    /// The terminal that gets the keys.
    pub fn current(&self) -> Option<TermId> {
        self.tabs.get(self.active).map(|tab| tab.focus)
    }

    /// `web:sh`.
    pub fn label(&self, id: TermId) -> Option<String> {
        self.pane(id).map(Pane::label)
    }

    /// The title a program gave its window, without control characters.
    pub fn window_title(&self, id: TermId) -> Option<&str> {
        self.pane(id).map(|pane| pane.title.as_str()).filter(|title| !title.is_empty())
    }

    pub fn cwd(&self, id: TermId) -> Option<&str> {
        self.pane(id)?.cwd.as_deref()
    }

    pub fn end(&self, id: TermId) -> Option<&End> {
        self.pane(id)?.end.as_ref()
    }

    /// Terminals of a container, running ones first.
    pub fn of_owner(&self, owner: &str) -> Vec<TermId> {
        let mut found: Vec<&Pane> = self.panes.iter().filter(|pane| pane.owner == owner).collect();
        found.sort_by_key(|pane| pane.end.is_some());
        found.into_iter().map(|pane| pane.id).collect()
    }

    /// Terminals whose program runs.
    pub fn live(&self) -> usize {
        self.panes.iter().filter(|pane| pane.end.is_none()).count()
    }

    pub fn tab_count(&self) -> usize {
        self.tabs.len()
    }

    /// Shows a tab by its place (from 0).
    pub fn select_tab(&mut self, at: usize) {
        if at < self.tabs.len() {
            self.active = at;
            self.look();
        }
    }

    /// Shows the tab of a terminal and gives it the keys.
    pub fn show(&mut self, id: TermId) {
        if let Some(at) = self.tabs.iter().position(|tab| tab.root.leaves().contains(&id)) {
            self.active = at;
            self.tabs[at].focus = id;
            self.look();
        }
    }

    /// Whether anything visible changed since the last call.
    pub fn take_dirty(&mut self) -> bool {
        let mut dirty = std::mem::take(&mut self.dirty);
        for id in self.visible() {
            if let Some(pane) = self.pane_mut(id) {
                dirty |= pane.terminal.take_dirty();
            }
        }
        dirty
    }

    /// When `tick` must be called: the end of the earliest synchronized update.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.panes.iter().filter_map(|pane| pane.terminal.sync_deadline()).min()
    }

    /// Shows synchronized updates whose time is over; their effects as of `feed`.
    pub fn tick(&mut self, now: Instant) -> Vec<(TermId, Effects)> {
        let due = |pane: &&Pane| pane.terminal.sync_deadline().is_some_and(|deadline| deadline <= now);
        let ids: Vec<TermId> = self.panes.iter().filter(due).map(|pane| pane.id).collect();
        ids.into_iter().map(|id| (id, self.with_output(id, Terminal::end_sync))).collect()
    }

    /// History and screen of a terminal, for an editor or a file.
    pub fn all_text(&mut self, id: TermId) -> String {
        self.pane_mut(id).map(|pane| pane.terminal.all_text()).unwrap_or_default()
    }

    fn pane(&self, id: TermId) -> Option<&Pane> {
        self.panes.iter().find(|pane| pane.id == id)
    }

    fn pane_mut(&mut self, id: TermId) -> Option<&mut Pane> {
        self.panes.iter_mut().find(|pane| pane.id == id)
    }

    fn current_pane(&mut self) -> Option<&mut Pane> {
        self.current().and_then(|id| self.pane_mut(id))
    }

    /// Terminals of the shown tab that are on screen.
    fn visible(&self) -> Vec<TermId> {
        match self.tabs.get(self.active) {
            Some(tab) if tab.zoomed => vec![tab.focus],
            Some(tab) => tab.root.leaves(),
            None => Vec::new(),
        }
    }

    fn is_visible(&self, id: TermId) -> bool {
        self.visible().contains(&id)
    }

    /// What is on screen now has been seen.
    fn look(&mut self) {
        for id in self.visible() {
            if let Some(pane) = self.pane_mut(id) {
                pane.seen();
            }
        }
        self.dirty = true;
    }

    fn area_of(&self, id: TermId) -> Option<Rect> {
        let tab = self.tabs.iter().find(|tab| tab.root.leaves().contains(&id))?;
        if tab.zoomed && tab.focus == id {
            return Some(self.area);
        }
        tab.root.place(self.area).0.into_iter().find(|(leaf, _)| *leaf == id).map(|(_, area)| area)
    }
}
