//! Manifests, indexes and configurations as registries serve them: checked hard, unknown fields ignored.

use super::registry::Document;
use super::{Error, Result, limits};
use crate::model::reference::Digest;
use serde::Deserialize;

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// Content by digest, with its size.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
    #[serde(default)]
    pub platform: Option<PlatformField>,
}

/// An index entry's or a configuration's platform, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PlatformField {
    pub os: String,
    pub architecture: String,
    pub variant: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manifest {
    Index(Vec<Descriptor>),
    Image { config: Descriptor, layers: Vec<Descriptor> },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: Option<u64>,
    media_type: Option<String>,
    manifests: Option<Vec<serde_json::Value>>,
    layers: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    #[serde(rename = "fsLayers")]
    schema1: Option<serde::de::IgnoredAny>,
}

impl Manifest {
    /// The type is the Content-Type header's and the document's `mediaType`, which must agree: one body must not be an
    /// index for one reader and an image for another (CVE-2021-41190).
    pub fn parse(document: &Document, what: &str) -> Result<Manifest> {
        let bad = |why: String| Error::invalid(format!("the manifest of {what}"), why);
        check_depth(&document.bytes).map_err(|why| bad(why.to_owned()))?;
        let raw: Raw = serde_json::from_slice(&document.bytes).map_err(|e| bad(e.to_string()))?;
        if raw.schema1.is_some() || raw.schema_version == Some(1) {
            let why = String::from("it is in Docker's schema 1, which every registry stopped making in 2017");
            return Err(Error::Unsupported { what: what.to_owned(), why });
        }
        let stated = raw.media_type.as_deref().unwrap_or_default();
        let header = match document.content_type.as_str() {
            // What servers say that know no better.
            "" | "application/json" | "text/plain" | "application/octet-stream" | "text/html" => "",
            other => other,
        };
        if !stated.is_empty() && !header.is_empty() && stated != header {
            return Err(bad(format!("it says it is '{stated}', the registry says '{header}'")));
        }
        if raw.manifests.is_some() && (raw.layers.is_some() || raw.config.is_some()) {
            return Err(bad(String::from("it is both an index and an image")));
        }
        let kind = if stated.is_empty() { header } else { stated };
        match (kind, raw.manifests, raw.config) {
            (OCI_INDEX | DOCKER_LIST | "", Some(entries), None) => Ok(Manifest::Index(usable(entries))),
            (OCI_MANIFEST | DOCKER_MANIFEST | "", None, Some(config)) => {
                image(config, raw.layers.unwrap_or_default(), what)
            }
            (OCI_INDEX | DOCKER_LIST | OCI_MANIFEST | DOCKER_MANIFEST, ..) => {
                Err(bad(format!("it lacks what '{kind}' must have")))
            }
            (other, ..) => Err(Error::Unsupported {
                what: what.to_owned(),
                why: format!("its manifest type is '{}'", super::registry_line(other)),
            }),
        }
    }
}

/// Entries we cannot read (other digests, other things) must not spoil the rest.
fn usable(entries: Vec<serde_json::Value>) -> Vec<Descriptor> {
    entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect()
}

fn image(config: Descriptor, layers: Vec<Descriptor>, what: &str) -> Result<Manifest> {
    let unsupported = |why: String| Err(Error::Unsupported { what: what.to_owned(), why });
    if !matches!(config.media_type.as_str(), OCI_CONFIG | DOCKER_CONFIG | "") {
        let kind = super::registry_line(&config.media_type);
        return unsupported(format!("it is not a container image but holds '{kind}'"));
    }
    if layers.len() > limits::LAYERS {
        return unsupported(format!("it has {} layers; overlay stacks at most {}", layers.len(), limits::LAYERS));
    }
    for layer in &layers {
        let kind = layer.media_type.as_str();
        if kind.ends_with("+encrypted") {
            return unsupported(String::from("its layers are encrypted"));
        }
        if !kind.contains(".tar") && !kind.is_empty() {
            return unsupported(format!("it has a layer of type '{}'", super::registry_line(kind)));
        }
    }
    Ok(Manifest::Image { config, layers })
}

/// What teu needs of an image's configuration; the rest is kept byte for byte.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    #[serde(default)]
    pub architecture: String,
    #[serde(default)]
    pub os: String,
    #[serde(default)]
    pub variant: Option<String>,
    #[serde(default)]
    pub created: Option<String>,
    rootfs: Rootfs,
}

#[derive(Clone, Debug, Deserialize)]
struct Rootfs {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    diff_ids: Option<Vec<Digest>>,
}

impl Config {
    /// Checks that it describes exactly `layers` layers.
    pub fn parse(bytes: &[u8], layers: usize, what: &str) -> Result<Config> {
        let bad = |why: String| Error::invalid(format!("the configuration of {what}"), why);
        check_depth(bytes).map_err(|why| bad(why.to_owned()))?;
        let config: Config = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
        if !matches!(config.rootfs.kind.as_str(), "layers" | "") {
            return Err(bad(format!("its root file system is of type '{}'", config.rootfs.kind)));
        }
        let stated = config.diff_ids().len();
        if stated != layers {
            return Err(bad(format!("it describes {stated} layers, the manifest {layers}")));
        }
        Ok(config)
    }

    pub fn diff_ids(&self) -> &[Digest] {
        self.rootfs.diff_ids.as_deref().unwrap_or_default()
    }
}

/// Refuses JSON nested deeper than [`limits::JSON_DEPTH`], before anything recursive sees it.
pub fn check_depth(json: &[u8]) -> Result<(), &'static str> {
    let (mut depth, mut text, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if text => escaped = true,
            b'"' => text = !text,
            b'{' | b'[' if !text => {
                depth += 1;
                if depth > limits::JSON_DEPTH {
                    return Err("it is nested too deep");
                }
            }
            b'}' | b']' if !text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(content_type: &str, json: &str) -> Result<Manifest> {
        let bytes = json.as_bytes().to_vec();
        Manifest::parse(&Document { digest: Digest::of(&bytes), content_type: content_type.into(), bytes }, "x")
    }

    fn descriptor(kind: &str) -> String {
        format!(r#"{{"mediaType":"{kind}","digest":"sha256:{}","size":3,"annotations":{{}}}}"#, "a".repeat(64))
    }

    #[test]
    fn images_and_indexes_of_both_families_are_read() {
        let config = descriptor(OCI_CONFIG);
        let layer = descriptor("application/vnd.oci.image.layer.v1.tar+gzip");
        let oci = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}]}}"#);
        assert!(matches!(parse(OCI_MANIFEST, &oci), Ok(Manifest::Image { layers, .. }) if layers.len() == 1));
        assert!(matches!(parse("", &oci), Ok(Manifest::Image { .. })));
        let strange = r#"{"mediaType":"x","digest":"blake9:00","size":1}"#;
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{strange},{}]}}"#, descriptor(OCI_MANIFEST));
        assert!(matches!(parse(DOCKER_LIST, &index), Ok(Manifest::Index(entries)) if entries.len() == 1));
    }

    #[test]
    fn cve_2021_41190_what_two_readers_would_read_differently_is_refused() {
        let both = format!(r#"{{"manifests":[],"layers":[],"config":{}}}"#, descriptor(OCI_CONFIG));
        assert!(parse(OCI_INDEX, &both).unwrap_err().to_string().contains("both"));
        let says = format!(r#"{{"mediaType":"{OCI_INDEX}","manifests":[]}}"#);
        assert!(parse(OCI_MANIFEST, &says).unwrap_err().to_string().contains("the registry says"));
        assert!(parse(OCI_MANIFEST, r#"{"manifests":[]}"#).is_err());
    }

    #[test]
    fn other_things_are_named() {
        let chart = format!(r#"{{"config":{},"layers":[]}}"#, descriptor("application/vnd.cncf.helm.config.v1+json"));
        assert!(parse(OCI_MANIFEST, &chart).unwrap_err().to_string().contains("not a container image"));
        let old = r#"{"schemaVersion":1,"fsLayers":[]}"#;
        assert!(parse("application/vnd.docker.distribution.manifest.v1+prettyjws", old).is_err());
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(parse("", &deep).unwrap_err().to_string().contains("deep"));
        assert!(check_depth(br#"{"a":"[[[[\"[["}"#).is_ok());
    }

    #[test]
    fn a_configuration_describes_its_layers() {
        let json = format!(r#"{{"os":"linux","rootfs":{{"type":"layers","diff_ids":["sha256:{}"]}}}}"#, "b".repeat(64));
        assert_eq!(Config::parse(json.as_bytes(), 1, "x").unwrap().diff_ids().len(), 1);
        assert!(Config::parse(json.as_bytes(), 2, "x").is_err());
        assert!(Config::parse(json.replace("layers\"", "disk\"").as_bytes(), 1, "x").is_err());
    }
}
