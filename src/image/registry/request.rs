//! A request with everything that makes it dependable: token renewal on 401, retries with backoff, readable refusals.

use super::Repository;
use super::transport::{Failure, asked};
use crate::image::{Error, Result, limits, registry_line};
use reqwest::header::HeaderMap;
use reqwest::{Method, Response, StatusCode};
use std::time::Duration;

/// Counts the attempts at one thing and waits between them.
pub struct Attempts<'a> {
    repository: &'a Repository,
    what: &'a str,
    made: u32,
}

impl<'a> Attempts<'a> {
    pub fn new(repository: &'a Repository, what: &'a str, made: u32) -> Self {
        Attempts { repository, what, made }
    }

    pub fn made(&self) -> u32 {
        self.made
    }

    /// Waits before the next attempt, or gives the error to end with.
    pub async fn pause(&mut self, why: &str, wait_asked: Option<Duration>, limited: bool) -> Result<()> {
        self.made += 1;
        let what = self.what.to_owned();
        match self.repository.client.inner.options.patience.wait(self.made + 1, wait_asked) {
            Some(wait) => {
                let seconds = wait.as_secs_f64();
                (self.repository.note)(format!("{what}: {why}; trying again in {seconds:.1} s"));
                tokio::time::sleep(wait).await;
                Ok(())
            }
            None if limited => Err(Error::RateLimited { what, said: why.to_owned() }),
            None => Err(Error::Unavailable { what, attempts: self.made, why: why.to_owned() }),
        }
    }

    /// [`Attempts::pause`] for a failed exchange; fatal ones end it.
    pub async fn recover(&mut self, failure: Failure) -> Result<()> {
        let host = &self.repository.host;
        match failure {
            Failure::Fatal(error) => Err(error),
            Failure::WantsTls if host.use_tls() => Ok(()),
            Failure::WantsTls => self.pause("the answer is not HTTP", None, false).await,
            // Nobody listens there: only worth waiting for when somebody did before.
            Failure::Again { why, refused: true, .. } if !host.seen() => {
                Err(Error::Unavailable { what: self.what.to_owned(), attempts: self.made + 1, why })
            }
            Failure::Again { why, asked, .. } => self.pause(&why, asked, false).await,
        }
    }
}

impl Repository {
    /// A GET whose successful response's body is small. Retried as a whole.
    pub(super) async fn small(
        &self,
        path: &str,
        headers: HeaderMap,
        limit: u64,
        what: &str,
    ) -> Result<(HeaderMap, Vec<u8>)> {
        let mut attempts = Attempts::new(self, what, 0);
        loop {
            let mut response = self.get(path, &headers, what, &mut attempts).await?;
            match self.client.inner.transport.body(&mut response, limit, what).await {
                Ok(body) => return Ok((response.headers().clone(), body)),
                Err(failure) => attempts.recover(failure).await?,
            }
        }
    }

    /// A GET until a successful response's headers are here.
    pub(super) async fn get(
        &self,
        path: &str,
        headers: &HeaderMap,
        what: &str,
        attempts: &mut Attempts<'_>,
    ) -> Result<Response> {
        let scope = format!("repository:{}:pull", self.name);
        let mut renewed = 0;
        loop {
            let url = self.host.url(path)?;
            let token = self.host.token(&scope);
            let transport = &self.client.inner.transport;
            let sent = transport.send(Method::GET, url.clone(), headers, token.as_ref(), None).await;
            let mut response = match sent {
                Ok(response) => response,
                Err(failure) => {
                    attempts.recover(failure).await?;
                    continue;
                }
            };
            self.host.set_seen();
            let status = response.status();
            if status.is_success() {
                return Ok(response);
            }
            let ours = response.url().origin() == url.origin();
            if status == StatusCode::UNAUTHORIZED && ours && renewed < 2 {
                renewed += 1;
                self.authenticate(&scope, token, response.headers(), what).await?;
                continue;
            }
            let wait = asked(response.headers());
            let said = self.said(&mut response).await;
            self.refused(status, ours, wait, said, what, attempts).await?;
        }
    }

    /// Waits when the status is one that passes; otherwise the error it stands for.
    async fn refused(
        &self,
        status: StatusCode,
        ours: bool,
        wait: Option<Duration>,
        said: String,
        what: &str,
        attempts: &mut Attempts<'_>,
    ) -> Result<()> {
        let owned = what.to_owned();
        let why = if said.is_empty() { format!("status {status}") } else { format!("status {status}: {said}") };
        match status.as_u16() {
            400 if self.host.plain_allowed() && said.contains("HTTPS") && self.host.use_tls() => Ok(()),
            401 if ours => Err(Error::Unauthorized { what: owned, said }),
            403 if ours => Err(Error::Forbidden { what: owned, said }),
            // An expired link of the storage behind the registry: asking the registry anew gives a fresh one.
            401 | 403 => attempts.pause(&format!("the registry's storage answers {why}"), None, false).await,
            404 => Err(Error::NotFound { what: owned, said }),
            416 => Err(Error::Protocol { what: owned, why }),
            429 => attempts.pause(&why, wait, true).await,
            408 | 425 | 500.. => attempts.pause(&why, wait, false).await,
            _ => Err(Error::Protocol { what: owned, why }),
        }
    }

    /// What an error body says, made fit for one line.
    async fn said(&self, response: &mut Response) -> String {
        #[derive(serde::Deserialize)]
        struct Errors {
            errors: Vec<Detail>,
        }
        #[derive(serde::Deserialize)]
        struct Detail {
            #[serde(default)]
            code: String,
            #[serde(default)]
            message: String,
        }
        let Ok(body) = self.client.inner.transport.body(response, limits::ANSWER_BYTES, "error").await else {
            return String::new();
        };
        let parsed = serde_json::from_slice::<Errors>(&body).ok().and_then(|e| e.errors.into_iter().next());
        let text = match parsed {
            Some(Detail { code, message }) if message.is_empty() => code,
            Some(Detail { message, .. }) => message,
            None => String::from_utf8_lossy(&body).into_owned(),
        };
        registry_line(&text)
    }
}
