//! A pane's frame: number and title in the upper border, figures in the lower one, the focus shown by its colour.

use crate::tui::app::App;
use crate::tui::panes::Pane;
use crate::tui::text;
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::border;

/// A piece of a title with its role.
pub type Piece<'a> = (&'a str, Role);

/// Draws the frame and returns what is inside.
pub fn draw(app: &App, pane: Pane, title: &str, foot: &str, area: Rect, buf: &mut Buffer) -> Rect {
    pieces(app, pane, &[(title, Role::Title)], foot, area, buf)
}

/// As [`draw`], with a title of several pieces.
pub fn pieces(app: &App, pane: Pane, title: &[Piece], foot: &str, area: Rect, buf: &mut Buffer) -> Rect {
    let focused = app.panes.focus == pane;
    let border = app.theme.style(if focused { Role::BorderFocus } else { Role::Border });
    let inner = frame(area, border, focused, buf);
    let number = pane.number().to_string();
    let key = if focused { app.theme.style(Role::BorderFocus) } else { app.theme.style(Role::Key) };
    let mut x = area.x + 2;
    let end = area.right().saturating_sub(2);
    let mut put = |text: &str, style: Style, buf: &mut Buffer| {
        if x < end {
            x = text::put(buf, x, area.y, end - x, text, style);
        }
    };
    put(" ", border, buf);
    put(&number, key, buf);
    put(" ", border, buf);
    for (piece, role) in title {
        put(piece, app.theme.style(*role), buf);
    }
    put(" ", border, buf);
    footer(foot, area, app.theme.style(Role::Dim), buf);
    inner
}

/// The figures at the right of the lower border.
pub fn footer(foot: &str, area: Rect, style: Style, buf: &mut Buffer) {
    let width = text::width(foot) as u16 + 2;
    if !foot.is_empty() && width + 3 <= area.width && area.height > 1 {
        let x = area.right() - width - 2;
        text::put(buf, x, area.bottom() - 1, width, &format!(" {foot} "), style);
    }
}

/// The bare frame: thick when focused, so that it shows without colours too.
pub fn frame(area: Rect, style: Style, focused: bool, buf: &mut Buffer) -> Rect {
    if area.width < 2 || area.height < 2 {
        return Rect::new(area.x, area.y, 0, 0);
    }
    let set = if focused { border::THICK } else { border::PLAIN };
    for x in area.left() + 1..area.right() - 1 {
        buf[(x, area.top())].set_symbol(set.horizontal_top).set_style(style);
        buf[(x, area.bottom() - 1)].set_symbol(set.horizontal_bottom).set_style(style);
    }
    for y in area.top() + 1..area.bottom() - 1 {
        buf[(area.left(), y)].set_symbol(set.vertical_left).set_style(style);
        buf[(area.right() - 1, y)].set_symbol(set.vertical_right).set_style(style);
    }
    for (x, y, symbol) in [
        (area.left(), area.top(), set.top_left),
        (area.right() - 1, area.top(), set.top_right),
        (area.left(), area.bottom() - 1, set.bottom_left),
        (area.right() - 1, area.bottom() - 1, set.bottom_right),
    ] {
        buf[(x, y)].set_symbol(symbol).set_style(style);
    }
    Rect::new(area.x + 1, area.y + 1, area.width - 2, area.height - 2)
}

/// Lines in the middle of a pane that has nothing else to show.
pub fn message(lines: &[(String, Role)], app: &App, area: Rect, buf: &mut Buffer) {
    let top = area.y + area.height.saturating_sub(lines.len() as u16) / 3;
    for (i, (line, role)) in lines.iter().enumerate() {
        let y = top + i as u16;
        if y >= area.bottom() {
            break;
        }
        let line = text::truncate(line, usize::from(area.width.saturating_sub(2)));
        text::put(buf, area.x + 2, y, area.width.saturating_sub(2), &line, app.theme.style(*role));
    }
}
