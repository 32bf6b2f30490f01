//! One segment on disk and the list of them: finding blocks by number or time through the sparse index.

use super::format::{ENTRY, Entry, HEADER, Header};
use super::{Error, Result};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Numbers of the first record of every segment in `dir`, ascending. No directory: none.
pub(super) fn list(dir: &Path) -> Result<Vec<u64>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::Io { what: "read", path: dir.to_owned(), source }),
    };
    let mut found: Vec<u64> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name();
            u64::from_str_radix(name.to_str()?.strip_suffix(".log")?, 16).ok()
        })
        .collect();
    found.sort_unstable();
    Ok(found)
}

pub(super) fn data_path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:016x}.log"))
}

pub(super) fn index_path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:016x}.idx"))
}

/// An open segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub first: u64,
    file: File,
    index: Option<File>,
}

impl Segment {
    /// `None`: it was rotated away.
    pub(super) fn open(dir: &Path, first: u64) -> Result<Option<Segment>> {
        let path = data_path(dir, first);
        match File::open(&path) {
            Ok(file) => Ok(Some(Segment { first, file, index: File::open(index_path(dir, first)).ok() })),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Io { what: "open", path, source }),
        }
    }

    /// The header at `offset`; `None` when there is no whole one.
    pub(super) fn header(&self, offset: u64) -> Option<Header> {
        let mut bytes = [0; HEADER];
        self.file.read_exact_at(&mut bytes, offset).ok()?;
        Header::parse(&bytes)
    }

    /// The whole block at `offset`, unchecked.
    pub(super) fn block(&self, offset: u64, header: &Header) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(header.whole()).ok()?];
        self.file.read_exact_at(&mut bytes, offset).ok()?;
        Some(bytes)
    }

    fn entries(&self) -> u64 {
        self.index.as_ref().and_then(|f| f.metadata().ok()).map_or(0, |m| m.len() / ENTRY)
    }

    fn entry(&self, n: u64) -> Option<Entry> {
        let mut bytes = [0; ENTRY as usize];
        self.index.as_ref()?.read_exact_at(&mut bytes, n * ENTRY).ok()?;
        Some(Entry::parse(&bytes))
    }

    /// Offset of the last indexed block for which `before` holds (it must hold for a prefix of them); 0 when there is none.
    pub(super) fn seek(&self, before: impl Fn(&Entry) -> bool) -> u64 {
        let (mut low, mut high) = (0, self.entries());
        let mut found = 0;
        while low < high {
            let middle = low + (high - low) / 2;
            // An entry without its block is what a power loss leaves.
            match self.entry(middle).filter(|e| self.header(e.offset).is_some_and(|h| h.seq == e.seq)) {
                Some(entry) if before(&entry) => {
                    found = entry.offset;
                    low = middle + 1;
                }
                _ => high = middle,
            }
        }
        found
    }

    /// Offset of the first indexed block after `offset`.
    pub(super) fn resume_after(&self, offset: u64) -> Option<u64> {
        let (mut low, mut high) = (0, self.entries());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.entry(middle)?.offset > offset { high = middle } else { low = middle + 1 }
        }
        self.entry(low).map(|e| e.offset).filter(|o| self.header(*o).is_some())
    }

    /// Number after the last record, and the end of the last whole block.
    pub(super) fn end(&self) -> (u64, u64) {
        let mut offset = self.seek(|_| true);
        let mut seq = self.first;
        while let Some(header) = self.header(offset) {
            seq = header.seq + u64::from(header.count);
            offset += header.whole();
        }
        (seq, offset)
    }
}
