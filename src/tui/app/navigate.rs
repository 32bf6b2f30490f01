//! Where the keyboard is: panes, tabs, steps in a list, and the way back.

use super::{App, Tab};
use crate::tui::panes::Pane;
use crate::tui::views::shell::ShellOutcome;

impl App {
    pub(super) fn focus(&mut self, pane: Pane) {
        let before = self.panes.focus;
        if before == pane {
            return;
        }
        self.panes.set_focus(pane);
        // Programs that asked for it are told that they gained or lost the keyboard.
        if before == Pane::Shells || pane == Pane::Shells {
            let outcome = self.terms.view.focus(pane == Pane::Shells);
            if let ShellOutcome::Send(_) = outcome {
                self.shell_outcome(outcome);
            }
        }
        self.fetch_detail();
    }

    pub(super) fn cycle(&mut self, by: usize) {
        let next = Pane::ALL[(self.panes.focus as usize + by) % Pane::ALL.len()];
        self.focus(next);
    }

    pub(super) fn turn_tab(&mut self, by: usize) {
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
        self.detail.offset = 0;
        self.fetch_detail();
    }

    pub(super) fn go_to_tab(&mut self, tab: Tab) {
        self.panes.last_list = Pane::Containers;
        self.open_tab(tab);
        self.focus(Pane::Detail);
    }

    /// Rows of a page of the focused pane.
    pub(super) fn page(&self) -> isize {
        let layout = self.panes.layout(self.size.0, self.size.1);
        let height = layout.panes.iter().find(|(p, _)| *p == self.panes.focus).map_or(10, |(_, r)| r.height);
        isize::from(height.saturating_sub(4).max(1) as i16)
    }

    pub(super) fn step(&mut self, by: isize) {
        match self.panes.focus {
            Pane::Containers => self.containers.list.step(by),
            Pane::Images => self.images.list.step(by),
            Pane::Detail => self.scroll_detail(by),
            Pane::Stats | Pane::Shells => {}
        }
    }

    /// One level back, and no more.
    pub(super) fn back(&mut self) {
        let logs = self.panes.focus == Pane::Detail && self.tabs().1 == Tab::Logs;
        if logs && self.detail.logs.escape() || self.detail.stats.escape() {
            return;
        }
        if self.panes.focus == Pane::Detail && !self.detail.tree.search.is_empty() {
            self.detail.tree.search.set("");
        } else if self.panes.focus == Pane::Detail
            && (self.tabs().1 == Tab::Top && self.detail.processes.list.step_back()
                || self.tabs().1 == Tab::Files && self.detail.changes.list.step_back())
        {
            self.refilter();
        } else if self.panes.zoomed {
            self.panes.zoomed = false;
        } else if self.panes.focus == Pane::Images && self.images.list.step_back()
            || self.panes.focus == Pane::Containers && self.containers.list.step_back()
        {
            self.refilter();
        } else if !self.panes.focus.is_list() {
            self.focus(self.panes.last_list);
        }
    }
}
