//! The screen of a terminal session, kept so that whoever attaches sees it at once.
//!
//! vt100 is slower than a terminal that floods, so output is only collected here and fed when it pauses. What comes too
//! fast is skipped but for its mode changes: the newest part is enough for a screen of lines, and a full-screen program
//! is made to paint again by a short change of the window size.

use super::filter::{Filter, Sink};
use std::num::NonZeroU16;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Collected output beyond this is skipped.
const MAX_PENDING: usize = 256 << 10;
/// What is kept of it then: more than any screen holds.
const KEPT: usize = 64 << 10;
/// A pause of this length is the time to feed.
const PAUSE: Duration = Duration::from_millis(30);

pub(super) struct Screen {
    parser: vt100::Parser<Extras>,
    filter: Filter,
    pending: Vec<u8>,
    /// When `pending` is to be fed.
    due: Option<Instant>,
    /// Output was skipped since the last repaint of a full-screen program.
    stale: bool,
}

/// What vt100 leaves to its host.
#[derive(Default)]
struct Extras {
    /// Private modes it does not keep (focus reports, alternate scroll, ...), as set.
    modes: Vec<u16>,
    /// Kitty keyboard flags, as pushed.
    keyboard: Vec<u16>,
    title: Vec<u8>,
    /// Answers to queries, for when no terminal is there to answer.
    replies: Vec<u8>,
}

impl Screen {
    pub fn new(columns: u16, rows: u16) -> Screen {
        Screen {
            parser: parser(columns, rows),
            filter: Filter::default(),
            pending: Vec::new(),
            due: None,
            stale: false,
        }
    }

    /// Takes output; cheap however fast it comes.
    pub fn push(&mut self, bytes: &[u8], now: Instant) {
        self.pending.extend_from_slice(bytes);
        self.due = Some(now + PAUSE);
        if self.pending.len() > MAX_PENDING {
            let cut = self.pending.len() - KEPT;
            let old: Vec<u8> = self.pending.drain(..cut).collect();
            self.filter.skim = true;
            self.run(&old);
            self.filter.skim = false;
            self.stale = true;
        }
    }

    /// When [`Screen::feed`] should be called.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Brings the screen up to date. Returns answers to the queries in what was fed.
    pub fn feed(&mut self) -> Vec<u8> {
        self.due = None;
        let pending = std::mem::take(&mut self.pending);
        self.run(&pending);
        std::mem::take(&mut self.parser.callbacks_mut().replies)
    }

    fn run(&mut self, bytes: &[u8]) {
        let (rows, columns) = self.size();
        let (parser, filter) = (&mut self.parser, &mut self.filter);
        if catch_unwind(AssertUnwindSafe(|| filter.run(bytes, &mut Behind(parser)))).is_err() {
            // An empty screen is better than no monitor; the program's next repaint fills it.
            (self.parser, self.filter, self.stale) = (self::parser(columns, rows), Filter::default(), true);
        }
    }

    fn size(&self) -> (u16, u16) {
        let (rows, columns) = self.parser.screen().size();
        (rows.get(), columns.get())
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.feed();
        let (rows, columns) = dimensions(columns, rows);
        self.filter.region.clear();
        if catch_unwind(AssertUnwindSafe(|| self.parser.set_size(rows, columns))).is_err() {
            self.parser = parser(columns.get(), rows.get());
        }
    }

    /// True when a full-screen program should be made to paint again: what is kept of it is not what it shows.
    pub fn wants_nudge(&mut self) -> bool {
        std::mem::take(&mut self.stale) && self.parser.screen().alternate_screen()
    }

    /// Bytes that make a terminal which was reset show this screen, in these modes.
    pub fn repaint(&mut self) -> Vec<u8> {
        self.feed();
        let painted = catch_unwind(AssertUnwindSafe(|| self.paint()));
        painted.unwrap_or_default()
    }

    fn paint(&mut self) -> Vec<u8> {
        let mut out = b"\x1b[?1049l\x1b[r\x1b[0m".to_vec();
        if self.parser.screen().alternate_screen() {
            // The primary screen too, for when the program leaves.
            self.parser.process(b"\x1b[?47l");
            out.extend(self.parser.screen().contents_formatted().into_bytes());
            self.parser.process(b"\x1b[?47h");
            out.extend(b"\x1b[?1049h");
        }
        out.extend(self.parser.screen().state_formatted().into_bytes());
        if !self.filter.region.is_empty() {
            let (row, column) = self.parser.screen().cursor_position();
            out.extend([b"\x1b[", self.filter.region.as_slice(), b"r"].concat());
            out.extend(format!("\x1b[{};{}H", row + 1, column + 1).into_bytes());
        }
        if self.filter.draws_lines() {
            out.extend(b"\x1b(0");
        }
        let extras = self.parser.callbacks();
        for mode in &extras.modes {
            out.extend(format!("\x1b[?{mode}h").into_bytes());
        }
        if let Some(flags) = extras.keyboard.last().filter(|flags| **flags != 0) {
            out.extend(format!("\x1b[>{flags}u").into_bytes());
        }
        if !extras.title.is_empty() {
            out.extend([b"\x1b]2;", extras.title.as_slice(), b"\x07"].concat());
        }
        out
    }
}

fn dimensions(columns: u16, rows: u16) -> (NonZeroU16, NonZeroU16) {
    // Two columns at least: a wide character must fit.
    (
        NonZeroU16::new(rows.clamp(1, 1000)).unwrap_or(NonZeroU16::MIN),
        NonZeroU16::new(columns.clamp(2, 2000)).unwrap_or(NonZeroU16::MIN),
    )
}

fn parser(columns: u16, rows: u16) -> vt100::Parser<Extras> {
    let (rows, columns) = dimensions(columns, rows);
    vt100::Parser::new_with_callbacks(rows, columns, 0, Extras::default())
}

/// The parser as the filter's sink.
struct Behind<'a>(&'a mut vt100::Parser<Extras>);

impl Sink for Behind<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.0.process(bytes);
    }

    fn cursor(&self) -> (u16, u16) {
        self.0.screen().cursor_position()
    }

    fn size(&self) -> (u16, u16) {
        let (rows, columns) = self.0.screen().size();
        (rows.get(), columns.get())
    }
}

impl Extras {
    fn mode(&mut self, mode: u16, on: bool) {
        self.modes.retain(|m| *m != mode);
        // Synchronized output ends by itself; a repaint in the middle of it must not start one.
        if on && mode != 2026 && self.modes.len() < 32 {
            self.modes.push(mode);
        }
    }
}

impl vt100::Callbacks for Extras {
    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.title = title.iter().copied().filter(|b| *b >= 0x20 && *b != 0x7f).take(256).collect();
    }

    fn unhandled_csi(&mut self, screen: &mut vt100::Screen, i1: Option<u8>, _: Option<u8>, params: &[&[u16]], c: char) {
        let first = params.first().and_then(|p| p.first()).copied().unwrap_or(0);
        match (i1, c) {
            (Some(b'?'), 'h' | 'l') => params.iter().filter_map(|p| p.first()).for_each(|m| self.mode(*m, c == 'h')),
            (Some(b'>'), 'u') if self.keyboard.len() < 32 => self.keyboard.push(first),
            (Some(b'<'), 'u') => self.keyboard.truncate(self.keyboard.len().saturating_sub(usize::from(first.max(1)))),
            (Some(b'='), 'u') => {
                self.keyboard.pop();
                self.keyboard.push(first);
            }
            (None, 'n') if first == 5 => self.replies.extend(b"\x1b[0n"),
            (None, 'n') if first == 6 => {
                let (row, column) = screen.cursor_position();
                self.replies.extend(format!("\x1b[{};{}R", row + 1, column + 1).into_bytes());
            }
            (None, 'c') if first == 0 => self.replies.extend(b"\x1b[?62;22c"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds one screen, repaints another from it, and compares what they show.
    fn check(input: &[u8]) -> Screen {
        let mut first = Screen::new(40, 10);
        first.push(input, Instant::now());
        let paint = first.repaint();
        let mut second = Screen::new(40, 10);
        second.push(&paint, Instant::now());
        second.feed();
        assert_eq!(first.parser.screen().contents(), second.parser.screen().contents());
        assert_eq!(first.parser.screen().cursor_position(), second.parser.screen().cursor_position());
        second
    }

    #[test]
    fn a_repaint_shows_the_same_screen_in_the_same_modes() {
        let again = check(b"shell$ vi\r\n\x1b[?1049h\x1b[?1h\x1b[?2004h\x1b[?1004h\x1b[?1006h\x1b[?1002hfile\x1b[5;7H");
        let screen = again.parser.screen();
        assert!(screen.alternate_screen() && screen.application_cursor() && screen.bracketed_paste());
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::ButtonMotion);
        assert_eq!(again.parser.callbacks().modes, [1004]);
        // Leaving the program shows the shell again.
        let mut again = again;
        again.push(b"\x1b[?1049l", Instant::now());
        again.feed();
        assert!(again.parser.screen().contents().starts_with("shell$ vi"));
    }

    #[test]
    fn line_drawing_and_regions_survive() {
        let again = check(b"\x1b(0lqk\x1b(B\r\n\x1b[3;5r\x1b[2;1Hx");
        assert!(again.parser.screen().contents().starts_with("┌─┐\nx"));
        assert_eq!(again.filter.region, b"3;5");
    }

    #[test]
    fn a_flood_is_skipped_but_its_end_and_its_modes_stay() {
        let mut screen = Screen::new(40, 10);
        screen.push(b"\x1b[?2004h", Instant::now());
        for n in 0..200_000 {
            screen.push(format!("line {n}\r\n").as_bytes(), Instant::now());
        }
        assert!(screen.pending.len() <= MAX_PENDING);
        screen.feed();
        assert!(screen.parser.screen().contents().contains("line 199999"));
        assert!(screen.parser.screen().bracketed_paste());
        assert!(!screen.wants_nudge(), "lines need no repaint");
    }

    #[test]
    fn queries_are_answered_by_the_last_resort() {
        let mut screen = Screen::new(40, 10);
        screen.push(b"\x1b[3;4H\x1b[6n\x1b[c", Instant::now());
        assert_eq!(screen.feed(), b"\x1b[3;4R\x1b[?62;22c");
    }
}
