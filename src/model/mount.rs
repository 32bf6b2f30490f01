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
    /// Attributes of the mount itself, in mount(8)'s words: `nosuid`, `exec`, `noatime`, ...
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<String>,
    /// What becomes of mounts below the source.
    #[serde(default)]
    pub below: Below,
    /// The source and all in it become the container's user's at each start (podman's `U`).
    #[serde(default)]
    pub give_to_user: bool,
    /// Owners are the container's ids, not the host's (podman's `idmap`). Means something only beside a map of ids.
    #[serde(default)]
    pub id_mapped: bool,
}

impl Mount {
    /// Writable, with nothing out of the ordinary.
    pub fn new(source: MountSource, target: impl Into<String>) -> Self {
        Self {
            source,
            target: target.into(),
            read_only: false,
            propagation: None,
            no_copy: false,
            attributes: Vec::new(),
            below: Below::default(),
            give_to_user: false,
            id_mapped: false,
        }
    }
}

/// Mounts below the source of a bind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Below {
    /// They come along, with the same attributes.
    #[default]
    Same,
    /// They come along and stay as they are.
    Writable,
    /// They do not come along.
    Hidden,
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
