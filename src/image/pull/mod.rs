//! A pull from beginning to end: resolve, choose the platform, fetch and unpack layers in parallel, record the image.

mod layer;
mod part;
mod unpacker;

use super::layers::{LayerStore, chain_id};
use super::manifest::{Config, Descriptor, Manifest};
use super::registry::{Document, RegistryClient, Repository};
use super::{Error, Result, inherit, limits, platform};
use crate::model::image::{Image, Layer, Platform};
use crate::model::reference::{Digest, Reference};
use crate::model::time::Timestamp;
use crate::store::content::ContentStore;
use crate::sys::files;
use futures_util::stream::{self, StreamExt};
use layer::Wanted;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Blobs fetched at once.
const FETCHES: usize = 4;

/// What to pull.
#[derive(Clone, Debug)]
pub struct PullRequest {
    pub reference: Reference,
    /// `None`: this machine's.
    pub platform: Option<Platform>,
    /// The manifest the name stands for in the store now: when the registry says the same and the layers are here,
    /// nothing is done.
    pub known: Option<Digest>,
    /// When the image comes into the store.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Pulled {
    pub image: Image,
    /// The registry's image was here already.
    pub up_to_date: bool,
    /// What could not be kept while unpacking, for people.
    pub warnings: Vec<String>,
}

/// A layer's way, in docker's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerState {
    Waiting,
    Downloading,
    Extracting,
    Verifying,
    Done,
    Exists,
    Failed,
}

/// News of a running pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// `resolving`, `downloading`.
    Stage(&'static str),
    /// Once, bottom first: blob digest and size as shipped of each layer.
    Layers(Vec<(Digest, u64)>),
    /// Layer `index` of them: its state, and bytes (as shipped) done in that state. A layer is extracted while it is
    /// still downloaded, so that news of both states alternate.
    Layer { index: usize, state: LayerState, done: u64 },
    /// A retry and its reason, a warning.
    Note(String),
}

/// Hears of everything; called from several threads, must not block.
pub type Sink = Arc<dyn Fn(Update) + Send + Sync>;

/// Where a pull puts things.
#[derive(Clone, Debug)]
pub struct Stores {
    pub content: ContentStore,
    pub layers: LayerStore,
}

/// Pulls one image. Nothing of it is visible before it is verified; after an error or `cancel` only partial downloads
/// stay, which the next pull resumes.
pub async fn pull(
    client: &RegistryClient,
    stores: &Stores,
    request: PullRequest,
    sink: Sink,
    cancel: &CancellationToken,
) -> Result<Pulled> {
    // A child, so that dropping this future stops the blocking threads too.
    let cancel = cancel.child_token();
    let _stop = cancel.clone().drop_guard();
    let work = Pull { client, stores, sink, cancel: cancel.clone() };
    tokio::select! {
        result = work.run(request) => result,
        () = cancel.cancelled() => Err(Error::Cancelled),
    }
}

/// What an image consists of, resolved.
struct Resolved {
    /// What the name stands for: an index or the manifest itself.
    top: Document,
    manifest: Document,
    config: Config,
    config_digest: Digest,
    config_bytes: Vec<u8>,
    layers: Vec<Descriptor>,
}

struct Pull<'a> {
    client: &'a RegistryClient,
    stores: &'a Stores,
    sink: Sink,
    cancel: CancellationToken,
}

impl Pull<'_> {
    async fn run(&self, request: PullRequest) -> Result<Pulled> {
        (self.sink)(Update::Stage("resolving"));
        let sink = self.sink.clone();
        let repository = self.client.repository(&request.reference, Arc::new(move |note| sink(Update::Note(note))))?;
        let resolved = self.resolve(&repository, &request).await?;
        let wanted = wanted(&resolved);
        (self.sink)(Update::Layers(wanted.iter().map(|w| (w.blob.digest.clone(), w.blob.size)).collect()));
        let here = wanted.iter().all(|w| self.stores.layers.contains(&w.chain_id));
        let up_to_date = here && request.known.as_ref() == Some(&resolved.manifest.digest);
        (self.sink)(Update::Stage("downloading"));
        let (layers, warnings) = self.layers(&repository, wanted).await?;
        let (store, chain) = (self.stores.layers.clone(), layers.clone());
        let inherited = tokio::task::spawn_blocking(move || inherit::inherit(&store, &chain)).await;
        inherited.map_err(|e| Error::io("a worker thread", std::io::Error::other(e.to_string())))??;
        let image = self.record(&repository, &request, &resolved, layers)?;
        Ok(Pulled { image, up_to_date, warnings })
    }

    async fn resolve(&self, repository: &Repository, request: &PullRequest) -> Result<Resolved> {
        let reference = &request.reference;
        let what = reference.familiar();
        let top = match (&reference.digest, &reference.tag) {
            (Some(digest), _) => repository.by_digest(digest).await?,
            (None, Some(tag)) => repository.tagged(tag).await?,
            (None, None) => return Err(Error::invalid(what, "it has neither tag nor digest")),
        };
        let wanted = request.platform.clone().unwrap_or_else(platform::host);
        let mut manifest = top.clone();
        let mut depth = 0;
        let (config, layers) = loop {
            match Manifest::parse(&manifest, &what)? {
                Manifest::Image { config, layers } => break (config, layers),
                Manifest::Index(_) if depth == 2 => {
                    return Err(Error::invalid(format!("the manifest of {what}"), "indexes within indexes"));
                }
                Manifest::Index(entries) => {
                    depth += 1;
                    let chosen = platform::choose(&entries, &wanted).ok_or_else(|| Error::NoPlatform {
                        wanted: wanted.to_string(),
                        available: platform::offered(&entries),
                    })?;
                    manifest = self.document(repository, &chosen.digest).await?;
                }
            }
        };
        let config_bytes = match self.stores.content.read(&config.digest, limits::CONFIG_BYTES) {
            Ok(bytes) if bytes.len() as u64 == config.size => bytes,
            _ => repository.small_blob(&config.digest, config.size, limits::CONFIG_BYTES).await?,
        };
        let config_digest = config.digest;
        let config = Config::parse(&config_bytes, layers.len(), &what)?;
        self.check_platform(&config, &wanted, request.platform.is_some())?;
        Ok(Resolved { top, manifest, config, config_digest, config_bytes, layers })
    }

    /// A document by digest, from the store when it is there: its bytes cannot be others.
    async fn document(&self, repository: &Repository, digest: &Digest) -> Result<Document> {
        match self.stores.content.read(digest, limits::MANIFEST_BYTES) {
            Ok(bytes) => Ok(Document { digest: digest.clone(), content_type: String::new(), bytes }),
            Err(_) => repository.by_digest(digest).await,
        }
    }

    /// Indexes choose by their own words; what counts is what the image says of itself.
    fn check_platform(&self, config: &Config, wanted: &Platform, asked: bool) -> Result<()> {
        let has = super::manifest::PlatformField {
            os: config.os.clone(),
            architecture: config.architecture.clone(),
            variant: config.variant.clone(),
        };
        if config.os.is_empty() || platform::fits(&has, wanted) {
            return Ok(());
        }
        let available = super::registry_line(&format!("{}/{}", has.os, has.architecture));
        if asked || has.os != wanted.os {
            return Err(Error::NoPlatform { wanted: wanted.to_string(), available });
        }
        (self.sink)(Update::Note(format!("the image is for {available}, this machine is {wanted}")));
        Ok(())
    }

    /// All layers, bottom first. The first failure stops the others.
    async fn layers(&self, repository: &Repository, wanted: Vec<Wanted>) -> Result<(Vec<Layer>, Vec<String>)> {
        let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).max(2);
        let (fetches, unpacks) = (Semaphore::new(FETCHES), Semaphore::new(workers));
        // Stops the other layers when one fails, and is not taken for the user's wish.
        let stop = self.cancel.child_token();
        let shared = layer::Shared {
            repository,
            store: &self.stores.layers,
            sink: &self.sink,
            cancel: &stop,
            fetches: &fetches,
            unpacks: &unpacks,
        };
        self.check_space(&wanted)?;
        let mut order: Vec<usize> = (0..wanted.len()).collect();
        // The largest first: it must not be what everybody waits for at the end.
        order.sort_by_key(|i| std::cmp::Reverse(wanted[*i].blob.size));
        let mut running =
            std::pin::pin!(stream::iter(order).map(|i| shared.layer(&wanted[i])).buffer_unordered(FETCHES + workers));
        let mut done: Vec<Option<Layer>> = wanted.iter().map(|_| None).collect();
        let mut warnings = Vec::new();
        while let Some(result) = running.next().await {
            match result {
                Ok((index, layer, said)) => {
                    done[index] = Some(layer);
                    warnings.extend(said);
                }
                Err(error) => {
                    stop.cancel();
                    // Their threads must be off our files before the caller cleans up.
                    while running.next().await.is_some() {}
                    return Err(error);
                }
            }
        }
        Ok((done.into_iter().flatten().collect(), warnings))
    }

    /// Compressed sizes are a lower bound of what the disk must hold.
    fn check_space(&self, wanted: &[Wanted]) -> Result<()> {
        let missing = wanted.iter().filter(|w| !self.stores.layers.contains(&w.chain_id));
        let needed = missing.fold(0_u64, |sum, w| sum.saturating_add(w.blob.size));
        let free = files::free_space(self.stores.layers.ingest())?;
        if needed > free {
            let what = format!("layers of {needed} bytes (compressed); {free} bytes are free");
            return Err(Error::NoSpace { what });
        }
        Ok(())
    }

    fn record(
        &self,
        repository: &Repository,
        request: &PullRequest,
        resolved: &Resolved,
        layers: Vec<Layer>,
    ) -> Result<Image> {
        let content = &self.stores.content;
        content.put(&resolved.config_digest, &resolved.config_bytes)?;
        content.put(&resolved.manifest.digest, &resolved.manifest.bytes)?;
        content.put(&resolved.top.digest, &resolved.top.bytes)?;
        let config = &resolved.config;
        let named = Reference { digest: None, ..request.reference.clone() };
        let name = Reference { tag: None, digest: None, ..named.clone() };
        let repo_digest = format!("{}@{}", name.familiar(), resolved.top.digest);
        let what = repository.name();
        let config_json = String::from_utf8(resolved.config_bytes.clone())
            .map_err(|_| Error::invalid(format!("the configuration of {what}"), "it is not UTF-8"))?;
        Ok(Image {
            id: resolved.config_digest.clone(),
            manifest: resolved.manifest.digest.clone(),
            references: if named.tag.is_some() { vec![named] } else { Vec::new() },
            repo_digests: vec![repo_digest],
            created: config.created.as_deref().and_then(Timestamp::parse_rfc3339),
            stored: request.now,
            size: layers.iter().map(|l| l.size).sum(),
            architecture: config.architecture.clone(),
            os: config.os.clone(),
            variant: config.variant.clone().unwrap_or_default(),
            layers,
            config_json,
        })
    }
}

fn wanted(resolved: &Resolved) -> Vec<Wanted> {
    let mut parent: Option<Digest> = None;
    let pairs = resolved.layers.iter().zip(resolved.config.diff_ids()).enumerate();
    pairs
        .map(|(index, (blob, diff_id))| {
            let chain = chain_id(parent.as_ref(), diff_id);
            parent = Some(chain.clone());
            Wanted { index, blob: blob.clone(), diff_id: diff_id.clone(), chain_id: chain }
        })
        .collect()
}
