//! Moving through the log: follow, cursor line, jumps to errors and hits, selection, mouse.

use super::LogView;
use super::query::beside;
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};
use std::collections::BTreeSet;

const WHEEL_LINES: i64 = 3;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TimeShown {
    Off,
    #[default]
    Local,
    Relative,
}

/// What is shown of the log, and how.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub follow: bool,
    /// The first shown row, and how many of its display lines are above the view.
    pub top: (u64, usize),
    pub cursor: Option<u64>,
    /// The cursor moved: the next draw brings it into view.
    pub reveal: bool,
    pub pan: usize,
    pub wrap: bool,
    pub time: TimeShown,
    pub unfolded: BTreeSet<u64>,
    pub select_from: Option<u64>,
    /// One past the newest row seen when following stopped.
    pub seen: u64,
    /// As last drawn.
    pub area: Rect,
    /// The row of each display line, as last drawn.
    pub lines: Vec<u64>,
    dragging: bool,
}

impl Default for View {
    fn default() -> Self {
        Self {
            follow: true,
            top: (0, 0),
            cursor: None,
            reveal: false,
            pan: 0,
            wrap: true,
            time: TimeShown::default(),
            unfolded: BTreeSet::new(),
            select_from: None,
            seen: 0,
            area: Rect::ZERO,
            lines: Vec::new(),
            dragging: false,
        }
    }
}

impl View {
    /// Back to the newest line of another log; how it is shown stays.
    pub fn reset(&mut self) {
        let (wrap, time, area) = (self.wrap, self.time, self.area);
        *self = Self { wrap, time, area, ..Self::default() };
    }

    pub fn selecting(&self) -> bool {
        self.select_from.is_some()
    }

    pub fn end_selection(&mut self) {
        self.select_from = None;
        self.dragging = false;
    }
}

impl LogView {
    /// Lines; negative: up. Moves the cursor line and the view with it.
    pub fn scroll(&mut self, lines: i64) {
        let Some(last) = self.last_shown() else { return };
        let from = self.view.cursor.unwrap_or(if self.view.follow { last } else { self.view.top.0 });
        if lines > 0 && from == last {
            return self.to_end();
        }
        let mut at = from;
        for _ in 0..lines.unsigned_abs() {
            match self.shown_beside(at, lines > 0) {
                Some(next) => at = next,
                None => break,
            }
        }
        self.go_to(at);
    }

    /// Half pages; negative: up.
    pub fn half_page(&mut self, pages: i64) {
        self.scroll(pages * i64::from((self.view.area.height / 2).max(1)));
    }

    /// Pages; negative: up.
    pub fn page(&mut self, pages: i64) {
        self.scroll(pages * i64::from(self.view.area.height.saturating_sub(1).max(1)));
    }

    pub fn to_start(&mut self) {
        if let Some(first) = self.first_shown() {
            self.go_to(first);
        }
    }

    /// To the newest line, following again.
    pub fn to_end(&mut self) {
        self.view.follow = true;
        self.view.cursor = None;
    }

    /// Columns, where lines are not wrapped.
    pub fn pan(&mut self, columns: i64) {
        self.view.pan = self.view.pan.saturating_add_signed(columns as isize).min(1 << 20);
    }

    pub fn following(&self) -> bool {
        self.view.follow
    }

    pub fn toggle_follow(&mut self) {
        if self.view.follow {
            self.pause();
        } else {
            self.to_end();
        }
    }

    pub fn toggle_wrap(&mut self) {
        self.view.wrap = !self.view.wrap;
        self.view.pan = 0;
        self.view.top.1 = 0;
    }

    pub fn wrapping(&self) -> bool {
        self.view.wrap
    }

    /// Off, local, relative.
    pub fn cycle_time(&mut self) {
        self.view.time = match self.view.time {
            TimeShown::Off => TimeShown::Local,
            TimeShown::Local => TimeShown::Relative,
            TimeShown::Relative => TimeShown::Off,
        };
    }

    /// Moves to the next or previous error line; `false`: there is none that way.
    pub fn next_error(&mut self, forward: bool) -> bool {
        let mut at = self.start_of_jump(forward);
        while let Some(number) = beside(&self.index.errors, at, forward) {
            if self.ring.get(number).is_some_and(|row| self.query.passes(row)) {
                self.go_to(number);
                return true;
            }
            at = number;
        }
        false
    }

    /// Moves to the next or previous hit, around the ends; `false`: there is none.
    pub fn next_hit(&mut self, forward: bool) -> bool {
        let ends = (self.index.hits.front().copied(), self.index.hits.back().copied());
        let around = if forward { ends.0 } else { ends.1 };
        match beside(&self.index.hits, self.start_of_jump(forward), forward).or(around) {
            Some(number) => {
                self.go_to(number);
                true
            }
            None => false,
        }
    }

    /// Where a jump starts from; while following that is the end, whose newest is meant.
    fn start_of_jump(&self, forward: bool) -> u64 {
        match self.view.cursor {
            Some(cursor) => cursor,
            None if self.view.follow && !forward => self.ring.end(),
            None if self.view.follow => self.ring.end().saturating_sub(1),
            None => self.view.top.0,
        }
    }

    /// While a search is typed: to the hit nearest to where the user was.
    pub(super) fn jump_if_found(&mut self) {
        if !self.jump || self.index.hits.is_empty() {
            return;
        }
        self.jump = false;
        let from = self.start_of_jump(false);
        let hits = &self.index.hits;
        let found = beside(hits, from.saturating_add(1), false).or_else(|| beside(hits, from, true));
        if let Some(number) = found {
            self.go_to(number);
        }
    }

    /// Unfolds or folds the structured line at the cursor; `false`: it is none.
    pub fn unfold(&mut self) -> bool {
        let Some(number) = self.view.cursor.or_else(|| self.last_shown()) else { return false };
        let Some(row) = self.ring.get(number) else { return false };
        if !super::layout::lay(row, false, false, 1, 1 << 15).structured {
            return false;
        }
        if !self.view.unfolded.remove(&number) {
            self.view.unfolded.insert(number);
        }
        self.go_to(number);
        true
    }

    /// Starts or ends a selection of lines at the cursor.
    pub fn toggle_select(&mut self) {
        if self.view.selecting() {
            self.view.end_selection();
        } else if let Some(number) = self.view.cursor.or_else(|| self.last_shown()) {
            self.go_to(number);
            self.view.select_from = Some(number);
        }
    }

    /// First and last selected row; without a selection the cursor's.
    pub(super) fn selected(&self) -> Option<(u64, u64)> {
        let cursor = self.view.cursor?;
        let from = self.view.select_from.unwrap_or(cursor);
        Some((from.min(cursor), from.max(cursor)))
    }

    /// Click sets the cursor line, a drag selects lines (whose text comes back when the button is released), the wheel scrolls.
    /// Coordinates are the screen's.
    pub fn mouse(&mut self, event: MouseEvent) -> Option<String> {
        match event.kind {
            MouseEventKind::ScrollUp => self.scroll_view(-WHEEL_LINES),
            MouseEventKind::ScrollDown => self.scroll_view(WHEEL_LINES),
            MouseEventKind::Down(MouseButton::Left) => {
                self.view.end_selection();
                let number = self.row_at(event.column, event.row)?;
                self.go_to(number);
                self.view.dragging = true;
            }
            MouseEventKind::Drag(MouseButton::Left) if self.view.dragging => {
                let row = event.row.clamp(self.view.area.y, self.view.area.bottom().saturating_sub(1));
                let number = self.row_at(self.view.area.x, row)?;
                let start = self.view.cursor.unwrap_or(number);
                self.view.select_from.get_or_insert(start);
                self.go_to(number);
            }
            MouseEventKind::Up(MouseButton::Left) if self.view.dragging => {
                self.view.dragging = false;
                return self.view.selecting().then(|| self.copy_text()).flatten();
            }
            _ => {}
        }
        None
    }

    fn row_at(&self, column: u16, row: u16) -> Option<u64> {
        let area = self.view.area;
        if !area.contains(Position::new(column, row)) {
            return None;
        }
        self.view.lines.get(usize::from(row - area.y)).or(self.view.lines.last()).copied()
    }

    /// Moves the view by display lines and leaves the cursor.
    fn scroll_view(&mut self, lines: i64) {
        if lines < 0 {
            self.pause();
        } else if self.view.follow {
            return;
        }
        self.view.reveal = false;
        for _ in 0..lines.unsigned_abs() {
            let (number, above) = self.view.top;
            if lines < 0 {
                if above > 0 {
                    self.view.top.1 -= 1;
                } else if let Some(before) = self.shown_beside(number, false) {
                    self.view.top = (before, self.height_of(before).saturating_sub(1));
                }
            } else if above + 1 < self.height_of(number) {
                self.view.top.1 += 1;
            } else if let Some(after) = self.shown_beside(number, true) {
                self.view.top = (after, 0);
            }
        }
        if lines > 0 && self.end_in_view() {
            self.to_end();
        }
    }

    fn end_in_view(&self) -> bool {
        let Some(last) = self.last_shown() else { return true };
        let rows = usize::from(self.view.area.height);
        let end = self.back_from(last, rows);
        self.view.top >= end
    }

    pub(super) fn go_to(&mut self, number: u64) {
        self.pause();
        self.view.cursor = Some(number);
        self.view.reveal = true;
    }

    fn pause(&mut self) {
        if self.view.follow {
            self.view.follow = false;
            self.view.seen = self.ring.end();
        }
    }

    pub(super) fn first_shown(&self) -> Option<u64> {
        if self.query.filtering() {
            return self.index.shown.front().copied();
        }
        (self.ring.len() > 0).then(|| self.ring.first())
    }

    pub(super) fn last_shown(&self) -> Option<u64> {
        if self.query.filtering() {
            return self.index.shown.back().copied();
        }
        (self.ring.len() > 0).then(|| self.ring.end() - 1)
    }

    pub(super) fn shown_beside(&self, number: u64, forward: bool) -> Option<u64> {
        if self.query.filtering() {
            return beside(&self.index.shown, number, forward);
        }
        let next = if forward { number.checked_add(1)? } else { number.checked_sub(1)? };
        self.ring.get(next).map(|_| next)
    }

    /// Shown rows from `from` to `to`, both included.
    pub(super) fn shown_between(&self, from: u64, to: u64) -> impl Iterator<Item = u64> + '_ {
        let start = from.max(self.ring.first());
        let first = if self.query.filtering() {
            self.index.shown.get(self.index.shown.partition_point(|n| *n < start)).copied()
        } else {
            self.ring.get(start).map(|_| start)
        };
        std::iter::successors(first, |n| self.shown_beside(*n, true)).take_while(move |n| *n <= to)
    }

    /// The top that puts the last display line of `number` at the bottom of `rows` lines.
    pub(super) fn back_from(&self, number: u64, rows: usize) -> (u64, usize) {
        let mut left = rows;
        let mut at = number;
        loop {
            let height = self.height_of(at);
            if height >= left {
                return (at, height - left);
            }
            left -= height;
            match self.shown_beside(at, false) {
                Some(before) => at = before,
                None => return (at, 0),
            }
        }
    }
}
