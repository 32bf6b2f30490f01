//! Keys and pastes of the shells pane: everything goes to the program but the leader and what follows it.

use super::copy::{CopyMode, CopyOutcome};
use super::layout::Split;
use super::{Shells, TermId};
use crate::tui::emulator::Scroll;
use crate::tui::encode;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What the caller must do after an input event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShellOutcome {
    None,
    /// Write these bytes to these programs.
    Send(Vec<(TermId, Vec<u8>)>),
    /// Give the keys back to the rest of the screen.
    Leave,
    /// Put this text on the clipboard.
    Copy(String),
    Command(ShellCommand),
}

/// What only the caller can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShellCommand {
    /// Another shell in the current one's container, in a tab or split.
    New(Option<Split>),
    /// End this terminal's program (if it runs) and `close` it.
    Close(TermId),
    /// Run the ended program again.
    Rerun(TermId),
    /// Show this pane alone on the screen, or as before.
    Zoom,
    /// Sizes within the pane changed: call `resize`.
    Relayout,
    Palette,
    Help,
    /// Open history and screen in an editor.
    EditScrollback(TermId),
}

/// What follows the leader, for the hint line and the help: key and meaning.
pub const LEADER_KEYS: [(&str, &str); 15] = [
    ("d", "leave"),
    ("?", "help"),
    ("c", "new"),
    ("n/p", "next/prev"),
    ("1-9", "tab"),
    ("%", "split right"),
    ("\"", "split below"),
    ("o", "other split"),
    ("z", "zoom"),
    ("[", "copy mode"),
    ("/", "search"),
    ("e", "to editor"),
    ("=", "broadcast"),
    ("x", "close"),
    (":", "palette"),
];

impl Shells {
    /// A key while the pane has the keyboard.
    pub fn key(&mut self, key: KeyEvent) -> ShellOutcome {
        let pressed = key.kind != KeyEventKind::Release;
        if self.leader_pending && pressed && !matches!(key.code, KeyCode::Modifier(_)) {
            self.leader_pending = false;
            self.dirty = true;
            return self.after_leader(key);
        }
        if self.leader.matches(key) {
            if pressed {
                self.leader_pending = true;
                self.dirty = true;
            }
            return ShellOutcome::None;
        }
        let Some(pane) = self.current_pane() else { return ShellOutcome::Leave };
        if let Some(copy) = &mut pane.copy {
            if !pressed {
                return ShellOutcome::None;
            }
            let outcome = copy.key(key, &mut pane.terminal);
            self.dirty = true;
            return self.copy_outcome(outcome);
        }
        if pane.end.is_some() {
            return if pressed { self.ended_key(key) } else { ShellOutcome::None };
        }
        if let Some(scroll) = history_key(key).filter(|_| !pane.terminal.modes().alternate_screen) {
            if pressed {
                pane.terminal.scroll(scroll);
                self.dirty = true;
            }
            return ShellOutcome::None;
        }
        self.send_key(key)
    }

    /// Whether `key` would do something with this key: all of them while a program runs; after its end only those that
    /// look at, close or rerun what it left, so that the rest are the screen's again.
    pub fn takes(&self, key: KeyEvent) -> bool {
        let Some(pane) = self.current().and_then(|id| self.pane(id)) else { return false };
        let plain = !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        let own = matches!(key.code, KeyCode::Enter | KeyCode::Esc | KeyCode::Char('x' | 'r' | 'q'));
        pane.end.is_none()
            || pane.copy.is_some()
            || self.leader_pending
            || self.leader.matches(key)
            || (plain && (own || view_key(key).is_some()))
    }

    /// Whether the leader was pressed and its key is awaited.
    pub fn leader_pending(&self) -> bool {
        self.leader_pending
    }

    /// Whether copy mode is on in the current terminal.
    pub fn in_copy_mode(&self) -> bool {
        self.current().and_then(|id| self.pane(id)).is_some_and(|pane| pane.copy.is_some())
    }

    /// Whether the current terminal's program is over.
    pub fn has_ended(&self) -> bool {
        self.current().and_then(|id| self.pane(id)).is_some_and(|pane| pane.end.is_some())
    }

    pub fn set_leader(&mut self, leader: Leader) {
        self.leader = leader;
        self.leader_pending = false;
    }

    pub fn leader(&self) -> Leader {
        self.leader
    }

    /// Pasted text while the pane has the keyboard.
    pub fn paste(&mut self, text: &str) -> ShellOutcome {
        if let Some(copy) = self.current_pane().and_then(|pane| pane.copy.as_mut()) {
            copy.paste(text);
            self.dirty = true;
            return ShellOutcome::None;
        }
        self.send(|modes| encode::paste(text, modes))
    }

    /// The pane gained or lost the keyboard: programs that asked are told.
    pub fn focus(&mut self, focused: bool) -> ShellOutcome {
        self.leader_pending = false;
        self.dirty = true;
        if focused {
            self.look();
        }
        let Some(pane) = self.current_pane().filter(|pane| pane.end.is_none()) else { return ShellOutcome::None };
        let bytes = encode::focus(focused, &pane.terminal.modes());
        if bytes.is_empty() { ShellOutcome::None } else { ShellOutcome::Send(vec![(pane.id, bytes)]) }
    }

    fn send_key(&mut self, key: KeyEvent) -> ShellOutcome {
        self.send(|modes| encode::key(key, modes))
    }

    /// Encodes for each program that gets the input: the current one, or all of them when broadcasting.
    fn send(&mut self, encode: impl Fn(&crate::tui::emulator::Modes) -> Vec<u8>) -> ShellOutcome {
        let mut sent = Vec::new();
        for id in self.receivers() {
            let Some(pane) = self.pane_mut(id) else { continue };
            let bytes = encode(&pane.terminal.modes());
            if bytes.is_empty() {
                continue;
            }
            if pane.terminal.offset() > 0 {
                pane.terminal.scroll(Scroll::Bottom);
            }
            pane.terminal.select_clear();
            sent.push((id, bytes));
        }
        if sent.is_empty() { ShellOutcome::None } else { ShellOutcome::Send(sent) }
    }

    /// The terminals that input goes to: broadcast means the tab's splits, or every tab where the tab is not split.
    pub(super) fn receivers(&self) -> Vec<TermId> {
        let Some(tab) = self.tabs.get(self.active) else { return Vec::new() };
        let ids = match tab.root.leaves() {
            _ if !self.broadcast => vec![tab.focus],
            leaves if leaves.len() > 1 => leaves,
            _ => self.panes.iter().map(|pane| pane.id).collect(),
        };
        ids.into_iter().filter(|id| self.pane(*id).is_some_and(|pane| pane.end.is_none())).collect()
    }

    fn ended_key(&mut self, key: KeyEvent) -> ShellOutcome {
        let Some(id) = self.current() else { return ShellOutcome::Leave };
        match key.code {
            KeyCode::Enter | KeyCode::Char('x') => ShellOutcome::Command(ShellCommand::Close(id)),
            KeyCode::Char('r') => ShellOutcome::Command(ShellCommand::Rerun(id)),
            KeyCode::Esc | KeyCode::Char('q') => ShellOutcome::Leave,
            _ => {
                if let (Some(scroll), Some(pane)) = (view_key(key), self.current_pane()) {
                    pane.terminal.scroll(scroll);
                    self.dirty = true;
                }
                ShellOutcome::None
            }
        }
    }

    fn after_leader(&mut self, key: KeyEvent) -> ShellOutcome {
        let Some(id) = self.current() else { return ShellOutcome::Leave };
        if self.leader.matches(key) {
            let leader = self.leader.event();
            return self.send_key(leader);
        }
        let plain = !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        match key.code {
            KeyCode::Esc => ShellOutcome::None,
            KeyCode::Char(c) if plain => match c {
                'd' => ShellOutcome::Leave,
                'c' => ShellOutcome::Command(ShellCommand::New(None)),
                '%' => ShellOutcome::Command(ShellCommand::New(Some(Split::Right))),
                '"' => ShellOutcome::Command(ShellCommand::New(Some(Split::Below))),
                'x' => ShellOutcome::Command(ShellCommand::Close(id)),
                'z' => ShellOutcome::Command(ShellCommand::Zoom),
                ':' => ShellOutcome::Command(ShellCommand::Palette),
                '?' => ShellOutcome::Command(ShellCommand::Help),
                'e' => ShellOutcome::Command(ShellCommand::EditScrollback(id)),
                'n' => self.turn(1),
                'p' => self.turn(self.tabs.len().saturating_sub(1)),
                '1'..='9' => {
                    self.select_tab(c as usize - '1' as usize);
                    ShellOutcome::None
                }
                'o' => self.next_split(),
                '=' => {
                    self.broadcast = !self.broadcast;
                    ShellOutcome::None
                }
                '[' => self.start_copy(CopyMode::default()),
                '/' => self.start_copy(CopyMode::searching(false)),
                _ => self.pass_through(key),
            },
            _ => self.pass_through(key),
        }
    }

    /// No key of ours: the program gets both, so that nothing typed is lost.
    fn pass_through(&mut self, key: KeyEvent) -> ShellOutcome {
        let (leader, key) = (self.leader.event(), key);
        self.send(|modes| [encode::key(leader, modes), encode::key(key, modes)].concat())
    }

    fn turn(&mut self, by: usize) -> ShellOutcome {
        if !self.tabs.is_empty() {
            self.select_tab((self.active + by) % self.tabs.len());
        }
        ShellOutcome::None
    }

    fn next_split(&mut self) -> ShellOutcome {
        let Some(tab) = self.tabs.get_mut(self.active) else { return ShellOutcome::None };
        let leaves = tab.root.leaves();
        let at = leaves.iter().position(|id| *id == tab.focus).unwrap_or(0);
        tab.focus = leaves[(at + 1) % leaves.len()];
        self.look();
        ShellOutcome::None
    }

    fn start_copy(&mut self, mode: CopyMode) -> ShellOutcome {
        if let Some(pane) = self.current_pane() {
            pane.terminal.set_copy_mode(true);
            pane.copy = Some(mode);
        }
        ShellOutcome::None
    }

    fn copy_outcome(&mut self, outcome: CopyOutcome) -> ShellOutcome {
        if outcome == CopyOutcome::Stay {
            return ShellOutcome::None;
        }
        if let Some(pane) = self.current_pane() {
            pane.leave_copy_mode();
        }
        match outcome {
            CopyOutcome::Yank(text) => ShellOutcome::Copy(text),
            _ => ShellOutcome::None,
        }
    }
}

use super::Leader;

/// Shift with the paging keys looks into the history, as in most terminals.
fn history_key(key: KeyEvent) -> Option<Scroll> {
    if key.modifiers != KeyModifiers::SHIFT {
        return None;
    }
    match key.code {
        KeyCode::PageUp => Some(Scroll::PageUp),
        KeyCode::PageDown => Some(Scroll::PageDown),
        _ => None,
    }
}

/// In a terminal whose program ended the plain keys look too.
fn view_key(key: KeyEvent) -> Option<Scroll> {
    Some(match key.code {
        KeyCode::PageUp => Scroll::PageUp,
        KeyCode::PageDown => Scroll::PageDown,
        KeyCode::Up | KeyCode::Char('k') => Scroll::Lines(1),
        KeyCode::Down | KeyCode::Char('j') => Scroll::Lines(-1),
        KeyCode::Home | KeyCode::Char('g') => Scroll::Top,
        KeyCode::End | KeyCode::Char('G') => Scroll::Bottom,
        _ => return None,
    })
}
