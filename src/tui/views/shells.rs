//! Pane 5: tabs in the border, the terminal inside, the way out in the lower border.

use super::panel::{self, message};
use super::{Scratch, images};
use crate::tui::app::{App, Hit};
use crate::tui::glyphs;
use crate::tui::panes::Pane;
use crate::tui::text;
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Columns before the tab line in the border.
const TABS_AT: u16 = 12;

pub fn draw(app: &mut App, scratch: &mut Scratch, area: Rect, buf: &mut Buffer) {
    let focused = app.panes.focus == Pane::Shells;
    let terms = &app.terms;
    let title = if terms.view.is_empty() { "Shells" } else { "Shells " };
    let room = area.width.saturating_sub(TABS_AT + 2);
    let line = terms.view.tabs_line(&app.theme, room);
    let foot = terms.view.hint(focused);
    let inner = panel::draw(app, Pane::Shells, title, "", area, buf);
    if !terms.view.is_empty() && room > 0 {
        let x = area.x + TABS_AT;
        let (end, _) = buf.set_line(x, area.y, &line, room);
        text::put(buf, end, area.y, 1, " ", app.theme.style(Role::Border));
        for column in 0..end.saturating_sub(x) {
            if let Some(tab) = terms.view.tab_at(column, room) {
                scratch.mark(Rect::new(x + column, area.y, 1, 1), Hit::ShellTab(tab));
            }
        }
    }
    let style = app.theme.style(if focused { Role::ShellFocus } else { Role::Dim });
    let foot = text::truncate(&foot, usize::from(area.width.saturating_sub(6))).into_owned();
    panel::footer(&foot, area, style, buf);
    if inner.is_empty() {
        return;
    }
    if app.terms.view.is_empty() {
        return empty(app, inner, buf);
    }
    scratch.mark(inner, Hit::Terminal);
    let cursor = app.terms.view.draw(inner, buf, &app.theme, focused && app.overlays.is_empty());
    scratch.cursor = cursor.map(|c| c.position);
    waiting(app, inner, buf);
}

/// What the session is still doing before its first byte: pulling, making the image, starting.
fn waiting(app: &App, inner: Rect, buf: &mut Buffer) {
    let Some(term) = app.terms.current().filter(|t| !t.opened) else { return };
    let Some(task) = term.ticket.and_then(|t| app.work.running.get(&t)) else { return };
    let stage = if task.progress.stage.is_empty() { "starting" } else { &task.progress.stage };
    let mut lines = vec![(format!("{}: {stage}", task.title), Role::Dim)];
    if let Some(share) = images::share(task) {
        let columns = usize::from(inner.width / 2);
        let arrived = task.progress.total.map_or(0.0, |t| task.progress.arrived as f64 / t as f64);
        let bar = glyphs::bar_of_two(share, arrived, columns).concat();
        lines.push((format!("{bar} {:.0}%", share * 100.0), Role::Graph));
    }
    if !task.progress.note.is_empty() {
        lines.push((text::sanitize(&task.progress.note).into_owned(), Role::Dim));
    }
    message(&lines, app, inner, buf);
}

fn empty(app: &App, inner: Rect, buf: &mut Buffer) {
    let key = app.keymap.key_text(crate::tui::action::Action::Shell);
    let lines = [
        (String::from("No shell is open."), Role::Dim),
        (format!("{key} on a running container opens one; it goes on when you leave."), Role::Dim),
    ];
    message(&lines, app, inner, buf);
}
