//! Durable truth on disk, shared by several teu processes: paths, content by digest, records in SQLite, the event log.

pub mod content;
pub mod db;
pub mod dirs;
pub mod host;
pub mod lock;
pub mod process;
pub mod records;
mod root;
mod wal_index;

pub use db::Db;
pub use process::Owner;
pub use root::{StateRoot, create_private_dir};
pub use rusqlite::Transaction;

use std::path::{Path, PathBuf};

/// What a caller may want to tell apart, always with the path or value.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{call} {}: {source}", .path.display())]
    Io { call: &'static str, path: PathBuf, source: std::io::Error },
    #[error("database {}: {source}", .path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    #[error("database: {0}")]
    Row(#[source] rusqlite::Error),
    #[error("database {} has format {found}, this teu knows formats up to {known}", .path.display())]
    Future { path: PathBuf, found: i64, known: usize },
    #[error("the name '{name}' is taken by container {by}")]
    NameTaken { name: String, by: String },
    #[error("{what} in the database is not readable: {why}")]
    Corrupt { what: String, why: String },
    /// The object went away, or is held by another operation, since it was looked up.
    #[error("{what} {why}")]
    Gone { what: String, why: &'static str },
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the user can do something about when the database fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    Full,
    ReadOnly,
    Damaged,
}

impl Error {
    /// What ails the database, where that is known.
    pub fn trouble(&self) -> Option<Trouble> {
        use rusqlite::ErrorCode as C;
        let (Error::Sqlite { source, .. } | Error::Row(source)) = self else { return None };
        match source.sqlite_error_code()? {
            C::DiskFull => Some(Trouble::Full),
            C::ReadOnly => Some(Trouble::ReadOnly),
            C::NotADatabase | C::DatabaseCorrupt => Some(Trouble::Damaged),
            _ => None,
        }
    }

    pub(crate) fn io(call: &'static str, path: &Path, source: std::io::Error) -> Error {
        Error::Io { call, path: path.to_owned(), source }
    }

    fn sqlite(path: &Path, source: rusqlite::Error) -> Error {
        Error::Sqlite { path: path.to_owned(), source }
    }

    pub(crate) fn row(source: rusqlite::Error) -> Error {
        Error::Row(source)
    }
}
