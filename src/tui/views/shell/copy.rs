//! Copy mode: vi's keys move a cursor over screen and history, select, search and copy.

use crate::tui::emulator::{Motion, SelectionKind, Terminal};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// The state of a pane's copy mode.
#[derive(Clone, Debug, Default)]
pub(super) struct CopyMode {
    /// The search text while it is typed, and its direction.
    prompt: Option<(String, bool)>,
    last_forward: bool,
    /// A repeat count being typed (`12j`).
    count: usize,
    /// `g` was pressed, another makes it a motion.
    g: bool,
    /// What went wrong, shown until the next key.
    pub message: Option<String>,
}

/// What a key did to the mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CopyOutcome {
    Stay,
    Leave,
    /// Copied; the mode ends.
    Yank(String),
}

/// More repeats than the longest history has lines make no difference.
const MOST_REPEATS: usize = 100_000;

impl CopyMode {
    /// A mode that begins with a search prompt.
    pub fn searching(forward: bool) -> Self {
        Self { prompt: Some((String::new(), forward)), ..Self::default() }
    }

    /// The prompt with what is typed so far, or a message.
    pub fn status(&self) -> Option<String> {
        match (&self.prompt, &self.message) {
            (Some((text, forward)), _) => Some(format!("{}{text}_", if *forward { '/' } else { '?' })),
            (None, message) => message.clone(),
        }
    }

    pub fn key(&mut self, key: KeyEvent, terminal: &mut Terminal) -> CopyOutcome {
        self.message = None;
        if self.prompt.is_some() {
            self.prompt_key(key, terminal);
            return CopyOutcome::Stay;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if let (KeyCode::Char(c @ '0'..='9'), false) = (key.code, control)
            && (c != '0' || self.count > 0)
        {
            self.count = (self.count * 10 + (c as usize - '0' as usize)).min(MOST_REPEATS);
            return CopyOutcome::Stay;
        }
        let count = std::mem::take(&mut self.count).max(1);
        let after_g = std::mem::take(&mut self.g);
        if let Some(motion) = motion(key.code, control, after_g) {
            (0..count).for_each(|_| terminal.motion(motion));
            return CopyOutcome::Stay;
        }
        match (key.code, control) {
            (KeyCode::Char('q') | KeyCode::Esc | KeyCode::Char('i'), false) | (KeyCode::Char('c'), true) => {
                return CopyOutcome::Leave;
            }
            (KeyCode::Char('y') | KeyCode::Enter, false) => match terminal.selected_text() {
                Some(text) => return CopyOutcome::Yank(text),
                None => self.message = Some("nothing selected: v, V or Ctrl-v starts a selection".into()),
            },
            (KeyCode::Char('g'), false) => self.g = true,
            (KeyCode::Char('v'), false) => terminal.copy_select(SelectionKind::Characters),
            (KeyCode::Char('V'), false) => terminal.copy_select(SelectionKind::Lines),
            (KeyCode::Char('v'), true) => terminal.copy_select(SelectionKind::Block),
            (KeyCode::Char('/'), false) => self.prompt = Some((String::new(), true)),
            (KeyCode::Char('?'), false) => self.prompt = Some((String::new(), false)),
            (KeyCode::Char('n'), false) => self.jump(terminal, self.last_forward),
            (KeyCode::Char('N'), false) => self.jump(terminal, !self.last_forward),
            _ => {}
        }
        CopyOutcome::Stay
    }

    fn prompt_key(&mut self, key: KeyEvent, terminal: &mut Terminal) {
        let Some((text, forward)) = &mut self.prompt else { return };
        match key.code {
            KeyCode::Esc => self.prompt = None,
            KeyCode::Backspace if text.is_empty() => self.prompt = None,
            KeyCode::Backspace => {
                text.pop();
            }
            KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => text.clear(),
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => self.prompt = None,
            KeyCode::Char(c) if !key.modifiers.contains(KeyModifiers::CONTROL) => text.push(c),
            KeyCode::Enter => {
                let (text, forward) = (std::mem::take(text), *forward);
                self.prompt = None;
                self.last_forward = forward;
                self.search(terminal, &text);
            }
            _ => {}
        }
    }

    fn search(&mut self, terminal: &mut Terminal, text: &str) {
        // An empty text repeats the last search.
        if !text.is_empty() {
            // Most people who search for "a.b(" or "[x" mean just that.
            let result = terminal.set_search(Some(text)).or_else(|_| terminal.set_search(Some(&regex::escape(text))));
            if let Err(error) = result {
                self.message = Some(error);
                return;
            }
        }
        self.jump(terminal, self.last_forward);
    }

    fn jump(&mut self, terminal: &mut Terminal, forward: bool) {
        if !terminal.search_next(forward) {
            self.message = Some("not found".into());
        }
    }

    pub fn paste(&mut self, text: &str) {
        if let Some((prompt, _)) = &mut self.prompt {
            prompt.extend(text.chars().filter(|c| !c.is_control()).take(1000));
        }
    }
}

fn motion(code: KeyCode, control: bool, after_g: bool) -> Option<Motion> {
    Some(match (code, control) {
        (KeyCode::Char('g'), false) if after_g => Motion::HistoryTop,
        (KeyCode::Char('h') | KeyCode::Left, false) => Motion::Left,
        (KeyCode::Char('l') | KeyCode::Right, false) => Motion::Right,
        (KeyCode::Char('k') | KeyCode::Up, false) => Motion::Up,
        (KeyCode::Char('j') | KeyCode::Down, false) => Motion::Down,
        (KeyCode::Char('p'), true) => Motion::Up,
        (KeyCode::Char('n'), true) => Motion::Down,
        (KeyCode::Char('0') | KeyCode::Home, false) => Motion::LineStart,
        (KeyCode::Char('$') | KeyCode::End, false) => Motion::LineEnd,
        (KeyCode::Char('^'), false) => Motion::FirstText,
        (KeyCode::Char('H'), false) => Motion::ScreenTop,
        (KeyCode::Char('M'), false) => Motion::ScreenMiddle,
        (KeyCode::Char('L'), false) => Motion::ScreenBottom,
        (KeyCode::Char('w'), false) => Motion::WordNext,
        (KeyCode::Char('b'), false) => Motion::WordBack,
        (KeyCode::Char('e'), false) => Motion::WordEnd,
        (KeyCode::Char('W'), false) => Motion::BigWordNext,
        (KeyCode::Char('B'), false) => Motion::BigWordBack,
        (KeyCode::Char('E'), false) => Motion::BigWordEnd,
        (KeyCode::Char('%'), false) => Motion::Bracket,
        (KeyCode::Char('{'), false) => Motion::ParagraphUp,
        (KeyCode::Char('}'), false) => Motion::ParagraphDown,
        (KeyCode::Char('G'), false) => Motion::HistoryBottom,
        (KeyCode::Char('u'), true) => Motion::HalfPageUp,
        (KeyCode::Char('d'), true) => Motion::HalfPageDown,
        (KeyCode::Char('b'), true) | (KeyCode::PageUp, _) => Motion::PageUp,
        (KeyCode::Char('f'), true) | (KeyCode::PageDown, _) => Motion::PageDown,
        _ => return None,
    })
}
