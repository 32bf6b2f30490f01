//! From a 401 to an Authorization header: basic, or a bearer token from the realm, by password or identity token.

use super::challenge::{self, Challenge};
use super::credentials::Credentials;
use super::request::Attempts;
use super::transport::Failure;
use super::{Repository, transport};
use crate::image::{Error, Result, limits};
use base64::Engine as _;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, Url};

impl Repository {
    /// Answers the challenge in `headers` and keeps the result for `scope`. `used` is the header that was refused:
    /// when another request has renewed it in the meantime, that is enough.
    pub(super) async fn authenticate(
        &self,
        scope: &str,
        used: Option<HeaderValue>,
        headers: &HeaderMap,
        what: &str,
    ) -> Result<()> {
        let _one = self.host.renewing.lock().await;
        let current = self.host.token(scope);
        if current.is_some() && current != used {
            return Ok(());
        }
        self.host.forget_token(scope);
        let (credentials, notes) = self.credentials().await;
        let refuse = |said: String| Error::Unauthorized { what: what.to_owned(), said };
        let challenge = challenge::read(headers).ok_or_else(|| refuse(String::from("no challenge we can answer")))?;
        // Why there are none is what people have to mend.
        let with_notes = |said: &str| [&[said.to_owned()], &notes[..]].concat().join("; ");
        let header = match (challenge, credentials) {
            (Challenge::Basic, Some(Credentials::Password { username, password })) => {
                let header = basic(&username, &password)?;
                if used.as_ref() == Some(&header) {
                    return Err(refuse(String::from("the saved user name and password were refused")));
                }
                header
            }
            (Challenge::Basic, None) => return Err(refuse(with_notes("no credentials are saved for it"))),
            (Challenge::Basic, Some(_)) => {
                return Err(refuse(String::from("it asks for a user name and password, but a token is saved for it")));
            }
            (Challenge::Bearer { .. }, Some(Credentials::RegistryToken(token))) => {
                let header = secret(&format!("Bearer {token}"))?;
                if used.as_ref() == Some(&header) {
                    return Err(refuse(String::from("the saved registry token was refused")));
                }
                header
            }
            (Challenge::Bearer { realm, service, scope: stated }, credentials) => {
                let realm = challenge::trusted_realm(&realm, &self.host.url("/v2/")?, &self.client.inner.transport);
                let realm = realm.map_err(refuse)?;
                let scope = stated.unwrap_or_else(|| scope.to_owned());
                let token = self.token(realm, service.as_deref(), &scope, credentials.as_ref(), what).await;
                let token = token.map_err(|e| match e {
                    Error::Unauthorized { what, said } => Error::Unauthorized { what, said: with_notes(&said) },
                    other => other,
                })?;
                secret(&format!("Bearer {token}"))?
            }
        };
        self.host.set_token(scope, header);
        Ok(())
    }

    /// And what was wrong with those that were looked for.
    async fn credentials(&self) -> (Option<Credentials>, Vec<String>) {
        let sources = &self.client.inner.options.auth;
        let (found, notes) = sources.find(self.host.registry(), &self.name).await;
        for note in &notes {
            (self.note)(note.clone());
        }
        (found, notes)
    }

    /// Docker's token protocol: GET with basic authentication, or an OAuth2 refresh by POST.
    async fn token(
        &self,
        realm: Url,
        service: Option<&str>,
        scope: &str,
        credentials: Option<&Credentials>,
        what: &str,
    ) -> Result<String> {
        let mut url = realm;
        let (method, authorization, form) = match credentials {
            Some(Credentials::IdentityToken(token)) => {
                let fields = [
                    ("grant_type", "refresh_token"),
                    ("service", service.unwrap_or_default()),
                    ("client_id", "teu"),
                    ("scope", scope),
                    ("refresh_token", token.as_str()),
                ];
                (Method::POST, None, Some(form(&fields)))
            }
            other => {
                if let Some(service) = service {
                    url.query_pairs_mut().append_pair("service", service);
                }
                for scope in scope.split_whitespace() {
                    url.query_pairs_mut().append_pair("scope", scope);
                }
                let authorization = match other {
                    Some(Credentials::Password { username, password }) => {
                        url.query_pairs_mut().append_pair("account", username);
                        Some(basic(username, password)?)
                    }
                    _ => None,
                };
                (Method::GET, authorization, None)
            }
        };
        let named = format!("a token for {what}");
        let mut attempts = Attempts::new(self, &named, 0);
        loop {
            match self.ask(&method, &url, authorization.as_ref(), form.as_deref(), what).await {
                Ok(token) => return Ok(token),
                Err(Failure::Again { why, asked, .. }) => attempts.pause(&why, asked, false).await?,
                Err(failure) => attempts.recover(failure).await?,
            }
        }
    }

    async fn ask(
        &self,
        method: &Method,
        url: &Url,
        authorization: Option<&HeaderValue>,
        form: Option<&str>,
        what: &str,
    ) -> Result<String, Failure> {
        #[derive(serde::Deserialize)]
        struct Answer {
            token: Option<String>,
            access_token: Option<String>,
        }
        let transport = &self.client.inner.transport;
        let mut response = transport.send(method.clone(), url.clone(), &HeaderMap::new(), authorization, form).await?;
        let status = response.status();
        let wait = transport::asked(response.headers());
        let body = transport.body(&mut response, limits::ANSWER_BYTES, "the token").await?;
        let what = what.to_owned();
        if !status.is_success() {
            let said = match (status.as_u16(), authorization.is_some() || form.is_some()) {
                (401 | 403, true) => String::from("the saved credentials were refused"),
                (401 | 403, false) => String::from("it is not public, or does not exist"),
                (408 | 429 | 500.., _) => {
                    let why = format!("the token service answers {status}");
                    return Err(Failure::Again { why, asked: wait, refused: false });
                }
                _ => format!("the token service answers {status}"),
            };
            return Err(Failure::Fatal(Error::Unauthorized { what, said }));
        }
        let answer: Option<Answer> = serde_json::from_slice(&body).ok();
        let token = answer.and_then(|a| a.token.filter(|t| !t.is_empty()).or(a.access_token));
        token.filter(|t| !t.is_empty()).ok_or_else(|| {
            Failure::Fatal(Error::Protocol { what, why: String::from("the token service gives no token") })
        })
    }
}

fn basic(username: &str, password: &str) -> Result<HeaderValue> {
    secret(&format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}"))))
}

/// Marked so that no log prints it.
fn secret(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Error::invalid("the saved credentials", "they hold characters that no header may"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn form(fields: &[(&str, &str)]) -> String {
    let mut url = Url::parse("http://form.invalid").ok();
    if let Some(url) = &mut url {
        url.query_pairs_mut().extend_pairs(fields);
    }
    url.and_then(|u| u.query().map(str::to_owned)).unwrap_or_default()
}
