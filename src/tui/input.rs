//! A line editor: the text field of prompts, filters and forms.

use super::keys::Chord;
use crossterm::event::{KeyCode, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation;

/// More than anybody types; a pasted megabyte is cut here.
const MAX_BYTES: usize = 4096;

/// One line of text and a cursor (a byte offset on a grapheme boundary).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    text: String,
    cursor: usize,
}

/// What a key did to the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    Changed,
    Moved,
    /// Not a key for text fields.
    Ignored,
}

impl Input {
    pub fn new(text: impl Into<String>) -> Self {
        let mut input = Input::default();
        input.insert(&text.into());
        input
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text left of the cursor.
    pub fn before(&self) -> &str {
        &self.text[..self.cursor]
    }

    pub fn set(&mut self, text: &str) {
        self.text.clear();
        self.cursor = 0;
        self.insert(text);
    }

    /// Typed or pasted text; line ends become blanks, other control characters go.
    pub fn insert(&mut self, text: &str) {
        let room = MAX_BYTES.saturating_sub(self.text.len());
        let mut taken = String::new();
        for c in text.chars() {
            let c = if matches!(c, '\n' | '\t') { ' ' } else { c };
            if c.is_control() {
                continue;
            }
            if taken.len() + c.len_utf8() > room {
                break;
            }
            taken.push(c);
        }
        self.text.insert_str(self.cursor, &taken);
        self.cursor += taken.len();
    }

    pub fn key(&mut self, chord: Chord) -> Edit {
        if let Some(c) = chord.text() {
            self.insert(c.encode_utf8(&mut [0; 4]));
            return Edit::Changed;
        }
        let control = chord.mods.contains(KeyModifiers::CONTROL);
        let alt = chord.mods.contains(KeyModifiers::ALT);
        match chord.code {
            KeyCode::Backspace if alt || control => self.delete(self.word_start()),
            KeyCode::Char('w') if control => self.delete(self.word_start()),
            KeyCode::Backspace => self.delete(self.previous()),
            KeyCode::Char('h') if control => self.delete(self.previous()),
            KeyCode::Delete => {
                let end = self.next();
                self.text.replace_range(self.cursor..end, "");
                Edit::Changed
            }
            KeyCode::Char('u') if control => self.delete(0),
            KeyCode::Char('k') if control => {
                self.text.truncate(self.cursor);
                Edit::Changed
            }
            KeyCode::Left if control || alt => self.go(self.word_start()),
            KeyCode::Left => self.go(self.previous()),
            KeyCode::Right if control || alt => self.go(self.word_end()),
            KeyCode::Right => self.go(self.next()),
            KeyCode::Home => self.go(0),
            KeyCode::Char('a') if control => self.go(0),
            KeyCode::End => self.go(self.text.len()),
            KeyCode::Char('e') if control => self.go(self.text.len()),
            _ => Edit::Ignored,
        }
    }

    fn go(&mut self, to: usize) -> Edit {
        self.cursor = to;
        Edit::Moved
    }

    fn delete(&mut self, from: usize) -> Edit {
        self.text.replace_range(from..self.cursor, "");
        self.cursor = from;
        Edit::Changed
    }

    fn previous(&self) -> usize {
        self.before().grapheme_indices(true).next_back().map_or(0, |(i, _)| i)
    }

    fn next(&self) -> usize {
        self.text[self.cursor..].graphemes(true).next().map_or(self.cursor, |g| self.cursor + g.len())
    }

    fn word_start(&self) -> usize {
        self.before().unicode_word_indices().next_back().map_or(0, |(i, _)| i)
    }

    fn word_end(&self) -> usize {
        let rest = &self.text[self.cursor..];
        rest.unicode_word_indices().next().map_or(self.text.len(), |(i, w)| self.cursor + i + w.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(input: &mut Input, keys: &[&str]) {
        for key in keys {
            input.key(Chord::parse(key).expect(key));
        }
    }

    #[test]
    fn edits_by_grapheme_and_word() {
        let mut input = Input::new("héllo wörld");
        press(&mut input, &["left", "backspace", "home", "X", "end", "ctrl-w"]);
        assert_eq!(input.text(), "Xhéllo ");
        press(&mut input, &["ctrl-u"]);
        assert!(input.is_empty());
        press(&mut input, &["backspace", "del", "left", "right"]);
    }

    #[test]
    fn a_pasted_megabyte_is_cut_and_cleaned() {
        let mut input = Input::default();
        input.insert(&"a\x1b[31m\nb".repeat(200_000));
        assert!(input.text().len() <= MAX_BYTES && !input.text().contains('\x1b'));
    }
}
