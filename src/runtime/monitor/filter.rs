//! What vt100 lacks, put before it: line drawing, tab stops, insert mode, saved cursors and the older alternate screens
//! are rewritten into sequences it knows. Everything else passes as it is.

/// Where filtered bytes go, and what the filter must ask of the screen behind.
pub(super) trait Sink {
    fn put(&mut self, bytes: &[u8]);
    /// Row and column, from 0.
    fn cursor(&self) -> (u16, u16);
    /// Rows and columns.
    fn size(&self) -> (u16, u16);
}

/// Longest control sequence that is looked at; a longer one is dropped, as terminals do.
const MAX_SEQUENCE: usize = 256;

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    Ground,
    /// After ESC, with intermediates so far in `held`.
    Escape,
    Csi,
    /// Inside OSC, DCS, SOS, PM or APC: until BEL or ST.
    Text,
    /// ESC inside such a string: `\` ends it.
    TextEscape,
}

/// State between chunks.
#[derive(Debug, Default)]
pub(super) struct Filter {
    at: At,
    held: Vec<u8>,
    /// G0 and G1 are the line drawing set.
    graphics: [bool; 2],
    /// SO: G1 is in use.
    shifted: bool,
    insert: bool,
    /// Columns, from 0; `None`: every eighth.
    tabs: Option<Vec<u16>>,
    /// Parameters of the last scroll region (`CSI top ; bottom r`), for a repaint.
    pub region: Vec<u8>,
    /// Only mode changes pass; text and painting are dropped.
    pub skim: bool,
}

impl Filter {
    /// Line drawing characters are what `q` would show now.
    pub fn draws_lines(&self) -> bool {
        self.graphics[usize::from(self.shifted)]
    }

    pub fn run(&mut self, mut bytes: &[u8], sink: &mut dyn Sink) {
        while let Some(&first) = bytes.first() {
            if self.at == At::Ground {
                let plain = bytes.iter().position(|b| matches!(b, 0x1b | 0x0e | 0x0f)).unwrap_or(bytes.len());
                if plain > 0 {
                    self.text(&bytes[..plain], sink);
                    bytes = &bytes[plain..];
                    continue;
                }
            }
            bytes = &bytes[1..];
            self.byte(first, sink);
        }
    }

    fn byte(&mut self, byte: u8, sink: &mut dyn Sink) {
        match self.at {
            At::Ground => match byte {
                0x0e => self.shifted = true,
                0x0f => self.shifted = false,
                _ => self.begin(),
            },
            At::Text | At::TextEscape => self.string(byte, sink),
            // CAN and SUB give up a sequence, ESC begins another, other controls act at once in the middle of it.
            _ if matches!(byte, 0x18 | 0x1a) => self.at = At::Ground,
            _ if byte == 0x1b => self.begin(),
            _ if byte < 0x20 => self.text(&[byte], sink),
            At::Escape => self.escape(byte, sink),
            At::Csi => {
                self.held.push(byte);
                if (0x40..=0x7e).contains(&byte) {
                    self.at = At::Ground;
                    if self.held.len() <= MAX_SEQUENCE {
                        self.csi(byte, sink);
                    }
                } else {
                    self.held.truncate(MAX_SEQUENCE + 1);
                }
            }
        }
    }

    fn begin(&mut self) {
        self.at = At::Escape;
        self.held.clear();
        self.held.push(0x1b);
    }

    fn string(&mut self, byte: u8, sink: &mut dyn Sink) {
        if self.held.len() <= MAX_SEQUENCE {
            self.held.push(byte);
        }
        let ends = match (self.at, byte) {
            (_, 0x07 | 0x18 | 0x1a) | (At::TextEscape, b'\\') => true,
            (_, 0x1b) => {
                self.at = At::TextEscape;
                return;
            }
            _ => {
                self.at = At::Text;
                return;
            }
        };
        if ends {
            self.at = At::Ground;
            // Only titles matter to the screen; a longer string (clipboard, images) would not be shown anyway.
            if self.held.len() <= MAX_SEQUENCE {
                sink.put(&self.held);
            }
        }
    }

    fn escape(&mut self, byte: u8, sink: &mut dyn Sink) {
        self.held.push(byte);
        if (0x20..0x30).contains(&byte) {
            self.held.truncate(8);
            return;
        }
        self.at = At::Ground;
        match self.held[1..] {
            [b'['] => self.at = At::Csi,
            [b']' | b'P' | b'X' | b'^' | b'_'] => self.at = At::Text,
            [b'(', set] => self.graphics[0] = set == b'0',
            [b')', set] => self.graphics[1] = set == b'0',
            [b'D'] => self.text(b"\n", sink),
            [b'E'] => self.text(b"\r\n", sink),
            [b'H'] => self.set_tab(sink),
            [b'#', b'8'] => self.fill(sink),
            [b'c'] => {
                *self = Filter { skim: self.skim, ..Filter::default() };
                sink.put(b"\x1bc");
            }
            [b'=' | b'>'] => sink.put(&self.held),
            _ if self.skim => {}
            _ => sink.put(&self.held),
        }
    }

    /// A whole control sequence in `held`.
    fn csi(&mut self, last: u8, sink: &mut dyn Sink) {
        let body = self.held[2..self.held.len() - 1].to_vec();
        match (body.first(), last) {
            (Some(b'?'), b'h' | b'l') => private_modes(&body[1..], last, sink),
            (None, b's') => sink.put(b"\x1b7"),
            (None, b'u') => sink.put(b"\x1b8"),
            (_, b'u') => sink.put(&self.held),
            (_, b'h' | b'l') if body == b"4" => self.insert = last == b'h',
            (_, b'r') if !body.contains(&b'?') => {
                self.region.clone_from(&body);
                sink.put(&self.held);
            }
            _ if self.skim => {}
            (_, b'g') => self.clear_tabs(number(&body), sink),
            (_, b'I') => self.tab(i32::from(number(&body).max(1)), sink),
            (_, b'Z') => self.tab(-i32::from(number(&body).max(1)), sink),
            (_, b'a' | b'e') => {
                let mut same = self.held.clone();
                if let Some(end) = same.last_mut() {
                    *end = if last == b'a' { b'C' } else { b'B' };
                }
                sink.put(&same);
            }
            _ => sink.put(&self.held),
        }
    }

    fn text(&mut self, bytes: &[u8], sink: &mut dyn Sink) {
        if self.skim {
            return;
        }
        if !(self.draws_lines() || self.insert || self.tabs.is_some()) {
            return sink.put(bytes);
        }
        for (n, &byte) in bytes.iter().enumerate() {
            if byte == b'\t' && self.tabs.is_some() {
                self.tab(1, sink);
                continue;
            }
            if self.insert && byte >= 0x20 && byte & 0xc0 != 0x80 {
                sink.put(if is_wide(&bytes[n..]) { b"\x1b[2@" } else { b"\x1b[@" });
            }
            match byte {
                0x5f..=0x7e if self.draws_lines() => {
                    let mut utf8 = [0; 4];
                    sink.put(LINES[usize::from(byte - 0x5f)].encode_utf8(&mut utf8).as_bytes());
                }
                _ => sink.put(&[byte]),
            }
        }
    }

    fn stops(&mut self, columns: u16) -> &mut Vec<u16> {
        self.tabs.get_or_insert_with(|| (8..columns).step_by(8).collect())
    }

    fn set_tab(&mut self, sink: &mut dyn Sink) {
        let (column, columns) = (sink.cursor().1, sink.size().1);
        let stops = self.stops(columns);
        if let Err(place) = stops.binary_search(&column) {
            stops.insert(place, column);
        }
    }

    fn clear_tabs(&mut self, what: u16, sink: &mut dyn Sink) {
        let (column, columns) = (sink.cursor().1, sink.size().1);
        match what {
            0 => self.stops(columns).retain(|stop| *stop != column),
            3 => self.tabs = Some(Vec::new()),
            _ => {}
        }
    }

    /// Moves by tab stops, to the right or (negative) to the left.
    fn tab(&mut self, count: i32, sink: &mut dyn Sink) {
        let (column, last) = (sink.cursor().1, sink.size().1.saturating_sub(1));
        let default: Vec<u16>;
        let stops = match &self.tabs {
            Some(stops) => stops,
            None => {
                default = (8..=last).step_by(8).collect();
                &default
            }
        };
        let nth = |n: i32| usize::try_from(n - 1).unwrap_or(usize::MAX);
        let goal = if count > 0 {
            stops.iter().filter(|stop| **stop > column).nth(nth(count)).copied().unwrap_or(last)
        } else {
            stops.iter().rev().filter(|stop| **stop < column).nth(nth(-count)).copied().unwrap_or(0)
        };
        sink.put(format!("\x1b[{}G", goal.min(last) + 1).as_bytes());
    }

    /// DECALN: the screen full of E.
    fn fill(&mut self, sink: &mut dyn Sink) {
        if self.skim {
            return;
        }
        let (rows, columns) = sink.size();
        sink.put(b"\x1b[r");
        for row in 1..=rows {
            sink.put(format!("\x1b[{row}H").as_bytes());
            sink.put(&vec![b'E'; usize::from(columns)]);
        }
        sink.put(b"\x1b[H");
    }
}

/// One sequence per mode; those of the older alternate screens by what vt100 knows.
fn private_modes(body: &[u8], last: u8, sink: &mut dyn Sink) {
    for mode in body.split(|b| *b == b';') {
        match (mode, last) {
            (b"1047", b'h') => sink.put(b"\x1b[?47h"),
            // Cleared when it is left.
            (b"1047", _) => sink.put(b"\x1b[2J\x1b[?47l"),
            (b"1048", b'h') => sink.put(b"\x1b7"),
            (b"1048", _) => sink.put(b"\x1b8"),
            _ => sink.put(&[b"\x1b[?", mode, &[last]].concat()),
        }
    }
}

fn number(body: &[u8]) -> u16 {
    let first = body.split(|b| *b == b';').next().unwrap_or(&[]);
    std::str::from_utf8(first).ok().and_then(|s| s.parse().ok()).unwrap_or(0)
}

fn is_wide(bytes: &[u8]) -> bool {
    let length = match bytes.first() {
        Some(0xe1..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        _ => return false,
    };
    let text = bytes.get(..length).and_then(|b| std::str::from_utf8(b).ok());
    text.is_some_and(|t| unicode_width::UnicodeWidthStr::width(t) == 2)
}

/// The DEC special graphics set, from `_` to `~`.
const LINES: [char; 32] = [
    ' ', '◆', '▒', '␉', '␌', '␍', '␊', '°', '±', '␤', '␋', '┘', '┐', '┌', '└', '┼', '⎺', '⎻', '─', '⎼', '⎽', '├', '┤',
    '┴', '┬', '│', '≤', '≥', 'π', '≠', '£', '·',
];

#[cfg(test)]
mod tests {
    use super::*;

    struct Out(Vec<u8>, (u16, u16));

    impl Sink for Out {
        fn put(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
        fn cursor(&self) -> (u16, u16) {
            self.1
        }
        fn size(&self) -> (u16, u16) {
            (3, 40)
        }
    }

    /// The same at every cut.
    fn check(input: &str, expected: &str) {
        for cut in 0..=input.len() {
            let (mut filter, mut out) = (Filter::default(), Out(Vec::new(), (0, 10)));
            filter.run(&input.as_bytes()[..cut], &mut out);
            filter.run(&input.as_bytes()[cut..], &mut out);
            assert_eq!(String::from_utf8(out.0).unwrap(), expected, "cut at {cut}");
        }
    }

    #[test]
    fn line_drawing_becomes_unicode() {
        check("a\x1b(0lqk\x1b(Bq", "a┌─┐q");
        check("\x1b)0q\x0eq\x0fq", "q─q");
    }

    #[test]
    fn what_vt100_lacks_is_rewritten_and_the_rest_passes() {
        check("\x1bD\x1bE", "\n\r\n");
        check("\x1b[s\x1b[u\x1b[3a\x1b[2e", "\x1b7\x1b8\x1b[3C\x1b[2B");
        check("\x1b[?1047;25h\x1b[?1048l", "\x1b[?47h\x1b[?25h\x1b8");
        check("\x1b[31mred\x1b[0m é日\x1b]2;title\x07", "\x1b[31mred\x1b[0m é日\x1b]2;title\x07");
        check("\x1b[3\x18x\x1b[2\x1b[1mA\x1b[1\nB", "x\x1b[1mA\n\x1b[1B");
    }

    #[test]
    fn tab_stops_and_insert_mode() {
        check("\x1b[2I\x1b[Z", "\x1b[25G\x1b[9G");
        check("\x1b[3g\x1bH\t", "\x1b[40G");
        check("\x1b[4hab\x1b[4lc", "\x1b[@a\x1b[@bc");
    }

    #[test]
    fn skimming_keeps_modes_only() {
        let (mut filter, mut out) = (Filter { skim: true, ..Filter::default() }, Out(Vec::new(), (0, 0)));
        filter.run(b"text\x1b[31m\x1b[?1049hmore\x1b[5;5H\x1b[2;9r\x1b=\x1b(0", &mut out);
        assert_eq!(out.0, b"\x1b[?1049h\x1b[2;9r\x1b=");
        assert!(filter.draws_lines());
    }
}
