//! A row as display lines: folded or unfolded, wrapped or not. Done for visible rows only, and for a bounded part of them.

use super::line::{self, Styled};
use super::ring::Row;
use super::structured::{self, Fields};
use crate::tui::text;
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// Of a longer row only this much is laid out; copying takes it whole.
const LONGEST_SHOWN: usize = 32 * 1024;
/// Display lines of one unfolded row.
const MOST_LINES: usize = 2000;

/// A row's text cut into display lines.
pub(super) struct Laid {
    pub styled: Styled,
    /// Byte ranges of the text, one a display line; never empty.
    pub lines: Vec<Range<usize>>,
    pub structured: bool,
}

/// Lays out a row for `width` columns. `pan` is the first column shown where lines are not wrapped.
pub(super) fn lay(row: &Row, unfolded: bool, wrap: bool, width: usize, pan: usize) -> Laid {
    let width = width.max(1);
    let limit = if wrap { LONGEST_SHOWN } else { ((pan + width) * 8 + 1024).min(LONGEST_SHOWN) };
    let cut = row.bytes.len() > limit;
    let mut styled = line::parse(&row.bytes[..row.bytes.len().min(limit)]);
    if cut && limit == LONGEST_SHOWN {
        styled.text.push_str(&format!(" … {} in all, y copies it", text::short_bytes(row.bytes.len() as f64)));
    }
    let fields = (!cut).then(|| structured::parse(&styled.text)).flatten();
    let is_structured = fields.is_some();
    if let Some(fields) = fields {
        if unfolded {
            return unfold(&fields, width);
        }
        if fields.json {
            styled = Styled::plain(text::sanitize(&format!("{{…}} {}", fields.one_line())).into_owned());
        }
    }
    let lines = if wrap { wrapped(&styled.text, 0, width) } else { std::iter::once(0..styled.text.len()).collect() };
    Laid { styled, lines, structured: is_structured }
}

fn unfold(fields: &Fields, width: usize) -> Laid {
    let mut styled = Styled::plain(String::from("{…}"));
    let mut lines: Vec<Range<usize>> = std::iter::once(0..styled.text.len()).collect();
    for line in fields.lines().into_iter().take(MOST_LINES) {
        let start = styled.text.len();
        styled.text.push_str("    ");
        styled.text.push_str(&text::sanitize(&line));
        lines.extend(wrapped(&styled.text[start..], start, width));
    }
    Laid { styled, lines, structured: true }
}

/// Cuts a text at `width` columns; offsets are counted from `base`.
fn wrapped(text: &str, base: usize, width: usize) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut start = 0;
    if text.is_ascii() {
        while start + width < text.len() {
            lines.push(base + start..base + start + width);
            start += width;
        }
    } else {
        let mut used = 0;
        for (at, grapheme) in text.grapheme_indices(true) {
            let columns = text::width(grapheme);
            if used + columns > width && at > start {
                lines.push(base + start..base + at);
                (start, used) = (at, 0);
            }
            used += columns;
        }
    }
    lines.push(base + start..base + text.len());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_by_columns() {
        assert_eq!(wrapped("abcdef", 10, 4), [10..14, 14..16]);
        assert_eq!(wrapped("漢字漢", 0, 5), [0..6, 6..9]);
        assert_eq!(wrapped("漢", 0, 1), vec![0..3]);
        assert_eq!(wrapped("", 0, 4), vec![0..0]);
        assert_eq!(wrapped("abcd", 0, 4), vec![0..4]);
    }
}
