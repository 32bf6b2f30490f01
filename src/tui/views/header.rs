//! The first line: where we are, how many run, what the machine does.

use super::Scratch;
use crate::model::container::Status;
use crate::tui::app::{App, Hit};
use crate::tui::panes::{Layout, Pane};
use crate::tui::theme::Role;
use crate::tui::{glyphs, text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub fn draw(app: &App, scratch: &mut Scratch, layout: &Layout, buf: &mut Buffer) {
    let area = layout.header;
    if area.height == 0 {
        return;
    }
    let wide = area.width >= 110;
    let mut x = area.x + 1;
    let mut put = |content: &str, role: Role| {
        let left = area.right().saturating_sub(x);
        x = text::put(buf, x, area.y, left, content, app.theme.style(role));
    };
    put("teu", Role::Title);
    let host = &app.inventory.host;
    put(if wide { "  local" } else { " local" }, Role::Text);
    if wide && host.rootless {
        put(" rootless", Role::Text);
    }
    put(" │ ", Role::Border);
    counts(app, wide, &mut put);
    put(" │ ", Role::Border);
    machine(app, wide, &mut put);
    let alerts = app.containers.rows.iter().filter(|r| r.alert).count();
    if alerts > 0 {
        put(" │ ", Role::Border);
        put(&format!("! {alerts}"), Role::Warn);
    }
    tabs(app, scratch, layout, buf, x);
}

fn counts(app: &App, wide: bool, put: &mut impl FnMut(&str, Role)) {
    let count = |test: fn(Status) -> bool| app.inventory.containers.iter().filter(|c| test(c.state.status)).count();
    let running = count(|s| matches!(s, Status::Running | Status::Orphaned | Status::Restarting));
    let paused = count(|s| s == Status::Paused);
    let exited = count(|s| matches!(s, Status::Exited | Status::Created));
    put(&format!("{running} run"), if running > 0 { Role::Running } else { Role::Dim });
    if wide {
        put(&format!(" {paused} paused"), if paused > 0 { Role::Paused } else { Role::Dim });
        put(&format!(" {exited} exited"), Role::Dim);
    } else {
        if paused > 0 {
            put(&format!(" {paused} {}", glyphs::PAUSED), Role::Paused);
        }
        put(&format!(" {exited} {}", glyphs::EXITED), Role::Dim);
    }
}

/// Sums over the containers, against the machine's whole.
fn machine(app: &App, wide: bool, put: &mut impl FnMut(&str, Role)) {
    let cpu = app.host_cpu_shown;
    put(&format!("cpu {cpu:.0}%"), super::containers::threshold(cpu / 100.0, Role::Text));
    if wide {
        put(" ", Role::Text);
        put(&glyphs::sparkline(app.host_cpu.iter().copied(), 8, 100.0), Role::Graph);
    }
    put(" │ ", Role::Border);
    let used = app.containers.memory_shown();
    let total = app.inventory.host.memory;
    let share = if total > 0 { used as f64 / total as f64 } else { 0.0 };
    let figures = format!("mem {}/{}", text::short_bytes(used as f64), text::short_bytes(total as f64));
    put(&figures, super::containers::threshold(share, Role::Text));
    if wide {
        let (rx, tx) = app.stats.latest.values().fold((0.0, 0.0), |(r, t), s| (r + s.rates.net_rx, t + s.rates.net_tx));
        put(" │ ", Role::Border);
        put(&format!("net ↓{} ↑{}", text::short_bytes(rx), text::short_bytes(tx)), Role::Text);
    }
}

/// The panes' numbers at the right, where not all panes are shown.
fn tabs(app: &App, scratch: &mut Scratch, layout: &Layout, buf: &mut Buffer, used: u16) {
    let area = layout.header;
    if layout.panes.len() >= Pane::ALL.len() || area.right() < used + 12 {
        return;
    }
    let mut x = area.right() - 10;
    for pane in Pane::ALL {
        let role = if pane == app.panes.focus {
            Role::Accent
        } else if layout.panes.iter().any(|(p, _)| *p == pane) {
            Role::Text
        } else {
            Role::Dim
        };
        text::put(buf, x, area.y, 1, &pane.number().to_string(), app.theme.style(role));
        scratch.mark(Rect::new(x, area.y, 2, 1), Hit::Pane(pane));
        x += 2;
    }
}
