//! A blob as a stream that survives: a broken or silent connection is resumed by Range, a server without Range is read
//! again from the start and what is known skipped.

use super::Repository;
use super::request::Attempts;
use crate::image::{Error, Result};
use crate::model::reference::Digest;
use bytes::Bytes;
use reqwest::Response;
use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};

pub struct BlobStream {
    repository: Repository,
    digest: Digest,
    size: u64,
    /// Bytes handed out, counting those before the start.
    offset: u64,
    /// Bytes of the current response that were handed out before.
    skip: u64,
    response: Option<Response>,
    /// Attempts since the last byte of progress.
    attempts: u32,
    /// The server's answers to Range cannot be used.
    whole: bool,
}

impl BlobStream {
    pub(super) fn new(repository: Repository, digest: Digest, size: u64, offset: u64) -> BlobStream {
        BlobStream { repository, digest, size, offset, skip: 0, response: None, attempts: 0, whole: false }
    }

    fn what(&self) -> String {
        format!("{}@{}", self.repository.name(), self.digest)
    }

    /// The next bytes in order; `None` after exactly the stated size. More or fewer is an error.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if self.response.is_none() {
                if self.offset == self.size {
                    return Ok(None);
                }
                self.open().await?;
            }
            let Some(response) = &mut self.response else { continue };
            let transport = &self.repository.client.inner.transport;
            let failure = match transport.chunk(response).await {
                Ok(Some(chunk)) => match self.take(chunk)? {
                    Some(chunk) => return Ok(Some(chunk)),
                    None => continue,
                },
                Ok(None) if self.offset == self.size => {
                    self.response = None;
                    return Ok(None);
                }
                Ok(None) => super::transport::Failure::again("the body ended early"),
                Err(failure) => failure,
            };
            self.response = None;
            let what = self.what();
            let mut attempts = Attempts::new(&self.repository, &what, self.attempts);
            let recovered = attempts.recover(failure).await;
            self.attempts = attempts.made();
            recovered?;
        }
    }

    /// Drops what was handed out before and counts the rest.
    fn take(&mut self, mut chunk: Bytes) -> Result<Option<Bytes>> {
        if self.skip > 0 {
            let known = usize::try_from(self.skip).map_or(chunk.len(), |s| s.min(chunk.len()));
            self.skip -= known as u64;
            chunk = chunk.split_off(known);
        }
        if chunk.is_empty() {
            return Ok(None);
        }
        if chunk.len() as u64 > self.size - self.offset {
            let expected = format!("{} bytes", self.size);
            return Err(Error::Mismatch { what: self.what(), expected, got: String::from("more") });
        }
        self.offset += chunk.len() as u64;
        self.attempts = 0;
        Ok(Some(chunk))
    }

    async fn open(&mut self) -> Result<()> {
        let what = self.what();
        let path = format!("/v2/{}/blobs/{}", self.repository.name, self.digest);
        let mut headers = HeaderMap::new();
        let ranged = self.offset > 0 && !self.whole;
        if ranged && let Ok(range) = HeaderValue::from_str(&format!("bytes={}-", self.offset)) {
            headers.insert(RANGE, range);
        }
        let repository = self.repository.clone();
        let mut attempts = Attempts::new(&repository, &what, self.attempts);
        let opened = repository.get(&path, &headers, &what, &mut attempts).await;
        self.attempts = attempts.made();
        let response = match opened {
            Ok(response) => response,
            // 416: it does not know such a range; ask for the whole.
            Err(Error::Protocol { .. }) if ranged => {
                self.whole = true;
                return Ok(());
            }
            Err(e) => return Err(e),
        };
        let partial = response.status() == reqwest::StatusCode::PARTIAL_CONTENT;
        if partial {
            let stated = response.headers().get(CONTENT_RANGE).and_then(|v| v.to_str().ok()).and_then(content_range);
            let right =
                stated.is_some_and(|(start, total)| start == self.offset && total.is_none_or(|t| t == self.size));
            if !ranged || !right {
                // Not what was asked for: its bytes cannot be placed.
                self.whole = true;
                attempts.pause("the registry answers with another range", None, false).await?;
                self.attempts = attempts.made();
                return Ok(());
            }
        }
        self.skip = if partial { 0 } else { self.offset };
        let expected = if partial { self.size - self.offset } else { self.size };
        if let Some(length) = response.content_length()
            && length != expected
        {
            let (expected, got) = (format!("{expected} bytes"), format!("{length} bytes"));
            return Err(Error::Mismatch { what, expected, got });
        }
        self.response = Some(response);
        Ok(())
    }
}

/// `bytes START-END/TOTAL` (TOTAL may be `*`).
fn content_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    Some((start.parse().ok()?, total))
}

#[cfg(test)]
mod tests {
    #[test]
    fn content_range_is_start_and_total() {
        assert_eq!(super::content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(super::content_range("bytes 5-9/*"), Some((5, None)));
        assert_eq!(super::content_range("5-9/10"), None);
    }
}
