//! What can go wrong between a registry and a root file system.

use super::from_host;
use crate::model::reference::Digest;
use crate::{store, sys};
use std::path::PathBuf;

/// What went wrong between a registry and a root file system. Every variant is one that callers tell apart.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry does not know the repository, tag, manifest or blob.
    #[error("{what} was not found{}", detail(.said))]
    NotFound { what: String, said: String },
    /// 401 after all credentials were tried.
    #[error("access to {what} was refused: authentication is required{}", detail(.said))]
    Unauthorized { what: String, said: String },
    /// 403: known to the registry, but not for us.
    #[error("access to {what} is denied{}", detail(.said))]
    Forbidden { what: String, said: String },
    /// 429 to the end of our patience.
    #[error("{what}: the registry's rate limit is reached{}", detail(.said))]
    RateLimited { what: String, said: String },
    /// No answer, or a broken one, to the end of our patience.
    #[error("{what}: no usable answer after {attempts} attempt(s): {why}")]
    Unavailable { what: String, attempts: u32, why: String },
    /// An answer that the protocol does not foresee here.
    #[error("{what}: unexpected answer from the registry: {why}")]
    Protocol { what: String, why: String },
    /// Content is not what its descriptor says.
    #[error("{what}: expected {expected}, got {got}")]
    Mismatch { what: String, expected: String, got: String },
    /// A document or archive that breaks its format or our limits.
    #[error("{what} is invalid: {why}")]
    Invalid { what: String, why: String },
    #[error("{what} is not supported: {why}")]
    Unsupported { what: String, why: String },
    #[error("no image for platform {wanted}; there is {available}")]
    NoPlatform { wanted: String, available: String },
    #[error("no space left for {what}")]
    NoSpace { what: String },
    #[error("layer {0} is not in the store")]
    NoLayer(Digest),
    #[error("{what} is in use by another process")]
    Busy { what: String },
    #[error("cancelled")]
    Cancelled,
    /// The kernel refused an archive entry.
    #[error("cannot unpack '{entry}': {cause}")]
    Unpack { entry: String, cause: sys::Error },
    #[error("{}: {cause}", .path.display())]
    Io { path: PathBuf, cause: std::io::Error },
    #[error(transparent)]
    Sys(sys::Error),
    #[error(transparent)]
    FromHost(#[from] from_host::Error),
    #[error(transparent)]
    Store(#[from] store::content::Error),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

fn detail(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(" ({said})") }
}

/// Foreign text made fit for a message.
pub(crate) fn registry_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

fn is_full(error: &sys::Error) -> bool {
    matches!(error.source.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

impl From<sys::Error> for Error {
    fn from(error: sys::Error) -> Error {
        if is_full(&error) {
            let what = error.path.as_ref().map_or_else(|| String::from(error.call), |p| p.display().to_string());
            return Error::NoSpace { what };
        }
        Error::Sys(error)
    }
}

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Error {
        let path = path.into();
        match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Error::NoSpace { what: path.display().to_string() }
            }
            _ => Error::Io { path, cause: source },
        }
    }

    pub(crate) fn unpacking(entry: &[u8], cause: sys::Error) -> Error {
        let entry: String = String::from_utf8_lossy(entry).chars().take(200).flat_map(char::escape_debug).collect();
        if is_full(&cause) { Error::NoSpace { what: entry } } else { Error::Unpack { entry, cause } }
    }

    pub(crate) fn invalid(what: impl Into<String>, why: impl Into<String>) -> Error {
        Error::Invalid { what: what.into(), why: why.into() }
    }

    /// What a person can do about it, where we know.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Error::NotFound { .. } => String::from("check the name and tag; a private image may need a login"),
            Error::Unauthorized { .. } => {
                String::from("log in with `docker login` or `podman login`: teu reads their credential files")
            }
            Error::Forbidden { .. } => String::from("the credentials in use may not pull this image"),
            Error::RateLimited { .. } => String::from("wait, or log in: known users often have a higher limit"),
            Error::NoPlatform { .. } => String::from("choose one of them with --platform"),
            Error::NoSpace { .. } => String::from("free some space, or remove unused images"),
            Error::Unavailable { why, .. } if why.contains("refused") => {
                String::from("is a registry running at that address and port?")
            }
            Error::Unavailable { why, .. } if why.contains("lookup") => {
                String::from("check the registry's name, and this machine's network and DNS")
            }
            Error::Unavailable { .. } => {
                String::from("try again: what has arrived is kept and the pull goes on from there")
            }
            Error::Mismatch { .. } => {
                String::from("the registry, or something on the way, changes content: nothing of it was kept")
            }
            Error::Invalid { .. } => String::from("the image is broken, or hostile: nothing of it was kept"),
            Error::NoLayer(_) => String::from("pull the image again"),
            _ => return None,
        })
    }
}
