//! Blob file to staged tree on two threads: one inflates, the other hashes the tar and writes files.

use super::part::{Follower, Part};
use crate::image::decode::{Bound, Decoder};
use crate::image::layers::{LayerStore, Staging};
use crate::image::unpack::{self, Report};
use crate::image::{Error, Result};
use crate::model::reference::{Algorithm, Digest};
use crate::store::content::Hasher;
use crate::sys::files;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

/// Size and number of the buffers between the threads of one layer: 2 MiB in all.
const CHUNK: usize = 256 << 10;
const CHUNKS: usize = 8;

/// Unpacks `part` (perhaps still growing to `size` bytes) into `staging`; the tar's digest by `algorithm`, and what
/// came of it. `passed` hears how much of the blob is consumed and returns false to stop.
pub fn run(
    part: &Part,
    size: u64,
    staging: &Staging,
    store: &LayerStore,
    algorithm: Algorithm,
    passed: impl FnMut(u64) -> bool + Send,
) -> Result<(Digest, Report)> {
    let bound = Bound::new(size, files::free_space(store.ingest())?);
    std::thread::scope(|scope| {
        let (full, chunks) = sync_channel::<io::Result<Vec<u8>>>(CHUNKS);
        let (used, empty) = channel();
        let inflater = std::thread::Builder::new().name(String::from("inflate"));
        let inflater = inflater.spawn_scoped(scope, move || inflate(part, bound, passed, &full, &empty));
        inflater.map_err(|e| Error::io("a thread to inflate", e))?;
        let mut tar = Chunks { chunks, used, current: Vec::new(), at: 0, hasher: Hasher::new(algorithm) };
        let report = unpack::unpack(&mut tar, staging.root()?, store.options())?;
        Ok((tar.hasher.finish(), report))
    })
}

/// Fills buffers until the blob or the interest in it ends.
fn inflate(
    part: &Part,
    bound: Bound,
    passed: impl FnMut(u64) -> bool,
    full: &SyncSender<io::Result<Vec<u8>>>,
    empty: &Receiver<Vec<u8>>,
) {
    let mut decoder = match Decoder::new(Follower::new(part, passed), bound) {
        Ok(decoder) => decoder,
        Err(e) => return drop(full.send(Err(e))),
    };
    loop {
        let mut buffer = empty.try_recv().unwrap_or_default();
        buffer.resize(CHUNK, 0);
        let mut filled = 0;
        let mut failure = None;
        while filled < CHUNK {
            match decoder.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    failure = Some(e);
                    break;
                }
            }
        }
        let last = filled < CHUNK;
        buffer.truncate(filled);
        // A send fails when the unpacking gave up: then nobody wants the rest.
        if filled > 0 && full.send(Ok(buffer)).is_err() {
            return;
        }
        if let Some(e) = failure {
            return drop(full.send(Err(e)));
        }
        if last {
            return;
        }
    }
}

/// The tar as the unpacker reads it; hashes each buffer while it is in the cache.
struct Chunks {
    chunks: Receiver<io::Result<Vec<u8>>>,
    used: Sender<Vec<u8>>,
    current: Vec<u8>,
    at: usize,
    hasher: Hasher,
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.current.len() {
            match self.chunks.recv() {
                Ok(next) => {
                    let next = next?;
                    // The inflater may have ended: then the buffer is simply freed.
                    let _ = self.used.send(std::mem::replace(&mut self.current, next));
                    self.hasher.update(&self.current);
                    self.at = 0;
                }
                Err(_) => return Ok(0),
            }
        }
        let n = into.len().min(self.current.len() - self.at);
        into[..n].copy_from_slice(&self.current[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}
