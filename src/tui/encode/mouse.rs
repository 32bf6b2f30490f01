//! Mouse events as xterm reports them (ctlseqs, "Mouse Tracking"): only those that the program's mode asks for.

use crate::tui::emulator::{Modes, MouseMode};
use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

/// Arrow keys sent for one notch of the wheel where a full-screen program has no mouse mode (mode 1007).
const WHEEL_LINES: usize = 3;

pub(super) fn encode(event: MouseEvent, modes: &Modes) -> Vec<u8> {
    if modes.mouse == MouseMode::Off {
        return alternate_scroll(event.kind, modes);
    }
    let Some(code) = button_code(event.kind, modes.mouse) else { return Vec::new() };
    let released = matches!(event.kind, MouseEventKind::Up(_));
    let code = code + modifier_bits(event.modifiers);
    let (x, y) = (u32::from(event.column) + 1, u32::from(event.row) + 1);
    if modes.mouse_sgr {
        let last = if released { 'm' } else { 'M' };
        return format!("\x1b[<{code};{x};{y}{last}").into_bytes();
    }
    // The older forms do not say which button was released.
    let code = if released { 3 + modifier_bits(event.modifiers) } else { code };
    let mut out = b"\x1b[M".to_vec();
    for value in [u32::from(code), x, y] {
        match (modes.mouse_utf8, value) {
            (false, 0..=223) => out.push((value + 32) as u8),
            (true, 0..=2015) => match char::from_u32(value + 32) {
                Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                None => return Vec::new(),
            },
            // This form has no way to say it; nothing is better than a wrong place.
            _ => return Vec::new(),
        }
    }
    out
}

fn button_code(kind: MouseEventKind, mode: MouseMode) -> Option<u8> {
    let button = |b: MouseButton| match b {
        MouseButton::Left => 0,
        MouseButton::Middle => 1,
        MouseButton::Right => 2,
    };
    Some(match kind {
        MouseEventKind::Down(b) | MouseEventKind::Up(b) => button(b),
        MouseEventKind::Drag(b) if mode >= MouseMode::Drag => 32 + button(b),
        MouseEventKind::Moved if mode >= MouseMode::Motion => 35,
        MouseEventKind::ScrollUp => 64,
        MouseEventKind::ScrollDown => 65,
        MouseEventKind::ScrollLeft => 66,
        MouseEventKind::ScrollRight => 67,
        _ => return None,
    })
}

fn modifier_bits(modifiers: KeyModifiers) -> u8 {
    let bit = |m, value| if modifiers.contains(m) { value } else { 0 };
    bit(KeyModifiers::SHIFT, 4) + bit(KeyModifiers::ALT, 8) + bit(KeyModifiers::CONTROL, 16)
}

fn alternate_scroll(kind: MouseEventKind, modes: &Modes) -> Vec<u8> {
    if !(modes.alternate_screen && modes.alternate_scroll) {
        return Vec::new();
    }
    let arrow: &[u8] = match (kind, modes.app_cursor) {
        (MouseEventKind::ScrollUp, true) => b"\x1bOA",
        (MouseEventKind::ScrollUp, false) => b"\x1b[A",
        (MouseEventKind::ScrollDown, true) => b"\x1bOB",
        (MouseEventKind::ScrollDown, false) => b"\x1b[B",
        _ => return Vec::new(),
    };
    arrow.repeat(WHEEL_LINES)
}
