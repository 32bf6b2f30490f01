//! Words to people: errors and hints on stderr, output on stdout, and the exit codes that go with them.

use crate::engine::{Error, ErrorKind};
use std::io::Write;

/// A mistake in flags, or a failure before anything was started (docker's 125).
pub(super) const USAGE: u8 = 125;

/// For `main`: what kept teu from doing anything at all.
pub fn failed_before_start(error: &Error) -> u8 {
    print_error(error);
    USAGE
}

/// Writes to stdout. A reader that went away ends the output quietly, as it should in a pipe.
pub(super) fn out(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Writes to stderr, in one call so that lines of several processes do not mix.
pub(super) fn err(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// `teu: what: because` and, when there is one, `hint: …`.
pub(super) fn print_error(error: &Error) {
    let mut text = format!("teu: {error}\n");
    for failure in error.cleanup_failures() {
        text.push_str(&format!("      and while cleaning up: {failure}\n"));
    }
    if let Some(hint) = error.hint_text() {
        text.push_str(&format!("hint: {hint}\n"));
    }
    err(&text);
}

/// The exit code of an error: 127 and 126 for commands that cannot be run, 125 for a lost `session`, else what the verb
/// says.
pub(super) fn exit_code(error: &Error, session: bool, otherwise: u8) -> u8 {
    match error.kind() {
        ErrorKind::CommandNotFound => 127,
        ErrorKind::CommandNotExecutable => 126,
        ErrorKind::Cancelled => 130,
        // Not the process's word, as a 1 might be.
        ErrorKind::Unavailable if session => USAGE,
        _ => otherwise,
    }
}
