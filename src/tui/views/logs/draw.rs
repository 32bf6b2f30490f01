//! The log view on the screen: gutter, time, text with hits, scroll bar with ticks, the search line.

use super::LogView;
use super::layout::{self, Laid};
use super::level::Level;
use super::moves::TimeShown;
use super::query::Matcher;
use super::ring::Row;
use crate::model::log::Stream;
use crate::model::time::Timestamp;
use crate::tui::text;
use crate::tui::theme::{Role, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// The widest name of a merged container.
const WIDEST_SOURCE: usize = 12;
/// Names of merged containers take turns in these.
const SOURCE_ROLES: [Role; 5] = [Role::Accent, Role::Mark, Role::Warn, Role::Ok, Role::Title];
/// Columns of the time: `10:42:01 ` and `  12m `.
const LOCAL_WIDTH: usize = 9;
const RELATIVE_WIDTH: usize = 6;

/// What drawing one row needs.
struct Frame<'a> {
    theme: &'a Theme,
    focused: bool,
    now: Timestamp,
    search: Option<&'a Matcher>,
    selected: Option<(u64, u64)>,
}

impl LogView {
    /// What the bottom border says: `FOLLOW · ts local · wrap · 18204 lines`.
    pub fn status(&self) -> String {
        let mut parts = Vec::new();
        let new = self.ring.end().saturating_sub(self.view.seen);
        parts.push(match (self.view.follow, new) {
            (true, _) => "FOLLOW".to_string(),
            (false, 0) => "PAUSED".to_string(),
            (false, new) => format!("PAUSED · {new} new"),
        });
        if self.view.selecting() {
            parts.push("SELECT".into());
        }
        parts.extend(self.window_name().map(|name| format!("last {name}")));
        match self.view.time {
            TimeShown::Off => {}
            TimeShown::Local => parts.push("ts local".into()),
            TimeShown::Relative => parts.push("ts relative".into()),
        }
        if self.view.wrap {
            parts.push("wrap".into());
        }
        for filter in &self.query.filters {
            let sign = if filter.keep { '&' } else { '!' };
            let pattern = text::truncate(&filter.matcher.pattern, 16).into_owned();
            parts.push(format!(
                "{sign}{}{}",
                text::sanitize(&pattern),
                if self.query.filters_off { " off" } else { "" }
            ));
        }
        let lines = if self.query.filtering() {
            format!("{} of {} lines", self.index.shown.len(), self.ring.len())
        } else {
            let last = if self.older > 0 { "last " } else { "" };
            format!("{last}{}", text::counted(self.ring.len(), "line"))
        };
        parts.push(lines);
        parts.join(" · ")
    }

    /// Draws the view into the border's inside. `now` is for relative times.
    pub fn draw(&mut self, area: Rect, buf: &mut Buffer, theme: &Theme, focused: bool, now: Timestamp) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        let bar = self.bar(theme);
        let rows = area.height.saturating_sub(u16::from(bar.is_some()));
        self.view.area = Rect { height: rows, ..area };
        self.settle(usize::from(rows));
        let query = self.query.search.clone();
        let frame = Frame { theme, focused, now, search: query.as_ref(), selected: self.selected() };
        let lines = self.draw_rows(buf, &frame);
        self.draw_scrollbar(buf, theme, &lines);
        self.view.lines = lines;
        if let Some((line, style)) = bar {
            let line = text::fit(&line, area.width.into());
            text::put(buf, area.x, area.y + rows, area.width, &line, style);
        }
    }

    /// Brings the top into the log and, if asked for, the cursor into the view.
    fn settle(&mut self, rows: usize) {
        let Some(last) = self.last_shown() else { return };
        let first = self.first_shown().unwrap_or(last);
        if self.view.follow {
            self.view.top = self.back_from(last, rows);
            return;
        }
        let (mut top, above) = self.view.top;
        if self.query.filtering() && self.index.shown.binary_search(&top).is_err() {
            top = self.shown_beside(top, true).unwrap_or(last);
        }
        self.view.top = if top < first { (first, 0) } else { (top.min(last), above) };
        self.view.unfolded.retain(|n| *n >= first);
        if let Some(cursor) = self.view.cursor {
            let cursor = cursor.clamp(first, last);
            self.view.cursor = Some(cursor);
            if std::mem::take(&mut self.view.reveal) {
                self.reveal(cursor, rows);
            }
        }
        // Never an empty half below the newest line.
        let end = self.back_from(last, rows);
        self.view.top = self.view.top.min(end);
    }

    fn reveal(&mut self, cursor: u64, rows: usize) {
        if cursor <= self.view.top.0 {
            self.view.top = (cursor, 0);
        } else {
            let lowest = self.back_from(cursor, rows);
            self.view.top = self.view.top.max(lowest);
        }
    }

    pub(super) fn height_of(&self, number: u64) -> usize {
        let unfolded = self.view.unfolded.contains(&number);
        if !self.view.wrap && !unfolded {
            return 1;
        }
        self.ring.get(number).map_or(1, |row| self.lay(number, row).lines.len())
    }

    fn lay(&self, number: u64, row: &Row) -> Laid {
        let unfolded = self.view.unfolded.contains(&number);
        layout::lay(row, unfolded, self.view.wrap, self.text_width(), self.view.pan)
    }

    fn prefix_width(&self) -> usize {
        let time = match self.view.time {
            TimeShown::Off => 0,
            TimeShown::Local => LOCAL_WIDTH,
            TimeShown::Relative => RELATIVE_WIDTH,
        };
        1 + time + self.source_width()
    }

    fn source_width(&self) -> usize {
        if self.sources.len() < 2 {
            return 0;
        }
        let widest = self.sources.iter().map(|name| text::width(name)).max().unwrap_or(0);
        widest.min(WIDEST_SOURCE) + 1
    }

    fn text_width(&self) -> usize {
        usize::from(self.view.area.width).saturating_sub(self.prefix_width() + 1).max(1)
    }

    /// Draws from the top; returns each display line's row.
    fn draw_rows(&self, buf: &mut Buffer, frame: &Frame) -> Vec<u64> {
        let area = self.view.area;
        let mut drawn = Vec::new();
        if self.query.filtering() && self.index.shown.is_empty() {
            return drawn; // not the line either at which the view stood before
        }
        let (mut number, mut skip) = self.view.top;
        while drawn.len() < usize::from(area.height) {
            let Some(row) = self.ring.get(number) else { break };
            let left = usize::from(area.height) - drawn.len();
            let y = area.y + drawn.len() as u16;
            let used = match row.mark {
                Some(mark) => self.draw_mark(mark, row, y, buf, frame),
                None => self.draw_row(number, row, y, skip..skip + left, buf, frame),
            };
            drawn.extend(std::iter::repeat_n(number, used));
            skip = 0;
            match self.shown_beside(number, true) {
                Some(next) => number = next,
                None => break,
            }
        }
        drawn
    }

    fn draw_mark(&self, mark: u32, row: &Row, y: u16, buf: &mut Buffer, frame: &Frame) -> usize {
        let area = self.view.area;
        let label = format!(" ──── mark {mark} · {} ", self.local(row.time));
        let width = usize::from(area.width.saturating_sub(1));
        let rest = "─".repeat(width.saturating_sub(text::width(&label) + 1));
        text::put(buf, area.x, y, width as u16, &format!("{label}{rest}"), frame.theme.style(Role::Mark));
        1
    }

    /// Draws those of a row's display lines that are in `part`; returns how many.
    fn draw_row(&self, number: u64, row: &Row, y: u16, part: Range<usize>, buf: &mut Buffer, frame: &Frame) -> usize {
        let area = self.view.area;
        let laid = self.lay(number, row);
        let end = part.end.min(laid.lines.len());
        let start = part.start.min(end.saturating_sub(1));
        let cursor = frame.focused && self.view.cursor == Some(number);
        if start == 0 {
            self.draw_prefix(row, y, buf, frame);
        }
        let gutter = match (cursor, row.stream) {
            (true, _) => Some(("▸", Role::Accent)),
            (false, Stream::Stderr) => Some(("▎", Role::Stderr)),
            _ => None,
        };
        let hits = frame.search.map(|matcher| matcher.ranges(&laid.styled.text)).unwrap_or_default();
        let base = base_style(row, &laid, frame.theme);
        let x = area.x + (self.prefix_width() as u16).min(area.width);
        let (hit, current) = (frame.theme.style(Role::SearchHit), frame.theme.style(Role::SearchCurrent));
        let hit = if self.view.cursor == Some(number) { current } else { hit };
        for (at, line) in laid.lines[start..end].iter().enumerate() {
            let y = y + at as u16;
            if let Some((symbol, role)) = gutter {
                text::put(buf, area.x, y, 1, symbol, frame.theme.style(role));
            }
            self.draw_text(&laid, line.clone(), (x, y), base, (&hits, hit), buf);
        }
        if cursor && laid.structured && !self.view.unfolded.contains(&number) {
            self.draw_unfold_hint(&laid.styled.text[laid.lines[start].clone()], y, buf, frame.theme);
        }
        if frame.selected.is_some_and(|(from, to)| self.view.selecting() && (from..=to).contains(&number)) {
            let lines = Rect { y, height: (end - start) as u16, width: area.width.saturating_sub(1), ..area };
            buf.set_style(lines, frame.theme.style(Role::Selection));
        }
        end - start
    }

    fn draw_prefix(&self, row: &Row, y: u16, buf: &mut Buffer, frame: &Frame) {
        let area = self.view.area;
        let mut x = area.x + 1;
        let room = |x: u16| area.right().saturating_sub(x);
        let time = match self.view.time {
            TimeShown::Off => String::new(),
            TimeShown::Local => self.local(row.time),
            TimeShown::Relative => text::fit_right(&age(row.time, frame.now), RELATIVE_WIDTH - 1),
        };
        if !time.is_empty() {
            x = text::put(buf, x, y, room(x), &time, frame.theme.style(Role::Dim)) + 1;
        }
        let width = self.source_width();
        if width > 0 && x < area.right() {
            let name = self.sources.get(usize::from(row.source)).map_or("?", String::as_str);
            let role = SOURCE_ROLES[usize::from(row.source) % SOURCE_ROLES.len()];
            let name = text::fit(&text::sanitize(name), width - 1);
            text::put(buf, x, y, room(x), &name, frame.theme.style(role));
        }
    }

    fn draw_text(
        &self,
        laid: &Laid,
        line: Range<usize>,
        at: (u16, u16),
        base: Style,
        (hits, hit): (&[Range<usize>], Style),
        buf: &mut Buffer,
    ) {
        let (mut x, y) = at;
        let right = self.view.area.right().saturating_sub(1);
        let pan = if self.view.wrap { 0 } else { self.view.pan };
        let mut skipped = 0;
        for (offset, grapheme) in laid.styled.text[line.clone()].grapheme_indices(true) {
            let offset = line.start + offset;
            let width = text::width(grapheme);
            if skipped < pan {
                skipped += width;
                continue;
            }
            if x + width as u16 > right || y >= buf.area.bottom() {
                break;
            }
            let mut style = base.patch(laid.styled.style_at(offset));
            if hits.iter().any(|range| range.contains(&offset)) {
                style = style.patch(hit);
            }
            buf.set_stringn(x, y, grapheme, width, style);
            x += width as u16;
        }
    }

    fn draw_unfold_hint(&self, line: &str, y: u16, buf: &mut Buffer, theme: &Theme) {
        const HINT: &str = "Enter to unfold";
        let area = self.view.area;
        let end = self.prefix_width() + text::width(line);
        let start = usize::from(area.width).saturating_sub(HINT.len() + 2);
        if start > end {
            text::put(buf, area.x + start as u16, y, HINT.len() as u16, HINT, theme.style(Role::Dim));
        }
    }

    /// The place in the whole log, with ticks where errors and hits are.
    fn draw_scrollbar(&self, buf: &mut Buffer, theme: &Theme, lines: &[u64]) {
        let area = self.view.area;
        let (Some(first), Some(last)) = (self.first_shown(), self.last_shown()) else { return };
        let height = u64::from(area.height);
        let total = last - first + 1;
        let all = lines.first() == Some(&first) && lines.last() == Some(&last) && self.view.top.1 == 0;
        let whole_last = lines.iter().rev().take_while(|n| **n == last).count() >= self.height_of(last);
        if height == 0 || (all && whole_last) {
            return;
        }
        let x = area.right() - 1;
        let (shown_from, shown_to) = (lines.first().copied().unwrap_or(first), lines.last().copied().unwrap_or(last));
        for row in 0..height {
            let from = first + total * row / height;
            let to = (first + total * (row + 1) / height).max(from + 1);
            let within = |list: &std::collections::VecDeque<u64>| {
                list.get(list.partition_point(|n| *n < from)).is_some_and(|n| *n < to)
            };
            let (symbol, role) = if within(&self.index.hits) {
                ("◂", Role::SearchHit)
            } else if within(&self.index.errors) {
                ("◂", Role::Error)
            } else if shown_from < to && shown_to >= from {
                ("█", Role::Accent)
            } else {
                ("│", Role::Border)
            };
            text::put(buf, x, area.y + row as u16, 1, symbol, theme.style(role));
        }
    }

    /// The line below: the prompt, the search with its count, or a message.
    fn bar(&self, theme: &Theme) -> Option<(String, Style)> {
        if let Some(message) = &self.message {
            let typed = self.prompt.as_ref().map(|prompt| format!("{}{}_   ", prompt.sign(), prompt.text));
            return Some((format!(" {}{message}", typed.unwrap_or_default()), theme.style(Role::Warn)));
        }
        let regex = if self.is_regex { "^R text" } else { "^R regex" };
        let count = self.hit_count();
        let line = match (&self.prompt, &self.query.search) {
            (Some(prompt), _) if prompt.purpose == super::Purpose::Search => {
                format!(" /{}_   {count}   {regex}  Enter keep  Esc cancel", prompt.text)
            }
            (Some(prompt), _) if prompt.purpose == super::Purpose::Window => super::asks::window_line(),
            (Some(prompt), _) if prompt.purpose == super::Purpose::Pipe => {
                format!(" {}{}_   Enter runs it with the shown lines  Esc cancel", prompt.sign(), prompt.text)
            }
            (Some(prompt), _) => format!(" {}{}_   {regex}  Enter filter  Esc cancel", prompt.sign(), prompt.text),
            (None, Some(matcher)) => {
                format!(" /{}   {count}   n/N next  & keep  ! drop  {regex}  Esc close", matcher.pattern)
            }
            (None, None) => return None,
        };
        Some((line, theme.style(Role::Input)))
    }

    /// `3 of 17`; `…` while older lines are still searched.
    fn hit_count(&self) -> String {
        let hits = &self.index.hits;
        let more = if self.index.pending() { "…" } else { "" };
        if self.query.search.is_none() {
            return String::new();
        }
        if hits.is_empty() {
            return if more.is_empty() { "no hits".into() } else { "searching…".into() };
        }
        match self.view.cursor.map(|cursor| hits.binary_search(&cursor)) {
            Some(Ok(at)) => format!("{} of {}{more}", at + 1, hits.len()),
            _ => format!("{}{more} hits", hits.len()),
        }
    }

    fn local(&self, time: Timestamp) -> String {
        let Ok(stamp) = jiff::Timestamp::from_nanosecond(i128::from(time.0)) else { return "--:--:--".into() };
        let zoned = stamp.to_zoned(self.zone.clone());
        format!("{:02}:{:02}:{:02}", zoned.hour(), zoned.minute(), zoned.second())
    }
}

/// Lines without colours of their own get their level's.
fn base_style(row: &Row, laid: &Laid, theme: &Theme) -> Style {
    match row.level {
        _ if !laid.styled.runs.is_empty() => theme.style(Role::Text),
        Level::Error => theme.style(Role::Error),
        Level::Warn => theme.style(Role::Warn),
        Level::None => theme.style(Role::Text),
    }
}

/// `12s`, `4m`, `3h`, `2d`.
fn age(time: Timestamp, now: Timestamp) -> String {
    match now.seconds_since(time) {
        s @ 0..=99 => format!("{s}s"),
        s @ 100..=5999 => format!("{}m", s / 60),
        s @ 6000..=172_799 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86_400),
    }
}
