//! Keys as xterm sends them (ctlseqs, "PC-Style Function Keys" and "Application Cursor Keys").

use super::modifier_parameter;
use crate::tui::emulator::Modes;
use crossterm::event::{KeyCode, KeyEvent, KeyEventState, KeyModifiers};

/// How a key without a character of its own is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `CSI x`, `ESC O x` in application cursor mode, `CSI 1;m x` with modifiers.
    Cursor(u8),
    /// `ESC O x`, `CSI 1;m x` with modifiers.
    Pf(u8),
    /// `CSI n ~`, `CSI n;m ~` with modifiers.
    Tilde(u8),
}

/// The form of a function key; `None`: the key has none.
pub(super) fn form(code: KeyCode) -> Option<Form> {
    Some(match code {
        KeyCode::Up => Form::Cursor(b'A'),
        KeyCode::Down => Form::Cursor(b'B'),
        KeyCode::Right => Form::Cursor(b'C'),
        KeyCode::Left => Form::Cursor(b'D'),
        KeyCode::KeypadBegin => Form::Cursor(b'E'),
        KeyCode::End => Form::Cursor(b'F'),
        KeyCode::Home => Form::Cursor(b'H'),
        KeyCode::F(n @ 1..=4) => Form::Pf(b'P' + n - 1),
        KeyCode::F(n @ 5..=20) => Form::Tilde(F5_TO_F20[usize::from(n) - 5]),
        KeyCode::Insert => Form::Tilde(2),
        KeyCode::Delete => Form::Tilde(3),
        KeyCode::PageUp => Form::Tilde(5),
        KeyCode::PageDown => Form::Tilde(6),
        KeyCode::Menu => Form::Tilde(29),
        _ => return None,
    })
}

/// The numbers of F5 to F20; the VT220's keyboard left gaps.
const F5_TO_F20: [u8; 16] = [15, 17, 18, 19, 20, 21, 23, 24, 25, 26, 28, 29, 31, 32, 33, 34];

pub(super) fn encode(event: KeyEvent, modes: &Modes) -> Vec<u8> {
    if let Some(bytes) = keypad(event, modes) {
        return bytes;
    }
    if let Some(form) = form(event.code) {
        return function(form, modifier_parameter(event.modifiers), modes.app_cursor);
    }
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    let mut bytes = Vec::new();
    if event.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::META) {
        bytes.push(0x1b);
    }
    match event.code {
        KeyCode::Char(c) => match control.then(|| control_byte(c)).flatten() {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        },
        KeyCode::Enter => bytes.extend_from_slice(if modes.newline { b"\r\n" } else { b"\r" }),
        KeyCode::Backspace => bytes.push(if control { 0x08 } else { 0x7f }),
        KeyCode::Tab => bytes.push(b'\t'),
        KeyCode::BackTab => bytes.extend_from_slice(b"\x1b[Z"),
        KeyCode::Esc => bytes.push(0x1b),
        KeyCode::Null => bytes.push(0),
        _ => return Vec::new(),
    }
    bytes
}

pub(super) fn function(form: Form, parameter: u8, app_cursor: bool) -> Vec<u8> {
    let letter = |x: u8| char::from(x);
    match (form, parameter) {
        (Form::Cursor(x), 1) if app_cursor => vec![0x1b, b'O', x],
        (Form::Cursor(x), 1) => vec![0x1b, b'[', x],
        (Form::Pf(x), 1) => vec![0x1b, b'O', x],
        (Form::Cursor(x) | Form::Pf(x), m) => format!("\x1b[1;{m}{}", letter(x)).into_bytes(),
        (Form::Tilde(n), 1) => format!("\x1b[{n}~").into_bytes(),
        (Form::Tilde(n), m) => format!("\x1b[{n};{m}~").into_bytes(),
    }
}

/// The C0 byte of Ctrl with a character. Terminals without kitty's protocol report Ctrl-\ ] ^ _ as Ctrl-4 to 7.
pub(super) fn control_byte(c: char) -> Option<u8> {
    Some(match c {
        'a'..='z' | 'A'..='Z' => c as u8 & 0x1f,
        ' ' | '@' | '`' | '2' => 0x00,
        '[' | '{' | '3' => 0x1b,
        '\\' | '|' | '4' => 0x1c,
        ']' | '}' | '5' => 0x1d,
        '^' | '~' | '6' => 0x1e,
        '_' | '/' | '7' => 0x1f,
        '?' | '8' => 0x7f,
        _ => return None,
    })
}

/// The keypad's own codes in application keypad mode; known only where the host terminal tells keypad keys apart.
fn keypad(event: KeyEvent, modes: &Modes) -> Option<Vec<u8>> {
    let plain = event.modifiers.difference(KeyModifiers::SHIFT).is_empty();
    if !(modes.app_keypad && plain && event.state.contains(KeyEventState::KEYPAD)) {
        return None;
    }
    let x = match event.code {
        KeyCode::Char(c @ '0'..='9') => b'p' + (c as u8 - b'0'),
        KeyCode::Char('*') => b'j',
        KeyCode::Char('+') => b'k',
        KeyCode::Char(',') => b'l',
        KeyCode::Char('-') => b'm',
        KeyCode::Char('.') => b'n',
        KeyCode::Char('/') => b'o',
        KeyCode::Char('=') => b'X',
        KeyCode::Enter => b'M',
        _ => return None,
    };
    Some(vec![0x1b, b'O', x])
}
