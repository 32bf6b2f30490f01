//! The log view: a bounded ring of lines with search, filters, marks and unfolding; only visible lines are laid out.

use crate::model::log::LogRecord;
use crate::model::time::Timestamp;
use crate::tui::theme::Theme;
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// One container's log, or several merged by time.
#[derive(Default)]
pub struct LogView {
    records: Vec<LogRecord>,
}

impl LogView {
    /// Holds at most `lines` lines and `bytes` bytes; the oldest go first.
    pub fn with_capacity(_lines: usize, _bytes: usize) -> Self {
        Self::default()
    }

    /// Names of the merged containers, in the order of `push_from`'s numbers; one or none: no gutter.
    pub fn set_sources(&mut self, _names: Vec<String>) {}

    pub fn push(&mut self, records: Vec<LogRecord>) {
        self.records.extend(records);
    }

    pub fn push_from(&mut self, _source: u16, records: Vec<LogRecord>) {
        self.push(records);
    }

    pub fn clear(&mut self) {
        self.records.clear();
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Does a bounded piece of the search or filter work that is left; `true`: call again soon (and draw).
    pub fn advance(&mut self) -> bool {
        false
    }

    /// Lines; negative: up. Moves the cursor line and the view with it.
    pub fn scroll(&mut self, _lines: i64) {}
    /// Half pages; negative: up.
    pub fn half_page(&mut self, _pages: i64) {}
    pub fn page(&mut self, _pages: i64) {}
    pub fn to_start(&mut self) {}
    /// To the newest line, following again.
    pub fn to_end(&mut self) {}
    /// Columns, where lines are not wrapped.
    pub fn pan(&mut self, _columns: i64) {}

    pub fn following(&self) -> bool {
        true
    }
    pub fn toggle_follow(&mut self) {}
    pub fn toggle_wrap(&mut self) {}
    /// Off, local, relative.
    pub fn cycle_time(&mut self) {}
    /// A line between what is there and what comes.
    pub fn mark(&mut self, _now: Timestamp) {}
    pub fn next_error(&mut self, _forward: bool) {}
    pub fn next_hit(&mut self, _forward: bool) {}
    pub fn toggle_regex(&mut self) {}
    /// Opens the search prompt.
    pub fn search(&mut self) {}
    /// With a search shown: keeps (or drops) the lines it hits. Else opens a prompt for the filter.
    pub fn filter(&mut self, _keep: bool) {}
    /// Whether a prompt takes keys now: give them to `prompt_key`.
    pub fn prompt_open(&self) -> bool {
        false
    }
    pub fn prompt_key(&mut self, _key: KeyEvent) {}
    pub fn paste(&mut self, _text: &str) {}
    /// Closes the innermost of prompt, selection, search, filters; `false`: there was none.
    pub fn escape(&mut self) -> bool {
        false
    }
    /// Unfolds or folds the structured line at the cursor; `false`: it is none.
    pub fn unfold(&mut self) -> bool {
        false
    }
    /// Starts or ends a selection of lines at the cursor.
    pub fn toggle_select(&mut self) {}
    /// The selected lines, or the cursor's line; plain text, whole even where the screen cuts.
    pub fn copy_text(&self) -> Option<String> {
        None
    }
    /// Every shown line, for saving and piping.
    pub fn all_text(&self) -> Vec<u8> {
        Vec::new()
    }
    /// Click sets the cursor line, drag selects lines (returned when released), wheel scrolls.
    pub fn mouse(&mut self, _event: MouseEvent) -> Option<String> {
        None
    }

    /// What the bottom border says: `FOLLOW · ts local · wrap · 18204 lines`.
    pub fn status(&self) -> String {
        String::new()
    }

    /// `now` for relative times.
    pub fn draw(&mut self, _area: Rect, _buf: &mut Buffer, _theme: &Theme, _focused: bool, _now: Timestamp) {}
}
