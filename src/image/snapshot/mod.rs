//! Layers to a container's root file system: stacked by overlay, or copied where overlay is refused.

mod changes;
mod copy;
mod copy_up;
mod overlay;

pub use copy::Copy;
pub(super) use copy::stamp_directory;
pub use copy_up::copy_up;
pub(super) use copy_up::find;
pub use overlay::Overlay;

use super::layers::LayerStore;
use super::{Error, Result};
use crate::model::change::Change;
use crate::model::image::Layer;
use crate::model::isolation::UserMap;
use crate::store::StateRoot;
use std::fs;
use std::path::PathBuf;

/// How a root file system is put together by the container's init.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootfsParts {
    /// `lower` is topmost first.
    Overlay { lower: Vec<PathBuf>, upper: PathBuf, work: PathBuf },
    /// A directory that is the root itself.
    Directory { path: PathBuf },
}

/// A graph driver: one writable root file system per container.
pub trait Snapshotter: Send + Sync {
    /// docker's word for it: `overlay2`, `vfs`.
    fn name(&self) -> &'static str;
    /// Makes or finds the container's writable part over `layers` (bottom first). Safe to call again.
    fn prepare(&self, container_id: &str, layers: &[Layer]) -> Result<RootfsParts>;
    /// Removes the container's writable part; nothing there is success. No process may use it any more.
    fn remove(&self, container_id: &str) -> Result<()>;
    /// Bytes of files in the writable part.
    fn size(&self, container_id: &str) -> Result<u64>;
    /// What the container made of `layers` (bottom first), by path; what is empty at a mount point is left out.
    /// `users`: the container's own map of ids.
    fn changes(
        &self,
        container_id: &str,
        layers: &[Layer],
        mount_points: &[String],
        users: Option<&UserMap>,
    ) -> Result<Vec<Change>>;
}

/// Overlay where a probe mount works in the data directory's file system, else Copy. The finding is kept in
/// `<data>/driver`, so that only the first start pays for it.
pub fn choose(root: &StateRoot) -> Result<Box<dyn Snapshotter>> {
    let layers = LayerStore::open(root)?;
    let noted = root.data().join("driver");
    let namespace = if layers.options().user_namespace { "user" } else { "root" };
    let known = fs::read_to_string(&noted).unwrap_or_default();
    // A root that was used from another kind of namespace, or under another kernel, is probed again.
    let key = format!("{namespace} {}", kernel());
    let overlay = match known.strip_prefix(&format!("{key} ")) {
        Some(driver) => driver.trim() == "overlay",
        None => {
            // The kernel's "no" counts; a disk that is full or read-only now says nothing about overlay.
            let answer = match overlay::probe(&layers) {
                Ok(()) => Some(true),
                Err(Error::Sys(e)) if !passing(e.source.kind()) => Some(false),
                Err(_) => None,
            };
            if let Some(works) = answer {
                // Only a cache: failing to write it costs the next start a probe.
                let _ = fs::write(&noted, format!("{key} {}\n", if works { "overlay" } else { "copy" }));
            }
            answer.unwrap_or(true)
        }
    };
    Ok(if overlay { Box::new(Overlay::new(root, layers)) } else { Box::new(Copy::new(root, layers)) })
}

fn passing(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind as K;
    matches!(kind, K::StorageFull | K::QuotaExceeded | K::ReadOnlyFilesystem | K::OutOfMemory)
}

/// Why overlay cannot be used here; `None` when it can. Mounts for real, for `doctor`. An error: that could not be found
/// out, because nothing can be written.
pub fn overlay_refused(root: &StateRoot) -> Result<Option<String>> {
    let layers = LayerStore::open(root)?;
    match overlay::probe(&layers) {
        Ok(()) => Ok(None),
        Err(Error::Sys(e)) if !passing(e.source.kind()) => Ok(Some(e.to_string())),
        Err(e) => Err(e),
    }
}

fn kernel() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}
