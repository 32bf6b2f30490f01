//! `TermEngine` over `alacritty_terminal`: the only place that knows the crate.

mod blit;
mod events;

use super::{Cursor, CursorShape, Damage, Effects, KittyFlags, Look, Modes, Motion, MouseMode, Scroll};
use super::{SelectionKind, TermEngine};
use alacritty_terminal::grid::{Dimensions, Scroll as GridScroll};
use alacritty_terminal::index::{Column, Direction, Line, Point, Side};
use alacritty_terminal::selection::{Selection, SelectionType};
use alacritty_terminal::term::search::RegexSearch;
use alacritty_terminal::term::{Config, Osc52, Term, TermDamage, TermMode};
use alacritty_terminal::vi_mode::ViMotion;
use alacritty_terminal::vte::ansi::{self, Processor};
use events::{Answers, Listener};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::time::Instant;

/// Combining characters kept on one cell; a flood of them would grow it without end.
const MOST_COMBINING: usize = 64;

pub(super) struct Alacritty {
    term: Term<Listener>,
    parser: Processor,
    listener: Listener,
    answers: Answers,
    search: Option<RegexSearch>,
}

#[derive(Clone, Copy)]
struct Size {
    columns: usize,
    rows: usize,
}

impl Dimensions for Size {
    fn total_lines(&self) -> usize {
        self.rows
    }
    fn screen_lines(&self) -> usize {
        self.rows
    }
    fn columns(&self) -> usize {
        self.columns
    }
}

impl Alacritty {
    pub fn new(columns: u16, rows: u16, history: usize) -> Self {
        let config =
            Config { scrolling_history: history, kitty_keyboard: true, osc52: Osc52::OnlyCopy, ..Config::default() };
        let listener = Listener::default();
        let size = Size { columns: columns.into(), rows: rows.into() };
        Self {
            term: Term::new(config, &size, listener.clone()),
            parser: Processor::new(),
            listener,
            answers: Answers::default(),
            search: None,
        }
    }

    fn drain(&mut self, out: &mut Effects) {
        for event in self.listener.take() {
            self.answers.handle(event, &self.term, out);
        }
    }

    fn trim_combining(&mut self) {
        let point = self.term.grid().cursor.point;
        for column in [point.column.0, point.column.0.saturating_sub(1), point.column.0.saturating_sub(2)] {
            let cell = &mut self.term.grid_mut()[point.line][Column(column)];
            if cell.zerowidth().is_some_and(|marks| marks.len() > MOST_COMBINING) {
                let (c, flags) = (cell.c, cell.flags);
                cell.clear_wide();
                (cell.c, cell.flags) = (c, flags);
            }
        }
    }

    /// A cell of the view as a point of the grid.
    fn point(&self, column: u16, row: u16) -> Point {
        let line = Line(i32::from(row) - self.offset() as i32);
        Point::new(line, Column(usize::from(column).min(self.term.columns() - 1)))
    }

    fn scroll_by(&mut self, lines: i32) {
        self.term.scroll_display(GridScroll::Delta(lines));
        if self.term.mode().contains(TermMode::VI) {
            let top = self.term.topmost_line();
            let bottom = self.term.bottommost_line();
            let mut point = self.term.vi_mode_cursor.point;
            point.line = Line((point.line.0 - lines).clamp(top.0, bottom.0));
            self.term.vi_goto_point(point);
        }
    }
}

impl TermEngine for Alacritty {
    fn feed(&mut self, bytes: &[u8], out: &mut Effects) {
        self.parser.advance(&mut self.term, bytes);
        self.trim_combining();
        self.drain(out);
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        self.term.resize(Size { columns: columns.into(), rows: rows.into() });
    }

    fn modes(&self) -> Modes {
        let mode = *self.term.mode();
        let mouse = if mode.contains(TermMode::MOUSE_MOTION) {
            MouseMode::Motion
        } else if mode.contains(TermMode::MOUSE_DRAG) {
            MouseMode::Drag
        } else if mode.contains(TermMode::MOUSE_REPORT_CLICK) {
            MouseMode::Click
        } else {
            MouseMode::Off
        };
        Modes {
            app_cursor: mode.contains(TermMode::APP_CURSOR),
            app_keypad: mode.contains(TermMode::APP_KEYPAD),
            newline: mode.contains(TermMode::LINE_FEED_NEW_LINE),
            bracketed_paste: mode.contains(TermMode::BRACKETED_PASTE),
            focus_events: mode.contains(TermMode::FOCUS_IN_OUT),
            alternate_screen: mode.contains(TermMode::ALT_SCREEN),
            alternate_scroll: mode.contains(TermMode::ALTERNATE_SCROLL),
            mouse,
            mouse_sgr: mode.contains(TermMode::SGR_MOUSE),
            mouse_utf8: mode.contains(TermMode::UTF8_MOUSE),
            kitty: KittyFlags {
                disambiguate: mode.contains(TermMode::DISAMBIGUATE_ESC_CODES),
                event_types: mode.contains(TermMode::REPORT_EVENT_TYPES),
                alternate_keys: mode.contains(TermMode::REPORT_ALTERNATE_KEYS),
                all_as_escapes: mode.contains(TermMode::REPORT_ALL_KEYS_AS_ESC),
                associated_text: mode.contains(TermMode::REPORT_ASSOCIATED_TEXT),
            },
        }
    }

    fn cursor(&self) -> Cursor {
        let copy_mode = self.term.mode().contains(TermMode::VI);
        let point = if copy_mode { self.term.vi_mode_cursor.point } else { self.term.grid().cursor.point };
        let style = self.term.cursor_style().shape;
        let row = point.line.0 + self.offset() as i32;
        let in_view = (0..self.term.screen_lines() as i32).contains(&row);
        let shown = self.term.mode().contains(TermMode::SHOW_CURSOR) && style != ansi::CursorShape::Hidden;
        Cursor {
            column: point.column.0.min(self.term.columns() - 1) as u16,
            row: row.clamp(0, self.term.screen_lines() as i32 - 1) as u16,
            shape: match style {
                _ if copy_mode => CursorShape::Block,
                ansi::CursorShape::Underline => CursorShape::Underline,
                ansi::CursorShape::Beam => CursorShape::Bar,
                _ => CursorShape::Block,
            },
            visible: in_view && (copy_mode || shown),
        }
    }

    fn render(&mut self, area: Rect, buf: &mut Buffer, look: &Look) {
        blit::draw(&self.term, self.search.as_mut(), area, buf, look);
    }

    fn history_len(&self) -> usize {
        self.term.history_size()
    }

    fn offset(&self) -> usize {
        self.term.grid().display_offset()
    }

    fn scroll(&mut self, scroll: Scroll) {
        self.term.scroll_display(match scroll {
            Scroll::Lines(lines) => GridScroll::Delta(lines),
            Scroll::PageUp => GridScroll::PageUp,
            Scroll::PageDown => GridScroll::PageDown,
            Scroll::Top => GridScroll::Top,
            Scroll::Bottom => GridScroll::Bottom,
        });
    }

    fn select_start(&mut self, kind: SelectionKind, column: u16, row: u16, right: bool) {
        let point = self.point(column, row);
        self.term.selection = Some(Selection::new(selection_type(kind), point, side(right)));
    }

    fn select_extend(&mut self, column: u16, row: u16, right: bool) {
        let point = self.point(column, row);
        if let Some(selection) = &mut self.term.selection {
            selection.update(point, side(right));
        }
    }

    fn select_clear(&mut self) {
        self.term.selection = None;
    }

    fn selected_text(&self) -> Option<String> {
        self.term.selection_to_string().filter(|text| !text.is_empty())
    }

    fn all_text(&self) -> String {
        let start = Point::new(self.term.topmost_line(), Column(0));
        let end = Point::new(self.term.bottommost_line(), self.term.last_column());
        self.term.bounds_to_string(start, end).trim_end().to_owned()
    }

    fn set_copy_mode(&mut self, on: bool) {
        if on != self.term.mode().contains(TermMode::VI) {
            self.term.toggle_vi_mode();
        }
        if !on {
            self.term.selection = None;
            self.search = None;
        }
    }

    fn motion(&mut self, motion: Motion) {
        let page = self.term.screen_lines() as i32;
        let half = (page / 2).max(1);
        match motion {
            Motion::HistoryTop => self.term.vi_goto_point(Point::new(self.term.topmost_line(), Column(0))),
            Motion::HistoryBottom => {
                let line = self.term.grid().cursor.point.line;
                self.term.vi_goto_point(Point::new(line, Column(0)));
            }
            Motion::HalfPageUp => self.scroll_by(half),
            Motion::HalfPageDown => self.scroll_by(-half),
            Motion::PageUp => self.scroll_by(page),
            Motion::PageDown => self.scroll_by(-page),
            // The engine's middle of a single row lies above it.
            Motion::ScreenMiddle if page < 2 => self.term.vi_motion(ViMotion::High),
            other => {
                if let Some(motion) = vi_motion(other) {
                    self.term.vi_motion(motion);
                }
            }
        }
    }

    fn copy_select(&mut self, kind: SelectionKind) {
        let ty = selection_type(kind);
        let point = self.term.vi_mode_cursor.point;
        match &mut self.term.selection {
            Some(selection) if selection.ty == ty => self.term.selection = None,
            Some(selection) => selection.ty = ty,
            None => self.term.selection = Some(Selection::new(ty, point, Side::Left)),
        }
        if let Some(selection) = &mut self.term.selection {
            selection.include_all();
        }
    }

    fn set_search(&mut self, pattern: Option<&str>) -> Result<(), String> {
        self.search = match pattern {
            Some(pattern) => Some(RegexSearch::new(pattern).map_err(|error| error.to_string())?),
            None => None,
        };
        Ok(())
    }

    fn search_next(&mut self, forward: bool) -> bool {
        let Some(search) = &mut self.search else { return false };
        let from = self.term.vi_mode_cursor.point;
        let (origin, direction) = if forward {
            (step(&self.term, from, true), Direction::Right)
        } else {
            (step(&self.term, from, false), Direction::Left)
        };
        match self.term.search_next(search, origin, direction, Side::Left, None) {
            Some(found) => {
                self.term.vi_goto_point(*found.start());
                true
            }
            None => false,
        }
    }

    fn link_at(&self, column: u16, row: u16) -> Option<String> {
        let point = self.point(column, row);
        self.term.grid()[point.line][point.column].hyperlink().map(|link| link.uri().to_owned())
    }

    fn take_damage(&mut self) -> Damage {
        let damage = match self.term.damage() {
            TermDamage::Full => Damage::Full,
            TermDamage::Partial(lines) => lines.fold(Damage::None, |sum, line| {
                let row = line.line as u16;
                match sum {
                    Damage::Rows(first, last) => Damage::Rows(first.min(row), last.max(row)),
                    _ => Damage::Rows(row, row),
                }
            }),
        };
        self.term.reset_damage();
        damage
    }

    fn sync_deadline(&self) -> Option<Instant> {
        self.parser.sync_timeout().sync_timeout()
    }

    fn end_sync(&mut self, out: &mut Effects) {
        self.parser.stop_sync(&mut self.term);
        self.drain(out);
    }

    fn set_colors(&mut self, foreground: (u8, u8, u8), background: (u8, u8, u8)) {
        self.answers.foreground = foreground;
        self.answers.background = background;
    }
}

/// The cell after or before a point, over line ends, staying at the grid's ends.
fn step(term: &Term<Listener>, mut point: Point, forward: bool) -> Point {
    if forward && point.column < term.last_column() {
        point.column += 1;
    } else if forward && point.line < term.bottommost_line() {
        point = Point::new(point.line + 1, Column(0));
    } else if !forward && point.column.0 > 0 {
        point.column -= 1;
    } else if !forward && point.line > term.topmost_line() {
        point = Point::new(point.line - 1, term.last_column());
    }
    point
}

fn side(right: bool) -> Side {
    if right { Side::Right } else { Side::Left }
}

fn selection_type(kind: SelectionKind) -> SelectionType {
    match kind {
        SelectionKind::Characters => SelectionType::Simple,
        SelectionKind::Words => SelectionType::Semantic,
        SelectionKind::Lines => SelectionType::Lines,
        SelectionKind::Block => SelectionType::Block,
    }
}

fn vi_motion(motion: Motion) -> Option<ViMotion> {
    Some(match motion {
        Motion::Left => ViMotion::Left,
        Motion::Right => ViMotion::Right,
        Motion::Up => ViMotion::Up,
        Motion::Down => ViMotion::Down,
        Motion::LineStart => ViMotion::First,
        Motion::LineEnd => ViMotion::Last,
        Motion::FirstText => ViMotion::FirstOccupied,
        Motion::ScreenTop => ViMotion::High,
        Motion::ScreenMiddle => ViMotion::Middle,
        Motion::ScreenBottom => ViMotion::Low,
        Motion::WordNext => ViMotion::SemanticRight,
        Motion::WordBack => ViMotion::SemanticLeft,
        Motion::WordEnd => ViMotion::SemanticRightEnd,
        Motion::BigWordNext => ViMotion::WordRight,
        Motion::BigWordBack => ViMotion::WordLeft,
        Motion::BigWordEnd => ViMotion::WordRightEnd,
        Motion::Bracket => ViMotion::Bracket,
        Motion::ParagraphUp => ViMotion::ParagraphUp,
        Motion::ParagraphDown => ViMotion::ParagraphDown,
        _ => return None,
    })
}
