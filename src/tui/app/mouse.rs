//! The mouse: what lies under the pointer decides, whatever has the keyboard.

use super::{App, Hit, Tab};
use crate::tui::overlay::Flow;
use crate::tui::panes::{Edge, Pane};
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

impl App {
    pub(super) fn mouse_event(&mut self, event: MouseEvent, hit: Option<Hit>) {
        if !self.overlays.is_empty() {
            return self.mouse_on_overlay(event, hit);
        }
        if let Some(edge) = self.dragging {
            // Whatever it is dragged over.
            match event.kind {
                MouseEventKind::Drag(_) => {
                    return self.panes.drag(edge, event.column, event.row, self.size.0, self.size.1);
                }
                MouseEventKind::Up(_) => {
                    self.dragging = None;
                    return self.save();
                }
                _ => {}
            }
        }
        let shell = hit == Some(Hit::Terminal);
        let held = matches!(event.kind, MouseEventKind::Drag(_) | MouseEventKind::Up(_));
        if shell || held && self.panes.focus == Pane::Shells {
            if shell && matches!(event.kind, MouseEventKind::Down(_)) {
                self.focus(Pane::Shells);
            }
            let outcome = self.terms.view.mouse(event, self.instant());
            return self.shell_outcome(outcome);
        }
        if self.panes.focus == Pane::Detail && self.tabs().1 == Tab::Logs && held || matches!(hit, Some(Hit::Detail(_)))
        {
            return self.mouse_on_detail(event, &hit);
        }
        match (event.kind, hit) {
            (MouseEventKind::Down(MouseButton::Left), Some(hit)) => self.click(hit),
            (MouseEventKind::ScrollDown, Some(hit)) => self.wheel(&hit, 3),
            (MouseEventKind::ScrollUp, Some(hit)) => self.wheel(&hit, -3),
            _ => self.dirty = false,
        }
    }

    /// On an overlay clicks choose; beside it they close it.
    fn mouse_on_overlay(&mut self, event: MouseEvent, hit: Option<Hit>) {
        let Some(mut top) = self.overlays.pop() else { return };
        let flow = match (event.kind, hit) {
            (MouseEventKind::Down(MouseButton::Left), Some(Hit::Overlay(row))) => {
                let at = self.overlays.len();
                let flow = top.click(self, row);
                if flow == Flow::Keep {
                    self.overlays.insert(at, top);
                }
                return;
            }
            (MouseEventKind::ScrollDown, _) => {
                top.wheel(self, 3);
                Flow::Keep
            }
            (MouseEventKind::ScrollUp, _) => {
                top.wheel(self, -3);
                Flow::Keep
            }
            _ => Flow::Keep,
        };
        if flow == Flow::Keep {
            self.overlays.push(top);
        }
    }

    fn mouse_on_detail(&mut self, event: MouseEvent, hit: &Option<Hit>) {
        if matches!(event.kind, MouseEventKind::Down(_)) {
            self.focus(Pane::Detail);
        }
        match self.tabs().1 {
            Tab::Logs => {
                if let Some(text) = self.detail.logs.mouse(event) {
                    self.copy(text, "the selected lines");
                }
            }
            tab => match (event.kind, hit) {
                (MouseEventKind::ScrollDown, _) => self.scroll_detail(3),
                (MouseEventKind::ScrollUp, _) => self.scroll_detail(-3),
                (MouseEventKind::Down(MouseButton::Left), Some(Hit::Detail(row))) if tab == Tab::Inspect => {
                    self.detail.tree.select_row(usize::from(*row));
                    if self.is_double(Hit::Detail(*row)) {
                        self.detail.tree.toggle();
                    }
                }
                _ => {}
            },
        }
    }

    /// The same place again within 400 ms.
    fn is_double(&mut self, hit: Hit) -> bool {
        let again = self
            .clicked
            .as_ref()
            .is_some_and(|(last, when)| *last == hit && self.now.0.saturating_sub(when.0) < 400_000_000);
        self.clicked = if again { None } else { Some((hit, self.now)) };
        again
    }

    fn click(&mut self, hit: Hit) {
        match hit {
            Hit::Pane(pane) => self.focus(pane),
            Hit::Row(pane, index) => {
                self.focus(pane);
                match pane {
                    Pane::Images => self.images.list.select_index(index),
                    Pane::Detail if self.tabs().1 == Tab::Top => self.detail.processes.list.select_index(index),
                    Pane::Detail => self.detail.changes.list.select_index(index),
                    _ => self.containers.list.select_index(index),
                }
                if self.is_double(Hit::Row(pane, index)) {
                    self.open();
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
            Hit::ShellTab(tab) => {
                self.focus(Pane::Shells);
                self.terms.view.select_tab(tab);
            }
            Hit::Terminal | Hit::Detail(_) | Hit::Overlay(_) => {}
        }
    }

    fn wheel(&mut self, hit: &Hit, by: isize) {
        match hit {
            Hit::Row(Pane::Images, _) | Hit::Pane(Pane::Images) | Hit::Heading(Pane::Images, _) => {
                self.images.list.step(by);
            }
            Hit::Row(Pane::Detail, _) | Hit::Heading(Pane::Detail, _) => self.scroll_detail(by),
            Hit::Row(..) | Hit::Pane(Pane::Containers) | Hit::Heading(..) => self.containers.list.step(by),
            _ => {}
        }
    }

    /// A border is being dragged.
    pub fn dragged_edge(&self) -> Option<Edge> {
        self.dragging
    }
}
