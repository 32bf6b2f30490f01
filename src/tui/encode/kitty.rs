//! Keys by kitty's keyboard protocol (sw.kovidgoyal.net/kitty/keyboard-protocol), for programs that asked for it.

use super::{key, key::Form, modifier_parameter};
use crate::tui::emulator::Modes;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyEventState, KeyModifiers, MediaKeyCode, ModifierKeyCode};

pub(super) fn encode(event: KeyEvent, modes: &Modes) -> Vec<u8> {
    let flags = modes.kitty;
    if event.kind == KeyEventKind::Release && !flags.event_types {
        return Vec::new();
    }
    let parameter = Parameter::of(event, flags.event_types);
    if let Some(form) = key::form(event.code) {
        return function(form, event.code, &parameter);
    }
    let Some(code) = key_code(event) else { return Vec::new() };
    // These three stay readable when a program dies and leaves its flags behind.
    let spared = matches!(event.code, KeyCode::Enter | KeyCode::Tab | KeyCode::Backspace) && parameter.modifiers == 1;
    if spared && !flags.all_as_escapes && event.kind == KeyEventKind::Release {
        return Vec::new();
    }
    let text = matches!(event.code, KeyCode::Char(_)) && event.modifiers.difference(KeyModifiers::SHIFT).is_empty();
    let legacy = !flags.all_as_escapes
        && !event.state.contains(KeyEventState::KEYPAD)
        && (spared || (text && (event.kind != KeyEventKind::Release)));
    if legacy {
        return key::encode(event, modes);
    }
    if text && event.kind == KeyEventKind::Release && !flags.all_as_escapes {
        return Vec::new();
    }
    escape(event, code, &parameter, modes)
}

/// `CSI code:shifted ; modifiers:event ; text u`, each part only when it says something.
fn escape(event: KeyEvent, code: u32, parameter: &Parameter, modes: &Modes) -> Vec<u8> {
    let mut out = format!("\x1b[{code}");
    if let (true, KeyCode::Char(c)) = (modes.kitty.alternate_keys, event.code)
        && event.modifiers.contains(KeyModifiers::SHIFT)
        && u32::from(c) != code
    {
        out.push_str(&format!(":{}", u32::from(c)));
    }
    let text = match event.code {
        KeyCode::Char(c)
            if modes.kitty.associated_text
                && event.kind != KeyEventKind::Release
                && !event.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) =>
        {
            Some(u32::from(c))
        }
        _ => None,
    };
    if text.is_some() || !parameter.is_plain() {
        out.push(';');
        if !parameter.is_plain() {
            out.push_str(&parameter.to_string());
        }
    }
    if let Some(text) = text {
        out.push_str(&format!(";{text}"));
    }
    out.push('u');
    out.into_bytes()
}

fn function(form: Form, code: KeyCode, parameter: &Parameter) -> Vec<u8> {
    let plain = parameter.is_plain();
    match (form, code) {
        // `CSI R` would read as a cursor position report.
        (_, KeyCode::F(3)) if plain => b"\x1b[13~".to_vec(),
        (_, KeyCode::F(3)) => format!("\x1b[13;{parameter}~").into_bytes(),
        (_, KeyCode::F(n @ 13..)) => {
            let number = 57376 + u32::from(n) - 13;
            if plain { format!("\x1b[{number}u") } else { format!("\x1b[{number};{parameter}u") }.into_bytes()
        }
        (_, KeyCode::Menu) if plain => b"\x1b[57363u".to_vec(),
        (_, KeyCode::Menu) => format!("\x1b[57363;{parameter}u").into_bytes(),
        (Form::Cursor(x) | Form::Pf(x), _) if plain => vec![0x1b, b'[', x],
        (Form::Cursor(x) | Form::Pf(x), _) => format!("\x1b[1;{parameter}{}", char::from(x)).into_bytes(),
        (Form::Tilde(n), _) if plain => format!("\x1b[{n}~").into_bytes(),
        (Form::Tilde(n), _) => format!("\x1b[{n};{parameter}~").into_bytes(),
    }
}

/// The modifiers and, where asked for, the kind of event (1 press, 2 repeat, 3 release).
struct Parameter {
    modifiers: u32,
    event: u8,
}

impl Parameter {
    fn of(event: KeyEvent, with_kind: bool) -> Self {
        let mut modifiers = u32::from(modifier_parameter(event.modifiers));
        if event.code == KeyCode::BackTab && !event.modifiers.contains(KeyModifiers::SHIFT) {
            modifiers += 1;
        }
        if event.state.contains(KeyEventState::CAPS_LOCK) {
            modifiers += 64;
        }
        if event.state.contains(KeyEventState::NUM_LOCK) {
            modifiers += 128;
        }
        let event = match event.kind {
            KeyEventKind::Press => 1,
            KeyEventKind::Repeat if with_kind => 2,
            KeyEventKind::Release if with_kind => 3,
            _ => 1,
        };
        Self { modifiers, event }
    }

    fn is_plain(&self) -> bool {
        self.modifiers == 1 && self.event == 1
    }
}

impl std::fmt::Display for Parameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.event {
            1 => write!(f, "{}", self.modifiers),
            kind => write!(f, "{}:{kind}", self.modifiers),
        }
    }
}

/// The number that stands for a key: its unshifted character, or one of kitty's private ones.
fn key_code(event: KeyEvent) -> Option<u32> {
    let keypad = event.state.contains(KeyEventState::KEYPAD);
    Some(match event.code {
        KeyCode::Char(c @ '0'..='9') if keypad => 57399 + (u32::from(c) - u32::from('0')),
        KeyCode::Char('.') if keypad => 57409,
        KeyCode::Char('/') if keypad => 57410,
        KeyCode::Char('*') if keypad => 57411,
        KeyCode::Char('-') if keypad => 57412,
        KeyCode::Char('+') if keypad => 57413,
        KeyCode::Enter if keypad => 57414,
        KeyCode::Char('=') if keypad => 57415,
        KeyCode::Char(',') if keypad => 57416,
        // Without kitty's protocol on the host side, Ctrl-\ ] ^ _ come as Ctrl-4 to 7; digits stay what they are else.
        KeyCode::Char(c) => u32::from(c.to_lowercase().next().unwrap_or(c)),
        KeyCode::Esc => 27,
        KeyCode::Enter => 13,
        KeyCode::Tab | KeyCode::BackTab => 9,
        KeyCode::Backspace => 127,
        KeyCode::CapsLock => 57358,
        KeyCode::ScrollLock => 57359,
        KeyCode::NumLock => 57360,
        KeyCode::PrintScreen => 57361,
        KeyCode::Pause => 57362,
        KeyCode::F(n @ 21..=35) => 57376 + u32::from(n) - 13,
        KeyCode::Media(media) => media_code(media),
        KeyCode::Modifier(modifier) => modifier_code(modifier),
        _ => return None,
    })
}

fn media_code(media: MediaKeyCode) -> u32 {
    use MediaKeyCode::*;
    let order = [
        Play,
        Pause,
        PlayPause,
        Reverse,
        Stop,
        FastForward,
        Rewind,
        TrackNext,
        TrackPrevious,
        Record,
        LowerVolume,
        RaiseVolume,
        MuteVolume,
    ];
    57428 + order.iter().position(|m| *m == media).unwrap_or(0) as u32
}

fn modifier_code(modifier: ModifierKeyCode) -> u32 {
    use ModifierKeyCode::*;
    let order = [
        LeftShift,
        LeftControl,
        LeftAlt,
        LeftSuper,
        LeftHyper,
        LeftMeta,
        RightShift,
        RightControl,
        RightAlt,
        RightSuper,
        RightHyper,
        RightMeta,
        IsoLevel3Shift,
        IsoLevel5Shift,
    ];
    57441 + order.iter().position(|m| *m == modifier).unwrap_or(0) as u32
}
