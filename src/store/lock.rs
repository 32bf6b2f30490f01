//! Locks between teu processes: `flock` on a file, given back by the kernel when its holder dies.

use super::{Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Held until dropped.
#[derive(Debug)]
pub struct FileLock(#[allow(dead_code, reason = "closing the file gives the lock back")] File);

impl FileLock {
    /// Waits for every other holder to let go.
    pub fn exclusive(path: &Path) -> Result<FileLock> {
        let file = open(path)?;
        file.lock().map_err(|e| Error::io("locking", path, e))?;
        Ok(FileLock(file))
    }

    /// Waits for an exclusive holder to let go.
    pub fn shared(path: &Path) -> Result<FileLock> {
        let file = open(path)?;
        file.lock_shared().map_err(|e| Error::io("locking", path, e))?;
        Ok(FileLock(file))
    }

    /// `None`: somebody holds it.
    pub fn try_exclusive(path: &Path) -> Result<Option<FileLock>> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(FileLock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(Error::io("locking", path, e)),
        }
    }
}

fn open(path: &Path) -> Result<File> {
    let open = || OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    let file = match (open(), path.parent()) {
        (Err(e), Some(parent)) if e.kind() == std::io::ErrorKind::NotFound => {
            super::create_private_dir(parent)?;
            open()
        }
        (result, _) => result,
    };
    file.map_err(|e| Error::io("opening", path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exclusive_lock_excludes_and_is_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/lock");
        let held = FileLock::shared(&path).unwrap();
        assert!(FileLock::try_exclusive(&path).unwrap().is_none());
        drop(held);
        assert!(FileLock::try_exclusive(&path).unwrap().is_some());
    }
}
