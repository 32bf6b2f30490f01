//! Writes a container's output into its log: lines into blocks, one write per batch, rotation by size.

use super::format::{self, Entry, HEADER, MAX_LINE, STRIDE};
use super::segment::{self, Segment};
use super::{Error, Result};
use crate::model::container::LogOptions;
use crate::model::log::Stream;
use crate::model::time::Timestamp;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The only writer of a log. Nothing is fsynced: the page cache outlives this process, and a torn end is cut off.
#[derive(Debug)]
pub struct Writer {
    dir: PathBuf,
    options: LogOptions,
    file: File,
    index: File,
    /// Number of the current segment's first record.
    first: u64,
    size: u64,
    /// Offset of the newest index entry; `None`: none in this segment yet.
    indexed: Option<u64>,
    /// Number of the next record.
    seq: u64,
    block: Vec<u8>,
    count: u32,
    /// Unfinished lines of stdout and stderr.
    carry: [Vec<u8>; 2],
    /// Records that could not be written (disk full) so far.
    pub lost: u64,
}

impl Writer {
    /// Continues the log in `dir` (made when missing); a torn block at its end is cut off. `None`: logging is off.
    pub fn open(dir: &Path, options: &LogOptions) -> Result<Option<Writer>> {
        if !options.enabled {
            return Ok(None);
        }
        std::fs::create_dir_all(dir).map_err(|e| io("create", dir, e))?;
        let first = segment::list(dir)?.pop().unwrap_or(0);
        let (file, index) = open_pair(dir, first)?;
        let mut writer = Writer {
            dir: dir.to_owned(),
            options: options.clone(),
            file,
            index,
            first,
            size: 0,
            indexed: None,
            seq: first,
            block: Vec::new(),
            count: 0,
            carry: [Vec::new(), Vec::new()],
            lost: 0,
        };
        writer.recover()?;
        Ok(Some(writer))
    }

    /// Finds the end of the last good block and cuts off what follows, in the segment and in its index.
    fn recover(&mut self) -> Result<()> {
        let path = segment::data_path(&self.dir, self.first);
        let Some(old) = Segment::open(&self.dir, self.first)? else { return Ok(()) };
        let mut offset = old.seek(|_| true);
        self.indexed = (offset > 0 || old.header(0).is_some()).then_some(offset);
        while let Some(header) = old.header(offset) {
            let intact = old.block(offset, &header).is_some_and(|block| format::is_intact(&block, &header));
            if !intact {
                break;
            }
            self.seq = header.seq + u64::from(header.count);
            offset += header.whole();
        }
        if offset == 0 {
            self.indexed = None;
        }
        self.file.set_len(offset).map_err(|e| io("truncate", &path, e))?;
        self.size = offset;
        let index = segment::index_path(&self.dir, self.first);
        let entries = std::fs::read(&index).map_err(|e| io("read", &index, e))?;
        let good = entries
            .as_chunks::<{ format::ENTRY as usize }>()
            .0
            .iter()
            .take_while(|bytes| Entry::parse(bytes).offset < offset)
            .count() as u64;
        self.index.set_len(good * format::ENTRY).map_err(|e| io("truncate", &index, e))
    }

    /// Appends what was just read from a stream. Whole lines become records now, the rest waits for its newline.
    pub fn write(&mut self, stream: Stream, bytes: &[u8], now: Timestamp) -> Result<()> {
        let mut rest = bytes;
        if !self.carry[stream as usize].is_empty() {
            rest = self.one_line(stream, rest);
        }
        while !rest.is_empty() {
            let whole = whole_lines(rest);
            rest = match rest[..whole].split_last() {
                Some((_, lines)) => {
                    self.records(stream, false, lines);
                    &rest[whole..]
                }
                None => self.one_line(stream, rest),
            };
        }
        self.flush(now)
    }

    /// A line that was begun before, is not finished yet, or is too long. Returns what follows it.
    fn one_line<'a>(&mut self, stream: Stream, bytes: &'a [u8]) -> &'a [u8] {
        let length = format::line_length(bytes);
        self.keep(stream, &bytes[..length]);
        if length == bytes.len() {
            return &[];
        }
        self.end_line(stream, false);
        &bytes[length + 1..]
    }

    fn end_line(&mut self, stream: Stream, partial: bool) {
        let kept = std::mem::take(&mut self.carry[stream as usize]);
        self.records(stream, partial, &kept);
        // The allocation is used again, unless it is out of the ordinary.
        self.carry[stream as usize] = kept;
        self.carry[stream as usize].clear();
    }

    /// Keeps a part of a line; full pieces go out with the partial flag as soon as it is known that more follows.
    fn keep(&mut self, stream: Stream, mut text: &[u8]) {
        while self.carry[stream as usize].len() + text.len() > MAX_LINE {
            let mut kept = std::mem::take(&mut self.carry[stream as usize]);
            let (head, tail) = text.split_at(MAX_LINE - kept.len());
            kept.extend_from_slice(head);
            self.records(stream, true, &kept);
            kept.clear();
            self.carry[stream as usize] = kept;
            text = tail;
        }
        self.carry[stream as usize].extend_from_slice(text);
    }

    /// Lines that came together, the last one without its newline.
    fn records(&mut self, stream: Stream, partial: bool, lines: &[u8]) {
        if self.block.is_empty() {
            self.block.resize(HEADER, 0);
        }
        format::put_lines(&mut self.block, 0, stream, partial, lines);
        self.count += 1 + newlines(lines);
    }

    /// Writes the unfinished lines, as such: the streams are closed, and no newline came. Gives back its buffers.
    pub fn finish(&mut self, now: Timestamp) -> Result<()> {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if !self.carry[stream as usize].is_empty() {
                self.end_line(stream, true);
            }
        }
        let done = self.flush(now);
        self.block = Vec::new();
        self.carry = [Vec::new(), Vec::new()];
        done
    }

    /// Frees the memory that a burst of output has left; the next one allocates again.
    pub fn shrink(&mut self) {
        self.block.shrink_to(4 << 10);
    }

    fn flush(&mut self, now: Timestamp) -> Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        let count = std::mem::take(&mut self.count);
        let done = self.put_block(count, now);
        self.block.clear();
        match done {
            Ok(()) => self.seq += u64::from(count),
            Err(_) => self.lost += u64::from(count),
        }
        done
    }

    fn put_block(&mut self, count: u32, now: Timestamp) -> Result<()> {
        if self.size > 0 && self.size + self.block.len() as u64 > self.options.max_size {
            self.rotate()?;
        }
        format::seal(&mut self.block, count, self.seq, now.0);
        if let Err(e) = self.file.write_all(&self.block) {
            // A half block in the middle would hide what follows it.
            let _ = self.file.set_len(self.size);
            return Err(io("write", &segment::data_path(&self.dir, self.first), e));
        }
        let offset = self.size;
        self.size += self.block.len() as u64;
        if self.indexed.is_none_or(|last| offset - last >= STRIDE) {
            let entry = Entry { seq: self.seq, time: now.0, offset };
            // Without the entry the block is found all the same, only more slowly.
            if self.index.write_all(&entry.to_bytes()).is_ok() {
                self.indexed = Some(offset);
            }
        }
        Ok(())
    }

    fn rotate(&mut self) -> Result<()> {
        let (file, index) = open_pair(&self.dir, self.seq)?;
        (self.file, self.index, self.first, self.size, self.indexed) = (file, index, self.seq, 0, None);
        let all = segment::list(&self.dir)?;
        let keep = usize::try_from(self.options.max_files.max(1)).unwrap_or(usize::MAX);
        for old in &all[..all.len().saturating_sub(keep)] {
            for path in [segment::data_path(&self.dir, *old), segment::index_path(&self.dir, *old)] {
                match std::fs::remove_file(&path) {
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io("remove", &path, e)),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Length of the whole lines at the beginning, up to the first that is too long for one record.
fn whole_lines(bytes: &[u8]) -> usize {
    let mut end = 0;
    loop {
        let reach = bytes.len().min(end + MAX_LINE + 1);
        match bytes[end..reach].iter().rposition(|byte| *byte == b'\n') {
            Some(at) => end += at + 1,
            None => return end,
        }
    }
}

fn newlines(bytes: &[u8]) -> u32 {
    // Sums of a byte each are what compilers make fast code of.
    bytes.chunks(255).map(|part| u32::from(part.iter().map(|byte| u8::from(*byte == b'\n')).sum::<u8>())).sum()
}

fn open_pair(dir: &Path, first: u64) -> Result<(File, File)> {
    let open = |path: PathBuf| {
        File::options().append(true).create(true).open(&path).map_err(|source| Error::Io { what: "open", path, source })
    };
    Ok((open(segment::data_path(dir, first))?, open(segment::index_path(dir, first))?))
}

fn io(what: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::Io { what, path: path.to_owned(), source }
}
