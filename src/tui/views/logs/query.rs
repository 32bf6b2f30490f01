//! Searching and filtering: patterns, and the ascending numbers of the rows they pick, kept up to date as rows come.

use super::line;
use super::ring::{Ring, Row};
use super::structured;
use regex::bytes::{Regex, RegexBuilder};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

/// A compiled pattern may take this much memory.
const LARGEST_PROGRAM: usize = 1 << 20;
/// Text and rows looked at in one piece of work.
const PIECE_BYTES: usize = 4 << 20;
const PIECE_ROWS: usize = 40_000;

/// A text or regular expression; without capitals it ignores case. `key=value` also picks JSON lines by field.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    pub pattern: String,
    regex: Regex,
    field: Option<(String, String)>,
}

impl Matcher {
    /// Errors: what is wrong with the expression, in one line.
    pub fn new(pattern: &str, is_regex: bool) -> Result<Self, String> {
        let source = if is_regex { Cow::Borrowed(pattern) } else { Cow::Owned(regex::escape(pattern)) };
        let regex = RegexBuilder::new(&source)
            .case_insensitive(!pattern.chars().any(char::is_uppercase))
            .size_limit(LARGEST_PROGRAM)
            .build()
            .map_err(|error| error.to_string().lines().last().unwrap_or_default().trim().to_owned())?;
        let field = pattern.split_once('=').filter(|(key, value)| !key.is_empty() && !value.is_empty());
        let field = field.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Ok(Self { pattern: pattern.to_owned(), regex, field })
    }

    pub fn matches(&self, row: &Row) -> bool {
        if row.mark.is_some() {
            return false;
        }
        let plain = if line::has_controls(&row.bytes) {
            self.regex.is_match(line::parse(&row.bytes).text.as_bytes())
        } else {
            self.regex.is_match(&row.bytes)
        };
        plain || self.field.as_ref().is_some_and(|(key, value)| has_field(&row.bytes, key, value))
    }

    /// Where it hits in a shown text, by byte.
    pub fn ranges(&self, text: &str) -> Vec<Range<usize>> {
        let on_boundaries = |r: &Range<usize>| text.is_char_boundary(r.start) && text.is_char_boundary(r.end);
        self.regex
            .find_iter(text.as_bytes())
            .map(|found| found.range())
            .filter(|r| !r.is_empty() && on_boundaries(r))
            .collect()
    }
}

fn has_field(bytes: &[u8], key: &str, value: &str) -> bool {
    if bytes.first() != Some(&b'{') {
        return false;
    }
    std::str::from_utf8(bytes).ok().and_then(structured::parse).is_some_and(|fields| fields.has(key, value))
}

/// Keeps only the lines it hits, or drops them.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    pub keep: bool,
    pub matcher: Matcher,
}

/// What is looked for now.
#[derive(Clone, Debug, Default)]
pub(super) struct Query {
    pub search: Option<Matcher>,
    pub filters: Vec<Filter>,
    pub filters_off: bool,
}

impl Query {
    pub fn filtering(&self) -> bool {
        !self.filters.is_empty() && !self.filters_off
    }

    /// Whether the row is shown: every keep filter hits it and no drop filter does. Marks always are.
    pub fn passes(&self, row: &Row) -> bool {
        self.filters_off || row.mark.is_some() || self.filters.iter().all(|f| f.matcher.matches(row) == f.keep)
    }

    fn hits(&self, row: &Row) -> bool {
        self.search.as_ref().is_some_and(|matcher| matcher.matches(row))
    }
}

/// Numbers of rows by what they are, ascending. New rows are added at once; older ones by `advance`, newest first.
#[derive(Default)]
pub(super) struct Index {
    /// Rows that pass the filters; kept only while filtering.
    pub shown: VecDeque<u64>,
    pub hits: VecDeque<u64>,
    pub errors: VecDeque<u64>,
    /// Rows below this number are not looked at yet.
    todo: Option<u64>,
}

impl Index {
    /// Starts over, because the query changed.
    pub fn restart(&mut self, ring: &Ring, query: &Query) {
        self.shown.clear();
        self.hits.clear();
        let needed = query.filtering() || query.search.is_some();
        self.todo = needed.then(|| ring.end());
    }

    pub fn pending(&self) -> bool {
        self.todo.is_some()
    }

    /// Looks at older rows, a bounded piece; `true`: there is more to do.
    pub fn advance(&mut self, ring: &Ring, query: &Query) -> bool {
        let Some(mut at) = self.todo else { return false };
        let (mut bytes, mut rows) = (0, 0);
        while at > ring.first() && bytes < PIECE_BYTES && rows < PIECE_ROWS {
            at -= 1;
            rows += 1;
            let Some(row) = ring.get(at) else { break };
            bytes += row.bytes.len();
            if query.passes(row) {
                if query.filtering() {
                    self.shown.push_front(at);
                }
                if query.hits(row) {
                    self.hits.push_front(at);
                }
            }
        }
        self.todo = (at > ring.first()).then_some(at);
        self.pending()
    }

    /// Takes in the newest row.
    pub fn add(&mut self, number: u64, row: &Row, query: &Query) {
        if row.is_error() {
            self.errors.push_back(number);
        }
        if (query.filtering() || query.search.is_some()) && query.passes(row) {
            if query.filtering() {
                self.shown.push_back(number);
            }
            if query.hits(row) {
                self.hits.push_back(number);
            }
        }
    }

    /// A row among the newest has changed.
    pub fn update(&mut self, number: u64, row: &Row, query: &Query) {
        if self.todo.is_some_and(|todo| number < todo) {
            return;
        }
        let passes = query.passes(row);
        set(&mut self.errors, number, row.is_error());
        set(&mut self.shown, number, query.filtering() && passes);
        set(&mut self.hits, number, passes && query.hits(row));
    }

    /// Forgets rows outside of the ring.
    pub fn trim(&mut self, ring: &Ring) {
        for list in [&mut self.shown, &mut self.hits, &mut self.errors] {
            while list.front().is_some_and(|n| *n < ring.first()) {
                list.pop_front();
            }
            while list.back().is_some_and(|n| *n >= ring.end()) {
                list.pop_back();
            }
        }
        self.todo = self.todo.filter(|todo| *todo > ring.first()).map(|todo| todo.min(ring.end()));
    }
}

fn set(list: &mut VecDeque<u64>, number: u64, member: bool) {
    match (list.binary_search(&number), member) {
        (Ok(at), false) => {
            list.remove(at);
        }
        (Err(at), true) => list.insert(at, number),
        _ => {}
    }
}

/// The first member after `number`, or the last before it.
pub(super) fn beside(list: &VecDeque<u64>, number: u64, forward: bool) -> Option<u64> {
    if forward {
        list.get(list.partition_point(|n| *n <= number)).copied()
    } else {
        list.partition_point(|n| *n < number).checked_sub(1).and_then(|at| list.get(at)).copied()
    }
}
