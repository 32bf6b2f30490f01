//! Words to people: errors and hints on stderr, output on stdout, and the exit codes that go with them.

use crate::engine::{Error, ErrorKind};
use std::borrow::Cow;
use std::io::{IsTerminal, Write};

/// A mistake in flags, or a failure before anything was started (docker's 125).
pub(super) const USAGE: u8 = 125;

/// For `main`: what kept teu from doing anything at all.
pub fn failed_before_start(error: &Error) -> u8 {
    print_error(error);
    USAGE
}

/// Writes to stdout. A reader that went away ends the output quietly, as it should in a pipe. A terminal gets nothing
/// that it would obey: names, labels and commands are an image's own words. A pipe gets every byte.
pub(super) fn out(text: &str) {
    paint_out(&if std::io::stdout().is_terminal() { harmless(text) } else { Cow::Borrowed(text) });
}

/// Writes to stderr, in one call so that lines of several processes do not mix. As [`harmless`].
pub(super) fn err(text: &str) {
    paint_err(&harmless(text));
}

/// Text of our own making, control sequences too.
pub(super) fn paint_out(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// The same to stderr.
pub(super) fn paint_err(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Control characters but for ends of lines and tabs as JSON writes them: an error may quote an image's command, a
/// registry's words, a file's name, and a terminal obeys what is hidden in those.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    let plain = text.replace("\r\n", "\n");
    if !plain.chars().any(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| if is_obeyed(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    Cow::Owned(plain.chars().map(shown).collect())
}

fn is_obeyed(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t'
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_message_is_obeyed_by_a_terminal() {
        assert_eq!(harmless("a\tb\nc\r\n"), "a\tb\nc\r\n");
        assert_eq!(harmless("\x1b]0;x\x07 \u{9b}2J \x7f \r é"), "\\u001b]0;x\\u0007 \\u009b2J \\u007f \\u000d é");
    }
}
