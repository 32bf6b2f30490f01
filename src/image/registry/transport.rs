//! One HTTP exchange: which client, redirects by hand so that credentials stay where they belong, silence noticed.

use super::Options;
use super::patience::retry_after;
use crate::image::{Error, Result};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, Response, Url, redirect};
use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

const REDIRECTS: usize = 5;

pub struct Transport {
    /// For loopback and insecure registries: no proxy, certificates not checked.
    open: Client,
    /// For everything else; made when first needed, since it reads the machine's certificates.
    strict: OnceLock<Result<Client, String>>,
    insecure: Vec<String>,
    silence: Duration,
    connect: Duration,
}

/// An exchange that did not end in a response we may use.
#[derive(Debug)]
pub enum Failure {
    /// Worth another attempt.
    Again {
        why: String,
        asked: Option<Duration>,
        refused: bool,
    },
    /// The other side does not speak plain HTTP.
    WantsTls,
    Fatal(Error),
}

impl Failure {
    pub fn again(why: impl Into<String>) -> Failure {
        Failure::Again { why: why.into(), asked: None, refused: false }
    }
}

impl Transport {
    pub fn new(options: &Options) -> Result<Transport> {
        // Fails only when a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = builder(options.patience.connect).no_proxy().tls_danger_accept_invalid_certs(true);
        let open = builder.build().map_err(|e| unusable(&e))?;
        let (silence, connect) = (options.patience.silence, options.patience.connect);
        Ok(Transport { open, strict: OnceLock::new(), insecure: options.insecure.clone(), silence, connect })
    }

    /// Whether `authority` (`host[:port]`) is loopback or configured as insecure.
    pub fn may_be_plain(&self, authority: &str) -> bool {
        let url = Url::parse(&format!("http://{authority}/"));
        url.is_ok_and(|url| self.is_open(&url))
    }

    /// The same for an address.
    pub fn is_open(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let with_port = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        is_loopback(host) || self.insecure.iter().any(|i| *i == with_port || *i == host)
    }

    fn client(&self, url: &Url) -> Result<&Client, Failure> {
        if self.is_open(url) {
            return Ok(&self.open);
        }
        let strict = self.strict.get_or_init(|| builder(self.connect).build().map_err(|e| cause(&e)));
        strict.as_ref().map_err(|why| {
            Failure::Fatal(Error::Unsupported { what: String::from("HTTPS on this machine"), why: why.clone() })
        })
    }

    /// Sends a request and follows redirects. `authorization` goes to the origin of `url` and nowhere else, also not
    /// when a redirect leads back to it.
    pub async fn send(
        &self,
        method: Method,
        url: Url,
        headers: &HeaderMap,
        authorization: Option<&HeaderValue>,
        form: Option<&str>,
    ) -> Result<Response, Failure> {
        let mut target = url.clone();
        let mut trusted = authorization;
        for _ in 0..=REDIRECTS {
            self.permitted(&target)?;
            let mut request = self.client(&target)?.request(method.clone(), target.clone()).headers(headers.clone());
            if let Some(authorization) = trusted {
                request = request.header(AUTHORIZATION, authorization.clone());
            }
            if let Some(form) = form {
                request = request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned());
            }
            let sent = tokio::time::timeout(self.silence, request.send()).await;
            let response = match sent {
                Err(_) => return Err(Failure::again(format!("no answer within {} s", self.silence.as_secs()))),
                Ok(Err(e)) => return Err(classify(&e, &target)),
                Ok(Ok(response)) => response,
            };
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            if form.is_some() {
                return Err(Failure::Fatal(protocol(&url, "it redirects a request that carries a secret")));
            }
            let location = response.headers().get(LOCATION).and_then(|l| l.to_str().ok());
            let next = location.and_then(|l| target.join(l).ok());
            let next = next.ok_or_else(|| Failure::Fatal(protocol(&url, "a redirect leads nowhere")))?;
            if next.origin() != url.origin() {
                trusted = None;
            }
            if target.scheme() == "https" && next.scheme() != "https" {
                return Err(Failure::Fatal(protocol(&url, "it redirects from HTTPS to plain HTTP")));
            }
            target = next;
        }
        Err(Failure::Fatal(protocol(&url, &format!("it redirects more than {REDIRECTS} times"))))
    }

    /// Plain HTTP only to open hosts; nothing but HTTP; no credentials from an address.
    fn permitted(&self, url: &Url) -> Result<(), Failure> {
        let why = match url.scheme() {
            "https" => None,
            "http" if self.is_open(url) => None,
            "http" => Some("it leads to plain HTTP on a host that is neither loopback nor configured as insecure"),
            _ => Some("it leads to an address that is not HTTP"),
        };
        let why = why.or((!url.username().is_empty()).then_some("it leads to an address with a user name in it"));
        why.map_or(Ok(()), |why| Err(Failure::Fatal(protocol(url, why))))
    }

    /// The next piece of a body; `None` at its end.
    pub async fn chunk(&self, response: &mut Response) -> Result<Option<bytes::Bytes>, Failure> {
        match tokio::time::timeout(self.silence, response.chunk()).await {
            Err(_) => Err(Failure::again(format!("the connection was silent for {} s", self.silence.as_secs()))),
            Ok(Err(e)) => Err(Failure::again(cause(&e))),
            Ok(Ok(chunk)) => Ok(chunk),
        }
    }

    /// A whole body of at most `limit` bytes.
    pub async fn body(&self, response: &mut Response, limit: u64, what: &str) -> Result<Vec<u8>, Failure> {
        let too_large = || Failure::Fatal(Error::invalid(what, format!("it is larger than {limit} bytes")));
        if response.content_length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(response).await? {
            if body.len() as u64 + chunk.len() as u64 > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

fn builder(connect: Duration) -> reqwest::ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(connect)
        .pool_idle_timeout(Duration::from_secs(30))
        .pool_max_idle_per_host(8)
        // One connection a layer: no window to tune, no layer that stalls the others.
        .http1_only()
        .user_agent(concat!("teu/", env!("CARGO_PKG_VERSION")))
}

fn unusable(e: &reqwest::Error) -> Error {
    Error::Unsupported { what: String::from("HTTP on this machine"), why: cause(e) }
}

fn protocol(url: &Url, why: &str) -> Error {
    Error::Protocol { what: url.authority().to_owned(), why: why.to_owned() }
}

/// 127.0.0.0/8, ::1 and `localhost`.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The innermost reason, which says more than "error sending request".
pub fn cause(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        text = source.to_string();
        next = source.source();
    }
    text
}

fn classify(error: &reqwest::Error, url: &Url) -> Failure {
    let mut next = std::error::Error::source(error);
    let mut refused = false;
    let mut certificate = false;
    while let Some(source) = next {
        refused |= source.downcast_ref::<std::io::Error>().is_some_and(|e| {
            matches!(e.kind(), std::io::ErrorKind::ConnectionRefused | std::io::ErrorKind::HostUnreachable)
        });
        refused |= source.to_string().contains("failed to lookup address");
        certificate |= source
            .downcast_ref::<rustls::Error>()
            .is_some_and(|e| matches!(e, rustls::Error::InvalidCertificate(_) | rustls::Error::InvalidMessage(_)));
        next = source.source();
    }
    let why = cause(error);
    if certificate {
        let what = url.authority().to_owned();
        return Failure::Fatal(Error::Protocol { what, why: format!("TLS failed: {why}") });
    }
    // A TLS alert in answer to a plain request does not parse as HTTP.
    if url.scheme() == "http" && (why.contains("invalid HTTP version") || why.contains("invalid HTTP status")) {
        return Failure::WantsTls;
    }
    Failure::Again { why, asked: None, refused }
}

/// What Retry-After asks for.
pub fn asked(headers: &HeaderMap) -> Option<Duration> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, i64::try_from(now).unwrap_or(i64::MAX))
}
