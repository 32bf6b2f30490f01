//! The log of a container: segments of checked blocks of records, with a sparse index, written by one monitor and read by anyone.

mod format;
mod reader;
mod segment;
mod writer;

pub use reader::{Page, Reader};
pub use writer::Writer;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{what} {path}: {source}")]
    Io { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    System(#[from] crate::sys::Error),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;
