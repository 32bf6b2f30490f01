//! The two ways progress looks.

use super::To;
use crate::cli::report;
use crate::engine::job::{Part, PartState, Progress};
use crate::engine::window_size;
use crate::model::units::decimal_size;
use std::collections::BTreeMap;

const BAR: usize = 30;

fn put(to: To, text: &str) {
    match to {
        To::Stdout => report::paint_out(text),
        To::Stderr => report::paint_err(text),
    }
}

/// A line whenever a layer comes into a new state.
#[derive(Default)]
pub(super) struct Lines {
    parts: BTreeMap<String, PartState>,
    note: String,
}

impl Lines {
    pub fn draw(&mut self, progress: &Progress, to: To) {
        let mut text = String::new();
        for part in &progress.parts {
            if self.parts.insert(part.name.clone(), part.state) != Some(part.state) {
                text.push_str(&format!("{}: {}\n", part.name, part.state.word()));
            }
        }
        if progress.note != self.note {
            self.note.clone_from(&progress.note);
            text.push_str(&format!("{}\n", progress.note));
        }
        if !text.is_empty() {
            put(to, &text);
        }
    }
}

/// One line per layer, drawn over the former ones.
#[derive(Default)]
pub(super) struct Redrawn {
    lines: usize,
    last: Vec<String>,
}

impl Redrawn {
    pub fn draw(&mut self, progress: &Progress, to: To) {
        let (width, height) = window_size().map_or((80, 24), |(w, h)| (usize::from(w), usize::from(h)));
        let mut lines: Vec<String> = progress.parts.iter().map(part_line).collect();
        if !progress.note.is_empty() {
            lines.push(progress.note.clone());
        }
        // More lines than the screen has cannot be drawn over: those that are done go first.
        let room = height.saturating_sub(2).max(1);
        if lines.len() > room {
            lines.drain(..lines.len() - room);
        }
        if lines == self.last {
            return;
        }
        let mut text = String::new();
        if self.lines > 0 {
            text.push_str(&format!("\x1b[{}A", self.lines));
        }
        for line in &lines {
            let cut: String = line.chars().take(width.saturating_sub(1)).filter(|c| !c.is_control()).collect();
            text.push_str(&format!("\r\x1b[K{cut}\n"));
        }
        // Fewer lines than before: what is left of the old drawing goes.
        text.push_str("\x1b[J");
        put(to, &text);
        self.lines = lines.len();
        self.last = lines;
    }
}

fn part_line(part: &Part) -> String {
    let state = part.state.word();
    let moving = matches!(part.state, PartState::Downloading | PartState::Extracting);
    match part.total.filter(|t| *t > 0 && moving) {
        Some(total) => {
            let filled = (part.done.min(total) as f64 / total as f64 * BAR as f64) as usize;
            let bar = format!("{}>", "=".repeat(filled));
            format!(
                "{}: {state} [{bar:<width$}] {}/{}",
                part.name,
                decimal_size(part.done),
                decimal_size(total),
                width = BAR + 1
            )
        }
        None if moving && part.done > 0 => format!("{}: {state} {}", part.name, decimal_size(part.done)),
        None => format!("{}: {state}", part.name),
    }
}
