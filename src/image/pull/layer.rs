//! One layer: found, waited for, or fetched, unpacked, verified and committed.

use super::part::Part;
use super::{LayerState, Sink, Update, unpacker};
use crate::image::layers::{LayerLock, LayerStore, Staging};
use crate::image::manifest::Descriptor;
use crate::image::registry::{BlobStream, Repository};
use crate::image::unpack::Report;
use crate::image::{Error, Result};
use crate::model::image::Layer;
use crate::model::reference::Digest;
use crate::store::content::Hasher;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// How often to look whether another pull is done with a layer.
const LOCK_POLL: Duration = Duration::from_millis(100);
/// Progress is told in steps of at least this many bytes.
const STEP: u64 = 512 << 10;

/// One layer to be had.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub index: usize,
    pub blob: Descriptor,
    pub diff_id: Digest,
    pub chain_id: Digest,
}

/// What all layers of a pull share.
pub struct Shared<'a> {
    pub repository: &'a Repository,
    pub store: &'a LayerStore,
    pub sink: &'a Sink,
    pub cancel: &'a CancellationToken,
    pub fetches: &'a Semaphore,
    pub unpacks: &'a Semaphore,
}

/// How far an attempt came.
enum Attempt {
    Done(Layer, Report),
    /// Bytes kept from an earlier pull proved wrong and are gone: worth one more attempt from the start.
    Rotten(Error),
}

impl Shared<'_> {
    /// The layer with its index, and warnings.
    pub async fn layer(&self, wanted: &Wanted) -> Result<(usize, Layer, Vec<String>)> {
        let tell = teller(self.sink, wanted.index);
        tell(LayerState::Waiting, 0);
        let result = self.get(wanted, &tell).await;
        match &result {
            Ok(_) => {}
            Err(_) => tell(LayerState::Failed, 0),
        }
        result.map(|(layer, warnings)| (wanted.index, layer, warnings))
    }

    async fn get(&self, wanted: &Wanted, tell: &Tell) -> Result<(Layer, Vec<String>)> {
        let exists = |layer| {
            tell(LayerState::Exists, wanted.blob.size);
            Ok((layer, Vec::new()))
        };
        if let Some(layer) = self.store.get(&wanted.chain_id) {
            return exists(layer);
        }
        let _lock = self.lock(&wanted.blob.digest).await?;
        // Whoever had the lock may have made exactly this layer.
        if let Some(layer) = self.store.get(&wanted.chain_id) {
            return exists(layer);
        }
        let (layer, report) = match self.attempt(wanted, tell).await? {
            Attempt::Done(layer, report) => (layer, report),
            Attempt::Rotten(error) => {
                (self.sink)(Update::Note(format!("a kept partial download was corrupt ({error}); fetching it again")));
                match self.attempt(wanted, tell).await? {
                    Attempt::Done(layer, report) => (layer, report),
                    Attempt::Rotten(error) => return Err(error),
                }
            }
        };
        tell(LayerState::Done, wanted.blob.size);
        Ok((layer, report.warnings))
    }

    async fn lock(&self, blob: &Digest) -> Result<LayerLock> {
        let mut told = false;
        loop {
            if let Some(lock) = self.store.try_lock(blob)? {
                return Ok(lock);
            }
            if !std::mem::replace(&mut told, true) {
                (self.sink)(Update::Note(format!("waiting for another pull of layer {}", blob.short())));
            }
            tokio::select! {
                () = self.cancel.cancelled() => return Err(Error::Cancelled),
                () = tokio::time::sleep(LOCK_POLL) => {}
            }
        }
    }

    async fn attempt(&self, wanted: &Wanted, tell: &Tell) -> Result<Attempt> {
        let size = wanted.blob.size;
        let path = self.store.ingest().join(format!("blob-{}.part", wanted.blob.digest.hex()));
        let permit = self.permit(self.fetches).await?;
        let part = Arc::new(Part::open(&path, size)?);
        let resumed = part.written() > 0;
        let stop = self.cancel.child_token();
        let fetch = Fetch {
            part: part.clone(),
            hasher: Hasher::new(wanted.blob.digest.algorithm()),
            stream: self.repository.blob(&wanted.blob.digest, size, part.written()),
            size,
            tell: tell.clone(),
            cancel: stop.clone(),
        };
        let handle = Handle::current();
        let fetching = tokio::task::spawn_blocking(move || fetch.run(&handle));
        let fetching = async {
            let result = fetching.await.unwrap_or_else(|e| Err(lost(&e)));
            drop(permit);
            result
        };
        let unpacking = async {
            let result = self.unpack(wanted, &part, tell).await;
            // Of a malformed archive the blob's digest tells whose fault it is: fetch on. Else the rest is no use now.
            if result.as_ref().is_err_and(|e| !matches!(e, Error::Invalid { .. })) {
                stop.cancel();
            }
            result
        };
        let (fetched, unpacked) = tokio::join!(fetching, unpacking);
        self.judge(wanted, &part, resumed, fetched, unpacked)
    }

    async fn permit<'s>(&self, semaphore: &'s Semaphore) -> Result<tokio::sync::SemaphorePermit<'s>> {
        tokio::select! {
            () = self.cancel.cancelled() => Err(Error::Cancelled),
            permit = semaphore.acquire() => permit.map_err(|_| Error::Cancelled),
        }
    }

    async fn unpack(&self, wanted: &Wanted, part: &Arc<Part>, tell: &Tell) -> Result<(Staging, Digest, Report)> {
        let _permit = self.permit(self.unpacks).await?;
        let staging = self.store.stage()?;
        let (store, part, cancel, tell) = (self.store.clone(), part.clone(), self.cancel.clone(), tell.clone());
        let (size, algorithm) = (wanted.blob.size, wanted.diff_id.algorithm());
        let work = move || {
            let mut told = 0;
            let passed = |position| {
                if position >= told + STEP {
                    told = position;
                    tell(LayerState::Extracting, position);
                }
                !cancel.is_cancelled()
            };
            let (digest, report) = unpacker::run(&part, size, &staging, &store, algorithm, passed)?;
            tell(LayerState::Verifying, size);
            Ok((staging, digest, report))
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(lost(&e)))
    }

    /// Both halves are over: commit only when blob digest and diff id are right. The blob's own digest says most.
    fn judge(
        &self,
        wanted: &Wanted,
        part: &Part,
        resumed: bool,
        fetched: Result<Digest>,
        unpacked: Result<(Staging, Digest, Report)>,
    ) -> Result<Attempt> {
        let what = || format!("layer {}", wanted.blob.digest.short());
        let mismatch = |expected: &Digest, got: &Digest| Error::Mismatch {
            what: what(),
            expected: expected.to_string(),
            got: got.to_string(),
        };
        let got = match (fetched, unpacked.as_ref().err()) {
            (Ok(got), _) => got,
            // Unpacking failed for a reason of its own (a full disk) and stopped the fetch: the part is kept.
            (Err(Error::Cancelled), Some(_)) if !self.cancel.is_cancelled() => {
                return unpacked.map_or_else(Err, |_| Err(Error::Cancelled));
            }
            (Err(error), _) => {
                if matches!(error, Error::Mismatch { .. } | Error::Invalid { .. }) {
                    part.remove()?;
                }
                return Err(error);
            }
        };
        if got != wanted.blob.digest {
            part.remove()?;
            let error = mismatch(&wanted.blob.digest, &got);
            return if resumed { Ok(Attempt::Rotten(error)) } else { Err(error) };
        }
        let (staging, diff_id, report) = match unpacked {
            Ok(done) => done,
            Err(error) => {
                // The bytes are what the registry means; only space or permission may differ next time.
                if matches!(error, Error::Invalid { .. } | Error::Mismatch { .. } | Error::Unsupported { .. }) {
                    part.remove()?;
                }
                return Err(in_layer(error, &what()));
            }
        };
        if diff_id != wanted.diff_id {
            part.remove()?;
            return Err(mismatch(&wanted.diff_id, &diff_id));
        }
        let layer = Layer {
            blob: wanted.blob.digest.clone(),
            media_type: wanted.blob.media_type.clone(),
            blob_size: wanted.blob.size,
            diff_id,
            chain_id: wanted.chain_id.clone(),
            size: report.size,
        };
        self.store.commit(staging, &layer, &report.implicit)?;
        part.remove()?;
        Ok(Attempt::Done(layer, report))
    }
}

/// Says which layer an archive's fault is in.
fn in_layer(error: Error, layer: &str) -> Error {
    match error {
        Error::Invalid { what, why } => Error::Invalid { what: format!("{layer}: {what}"), why },
        other => other,
    }
}

fn lost(error: &tokio::task::JoinError) -> Error {
    Error::io("a worker thread", std::io::Error::other(error.to_string()))
}

type Tell = Arc<dyn Fn(LayerState, u64) + Send + Sync>;

fn teller(sink: &Sink, index: usize) -> Tell {
    let sink = sink.clone();
    Arc::new(move |state, done| sink(Update::Layer { index, state, done }))
}

/// The fetching half, on a thread of its own: writing and hashing block.
struct Fetch {
    part: Arc<Part>,
    hasher: Hasher,
    stream: BlobStream,
    size: u64,
    tell: Tell,
    cancel: CancellationToken,
}

impl Fetch {
    /// The digest of the whole blob.
    fn run(mut self, handle: &Handle) -> Result<Digest> {
        let result = self.fetch(handle);
        self.part.end(result.as_ref().map(drop).map_err(ToString::to_string));
        result.map(|()| self.hasher.finish())
    }

    fn fetch(&mut self, handle: &Handle) -> Result<()> {
        let cancel = self.cancel.clone();
        self.part.rehash(&mut self.hasher, || cancel.is_cancelled())?;
        let mut done = self.part.written();
        let mut told = done;
        (self.tell)(LayerState::Downloading, done);
        loop {
            let next = handle.block_on(async {
                tokio::select! {
                    biased;
                    () = cancel.cancelled() => Err(Error::Cancelled),
                    next = self.stream.next() => next,
                }
            })?;
            let Some(chunk) = next else { break };
            self.hasher.update(&chunk);
            self.part.append(&chunk)?;
            done += chunk.len() as u64;
            if done >= told + STEP || done == self.size {
                told = done;
                (self.tell)(LayerState::Downloading, done);
            }
        }
        Ok(())
    }
}
