//! What an image has at one path, copied into a new volume: the layers are merged there without a mount.

use super::copy::{Links, is_opaque, merge, stamp_directory};
use crate::image::layers::LayerStore;
use crate::image::unpack::is_whiteout;
use crate::image::{Error, Result};
use crate::model::image::Layer;
use crate::store::StateRoot;
use crate::sys::files::{self, Kind};
use crate::sys::tree;
use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Makes the directory `to` with what `layers` (bottom first) have at the absolute path `inside`, owner and mode of the
/// directory itself included; empty and 0755 when they have no directory there. Links on the way are not followed.
pub fn copy_up(root: &StateRoot, layers: &[Layer], inside: &str, to: &Path) -> Result<()> {
    let store = LayerStore::open(root)?;
    fs::create_dir_all(to).map_err(|e| Error::io(to, e))?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).map_err(|e| Error::io(to, e))?;
    let target = files::open_dir(to)?;
    for layer in layers {
        let path = store.path(&layer.chain_id);
        if !path.is_dir() {
            return Err(Error::NoLayer(layer.chain_id.clone()));
        }
        let found = find(&path, Path::new(inside))?;
        if found.hides_lower {
            for name in files::list(&target)? {
                tree::remove_at(&target, &name)?;
            }
        }
        if let Some(source) = found.directory {
            merge(&source, &target, &mut Links::below(&target)?)?;
            stamp_directory(&source, &target, &files::stat(&source)?)?;
        }
    }
    Ok(())
}

/// What one layer says about a path.
pub(in crate::image) struct Found {
    pub directory: Option<OwnedFd>,
    /// The lower layers' content of it is gone: whited out, replaced, or below an opaque directory.
    pub hides_lower: bool,
}

/// Looks for the directory `inside` (absolute or not) in the layer's tree `fs`. Links on the way are not followed.
pub(in crate::image) fn find(fs: &Path, inside: &Path) -> crate::sys::Result<Found> {
    let mut at = files::open_dir(fs)?;
    let mut hides_lower = false;
    for name in inside.iter().filter(|part| *part != "/") {
        let Some(meta) = files::stat_at(&at, name)? else { return Ok(Found { directory: None, hides_lower }) };
        if is_whiteout(&meta) || meta.kind != Kind::Directory {
            return Ok(Found { directory: None, hides_lower: true });
        }
        at = files::open_dir_at(&at, name)?;
        hides_lower |= is_opaque(at.as_fd(), OsStr::new("."))?;
    }
    Ok(Found { directory: Some(at), hides_lower })
}
