//! What is known of one registry while teu runs: its address, whether it speaks TLS, and the tokens it gave.

use crate::image::{Error, Result};
use reqwest::Url;
use reqwest::header::HeaderValue;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

pub struct Host {
    /// As in references: `docker.io`.
    registry: String,
    /// `host[:port]` to connect to.
    authority: String,
    /// May be spoken to in plain HTTP.
    plain_allowed: bool,
    plain: AtomicBool,
    /// Something answered there: then a refused connection is a restart and worth a retry.
    seen: AtomicBool,
    tokens: Mutex<HashMap<String, HeaderValue>>,
    /// Held while a token is fetched, so that one fetch serves all who wait.
    pub renewing: tokio::sync::Mutex<()>,
}

impl Host {
    pub fn new(registry: &str, plain_allowed: bool) -> Result<Host> {
        let authority = match registry {
            "docker.io" => "registry-1.docker.io",
            other => other,
        };
        let host = Host {
            registry: registry.to_owned(),
            authority: authority.to_owned(),
            plain_allowed,
            plain: AtomicBool::new(plain_allowed),
            seen: AtomicBool::new(false),
            tokens: Mutex::default(),
            renewing: tokio::sync::Mutex::default(),
        };
        host.url("/v2/")?;
        Ok(host)
    }

    pub fn registry(&self) -> &str {
        &self.registry
    }

    pub fn plain_allowed(&self) -> bool {
        self.plain_allowed
    }

    /// The address of `path` (with query) on this registry.
    pub fn url(&self, path: &str) -> Result<Url> {
        let scheme = if self.plain.load(Ordering::Relaxed) { "http" } else { "https" };
        Url::parse(&format!("{scheme}://{}{path}", self.authority))
            .map_err(|e| Error::invalid(format!("registry '{}'", self.registry), e.to_string()))
    }

    /// A loopback or insecure registry turned out to want TLS. True when that is news.
    pub fn use_tls(&self) -> bool {
        self.plain.swap(false, Ordering::Relaxed)
    }

    pub fn seen(&self) -> bool {
        self.seen.load(Ordering::Relaxed)
    }

    pub fn set_seen(&self) {
        self.seen.store(true, Ordering::Relaxed);
    }

    /// The Authorization header that worked last for `scope`.
    pub fn token(&self, scope: &str) -> Option<HeaderValue> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(scope).cloned()
    }

    pub fn set_token(&self, scope: &str, header: HeaderValue) {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(scope.to_owned(), header);
    }

    pub fn forget_token(&self, scope: &str) {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).remove(scope);
    }
}
