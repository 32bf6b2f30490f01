//! The log view: a bounded ring of lines with search, filters, marks and unfolding; only visible lines are laid out.

mod asks;
mod draw;
mod layout;
mod level;
mod line;
mod moves;
mod older;
mod prompt;
mod query;
mod ring;
mod structured;
#[cfg(test)]
mod tests;

pub use asks::Ask;

use crate::model::log::LogRecord;
use crate::model::time::Timestamp;
use crossterm::event::{KeyCode, KeyEvent};
use jiff::tz::TimeZone;
use moves::View;
use prompt::{Prompt, PromptEvent, Purpose};
use query::{Filter, Index, Matcher, Query};
use ring::{Ring, Row};

const DEFAULT_LINES: usize = 1_000_000;
const DEFAULT_BYTES: usize = 64 << 20;
/// How many of the newest rows a merged record may have to pass.
const MERGE_WINDOW: usize = 10_000;
const PATTERNS_KEPT: usize = 50;

/// One container's log, or several merged by time.
pub struct LogView {
    ring: Ring,
    query: Query,
    index: Index,
    view: View,
    prompt: Option<Prompt>,
    /// Before the prompt was opened: for its Esc.
    before_prompt: Option<(Option<Matcher>, View)>,
    is_regex: bool,
    patterns: Vec<String>,
    /// Commands that lines were piped to.
    commands: Vec<String>,
    ask: Option<Ask>,
    /// Seconds back that were asked for.
    window: Option<u64>,
    message: Option<String>,
    sources: Vec<String>,
    zone: TimeZone,
    marks: u32,
    /// Records before the first one held.
    older: u64,
    /// The search is to jump to the nearest hit as soon as there is one.
    jump: bool,
}

impl Default for LogView {
    fn default() -> Self {
        Self::with_capacity(DEFAULT_LINES, DEFAULT_BYTES)
    }
}

impl LogView {
    /// Holds at most `lines` lines and `bytes` bytes; the oldest go first.
    pub fn with_capacity(lines: usize, bytes: usize) -> Self {
        Self {
            ring: Ring::new(lines, bytes),
            query: Query::default(),
            index: Index::default(),
            view: View::default(),
            prompt: None,
            before_prompt: None,
            is_regex: false,
            patterns: Vec::new(),
            commands: Vec::new(),
            ask: None,
            window: None,
            message: None,
            sources: Vec::new(),
            zone: TimeZone::UTC,
            marks: 0,
            older: 0,
            jump: false,
        }
    }

    /// The zone that times are shown in; UTC until set.
    pub fn set_time_zone(&mut self, zone: TimeZone) {
        self.zone = zone;
    }

    /// Names of the merged containers, in the order of `push_from`'s numbers; one or none: no gutter.
    pub fn set_sources(&mut self, names: Vec<String>) {
        self.sources = names;
    }

    /// Newer records of the only source, in order.
    pub fn push(&mut self, records: Vec<LogRecord>) {
        self.push_from(0, records);
    }

    /// Records of one of several sources, in its order; lines of all sources are sorted by time.
    pub fn push_from(&mut self, source: u16, records: Vec<LogRecord>) {
        let late = match (self.sources.len() > 1, records.first()) {
            (true, Some(first)) => self.ring.take_after(first.time, MERGE_WINDOW),
            _ => Vec::new(),
        };
        if !late.is_empty() {
            self.index.trim(&self.ring);
        }
        let mut late = late.into_iter().peekable();
        for record in records {
            while let Some(row) = late.next_if(|row| row.time <= record.time) {
                self.append(row);
            }
            match self.ring.unfinished(source, record.stream) {
                Some(number) => {
                    self.ring.join(number, &record);
                    if let Some(row) = self.ring.get(number) {
                        self.index.update(number, row, &self.query);
                    }
                }
                None => self.append(Row::of_record(source, record)),
            }
        }
        late.for_each(|row| self.append(row));
        self.index.trim(&self.ring);
        self.jump_if_found();
    }

    fn append(&mut self, row: Row) {
        self.ring.push(row);
        let number = self.ring.end() - 1;
        if let Some(row) = self.ring.get(number) {
            self.index.add(number, row, &self.query);
        }
    }

    /// Another container's log begins; what is searched and filtered for stays.
    pub fn clear(&mut self) {
        self.ring = self.ring.emptied();
        self.older = 0;
        self.index = Index::default();
        self.index.restart(&self.ring, &self.query);
        self.view.reset();
        self.marks = 0;
    }

    /// Lines held.
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ring.len() == 0
    }

    /// Does a bounded piece of the search or filter work that is left; `true`: call again soon (and draw).
    pub fn advance(&mut self) -> bool {
        let more = self.index.advance(&self.ring, &self.query);
        self.jump_if_found();
        more
    }

    /// Whether `advance` has work to do.
    pub fn pending(&self) -> bool {
        self.index.pending()
    }

    /// A line between what is there and what comes.
    pub fn mark(&mut self, now: Timestamp) {
        self.marks += 1;
        self.append(Row::of_mark(self.marks, now));
        self.index.trim(&self.ring);
    }

    /// Opens the search prompt.
    pub fn search(&mut self) {
        self.open_prompt(Purpose::Search);
    }

    /// With a search shown: keeps (or drops) the lines it hits. Else opens a prompt for the filter.
    pub fn filter(&mut self, keep: bool) {
        match self.query.search.take() {
            Some(matcher) => self.add_filter(keep, matcher),
            None => self.open_prompt(if keep { Purpose::Keep } else { Purpose::Drop }),
        }
    }

    /// Shows everything without forgetting the filters, and back.
    pub fn toggle_filters(&mut self) {
        self.query.filters_off = !self.query.filters_off;
        self.requery();
    }

    pub fn toggle_regex(&mut self) {
        self.is_regex = !self.is_regex;
        if self.prompt.is_some() {
            self.prompt_changed();
        } else if let Some(pattern) = self.query.search.as_ref().map(|matcher| matcher.pattern.clone()) {
            self.set_search(&pattern);
        }
    }

    /// Whether a prompt takes keys now: give them to `prompt_key`.
    pub fn prompt_open(&self) -> bool {
        self.prompt.is_some()
    }

    pub fn prompt_key(&mut self, key: KeyEvent) {
        let Some(prompt) = &mut self.prompt else { return };
        if let (Purpose::Window, KeyCode::Char(digit)) = (prompt.purpose, key.code) {
            return self.window_digit(digit);
        }
        let past = if prompt.purpose == Purpose::Pipe { &self.commands } else { &self.patterns };
        match prompt.key(key, past) {
            PromptEvent::None => {}
            PromptEvent::Changed => self.prompt_changed(),
            PromptEvent::Regex => self.toggle_regex(),
            PromptEvent::Accept => self.accept_prompt(),
            PromptEvent::Cancel => self.cancel_prompt(),
        }
    }

    pub fn paste(&mut self, text: &str) {
        if let Some(prompt) = &mut self.prompt {
            prompt.paste(text);
            self.prompt_changed();
        }
    }

    /// Closes the innermost of prompt, selection, search, filters; `false`: there was none.
    pub fn escape(&mut self) -> bool {
        if self.prompt.is_some() {
            self.cancel_prompt();
        } else if self.view.selecting() {
            self.view.end_selection();
        } else if self.query.search.take().is_some() || self.query.filters.pop().is_some() {
            self.requery();
        } else {
            return false;
        }
        true
    }

    /// Drops every filter.
    pub fn clear_filters(&mut self) {
        self.query.filters.clear();
        self.requery();
    }

    /// The shown line's text without the time, whole and without colours.
    fn text_of(&self, number: u64) -> Option<String> {
        let row = self.ring.get(number)?;
        Some(match row.mark {
            Some(mark) => format!("---- mark {mark} ----"),
            None => line::parse(&row.bytes).text,
        })
    }

    /// The selected lines, or the cursor's line; plain text, whole even where the screen cuts.
    pub fn copy_text(&self) -> Option<String> {
        let (from, to) = self.selected()?;
        let mut text = String::new();
        for number in self.shown_between(from, to) {
            text.push_str(&self.text_of(number)?);
            text.push('\n');
        }
        if from == to {
            text.pop();
        }
        Some(text)
    }

    /// Every shown line as it came, for saving and piping.
    pub fn all_text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for number in self.shown_between(self.ring.first(), self.ring.end()) {
            match self.ring.get(number) {
                Some(Row { mark: None, bytes, .. }) => out.extend_from_slice(bytes),
                _ => out.extend_from_slice(self.text_of(number).unwrap_or_default().as_bytes()),
            }
            out.push(b'\n');
        }
        out
    }

    fn open_prompt(&mut self, purpose: Purpose) {
        self.message = None;
        self.before_prompt = Some((self.query.search.clone(), self.view.clone()));
        self.prompt = Some(Prompt::new(purpose));
    }

    fn prompt_changed(&mut self) {
        let Some(Prompt { purpose: Purpose::Search, text, .. }) = &self.prompt else { return };
        let text = text.clone();
        if let Some((_, view)) = &self.before_prompt {
            self.view = view.clone();
        }
        self.set_search(&text);
    }

    fn accept_prompt(&mut self) {
        let Some(prompt) = self.prompt.take() else { return };
        self.before_prompt = None;
        if prompt.text.is_empty() {
            return;
        }
        let past = if prompt.purpose == Purpose::Pipe { &mut self.commands } else { &mut self.patterns };
        past.retain(|text| *text != prompt.text);
        past.push(prompt.text.clone());
        if past.len() > PATTERNS_KEPT {
            past.remove(0);
        }
        if prompt.purpose == Purpose::Pipe {
            self.ask = Some(Ask::Pipe(prompt.text));
            return;
        }
        if prompt.purpose == Purpose::Search {
            return;
        }
        match Matcher::new(&prompt.text, self.is_regex) {
            Ok(matcher) => self.add_filter(prompt.purpose == Purpose::Keep, matcher),
            Err(error) => self.message = Some(error),
        }
    }

    fn cancel_prompt(&mut self) {
        let purpose = self.prompt.take().map(|prompt| prompt.purpose);
        let Some((search, view)) = self.before_prompt.take() else { return };
        if purpose == Some(Purpose::Search) {
            self.query.search = search;
            self.view = view;
            self.requery();
        }
    }

    fn set_search(&mut self, pattern: &str) {
        self.message = None;
        self.query.search = None;
        if !pattern.is_empty() {
            match Matcher::new(pattern, self.is_regex) {
                Ok(matcher) => self.query.search = Some(matcher),
                Err(error) => self.message = Some(error),
            }
        }
        self.requery();
        self.jump = self.query.search.is_some();
        self.jump_if_found();
    }

    fn add_filter(&mut self, keep: bool, matcher: Matcher) {
        self.query.filters.push(Filter { keep, matcher });
        self.query.filters_off = false;
        self.requery();
    }

    fn requery(&mut self) {
        self.jump = false;
        self.index.restart(&self.ring, &self.query);
        // The first piece at once: in most logs that is all of it.
        self.index.advance(&self.ring, &self.query);
    }
}
