//! Key chords: what a terminal sends, what a user writes in the configuration (`ctrl-]`), what help shows (`Ctrl-]`).

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::fmt;

/// A key with its modifiers, normalised so that equal intentions compare equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd)]
pub struct Chord {
    pub code: KeyCode,
    pub mods: KeyModifiers,
}

impl Chord {
    /// Old terminals send Ctrl-\ ] ^ _ as C0 bytes, which crossterm names Ctrl-4 to Ctrl-7; shift is in the letter.
    pub fn from_event(event: KeyEvent) -> Chord {
        let mut mods = event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        let mut code = event.code;
        match code {
            KeyCode::BackTab => {
                code = KeyCode::Tab;
                mods |= KeyModifiers::SHIFT;
            }
            KeyCode::Char(c) if mods.contains(KeyModifiers::CONTROL) => {
                let c = match c {
                    '4' => '\\',
                    '5' => ']',
                    '6' => '^',
                    '7' => '_',
                    other => other.to_ascii_lowercase(),
                };
                code = KeyCode::Char(c);
                mods -= KeyModifiers::SHIFT;
            }
            KeyCode::Char(c) if mods.contains(KeyModifiers::SHIFT) => {
                code = KeyCode::Char(if c.is_lowercase() { c.to_ascii_uppercase() } else { c });
                mods -= KeyModifiers::SHIFT;
            }
            _ => {}
        }
        Chord { code, mods }
    }

    /// A plain character, without Ctrl or Alt: what a text field takes.
    pub fn text(&self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if !self.mods.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => Some(c),
            _ => None,
        }
    }

    /// `ctrl-]`, `alt-x`, `shift-tab`, `f1`, `space`, `D`. `Err` says what is not a key.
    pub fn parse(text: &str) -> Result<Chord, String> {
        let mut mods = KeyModifiers::NONE;
        let mut rest = text.trim();
        while rest.chars().count() > 2 {
            let lower = rest.to_ascii_lowercase();
            let found = [
                ("ctrl-", KeyModifiers::CONTROL),
                ("c-", KeyModifiers::CONTROL),
                ("alt-", KeyModifiers::ALT),
                ("a-", KeyModifiers::ALT),
                ("shift-", KeyModifiers::SHIFT),
                ("s-", KeyModifiers::SHIFT),
            ]
            .into_iter()
            .find(|(prefix, _)| lower.starts_with(prefix));
            let Some((prefix, modifier)) = found else { break };
            mods |= modifier;
            rest = &rest[prefix.len()..];
        }
        let code = parse_code(rest).ok_or_else(|| format!("'{text}' is not a key"))?;
        Ok(Chord::from_event(KeyEvent::new(code, mods)))
    }
}

fn parse_code(name: &str) -> Option<KeyCode> {
    let mut chars = name.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        return (!c.is_control()).then_some(KeyCode::Char(c));
    }
    let lower = name.to_ascii_lowercase();
    Some(match lower.as_str() {
        "tab" => KeyCode::Tab,
        "backtab" => KeyCode::BackTab,
        "enter" | "return" => KeyCode::Enter,
        "esc" | "escape" => KeyCode::Esc,
        "space" => KeyCode::Char(' '),
        "del" | "delete" => KeyCode::Delete,
        "ins" | "insert" => KeyCode::Insert,
        "backspace" | "bs" => KeyCode::Backspace,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "pgup" | "pageup" => KeyCode::PageUp,
        "pgdn" | "pagedown" => KeyCode::PageDown,
        "minus" => KeyCode::Char('-'),
        _ => return lower.strip_prefix('f')?.parse().ok().filter(|n| (1..=24).contains(n)).map(KeyCode::F),
    })
}

/// As help shows it: `Ctrl-]`, `S-Tab`, `Space`.
impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mods.contains(KeyModifiers::CONTROL) {
            f.write_str("Ctrl-")?;
        }
        if self.mods.contains(KeyModifiers::ALT) {
            f.write_str("Alt-")?;
        }
        if self.mods.contains(KeyModifiers::SHIFT) {
            f.write_str("S-")?;
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::F(n) => write!(f, "F{n}"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            KeyCode::Delete => f.write_str("Del"),
            other => write!(f, "{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shown: &str) {
        assert_eq!(Chord::parse(text).expect(text).to_string(), shown);
    }

    #[test]
    fn reads_and_shows_keys() {
        for (text, shown) in [
            ("ctrl-]", "Ctrl-]"),
            ("C-x", "Ctrl-x"),
            ("shift-tab", "S-Tab"),
            ("backtab", "S-Tab"),
            ("D", "D"),
            ("f1", "F1"),
            ("space", "Space"),
            ("-", "-"),
            ("ctrl--", "Ctrl--"),
            ("alt-enter", "Alt-Enter"),
            ("shift-d", "D"),
        ] {
            check(text, shown);
        }
        for bad in ["", "ctrl-", "hyper-x", "f99", "nokey"] {
            assert!(Chord::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_leader_is_the_same_key_in_old_and_new_terminals() {
        let old = Chord::from_event(KeyEvent::new(KeyCode::Char('5'), KeyModifiers::CONTROL));
        assert_eq!(Ok(old), Chord::parse("ctrl-]"));
    }
}
