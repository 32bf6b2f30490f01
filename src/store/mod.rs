//! Durable truth on disk, shared by several teu processes: paths, content by digest, records in SQLite, the event log.

pub mod content;
pub mod db;
pub mod dirs;
pub mod host;
pub mod lock;
pub mod process;
pub mod records;

pub use db::Db;
pub use process::Owner;

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

/// Makes a directory and its missing parents; what it makes is for the owner alone.
pub fn create_private_dir(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| Error::io("creating directory", path, e))
}

/// Network and FUSE file systems, where SQLite's shared memory does not work between processes.
fn is_network_file_system(path: &Path) -> bool {
    // NFS, SMB, CIFS, SMB2, 9p, FUSE, AFS, Ceph, Lustre.
    const MAGICS: [i64; 9] =
        [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997, 0x6573_5546, 0x5346_414f, 0x00c3_6400, 0x0bd0_0bd0];
    crate::sys::file_system_magic(path).is_ok_and(|magic| MAGICS.contains(&(magic & 0xffff_ffff)))
}

/// Every path teu owns below its two directories. Two roots never touch each other.
#[derive(Clone, Debug)]
pub struct StateRoot {
    data: PathBuf,
    run: PathBuf,
}

impl StateRoot {
    pub fn new(data: impl Into<PathBuf>, run: impl Into<PathBuf>) -> Self {
        Self { data: data.into(), run: run.into() }
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    pub fn run(&self) -> &Path {
        &self.run
    }

    pub fn database(&self) -> PathBuf {
        self.data.join("teu.db")
    }

    /// `content/<algorithm>/<hex>`: verified blobs (manifests, configs; layers only while needed).
    pub fn content(&self) -> PathBuf {
        self.data.join("content")
    }

    /// Partial downloads and staging directories; anything here may be thrown away.
    pub fn ingest(&self) -> PathBuf {
        self.data.join("ingest")
    }

    /// `layers/<chain id hex>/{fs,layer.json}`
    pub fn layers(&self) -> PathBuf {
        self.data.join("layers")
    }

    /// `containers/<id>/{state.json,log/,upper/,work/,hosts,hostname,resolv.conf}`
    pub fn container(&self, id: &str) -> PathBuf {
        self.data.join("containers").join(id)
    }

    /// `<run>/containers/<id>/{lock,sock}`
    pub fn container_run(&self, id: &str) -> PathBuf {
        self.run.join("containers").join(id)
    }

    /// `volumes/<name>/_data`
    pub fn volume(&self, name: &str) -> PathBuf {
        self.data.join("volumes").join(name)
    }

    /// One JSON [`crate::model::event::EventRecord`] a line, appended with O_APPEND by engines and monitors.
    pub fn event_log(&self) -> PathBuf {
        self.data.join("events.log")
    }
}
