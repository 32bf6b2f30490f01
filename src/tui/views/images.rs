//! The images pane: what there is, and below it what is being pulled.

use super::Scratch;
use super::containers::foot;
use super::panel::{self, message};
use crate::tui::app::images::{ImageRow, SORTS};
use crate::tui::app::work::Task;
use crate::tui::app::{App, Hit};
use crate::tui::panes::Pane;
use crate::tui::theme::Role;
use crate::tui::{figures, glyphs, list, text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub fn draw(app: &App, scratch: &mut Scratch, area: Rect, buf: &mut Buffer) {
    let images = &app.images;
    let figures = title(app);
    let pieces = [("Images", Role::Title), (figures.as_str(), Role::Dim)];
    let inner = panel::pieces(app, Pane::Images, &pieces, &foot(&images.list), area, buf);
    if inner.height < 2 {
        return;
    }
    let name_width = inner.width.saturating_sub(3 + 6 + 6 + 4);
    headings(app, scratch, inner, name_width, buf);
    let pulls: Vec<_> = app.work.pulls().collect();
    let room = inner.height - 1;
    let pull_rows = (pulls.len() as u16).min(room / 2);
    let body = Rect { y: inner.y + 1, height: room - pull_rows, ..inner };
    if images.rows.is_empty() {
        empty(app, body, buf);
    } else {
        let height = usize::from(body.height);
        let offset = list::scroll(scratch.offsets[1], images.list.selected_index(), images.rows.len(), height);
        scratch.offsets[1] = offset;
        for (i, row) in images.rows.iter().enumerate().skip(offset).take(height) {
            let line = Rect { y: body.y + (i - offset) as u16, height: 1, ..body };
            scratch.mark(line, Hit::Row(Pane::Images, i));
            draw_row(app, row, name_width, line, buf);
        }
    }
    for (i, (_, task)) in pulls.iter().rev().take(usize::from(pull_rows)).enumerate() {
        let line = Rect { y: body.bottom() + i as u16, height: 1, ..inner };
        draw_pull(app, task, line, buf);
    }
}

fn title(app: &App) -> String {
    let images = &app.images;
    let mut title = format!(" {}", images.list.total);
    if images.list.total > 0 {
        title.push_str(&format!(" · {}", text::short_bytes(images.size as f64)));
    }
    if images.unused > 0 {
        title.push_str(&format!(" · unused {}", text::short_bytes(images.unused as f64)));
    }
    if images.list.sort > 0 || images.list.reverse {
        let arrow = if images.list.reverse { glyphs::UP } else { glyphs::DOWN };
        title.push_str(&format!(" · {}{arrow}", SORTS[images.list.sort.min(SORTS.len() - 1)]));
    }
    title
}

fn headings(app: &App, scratch: &mut Scratch, inner: Rect, name_width: u16, buf: &mut Buffer) {
    let style = app.theme.style(Role::Header);
    let x = inner.x + 3;
    for (x, width, name, sort) in [
        (x, name_width, "IMAGE", 0),
        (x + name_width, 6, "SIZE", 1),
        (x + name_width + 6, 6, "USED", 2),
        (x + name_width + 12, 4, "AGE", 3),
    ] {
        text::put(buf, x, inner.y, width.min(inner.right().saturating_sub(x)), name, style);
        scratch.mark(Rect::new(x, inner.y, width, 1), Hit::Heading(Pane::Images, sort));
    }
}

fn draw_row(app: &App, row: &ImageRow, name_width: u16, line: Rect, buf: &mut Buffer) {
    let images = &app.images.list;
    let selected = images.selected.as_ref() == Some(&row.key);
    let put = |buf: &mut Buffer, x: u16, width: u16, content: &str, role: Role| {
        text::put(buf, x, line.y, width.min(line.right().saturating_sub(x)), content, app.theme.style(role));
    };
    if images.marks.contains(&row.key) {
        put(buf, line.x + 1, 1, glyphs::MARK, Role::Mark);
    } else if selected {
        put(buf, line.x + 1, 1, glyphs::CURSOR, Role::Accent);
    }
    let x = line.x + 3;
    let role = if row.dangling { Role::Dim } else { Role::Text };
    // The tag at the end tells more than the registry at the start.
    let name = text::truncate_start(&row.name, usize::from(name_width.saturating_sub(1))).into_owned();
    put(buf, x, name_width, &name, role);
    put(buf, x + name_width, 5, &text::short_bytes(row.size as f64), Role::Text);
    put(buf, x + name_width + 6, 5, &row.used.to_string(), if row.used == 0 { Role::Dim } else { Role::Text });
    let age = row.created.map_or_else(|| String::from("-"), |t| figures::age(app.now.seconds_since(t)));
    put(buf, x + name_width + 12, 4, &age, Role::Text);
    if selected {
        let focused = app.panes.focus == Pane::Images;
        buf.set_style(line, app.theme.style(if focused { Role::Selection } else { Role::SelectionDim }));
    }
}

/// `pull debian:13 ███████░░░░ 61% 9.8M/s`
fn draw_pull(app: &App, task: &Task, line: Rect, buf: &mut Buffer) {
    let share = share(task);
    let stage = task.progress.stage.as_str();
    let tail = match (share, task.speed()) {
        _ if task.cancelling => String::from(" stopping"),
        (Some(s), Some(speed)) => format!(" {:>3.0}% {}/s", s * 100.0, text::short_bytes(speed)),
        (Some(s), None) => format!(" {:>3.0}% {stage}", s * 100.0),
        (None, _) => format!(" {}", if stage.is_empty() { "starting" } else { stage }),
    };
    let width = usize::from(line.width);
    let bar_width = (width / 4).clamp(4, 30);
    let room = width.saturating_sub(3 + bar_width + text::width(&tail));
    let title = text::truncate(&task.title, room.max(8)).into_owned();
    let x = text::put(buf, line.x + 1, line.y, line.width - 2, &title, app.theme.style(Role::Accent));
    let end = line.right();
    let x = two_bars(app, task, bar_width, Rect { x: x + 1, width: end.saturating_sub(x + 1), ..line }, buf);
    text::put(buf, x, line.y, end.saturating_sub(x), &tail, app.theme.style(Role::Text));
}

/// What is done, what has only arrived, what is to come; the column after it.
pub fn two_bars(app: &App, task: &Task, columns: usize, line: Rect, buf: &mut Buffer) -> u16 {
    let arrived = task.progress.total.filter(|t| *t > 0).map_or(0.0, |t| task.progress.arrived as f64 / t as f64);
    let bars = glyphs::bar_of_two(share(task).unwrap_or(0.0), arrived, columns);
    let mut x = line.x;
    for (bar, role) in bars.iter().zip([Role::Graph, Role::Graph, Role::GraphTrack]) {
        x = text::put(buf, x, line.y, line.right().saturating_sub(x), bar, app.theme.style(role));
    }
    x
}

/// How much of a task is done; `None` when its whole is not known.
pub fn share(task: &Task) -> Option<f64> {
    let total = task.progress.total.filter(|t| *t > 0)?;
    Some((task.progress.done as f64 / total as f64).clamp(0.0, 1.0))
}

fn empty(app: &App, body: Rect, buf: &mut Buffer) {
    let lines = if !app.loaded {
        vec![(String::from("reading..."), Role::Dim)]
    } else if app.images.list.total > 0 {
        vec![(format!("none of {} matches the filter", app.images.list.total), Role::Text)]
    } else {
        vec![
            (String::from("No images yet."), Role::Title),
            (String::from("P  pull one: alpine, nginx:1.29, ghcr.io/o/x"), Role::Accent),
        ]
    };
    message(&lines, app, body, buf);
}
