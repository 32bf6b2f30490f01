//! The engine behind the fence: what programs rely on, and what must not break whatever they print.

use super::*;
use proptest::prelude::*;
use ratatui::style::{Color, Modifier};

fn screen(terminal: &mut Terminal) -> Vec<String> {
    let (columns, rows) = terminal.size();
    let area = Rect::new(0, 0, columns, rows);
    let mut buf = Buffer::empty(area);
    terminal.render(area, &mut buf, &Look::default());
    (0..rows).map(|y| (0..columns).map(|x| buf[(x, y)].symbol()).collect::<String>().trim_end().to_owned()).collect()
}

fn fed(columns: u16, rows: u16, bytes: &str) -> Terminal {
    let mut terminal = Terminal::new(columns, rows, 1000);
    terminal.feed(bytes.as_bytes());
    terminal
}

#[test]
fn narrowing_and_widening_loses_nothing() {
    let line = "0123456789abcdefghijklmnopqrstuvwxyz";
    let mut terminal = fed(40, 5, line);
    terminal.resize(10, 5);
    // The engine moves what it wraps into the history, even where there is room below.
    assert_eq!(terminal.all_text(), line);
    terminal.scroll(Scroll::Top);
    assert_eq!(screen(&mut terminal)[..4], ["0123456789", "abcdefghij", "klmnopqrst", "uvwxyz"]);
    terminal.resize(3, 2);
    terminal.resize(40, 5);
    assert_eq!(terminal.all_text(), line);
}

#[test]
fn curses_boxes_have_lines() {
    let mut terminal = fed(10, 2, "\x1b(0lqqk\x1b(B\r\n\x0e\x1b)0x\x0fx");
    assert_eq!(screen(&mut terminal)[0], "┌──┐");
    assert_eq!(screen(&mut terminal)[1], "│x");
}

#[test]
fn the_alternate_screen_is_its_own() {
    let mut terminal = fed(20, 3, "shell\x1b[?1049h\x1b[2Jvi");
    assert!(terminal.modes().alternate_screen);
    assert!(screen(&mut terminal).concat().contains("vi"));
    terminal.feed(b"\x1b[?1049l");
    assert_eq!(screen(&mut terminal)[0], "shell");
}

#[test]
fn wide_characters_and_styles() {
    let mut terminal = fed(7, 2, "漢e\u{301}x\x1b[1;3;31;48;2;1;2;3mB\x1b[38;5;200mC\x1b[91mD\t|");
    assert_eq!(screen(&mut terminal)[0].replace(' ', ""), "漢e\u{301}xBCD");
    let area = Rect::new(0, 0, 7, 2);
    let mut buf = Buffer::empty(area);
    terminal.render(area, &mut buf, &Look::default());
    let bold = &buf[(4, 0)];
    assert_eq!((bold.fg, bold.bg, bold.modifier), (Color::Red, Color::Rgb(1, 2, 3), Modifier::BOLD | Modifier::ITALIC));
    assert_eq!((buf[(5, 0)].fg, buf[(6, 0)].fg), (Color::Indexed(200), Color::LightRed));
    // Cut in the middle of a wide character, the column is blank.
    let mut narrow = Buffer::empty(Rect::new(0, 0, 1, 1));
    terminal.render(narrow.area, &mut narrow, &Look::default());
    assert_eq!(narrow[(0, 0)].symbol(), " ");
}

#[test]
fn queries_are_answered_in_order() {
    let mut terminal = fed(80, 24, "ab");
    terminal.set_colors((1, 2, 3), (255, 254, 253));
    let out = terminal.feed(b"\x1b[6n\x1b[c\x1b[5n\x1b[18t\x1b]11;?\x07\x1b]10;?\x1b\\\x1b[?2004$p");
    let replies = String::from_utf8(out.replies).unwrap();
    let expected = [
        "\x1b[1;3R",
        "\x1b[?6c",
        "\x1b[0n",
        "\x1b[8;24;80t",
        "\x1b]11;rgb:ffff/fefe/fdfd\x07",
        "\x1b]10;rgb:0101/0202/0303\x1b\\",
        "\x1b[?2004;2$y",
    ];
    assert_eq!(replies, expected.concat());
}

#[test]
fn the_clipboard_can_be_written_but_not_read() {
    let mut terminal = fed(20, 2, "");
    let out = terminal.feed(b"\x1b]52;c;aGVsbG8=\x07\x1b]52;c;?\x07\x1b]0;ti\xc2\x9btle\x07\x07");
    assert_eq!(out.clipboard.as_deref(), Some("hello"));
    assert!(out.replies.is_empty() && out.bell);
    assert_eq!(out.title.as_deref(), Some("title"));
}

#[test]
fn a_synchronized_update_is_shown_whole_or_by_its_deadline() {
    let mut terminal = fed(20, 2, "old");
    terminal.feed(b"\x1b[?2026h\x1b[Hnew");
    assert_eq!(screen(&mut terminal)[0], "old");
    assert!(terminal.sync_deadline().is_some());
    terminal.take_dirty();
    terminal.feed(b"!");
    assert!(!terminal.take_dirty());
    terminal.end_sync();
    assert!(terminal.take_dirty());
    assert_eq!(screen(&mut terminal)[0], "new!");
    assert!(terminal.sync_deadline().is_none());
    terminal.feed(b"\x1b[?2026h\x1b[Hxyz\x1b[K\x1b[?2026l");
    assert_eq!(screen(&mut terminal)[0], "xyz");
}

#[test]
fn sizes_are_clamped() {
    let mut terminal = Terminal::new(0, 0, 10);
    assert_eq!(terminal.size(), (2, 1));
    terminal.feed("漢字\r\n漢".as_bytes());
    terminal.resize(1, 1);
    terminal.resize(u16::MAX, 1);
    assert_eq!(terminal.size(), (MAX_CELLS_PER_SIDE, 1));
}

#[test]
fn a_replayed_screen_replaces_what_a_program_left() {
    let mut terminal = fed(20, 3, "before\r\n\x1b[?1049h\x1b[?1000h\x1b[?2004h\x1b[31mvi\x1b]0;unfini");
    let out = terminal.replay(b"prompt $ \x1b[6n");
    assert!(out.replies.is_empty());
    assert_eq!(screen(&mut terminal)[0], "prompt $");
    assert_eq!(terminal.modes(), Modes { alternate_scroll: true, ..Modes::default() });
    assert!(terminal.all_text().contains("before"));
    let mut fresh = fed(20, 3, "");
    fresh.replay(b"prompt $ ");
    assert_eq!((fresh.history_len(), fresh.all_text().as_str()), (0, "prompt $"));
}

#[test]
fn the_view_stays_while_output_comes() {
    let mut terminal = fed(20, 3, "");
    (0..50).for_each(|n| drop(terminal.feed(format!("\r\nline {n}").as_bytes())));
    terminal.scroll(Scroll::Lines(10));
    let before = screen(&mut terminal);
    terminal.feed(b"\r\nmore\r\nmore");
    assert_eq!(screen(&mut terminal), before);
    assert!(!terminal.cursor().visible && terminal.offset() == 12);
    terminal.scroll(Scroll::Bottom);
    assert_eq!(screen(&mut terminal)[2], "more");
    terminal.feed(b"\x1b[3J");
    assert_eq!(terminal.history_len(), 0);
}

#[test]
fn selection_joins_wrapped_lines_and_goes_beyond_the_view() {
    let mut terminal = fed(10, 2, "a long line that wraps\r\nend");
    terminal.scroll(Scroll::Top);
    terminal.select_start(SelectionKind::Characters, 2, 0, false);
    terminal.scroll(Scroll::Bottom);
    terminal.select_extend(9, 1, true);
    assert_eq!(terminal.selected_text().as_deref(), Some("long line that wraps\nend"));
    terminal.select_start(SelectionKind::Words, 1, 1, false);
    assert_eq!(terminal.selected_text().as_deref(), Some("end"));
}

#[test]
fn copy_mode_searches_the_history() {
    let mut terminal = fed(20, 3, "");
    (0..50).for_each(|n| drop(terminal.feed(format!("\r\nline {n} x").as_bytes())));
    terminal.set_copy_mode(true);
    terminal.set_search(Some("line 7 ")).unwrap();
    assert!(terminal.search_next(false));
    assert!(screen(&mut terminal).iter().any(|row| row == "line 7 x"));
    terminal.copy_select(SelectionKind::Lines);
    terminal.motion(Motion::Down);
    assert_eq!(terminal.selected_text().as_deref(), Some("line 7 x\nline 8 x\n"));
    assert!(terminal.set_search(Some("(")).is_err());
    terminal.set_copy_mode(false);
    assert_eq!(terminal.selected_text(), None);
}

#[test]
fn links_are_kept() {
    let mut terminal = fed(20, 2, "\x1b]8;;http://a.b/\x07link\x1b]8;;\x07 none");
    assert_eq!(terminal.link_at(1, 0).as_deref(), Some("http://a.b/"));
    assert_eq!(terminal.link_at(6, 0), None);
}

#[test]
fn nothing_is_drawn_when_nothing_changed() {
    let mut terminal = fed(20, 2, "x");
    assert!(terminal.take_dirty());
    assert!(!terminal.take_dirty());
    terminal.feed(b"y");
    assert!(terminal.take_dirty());
}

#[test]
fn a_flood_of_combining_marks_is_bounded() {
    let mut terminal = fed(10, 2, "a");
    let flood = "\u{301}".repeat(SLICE / 2);
    for _ in 0..20 {
        terminal.feed(flood.as_bytes());
    }
    terminal.feed(b"b");
    assert!(screen(&mut terminal)[0].starts_with('a'));
    assert!(terminal.all_text().len() < 2 * SLICE);
}

/// Panics when it is fed a `!`.
struct Fragile(Box<dyn TermEngine>);

impl TermEngine for Fragile {
    fn feed(&mut self, bytes: &[u8], out: &mut Effects) {
        assert!(!bytes.contains(&b'!'), "it broke");
        self.0.feed(bytes, out);
    }
    fn resize(&mut self, columns: u16, rows: u16) {
        self.0.resize(columns, rows);
    }
    fn modes(&self) -> Modes {
        self.0.modes()
    }
    fn cursor(&self) -> Cursor {
        self.0.cursor()
    }
    fn render(&mut self, area: Rect, buf: &mut Buffer, look: &Look) {
        self.0.render(area, buf, look);
    }
    fn history_len(&self) -> usize {
        0
    }
    fn offset(&self) -> usize {
        0
    }
    fn scroll(&mut self, _: Scroll) {}
    fn select_start(&mut self, _: SelectionKind, _: u16, _: u16, _: bool) {}
    fn select_extend(&mut self, _: u16, _: u16, _: bool) {}
    fn select_clear(&mut self) {}
    fn selected_text(&self) -> Option<String> {
        None
    }
    fn all_text(&self) -> String {
        String::new()
    }
    fn set_copy_mode(&mut self, _: bool) {}
    fn motion(&mut self, _: Motion) {}
    fn copy_select(&mut self, _: SelectionKind) {}
    fn set_search(&mut self, _: Option<&str>) -> Result<(), String> {
        Ok(())
    }
    fn search_next(&mut self, _: bool) -> bool {
        false
    }
    fn link_at(&self, _: u16, _: u16) -> Option<String> {
        None
    }
    fn take_damage(&mut self) -> Damage {
        Damage::Full
    }
    fn sync_deadline(&self) -> Option<Instant> {
        None
    }
    fn end_sync(&mut self, _: &mut Effects) {}
    fn set_colors(&mut self, _: (u8, u8, u8), _: (u8, u8, u8)) {}
}

#[test]
fn an_engine_that_panics_is_rebuilt() {
    let make = |c, r| Box::new(Fragile(Box::new(alacritty::Alacritty::new(c, r, 10)))) as Box<dyn TermEngine>;
    let mut terminal = Terminal::with_engine(20, 2, Box::new(make));
    terminal.feed(b"before");
    let out = terminal.feed(b"bang!");
    assert_eq!(out.rebuilt.as_deref(), Some("terminal engine failed (it broke); its grid was rebuilt"));
    assert!(!in_engine());
    assert_eq!(terminal.feed(b"after").rebuilt, None);
    assert_eq!(screen(&mut terminal)[0], "after");
}

/// Control sequences and text in a mix that reaches the engine's odd corners.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => "[ -~]{1,12}".prop_map(String::into_bytes),
        1 => Just("漢字e\u{301}👩\u{200d}💻\u{fe0f}".as_bytes().to_vec()),
        3 => ("[?>=!]?", proptest::collection::vec(0u32..3000, 0..3), "[@-~]")
            .prop_map(|(mark, numbers, last)| {
                let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
                format!("\x1b[{mark}{}{last}", numbers.join(";")).into_bytes()
            }),
        1 => "\x1b[()#%78=>cDEHMNOZ][0-9;]{0,3}\x07?".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 1..8),
        1 => Just(b"\r\n\t\x08\x0b\x0c\x0e\x0f".to_vec()),
    ];
    proptest::collection::vec(piece, 1..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn nothing_a_program_prints_breaks_the_pane(
        steps in proptest::collection::vec((hostile(), 0u16..60, 0u16..20), 1..6)
    ) {
        let mut terminal = Terminal::new(20, 5, 50);
        let outside = Rect::new(0, 0, 70, 30);
        for (bytes, columns, rows) in steps {
            let out = terminal.feed(&bytes);
            prop_assert_eq!(out.rebuilt, None);
            terminal.resize(columns, rows);
            terminal.scroll(Scroll::Lines(3));
            let mut buf = Buffer::empty(outside);
            let inside = Rect::new(5, 5, columns.min(60), rows.min(20));
            terminal.render(inside, &mut buf, &Look::default());
            for position in outside.positions().filter(|p| !inside.contains(*p)) {
                prop_assert_eq!(&buf[position], &ratatui::buffer::Cell::EMPTY);
            }
            prop_assert!(buf.content.iter().all(|cell| !cell.symbol().contains(char::is_control)));
            prop_assert!(terminal.end_sync().rebuilt.is_none());
        }
    }
}
