//! The panes that show what is selected: the detail with its tabs, and the stats.

use super::panel::{self, message};
use super::{Scratch, changes, lines, processes};
use crate::tui::app::{App, Hit, Tab};
use crate::tui::panes::Pane;
use crate::tui::text;
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// From so many rows on the pane of figures shows what the Stats tab does.
const ALL_PLOTS: u16 = 18;

pub fn draw(app: &mut App, scratch: &mut Scratch, area: Rect, buf: &mut Buffer) {
    let name = text::sanitize(&app.subject_name()).into_owned();
    let (tabs, open) = app.tabs();
    let mut pieces: Vec<(String, Role)> = Vec::new();
    for (i, tab) in tabs.iter().enumerate() {
        let gap = if i > 0 { " " } else { "" };
        if *tab == open {
            pieces.push((format!("{gap}[{}]", tab.title()), Role::Title));
        } else {
            pieces.push((format!("{gap}{}", tab.title()), Role::Dim));
        }
    }
    if !name.is_empty() {
        pieces.push((format!(" · {name}"), Role::Text));
    }
    let foot = match open {
        Tab::Logs => app.detail.logs.status(),
        Tab::Stats => app.detail.stats.status(),
        Tab::Inspect => app.detail.tree.status(),
        Tab::Top => processes::foot(app),
        Tab::Files => changes::foot(app),
        Tab::Env | Tab::Layers => String::new(),
    };
    let borrowed: Vec<(&str, Role)> = pieces.iter().map(|(t, r)| (t.as_str(), *r)).collect();
    let inner = panel::pieces(app, Pane::Detail, &borrowed, &foot, area, buf);
    let mut x = area.x + 5;
    for (i, piece) in pieces.iter().take(tabs.len()).enumerate() {
        let width = text::width(&piece.0) as u16;
        scratch.mark(Rect::new(x, area.y, width, 1), Hit::Tab(i));
        x += width;
    }
    if inner.is_empty() {
        return;
    }
    scratch.detail = inner;
    if app.subject().is_none() {
        return message(&[(String::from("nothing is selected"), Role::Dim)], app, inner, buf);
    }
    content(app, scratch, open, inner, buf);
}

fn content(app: &mut App, scratch: &mut Scratch, open: Tab, inner: Rect, buf: &mut Buffer) {
    let focused = app.panes.focus == Pane::Detail;
    match open {
        Tab::Logs => {
            if let Some(why) = &app.detail.logs_error {
                message(&[(why.clone(), Role::Error)], app, inner, buf);
            } else if app.detail.logs.is_empty() && !app.detail.logs.prompt_open() {
                let words = match app.detail.logs.window_name() {
                    Some(window) => format!("no output in the last {window}"),
                    None => String::from("no output yet"),
                };
                message(&[(words, Role::Dim)], app, inner, buf);
            } else {
                app.detail.logs.draw(inner, buf, &app.theme, focused, app.now);
            }
        }
        Tab::Stats => app.detail.stats.draw_full(inner, buf, &app.theme),
        Tab::Inspect => match &app.detail.tree_error {
            Some(why) => message(&[(why.clone(), Role::Error)], app, inner, buf),
            None => app.detail.tree.draw(inner, buf, &app.theme, focused),
        },
        Tab::Top => processes::draw(app, scratch, inner, buf),
        Tab::Files => changes::draw(app, scratch, inner, buf),
        Tab::Env | Tab::Layers => lines::draw(app, inner, buf),
    }
}

/// Pane 3.
pub fn draw_stats(app: &App, area: Rect, buf: &mut Buffer) {
    let row = app.containers.selected();
    let name = row.map(|r| format!(" {}", text::sanitize(&r.name))).unwrap_or_default();
    let live = row.is_some_and(|r| r.status.is_live());
    let status = app.detail.stats.status();
    let mut tail = if live && !status.is_empty() { format!(" · {status}") } else { String::new() };
    let hint = " · -/+ zoom f hold";
    if !tail.is_empty() && text::width(&name) + text::width(&tail) + text::width(hint) + 14 < usize::from(area.width) {
        tail.push_str(hint);
    }
    let pieces = [("Stats", Role::Title), (name.as_str(), Role::Text), (tail.as_str(), Role::Dim)];
    let inner = panel::pieces(app, Pane::Stats, &pieces, "", area, buf);
    if inner.is_empty() {
        return;
    }
    match row {
        None => message(&[(String::from("figures of a running container appear here"), Role::Dim)], app, inner, buf),
        // Enlarged, it has room for every plot.
        Some(_) if live && inner.height >= ALL_PLOTS => app.detail.stats.draw_full(inner, buf, &app.theme),
        Some(_) if live => {
            app.detail.stats.draw_compact(inner, buf, &app.theme);
        }
        Some(row) => {
            let age = |t| format!(", {} ago", crate::tui::figures::age(app.now.seconds_since(t)));
            let ended = row.since.map(age).unwrap_or_default();
            let mut lines = vec![(format!("not running: {}{ended}", row.ending), Role::Dim)];
            if row.ending.contains("OOM") {
                lines.push((String::from("the kernel killed it: out of memory"), Role::Failed));
                lines.push((String::from("e gives it more memory"), Role::Dim));
            }
            if let Some(error) = app.selected_container().map(|c| c.state.error.clone()).filter(|e| !e.is_empty()) {
                lines.push((error, Role::Failed));
            }
            message(&lines, app, inner, buf);
        }
    }
}
