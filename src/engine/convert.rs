//! Lower layers' errors become the engine's: a kind to branch on, the whole chain, and a hint where one helps.

use super::{Error, ErrorKind};
use crate::store;

impl From<store::Error> for Error {
    fn from(e: store::Error) -> Error {
        use store::Error as E;
        let kind = match &e {
            E::Io { source, .. } => io_kind(source),
            E::Sqlite { .. } | E::Row(_) => ErrorKind::Internal,
            E::Future { .. } => ErrorKind::Unsupported,
            E::NameTaken { .. } | E::Gone { .. } => ErrorKind::Conflict,
            E::Corrupt { .. } => ErrorKind::Corrupt,
        };
        let hint = match &e {
            E::Future { .. } => Some("a newer teu has written it: update this teu, or use another --root"),
            E::NameTaken { .. } => Some("choose another --name, or remove or rename that container"),
            E::Io { source, .. } => io_hint(source),
            _ => None,
        };
        with_hint(flat(kind, &e), hint)
    }
}

/// The error's own text as `what`, its sources as causes.
pub(crate) fn flat(kind: ErrorKind, e: &(dyn std::error::Error + 'static)) -> Error {
    let mut error = Error::new(kind, e.to_string());
    let mut next = e.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        // Many layers repeat their source in their own text.
        if !error.what().contains(&text) {
            error = error.because(text);
        }
        next = cause.source();
    }
    error
}

pub(crate) fn with_hint(error: Error, hint: Option<&str>) -> Error {
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

pub(crate) fn io_kind(e: &std::io::Error) -> ErrorKind {
    match e.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::Unavailable,
        _ => ErrorKind::Internal,
    }
}

pub(crate) fn io_hint(e: &std::io::Error) -> Option<&'static str> {
    match e.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            Some("free some space (`teu system prune`), or use a --root on another disk")
        }
        std::io::ErrorKind::PermissionDenied => {
            Some("is the state directory owned by another user? --root DIR uses another one")
        }
        std::io::ErrorKind::ReadOnlyFilesystem => Some("use a --root on a writable file system"),
        _ => None,
    }
}
