//! The stats view: a container's figures on one time axis, as plots and as words.

mod compact;
mod full;
mod plot;
mod series;
#[cfg(test)]
mod tests;

use crate::model::stats::{Rates, Sample};
use crate::tui::theme::Role;
use crate::tui::{figures, text};
use series::{Axis, Moment};
use std::collections::VecDeque;
use std::sync::Arc;

/// What plots are drawn with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GlyphSet {
    Braille,
    #[default]
    Block,
    Ascii,
}

/// An hour of samples, one a second, and a little.
const MOST_SAMPLES: usize = 3700;
/// Widths of the time axis.
const WINDOWS: [u32; 7] = [30, 60, 120, 300, 600, 1800, 3600];
const DEFAULT_WINDOW: usize = 1;

/// The last values as one row of blocks, `top` the full height; the newest is right. Missing ones are blank.
pub fn sparkline(values: &[f64], top: f64, width: usize) -> String {
    let shown = &values[values.len().saturating_sub(width)..];
    let pad = width - shown.len();
    let cells = shown.iter().map(|v| plot::column(&[Some(*v)], top, 1, GlyphSet::Block)[0]);
    std::iter::repeat_n(' ', pad).chain(cells).collect()
}

/// The role of a share of a limit: from 70 and from 90 percent it stands out.
pub fn share_role(share: f64) -> Role {
    match share {
        s if s >= 0.9 => Role::GraphCritical,
        s if s >= 0.7 => Role::GraphHigh,
        _ => Role::Graph,
    }
}

/// The figures of one container over up to an hour.
#[derive(Clone, Debug)]
pub struct StatsView {
    moments: VecDeque<Moment>,
    window: usize,
    /// The time at the right edge while held.
    held: Option<crate::model::time::Timestamp>,
    /// The time of the read-out.
    cursor: Option<crate::model::time::Timestamp>,
    glyphs: GlyphSet,
    /// The newest CPU percentage and memory without their trembling.
    steady: (f64, u64),
}

impl Default for StatsView {
    fn default() -> Self {
        Self {
            moments: VecDeque::new(),
            window: DEFAULT_WINDOW,
            held: None,
            cursor: None,
            glyphs: GlyphSet::default(),
            steady: (0.0, 0),
        }
    }
}

impl StatsView {
    /// Replaces everything: another container, oldest sample first.
    pub fn set(&mut self, samples: Vec<Arc<Sample>>) {
        self.moments.clear();
        self.steady = (0.0, 0);
        self.held = None;
        self.cursor = None;
        samples.into_iter().for_each(|sample| self.push(sample));
    }

    /// A newer sample; one not newer than the last is ignored.
    pub fn push(&mut self, sample: Arc<Sample>) {
        let last = self.moments.back();
        if last.is_some_and(|m| m.sample.time >= sample.time) {
            return;
        }
        let moment = Moment::after(last, sample);
        self.steady.0 = figures::steady(self.steady.0, moment.rates.map_or(0.0, |r| r.cpu_percent), 0.1);
        self.steady.1 = figures::steady_memory(self.steady.1, moment.sample.memory_used());
        self.moments.push_back(moment);
        if self.moments.len() > MOST_SAMPLES {
            self.moments.pop_front();
        }
    }

    pub fn is_empty(&self) -> bool {
        self.moments.is_empty()
    }

    pub fn set_glyphs(&mut self, glyphs: GlyphSet) {
        self.glyphs = glyphs;
    }

    pub fn cycle_glyphs(&mut self) {
        self.glyphs = match self.glyphs {
            GlyphSet::Block => GlyphSet::Braille,
            GlyphSet::Braille => GlyphSet::Ascii,
            GlyphSet::Ascii => GlyphSet::Block,
        };
    }

    /// Wider (`true`) or narrower time window: 30 s to 1 h.
    pub fn zoom(&mut self, wider: bool) {
        self.window = if wider { (self.window + 1).min(WINDOWS.len() - 1) } else { self.window.saturating_sub(1) };
    }

    /// Stops the plots where they are, or lets them run again.
    pub fn toggle_hold(&mut self) {
        self.held = match self.held {
            Some(_) => None,
            None => self.moments.back().map(|m| m.sample.time),
        };
    }

    /// Moves the read-out by samples; the first move shows it, at the newest.
    pub fn move_cursor(&mut self, by: i64) {
        let Some(newest) = self.newest() else { return };
        let at = match self.cursor {
            Some(time) => self.index_at(time).saturating_add_signed(by as isize),
            None => newest,
        };
        self.cursor = self.moments.get(at.min(newest)).map(|m| m.sample.time);
    }

    /// Hides the read-out, then ends the hold; `false`: there was neither.
    pub fn escape(&mut self) -> bool {
        self.cursor.take().is_some() || self.held.take().is_some()
    }

    /// For the pane's title: `LIVE 60s`, `HELD 5m`, `LIVE 60s · at -12s`.
    pub fn status(&self) -> String {
        let state = if self.held.is_some() { "HELD" } else { "LIVE" };
        let mut out = format!("{state} {}", window_name(WINDOWS[self.window]));
        if let (Some(cursor), Some(end)) = (self.cursor, self.end()) {
            out.push_str(&format!(" · at -{}s", end.seconds_since(cursor)));
        }
        out
    }

    /// The right edge of the axis.
    fn end(&self) -> Option<crate::model::time::Timestamp> {
        self.held.or_else(|| self.moments.back().map(|m| m.sample.time))
    }

    /// The newest moment on the axis.
    fn newest(&self) -> Option<usize> {
        let end = self.end()?;
        self.moments.partition_point(|m| m.sample.time <= end).checked_sub(1)
    }

    fn index_at(&self, time: crate::model::time::Timestamp) -> usize {
        self.moments.partition_point(|m| m.sample.time < time)
    }

    /// The moment whose figures are told in words: the read-out's, or the newest.
    fn told(&self) -> Option<&Moment> {
        let at = match self.cursor {
            Some(time) => self.index_at(time),
            None => self.newest()?,
        };
        self.moments.get(at).or(self.moments.back())
    }

    /// What is told and its memory in use; of the running present without the trembling of the last digits.
    fn told_calmly(&self) -> Option<(Moment, u64)> {
        let mut moment = self.told()?.clone();
        let mut memory = moment.sample.memory_used();
        if self.cursor.is_none() && self.held.is_none() {
            memory = self.steady.1;
            moment.rates = moment.rates.map(|rates| Rates { cpu_percent: self.steady.0, ..rates });
        }
        Some((moment, memory))
    }

    fn axis(&self, cells: usize) -> Option<Axis> {
        let columns = cells * plot::per_cell(self.glyphs);
        Some(Axis { end: self.end()?, seconds: WINDOWS[self.window], columns })
    }
}

/// `30s`, `60s`, `5m`, `1h`.
fn window_name(seconds: u32) -> String {
    match seconds {
        s if s < 120 => format!("{s}s"),
        s if s < 3600 => format!("{}m", s / 60),
        s => format!("{}h", s / 3600),
    }
}

/// `310K/s`.
fn rate(bytes: Option<f64>) -> String {
    match bytes {
        Some(bytes) => format!("{}/s", text::short_bytes(bytes)),
        None => "-".into(),
    }
}

fn bytes(value: u64) -> String {
    text::short_bytes(value as f64)
}

/// Percent with one decimal below 100: `12.4%`.
fn percent(value: Option<f64>) -> String {
    match value {
        Some(value) if value < 99.95 => format!("{value:.1}%"),
        Some(value) => format!("{value:.0}%"),
        None => "-".into(),
    }
}

/// CPU limit in percent of one CPU.
fn cpu_limit(sample: &Sample) -> Option<f64> {
    sample.cpu_limit_millis.map(|millis| millis as f64 / 10.0)
}
