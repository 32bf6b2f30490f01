//! The one public error: a kind for code, a story for people.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// What a caller may branch on. Maps to CLI exit codes, colours and (later) HTTP codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    NotFound,
    /// Already exists, in use, or in the wrong state.
    Conflict,
    Invalid,
    Unauthorized,
    /// The kernel or file permissions said no.
    Denied,
    /// A registry, the network or another process did not answer.
    Unavailable,
    /// Understood, but this machine or this version cannot do it.
    Unsupported,
    /// The state asked for is the state it is in.
    NotModified,
    Cancelled,
    /// Content or state on disk is not what it should be.
    Corrupt,
    /// A command in the container that is not there (127) or cannot be executed (126).
    CommandNotFound,
    CommandNotExecutable,
    Internal,
}

/// `kind`, what was being done, the cause chain, and a hint. Boxed, so that `Result` stays small.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    during: String,
    /// Causes, outermost first.
    causes: Vec<String>,
    hint: Option<String>,
    /// Failures while cleaning up after this one.
    cleanup: Vec<String>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// `during` says what failed, lower case, with the object: `pulling alpine:3.22`.
    pub fn new(kind: ErrorKind, during: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, during: during.into(), causes: Vec::new(), hint: None, cleanup: Vec::new() }))
    }

    /// Takes over a lower layer's error with its whole chain of sources.
    pub fn from_source(kind: ErrorKind, during: impl Into<String>, source: &(dyn StdError + 'static)) -> Self {
        let mut error = Self::new(kind, during);
        let mut next = Some(source);
        while let Some(cause) = next {
            let text = cause.to_string();
            // Some say their cause's words themselves.
            if !error.0.causes.last().is_some_and(|last| last.ends_with(&text)) {
                error.0.causes.push(text);
            }
            next = cause.source();
        }
        error
    }

    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.0.causes.push(cause.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The same with other first words.
    pub(crate) fn with_what(mut self, what: String) -> Self {
        self.0.during = what;
        self
    }

    /// The same words under another kind.
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Adds context: the former `during` becomes the first cause.
    pub fn during(mut self, during: impl Into<String>) -> Self {
        let former = std::mem::replace(&mut self.0.during, during.into());
        self.0.causes.insert(0, former);
        self
    }

    pub fn add_cleanup_failure(&mut self, failure: impl Into<String>) {
        self.0.cleanup.push(failure.into());
    }

    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    pub fn what(&self) -> &str {
        &self.0.during
    }

    pub fn causes(&self) -> &[String] {
        &self.0.causes
    }

    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    pub fn cleanup_failures(&self) -> &[String] {
        &self.0.cleanup
    }

    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "cancelled")
    }
}

/// One line: `what: cause: cause`.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_number(&self.0.during))?;
        for cause in &self.0.causes {
            write!(f, ": {}", without_number(cause))?;
        }
        Ok(())
    }
}

/// The standard library ends the kernel's words with "(os error 2)", which tells people nothing.
pub(crate) fn without_number(text: &str) -> Cow<'_, str> {
    match text.split_once(" (os error ").and_then(|(before, rest)| Some((before, rest.split_once(')')?))) {
        Some((before, (number, after))) if number.bytes().all(|b| b.is_ascii_digit()) => {
            Cow::Owned(format!("{before}{}", without_number(after)))
        }
        _ => Cow::Borrowed(text),
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl StdError for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_is_said_already_is_not_said_again() {
        let full = crate::sys::Error::new("unshare", std::io::Error::from_raw_os_error(28));
        let error = Error::from_source(ErrorKind::Denied, "making it", &full).to_string();
        assert_eq!(error.matches("No space left").count(), 1, "{error}");
    }
}
