//! What the engine asks of its host: replies, titles, the clipboard, colours.

use crate::tui::emulator::Effects;
use crate::tui::text;
use alacritty_terminal::event::{Event, EventListener, WindowSize};
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::term::{ClipboardType, Term};
use alacritty_terminal::vte::ansi::Rgb;
use std::sync::{Arc, Mutex, PoisonError};

/// Longer titles are of no use to anyone.
const LONGEST_TITLE: usize = 200;
/// What a program may put on the clipboard, in bytes.
const LARGEST_CLIPBOARD: usize = 8 << 20;
/// The pixels of a cell told to programs that ask for them: a common font's.
const CELL_PIXELS: (u16, u16) = (8, 16);

/// Collects events during a call into the engine, in order.
#[derive(Clone, Default)]
pub(super) struct Listener(Arc<Mutex<Vec<Event>>>);

impl Listener {
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl EventListener for Listener {
    fn send_event(&self, event: Event) {
        if !matches!(event, Event::MouseCursorDirty | Event::CursorBlinkingChange | Event::Wakeup) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        }
    }
}

/// What queries are answered with.
pub(super) struct Answers {
    pub foreground: (u8, u8, u8),
    pub background: (u8, u8, u8),
}

impl Default for Answers {
    fn default() -> Self {
        Self { foreground: (0xd0, 0xd0, 0xd0), background: (0, 0, 0) }
    }
}

impl Answers {
    pub fn handle(&self, event: Event, term: &Term<Listener>, out: &mut Effects) {
        match event {
            Event::PtyWrite(text) => out.replies.extend_from_slice(text.as_bytes()),
            Event::ColorRequest(index, format) => {
                let set = term.colors();
                let color = if index < alacritty_terminal::term::color::COUNT { set[index] } else { None };
                let color = color.unwrap_or_else(|| self.color(index));
                out.replies.extend_from_slice(format(color).as_bytes());
            }
            Event::TextAreaSizeRequest(format) => {
                let size = WindowSize {
                    num_lines: term.screen_lines() as u16,
                    num_cols: term.columns() as u16,
                    cell_width: CELL_PIXELS.0,
                    cell_height: CELL_PIXELS.1,
                };
                out.replies.extend_from_slice(format(size).as_bytes());
            }
            Event::Title(title) => out.title = Some(text::strip(&title, LONGEST_TITLE)),
            Event::ResetTitle => out.title = Some(String::new()),
            Event::Bell => out.bell = true,
            Event::ClipboardStore(ClipboardType::Clipboard | ClipboardType::Selection, text)
                if text.len() <= LARGEST_CLIPBOARD =>
            {
                out.clipboard = Some(text);
            }
            // Reading the clipboard is denied: the program hears nothing, as xterm does by default.
            _ => {}
        }
    }

    /// The usual palette: 16 named, the 6x6x6 cube, 24 greys, then the default colours.
    fn color(&self, index: usize) -> Rgb {
        let rgb = |(r, g, b): (u8, u8, u8)| Rgb { r, g, b };
        match index {
            0..=15 => rgb(NAMED[index]),
            16..=231 => {
                let level = |n: usize| if n == 0 { 0 } else { (55 + 40 * n) as u8 };
                let cube = index - 16;
                rgb((level(cube / 36), level(cube / 6 % 6), level(cube % 6)))
            }
            232..=255 => {
                let grey = (8 + 10 * (index - 232)) as u8;
                rgb((grey, grey, grey))
            }
            257 => rgb(self.background),
            _ => rgb(self.foreground),
        }
    }
}

/// xterm's defaults.
const NAMED: [(u8, u8, u8); 16] = [
    (0, 0, 0),
    (205, 0, 0),
    (0, 205, 0),
    (205, 205, 0),
    (0, 0, 238),
    (205, 0, 205),
    (0, 205, 205),
    (229, 229, 229),
    (127, 127, 127),
    (255, 0, 0),
    (0, 255, 0),
    (255, 255, 0),
    (92, 92, 255),
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 255),
];
