//! The terminal inside a pane: bytes in, a grid out. `TermEngine` is the fence around the engine crate; `Terminal` is what
//! the rest of the screen uses, and it survives an engine that panics.

mod alacritty;
mod guard;
mod prescan;
#[cfg(test)]
mod tests;

pub use guard::{Terminal, in_engine};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::time::Instant;

/// The smallest grid an engine is given: with one column a wide character has no place at all.
pub const MIN_COLUMNS: u16 = 2;
/// More than any screen; a bound on what a mistaken size can allocate.
pub const MAX_CELLS_PER_SIDE: u16 = 2000;
/// How much output is parsed at one go, so that keys are answered between slices.
pub const SLICE: usize = 64 * 1024;

/// What output did besides changing the grid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Answers to the program's queries; write them to it in order, before later input.
    pub replies: Vec<u8>,
    /// The last title set, without control characters; empty: back to the default.
    pub title: Option<String>,
    pub bell: bool,
    /// Text the program put on the clipboard (OSC 52).
    pub clipboard: Option<String>,
    /// The directory the shell says it is in (OSC 7): a path.
    pub cwd: Option<String>,
    pub marks: Vec<PromptMark>,
    /// The engine failed and was rebuilt with an empty grid: one line for the log.
    pub rebuilt: Option<String>,
}

/// A shell's semantic mark (OSC 133).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptMark {
    PromptStart,
    CommandStart,
    OutputStart,
    /// The command ended with this status, if the shell told it.
    CommandEnd(Option<i32>),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum MouseMode {
    #[default]
    Off,
    /// 1000: buttons and wheel.
    Click,
    /// 1002: and motion with a button held.
    Drag,
    /// 1003: and any motion.
    Motion,
}

/// kitty's progressive enhancement flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KittyFlags {
    pub disambiguate: bool,
    pub event_types: bool,
    pub alternate_keys: bool,
    pub all_as_escapes: bool,
    pub associated_text: bool,
}

impl KittyFlags {
    pub fn any(&self) -> bool {
        self.disambiguate || self.event_types || self.alternate_keys || self.all_as_escapes || self.associated_text
    }
}

/// The program's modes that decide what a key, a mouse event or a paste is to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modes {
    pub app_cursor: bool,
    pub app_keypad: bool,
    /// LNM: Enter sends CR LF.
    pub newline: bool,
    pub bracketed_paste: bool,
    pub focus_events: bool,
    pub alternate_screen: bool,
    /// 1007: the wheel is arrow keys in the alternate screen.
    pub alternate_scroll: bool,
    pub mouse: MouseMode,
    pub mouse_sgr: bool,
    pub mouse_utf8: bool,
    pub kitty: KittyFlags,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CursorShape {
    #[default]
    Block,
    Underline,
    Bar,
}

/// Where the cursor is in the view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    pub column: u16,
    pub row: u16,
    pub shape: CursorShape,
    /// Not hidden by the program, and within the view.
    pub visible: bool,
}

/// What must be drawn anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    None,
    /// These rows of the screen, first to last.
    Rows(u16, u16),
    Full,
}

/// A change of the view into the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scroll {
    /// Positive: towards older lines.
    Lines(i32),
    PageUp,
    PageDown,
    Top,
    Bottom,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectionKind {
    Characters,
    Words,
    Lines,
    Block,
}

/// Cursor movements of the copy mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    Left,
    Right,
    Up,
    Down,
    LineStart,
    LineEnd,
    FirstText,
    ScreenTop,
    ScreenMiddle,
    ScreenBottom,
    WordNext,
    WordBack,
    WordEnd,
    BigWordNext,
    BigWordBack,
    BigWordEnd,
    Bracket,
    ParagraphUp,
    ParagraphDown,
    HistoryTop,
    HistoryBottom,
    HalfPageUp,
    HalfPageDown,
    PageUp,
    PageDown,
}

/// How selected text and search hits look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    pub selection: Style,
    pub hit: Style,
}

/// A terminal engine. Rows and columns count from 0 at the top left of the view.
pub trait TermEngine: Send {
    fn feed(&mut self, bytes: &[u8], out: &mut Effects);
    /// The caller clamps to at least `MIN_COLUMNS` x 1.
    fn resize(&mut self, columns: u16, rows: u16);
    fn modes(&self) -> Modes;
    fn cursor(&self) -> Cursor;
    /// Draws the view into `area`; what the grid does not cover is left alone.
    fn render(&mut self, area: Rect, buf: &mut Buffer, look: &Look);
    fn history_len(&self) -> usize;
    /// Lines the view is scrolled back; 0: live.
    fn offset(&self) -> usize;
    fn scroll(&mut self, scroll: Scroll);

    /// Starts a selection at a cell of the view; `right`: in the cell's right half.
    fn select_start(&mut self, kind: SelectionKind, column: u16, row: u16, right: bool);
    fn select_extend(&mut self, column: u16, row: u16, right: bool);
    fn select_clear(&mut self);
    /// Soft-wrapped rows are joined.
    fn selected_text(&self) -> Option<String>;
    /// History and screen.
    fn all_text(&self) -> String;

    fn set_copy_mode(&mut self, on: bool);
    fn motion(&mut self, motion: Motion);
    /// Starts a selection of this kind at the copy mode's cursor; the same kind again ends it.
    fn copy_select(&mut self, kind: SelectionKind);
    /// Highlights matches of a regular expression; `None` ends it. Lower-case patterns ignore case.
    fn set_search(&mut self, pattern: Option<&str>) -> Result<(), String>;
    /// Moves the copy mode's cursor to the next match; `false`: there is none.
    fn search_next(&mut self, forward: bool) -> bool;
    /// The link (OSC 8) of a cell of the view.
    fn link_at(&self, column: u16, row: u16) -> Option<String>;

    fn take_damage(&mut self) -> Damage;
    /// When a synchronized update must be shown even without its end mark.
    fn sync_deadline(&self) -> Option<Instant>;
    fn end_sync(&mut self, out: &mut Effects);
    /// What queries of the default colours are answered with.
    fn set_colors(&mut self, foreground: (u8, u8, u8), background: (u8, u8, u8));
}
