//! Content by digest: verified blobs (manifests, configurations) under `content/<algorithm>/<hex>`.
//!
//! A blob appears under its digest only after its bytes proved to have it: written aside, hashed, renamed.

use super::StateRoot;
use crate::model::reference::{Algorithm, Digest};
use sha2::Digest as _;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("content {0} is not in the store")]
    Missing(Digest),
    /// The bytes are not what their name says; the file was removed when it was in the store.
    #[error("content {expected} is corrupt: its bytes have the digest {got}")]
    Corrupt { expected: Digest, got: Digest },
    #[error("content {0} is larger than {1} bytes")]
    TooLarge(Digest, u64),
    #[error("{}: {source}", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

fn at<'a>(path: &'a Path) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| Error::Io { path: path.to_owned(), source }
}

/// A hash in progress, of either algorithm.
pub enum Hasher {
    Sha256(sha2::Sha256),
    Sha512(Box<sha2::Sha512>),
}

impl Hasher {
    pub fn new(algorithm: Algorithm) -> Hasher {
        match algorithm {
            Algorithm::Sha256 => Hasher::Sha256(sha2::Sha256::new()),
            Algorithm::Sha512 => Hasher::Sha512(Box::new(sha2::Sha512::new())),
        }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Sha256(h) => h.update(bytes),
            Hasher::Sha512(h) => h.update(bytes),
        }
    }

    pub fn finish(self) -> Digest {
        match self {
            Hasher::Sha256(h) => Digest::from_bytes(Algorithm::Sha256, &h.finalize()),
            Hasher::Sha512(h) => Digest::from_bytes(Algorithm::Sha512, &h.finalize()),
        }
    }
}

/// Cheap to clone; safe to use from several processes at once.
#[derive(Clone, Debug)]
pub struct ContentStore {
    content: PathBuf,
    ingest: PathBuf,
}

impl ContentStore {
    /// Makes its directories (0700) when they are not there.
    pub fn open(root: &StateRoot) -> Result<ContentStore> {
        let store = ContentStore { content: root.content(), ingest: root.ingest() };
        for dir in [&store.content, &store.ingest] {
            private_dir(dir).map_err(at(dir))?;
        }
        Ok(store)
    }

    /// Where the blob is or would be.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.content.join(digest.algorithm().word()).join(digest.hex())
    }

    pub fn contains(&self, digest: &Digest) -> bool {
        self.path(digest).is_file()
    }

    /// The blob's bytes, verified again; at most `limit`. A corrupt one is removed, so that it can be fetched anew.
    pub fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        let path = self.path(digest);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(Error::Missing(digest.clone())),
            Err(e) => return Err(at(&path)(e)),
        };
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes).map_err(at(&path))?;
        if bytes.len() as u64 > limit {
            return Err(Error::TooLarge(digest.clone(), limit));
        }
        match check(digest, &bytes) {
            Ok(()) => Ok(bytes),
            Err(error) => {
                // The name promises bytes it does not have: nobody may trust it again.
                let _ = fs::remove_file(&path);
                Err(error)
            }
        }
    }

    /// Stores `bytes`, which must have this digest.
    pub fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        check(digest, bytes)?;
        let path = self.path(digest);
        if path.metadata().is_ok_and(|m| m.len() == bytes.len() as u64) {
            return Ok(());
        }
        let dir = self.content.join(digest.algorithm().word());
        private_dir(&dir).map_err(at(&dir))?;
        let (aside, mut file) = self.aside().map_err(at(&self.ingest))?;
        let written = file.write_all(bytes).and_then(|()| file.sync_data());
        let placed = written.and_then(|()| fs::rename(&aside, &path));
        if placed.is_err() {
            let _ = fs::remove_file(&aside);
        }
        placed.map_err(at(&path))
    }

    /// A new file that is locked while it is open, so that a clean-up sees it in use.
    fn aside(&self) -> io::Result<(PathBuf, File)> {
        loop {
            let path = self.ingest.join(format!("content-{:016x}", rand::random::<u64>()));
            let file = File::create_new(&path)?;
            // Between the two steps a clean-up may take it for garbage.
            match file.try_lock() {
                Ok(()) if path.exists() => return Ok((path, file)),
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(e)) => return Err(e),
            }
        }
    }

    /// Stores `bytes` under the sha256 they have.
    pub fn add(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::of(bytes);
        self.put(&digest, bytes)?;
        Ok(digest)
    }

    /// Nothing there is success.
    pub fn remove(&self, digest: &Digest) -> Result<()> {
        let path = self.path(digest);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(at(&path)(e)),
            _ => Ok(()),
        }
    }

    /// Every blob with its size and the time it was stored, for the garbage collector.
    pub fn list(&self) -> Result<Vec<(Digest, u64, SystemTime)>> {
        let mut found = Vec::new();
        for word in [Algorithm::Sha256.word(), Algorithm::Sha512.word()] {
            let dir = self.content.join(word);
            let entries = match fs::read_dir(&dir) {
                Ok(entries) => entries,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(at(&dir)(e)),
            };
            for entry in entries {
                let entry = entry.map_err(at(&dir))?;
                let name = entry.file_name();
                let digest = name.to_str().and_then(|hex| format!("{word}:{hex}").parse().ok());
                if let (Some(digest), Ok(meta)) = (digest, entry.metadata()) {
                    found.push((digest, meta.len(), meta.modified().unwrap_or(SystemTime::UNIX_EPOCH)));
                }
            }
        }
        Ok(found)
    }
}

fn check(digest: &Digest, bytes: &[u8]) -> Result<()> {
    let mut hasher = Hasher::new(digest.algorithm());
    hasher.update(bytes);
    let got = hasher.finish();
    if got == *digest { Ok(()) } else { Err(Error::Corrupt { expected: digest.clone(), got }) }
}

/// Makes a directory that only its owner may enter, with its parents.
pub fn private_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(dir: &Path) -> ContentStore {
        ContentStore::open(&StateRoot::new(dir, dir.join("run"))).unwrap()
    }

    #[test]
    fn keeps_what_has_its_digest_and_drops_what_rotted() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let digest = store.add(b"hello").unwrap();
        assert_eq!(store.read(&digest, 5).unwrap(), b"hello");
        assert!(matches!(store.read(&digest, 4), Err(Error::TooLarge(_, 4))));
        assert!(matches!(store.put(&digest, b"other"), Err(Error::Corrupt { .. })));
        assert_eq!(store.list().unwrap().len(), 1);
        fs::write(store.path(&digest), "jello").unwrap();
        assert!(matches!(store.read(&digest, 5), Err(Error::Corrupt { .. })));
        assert!(matches!(store.read(&digest, 5), Err(Error::Missing(_))));
        store.remove(&digest).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("ingest")).unwrap().count(), 0);
    }

    #[test]
    fn takes_sha512() {
        let dir = tempfile::tempdir().unwrap();
        let mut hasher = Hasher::new(Algorithm::Sha512);
        hasher.update(b"x");
        let digest = hasher.finish();
        let store = store(dir.path());
        store.put(&digest, b"x").unwrap();
        assert!(store.contains(&digest));
    }
}
