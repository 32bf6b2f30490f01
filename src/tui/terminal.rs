//! The terminal: taken and given back whole, whatever ends us; and a backend that writes nothing when nothing changed.

use crate::config::Colours;
use crate::tui::colour::nearest;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange,
    EnableMouseCapture, KeyboardEnhancementFlags, PopKeyboardEnhancementFlags, PushKeyboardEnhancementFlags,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use crossterm::{Command, cursor, execute, queue};
use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use std::io::{self, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::SignalKind;

/// SIGTERM, SIGINT, SIGHUP and SIGABRT end us with the terminal restored.
pub const ENDING: [SignalKind; 4] =
    [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup(), SignalKind::from_raw(6)];

/// The terminal is ours at this moment: what the panic hook asks.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes the terminal: raw mode, alternate screen, pasted text and focus reported, unambiguous keys where it can.
pub fn enter(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let mut out = io::stdout();
    execute!(out, EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange, cursor::Hide)?;
    // A terminal without this protocol ignores the sequence, so nobody waits for an answer before the first frame.
    execute!(out, PushKeyboardEnhancementFlags(KeyboardEnhancementFlags::DISAMBIGUATE_ESCAPE_CODES))?;
    if mouse {
        execute!(out, EnableMouseCapture)?;
    }
    Ok(())
}

/// Gives the terminal back. Goes on after failures, as each part is worth restoring alone; harmless when done twice.
pub fn leave() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    let _ = execute!(out, EndSynchronizedUpdate, DisableMouseCapture, PopKeyboardEnhancementFlags);
    let _ = execute!(out, DisableFocusChange, DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}

/// Lets the terminal have its mouse, or takes it.
pub fn capture_mouse(on: bool) -> io::Result<()> {
    if on { execute!(io::stdout(), EnableMouseCapture) } else { execute!(io::stdout(), DisableMouseCapture) }
}

/// Rings.
pub fn bell() -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(b"\x07")?;
    out.flush()
}

/// Shows a line below what a command wrote and waits for Enter, or for the end of the input.
pub fn pause(text: &str) {
    let mut out = io::stdout();
    // A terminal that cannot be written to is found out by the next frame.
    let _ = out.write_all(format!("\r\n{text}").as_bytes()).and_then(|()| out.flush());
    let _ = io::stdin().read_line(&mut String::new());
}

/// Puts text into the clipboard of whoever sits at the terminal (OSC 52).
pub fn copy(text: &str) -> io::Result<()> {
    execute!(io::stdout(), crossterm::clipboard::CopyToClipboard::to_clipboard_from(text))
}

/// Restores the terminal when dropped, so that no way out forgets it.
pub struct Guard;

impl Guard {
    pub fn enter(mouse: bool) -> io::Result<Guard> {
        restore_on_panic();
        let guard = Guard;
        enter(mouse)?;
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        leave();
    }
}

/// The message of a panic must appear on a usable screen, so the terminal is restored before it is printed.
fn restore_on_panic() {
    static ONCE: AtomicBool = AtomicBool::new(false);
    if ONCE.swap(true, Ordering::SeqCst) {
        return;
    }
    let former = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // A terminal engine's panic is caught and told in the status line; the screen lives on.
        if crate::tui::emulator::in_engine() {
            return;
        }
        if !std::thread::panicking() || TAKEN.load(Ordering::SeqCst) {
            leave();
        }
        former(info);
    }));
}

/// Collects a frame; one write to the terminal, none when there is nothing to say.
pub struct Frame<W> {
    collected: Vec<u8>,
    terminal: W,
}

impl<W: Write> Write for Frame<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.collected.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.collected.is_empty() {
            return Ok(());
        }
        let mut whole = String::new();
        let _ = BeginSynchronizedUpdate.write_ansi(&mut whole);
        let mut whole = whole.into_bytes();
        whole.append(&mut self.collected);
        queue!(whole, EndSynchronizedUpdate)?;
        self.terminal.write_all(&whole)?;
        self.terminal.flush()
    }
}

/// ratatui's crossterm backend, silent where it would repeat itself: an idle screen costs no byte.
pub struct Quiet<W: Write = Stdout> {
    inner: CrosstermBackend<Frame<W>>,
    /// What the terminal's cursor shows now; `None`: not known.
    cursor: Option<Option<Position>>,
    /// What the terminal can show.
    colours: Colours,
}

impl Quiet {
    pub fn new(colours: Colours) -> Quiet {
        Quiet::on(io::stdout(), colours)
    }
}

impl<W: Write> Quiet<W> {
    /// Draws on this terminal.
    pub fn on(terminal: W, colours: Colours) -> Quiet<W> {
        let frame = Frame { collected: Vec::new(), terminal };
        Quiet { inner: CrosstermBackend::new(frame), cursor: None, colours }
    }

    /// After somebody else wrote to the terminal.
    pub fn forget(&mut self) {
        self.cursor = None;
    }
}

fn reduce(colours: Colours, cell: &Cell) -> Cell {
    let mut cell = cell.clone();
    cell.fg = nearest(colours, cell.fg);
    cell.bg = nearest(colours, cell.bg);
    cell.underline_color = nearest(colours, cell.underline_color);
    cell
}

impl<W: Write> Backend for Quiet<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut content = content.peekable();
        if content.peek().is_none() {
            return Ok(());
        }
        if !matches!(self.cursor, Some(None)) {
            self.inner.hide_cursor()?;
            self.cursor = Some(None);
        }
        if self.colours == Colours::Full {
            return self.inner.draw(content);
        }
        let reduced: Vec<(u16, u16, Cell)> = content.map(|(x, y, cell)| (x, y, reduce(self.colours, cell))).collect();
        self.inner.draw(reduced.iter().map(|(x, y, cell)| (*x, *y, cell)))
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.cursor == Some(None) {
            return Ok(());
        }
        self.cursor = Some(None);
        self.inner.hide_cursor()
    }

    /// Shown together with its position, by `set_cursor_position`.
    fn show_cursor(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(self.cursor.flatten().unwrap_or_default())
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let position = position.into();
        if self.cursor == Some(Some(position)) {
            return Ok(());
        }
        self.inner.set_cursor_position(position)?;
        if !matches!(self.cursor, Some(Some(_))) {
            self.inner.show_cursor()?;
        }
        self.cursor = Some(Some(position));
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.inner.clear()
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        self.inner.clear_region(clear_type)
    }

    fn size(&self) -> io::Result<Size> {
        self.inner.size()
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        self.inner.window_size()
    }

    fn flush(&mut self) -> io::Result<()> {
        Backend::flush(&mut self.inner)
    }
}
