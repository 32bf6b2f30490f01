//! Lower layers' errors become the engine's: a kind to branch on, the whole chain, and a hint where one helps.

use super::{Error, ErrorKind};
use crate::runtime::protocol::{Failure, FailureKind};
use crate::runtime::{bundle, eventlog, log, state, task};
use crate::store::{self, Trouble};

impl From<store::Error> for Error {
    fn from(e: store::Error) -> Error {
        use store::Error as E;
        let kind = match &e {
            E::Io { source, .. } => io_kind(source),
            E::Sqlite { .. } | E::Row(_) if e.trouble().is_some() => ErrorKind::Unavailable,
            E::Sqlite { .. } | E::Row(_) => ErrorKind::Internal,
            E::Future { .. } => ErrorKind::Unsupported,
            E::NameTaken { .. } | E::Gone { .. } => ErrorKind::Conflict,
            E::Corrupt { .. } => ErrorKind::Corrupt,
        };
        let hint = match &e {
            E::Future { .. } => Some("a newer teu has written it: update this teu, or use another --root"),
            E::NameTaken { .. } => Some("choose another --name, or remove or rename that container"),
            E::Io { source, .. } => io_hint(source),
            E::Sqlite { .. } | E::Row(_) => match e.trouble() {
                Some(Trouble::Full) => Some("free some space (`teu system prune`), or use a --root on another disk"),
                Some(Trouble::ReadOnly) => Some("use a --root on a writable file system"),
                Some(Trouble::Damaged) => Some(
                    "move teu.db, teu.db-wal and teu.db-shm aside to begin anew (containers are lost, \
                     images are pulled again, volumes stay), or use another --root",
                ),
                None => None,
            },
            _ => None,
        };
        // SQLite says the same again one level down.
        let sqlite = matches!(e, E::Sqlite { .. } | E::Row(_));
        with_hint(if sqlite { Error::new(kind, e.to_string()) } else { flat(kind, &e) }, hint)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        let kind = match failure.kind {
            FailureKind::CommandNotFound => ErrorKind::CommandNotFound,
            FailureKind::CommandNotExecutable => ErrorKind::CommandNotExecutable,
            FailureKind::Invalid => ErrorKind::Invalid,
            FailureKind::NotFound => ErrorKind::NotFound,
            FailureKind::Denied => ErrorKind::Denied,
            FailureKind::Unsupported => ErrorKind::Unsupported,
            FailureKind::Conflict => ErrorKind::Conflict,
            FailureKind::Internal => ErrorKind::Internal,
        };
        let mut chain = failure.chain.into_iter();
        let what = chain.next().unwrap_or_else(|| "the monitor failed without a word".into());
        with_hint(chain.fold(Error::new(kind, what), Error::because), failure.hint.as_deref())
    }
}

impl From<task::Error> for Error {
    fn from(e: task::Error) -> Error {
        match e {
            task::Error::Failed(failure) => failure.into(),
            task::Error::Gone(_) => Error::new(ErrorKind::Conflict, "it is not running"),
            task::Error::Lost(_) => flat(ErrorKind::Unavailable, &e),
            task::Error::Spawn { .. } | task::Error::Socket(_) | task::Error::Io(_) => flat(ErrorKind::Internal, &e),
            task::Error::Frame(_) | task::Error::Protocol(_) => {
                flat(ErrorKind::Internal, &e).hint("was it started by another version of teu? restart the container")
            }
        }
    }
}

impl From<crate::image::Error> for Error {
    fn from(e: crate::image::Error) -> Error {
        use crate::image::Error as E;
        let kind = match &e {
            E::NotFound { .. } | E::NoPlatform { .. } => ErrorKind::NotFound,
            E::Unauthorized { .. } | E::Forbidden { .. } => ErrorKind::Unauthorized,
            E::RateLimited { .. } | E::Unavailable { .. } | E::NoSpace { .. } => ErrorKind::Unavailable,
            E::Protocol { .. } | E::Mismatch { .. } | E::Invalid { .. } | E::NoLayer(_) => ErrorKind::Corrupt,
            E::Unsupported { .. } => ErrorKind::Unsupported,
            E::Busy { .. } => ErrorKind::Conflict,
            E::Cancelled => return Error::cancelled(),
            E::Io { cause, .. } => io_kind(cause),
            E::Unpack { cause, .. } => io_kind(&cause.source),
            E::Sys(cause) => io_kind(&cause.source),
            E::Store(_) => ErrorKind::Corrupt,
            E::FromHost(_) => ErrorKind::NotFound,
        };
        with_hint(flat(kind, &e), e.hint().as_deref())
    }
}

impl From<crate::store::content::Error> for Error {
    fn from(e: crate::store::content::Error) -> Error {
        flat(ErrorKind::Internal, &e)
    }
}

impl From<bundle::Error> for Error {
    fn from(e: bundle::Error) -> Error {
        let kind = match &e {
            bundle::Error::Source { source, .. } | bundle::Error::Device { source, .. } => io_kind(source),
            bundle::Error::AppArmor(_) => ErrorKind::Unsupported,
            bundle::Error::Volume(_) | bundle::Error::Spec(_) => ErrorKind::Internal,
            bundle::Error::Files(crate::net::files::Error::Write { .. }) => ErrorKind::Internal,
            _ => ErrorKind::Invalid,
        };
        flat(kind, &e)
    }
}

impl From<state::Error> for Error {
    fn from(e: state::Error) -> Error {
        match &e {
            state::Error::Io { source, .. } => with_hint(flat(io_kind(source), &e), io_hint(source)),
            state::Error::Damaged { .. } => flat(ErrorKind::Corrupt, &e),
            state::Error::System(_) => flat(ErrorKind::Internal, &e),
        }
    }
}

impl From<eventlog::Error> for Error {
    fn from(e: eventlog::Error) -> Error {
        flat(ErrorKind::Internal, &e)
    }
}

impl From<log::Error> for Error {
    fn from(e: log::Error) -> Error {
        flat(ErrorKind::Internal, &e)
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
