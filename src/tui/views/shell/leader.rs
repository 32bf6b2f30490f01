//! The one key taken from shells: reading its name, and recognising it however the host terminal reports it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with modifiers; default `Ctrl-]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leader {
    code: KeyCode,
    modifiers: KeyModifiers,
}

impl Default for Leader {
    fn default() -> Self {
        Self { code: KeyCode::Char(']'), modifiers: KeyModifiers::CONTROL }
    }
}

impl Leader {
    /// Reads `ctrl-]`, `ctrl-\`, `alt-a`, `f12`. Only keys that do not type text; `None`: not such a key.
    pub fn parse(name: &str) -> Option<Leader> {
        let name = name.trim().to_lowercase();
        let (mut modifiers, mut rest) = (KeyModifiers::NONE, name.as_str());
        loop {
            let prefixes = [
                ("ctrl", KeyModifiers::CONTROL),
                ("c", KeyModifiers::CONTROL),
                ("alt", KeyModifiers::ALT),
                ("m", KeyModifiers::ALT),
            ];
            let found = prefixes.iter().find_map(|(prefix, modifier)| {
                let tail = rest.strip_prefix(prefix)?.strip_prefix(['-', '+'])?;
                (!tail.is_empty()).then_some((tail, *modifier))
            });
            let Some((tail, modifier)) = found else { break };
            modifiers |= modifier;
            rest = tail;
        }
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.as_str()) {
            (Some(c), "") if !modifiers.is_empty() => KeyCode::Char(c),
            (Some('f'), number) => KeyCode::F(number.parse().ok().filter(|n| (1..=24).contains(n))?),
            _ => return None,
        };
        Some(Leader { code, modifiers })
    }

    pub fn matches(&self, key: KeyEvent) -> bool {
        let wanted = KeyModifiers::CONTROL | KeyModifiers::ALT;
        normal(key.code, key.modifiers) == normal(self.code, self.modifiers)
            && key.modifiers.intersection(wanted) == self.modifiers
    }

    /// What the program gets for the leader pressed twice.
    pub fn event(&self) -> KeyEvent {
        KeyEvent::new(self.code, self.modifiers)
    }
}

/// Terminals without kitty's protocol give the bytes 0x1c to 0x1f, which are read as Ctrl-4 to Ctrl-7.
fn normal(code: KeyCode, modifiers: KeyModifiers) -> KeyCode {
    match code {
        KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => KeyCode::Char(match c {
            '\\' => '4',
            ']' => '5',
            '^' => '6',
            '_' | '/' => '7',
            '@' => ' ',
            c => c.to_ascii_lowercase(),
        }),
        other => other,
    }
}

impl std::fmt::Display for Leader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.modifiers.contains(KeyModifiers::CONTROL) {
            write!(f, "Ctrl-")?;
        }
        if self.modifiers.contains(KeyModifiers::ALT) {
            write!(f, "Alt-")?;
        }
        match self.code {
            KeyCode::Char(' ') => write!(f, "Space"),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::F(n) => write!(f, "F{n}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_shown() {
        for (name, shown) in
            [("ctrl-]", "Ctrl-]"), ("C-a", "Ctrl-a"), ("f12", "F12"), ("Alt+x", "Alt-x"), ("ctrl--", "Ctrl--")]
        {
            assert_eq!(Leader::parse(name).map(|l| l.to_string()).as_deref(), Some(shown), "{name}");
        }
        for bad in ["", "a", "ctrl-", "f0", "f99", "shift", "ctrl-ab"] {
            assert_eq!(Leader::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn is_recognised_as_either_report() {
        let leader = Leader::default();
        assert!(leader.matches(KeyEvent::new(KeyCode::Char('5'), KeyModifiers::CONTROL)));
        assert!(leader.matches(KeyEvent::new(KeyCode::Char(']'), KeyModifiers::CONTROL)));
        assert!(!leader.matches(KeyEvent::new(KeyCode::Char(']'), KeyModifiers::NONE)));
        assert!(!leader.matches(KeyEvent::new(KeyCode::Char(']'), KeyModifiers::CONTROL | KeyModifiers::ALT)));
    }
}
