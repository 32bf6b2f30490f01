//! Every path of the state.

use super::{Error, Result};
use crate::model::time::Timestamp;
use std::path::{Path, PathBuf};

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

    /// When the data directory was made.
    pub fn born(&self) -> Timestamp {
        let born = std::fs::metadata(&self.data).and_then(|data| data.created().or_else(|_| data.modified()));
        let since = born.ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
        Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
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

/// Makes a directory and its missing parents; what it makes is for the owner alone.
pub fn create_private_dir(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    // Whoever removes it at the same moment (a monitor that ends) lets it be there, and then not.
    for _ in 0..100 {
        match std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path) {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && !path.exists() => {}
            created => return created.map_err(|e| Error::io("creating directory", path, e)),
        }
    }
    Err(Error::io("creating directory", path, std::io::ErrorKind::AlreadyExists.into()))
}
