//! The engine behind a wall: sizes are clamped, output comes in slices, and a panic inside costs the grid, not the shell.

use super::alacritty::Alacritty;
use super::prescan::Prescan;
use super::*;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside an engine call, whose panics are caught: a panic hook must leave the terminal alone then.
pub fn in_engine() -> bool {
    INSIDE.get()
}

type Factory = Box<dyn Fn(u16, u16) -> Box<dyn TermEngine> + Send>;

/// One pane's terminal.
pub struct Terminal {
    engine: Box<dyn TermEngine>,
    make: Factory,
    prescan: Prescan,
    columns: u16,
    rows: u16,
    /// The report of a caught panic, until `feed` can hand it over.
    failed: Option<String>,
    dirty: bool,
    /// Nothing was fed yet.
    blank: bool,
}

/// Undoes what a program may have switched on, without losing the history: what stands before a replayed screen.
const NEUTRAL: &[u8] =
    b"\x18\x1b[?2026l\x1b[?1049l\x1b[=0u\x1b[0m\x1b(B\x1b)B\x0f\x1b[r\x1b[?6l\x1b[4l\x1b[20l\x1b[?7h\x1b[?25h\
\x1b[?1l\x1b>\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1005l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[0 q\x1b[H\x1b[2J";

impl Terminal {
    /// A blank grid of `columns` x `rows` with up to `history` lines of scrollback.
    pub fn new(columns: u16, rows: u16, history: usize) -> Self {
        Self::with_engine(columns, rows, Box::new(move |c, r| Box::new(Alacritty::new(c, r, history))))
    }

    pub(super) fn with_engine(columns: u16, rows: u16, make: Factory) -> Self {
        let (columns, rows) = clamp(columns, rows);
        Self {
            engine: make(columns, rows),
            make,
            prescan: Prescan::default(),
            columns,
            rows,
            failed: None,
            dirty: true,
            blank: true,
        }
    }

    /// Parses output. Give at most `SLICE` bytes a turn where keys must be answered meanwhile.
    pub fn feed(&mut self, bytes: &[u8]) -> Effects {
        let mut out = Effects::default();
        self.blank &= bytes.is_empty();
        let in_update = self.sync_deadline().is_some();
        for slice in bytes.chunks(SLICE) {
            self.prescan.feed(slice, &mut out);
            self.guarded((), |engine| engine.feed(slice, &mut out));
        }
        // Within a synchronized update nothing is shown before its end.
        self.dirty |= !(bytes.is_empty() || in_update && self.sync_deadline().is_some());
        out.rebuilt = self.failed.take();
        out
    }

    /// Replaces what is shown by a replayed screen. Its own replies (there should be none) are dropped.
    pub fn replay(&mut self, screen: &[u8]) -> Effects {
        // A blank grid has nothing to be undone, and nothing worth keeping in the history.
        if !std::mem::take(&mut self.blank) {
            self.feed(NEUTRAL);
        }
        let mut out = self.feed(screen);
        out.replies.clear();
        out.bell = false;
        out
    }

    /// Returns whether the size changed.
    pub fn resize(&mut self, columns: u16, rows: u16) -> bool {
        let (columns, rows) = clamp(columns, rows);
        if (columns, rows) == (self.columns, self.rows) {
            return false;
        }
        (self.columns, self.rows) = (columns, rows);
        self.guarded((), |engine| engine.resize(columns, rows));
        self.dirty = true;
        true
    }

    pub fn size(&self) -> (u16, u16) {
        (self.columns, self.rows)
    }

    pub fn modes(&self) -> Modes {
        self.engine.modes()
    }

    pub fn cursor(&self) -> Cursor {
        self.engine.cursor()
    }

    pub fn render(&mut self, area: Rect, buf: &mut Buffer, look: &Look) {
        self.guarded((), |engine| engine.render(area, buf, look));
    }

    pub fn history_len(&self) -> usize {
        self.engine.history_len()
    }

    pub fn offset(&self) -> usize {
        self.engine.offset()
    }

    /// Whether anything changed since the last call: draw only then.
    pub fn take_dirty(&mut self) -> bool {
        let damaged = self.guarded(Damage::Full, |engine| engine.take_damage()) != Damage::None;
        std::mem::take(&mut self.dirty) && damaged
    }

    pub fn scroll(&mut self, scroll: Scroll) {
        self.act(|engine| engine.scroll(scroll));
    }

    pub fn select_start(&mut self, kind: SelectionKind, column: u16, row: u16, right: bool) {
        let (column, row) = self.inside(column, row);
        self.act(|engine| engine.select_start(kind, column, row, right));
    }

    pub fn select_extend(&mut self, column: u16, row: u16, right: bool) {
        let (column, row) = self.inside(column, row);
        self.act(|engine| engine.select_extend(column, row, right));
    }

    pub fn select_clear(&mut self) {
        self.act(|engine| engine.select_clear());
    }

    pub fn selected_text(&mut self) -> Option<String> {
        self.guarded(None, |engine| engine.selected_text())
    }

    pub fn all_text(&mut self) -> String {
        self.guarded(String::new(), |engine| engine.all_text())
    }

    pub fn set_copy_mode(&mut self, on: bool) {
        self.act(|engine| engine.set_copy_mode(on));
    }

    pub fn motion(&mut self, motion: Motion) {
        self.act(|engine| engine.motion(motion));
    }

    pub fn copy_select(&mut self, kind: SelectionKind) {
        self.act(|engine| engine.copy_select(kind));
    }

    /// Errors: the pattern is not a regular expression, or too large a one.
    pub fn set_search(&mut self, pattern: Option<&str>) -> Result<(), String> {
        self.dirty = true;
        self.guarded(Ok(()), |engine| engine.set_search(pattern))
    }

    pub fn search_next(&mut self, forward: bool) -> bool {
        self.dirty = true;
        self.guarded(false, |engine| engine.search_next(forward))
    }

    pub fn link_at(&mut self, column: u16, row: u16) -> Option<String> {
        let (column, row) = self.inside(column, row);
        self.guarded(None, |engine| engine.link_at(column, row))
    }

    pub fn sync_deadline(&self) -> Option<Instant> {
        self.engine.sync_deadline()
    }

    /// Shows a synchronized update whose time is over.
    pub fn end_sync(&mut self) -> Effects {
        let mut out = Effects::default();
        self.guarded((), |engine| engine.end_sync(&mut out));
        self.dirty = true;
        out.rebuilt = self.failed.take();
        out
    }

    pub fn set_colors(&mut self, foreground: (u8, u8, u8), background: (u8, u8, u8)) {
        self.guarded((), |engine| engine.set_colors(foreground, background));
    }

    fn act(&mut self, f: impl FnOnce(&mut dyn TermEngine)) {
        self.guarded((), f);
        self.dirty = true;
    }

    fn inside(&self, column: u16, row: u16) -> (u16, u16) {
        (column.min(self.columns - 1), row.min(self.rows - 1))
    }

    fn guarded<R>(&mut self, otherwise: R, f: impl FnOnce(&mut dyn TermEngine) -> R) -> R {
        let engine = &mut self.engine;
        INSIDE.set(true);
        let result = catch_unwind(AssertUnwindSafe(|| f(engine.as_mut())));
        INSIDE.set(false);
        result.unwrap_or_else(|cause| {
            self.rebuild(&*cause);
            otherwise
        })
    }

    fn rebuild(&mut self, cause: &(dyn std::any::Any + Send)) {
        let cause = cause.downcast_ref::<String>().map(String::as_str).or(cause.downcast_ref::<&str>().copied());
        self.failed =
            Some(format!("terminal engine failed ({}); its grid was rebuilt", cause.unwrap_or("no reason given")));
        let broken = std::mem::replace(&mut self.engine, (self.make)(self.columns, self.rows));
        self.prescan = Prescan::default();
        self.dirty = true;
        INSIDE.set(true);
        // What is broken may fail once more while it is taken apart.
        let _ = catch_unwind(AssertUnwindSafe(move || drop(broken)));
        INSIDE.set(false);
    }
}

fn clamp(columns: u16, rows: u16) -> (u16, u16) {
    (columns.clamp(MIN_COLUMNS, MAX_CELLS_PER_SIDE), rows.clamp(1, MAX_CELLS_PER_SIDE))
}
