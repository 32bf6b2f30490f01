//! The overlay driver: layers as lower directories, one upper directory per container. Mounts nothing itself.

use super::changes::changes;
use super::{RootfsParts, Snapshotter};
use crate::image::layers::LayerStore;
use crate::image::{Error, Result};
use crate::model::change::Change;
use crate::model::image::Layer;
use crate::model::isolation::UserMap;
use crate::store::StateRoot;
use crate::store::content::private_dir;
use crate::sys::{files, overlay, tree};
use std::fs;
use std::path::{Path, PathBuf};

pub struct Overlay {
    root: StateRoot,
    layers: LayerStore,
}

impl Overlay {
    pub fn new(root: &StateRoot, layers: LayerStore) -> Overlay {
        Overlay { root: root.clone(), layers }
    }

    fn parts(&self, container_id: &str) -> (PathBuf, PathBuf) {
        let dir = self.root.container(container_id);
        (dir.join("upper"), dir.join("work"))
    }

    /// The layers' directories, topmost first.
    fn lower(&self, layers: &[Layer]) -> Result<Vec<PathBuf>> {
        let path = |layer: &Layer| {
            let path = self.layers.path(&layer.chain_id);
            if path.is_dir() { Ok(path) } else { Err(Error::NoLayer(layer.chain_id.clone())) }
        };
        layers.iter().rev().map(path).collect()
    }
}

impl Snapshotter for Overlay {
    fn name(&self) -> &'static str {
        "overlay2"
    }

    fn prepare(&self, container_id: &str, layers: &[Layer]) -> Result<RootfsParts> {
        let lower = self.lower(layers)?;
        let (upper, work) = self.parts(container_id);
        if !upper.is_dir() {
            private_dir(&self.root.container(container_id)).map_err(|e| Error::io(&upper, e))?;
            create_upper(&upper, lower.first().map(PathBuf::as_path))?;
        }
        if let Err(e) = fs::create_dir(&work)
            && e.kind() != std::io::ErrorKind::AlreadyExists
        {
            return Err(Error::io(work, e));
        }
        Ok(RootfsParts::Overlay { lower, upper, work })
    }

    fn remove(&self, container_id: &str) -> Result<()> {
        let (upper, work) = self.parts(container_id);
        let results = [tree::remove(&upper), tree::remove(&work)];
        results.into_iter().try_for_each(|r| Ok(r?))
    }

    fn size(&self, container_id: &str) -> Result<u64> {
        let (upper, _) = self.parts(container_id);
        if upper.is_dir() { Ok(tree::size(&upper)?) } else { Ok(0) }
    }

    fn changes(
        &self,
        container_id: &str,
        layers: &[Layer],
        mount_points: &[String],
        users: Option<&UserMap>,
    ) -> Result<Vec<Change>> {
        let (upper, _) = self.parts(container_id);
        if !upper.is_dir() {
            return Ok(Vec::new());
        }
        changes(&upper, &self.lower(layers)?, mount_points, users.filter(|_| !self.layers.options().user_namespace))
    }
}

/// The merged root shows the upper directory's own owner and mode: they are the top layer's.
fn create_upper(upper: &Path, top: Option<&Path>) -> Result<()> {
    // Made aside: a half-made one must not be found by the next prepare.
    let aside = upper.with_extension("new");
    tree::remove(&aside)?;
    fs::create_dir(&aside).map_err(|e| Error::io(&aside, e))?;
    let fd = files::open_dir(&aside)?;
    let meta = match top {
        Some(top) => Some(files::stat(files::open_dir(top)?)?),
        None => None,
    };
    if let Some(meta) = meta
        && (meta.uid, meta.gid) != files::creator()
    {
        files::chown(&fd, meta.uid, meta.gid)?;
    }
    files::chmod(&fd, meta.map_or(0o755, |m| m.mode))?;
    fs::rename(&aside, upper).map_err(|e| Error::io(upper, e))
}

/// Mounts a small overlay in a mount namespace of a thread of its own, on the data directory's file system.
pub fn probe(layers: &LayerStore) -> Result<()> {
    let staging = layers.stage()?;
    let fs = staging.fs();
    for name in ["lower", "upper", "work", "merged"] {
        let dir = fs.join(name);
        fs::create_dir(&dir).map_err(|e| Error::io(&dir, e))?;
    }
    overlay::probe(&fs, layers.options().user_namespace)?;
    Ok(())
}
