//! A log line's bytes as text with styles: SGR colours are kept, every other control is taken out or made visible.

use crate::tui::theme::ANSI;
use ratatui::style::{Color, Modifier, Style};

/// Text without control characters, and where its styles begin (byte offsets, ascending, the first at 0 if any).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Styled {
    pub text: String,
    pub runs: Vec<(usize, Style)>,
}

impl Styled {
    pub fn plain(text: String) -> Self {
        Self { text, runs: Vec::new() }
    }

    /// The style at a byte offset.
    pub fn style_at(&self, offset: usize) -> Style {
        let after = self.runs.partition_point(|(start, _)| *start <= offset);
        after.checked_sub(1).map_or(Style::new(), |at| self.runs[at].1)
    }
}

const TAB: usize = 8;

/// Whether a line has bytes that `parse` would change, so that searching must look at its text instead.
pub(super) fn has_controls(bytes: &[u8]) -> bool {
    bytes.iter().any(|b| *b < 0x20 || *b == 0x7f)
}

/// Reads a line. Bytes that are not UTF-8 become `�`.
pub(super) fn parse(bytes: &[u8]) -> Styled {
    let source = String::from_utf8_lossy(bytes);
    let mut out = Styled { text: String::with_capacity(source.len()), runs: Vec::new() };
    let mut style = Style::new();
    // Columns are counted in characters here: good enough for tab stops.
    let mut column = 0;
    let mut rest = source.trim_end_matches(['\r', '\n']);
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\x1b' => {
                let (sequence, after) = sequence(rest);
                rest = after;
                if let Some(parameters) = sequence {
                    style = sgr(style, parameters);
                    out.runs.push((out.text.len(), style));
                }
                continue;
            }
            // C1: 8-bit CSI and its kin are dropped alone; what follows is then harmless text.
            '\u{80}'..='\u{9f}' => continue,
            '\t' => {
                let fill = TAB - column % TAB;
                out.text.extend(std::iter::repeat_n(' ', fill));
                column += fill;
                continue;
            }
            // A terminal's line begins where its cursor was put back to.
            '\r' if out.text.is_empty() => continue,
            '\0'..='\x1f' => out.text.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('?')),
            '\x7f' => out.text.push('␡'),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => continue,
            c => out.text.push(c),
        }
        column += 1;
    }
    // Between a line's text and its end, terminals' programs put sequences that are gone now.
    let end = out.text.trim_end_matches('␍').len();
    out.text.truncate(end);
    out.runs.retain(|(at, _)| *at <= end);
    out
}

/// What follows an ESC: the parameters if it is an SGR, and the text after the whole sequence.
fn sequence(rest: &str) -> (Option<&str>, &str) {
    let bytes = rest.as_bytes();
    match bytes.first() {
        Some(b'[') => {
            let end = bytes[1..].iter().position(|b| !matches!(b, 0x20..=0x3f)).map_or(bytes.len(), |n| n + 1);
            match bytes.get(end) {
                Some(b'm') if bytes[1..end].iter().all(|b| matches!(b, b'0'..=b'9' | b';' | b':')) => {
                    (Some(&rest[1..end]), &rest[end + 1..])
                }
                Some(0x40..=0x7e) => (None, &rest[end + 1..]),
                _ => (None, &rest[end..]),
            }
        }
        // Strings (OSC, DCS, SOS, PM, APC) go up to BEL or ESC \; without an end, the line is theirs.
        Some(b']' | b'P' | b'X' | b'^' | b'_') => match rest.find(['\x07', '\x1b']) {
            Some(end) if bytes[end] == 0x07 => (None, &rest[end + 1..]),
            Some(end) if bytes.get(end + 1) == Some(&b'\\') => (None, &rest[end + 2..]),
            Some(end) => (None, &rest[end..]),
            None => (None, ""),
        },
        Some(b' '..=b'/') => {
            let end = bytes.iter().position(|b| !matches!(b, b' '..=b'/')).unwrap_or(bytes.len());
            let after = end + usize::from(bytes.get(end).is_some_and(|b| matches!(b, 0x30..=0x7e)));
            (None, &rest[after..])
        }
        Some(0x30..=0x7e) => (None, &rest[1..]),
        _ => (None, rest),
    }
}

/// Applies an SGR sequence's parameters; colons and semicolons separate alike.
fn sgr(mut style: Style, parameters: &str) -> Style {
    let numbers: Vec<u16> = parameters.split([';', ':']).map(|n| n.parse().unwrap_or(0)).collect();
    let mut at = 0;
    while at < numbers.len() {
        let n = numbers[at];
        style = match n {
            0 => Style::new(),
            1 => style.add_modifier(Modifier::BOLD),
            2 => style.add_modifier(Modifier::DIM),
            3 => style.add_modifier(Modifier::ITALIC),
            4 => style.add_modifier(Modifier::UNDERLINED),
            7 => style.add_modifier(Modifier::REVERSED),
            9 => style.add_modifier(Modifier::CROSSED_OUT),
            22 => style.remove_modifier(Modifier::BOLD | Modifier::DIM),
            23 => style.remove_modifier(Modifier::ITALIC),
            24 => style.remove_modifier(Modifier::UNDERLINED),
            27 => style.remove_modifier(Modifier::REVERSED),
            29 => style.remove_modifier(Modifier::CROSSED_OUT),
            30..=37 | 90..=97 => style.fg(base(n)),
            40..=47 | 100..=107 => style.bg(base(n - 10)),
            38 | 48 => {
                let (color, used) = extended(&numbers[at + 1..]);
                at += used;
                match (color, n) {
                    (Some(color), 38) => style.fg(color),
                    (Some(color), _) => style.bg(color),
                    (None, _) => style,
                }
            }
            39 => style.fg(Color::Reset),
            49 => style.bg(Color::Reset),
            _ => style,
        };
        at += 1;
    }
    style
}

fn base(n: u16) -> Color {
    ANSI[usize::from(if n >= 90 { n - 90 + 8 } else { n - 30 }) % 16]
}

/// `5;n` or `2;r;g;b` after 38 or 48, and how many numbers it took.
fn extended(rest: &[u16]) -> (Option<Color>, usize) {
    let byte = |n: u16| u8::try_from(n).ok();
    match rest {
        [5, n, ..] => (byte(*n).map(Color::Indexed), 2),
        [2, r, g, b, ..] => match (byte(*r), byte(*g), byte(*b)) {
            (Some(r), Some(g), Some(b)) => (Some(Color::Rgb(r, g, b)), 4),
            _ => (None, 4),
        },
        _ => (None, rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn colours_stay_and_controls_go() {
        let line = parse(b"\x1b[1;31mbad\x1b[0m \x1b]0;title\x07ok\x1b[2J\x1b[10;10Hx\x08y\r");
        assert_eq!(line.text, "bad okx␈y");
        assert_eq!(line.style_at(1), Style::new().fg(Color::Red).add_modifier(Modifier::BOLD));
        assert_eq!(line.style_at(4), Style::new());
    }

    #[test]
    fn a_terminals_carriage_returns_leave_no_mark() {
        assert_eq!(parse(b"\r\x1b[?2004l\rbin  etc\r\r\n").text, "bin  etc");
        assert_eq!(parse(b"10%\r\x1b[32m20%\x1b[0m\r\x1b[?2004l\r").text, "10%\u{240d}20%");
    }

    #[test]
    fn wide_colours_and_tabs() {
        let line = parse(b"a\tb\x1b[38;5;200mc\x1b[48:2:1:2:3md\x1b[38;5m");
        assert_eq!(line.text, "a       bcd");
        assert_eq!(line.style_at(9).fg, Some(Color::Indexed(200)));
        assert_eq!(line.style_at(10).bg, Some(Color::Rgb(1, 2, 3)));
    }

    #[test]
    fn unfinished_sequences_take_no_text_before_them() {
        assert_eq!(parse(b"a\x1b[31").text, "a");
        assert_eq!(parse(b"a\x1b]52;c;evil").text, "a");
        assert_eq!(parse(b"a\x1b").text, "a");
        assert_eq!(parse("a\u{9b}2Jb".as_bytes()).text, "a2Jb");
    }

    proptest! {
        #[test]
        fn nothing_hostile_is_left(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let line = parse(&bytes);
            prop_assert!(!line.text.chars().any(char::is_control));
            prop_assert!(line.runs.iter().all(|(at, _)| line.text.is_char_boundary(*at)));
        }
    }
}
