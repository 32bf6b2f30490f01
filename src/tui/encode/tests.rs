//! The bytes against xterm's and kitty's documents.

use super::*;
use crate::tui::emulator::{KittyFlags, MouseMode};
use crossterm::event::{KeyCode, KeyEventState, MouseButton, MouseEventKind};
use proptest::prelude::*;

const NONE: KeyModifiers = KeyModifiers::NONE;
const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
const ALT: KeyModifiers = KeyModifiers::ALT;
const CTRL: KeyModifiers = KeyModifiers::CONTROL;

fn press(code: KeyCode, modifiers: KeyModifiers, modes: &Modes) -> String {
    String::from_utf8(key(KeyEvent::new(code, modifiers), modes)).unwrap()
}

fn app_cursor() -> Modes {
    Modes { app_cursor: true, ..Modes::default() }
}

#[test]
fn xterm_keys() {
    let table: &[(KeyCode, KeyModifiers, &str)] = &[
        (KeyCode::Char('a'), NONE, "a"),
        (KeyCode::Char('A'), SHIFT, "A"),
        (KeyCode::Char('é'), NONE, "é"),
        (KeyCode::Char('x'), ALT, "\x1bx"),
        (KeyCode::Char('c'), CTRL, "\x03"),
        (KeyCode::Char('C'), CTRL | SHIFT, "\x03"),
        (KeyCode::Char('d'), CTRL | ALT, "\x1b\x04"),
        (KeyCode::Char(' '), CTRL, "\0"),
        (KeyCode::Char('@'), CTRL, "\0"),
        (KeyCode::Char('['), CTRL, "\x1b"),
        (KeyCode::Char('\\'), CTRL, "\x1c"),
        (KeyCode::Char('4'), CTRL, "\x1c"),
        (KeyCode::Char(']'), CTRL, "\x1d"),
        (KeyCode::Char('^'), CTRL, "\x1e"),
        (KeyCode::Char('_'), CTRL, "\x1f"),
        (KeyCode::Char('/'), CTRL, "\x1f"),
        (KeyCode::Char('?'), CTRL, "\x7f"),
        (KeyCode::Char('9'), CTRL, "9"),
        (KeyCode::Enter, NONE, "\r"),
        (KeyCode::Enter, ALT, "\x1b\r"),
        (KeyCode::Backspace, NONE, "\x7f"),
        (KeyCode::Backspace, CTRL, "\x08"),
        (KeyCode::Backspace, ALT, "\x1b\x7f"),
        (KeyCode::Tab, NONE, "\t"),
        (KeyCode::BackTab, SHIFT, "\x1b[Z"),
        (KeyCode::Esc, NONE, "\x1b"),
        (KeyCode::Up, NONE, "\x1b[A"),
        (KeyCode::Down, SHIFT, "\x1b[1;2B"),
        (KeyCode::Right, CTRL, "\x1b[1;5C"),
        (KeyCode::Left, CTRL | SHIFT | ALT, "\x1b[1;8D"),
        (KeyCode::Home, NONE, "\x1b[H"),
        (KeyCode::End, ALT, "\x1b[1;3F"),
        (KeyCode::F(1), NONE, "\x1bOP"),
        (KeyCode::F(4), SHIFT, "\x1b[1;2S"),
        (KeyCode::F(5), NONE, "\x1b[15~"),
        (KeyCode::F(6), CTRL, "\x1b[17;5~"),
        (KeyCode::F(10), NONE, "\x1b[21~"),
        (KeyCode::F(11), NONE, "\x1b[23~"),
        (KeyCode::F(12), SHIFT, "\x1b[24;2~"),
        (KeyCode::F(20), NONE, "\x1b[34~"),
        (KeyCode::Insert, NONE, "\x1b[2~"),
        (KeyCode::Delete, CTRL, "\x1b[3;5~"),
        (KeyCode::PageUp, NONE, "\x1b[5~"),
        (KeyCode::PageDown, SHIFT, "\x1b[6;2~"),
        (KeyCode::CapsLock, NONE, ""),
    ];
    for (code, modifiers, bytes) in table {
        assert_eq!(press(*code, *modifiers, &Modes::default()), *bytes, "{code:?} {modifiers:?}");
    }
}

#[test]
fn application_modes() {
    assert_eq!(press(KeyCode::Up, NONE, &app_cursor()), "\x1bOA");
    assert_eq!(press(KeyCode::Home, NONE, &app_cursor()), "\x1bOH");
    assert_eq!(press(KeyCode::Up, CTRL, &app_cursor()), "\x1b[1;5A");
    let newline = Modes { newline: true, ..Modes::default() };
    assert_eq!(press(KeyCode::Enter, NONE, &newline), "\r\n");
    let keypad = Modes { app_keypad: true, ..Modes::default() };
    let event = KeyEvent { state: KeyEventState::KEYPAD, ..KeyEvent::new(KeyCode::Char('5'), NONE) };
    assert_eq!(key(event, &keypad), b"\x1bOu");
    assert_eq!(key(event, &Modes::default()), b"5");
}

#[test]
fn kitty_keys() {
    let disambiguate = KittyFlags { disambiguate: true, ..KittyFlags::default() };
    let modes = Modes { kitty: disambiguate, ..app_cursor() };
    let all = KittyFlags {
        all_as_escapes: true,
        event_types: true,
        associated_text: true,
        alternate_keys: true,
        ..disambiguate
    };
    let loud = Modes { kitty: all, ..Modes::default() };
    let table: &[(KeyCode, KeyModifiers, &Modes, &str)] = &[
        (KeyCode::Char('a'), NONE, &modes, "a"),
        (KeyCode::Char('A'), SHIFT, &modes, "A"),
        (KeyCode::Char('a'), CTRL, &modes, "\x1b[97;5u"),
        (KeyCode::Char('x'), ALT, &modes, "\x1b[120;3u"),
        (KeyCode::Esc, NONE, &modes, "\x1b[27u"),
        (KeyCode::Enter, NONE, &modes, "\r"),
        (KeyCode::Enter, SHIFT, &modes, "\x1b[13;2u"),
        (KeyCode::BackTab, SHIFT, &modes, "\x1b[9;2u"),
        (KeyCode::Up, NONE, &modes, "\x1b[A"),
        (KeyCode::F(3), NONE, &modes, "\x1b[13~"),
        (KeyCode::F(1), NONE, &modes, "\x1b[P"),
        (KeyCode::F(13), NONE, &modes, "\x1b[57376u"),
        (KeyCode::Char('a'), NONE, &loud, "\x1b[97;;97u"),
        (KeyCode::Char('A'), SHIFT, &loud, "\x1b[97:65;2;65u"),
        (KeyCode::Enter, NONE, &loud, "\x1b[13u"),
    ];
    for (code, modifiers, modes, bytes) in table {
        assert_eq!(press(*code, *modifiers, modes), *bytes, "{code:?} {modifiers:?}");
    }
    let release = KeyEvent { kind: KeyEventKind::Release, ..KeyEvent::new(KeyCode::Char('a'), NONE) };
    assert_eq!(key(release, &loud), b"\x1b[97;1:3u");
    assert!(key(release, &modes).is_empty() && key(release, &Modes::default()).is_empty());
    let repeat = KeyEvent { kind: KeyEventKind::Repeat, ..KeyEvent::new(KeyCode::Up, NONE) };
    assert_eq!(key(repeat, &loud), b"\x1b[1;1:2A");
}

fn at(kind: MouseEventKind, column: u16, row: u16, modifiers: KeyModifiers) -> MouseEvent {
    MouseEvent { kind, column, row, modifiers }
}

#[test]
fn mouse_reports_what_the_mode_asks_for() {
    let sgr = |mouse| Modes { mouse, mouse_sgr: true, ..Modes::default() };
    let left = MouseButton::Left;
    let cases: &[(MouseEventKind, MouseMode, &str)] = &[
        (MouseEventKind::Down(left), MouseMode::Click, "\x1b[<0;3;5M"),
        (MouseEventKind::Up(MouseButton::Right), MouseMode::Click, "\x1b[<2;3;5m"),
        (MouseEventKind::Drag(left), MouseMode::Click, ""),
        (MouseEventKind::Drag(left), MouseMode::Drag, "\x1b[<32;3;5M"),
        (MouseEventKind::Moved, MouseMode::Drag, ""),
        (MouseEventKind::Moved, MouseMode::Motion, "\x1b[<35;3;5M"),
        (MouseEventKind::ScrollUp, MouseMode::Click, "\x1b[<64;3;5M"),
        (MouseEventKind::Down(left), MouseMode::Off, ""),
    ];
    for (kind, mode, bytes) in cases {
        assert_eq!(mouse(at(*kind, 2, 4, NONE), &sgr(*mode)), bytes.as_bytes(), "{kind:?} {mode:?}");
    }
    assert_eq!(mouse(at(MouseEventKind::Down(left), 0, 0, CTRL | ALT), &sgr(MouseMode::Click)), b"\x1b[<24;1;1M");
    let old = Modes { mouse: MouseMode::Click, ..Modes::default() };
    assert_eq!(mouse(at(MouseEventKind::Down(left), 2, 4, NONE), &old), b"\x1b[M #%");
    assert_eq!(mouse(at(MouseEventKind::Up(left), 222, 0, NONE), &old), b"\x1b[M#\xff!");
    assert!(mouse(at(MouseEventKind::Up(left), 223, 0, NONE), &old).is_empty());
}

#[test]
fn the_wheel_is_arrows_in_a_full_screen_program() {
    let modes = Modes { alternate_screen: true, alternate_scroll: true, ..app_cursor() };
    assert_eq!(mouse(at(MouseEventKind::ScrollDown, 0, 0, NONE), &modes), b"\x1bOB\x1bOB\x1bOB");
    assert!(mouse(at(MouseEventKind::ScrollDown, 0, 0, NONE), &Modes::default()).is_empty());
}

#[test]
fn focus_is_told_to_those_who_ask() {
    let asks = Modes { focus_events: true, ..Modes::default() };
    assert_eq!((focus(true, &asks), focus(false, &asks)), (b"\x1b[I".to_vec(), b"\x1b[O".to_vec()));
    assert!(focus(true, &Modes::default()).is_empty());
}

proptest! {
    #[test]
    fn a_paste_cannot_end_itself(text in any::<String>(), pieces in proptest::collection::vec("(\x1b\\[20|1~|\x1b\\[201~|a|\n)", 0..12)) {
        let text = text + &pieces.concat();
        let bracketed = Modes { bracketed_paste: true, ..Modes::default() };
        let sent = String::from_utf8(paste(&text, &bracketed)).unwrap();
        let inner = sent.strip_prefix("\x1b[200~").unwrap().strip_suffix("\x1b[201~").unwrap();
        prop_assert!(!inner.contains("\x1b[201~"));
        let plain = paste(&text, &Modes::default());
        prop_assert!(!plain.contains(&b'\n'));
    }

    #[test]
    fn text_arrives_as_it_is(c in any::<char>().prop_filter("control", |c| !c.is_control())) {
        let modes = Modes::default();
        prop_assert_eq!(press(KeyCode::Char(c), NONE, &modes), c.to_string());
        prop_assert_eq!(press(KeyCode::Char(c), ALT, &modes), format!("\x1b{c}"));
    }
}
