//! Draws the screen from `App`; what it learns on the way (scroll offsets, what lies where) is scratch. `App` is borrowed
//! mutably only because the terminals, the log and the tree keep their scroll positions and damage in themselves.

pub mod changes;
pub mod containers;
pub mod detail;
pub mod header;
pub mod images;
pub mod lines;
pub mod logs;
pub mod panel;
pub mod processes;
pub mod shell;
pub mod shells;
pub mod stats;
pub mod status;
pub mod tree;

use super::app::{App, Hit};
use super::panes::{Layout, Pane};
use super::theme::Role;
use super::{glyphs, text};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Modifier;

/// What a frame leaves behind for the next and for the mouse. May be thrown away at any time.
#[derive(Debug, Default)]
pub struct Scratch {
    hits: Vec<(Rect, Hit)>,
    /// First row shown, of containers and images.
    pub offsets: [usize; 2],
    /// First row shown, of the detail's lists.
    pub rows: usize,
    /// The inside of the detail pane.
    pub detail: Rect,
    /// Where the text cursor is.
    pub cursor: Option<Position>,
}

impl Scratch {
    /// What the last frame drew at this cell; later drawn lies above.
    pub fn hit(&self, x: u16, y: u16) -> Option<Hit> {
        let at = Position::new(x, y);
        let hit = self.hits.iter().rev().find(|(r, _)| r.contains(at)).map(|(_, h)| h.clone());
        match hit {
            Some(Hit::Pane(Pane::Detail)) if self.detail.contains(at) => Some(Hit::Detail(y - self.detail.y)),
            other => other,
        }
    }

    pub fn mark(&mut self, area: Rect, hit: Hit) {
        self.hits.push((area, hit));
    }
}

/// The whole screen.
pub fn draw(app: &mut App, scratch: &mut Scratch, frame: &mut Frame) {
    scratch.hits.clear();
    scratch.detail = Rect::default();
    scratch.cursor = None;
    let area = frame.area();
    let buf = frame.buffer_mut();
    buf.set_style(area, app.theme.style(Role::Text));
    let layout = app.panes.layout(area.width, area.height);
    if layout.panes.is_empty() {
        notice(app, area, buf);
    } else {
        screen(app, scratch, &layout, buf);
        toasts(app, area, buf);
        for overlay in &app.overlays {
            scratch.hits.clear();
            scratch.cursor = None;
            overlay.draw(app, scratch, area, buf);
        }
    }
    if app.ascii {
        glyphs::downgrade(buf);
    }
    if let Some(cursor) = scratch.cursor.filter(|c| area.contains(*c)) {
        frame.set_cursor_position(cursor);
    }
}

fn screen(app: &mut App, scratch: &mut Scratch, layout: &Layout, buf: &mut Buffer) {
    header::draw(app, scratch, layout, buf);
    for (pane, area) in &layout.panes {
        scratch.mark(*area, Hit::Pane(*pane));
        match pane {
            Pane::Containers => containers::draw(app, scratch, *area, buf),
            Pane::Images => images::draw(app, scratch, *area, buf),
            Pane::Stats => detail::draw_stats(app, *area, buf),
            Pane::Detail => detail::draw(app, scratch, *area, buf),
            Pane::Shells => shells::draw(app, scratch, *area, buf),
        }
    }
    // Borders can be dragged where nothing else lies on them.
    let marks: Vec<_> = layout.edges.iter().map(|(edge, area)| (*area, Hit::Edge(*edge))).collect();
    let panes = scratch.hits.iter().rposition(|(_, h)| matches!(h, Hit::Pane(_))).map_or(0, |i| i + 1);
    let first_special =
        scratch.hits.iter().position(|(_, h)| matches!(h, Hit::Tab(_) | Hit::ShellTab(_))).unwrap_or(panes);
    scratch.hits.splice(first_special..first_special, marks);
    status::draw(app, scratch, layout, buf);
}

fn notice(app: &App, area: Rect, buf: &mut Buffer) {
    let text = format!("teu needs 40x10, this is {}x{}", area.width, area.height);
    text::put(buf, 0, area.height / 2, area.width, &text, app.theme.style(Role::Warn));
}

/// Notices in the upper right corner, the newest at the top.
fn toasts(app: &App, area: Rect, buf: &mut Buffer) {
    for (i, toast) in app.toasts.iter().rev().enumerate() {
        let content = format!(" {} ", text::sanitize(&toast.text));
        let content = text::truncate(&content, usize::from(area.width) * 4 / 5).into_owned();
        let width = text::width(&content) as u16;
        let y = area.y + 1 + i as u16;
        if y < area.bottom() && width + 2 < area.width {
            let style = app.theme.style(if toast.bad { Role::Error } else { Role::Toast });
            let style = if toast.bad { style.add_modifier(Modifier::REVERSED) } else { style };
            text::put(buf, area.right() - width - 2, y, width, &content, style);
        }
    }
}
