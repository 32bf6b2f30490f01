//! File data with holes: zeros found while copying, or the segment map of a pax sparse file.

use super::pax::Sparse;
use crate::image::limits;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Copies `size` bytes, leaving a hole for every block of zeros.
pub fn copy_zeros(from: &mut impl Read, to: &mut File, size: u64, buffer: &mut [u8]) -> io::Result<u64> {
    bounded(size)?;
    let mut from = from.take(size);
    loop {
        let n = from.read(buffer)?;
        if n == 0 {
            break;
        }
        if buffer[..n].iter().all(|b| *b == 0) {
            to.seek(SeekFrom::Current(i64::try_from(n).map_err(io::Error::other)?))?;
        } else {
            to.write_all(&buffer[..n])?;
        }
    }
    to.set_len(size)?;
    Ok(size)
}

/// Copies the segments of a pax sparse file (GNU formats 0.0, 0.1, 1.0) to their places; `stored` bytes are in the
/// archive. Returns the real size.
pub fn copy_pax(
    from: &mut impl Read,
    to: &mut File,
    sparse: &Sparse,
    stored: u64,
    buffer: &mut [u8],
) -> io::Result<u64> {
    let mut from = from.take(stored);
    let map = if sparse.major >= 1 { read_map(&mut from)? } else { sparse.map.clone() };
    let real = sparse.real_size.ok_or_else(|| bad("its real size is missing"))?;
    bounded(real)?;
    let mut end = 0;
    for (offset, length) in map {
        let segment_end = offset.checked_add(length).filter(|e| *e <= real);
        let Some(segment_end) = segment_end.filter(|_| offset >= end) else {
            return Err(bad("its map leaves the file or overlaps"));
        };
        end = segment_end;
        to.seek(SeekFrom::Start(offset))?;
        let mut segment = from.by_ref().take(length);
        let mut copied = 0;
        loop {
            let n = segment.read(buffer)?;
            if n == 0 {
                break;
            }
            to.write_all(&buffer[..n])?;
            copied += n as u64;
        }
        if copied != length {
            return Err(bad("its data ends early"));
        }
    }
    to.set_len(real)?;
    Ok(real)
}

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the sparse file is malformed: {why}"))
}

fn bounded(size: u64) -> io::Result<()> {
    if size > limits::SPARSE_FILE {
        return Err(bad("it claims to be larger than 64 GiB"));
    }
    Ok(())
}

/// Format 1.0: decimal numbers, one a line: how many pairs, then the pairs; padded to a block.
fn read_map(from: &mut impl Read) -> io::Result<Vec<(u64, u64)>> {
    let mut text = Vec::new();
    let mut block = [0; 512];
    loop {
        from.read_exact(&mut block)?;
        text.extend_from_slice(&block);
        if text.len() > limits::ENTRY_HEADERS {
            return Err(bad("its map is too long"));
        }
        if let Some(numbers) = numbers(&text)? {
            let (pairs, _) = numbers.as_chunks::<2>();
            return Ok(pairs.iter().map(|[offset, length]| (*offset, *length)).collect());
        }
    }
}

/// All numbers after the count, when all are there.
fn numbers(text: &[u8]) -> io::Result<Option<Vec<u64>>> {
    let mut lines = text.split(|b| *b == b'\n');
    // The last piece has no newline yet.
    let complete = text.iter().filter(|b| **b == b'\n').count();
    let mut parse = || -> io::Result<u64> {
        let line = lines.next().unwrap_or_default();
        let text = std::str::from_utf8(line).map_err(|_| bad("its map is not numbers"))?;
        text.parse().map_err(|_| bad("its map is not numbers"))
    };
    if complete == 0 {
        return Ok(None);
    }
    let count = usize::try_from(parse()?).ok().filter(|n| *n <= limits::ENTRY_HEADERS).ok_or_else(|| bad("its map"))?;
    if complete < 1 + count * 2 {
        return Ok(None);
    }
    (0..count * 2).map(|_| parse()).collect::<io::Result<Vec<u64>>>().map(Some)
}
