//! A layer's tar to a directory that overlay can stack: every entry checked, placed by descriptors, stamped last.
//!
//! The `tar` crate parses blocks; it never writes a file for us. Whiteouts become overlay's (OCI image layer
//! specification, "Whiteouts").

mod directory;
mod entry;
mod pax;
mod place;
mod sparse;
mod tape;
mod writer;

pub use place::{Name, is_whiteout};

use super::{Error, Result, decode, limits};
use entry::Entry;
use std::io::{self, BufReader, Read};
use std::os::fd::OwnedFd;
use tape::Tape;
use writer::Writer;

/// How the tree is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Not in the initial user namespace: `user.overlay.*` instead of `trusted.overlay.*`, devices may be refused, and
    /// owners that are not mapped are kept as ours.
    pub user_namespace: bool,
}

/// What came of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub entries: u64,
    /// Bytes of regular files.
    pub size: u64,
    /// What could not be kept, one line each, at most [`MAX_WARNINGS`].
    pub warnings: Vec<String>,
    /// Directories that no entry describes, parents first; the root is the empty path. Where a lower layer has them
    /// their owner, mode and attributes are its, see [`super::inherit`].
    pub implicit: Vec<Vec<u8>>,
}

pub const MAX_WARNINGS: usize = 20;

/// Unpacks the tar that `source` yields into the empty directory `root`, and reads `source` to its end.
///
/// Errors name the entry. What was written by then stays: the caller throws the directory away.
pub fn unpack(source: impl Read, root: OwnedFd, options: Options) -> Result<Report> {
    let tape = Tape::default();
    let mut archive = tar::Archive::new(tape.recorder(BufReader::with_capacity(64 << 10, source)));
    let mut writer = Writer::new(root, options)?;
    let mut entries = archive.entries().map_err(reading)?;
    loop {
        tape.start();
        let next = entries.next();
        tape.stop();
        let Some(parsed) = next else { break };
        let mut parsed = parsed.map_err(reading)?;
        let extensions =
            tape.extensions(parsed.raw_header_position()).map_err(|why| Error::invalid("the layer's archive", why))?;
        if let Some(entry) = Entry::new(&parsed, extensions)? {
            writer.apply(&entry, &mut parsed).map_err(contradiction)?;
        }
        // The parser would skip the rest itself, but on the running tape.
        io::copy(&mut parsed, &mut io::sink()).map_err(reading)?;
        if writer.entries() > limits::ENTRIES {
            return Err(Error::invalid("the layer's archive", format!("more than {} entries", limits::ENTRIES)));
        }
    }
    end(archive.into_inner())?;
    writer.finish()
}

/// The kernel's word that an entry lies below a file, or beyond a link that leads nowhere or out of the layer: the
/// archive's fault, which no second try mends.
fn contradiction(error: Error) -> Error {
    use io::ErrorKind as Kind;
    match error {
        Error::Unpack { entry, cause }
            if matches!(
                cause.source.kind(),
                Kind::NotFound | Kind::NotADirectory | Kind::IsADirectory | Kind::AlreadyExists | Kind::CrossesDevices
            ) =>
        {
            let why = format!("it does not fit the entries before it ({})", cause.source);
            Error::invalid(format!("archive entry '{entry}'"), why)
        }
        other => other,
    }
}

/// After the first block of zeros only zeros may follow in the next; the rest is read for the digest's sake.
fn end(mut rest: impl Read) -> Result<()> {
    let mut block = Vec::with_capacity(512);
    rest.by_ref().take(512).read_to_end(&mut block).map_err(reading)?;
    if block.iter().any(|b| *b != 0) {
        return Err(Error::invalid("the layer's archive", "entries follow its end mark"));
    }
    io::copy(&mut rest, &mut io::sink()).map_err(reading).map(drop)
}

/// A failure to read the archive: ours from further up the stream, or the archive's own fault.
pub(crate) fn reading(error: io::Error) -> Error {
    if error.get_ref().is_some_and(|inner| inner.is::<Error>()) {
        if let Some(Ok(ours)) = error.into_inner().map(|inner| inner.downcast::<Error>()) {
            return *ours;
        }
        return Error::invalid("the layer's archive", "it cannot be read");
    }
    match error.get_ref().and_then(|inner| inner.downcast_ref::<decode::TooMuch>()) {
        Some(decode::TooMuch::NoSpace) => return Error::NoSpace { what: "what the layer unpacks to".into() },
        Some(bomb) => return Error::invalid("the layer", bomb.to_string()),
        None => {}
    }
    Error::invalid("the layer's archive", error.to_string())
}

#[cfg(test)]
mod tests;
