//! Names of images and of content: `registry/repository:tag@digest`, normalised as docker does it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    #[error("invalid image reference '{0}': {1}")]
    Reference(String, &'static str),
    #[error("invalid digest '{0}': {1}")]
    Digest(String, &'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    pub fn word(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        }
    }
}

/// Algorithm and lower-case hex: the only key of content. No other string can name a blob.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

impl Digest {
    /// From raw hash bytes (32 for sha256, 64 for sha512).
    pub fn from_bytes(algorithm: Algorithm, bytes: &[u8]) -> Digest {
        Digest { algorithm, hex: bytes.iter().map(|b| format!("{b:02x}")).collect() }
    }

    /// sha256 of `data`.
    pub fn of(data: &[u8]) -> Digest {
        use sha2::Digest as _;
        Digest::from_bytes(Algorithm::Sha256, &sha2::Sha256::digest(data))
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// The first 12 hex digits, as docker shows image ids.
    pub fn short(&self) -> &str {
        &self.hex[..12]
    }
}

impl FromStr for Digest {
    type Err = ReferenceError;
    fn from_str(s: &str) -> Result<Self, ReferenceError> {
        let bad = |why| ReferenceError::Digest(s.chars().take(200).collect(), why);
        let (name, hex) = s.split_once(':').ok_or_else(|| bad("expected algorithm:hex"))?;
        let (algorithm, len) = match name {
            "sha256" => (Algorithm::Sha256, 64),
            "sha512" => (Algorithm::Sha512, 128),
            _ => return Err(bad("unsupported algorithm")),
        };
        if hex.len() != len {
            return Err(bad("wrong length"));
        }
        if !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(bad("not lower-case hex"));
        }
        Ok(Digest { algorithm, hex: hex.to_owned() })
    }
}

impl TryFrom<String> for Digest {
    type Error = ReferenceError;
    fn try_from(s: String) -> Result<Self, ReferenceError> {
        s.parse()
    }
}

impl From<Digest> for String {
    fn from(d: Digest) -> String {
        d.to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.word(), self.hex)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.word(), self.short())
    }
}

/// A normalised image name. At least one of `tag` and `digest` is set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    /// `docker.io`, `127.0.0.1:5000`, `localhost`.
    pub registry: String,
    /// `library/nginx`.
    pub repository: String,
    pub tag: Option<String>,
    pub digest: Option<Digest>,
}

impl Reference {
    /// Name without tag and digest, in full: `docker.io/library/nginx`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// As people write it: `nginx:1.29`, `127.0.0.1:5000/app:v1`.
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        match full.strip_prefix("docker.io/") {
            Some(rest) => rest.strip_prefix("library/").unwrap_or(rest).to_owned(),
            None => full,
        }
    }

    /// [`Reference::familiar`] without tag and digest: docker's REPOSITORY column.
    pub fn familiar_name(&self) -> String {
        Reference { tag: None, digest: None, ..self.clone() }.familiar()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl TryFrom<String> for Reference {
    type Error = ReferenceError;
    fn try_from(s: String) -> Result<Self, ReferenceError> {
        s.parse()
    }
}

impl From<Reference> for String {
    fn from(r: Reference) -> String {
        r.to_string()
    }
}

/// Docker's rules (distribution/reference): the part before the first `/` is a registry only when it holds a `.` or
/// `:` or is `localhost`; docker.io gets `library/`; without tag and digest the tag is `latest`.
impl FromStr for Reference {
    type Err = ReferenceError;
    fn from_str(s: &str) -> Result<Self, ReferenceError> {
        let bad = |why| ReferenceError::Reference(s.chars().take(300).collect(), why);
        if s.is_empty() {
            return Err(bad("it is empty"));
        }
        let (rest, digest) = match s.split_once('@') {
            Some((rest, d)) => (rest, Some(d.parse::<Digest>().map_err(|_| bad("the digest is malformed"))?)),
            None => (s, None),
        };
        let (first, remainder) = rest.split_once('/').map_or(("", rest), |(a, b)| (a, b));
        let is_registry = first.contains(['.', ':']) || first == "localhost" || first.chars().any(char::is_uppercase);
        let (registry, path) = if is_registry { (first, remainder) } else { ("docker.io", rest) };
        let registry = if registry == "index.docker.io" { "docker.io" } else { registry };
        if !valid_registry(registry) {
            return Err(bad("the registry is not host[:port]"));
        }
        let (repository, tag) = match path.rsplit_once(':') {
            Some((r, t)) if !t.contains('/') => (r, Some(t)),
            _ => (path, None),
        };
        if tag.is_some_and(|t| !valid_tag(t)) {
            return Err(bad("a tag has letters, digits, '_', '.' and '-', at most 128"));
        }
        let repository = match repository {
            "" => return Err(bad("the repository is missing")),
            r if registry == "docker.io" && !r.contains('/') => format!("library/{r}"),
            r => r.to_owned(),
        };
        if repository.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(bad("the repository must be lower case"));
        }
        if repository.len() + registry.len() > 255 || !repository.split('/').all(valid_component) {
            return Err(bad("the repository has characters or separators that are not allowed"));
        }
        let tag = match (tag, &digest) {
            (None, None) => Some(String::from("latest")),
            (tag, _) => tag.map(str::to_owned),
        };
        Ok(Reference { registry: registry.to_owned(), repository, tag, digest })
    }
}

fn valid_registry(registry: &str) -> bool {
    let (host, port) = match registry.strip_prefix('[').and_then(|r| r.split_once(']')) {
        Some((v6, rest)) => {
            let ok = !v6.is_empty() && v6.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
            return ok && (rest.is_empty() || rest.strip_prefix(':').is_some_and(valid_port));
        }
        None => registry.split_once(':').map_or((registry, None), |(h, p)| (h, Some(p))),
    };
    let label = |l: &str| {
        !l.is_empty()
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    host.split('.').all(label) && port.is_none_or(valid_port)
}

fn valid_port(port: &str) -> bool {
    !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

fn valid_tag(tag: &str) -> bool {
    let mut bytes = tag.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
        && tag.len() <= 128
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn valid_component(component: &str) -> bool {
    let alnum = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    let ends_ok = bytes.first().copied().is_some_and(alnum) && bytes.last().copied().is_some_and(alnum);
    ends_ok
        && component
            .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, normal: &str, familiar: &str) {
        let r: Reference = input.parse().expect(input);
        assert_eq!((r.to_string().as_str(), r.familiar().as_str()), (normal, familiar), "{input}");
    }

    #[test]
    fn normalises_as_docker_does() {
        check("nginx", "docker.io/library/nginx:latest", "nginx:latest");
        check("nginx:1.29", "docker.io/library/nginx:1.29", "nginx:1.29");
        check("bitnami/redis", "docker.io/bitnami/redis:latest", "bitnami/redis:latest");
        check("localhost/starter", "localhost/starter:latest", "localhost/starter:latest");
        check("127.0.0.1:5000/x:y", "127.0.0.1:5000/x:y", "127.0.0.1:5000/x:y");
        check("[::1]:5000/a/b", "[::1]:5000/a/b:latest", "[::1]:5000/a/b:latest");
        check("index.docker.io/library/a", "docker.io/library/a:latest", "a:latest");
        let d = "a".repeat(64);
        check(&format!("a@sha256:{d}"), &format!("docker.io/library/a@sha256:{d}"), &format!("a@sha256:{d}"));
    }

    /// CVE-2024-3727: a digest becomes part of a path, so that nothing else may pass for one.
    #[test]
    fn cve_2024_3727_only_a_digest_names_a_blob() {
        let hex = "0123456789abcdef".repeat(4);
        let good: Digest = format!("sha256:{hex}").parse().expect("a digest");
        assert_eq!(good.to_string(), format!("sha256:{hex}"));
        for bad in [
            String::new(),
            hex.clone(),
            "sha256:".into(),
            "sha256:../../../etc/passwd".into(),
            format!("sha256:{}/..", &hex[..61]),
            format!("sha256:{}", hex.to_uppercase()),
            format!("sha256:{hex}0"),
            format!("sha256:{}", &hex[..63]),
            format!("sha256:{hex}/"),
            format!("sha256:{hex}\n"),
            format!("../sha256:{hex}"),
            format!("md5:{}", &hex[..32]),
            format!("sha256:sha256:{hex}"),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad:?}");
            let text = serde_json::Value::String(bad.clone());
            assert!(serde_json::from_value::<Digest>(text).is_err(), "{bad:?} in a document");
        }
    }

    #[test]
    fn refuses_what_docker_refuses() {
        for bad in [
            "",
            "Nginx",
            "a:",
            "a:b:c",
            "/a",
            "a//b",
            "a_.b",
            "-a",
            "a@sha256:12",
            "h:99999/x",
            "a/b:ta g",
            "..",
            "a/../b",
        ] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
    }
}
