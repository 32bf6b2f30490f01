//! What a program in a pane is sent: keys, mouse events and pasted text as the bytes xterm (or kitty's protocol) gives them.
//! Pure functions of the event and the program's modes.

mod key;
mod kitty;
mod mouse;
#[cfg(test)]
mod tests;

use crate::tui::emulator::Modes;
use crossterm::event::{KeyEvent, KeyEventKind, KeyModifiers, MouseEvent};

/// The bytes of a key; none for releases and for keys that have no bytes in these modes.
pub fn key(event: KeyEvent, modes: &Modes) -> Vec<u8> {
    if modes.kitty.any() {
        kitty::encode(event, modes)
    } else if event.kind == KeyEventKind::Release {
        Vec::new()
    } else {
        key::encode(event, modes)
    }
}

/// The bytes of a mouse event whose position is relative to the pane (from 0); none when the program did not ask for it.
pub fn mouse(event: MouseEvent, modes: &Modes) -> Vec<u8> {
    mouse::encode(event, modes)
}

/// The bytes of pasted text: an end mark within it is removed, so that it cannot type; without bracketed paste line ends
/// are what the Enter key sends.
pub fn paste(text: &str, modes: &Modes) -> Vec<u8> {
    const START: &str = "\x1b[200~";
    const END: &str = "\x1b[201~";
    if !modes.bracketed_paste {
        return text.replace("\r\n", "\r").replace('\n', "\r").into_bytes();
    }
    // Removing one mark may join another from its pieces, so it goes on until none is left.
    let mut clean = text.replace(END, "");
    while clean.contains(END) {
        clean = clean.replace(END, "");
    }
    [START.as_bytes(), clean.as_bytes(), END.as_bytes()].concat()
}

/// The bytes telling a program that asked (mode 1004) whether its pane has the keyboard.
pub fn focus(focused: bool, modes: &Modes) -> Vec<u8> {
    match (modes.focus_events, focused) {
        (false, _) => Vec::new(),
        (true, true) => b"\x1b[I".to_vec(),
        (true, false) => b"\x1b[O".to_vec(),
    }
}

/// xterm's modifier parameter: 1 + shift 1, alt 2, ctrl 4, super 8, hyper 16, meta 32.
fn modifier_parameter(modifiers: KeyModifiers) -> u8 {
    const BITS: [(KeyModifiers, u8); 6] = [
        (KeyModifiers::SHIFT, 1),
        (KeyModifiers::ALT, 2),
        (KeyModifiers::CONTROL, 4),
        (KeyModifiers::SUPER, 8),
        (KeyModifiers::HYPER, 16),
        (KeyModifiers::META, 32),
    ];
    1 + BITS.iter().filter(|(m, _)| modifiers.contains(*m)).map(|(_, bit)| bit).sum::<u8>()
}
