//! The mouse in the shells pane: programs that ask get it; else the wheel looks back and a drag selects within one terminal.

use super::input::ShellOutcome;
use super::{Shells, TermId};
use crate::tui::emulator::{MouseMode, Scroll, SelectionKind};
use crate::tui::encode;
use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};
use std::time::Instant;

const WHEEL_LINES: i32 = 3;

impl Shells {
    /// A mouse event in screen coordinates, within the area given to `resize` or dragged out of it. `now` tells double
    /// clicks from two. Shift keeps the event from the program.
    pub fn mouse(&mut self, event: MouseEvent, now: Instant) -> ShellOutcome {
        let dragging = self.panes.iter().find(|pane| pane.dragging).map(|pane| pane.id);
        let under = self.at(event.column, event.row);
        let held = matches!(event.kind, MouseEventKind::Drag(_) | MouseEventKind::Up(_));
        let Some((id, area)) =
            (if held { dragging.and_then(|id| Some((id, self.placed(id)?))).or(under) } else { under })
        else {
            return ShellOutcome::None;
        };
        if matches!(event.kind, MouseEventKind::Down(_)) && self.current() != Some(id) {
            self.show(id);
        }
        let Some(pane) = self.pane_mut(id) else { return ShellOutcome::None };
        let modes = pane.terminal.modes();
        let relative = MouseEvent {
            column: event.column.clamp(area.x, area.right().saturating_sub(1)) - area.x,
            row: event.row.clamp(area.y, area.bottom().saturating_sub(1)) - area.y,
            ..event
        };
        let own =
            event.modifiers.contains(KeyModifiers::SHIFT) || pane.copy.is_some() || pane.end.is_some() || pane.dragging;
        if modes.mouse != MouseMode::Off && !own {
            let bytes = encode::mouse(relative, &modes);
            return if bytes.is_empty() { ShellOutcome::None } else { ShellOutcome::Send(vec![(id, bytes)]) };
        }
        match event.kind {
            MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => self.wheel(id, relative),
            MouseEventKind::Down(MouseButton::Left) => self.press(id, relative, now),
            MouseEventKind::Drag(MouseButton::Left) => self.drag(id, event, relative, area),
            MouseEventKind::Up(MouseButton::Left) => self.release(id),
            _ => ShellOutcome::None,
        }
    }

    /// The link (OSC 8) under a place on the screen.
    pub fn link_at(&mut self, column: u16, row: u16) -> Option<String> {
        let (id, area) = self.at(column, row)?;
        self.pane_mut(id)?.terminal.link_at(column - area.x, row - area.y)
    }

    fn wheel(&mut self, id: TermId, event: MouseEvent) -> ShellOutcome {
        let up = event.kind == MouseEventKind::ScrollUp;
        let Some(pane) = self.pane_mut(id) else { return ShellOutcome::None };
        if pane.end.is_none() && pane.copy.is_none() {
            let bytes =
                encode::mouse(event, &crate::tui::emulator::Modes { mouse: MouseMode::Off, ..pane.terminal.modes() });
            if !bytes.is_empty() {
                return ShellOutcome::Send(vec![(id, bytes)]);
            }
        }
        pane.terminal.scroll(Scroll::Lines(if up { WHEEL_LINES } else { -WHEEL_LINES }));
        self.dirty = true;
        ShellOutcome::None
    }

    fn press(&mut self, id: TermId, event: MouseEvent, now: Instant) -> ShellOutcome {
        let Some(pane) = self.pane_mut(id) else { return ShellOutcome::None };
        let kind = match pane.clicks.press(now, event.column, event.row) {
            2 => SelectionKind::Words,
            3 => SelectionKind::Lines,
            _ if event.modifiers.contains(KeyModifiers::ALT) => SelectionKind::Block,
            _ => SelectionKind::Characters,
        };
        pane.terminal.select_start(kind, event.column, event.row, false);
        if matches!(kind, SelectionKind::Words | SelectionKind::Lines) {
            pane.terminal.select_extend(event.column, event.row, true);
        }
        pane.dragging = true;
        self.dirty = true;
        ShellOutcome::None
    }

    fn drag(&mut self, id: TermId, event: MouseEvent, relative: MouseEvent, area: Rect) -> ShellOutcome {
        let Some(pane) = self.pane_mut(id).filter(|pane| pane.dragging) else { return ShellOutcome::None };
        // Beyond the edge the view moves along, so that more than a screen can be selected.
        if event.row < area.y {
            pane.terminal.scroll(Scroll::Lines(1));
        } else if event.row >= area.bottom() {
            pane.terminal.scroll(Scroll::Lines(-1));
        }
        pane.terminal.select_extend(relative.column, relative.row, true);
        self.dirty = true;
        ShellOutcome::None
    }

    fn release(&mut self, id: TermId) -> ShellOutcome {
        let Some(pane) = self.pane_mut(id).filter(|pane| pane.dragging) else { return ShellOutcome::None };
        pane.dragging = false;
        match pane.terminal.selected_text() {
            Some(text) => ShellOutcome::Copy(text),
            None => {
                pane.terminal.select_clear();
                self.dirty = true;
                ShellOutcome::None
            }
        }
    }

    fn at(&self, column: u16, row: u16) -> Option<(TermId, Rect)> {
        self.placement().into_iter().find(|(_, area)| area.contains(Position::new(column, row)))
    }

    fn placed(&self, id: TermId) -> Option<Rect> {
        self.placement().into_iter().find(|(other, _)| *other == id).map(|(_, area)| area)
    }
}
