//! The terminal teu itself was started in: raw mode that is always given back, and the window's size.

use super::{Error, Result};
use rustix::termios::{self, OptionalActions, Termios};
use std::os::fd::AsFd;

/// Raw mode of a terminal for as long as this lives. Dropped on every way out, a panic's included.
pub struct RawMode {
    before: Termios,
}

impl RawMode {
    /// Switches stdin's terminal to raw: bytes as typed, no echo, no signals from keys.
    pub fn enter() -> Result<RawMode> {
        RawMode::make(false)
    }

    /// The same, but what is shown there goes through the terminal as before: a new line begins at the left.
    pub fn enter_for_input() -> Result<RawMode> {
        RawMode::make(true)
    }

    fn make(keep_output: bool) -> Result<RawMode> {
        let stdin = std::io::stdin();
        let before = termios::tcgetattr(&stdin).map_err(|e| Error::new("tcgetattr", e))?;
        let mut raw = before.clone();
        raw.make_raw();
        if keep_output {
            raw.output_modes = before.output_modes;
        }
        termios::tcsetattr(&stdin, OptionalActions::Now, &raw).map_err(|e| Error::new("tcsetattr", e))?;
        Ok(RawMode { before })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that went away.
        let _ = termios::tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.before);
    }
}

/// Columns and rows of the first of stdout, stderr and stdin that is a terminal with a size.
pub fn window_size() -> Option<(u16, u16)> {
    let of = |fd: &dyn Fn() -> rustix::io::Result<termios::Winsize>| fd().ok().filter(|w| w.ws_col > 0 && w.ws_row > 0);
    let ask = |fd: std::os::fd::BorrowedFd<'_>| termios::tcgetwinsize(fd);
    let size = of(&|| ask(std::io::stdout().as_fd()))
        .or_else(|| of(&|| ask(std::io::stderr().as_fd())))
        .or_else(|| of(&|| ask(std::io::stdin().as_fd())))?;
    Some((size.ws_col, size.ws_row))
}
