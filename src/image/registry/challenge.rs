//! `WWW-Authenticate`: which scheme, and whether the realm it names may be trusted with credentials.

use super::transport::{Transport, is_loopback};
use reqwest::Url;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use std::net::IpAddr;

#[derive(Debug, PartialEq, Eq)]
pub enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

/// The challenge we can answer; Bearer goes before Basic.
pub fn read(headers: &HeaderMap) -> Option<Challenge> {
    let mut basic = None;
    for value in headers.get_all(WWW_AUTHENTICATE) {
        let Ok(text) = value.to_str() else { continue };
        let Ok(challenges) = http_auth::parse_challenges(text) else { continue };
        for challenge in challenges {
            let parameter = |name: &str| {
                let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.to_unescaped())
            };
            if challenge.scheme.eq_ignore_ascii_case("bearer")
                && let Some(realm) = parameter("realm")
            {
                return Some(Challenge::Bearer { realm, service: parameter("service"), scope: parameter("scope") });
            }
            if challenge.scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Challenge::Basic);
            }
        }
    }
    basic
}

/// A token realm may get credentials only over TLS, or in plain where the registry itself is open (loopback or
/// insecure); and a public registry may not send us into private networks.
pub fn trusted_realm(realm: &str, registry: &Url, transport: &Transport) -> Result<Url, String> {
    let url = Url::parse(realm).map_err(|_| format!("the token realm '{}' is not an address", short(realm)))?;
    let host = url.host_str().unwrap_or_default();
    let refuse = |why: &str| Err(format!("the token realm '{}' {why}", short(realm)));
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("carries a user name");
    }
    match url.scheme() {
        "https" => {}
        "http" if transport.is_open(registry) && transport.is_open(&url) => {}
        "http" => return refuse("is plain HTTP"),
        _ => return refuse("is not HTTP"),
    }
    if is_private(host) && !transport.is_open(registry) && registry.host_str() != Some(host) {
        return refuse("is an address of this machine or a private network");
    }
    Ok(url)
}

fn short(text: &str) -> String {
    crate::image::registry_line(text)
}

/// Loopback, link-local and private literals. (Names are resolved by the HTTP client, and TLS proves who answers.)
fn is_private(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    is_loopback(host)
        || match bare.parse() {
            Ok(IpAddr::V4(ip)) => ip.is_private() || ip.is_link_local() || ip.is_unspecified(),
            Ok(IpAddr::V6(ip)) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified(),
            Err(_) => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::registry::Options;

    fn header(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn bearer_goes_before_basic() {
        let both = header(&["Basic realm=\"x\"", "Bearer realm=\"https://a/t\",service=\"s\",scope=\"r:p\""]);
        let Some(Challenge::Bearer { realm, service, scope }) = read(&both) else { panic!() };
        assert_eq!((realm.as_str(), service.as_deref(), scope.as_deref()), ("https://a/t", Some("s"), Some("r:p")));
        assert_eq!(read(&header(&["Basic realm=x"])), Some(Challenge::Basic));
        assert_eq!(read(&header(&["Digest nonce=\"x\""])), None);
    }

    #[test]
    fn cve_2020_15157_realms_are_https_and_not_inside() {
        let transport =
            Transport::new(&Options { insecure: vec!["reg.lan:5000".into()], ..Options::default() }).unwrap();
        let realm =
            |registry: &str, realm: &str| trusted_realm(realm, &Url::parse(registry).unwrap(), &transport).is_ok();
        assert!(realm("https://registry-1.docker.io", "https://auth.docker.io/token"));
        assert!(!realm("https://registry-1.docker.io", "http://auth.docker.io/token"));
        assert!(!realm("https://registry-1.docker.io", "https://169.254.169.254/latest"));
        assert!(!realm("https://registry-1.docker.io", "https://[::1]/t"));
        assert!(!realm("https://registry-1.docker.io", "http://127.0.0.1/t"));
        assert!(!realm("https://registry-1.docker.io", "file:///etc/passwd"));
        assert!(!realm("https://registry-1.docker.io", "https://u:p@auth.docker.io/"));
        assert!(realm("http://127.0.0.1:5000", "http://127.0.0.1:5001/token"));
        assert!(realm("http://reg.lan:5000", "http://127.0.0.1:5001/token"));
        assert!(!realm("http://reg.lan:5000", "http://elsewhere.lan/token"));
    }
}
