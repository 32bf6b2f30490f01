//! A verb's parsed flags, read by name; and the one way to say that a value is wrong.

use crate::engine::{Error, ErrorKind, Result};
use clap::ArgMatches;
use clap::parser::ValueSource;
use std::fs::File;
use std::io::Read;

/// Longest file that a flag may name. One without an end (a device) is an error instead of all memory.
const LONGEST_FILE: u64 = 16 << 20;

/// Flags of one verb. A flag the verb does not have reads as not given, so that verbs can share readers.
#[derive(Clone, Copy)]
pub(super) struct Args<'a>(pub &'a ArgMatches);

impl<'a> Args<'a> {
    pub fn on(self, flag: &str) -> bool {
        self.0.try_get_one::<bool>(flag).ok().flatten().copied().unwrap_or(false)
    }

    pub fn text(self, flag: &str) -> Option<&'a str> {
        self.0.try_get_one::<String>(flag).ok().flatten().map(String::as_str)
    }

    /// All values in the order given.
    pub fn texts(self, flag: &str) -> Vec<&'a str> {
        let values = self.0.try_get_many::<String>(flag).ok().flatten();
        values.map(|v| v.map(String::as_str).collect()).unwrap_or_default()
    }

    pub fn owned(self, flag: &str) -> Vec<String> {
        self.texts(flag).into_iter().map(str::to_owned).collect()
    }

    /// Was it typed (and is not just there by its default)?
    pub fn given(self, flag: &str) -> bool {
        self.0.try_contains_id(flag).unwrap_or(false) && self.0.value_source(flag) == Some(ValueSource::CommandLine)
    }

    /// A number of any kind; the error names the flag and the value.
    pub fn number<T: std::str::FromStr>(self, flag: &str) -> Result<Option<T>> {
        let parse = |text: &str| text.trim().parse().map_err(|_| wrong(flag, text, "it is not such a number"));
        self.text(flag).map(parse).transpose()
    }
}

/// `invalid --memory 'abc': it is not a size`.
pub(super) fn wrong(flag: &str, value: &str, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Invalid, format!("invalid --{flag} '{value}'")).because(why.to_string())
}

/// A mistake that is in no single value.
pub(super) fn misuse(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, why)
}

/// The text of a file that a flag names; `what` says of the error what was read.
pub(super) fn text_of_file(what: &str, path: &str) -> Result<String> {
    let failed = |e| Error::from_source(ErrorKind::Invalid, format!("reading {what} {path}"), &e);
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST_FILE + 1).read_to_string(&mut text));
    match read.map_err(failed)? as u64 > LONGEST_FILE {
        true => Err(failed(std::io::Error::other(format!("it is longer than {} MiB", LONGEST_FILE >> 20)))),
        false => Ok(text),
    }
}
