//! One terminal with what the user sees around it: name, badges, copy mode, selection.

use super::copy::CopyMode;
use crate::tui::emulator::{Effects, Terminal};
use std::time::Instant;

/// Names a terminal for as long as the screen lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TermId(pub u64);

/// How a terminal's program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The exit status as shells count it (128 + signal).
    Exited(i32),
    /// It never ran, or the way to it was lost: why.
    Failed(String),
}

pub(super) struct Pane {
    pub id: TermId,
    /// The container's name and what runs in it: `web:sh`.
    pub container: String,
    pub program: String,
    /// What the caller knows the container by.
    pub owner: String,
    /// The title the program set.
    pub title: String,
    pub cwd: Option<String>,
    pub terminal: Terminal,
    pub end: Option<End>,
    /// Output came while nobody looked; a bell rang meanwhile.
    pub activity: bool,
    pub bell: bool,
    pub copy: Option<CopyMode>,
    pub clicks: Clicks,
    pub dragging: bool,
}

/// Counts clicks on one cell: two select a word, three a line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clicks {
    last: Option<(Instant, u16, u16)>,
    count: u8,
}

impl Clicks {
    const WITHIN_MS: u128 = 400;

    pub fn press(&mut self, now: Instant, column: u16, row: u16) -> u8 {
        let again = self.last.is_some_and(|(then, c, r)| {
            (c, r) == (column, row) && now.saturating_duration_since(then).as_millis() < Self::WITHIN_MS
        });
        self.count = if again { self.count % 3 + 1 } else { 1 };
        self.last = Some((now, column, row));
        self.count
    }
}

impl Pane {
    /// `web:sh`.
    pub fn label(&self) -> String {
        format!("{}:{}", self.container, self.program)
    }

    pub fn absorb(&mut self, effects: &Effects, seen: bool) {
        if let Some(title) = &effects.title {
            self.title.clone_from(title);
        }
        if let Some(cwd) = &effects.cwd {
            self.cwd = Some(cwd.clone());
        }
        if !seen {
            self.activity = true;
            self.bell |= effects.bell;
        }
    }

    pub fn seen(&mut self) {
        self.activity = false;
        self.bell = false;
    }

    pub fn leave_copy_mode(&mut self) {
        if self.copy.take().is_some() {
            self.terminal.set_copy_mode(false);
            self.terminal.scroll(crate::tui::emulator::Scroll::Bottom);
        }
    }
}
