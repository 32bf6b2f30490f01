//! A layer that holds `a/b` but no entry for `a` changes nothing about `a`: its owner, mode and attributes stay those of
//! the layers below.
//!
//! Layers are unpacked side by side, each on its own, so this is done when all of an image's are there. Overlay takes a
//! directory's attributes from the topmost layer that has it: without this the new one would hide what was meant.

use super::layers::LayerStore;
use super::snapshot::{find, stamp_directory};
use super::{Error, Result};
use crate::model::image::Layer;
use crate::sys::files;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Gives the directories that the archives of `layers` (bottom first) do not describe what the layers below say of them.
/// Before the image is recorded; safe to do again, and from several processes at once.
pub fn inherit(store: &LayerStore, layers: &[Layer]) -> Result<()> {
    let mut lower: Vec<PathBuf> = Vec::new();
    for layer in layers {
        let own = store.path(&layer.chain_id);
        if let Some(paths) = store.implicit(&layer.chain_id)? {
            if !lower.is_empty() {
                for path in &paths {
                    one(&own, &lower, Path::new(std::ffi::OsStr::from_bytes(path)))
                        .map_err(|e| Error::unpacking(path, e))?;
                }
            }
            store.implicit_done(&layer.chain_id)?;
        }
        lower.insert(0, own);
    }
    Ok(())
}

/// `lower` is topmost first.
fn one(own: &Path, lower: &[PathBuf], path: &Path) -> crate::sys::Result<()> {
    if let Some(parent) = path.parent()
        && find(own, parent)?.hides_lower
    {
        return Ok(());
    }
    // None: reached through a link of this layer, where a lower layer has no say.
    let Some(directory) = find(own, path)?.directory else { return Ok(()) };
    for layer in lower {
        let found = find(layer, path)?;
        if let Some(source) = found.directory {
            return stamp_directory(&source, &directory, &files::stat(&source)?);
        }
        if found.hides_lower {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::layers::import_tar;
    use super::*;
    use crate::store::StateRoot;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    /// `(path, mode, uid)`; a path with a slash at its end is a directory.
    fn layer(store: &LayerStore, below: &[Layer], entries: &[(&str, u32, u64)]) -> Layer {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, mode, uid) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(match path.ends_with('/') {
                true => tar::EntryType::Directory,
                false => tar::EntryType::Regular,
            });
            header.set_path(path).unwrap();
            header.set_mode(*mode);
            header.set_uid(*uid);
            header.set_gid(*uid);
            header.set_mtime(1_000_000_000);
            header.set_size(0);
            header.set_cksum();
            tar.append(&header, std::io::empty()).unwrap();
        }
        import_tar(store, &tar.into_inner().unwrap()[..], below.last().map(|l| &l.chain_id)).unwrap().0
    }

    struct Bench {
        _dir: tempfile::TempDir,
        store: LayerStore,
        layers: Vec<Layer>,
    }

    impl Bench {
        fn new(archives: &[&[(&str, u32, u64)]]) -> Bench {
            let dir = tempfile::tempdir().unwrap();
            let root = StateRoot::new(dir.path().join("data"), dir.path().join("run"));
            let store = LayerStore::open(&root).unwrap();
            let mut layers: Vec<Layer> = Vec::new();
            for entries in archives {
                let next = layer(&store, &layers, entries);
                layers.push(next);
            }
            inherit(&store, &layers).unwrap();
            Bench { _dir: dir, store, layers }
        }

        /// Mode and owner in the layer of this index.
        fn look(&self, index: usize, path: &str) -> (u32, u32) {
            let meta = fs::metadata(self.store.path(&self.layers[index].chain_id).join(path)).unwrap();
            (meta.mode() & 0o7777, meta.uid())
        }
    }

    fn root() -> bool {
        fs::metadata("/proc/self").unwrap().uid() == 0 && !crate::sys::files::in_user_namespace()
    }

    #[test]
    fn what_a_layer_does_not_describe_stays_as_below() {
        if !root() {
            return;
        }
        let bottom: &[_] = &[("./", 0o711, 7), ("a/", 0o700, 1000), ("a/b/", 0o1777, 5), ("x/", 0o750, 9)];
        let bench = Bench::new(&[bottom, &[("other", 0o644, 0)], &[("a/b/c/file", 0o644, 0), ("x/", 0o755, 1)]]);
        assert_eq!(bench.look(2, "a"), (0o700, 1000));
        assert_eq!(bench.look(2, "a/b"), (0o1777, 5));
        assert_eq!(bench.look(2, "a/b/c"), (0o755, 0), "nobody has described it");
        assert_eq!(bench.look(2, "x"), (0o755, 1), "its own word counts");
        assert_eq!((bench.look(1, "."), bench.look(2, ".")), ((0o711, 7), (0o711, 7)), "through the layer between");
        let meta = fs::metadata(bench.store.path(&bench.layers[2].chain_id).join("a/b")).unwrap();
        assert_eq!(meta.mtime(), 1_000_000_000);
        assert_eq!(bench.store.implicit(&bench.layers[2].chain_id).unwrap(), None);
    }

    #[test]
    fn what_is_hidden_below_has_no_say() {
        if !root() {
            return;
        }
        let bottom: &[_] = &[("a/", 0o700, 1000), ("a/b/", 0o700, 1000), ("w/", 0o700, 1000), ("f/", 0o700, 1000)];
        let middle: &[_] = &[("f", 0o644, 3), ("o/", 0o700, 3)];
        let top: &[_] = &[
            ("a/.wh..wh..opq", 0o644, 0),
            ("a/b/file", 0o644, 0),
            (".wh.w", 0o644, 0),
            ("w/file", 0o644, 0),
            ("f/file", 0o644, 0),
            ("o/file", 0o644, 0),
            ("o/", 0o711, 4),
        ];
        let bench = Bench::new(&[bottom, middle, top]);
        assert_eq!(bench.look(2, "a"), (0o700, 1000), "its content is hidden, not it");
        assert_eq!(bench.look(2, "a/b"), (0o755, 0));
        assert_eq!(bench.look(2, "w"), (0o755, 0), "removed and made anew");
        assert_eq!(bench.look(2, "f"), (0o755, 0), "a file was there in between");
        assert_eq!(bench.look(2, "o"), (0o711, 4), "described after what is in it");
    }
}
