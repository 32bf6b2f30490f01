//! The Top tab as drawn: `PID USER TIME CPU% MEM COMMAND`.

use super::Scratch;
use super::panel::message;
use crate::tui::app::processes::{ProcessRow, SORTS};
use crate::tui::app::{App, Hit};
use crate::tui::panes::Pane;
use crate::tui::theme::Role;
use crate::tui::{list, text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Heading, width, set to the right.
const COLUMNS: [(&str, u16, bool); 6] = [
    ("PID", 6, true),
    ("USER", 8, false),
    ("TIME", 7, true),
    ("CPU%", 6, true),
    ("MEM", 5, true),
    ("COMMAND", 0, false),
];

/// For the pane's lower border.
pub fn foot(app: &App) -> String {
    let processes = &app.detail.processes;
    if !processes.known() {
        return String::new();
    }
    let list = &processes.list;
    let arrow = if list.reverse { ", reversed" } else { "" };
    format!("by {}{arrow} · {}", SORTS[list.sort.min(SORTS.len() - 1)], super::containers::foot(list))
}

pub fn draw(app: &App, scratch: &mut Scratch, area: Rect, buf: &mut Buffer) {
    let processes = &app.detail.processes;
    let say = |line: &str, role, buf: &mut Buffer| message(&[(line.to_owned(), role)], app, area, buf);
    if app.containers.selected().is_some_and(|row| !row.status.is_live()) {
        return say("not running: there are no processes", Role::Dim, buf);
    }
    if let Some(why) = &processes.error {
        return say(why, Role::Error, buf);
    }
    if !processes.known() {
        return say("reading...", Role::Dim, buf);
    }
    headings(app, scratch, area, buf);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let height = usize::from(body.height);
    let offset = list::scroll(scratch.rows, processes.list.selected_index(), processes.rows.len(), height);
    scratch.rows = offset;
    for (i, row) in processes.rows.iter().enumerate().skip(offset).take(height) {
        let line = Rect { y: body.y + (i - offset) as u16, height: 1, ..body };
        scratch.mark(line, Hit::Row(Pane::Detail, i));
        draw_row(app, row, line, buf);
    }
    if processes.rows.is_empty() {
        message(&[(String::from("no process matches the filter"), Role::Dim)], app, body, buf);
    }
}

/// Where each column begins, and how wide it is.
fn columns(area: Rect) -> impl Iterator<Item = (usize, u16, u16)> {
    let mut x = area.x + 1;
    COLUMNS.iter().enumerate().map(move |(i, (_, width, _))| {
        let left = area.right().saturating_sub(x);
        let width = if *width == 0 { left } else { (*width).min(left) };
        let at = x;
        x += width + 1;
        (i, at, width)
    })
}

fn headings(app: &App, scratch: &mut Scratch, area: Rect, buf: &mut Buffer) {
    for (i, x, width) in columns(area) {
        let (name, _, right) = COLUMNS[i];
        let name = if right { text::fit_right(name, usize::from(width)) } else { name.to_owned() };
        text::put(buf, x, area.y, width, &name, app.theme.style(Role::Header));
        scratch.mark(Rect::new(x, area.y, width, 1), Hit::Heading(Pane::Detail, i));
    }
}

fn draw_row(app: &App, row: &ProcessRow, line: Rect, buf: &mut Buffer) {
    let process = &row.process;
    let seconds = process.cpu_usec / 1_000_000;
    let cells = [
        process.inside.to_string(),
        text::sanitize(&process.user).into_owned(),
        format!("{}:{:02}", seconds / 60, seconds % 60),
        row.cpu.map_or_else(|| String::from("-"), |cpu| format!("{cpu:.1}")),
        text::short_bytes(row.memory as f64),
        text::sanitize(&process.command).into_owned(),
    ];
    for (i, x, width) in columns(line) {
        let right = COLUMNS[i].2;
        let cell = &cells[i];
        let cell = if right { text::fit_right(cell, usize::from(width)) } else { text::fit(cell, usize::from(width)) };
        let role = match i {
            3 => super::containers::threshold(row.cpu.unwrap_or(0.0) / 100.0, Role::Text),
            _ if process.state == 'Z' => Role::Dim,
            _ => Role::Text,
        };
        text::put(buf, x, line.y, width, &cell, app.theme.style(role));
    }
    if app.detail.processes.list.selected.as_ref() == Some(&row.key) {
        let focused = app.panes.focus == Pane::Detail;
        buf.set_style(line, app.theme.style(if focused { Role::Selection } else { Role::SelectionDim }));
    }
}
