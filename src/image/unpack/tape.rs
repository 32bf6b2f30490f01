//! A reader under the tar parser that keeps the header blocks of each entry, and bounds how many there may be.
//!
//! Why: the tar crate splits pax records at newlines, which binary values (file capabilities) may hold, and reads long
//! names into memory without a limit. Framing stays its work; names and attributes are read again from the tape by the
//! length that each record states, and a disagreement about the size is refused.

use crate::image::limits;
use std::cell::RefCell;
use std::io::{self, Read};
use std::rc::Rc;

const BLOCK: u64 = 512;

#[derive(Default)]
struct State {
    recording: bool,
    /// Offset in the archive of the tape's first byte.
    start: u64,
    position: u64,
    bytes: Vec<u8>,
    /// The source ended inside an entry's data.
    torn: bool,
}

impl State {
    /// Zeros up to the block's end where the source ended between two entries: some writers (umoci) leave out the padding
    /// after their last file, and Go's reader, by which the field's engines go, takes that for the end.
    fn padding(&mut self, into: &mut [u8]) -> usize {
        self.torn |= !self.recording && !into.is_empty();
        if self.torn {
            return 0;
        }
        let missing = self.position.next_multiple_of(BLOCK) - self.position;
        let n = into.len().min(usize::try_from(missing).unwrap_or(0));
        into[..n].fill(0);
        n
    }
}

/// Shared between the reader inside the parser and the loop around it.
#[derive(Clone, Default)]
pub struct Tape(Rc<RefCell<State>>);

/// Reads through and records while the tape runs.
pub struct Recorder<R> {
    source: R,
    tape: Tape,
}

/// The extension blocks before an entry's own header.
#[derive(Default, Debug, PartialEq)]
pub struct Extensions {
    pub long_name: Option<Vec<u8>>,
    pub long_link: Option<Vec<u8>>,
    pub pax: Option<Vec<u8>>,
}

impl Tape {
    pub fn recorder<R: Read>(&self, source: R) -> Recorder<R> {
        Recorder { source, tape: self.clone() }
    }

    /// Forgets what was recorded and records from here.
    pub fn start(&self) {
        let mut state = self.0.borrow_mut();
        state.recording = true;
        state.bytes.clear();
        state.start = state.position;
    }

    pub fn stop(&self) {
        self.0.borrow_mut().recording = false;
    }

    /// The extensions recorded before the header at `header` (its offset in the archive).
    pub fn extensions(&self, header: u64) -> Result<Extensions, &'static str> {
        let state = self.0.borrow();
        let mut found = Extensions::default();
        // The parser first skips the padding of the entry before.
        let mut at = state.start.next_multiple_of(BLOCK);
        while at < header {
            let offset = usize::try_from(at - state.start).map_err(|_| "headers too far apart")?;
            let block = state.bytes.get(offset..offset + 512).ok_or("a header block is missing")?;
            let parsed = tar::Header::from_byte_slice(block);
            let size = parsed.entry_size().map_err(|_| "an extension header has no size")?;
            let end = offset.saturating_add(512).saturating_add(usize::try_from(size).map_err(|_| "header too large")?);
            let data = state.bytes.get(offset + 512..end).ok_or("an extension header runs into its entry")?;
            match parsed.entry_type() {
                tar::EntryType::GNULongName => found.long_name = Some(without_nul(data)),
                tar::EntryType::GNULongLink => found.long_link = Some(without_nul(data)),
                tar::EntryType::XHeader => found.pax = Some(data.to_vec()),
                _ => return Err("an unknown header stands before its entry"),
            }
            at = at.saturating_add(BLOCK).saturating_add(size.next_multiple_of(BLOCK));
        }
        Ok(found)
    }
}

/// GNU long names end with one NUL.
fn without_nul(name: &[u8]) -> Vec<u8> {
    name.strip_suffix(b"\0").unwrap_or(name).to_vec()
}

/// The error when an entry's headers exceed [`limits::ENTRY_HEADERS`].
#[derive(Debug, thiserror::Error)]
#[error("the headers of one entry exceed {} bytes", limits::ENTRY_HEADERS)]
pub struct HeadersTooLong;

impl<R: Read> Read for Recorder<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut n = self.source.read(into)?;
        let mut state = self.tape.0.borrow_mut();
        if n == 0 {
            n = state.padding(into);
        }
        state.position += n as u64;
        if state.recording {
            if state.bytes.len() + n > limits::ENTRY_HEADERS {
                return Err(io::Error::other(HeadersTooLong));
            }
            state.bytes.extend_from_slice(&into[..n]);
        }
        Ok(n)
    }
}
