//! The stats view: a container's figures on one time axis, as plots and as words.

use crate::model::stats::Sample;
use crate::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::sync::Arc;

/// What plots are drawn with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GlyphSet {
    Braille,
    #[default]
    Block,
    Ascii,
}

/// The last values as one row of blocks, `top` the full height; the newest is right.
pub fn sparkline(_values: &[f64], _top: f64, _width: usize) -> String {
    String::new()
}

/// The figures of one container over up to an hour.
#[derive(Default)]
pub struct StatsView {
    samples: Vec<Arc<Sample>>,
}

impl StatsView {
    /// Replaces everything: another container, oldest sample first.
    pub fn set(&mut self, samples: Vec<Arc<Sample>>) {
        self.samples = samples;
    }
    /// A newer sample; one not newer than the last is ignored.
    pub fn push(&mut self, sample: Arc<Sample>) {
        self.samples.push(sample);
    }
    pub fn set_glyphs(&mut self, _glyphs: GlyphSet) {}
    pub fn cycle_glyphs(&mut self) {}
    /// Wider (`true`) or narrower time window.
    pub fn zoom(&mut self, _wider: bool) {}
    pub fn toggle_hold(&mut self) {}
    /// Moves the read-out by samples; the first move shows it, at the newest.
    pub fn move_cursor(&mut self, _by: i64) {}
    /// Hides the read-out; `false`: it was not shown.
    pub fn escape(&mut self) -> bool {
        false
    }
    /// For the pane's title: `LIVE 60s`, `HELD 5m`.
    pub fn status(&self) -> String {
        String::new()
    }
    /// Pane 3: one plot and the figures in words, in as few rows as there are.
    pub fn draw_compact(&self, _area: Rect, _buf: &mut Buffer, _theme: &Theme) {}
    /// The detail tab: every plot on one axis.
    pub fn draw_full(&self, _area: Rect, _buf: &mut Buffer, _theme: &Theme) {}
}
