//! The registry's protocol (OCI distribution, Docker v2): resolve, manifests, blobs with resume, tag lists.

mod auth;
mod blob;
mod challenge;
pub mod credentials;
mod host;
mod patience;
mod request;
mod transport;

pub use blob::BlobStream;
pub use credentials::AuthSources;
pub use patience::Patience;

use super::{Error, Result, limits};
use crate::model::reference::{Digest, Reference};
use host::Host;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, LINK};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use transport::Transport;

/// Everything teu can read, and what it cannot so that it can say so.
const MANIFEST_TYPES: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json, */*;q=0.1";

/// What a client may do and how long it tries.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub auth: AuthSources,
    /// `host[:port]` of registries that may be spoken to in plain HTTP or with unknown certificates. Loopback always may.
    pub insecure: Vec<String>,
    pub patience: Patience,
}

/// A line for people about what is going on: a retry and its reason.
pub type Note = Arc<dyn Fn(String) + Send + Sync>;

/// Connections, tokens and credentials for any number of registries. Cheap to clone.
#[derive(Clone)]
pub struct RegistryClient {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Transport,
    options: Options,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

/// One repository of one registry, for reading.
#[derive(Clone)]
pub struct Repository {
    client: RegistryClient,
    host: Arc<Host>,
    /// `library/nginx`
    name: String,
    note: Note,
}

/// A manifest or index as it came, verified against the digest it was asked by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub digest: Digest,
    /// Without parameters; empty when the registry named none.
    pub content_type: String,
    pub bytes: Vec<u8>,
}

impl RegistryClient {
    pub fn new(options: Options) -> Result<RegistryClient> {
        let transport = Transport::new(&options)?;
        Ok(RegistryClient { inner: Arc::new(Inner { transport, options, hosts: Mutex::default() }) })
    }

    /// The repository that `reference` names. `note` hears about retries.
    pub fn repository(&self, reference: &Reference, note: Note) -> Result<Repository> {
        let mut hosts = self.inner.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = match hosts.get(&reference.registry) {
            Some(host) => host.clone(),
            None => {
                let host =
                    Arc::new(Host::new(&reference.registry, self.inner.transport.may_be_plain(&reference.registry))?);
                hosts.insert(reference.registry.clone(), host.clone());
                host
            }
        };
        Ok(Repository { client: self.clone(), host, name: reference.repository.clone(), note })
    }
}

impl Repository {
    /// `registry/name`, for messages.
    pub fn name(&self) -> String {
        format!("{}/{}", self.host.registry(), self.name)
    }

    /// The manifest or index behind a tag.
    pub async fn tagged(&self, tag: &str) -> Result<Document> {
        let what = format!("{}:{tag}", self.name());
        let (headers, bytes) = self.manifest(tag, &what).await?;
        let digest = Digest::of(&bytes);
        // The header is only a promise: where it speaks of an algorithm we hash with, it must hold.
        if let Some(Ok(stated)) = text(&headers, "docker-content-digest").map(str::parse::<Digest>) {
            verify(&what, &stated, &bytes)?;
        }
        Ok(Document { digest, content_type: content_type(&headers), bytes })
    }

    /// The manifest or index with this digest.
    pub async fn by_digest(&self, digest: &Digest) -> Result<Document> {
        let what = format!("{}@{digest}", self.name());
        let (headers, bytes) = self.manifest(&digest.to_string(), &what).await?;
        verify(&what, digest, &bytes)?;
        Ok(Document { digest: digest.clone(), content_type: content_type(&headers), bytes })
    }

    async fn manifest(&self, reference: &str, what: &str) -> Result<(HeaderMap, Vec<u8>)> {
        let path = format!("/v2/{}/manifests/{reference}", self.name);
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(MANIFEST_TYPES));
        self.small(&path, headers, limits::MANIFEST_BYTES, what).await
    }

    /// A small blob (a configuration) in memory; size and digest are verified.
    pub async fn small_blob(&self, digest: &Digest, size: u64, limit: u64) -> Result<Vec<u8>> {
        let what = format!("{}@{digest}", self.name());
        if size > limit {
            return Err(Error::invalid(what, format!("it has {size} bytes; at most {limit} are read")));
        }
        let path = format!("/v2/{}/blobs/{digest}", self.name);
        let (_, bytes) = self.small(&path, HeaderMap::new(), size, &what).await?;
        if bytes.len() as u64 != size {
            let (expected, got) = (format!("{size} bytes"), format!("{} bytes", bytes.len()));
            return Err(Error::Mismatch { what, expected, got });
        }
        verify(&what, digest, &bytes)?;
        Ok(bytes)
    }

    /// A blob as a stream that survives broken connections; the caller verifies its digest. Begins at `offset`.
    pub fn blob(&self, digest: &Digest, size: u64, offset: u64) -> BlobStream {
        BlobStream::new(self.clone(), digest.clone(), size, offset)
    }

    /// All tags, in the registry's order.
    pub async fn tags(&self) -> Result<Vec<String>> {
        #[derive(serde::Deserialize)]
        struct Page {
            #[serde(default)]
            tags: Option<Vec<String>>,
        }
        let what = format!("the tags of {}", self.name());
        let mut path = format!("/v2/{}/tags/list", self.name);
        let mut all: Vec<String> = Vec::new();
        for _ in 0..limits::TAG_PAGES {
            let (headers, bytes) = self.small(&path, HeaderMap::new(), limits::MANIFEST_BYTES, &what).await?;
            super::manifest::check_depth(&bytes).map_err(|why| Error::invalid(&what, why))?;
            let page: Page = serde_json::from_slice(&bytes).map_err(|e| Error::invalid(&what, e.to_string()))?;
            all.extend(page.tags.unwrap_or_default());
            if all.len() > limits::TAGS {
                return Err(Error::invalid(what, format!("there are more than {}", limits::TAGS)));
            }
            match next_page(&headers, &path) {
                Some(next) => path = next,
                None => return Ok(all),
            }
        }
        Err(Error::invalid(what, "the list never ends"))
    }
}

/// RFC 8288 `Link: <URL>; rel="next"`, which must stay on this registry: only its path and query are taken.
fn next_page(headers: &HeaderMap, current: &str) -> Option<String> {
    let link = headers.get(LINK)?.to_str().ok()?;
    let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    if !parameters.contains("next") {
        return None;
    }
    let base = reqwest::Url::parse("http://registry.invalid").ok()?.join(current).ok()?;
    let next = base.join(target).ok()?;
    let path = match next.query() {
        Some(query) => format!("{}?{query}", next.path()),
        None => next.path().to_owned(),
    };
    (path.starts_with("/v2/") && path != current).then_some(path)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The media type without its parameters.
fn content_type(headers: &HeaderMap) -> String {
    let full = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    full.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn verify(what: &str, expected: &Digest, bytes: &[u8]) -> Result<()> {
    let mut hasher = crate::store::content::Hasher::new(expected.algorithm());
    hasher.update(bytes);
    let got = hasher.finish();
    if got == *expected {
        return Ok(());
    }
    Err(Error::Mismatch { what: what.to_owned(), expected: expected.to_string(), got: got.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_stays_on_the_registry() {
        let page = |link: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, link.parse().unwrap());
            next_page(&headers, "/v2/a/tags/list")
        };
        assert_eq!(page("</v2/a/tags/list?last=x&n=2>; rel=\"next\"").unwrap(), "/v2/a/tags/list?last=x&n=2");
        assert_eq!(page("<https://evil.test/v2/a/tags/list?last=x>; rel=\"next\"").unwrap(), "/v2/a/tags/list?last=x");
        assert_eq!(page("</other>; rel=\"next\""), None);
        assert_eq!(page("</v2/a/tags/list>; rel=\"next\""), None);
    }
}
