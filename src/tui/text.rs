//! Text for the screen: hostile characters made harmless, and cuts and padding measured in columns, not in bytes.

use ratatui::buffer::Buffer;
use ratatui::style::Style;
use std::borrow::Cow;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Columns that `text` takes, by grapheme cluster as the screen buffer counts them.
pub fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.bytes().filter(|b| !b.is_ascii_control()).count();
    }
    text.graphemes(true).map(grapheme_width).sum()
}

fn grapheme_width(grapheme: &str) -> usize {
    if grapheme.contains(char::is_control) { 0 } else { grapheme.width() }
}

/// `1 line`, `2 lines`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Control characters would move the cursor, direction overrides would reorder what stands beside them.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// One line that is safe to show: C0 controls become their pictures (`␛`), tabs and line ends a space, the rest of the
/// control and direction characters `�`.
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(picture).collect())
}

fn picture(c: char) -> char {
    match c {
        '\t' | '\n' | '\r' => ' ',
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('?'),
        '\x7f' => '␡',
        c if is_hostile(c) => '\u{fffd}',
        c => c,
    }
}

/// Title or label from a program: hostile characters are dropped, and it is cut after `max` characters.
pub fn strip(text: &str, max: usize) -> String {
    text.chars().filter(|c| !is_hostile(*c)).take(max).collect()
}

/// The longest start of `text` within `columns`, and the columns it takes. Never cuts a cluster.
pub fn prefix(text: &str, columns: usize) -> (&str, usize) {
    let mut used = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        let w = grapheme_width(grapheme);
        if used + w > columns {
            return (&text[..at], used);
        }
        used += w;
    }
    (text, used)
}

/// The longest end of `text` within `columns`, and the columns it takes.
pub fn suffix(text: &str, columns: usize) -> (&str, usize) {
    let mut used = 0;
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        let w = grapheme_width(grapheme);
        if used + w > columns {
            return (&text[at + grapheme.len()..], used);
        }
        used += w;
    }
    (text, used)
}

/// `text` within `columns`; what is cut off at the end is shown as `…`.
pub fn truncate(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    match columns {
        0 => Cow::Borrowed(""),
        _ => Cow::Owned(format!("{}…", prefix(text, columns - 1).0)),
    }
}

/// `text` within `columns`; what is cut off at the start is shown as `…` (paths, where the end tells more).
pub fn truncate_start(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    match columns {
        0 => Cow::Borrowed(""),
        _ => Cow::Owned(format!("…{}", suffix(text, columns - 1).0)),
    }
}

/// Exactly `columns` wide: cut with `…` or padded on the right.
pub fn fit(text: &str, columns: usize) -> String {
    let cut = truncate(text, columns);
    let pad = columns - width(&cut).min(columns);
    format!("{cut}{:pad$}", "")
}

/// Exactly `columns` wide: cut with `…` or padded on the left (numbers).
pub fn fit_right(text: &str, columns: usize) -> String {
    let cut = truncate(text, columns);
    let pad = columns - width(&cut).min(columns);
    format!("{:pad$}{cut}", "")
}

/// Writes `text` made safe at `(x, y)`, at most `columns` wide and never outside the buffer; returns the column after it.
pub fn put(buf: &mut Buffer, x: u16, y: u16, columns: u16, text: &str, style: Style) -> u16 {
    let area = buf.area;
    if y < area.top() || y >= area.bottom() || x < area.left() || x >= area.right() {
        return x;
    }
    buf.set_stringn(x, y, sanitize(text), usize::from(columns), style).0
}

/// `1.2K`, `310K`, `54M`, `1.2G`: bytes in at most four columns, powers of 1024.
pub fn short_bytes(bytes: f64) -> String {
    let mut value = if bytes.is_finite() { bytes.max(0.0) } else { 0.0 };
    let mut unit = 0;
    const UNITS: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && value < 9.95);
    format!("{value:.digits$}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cuts_by_columns() {
        assert_eq!(truncate("container", 5), "cont…");
        assert_eq!(truncate_start("/usr/share/x", 6), "…are/x");
        assert_eq!(truncate("漢字漢字", 5), "漢字…");
        assert_eq!(fit("漢字漢字", 4), "漢… ");
        assert_eq!(fit_right("7", 3), "  7");
        assert_eq!(truncate("abc", 0), "");
    }

    #[test]
    fn controls_are_pictures() {
        assert_eq!(sanitize("a\x1b[2Jb\tc\x7f\u{202e}"), "a␛[2Jb c␡\u{fffd}");
        assert!(matches!(sanitize("plain"), Cow::Borrowed(_)));
        assert_eq!(strip("ti\x1btle\x07", 4), "titl");
    }

    #[test]
    fn bytes_are_short() {
        let shown: Vec<_> = [0.0, 999.0, 1000.0, 1536.0, 190_000_000.0, 1.3e9, f64::NAN].map(short_bytes).into();
        assert_eq!(shown, ["0", "999", "1.0K", "1.5K", "181M", "1.2G", "0"]);
    }

    proptest! {
        #[test]
        fn fit_is_exact(s in any::<String>(), n in 0usize..40) {
            let safe = sanitize(&s).into_owned();
            prop_assert_eq!(width(&fit(&safe, n)), n);
            prop_assert!(safe.chars().all(|c| !is_hostile(c)));
        }
    }
}
