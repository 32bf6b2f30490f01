//! A blob on its way: a growing file that one thread writes and another reads behind it.
//!
//! The file is the queue: fetching never waits for unpacking, nothing piles up in memory, and what is there when the
//! pull breaks off is what the next one resumes.

use crate::image::{Error, Result};
use crate::store::content::Hasher;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

pub struct Part {
    path: PathBuf,
    file: File,
    state: Mutex<State>,
    grown: Condvar,
}

#[derive(Default)]
struct State {
    written: u64,
    /// No more will come; `Err` says why it is not whole.
    end: Option<std::result::Result<(), String>>,
}

impl Part {
    /// Opens or creates the partial file; `size` is what the blob will have. A longer one is not ours: emptied.
    pub fn open(path: &Path, size: u64) -> Result<Part> {
        let fail = |e| Error::io(path, e);
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(fail)?;
        let mut written = file.metadata().map_err(fail)?.len();
        if written > size {
            file.set_len(0).map_err(fail)?;
            written = 0;
        }
        let state = Mutex::new(State { written, end: None });
        Ok(Part { path: path.to_owned(), file, state, grown: Condvar::new() })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes in the file.
    pub fn written(&self) -> u64 {
        self.state().written
    }

    /// Feeds what an earlier pull left to `hasher`: nothing stored about it is trusted.
    pub fn rehash(&self, hasher: &mut Hasher, mut stop: impl FnMut() -> bool) -> Result<()> {
        let (mut at, end) = (0, self.written());
        let mut buffer = vec![0; 256 << 10];
        while at < end {
            if stop() {
                return Err(Error::Cancelled);
            }
            let n = self.file.read_at(&mut buffer, at).map_err(|e| Error::io(&self.path, e))?;
            if n == 0 {
                return Err(Error::io(&self.path, io::Error::other("the file shrank")));
            }
            hasher.update(&buffer[..n]);
            at += n as u64;
        }
        Ok(())
    }

    /// Appends. One writer only.
    pub fn append(&self, bytes: &[u8]) -> Result<()> {
        let at = self.written();
        self.file.write_all_at(bytes, at).map_err(|e| Error::io(&self.path, e))?;
        self.state().written = at + bytes.len() as u64;
        self.grown.notify_all();
        Ok(())
    }

    /// Tells the reader that nothing more comes.
    pub fn end(&self, result: std::result::Result<(), String>) {
        self.state().end.get_or_insert(result);
        self.grown.notify_all();
    }

    /// Removes the file; readers keep what they have open.
    pub fn remove(&self) -> Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io(&self.path, e)),
            _ => Ok(()),
        }
    }

    /// Waits until there is more than `position`; the new end, or 0 at the end of the blob.
    fn wait(&self, position: u64) -> io::Result<u64> {
        let mut state = self.state();
        loop {
            if state.written > position {
                return Ok(state.written);
            }
            match &state.end {
                Some(Ok(())) => return Ok(0),
                Some(Err(why)) => {
                    return Err(io::Error::other(Error::Unavailable {
                        what: String::from("the rest of the layer"),
                        attempts: 1,
                        why: why.clone(),
                    }));
                }
                None => state = self.grown.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// Reads a [`Part`] from its start, waiting for the writer; `passed` hears the position now and then.
pub struct Follower<'a, P: FnMut(u64) -> bool> {
    part: &'a Part,
    position: u64,
    known: u64,
    passed: P,
}

impl<'a, P: FnMut(u64) -> bool> Follower<'a, P> {
    /// `passed` returns false to stop.
    pub fn new(part: &'a Part, passed: P) -> Self {
        Follower { part, position: 0, known: 0, passed }
    }
}

impl<P: FnMut(u64) -> bool> Read for Follower<'_, P> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !(self.passed)(self.position) {
            return Err(io::Error::other(Error::Cancelled));
        }
        if self.known <= self.position {
            self.known = self.part.wait(self.position)?;
            if self.known == 0 {
                return Ok(0);
            }
        }
        let available = usize::try_from(self.known - self.position).unwrap_or(usize::MAX);
        let length = into.len().min(available);
        let n = self.part.file.read_at(&mut into[..length], self.position)?;
        self.position += n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::reference::{Algorithm, Digest};

    #[test]
    fn a_reader_follows_the_writer_to_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let part = Part::open(&dir.path().join("p"), 10).unwrap();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut all = Vec::new();
                Follower::new(&part, |_| true).read_to_end(&mut all).map(|_| all)
            });
            part.append(b"hello").unwrap();
            part.append(b"world").unwrap();
            part.end(Ok(()));
            assert_eq!(reader.join().unwrap().unwrap(), b"helloworld");
        });
        let again = Part::open(&dir.path().join("p"), 10).unwrap();
        let mut hasher = Hasher::new(Algorithm::Sha256);
        again.rehash(&mut hasher, || false).unwrap();
        assert_eq!(hasher.finish(), Digest::of(b"helloworld"));
        assert_eq!(Part::open(&dir.path().join("p"), 9).unwrap().written(), 0);
    }

    #[test]
    fn a_failed_writer_wakes_the_reader() {
        let dir = tempfile::tempdir().unwrap();
        let part = Part::open(&dir.path().join("p"), 10).unwrap();
        part.end(Err("gone".into()));
        assert!(Follower::new(&part, |_| true).read_to_end(&mut Vec::new()).is_err());
    }
}
