//! The stats pane beside the lists: one CPU plot, the memory bar, the rest in words.

use super::series::{Metric, Moment, pressure};
use super::{StatsView, bytes, cpu_limit, percent, plot, rate, share_role};
use crate::model::stats::Sample;
use crate::tui::text;
use crate::tui::theme::{Role, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Rows of words below and above the plot.
const WORD_ROWS: u16 = 4;
const TALLEST_PLOT: u16 = 4;

/// A piece of a line of words.
pub(super) type Word = (String, Role);

impl StatsView {
    /// The figures in as few rows as there are; returns the rows used.
    pub fn draw_compact(&self, area: Rect, buf: &mut Buffer, theme: &Theme) -> u16 {
        self.draw_compact_with(area, buf, theme, 0)
    }

    /// The same, leaving `spare` rows below for the caller's own where that is possible.
    pub fn draw_compact_with(&self, area: Rect, buf: &mut Buffer, theme: &Theme, spare: u16) -> u16 {
        let area = area.intersection(buf.area);
        let Some((moment, memory)) = self.told_calmly().filter(|_| !area.is_empty()) else { return 0 };
        let plot_rows = area.height.saturating_sub(WORD_ROWS + spare).clamp(1, TALLEST_PLOT);
        let mut y = area.y;
        let row = |y: u16| Rect { y, height: u16::from(y < area.bottom()), ..area };
        words(row(y), buf, theme, &cpu_words(&moment));
        y += 1;
        let plot = Rect { x: area.x + 1, y, width: area.width.saturating_sub(2), height: plot_rows }.intersection(area);
        let limit = cpu_limit(&moment.sample);
        self.draw_plot(plot, buf, theme, Metric::Cpu, limit);
        if limit.is_some() {
            super::full::limit_line(plot, buf, theme);
        }
        y += plot_rows;
        memory_row(row(y), buf, theme, &moment.sample, memory);
        words(row(y + 1), buf, theme, &transfer_words(&moment));
        words(row(y + 2), buf, theme, &limit_words(&moment.sample));
        (y + 3).min(area.bottom()) - area.y
    }

    /// One metric as a filled plot; with a limit that is the top of the scale, and drawn where nothing covers it.
    pub(super) fn draw_plot(
        &self,
        area: Rect,
        buf: &mut Buffer,
        theme: &Theme,
        metric: Metric,
        limit: Option<f64>,
    ) -> f64 {
        let Some(axis) = self.axis(area.width.into()) else { return 0.0 };
        let values = axis.values(&self.moments, metric);
        let largest = values.iter().flatten().copied().fold(0.0, f64::max);
        let top = match limit {
            Some(limit) if limit > 0.0 => limit.max(largest),
            _ => plot::nice_top(largest, least_top(metric)),
        };
        let per = plot::per_cell(self.glyphs);
        let marked = self.cursor.and_then(|time| axis.column_of(time)).map(|column| column / per);
        for (cell, values) in values.chunks(per).enumerate() {
            let x = area.x + cell as u16;
            let peak = values.iter().flatten().copied().reduce(f64::max);
            let role = match (limit, peak) {
                (Some(limit), Some(peak)) if limit > 0.0 => share_role(peak / limit),
                _ => Role::Graph,
            };
            let glyphs = plot::column(values, top, area.height.into(), self.glyphs);
            for (row, glyph) in glyphs.into_iter().enumerate() {
                let y = area.y + row as u16;
                let Some(out) = buf.cell_mut((x, y)) else { continue };
                match glyph {
                    ' ' if marked == Some(cell) => out.set_symbol("│").set_style(theme.style(Role::Accent)),
                    ' ' => continue,
                    glyph if marked == Some(cell) => out.set_char(glyph).set_style(theme.style(Role::Accent)),
                    glyph => out.set_char(glyph).set_style(theme.style(role)),
                };
            }
        }
        top
    }
}

/// The least top of a scale without a limit, so that noise does not look like load.
fn least_top(metric: Metric) -> f64 {
    match metric {
        Metric::Cpu => 10.0,
        Metric::Throttled => 100.0,
        Metric::Pressure => 10.0,
        Metric::Pids => 10.0,
        Metric::Memory | Metric::MemoryAnon => 1024.0 * 1024.0,
        Metric::NetIn | Metric::NetOut | Metric::DiskRead | Metric::DiskWrite => 1024.0,
    }
}

/// Writes words from the left, three columns apart, as many as fit whole.
pub(super) fn words(row: Rect, buf: &mut Buffer, theme: &Theme, words: &[Word]) {
    if row.is_empty() {
        return;
    }
    let mut x = row.x + 1;
    for (at, (word, role)) in words.iter().filter(|(word, _)| !word.is_empty()).enumerate() {
        let gap = if at == 0 { 0 } else { 3 };
        let width = text::width(word) as u16;
        // The first is shown even when it must be cut.
        if at > 0 && x + gap + width > row.right() {
            return;
        }
        let room = row.right().saturating_sub(x + gap);
        x = text::put(buf, x + gap, row.y, room, word, theme.style(*role));
    }
}

pub(super) fn cpu_words(moment: &Moment) -> Vec<Word> {
    let sample = &moment.sample;
    let used = moment.rates.map(|r| r.cpu_percent);
    let limit = cpu_limit(sample);
    let cpu = match limit {
        Some(limit) => format!("cpu {} of {limit:.0}%", percent(used)),
        None => format!("cpu {}", percent(used)),
    };
    let role = match (used, limit) {
        (Some(used), Some(limit)) if limit > 0.0 && used >= 0.7 * limit => share_role(used / limit),
        _ => Role::Text,
    };
    vec![(cpu, role), throttled_word(moment), pressure_word(sample)]
}

/// `throttled 63 %`; in a warning's colour from 1 %, in a failure's from a quarter of the periods.
pub(super) fn throttled_word(moment: &Moment) -> Word {
    match Metric::Throttled.of(moment) {
        Some(share) => {
            let role = match share {
                s if s >= 25.0 => Role::GraphCritical,
                s if s >= 1.0 => Role::GraphHigh,
                _ => Role::Text,
            };
            (format!("throttled {share:.0}%"), role)
        }
        None => (String::new(), Role::Dim),
    }
}

fn pressure_word(sample: &Sample) -> Word {
    match pressure(sample) {
        Some(worst) => (format!("psi {worst:.1}"), if worst >= 10.0 { Role::Warn } else { Role::Text }),
        None => (String::new(), Role::Dim),
    }
}

/// `OOM killed 2x`, or `oom 0`.
pub(super) fn oom_word(sample: &Sample) -> Word {
    match sample.oom_kills {
        Some(0) => ("oom 0".into(), Role::Text),
        Some(n) => (format!("OOM killed {n}x"), Role::Failed),
        None => (String::new(), Role::Dim),
    }
}

/// `mem 182M/512M 36%  ███████▒▒░░░░░░░░░░  oom 0`: anonymous memory, cache and what is free to the limit.
fn memory_row(row: Rect, buf: &mut Buffer, theme: &Theme, sample: &Sample, used: u64) {
    if row.is_empty() {
        return;
    }
    let share = sample.memory_limit.map(|limit| used as f64 / limit.max(1) as f64);
    let figure = match (sample.memory_limit, share) {
        (Some(limit), Some(share)) => format!("mem {}/{} {:.0}%", bytes(used), bytes(limit), share * 100.0),
        _ => format!("mem {}", bytes(used)),
    };
    let role = share.filter(|s| *s >= 0.7).map_or(Role::Text, share_role);
    let (oom, oom_role) = oom_word(sample);
    let x = text::put(buf, row.x + 1, row.y, row.width.saturating_sub(1), &figure, theme.style(role)) + 2;
    let oom_width = text::width(&oom) as u16;
    let bar_end = row.right().saturating_sub(oom_width + 4);
    if sample.memory_limit.is_some() && bar_end >= x + 4 {
        let bar = Rect { x, width: (bar_end - x).min(20), height: 1, ..row };
        memory_bar(bar, buf, theme, sample);
        text::put(buf, bar.right() + 2, row.y, oom_width, &oom, theme.style(oom_role));
    } else if x + oom_width < row.right() {
        text::put(buf, x + 1, row.y, oom_width, &oom, theme.style(oom_role));
    }
}

fn memory_bar(area: Rect, buf: &mut Buffer, theme: &Theme, sample: &Sample) {
    let Some(limit) = sample.memory_limit.filter(|l| *l > 0) else { return };
    let anon = sample.memory_anon.unwrap_or(sample.memory_used()) as f64 / limit as f64;
    let all = sample.memory as f64 / limit as f64;
    for (at, x) in (area.x..area.right()).enumerate() {
        let middle = (at as f64 + 0.5) / f64::from(area.width);
        let (glyph, style): (&str, Style) = if middle < anon {
            ("█", theme.style(share_role(anon)))
        } else if middle < all {
            ("▒", theme.style(Role::Graph))
        } else {
            ("░", theme.style(Role::GraphTrack))
        };
        text::put(buf, x, area.y, 1, glyph, style);
    }
}

fn transfer_words(moment: &Moment) -> Vec<Word> {
    let rates = moment.rates;
    let net = format!("net ↓{} ↑{}", rate(rates.map(|r| r.net_rx)), rate(rates.map(|r| r.net_tx)));
    let disk = format!("disk r {} w {}", rate(rates.map(|r| r.io_read)), rate(rates.map(|r| r.io_write)));
    let dropped = moment.sample.net_dropped().filter(|n| *n > 0).map(|n| format!("dropped {n}")).unwrap_or_default();
    vec![(net, Role::Text), (disk, Role::Text), (dropped, Role::Warn)]
}

fn limit_words(sample: &Sample) -> Vec<Word> {
    let pids = match sample.pids_limit {
        Some(limit) => format!("pids {}/{limit}", sample.pids),
        None => format!("pids {}", sample.pids),
    };
    let full = sample.pids_limit.is_some_and(|limit| sample.pids >= limit);
    let cpus = sample.cpu_limit_millis.map(|m| format!("cpu.max {}", f64_short(m as f64 / 1000.0))).unwrap_or_default();
    let memory = sample.memory_limit.map(|limit| format!("mem.max {}", bytes(limit))).unwrap_or_default();
    let at_limit = match sample.memory_max_events {
        Some(n) if n > 0 => format!("at limit {n}x"),
        _ => String::new(),
    };
    let role = if full { Role::GraphCritical } else { Role::Text };
    vec![(pids, role), (cpus, Role::Text), (memory, Role::Text), (at_limit, Role::Warn)]
}

/// `2.0`, `0.25`.
fn f64_short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.strip_suffix('0').map(str::to_owned).unwrap_or(text)
}
