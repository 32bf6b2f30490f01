//! Unpacked layers by chain id: staged aside, verified, renamed into place; shared by several processes.

use super::decode::{Bound, Compression, Decoder, TooMuch};
use super::unpack::{self, Options, Report};
use super::{Error, Result};
use crate::model::image::Layer;
use crate::model::reference::{Algorithm, Digest};
use crate::store::StateRoot;
use crate::store::content::{Hasher, private_dir};
use crate::sys::{facts, files, tree};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Partial downloads are kept this long for resume.
const PARTIAL_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Holds the boot id a layer was written in and the bytes in its files, until its file system was synced.
const UNSYNCED: &str = "unsynced";
/// Names of directories with NULs between, until they have what lower layers say of them.
const IMPLICIT: &str = "implicit";

/// The chain id of a layer: its diff id at the bottom, else sha256 of "PARENT DIFF" (OCI image specification,
/// "Layer ChainID").
pub fn chain_id(parent: Option<&Digest>, diff_id: &Digest) -> Digest {
    parent.map_or_else(|| diff_id.clone(), |parent| Digest::of(format!("{parent} {diff_id}").as_bytes()))
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct LayerStore {
    layers: PathBuf,
    ingest: PathBuf,
    options: Options,
}

/// A layer being written: a directory that nobody else knows, removed on drop unless committed.
#[derive(Debug)]
pub struct Staging {
    dir: PathBuf,
    /// Held so that another process' clean-up sees it in use.
    _lock: File,
    committed: bool,
}

/// Exclusive right to make one layer, among all processes.
#[derive(Debug)]
pub struct LayerLock {
    path: PathBuf,
    _file: File,
}

impl LayerStore {
    /// Makes its directories (0700) when they are not there.
    pub fn open(root: &StateRoot) -> Result<LayerStore> {
        let options = Options { user_namespace: files::in_user_namespace() };
        let store = LayerStore { layers: root.layers(), ingest: root.ingest(), options };
        for dir in [&store.layers, &store.ingest] {
            private_dir(dir).map_err(|e| Error::io(dir, e))?;
        }
        Ok(store)
    }

    pub(crate) fn ingest(&self) -> &Path {
        &self.ingest
    }

    pub fn options(&self) -> Options {
        self.options
    }

    fn home(&self, chain: &Digest) -> PathBuf {
        self.layers.join(chain.hex())
    }

    /// The layer's file tree in overlay form.
    pub fn path(&self, chain: &Digest) -> PathBuf {
        self.home(chain).join("fs")
    }

    /// What is known of an unpacked layer; `None` when it is not here or cannot be trusted after a power loss.
    pub fn get(&self, chain: &Digest) -> Option<Layer> {
        let home = self.home(chain);
        let layer: Layer = serde_json::from_slice(&fs::read(home.join("layer.json")).ok()?).ok()?;
        (layer.chain_id == *chain && !lost_power(&home) && home.join("fs").is_dir()).then_some(layer)
    }

    pub fn contains(&self, chain: &Digest) -> bool {
        self.get(chain).is_some()
    }

    /// Every layer that is whole.
    pub fn list(&self) -> Result<Vec<Layer>> {
        let entries = fs::read_dir(&self.layers).map_err(|e| Error::io(&self.layers, e))?;
        let mut layers = Vec::new();
        for entry in entries {
            let home = entry.map_err(|e| Error::io(&self.layers, e))?.path();
            let layer = fs::read(home.join("layer.json")).ok().and_then(|j| serde_json::from_slice::<Layer>(&j).ok());
            if let Some(layer) = layer
                && !lost_power(&home)
            {
                layers.push(layer);
            }
        }
        Ok(layers)
    }

    /// The exclusive right to fetch and make what `key` (a blob's digest) stands for; `None`: another has it.
    pub fn try_lock(&self, key: &Digest) -> Result<Option<LayerLock>> {
        let path = self.ingest.join(format!("{}.lock", key.hex()));
        for _ in 0..16 {
            let file = File::options().create(true).truncate(false).write(true).open(&path);
            let file = file.map_err(|e| Error::io(&path, e))?;
            if !files::try_lock(&file)? {
                return Ok(None);
            }
            // The former holder removes the file: only a lock on the file that still has the name counts.
            if files::is_at(&file, &path) {
                return Ok(Some(LayerLock { path, _file: file }));
            }
        }
        Ok(None)
    }

    /// A fresh place to unpack into.
    pub fn stage(&self) -> Result<Staging> {
        for _ in 0..16 {
            let dir = self.ingest.join(format!("layer-{:016x}", rand::random::<u64>()));
            private_dir(&dir).map_err(|e| Error::io(&dir, e))?;
            // Between the two steps a clean-up may take it for garbage.
            let Some(lock) = claim(&dir)? else { continue };
            let staging = Staging { dir, _lock: lock, committed: false };
            let fs = staging.fs();
            fs::create_dir(&fs).map_err(|e| Error::io(&fs, e))?;
            // A setgid parent must not reach into the layer.
            let fd = files::open_dir(&fs)?;
            let (uid, gid) = files::creator();
            files::chown(&fd, uid, gid)?;
            files::chmod(&fd, 0o755)?;
            return Ok(staging);
        }
        Err(Error::Busy { what: self.ingest.display().to_string() })
    }

    /// Makes a staged layer visible under its chain id. Where another process was first, its layer stays.
    ///
    /// `implicit` are the directories that still have to be given what lower layers say of them.
    pub fn commit(&self, mut staging: Staging, layer: &Layer, implicit: &[Vec<u8>]) -> Result<()> {
        let json = serde_json::to_vec(layer).map_err(|e| Error::invalid("a layer's record", e.to_string()))?;
        let write = |name: &str, bytes: &[u8]| {
            let path = staging.dir.join(name);
            fs::write(&path, bytes).map_err(|e| Error::io(&path, e))
        };
        write("layer.json", &json)?;
        write(IMPLICIT, &implicit.join(&0))?;
        write(UNSYNCED, format!("{} {}", boot_id(), tree::size(&staging.fs())?).as_bytes())?;
        let home = self.home(&layer.chain_id);
        if home.exists() && self.get(&layer.chain_id).is_none() {
            self.discard(&home)?;
        }
        match fs::rename(&staging.dir, &home) {
            Ok(()) => {
                staging.committed = true;
                Ok(())
            }
            Err(_) if self.contains(&layer.chain_id) => Ok(()),
            Err(e) => Err(Error::io(home, e)),
        }
    }

    /// Directories of a layer that still have to be given what lower layers say of them; `None`: they have it.
    pub(super) fn implicit(&self, chain: &Digest) -> Result<Option<Vec<Vec<u8>>>> {
        let path = self.home(chain).join(IMPLICIT);
        match fs::read(&path) {
            Ok(names) => Ok(Some(names.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io(path, e)),
        }
    }

    pub(super) fn implicit_done(&self, chain: &Digest) -> Result<()> {
        let path = self.home(chain).join(IMPLICIT);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io(path, e)),
            _ => Ok(()),
        }
    }

    /// Removes a layer's files. The caller knows that no image and no container needs it.
    pub fn remove(&self, chain: &Digest) -> Result<()> {
        self.discard(&self.home(chain))
    }

    /// Out of sight first, in one step: a half-removed layer must never be taken for a whole one.
    fn discard(&self, home: &Path) -> Result<()> {
        let gone = self.ingest.join(format!("layer-{:016x}", rand::random::<u64>()));
        match fs::rename(home, &gone) {
            Ok(()) => Ok(tree::remove(&gone)?),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(Error::io(home, e)),
        }
    }

    /// Writes all layers back to disk and marks them durable. Takes as long as the disk does: run it aside.
    pub fn settle(&self) -> Result<()> {
        let boot = boot_id();
        let fresh: Vec<PathBuf> = fs::read_dir(&self.layers)
            .map_err(|e| Error::io(&self.layers, e))?
            .filter_map(|entry| Some(entry.ok()?.path().join(UNSYNCED)))
            .filter(|mark| fs::read_to_string(mark).is_ok_and(|written| written.starts_with(boot)))
            .collect();
        if fresh.is_empty() {
            return Ok(());
        }
        files::sync_filesystem(files::open_dir(&self.layers)?)?;
        for mark in fresh {
            let _ = fs::remove_file(mark);
        }
        Ok(())
    }

    /// Removes what dead processes left, what a power loss may have torn, and partial downloads past their age.
    /// Returns the bytes freed. `now` decides about ages.
    pub fn clean(&self, now: SystemTime) -> Result<u64> {
        let mut freed = 0;
        for entry in fs::read_dir(&self.ingest).map_err(|e| Error::io(&self.ingest, e))?.flatten() {
            let path = entry.path();
            let old = || {
                let modified = entry.metadata().and_then(|m| m.modified());
                modified.is_ok_and(|m| now.duration_since(m).is_ok_and(|d| d > PARTIAL_AGE))
            };
            // Whoever uses anything here holds it, and looks whether it is still there once he does.
            let garbage = path.extension().is_none_or(|kind| kind != "part") || old();
            // Held until it is gone, so that nobody begins to use it meanwhile. One that will not go hinders nobody.
            if garbage && let Ok(Some(_held)) = claim(&path) {
                let size = size_of(&path);
                match tree::remove(&path) {
                    Ok(()) => freed += size,
                    Err(e) => tracing::warn!(path = %path.display(), error = %e, "removing what a dead process left"),
                }
            }
        }
        for entry in fs::read_dir(&self.layers).map_err(|e| Error::io(&self.layers, e))?.flatten() {
            let home = entry.path();
            if lost_power(&home) || !home.join("layer.json").is_file() {
                freed += size_of(&home);
                self.discard(&home)?;
            }
        }
        Ok(freed)
    }
}

/// Its lock; `None` when somebody holds it, or it is gone.
fn claim(path: &Path) -> Result<Option<File>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io(path, e)),
    };
    // The name may be another's by now: a lock's file goes with its holder, and the next one makes a new one.
    Ok((files::try_lock(&file)? && files::is_at(&file, path)).then_some(file))
}

fn size_of(path: &Path) -> u64 {
    if path.is_dir() { tree::size(path).unwrap_or(0) } else { path.metadata().map_or(0, |m| m.len()) }
}

fn boot_id() -> &'static str {
    facts::boot_id().unwrap_or_default()
}

/// Written in an earlier boot, never synced, and files are empty or missing. File systems make a file's size durable
/// after its data, so that what has its size has its content.
fn lost_power(home: &Path) -> bool {
    let mark = home.join(UNSYNCED);
    let Ok(written) = fs::read_to_string(&mark) else { return false };
    let (boot, bytes) = written.split_once(' ').unwrap_or((&written, ""));
    if boot == boot_id() {
        return false;
    }
    let whole = bytes.parse().is_ok_and(|bytes: u64| tree::size(&home.join("fs")).is_ok_and(|found| found == bytes));
    if whole {
        // It was read from the disk just now.
        let _ = fs::remove_file(mark);
    }
    !whole
}

impl Staging {
    pub fn fs(&self) -> PathBuf {
        self.dir.join("fs")
    }

    /// The tree's root, to unpack into.
    pub fn root(&self) -> Result<OwnedFd> {
        Ok(files::open_dir(&self.fs())?)
    }

    /// Empties it, to begin again.
    pub fn reset(&self) -> Result<()> {
        let dir = files::open_dir(&self.dir)?;
        tree::remove_at(&dir, OsStr::new("fs"))?;
        files::mkdir_at(&dir, OsStr::new("fs"), 0o755)?;
        let fd = files::open_dir(&self.fs())?;
        Ok(files::chmod(&fd, 0o755)?)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.committed {
            // A failure leaves what the next clean-up takes.
            let _ = tree::remove(&self.dir);
        }
    }
}

impl Drop for LayerLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Hashes and counts what passes.
pub(crate) struct Hashing<R> {
    source: R,
    hasher: Hasher,
    count: u64,
}

impl<R: Read> Hashing<R> {
    pub(crate) fn new(source: R) -> Hashing<R> {
        Hashing { source, hasher: Hasher::new(Algorithm::Sha256), count: 0 }
    }

    pub(crate) fn finish(self) -> (Digest, u64) {
        (self.hasher.finish(), self.count)
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(into)?;
        self.hasher.update(&into[..n]);
        self.count += n as u64;
        Ok(n)
    }
}

/// Unpacks a locally made or loaded layer (plain, gzip or zstd) on top of `parent` and commits it. A plain tar's blob
/// digest is its diff id. Warnings of the unpacking come along.
pub fn import_tar(store: &LayerStore, reader: impl Read, parent: Option<&Digest>) -> Result<(Layer, Report)> {
    let staging = store.stage()?;
    let free = files::free_space(&store.ingest)?;
    let mut shipped = Hashing::new(reader);
    let mut decoder =
        Decoder::new(&mut shipped, Bound { bytes: free, beyond: TooMuch::NoSpace }).map_err(unpack::reading)?;
    let compression = decoder.compression();
    let (report, inner) = if compression == Compression::Plain {
        (unpack::unpack(&mut decoder, staging.root()?, store.options)?, None)
    } else {
        let mut tar = Hashing::new(&mut decoder);
        let report = unpack::unpack(&mut tar, staging.root()?, store.options)?;
        (report, Some(tar.finish().0))
    };
    drop(decoder);
    let (blob, blob_size) = shipped.finish();
    let diff_id = inner.unwrap_or_else(|| blob.clone());
    let chain_id = chain_id(parent, &diff_id);
    let media_type = compression.media_type().to_owned();
    let layer = Layer { blob, media_type, blob_size, diff_id, chain_id, size: report.size };
    store.commit(staging, &layer, &report.implicit)?;
    Ok((layer, report))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_reboot_a_layer_counts_when_all_its_bytes_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let root = StateRoot::new(dir.path().join("data"), dir.path().join("run"));
        let store = LayerStore::open(&root).unwrap();
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(5);
        header.set_cksum();
        tar.append_data(&mut header, "file", &b"bytes"[..]).unwrap();
        let (layer, _) = import_tar(&store, &tar.into_inner().unwrap()[..], None).unwrap();
        let mark = store.home(&layer.chain_id).join(UNSYNCED);
        let rebooted = fs::read_to_string(&mark).unwrap().replace(boot_id(), "another-boot");
        assert_eq!(rebooted, "another-boot 5");

        fs::write(&mark, &rebooted).unwrap();
        fs::write(store.path(&layer.chain_id).join("file"), "").unwrap();
        assert!(store.get(&layer.chain_id).is_none());
        fs::write(store.path(&layer.chain_id).join("file"), "bytes").unwrap();
        assert!(store.get(&layer.chain_id).is_some() && !mark.exists());
    }
}
