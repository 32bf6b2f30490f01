//! An image as data: references, manifest, configuration, layers.

use super::reference::{Digest, Reference};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// An image in the store. Its id is the digest of its configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    pub id: Digest,
    /// Digest of the manifest it was pulled or made with.
    pub manifest: Digest,
    /// Names that point here; empty: dangling.
    pub references: Vec<Reference>,
    /// `repo@digest` names under which registries know it.
    pub repo_digests: Vec<String>,
    pub created: Option<Timestamp>,
    /// When it came into this store.
    pub stored: Timestamp,
    /// Bytes of the unpacked layers together.
    pub size: u64,
    pub architecture: String,
    pub os: String,
    pub variant: String,
    /// Bottom first.
    pub layers: Vec<Layer>,
    /// The configuration blob as it was published, byte for byte.
    pub config_json: String,
}

/// One layer: what was shipped, what it unpacks to, and the state it leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Digest of the blob as shipped (compressed).
    pub blob: Digest,
    pub media_type: String,
    /// Bytes as shipped.
    pub blob_size: u64,
    /// Digest of the uncompressed tar.
    pub diff_id: Digest,
    /// sha256(parent chain id + " " + diff id), the key of the unpacked layer.
    pub chain_id: Digest,
    /// Bytes unpacked.
    pub size: u64,
}

/// What a user or an index asks for: `linux/arm64/v8`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    pub os: String,
    pub architecture: String,
    pub variant: Option<String>,
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(v) => write!(f, "/{v}"),
            None => Ok(()),
        }
    }
}
