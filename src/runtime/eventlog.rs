//! The event log: one JSON record a line, appended by engines and monitors, followed by every open engine.

use crate::model::event::EventRecord;
use crate::sys::{self, watch::Watch};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A longer log is renamed to `<name>.1`, replacing the one before.
const MAX_BYTES: u64 = 8 << 20;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{what} {path}: {source}")]
    Io { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    System(#[from] sys::Error),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::Io { what, path: path.to_owned(), source }
}

/// Appends one record, in one write.
pub fn append(path: &Path, record: &EventRecord) -> Result<()> {
    let mut line = serde_json::to_vec(record).map_err(|e| io("write", path)(e.into()))?;
    line.push(b'\n');
    loop {
        let mut file = File::options().append(true).create(true).mode(0o600).open(path).map_err(io("open", path))?;
        // Held while writing, so that no line reaches a log that followers have already left.
        sys::poll::lock(&file, false)?;
        let meta = file.metadata().map_err(io("stat", path))?;
        if !sys::files::is_at(&file, path) {
            continue;
        }
        if meta.len() >= MAX_BYTES {
            drop(file);
            rotate(path)?;
            continue;
        }
        return file.write_all(&line).map_err(io("write", path));
    }
}

fn old(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

fn rotate(path: &Path) -> Result<()> {
    let file = match File::open(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        file => file.map_err(io("open", path))?,
    };
    sys::poll::lock(&file, true)?;
    let meta = file.metadata().map_err(io("stat", path))?;
    if meta.len() >= MAX_BYTES && sys::files::is_at(&file, path) {
        std::fs::rename(path, old(path)).map_err(io("rename", path))?;
    }
    Ok(())
}

/// Every record kept, oldest first. Damaged lines are skipped.
pub fn history(path: &Path) -> Result<Vec<EventRecord>> {
    let mut records = Vec::new();
    for file in [old(path), path.to_owned()] {
        match std::fs::read(&file) {
            Ok(bytes) => records.extend(bytes.split(|b| *b == b'\n').filter_map(|l| serde_json::from_slice(l).ok())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(io("read", &file)(e)),
        }
    }
    Ok(records)
}

/// Reads records as they are appended. Its descriptor (inotify) becomes readable then: for `tokio::io::unix::AsyncFd`,
/// which after each readiness calls [`Follower::next`] until `None`, then clears the readiness.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    watch: Watch,
    file: Option<File>,
    buffer: Vec<u8>,
    /// Bytes of `buffer` already given out, and how far it holds no further line end.
    taken: usize,
    searched: usize,
}

impl Follower {
    /// Starts after the last record that is there now. The log's directory must exist.
    pub fn open(path: &Path) -> Result<Self> {
        let watch = Watch::new()?;
        watch.add_dir(path.parent().unwrap_or(Path::new(".")))?;
        let mut follower = Self { path: path.to_owned(), watch, file: None, buffer: Vec::new(), taken: 0, searched: 0 };
        if let Ok(mut file) = File::open(path) {
            std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).map_err(io("seek", path))?;
            follower.file = Some(file);
        }
        Ok(follower)
    }

    /// The next record; `None` when there is none yet. Never waits.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<EventRecord>> {
        loop {
            while let Some(end) = self.buffer[self.searched..].iter().position(|b| *b == b'\n') {
                let line = self.taken..self.searched + end;
                (self.taken, self.searched) = (line.end + 1, line.end + 1);
                if let Ok(record) = serde_json::from_slice(&self.buffer[line]) {
                    return Ok(Some(record));
                }
            }
            self.buffer.drain(..self.taken);
            self.taken = 0;
            self.searched = self.buffer.len();
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Reads more; false when there is nothing more now.
    fn fill(&mut self) -> Result<bool> {
        // Before looking, so that a line written after the look makes the descriptor readable again.
        self.watch.drain();
        loop {
            let Some(file) = &mut self.file else {
                match File::open(&self.path) {
                    Ok(file) => self.file = Some(file),
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
                    Err(e) => return Err(io("open", &self.path)(e)),
                }
                continue;
            };
            // Asked before reading: what is renamed away gets no more lines, so the read below sees its last one.
            let current = sys::files::is_at(file, &self.path);
            let mut chunk = [0; 8192];
            let count = file.read(&mut chunk).map_err(io("read", &self.path))?;
            self.buffer.extend_from_slice(&chunk[..count]);
            if count > 0 {
                return Ok(true);
            }
            if current {
                return Ok(false);
            }
            self.file = None;
        }
    }
}

impl AsRawFd for Follower {
    fn as_raw_fd(&self) -> RawFd {
        self.watch.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Timestamp;

    fn record(n: i64, pad: usize) -> EventRecord {
        EventRecord {
            time: Timestamp(n),
            kind: "container".into(),
            action: "start".into(),
            id: "x".repeat(pad),
            attributes: Default::default(),
        }
    }

    #[test]
    fn a_follower_sees_only_what_is_new_across_a_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.log");
        append(&path, &record(0, 1)).unwrap();
        let mut follower = Follower::open(&path).unwrap();
        assert_eq!(follower.next().unwrap(), None);
        let mut expected = 1;
        for n in 1..20 {
            append(&path, &record(n, 1 << 20)).unwrap();
            if n % 3 == 0 {
                while let Some(found) = follower.next().unwrap() {
                    assert_eq!(found.time.0, expected);
                    expected += 1;
                }
                assert_eq!(expected, n + 1);
            }
        }
        assert!(dir.path().join("events.log.1").exists());
        assert!(std::fs::metadata(&path).unwrap().len() < MAX_BYTES + (2 << 20));
        assert!(history(&path).unwrap().len() >= 8);
    }

    #[test]
    fn lines_of_many_writers_stay_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.log");
        std::thread::scope(|scope| {
            for t in 0..4 {
                let path = &path;
                scope.spawn(move || (0..100).for_each(|n| append(path, &record(t * 100 + n, 5000)).unwrap()));
            }
        });
        assert_eq!(history(&path).unwrap().len(), 400);
    }
}
