//! The one-line prompt of the log view: search, keep, drop.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Search,
    Keep,
    Drop,
    Window,
    Pipe,
}

#[derive(Clone, Debug)]
pub(super) struct Prompt {
    pub purpose: Purpose,
    pub text: String,
    /// Where in the history of patterns; counted from the newest.
    recall: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PromptEvent {
    None,
    Changed,
    Regex,
    Accept,
    Cancel,
}

const LONGEST: usize = 1000;

impl Prompt {
    pub fn new(purpose: Purpose) -> Self {
        Self { purpose, text: String::new(), recall: None }
    }

    pub fn sign(&self) -> &'static str {
        match self.purpose {
            Purpose::Search => "/",
            Purpose::Keep => "& ",
            Purpose::Drop => "! ",
            Purpose::Window => "",
            Purpose::Pipe => "| ",
        }
    }

    pub fn key(&mut self, key: KeyEvent, past: &[String]) -> PromptEvent {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match (key.code, control) {
            (KeyCode::Enter, _) => PromptEvent::Accept,
            (KeyCode::Esc, _) | (KeyCode::Char('c' | 'g'), true) => PromptEvent::Cancel,
            (KeyCode::Backspace, _) if self.text.is_empty() => PromptEvent::Cancel,
            (KeyCode::Backspace, false) | (KeyCode::Char('h'), true) => {
                self.text.pop();
                PromptEvent::Changed
            }
            (KeyCode::Char('w'), true) | (KeyCode::Backspace, true) => {
                let kept = self.text.trim_end().rfind(' ').map_or(0, |at| at + 1);
                self.text.truncate(kept);
                PromptEvent::Changed
            }
            (KeyCode::Char('u'), true) => {
                self.text.clear();
                PromptEvent::Changed
            }
            (KeyCode::Char('r'), true) => PromptEvent::Regex,
            (KeyCode::Up, _) => self.recall(past, true),
            (KeyCode::Down, _) => self.recall(past, false),
            (KeyCode::Char(c), false) if !c.is_control() && self.text.len() < LONGEST => {
                self.text.push(c);
                PromptEvent::Changed
            }
            _ => PromptEvent::None,
        }
    }

    pub fn paste(&mut self, text: &str) {
        let line = text.lines().next().unwrap_or_default();
        let room = LONGEST.saturating_sub(self.text.len());
        self.text.extend(line.chars().filter(|c| !c.is_control()).take(room));
    }

    fn recall(&mut self, past: &[String], older: bool) -> PromptEvent {
        let at = match (self.recall, older) {
            (None, true) => Some(0),
            (Some(at), true) => Some((at + 1).min(past.len().saturating_sub(1))),
            (Some(at), false) => at.checked_sub(1),
            (None, false) => None,
        };
        let Some(text) = at.and_then(|at| past.iter().rev().nth(at)) else { return PromptEvent::None };
        self.text.clone_from(text);
        self.recall = at;
        PromptEvent::Changed
    }
}
