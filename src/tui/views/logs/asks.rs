//! What the log view asks of whoever feeds it: lines of another time, a command for the lines shown.

use super::LogView;
use super::prompt::Purpose;

/// Taken by [`LogView::take_ask`] after a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Only what was written in the last so many seconds; `None`: everything.
    Window(Option<u64>),
    /// The shown lines go to this command line's stdin.
    Pipe(String),
}

/// The digit that chooses it, what it is called, its seconds.
const WINDOWS: [(char, &str, Option<u64>); 7] = [
    ('1', "1m", Some(60)),
    ('2', "5m", Some(300)),
    ('3', "15m", Some(900)),
    ('4', "1h", Some(3600)),
    ('5', "6h", Some(21_600)),
    ('6', "1d", Some(86_400)),
    ('0', "all", None),
];

impl LogView {
    /// Asks for a digit.
    pub fn choose_window(&mut self) {
        self.open_prompt(Purpose::Window);
    }

    /// Asks for a command line.
    pub fn pipe(&mut self) {
        self.open_prompt(Purpose::Pipe);
    }

    pub fn take_ask(&mut self) -> Option<Ask> {
        self.ask.take()
    }

    /// What is held is only of these last seconds: the title says so.
    pub fn set_window(&mut self, seconds: Option<u64>) {
        self.window = seconds;
    }

    pub fn window(&self) -> Option<u64> {
        self.window
    }

    /// `5m`, when it is not everything.
    pub fn window_name(&self) -> Option<&'static str> {
        self.window?;
        WINDOWS.iter().find(|(_, _, seconds)| *seconds == self.window).map(|(_, name, _)| *name)
    }

    pub(super) fn window_digit(&mut self, digit: char) {
        if let Some((_, _, seconds)) = WINDOWS.iter().find(|(d, ..)| *d == digit) {
            self.ask = Some(Ask::Window(*seconds));
            self.cancel_prompt();
        }
    }
}

/// The line in which a digit is chosen.
pub(super) fn window_line() -> String {
    let choices: Vec<String> = WINDOWS.iter().map(|(digit, name, _)| format!("{digit} {name}")).collect();
    format!(" the last:  {}   Esc cancel", choices.join("  "))
}
