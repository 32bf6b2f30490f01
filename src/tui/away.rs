//! Others on the terminal: the shell that teu was started in, an editor, a command, a browser.

use super::terminal::{self, ENDING};
use super::{Msg, Ui};
use crate::config::{Browser, browse, edit, pipe};
use crate::engine::console;
use crossterm::event::EventStream;
use std::io;
use tokio::signal::unix::{SignalKind, signal};

impl Ui {
    /// Lets somebody else have the terminal, then takes it and draws everything anew.
    fn away(&mut self, what: impl FnOnce() -> Result<(), String>) -> io::Result<()> {
        terminal::leave();
        let result = what();
        terminal::enter(self.app.mouse)?;
        self.screen.backend_mut().forget();
        self.screen.clear()?;
        if let Err(why) = result {
            self.app.complain(why);
        }
        let size = self.screen.size()?;
        self.take(Msg::Resize(size.width, size.height))
    }

    pub(super) fn suspend(&mut self) -> io::Result<()> {
        self.away(|| console::suspend().map_err(|e| e.to_string()))
    }

    /// A program has the terminal until it ends. The event stream would eat its keys, so it is put away meanwhile; a Ctrl-C
    /// was the program's, though the terminal told us too.
    fn lend(&mut self, what: impl FnOnce() -> Result<(), String>) -> io::Result<()> {
        self.keys = None;
        let result = self.away(what);
        self.keys = Some(EventStream::new());
        for (kind, kept) in ENDING.iter().zip(&mut self.signals) {
            if *kind == SignalKind::interrupt() {
                *kept = signal(*kind)?;
            }
        }
        result
    }

    pub(super) fn edit(&mut self, text: &str) -> io::Result<()> {
        let dir = self.run_dir.clone();
        self.lend(|| edit(&dir, text).map_err(|e| e.to_string()))
    }

    /// The command's output is to be read before the screen comes back.
    pub(super) fn pipe(&mut self, command: &str, bytes: &[u8]) -> io::Result<()> {
        let mut ended = None;
        let result = self.lend(|| {
            let status = pipe(command, bytes).map_err(|e| e.to_string())?;
            terminal::pause(&format!("[{status}: Enter goes back to teu]"));
            ended = Some(status);
            Ok(())
        });
        if let Some(status) = ended {
            self.app.toast(format!("{command}: {status}"), !status.success());
        }
        result
    }

    /// Without a browser the address goes to the clipboard of whoever looks at this terminal.
    pub(super) fn browse(&mut self, url: &str) -> io::Result<()> {
        let why = match self.browser.clone() {
            Some(Browser::Terminal(words)) => {
                // One that is back at once has shown nothing that could be read: the address is said.
                self.app.toast(format!("back from {} {url}", words.first().map_or("", String::as_str)), false);
                return self.lend(|| browse(&words, url).map_err(|e| e.to_string()));
            }
            Some(Browser::Desktop(program)) => match console::browse(&program, url) {
                Ok(()) => {
                    self.app.toast(format!("opening {url}"), false);
                    return Ok(());
                }
                Err(error) => error.to_string(),
            },
            None => String::from("no desktop here, and no $BROWSER"),
        };
        self.app.toast(format!("copied {url} ({why})"), false);
        terminal::copy(url)
    }
}
