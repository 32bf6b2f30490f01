//! The engine's grid onto the screen's buffer: rows are borrowed, and a plain cell costs no allocation.

use super::events::Listener;
use crate::tui::emulator::Look;
use crate::tui::theme::ANSI;
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Direction, Line, Point};
use alacritty_terminal::selection::SelectionRange;
use alacritty_terminal::term::Term;
use alacritty_terminal::term::cell::{Cell as GridCell, Flags};
use alacritty_terminal::term::color::Colors;
use alacritty_terminal::term::search::{Match, RegexIter, RegexSearch};
use alacritty_terminal::vte::ansi::{Color as GridColor, NamedColor};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

/// Combining characters shown on one cell.
const MOST_SHOWN: usize = 8;

pub(super) fn draw(term: &Term<Listener>, search: Option<&mut RegexSearch>, area: Rect, buf: &mut Buffer, look: &Look) {
    let area = area.intersection(buf.area);
    let offset = term.grid().display_offset() as i32;
    let rows = usize::from(area.height).min(term.screen_lines());
    let columns = usize::from(area.width).min(term.columns());
    if rows == 0 || columns == 0 {
        return;
    }
    let selection = term.selection.as_ref().and_then(|selection| selection.to_range(term));
    let hits = search.map(|search| hits(term, search, offset, rows)).unwrap_or_default();
    for row in 0..rows {
        let line = Line(row as i32 - offset);
        let cells = &term.grid()[line];
        let y = area.y + row as u16;
        let start = buf.index_of(area.x, y);
        for (column, out) in buf.content[start..start + columns].iter_mut().enumerate() {
            let cell = &cells[Column(column)];
            put(cell, out, term.colors());
            // The right half of a wide character would be outside.
            if cell.flags.contains(Flags::WIDE_CHAR) && column + 1 == columns {
                out.set_char(' ');
            }
            mark(Point::new(line, Column(column)), cell, selection.as_ref(), &hits, out, look);
        }
    }
}

fn mark(
    point: Point,
    cell: &GridCell,
    selection: Option<&SelectionRange>,
    hits: &[Match],
    out: &mut Cell,
    look: &Look,
) {
    let mut point = point;
    if cell.flags.contains(Flags::WIDE_CHAR_SPACER) && point.column.0 > 0 {
        point.column -= 1;
    }
    if hits.iter().any(|hit| hit.contains(&point)) {
        out.set_style(look.hit);
    }
    if selection.is_some_and(|range| range.contains(point)) {
        out.set_style(look.selection);
    }
}

/// The matches within the view.
fn hits(term: &Term<Listener>, search: &mut RegexSearch, offset: i32, rows: usize) -> Vec<Match> {
    let start = Point::new(Line(-offset), Column(0));
    let end = Point::new(Line(rows as i32 - 1 - offset), term.last_column());
    RegexIter::new(start, end, Direction::Right, term, search).take(rows * 8).collect()
}

fn put(cell: &GridCell, out: &mut Cell, colors: &Colors) {
    let flags = cell.flags;
    *out = Cell::EMPTY;
    if flags.intersects(Flags::WIDE_CHAR_SPACER | Flags::LEADING_WIDE_CHAR_SPACER) {
        out.set_char(' ');
    } else {
        symbol(cell, out);
    }
    out.fg = color(cell.fg, colors);
    out.bg = color(cell.bg, colors);
    if !flags.is_empty() {
        out.modifier = modifier(flags);
    }
    if let GridColor::Named(NamedColor::DimForeground) = cell.fg {
        out.modifier |= Modifier::DIM;
    }
    if let Some(underline) = cell.underline_color() {
        out.underline_color = color(underline, colors);
    }
}

fn symbol(cell: &GridCell, out: &mut Cell) {
    let base = if cell.c.is_control() { ' ' } else { cell.c };
    let Some(marks) = cell.zerowidth().filter(|marks| !marks.is_empty()) else {
        out.set_char(base);
        return;
    };
    let mut text = String::from(base);
    text.extend(marks.iter().take(MOST_SHOWN).filter(|c| !c.is_control()));
    // Joiners and emoji selectors would make the host terminal draw it wider than the grid thinks.
    let columns = if cell.flags.contains(Flags::WIDE_CHAR) { 2 } else { 1 };
    if text.contains('\u{200d}') || text.width() != columns {
        out.set_char(base);
    } else {
        out.set_symbol(&text);
    }
}

fn modifier(flags: Flags) -> Modifier {
    const TABLE: [(Flags, Modifier); 7] = [
        (Flags::BOLD, Modifier::BOLD),
        (Flags::DIM, Modifier::DIM),
        (Flags::ITALIC, Modifier::ITALIC),
        (Flags::INVERSE, Modifier::REVERSED),
        (Flags::HIDDEN, Modifier::HIDDEN),
        (Flags::STRIKEOUT, Modifier::CROSSED_OUT),
        (Flags::ALL_UNDERLINES, Modifier::UNDERLINED),
    ];
    TABLE.iter().filter(|(flag, _)| flags.intersects(*flag)).fold(Modifier::empty(), |sum, (_, m)| sum | *m)
}

fn color(color: GridColor, colors: &Colors) -> Color {
    match color {
        GridColor::Spec(rgb) => Color::Rgb(rgb.r, rgb.g, rgb.b),
        GridColor::Indexed(n) => match colors[usize::from(n)] {
            Some(rgb) => Color::Rgb(rgb.r, rgb.g, rgb.b),
            None if n < 16 => ANSI[usize::from(n)],
            None => Color::Indexed(n),
        },
        GridColor::Named(name) => match colors[name] {
            Some(rgb) => Color::Rgb(rgb.r, rgb.g, rgb.b),
            None => named(name),
        },
    }
}

fn named(name: NamedColor) -> Color {
    match name as usize {
        n @ 0..=15 => ANSI[n],
        n if (NamedColor::DimBlack as usize..=NamedColor::DimWhite as usize).contains(&n) => {
            ANSI[n - NamedColor::DimBlack as usize]
        }
        _ => Color::Reset,
    }
}
