//! The Files tab as drawn: docker's letter, the size, the path.

use super::Scratch;
use super::panel::message;
use crate::model::change::{Change, ChangeKind};
use crate::tui::app::{App, Hit};
use crate::tui::panes::Pane;
use crate::tui::theme::Role;
use crate::tui::{list, text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// For the pane's lower border.
pub fn foot(app: &App) -> String {
    let changes = &app.detail.changes;
    if !changes.known || changes.error.is_some() {
        return String::new();
    }
    let list = super::containers::foot(&changes.list);
    let whole = changes.list.filter.is_empty() && !changes.list.filtering;
    if whole { changes.summary() } else { list }
}

pub fn draw(app: &App, scratch: &mut Scratch, area: Rect, buf: &mut Buffer) {
    let changes = &app.detail.changes;
    let say = |line: &str, role, buf: &mut Buffer| message(&[(line.to_owned(), role)], app, area, buf);
    if let Some(why) = &changes.error {
        return say(why, Role::Error, buf);
    }
    if !changes.known {
        return say("comparing with the image...", Role::Dim, buf);
    }
    if changes.rows.is_empty() {
        let filtered = changes.list.total > 0;
        return say(
            if filtered { "no path matches the filter" } else { "its files are the image's: nothing was changed" },
            Role::Dim,
            buf,
        );
    }
    let height = usize::from(area.height);
    let offset = list::scroll(scratch.rows, changes.list.selected_index(), changes.rows.len(), height);
    scratch.rows = offset;
    for (i, change) in changes.rows.iter().enumerate().skip(offset).take(height) {
        let line = Rect { y: area.y + (i - offset) as u16, height: 1, ..area };
        scratch.mark(line, Hit::Row(Pane::Detail, i));
        draw_row(app, change, line, buf);
    }
}

fn draw_row(app: &App, change: &Change, line: Rect, buf: &mut Buffer) {
    let (x, right) = (line.x + 1, line.right());
    let role = match change.kind {
        ChangeKind::Added => Role::Running,
        ChangeKind::Changed => Role::Paused,
        ChangeKind::Deleted => Role::Failed,
    };
    text::put(buf, x, line.y, 1, &change.kind.letter().to_string(), app.theme.style(role));
    let size = change.size.map(|bytes| text::short_bytes(bytes as f64)).unwrap_or_default();
    text::put(buf, x + 2, line.y, 5, &text::fit_right(&size, 5), app.theme.style(Role::Dim));
    let path = change.path.to_string_lossy();
    let mut path = text::sanitize(&path).into_owned();
    if change.directory {
        path.push('/');
    }
    let room = right.saturating_sub(x + 8);
    text::put(buf, x + 8, line.y, room, &text::truncate_start(&path, usize::from(room)), app.theme.style(Role::Text));
    if app.detail.changes.list.selected.as_ref() == Some(&change.path) {
        let focused = app.panes.focus == Pane::Detail;
        buf.set_style(line, app.theme.style(if focused { Role::Selection } else { Role::SelectionDim }));
    }
}
