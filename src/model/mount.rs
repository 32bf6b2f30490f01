//! Mounts a user asks for: binds, named volumes, tmpfs.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    pub source: MountSource,
    /// Absolute path inside the container, cleaned (no `.`/`..`).
    pub target: String,
    pub read_only: bool,
    /// `rprivate` (default), `rslave`, `rshared`, ... ; binds only.
    pub propagation: Option<String>,
    /// Do not copy the image's content into a new volume.
    pub no_copy: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountSource {
    /// Absolute path on the host. `create`: make a directory when missing (docker's `-v`, not `--mount`).
    Bind { path: String, create: bool },
    /// A named volume, made when missing.
    Volume { name: String },
    /// A volume with a generated name that goes with the container (`-v /data`, an image's VOLUME).
    Anonymous { name: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tmpfs {
    pub target: String,
    /// Mount options as docker takes them (`size=64m,mode=1777,ro`).
    pub options: String,
}

/// A named store on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    pub name: String,
    pub created: super::time::Timestamp,
    pub anonymous: bool,
    pub labels: std::collections::BTreeMap<String, String>,
}
