//! Draws the screen from `&App`; what it learns on the way (scroll offsets, what lies where) is scratch.

pub mod containers;
pub mod header;
pub mod images;
pub mod logs;
pub mod panel;
pub mod shell;
pub mod stats;
pub mod status;

use super::app::{App, Hit};
use super::glyphs;
use super::panes::{Layout, Pane};
use super::theme::Role;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// What a frame leaves behind for the next and for the mouse. May be thrown away at any time.
#[derive(Debug, Default)]
pub struct Scratch {
    hits: Vec<(Rect, Hit)>,
    /// First row shown, of containers and images.
    pub offsets: [usize; 2],
    /// Where the text cursor is.
    pub cursor: Option<Position>,
}

impl Scratch {
    /// What the last frame drew at this cell; later drawn lies above.
    pub fn hit(&self, x: u16, y: u16) -> Option<Hit> {
        self.hits.iter().rev().find(|(r, _)| r.contains(Position::new(x, y))).map(|(_, h)| h.clone())
    }

    pub fn mark(&mut self, area: Rect, hit: Hit) {
        self.hits.push((area, hit));
    }
}

/// The whole screen.
pub fn draw(app: &App, scratch: &mut Scratch, frame: &mut Frame) {
    scratch.hits.clear();
    scratch.cursor = None;
    let area = frame.area();
    let buf = frame.buffer_mut();
    buf.set_style(area, app.theme.style(Role::Text));
    let layout = app.panes.layout(area.width, area.height);
    if layout.panes.is_empty() {
        notice(app, area, buf);
    } else {
        screen(app, scratch, &layout, buf);
    }
    if app.ascii {
        glyphs::downgrade(buf);
    }
    if let Some(cursor) = scratch.cursor.filter(|c| area.contains(*c)) {
        frame.set_cursor_position(cursor);
    }
}

fn screen(app: &App, scratch: &mut Scratch, layout: &Layout, buf: &mut Buffer) {
    header::draw(app, scratch, layout, buf);
    for (pane, area) in &layout.panes {
        scratch.mark(*area, Hit::Pane(*pane));
        match pane {
            Pane::Containers => containers::draw(app, scratch, *area, buf),
            Pane::Images => images::draw(app, scratch, *area, buf),
            Pane::Stats | Pane::Detail | Pane::Shells => {
                panel::draw(app, *pane, "", "", *area, buf);
            }
        }
    }
    for (edge, area) in &layout.edges {
        scratch.mark(*area, Hit::Edge(*edge));
    }
    status::draw(app, scratch, layout, buf);
}

fn notice(app: &App, area: Rect, buf: &mut Buffer) {
    let text = format!("teu needs 40x10, this is {}x{}", area.width, area.height);
    super::text::put(buf, 0, area.height / 2, area.width, &text, app.theme.style(Role::Warn));
}
