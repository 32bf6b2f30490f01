//! Docker's JSON for containers, images and volumes: its field names, its types, arrays never null. Pure.

mod container;
mod isolation;
mod limits;
mod network;

pub(crate) use container::container;
pub(crate) use network::network;

use crate::model::image::Image;
use crate::model::mount::Volume;
use crate::model::reference::Reference;
use serde_json::{Map, Value, json};

/// The moment docker shows for "never".
pub(super) const NEVER: &str = "0001-01-01T00:00:00Z";

/// `docker image inspect`. `root` is the directory of the layers.
pub(crate) fn image(image: &Image, layers: &std::path::Path) -> Value {
    let published: Value = serde_json::from_str(&image.config_json).unwrap_or_default();
    let text = |key: &str| published.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let config = complete(published.get("config"));
    let lower: Vec<String> =
        image.layers.iter().rev().map(|l| layers.join(l.chain_id.hex()).join("fs").display().to_string()).collect();
    json!({
        "Id": image.id.to_string(),
        "RepoTags": image.references.iter().map(Reference::familiar).collect::<Vec<_>>(),
        "RepoDigests": image.repo_digests,
        "Parent": "",
        "Comment": text("comment"),
        "Created": image.created.map_or_else(|| NEVER.to_owned(), |t| t.rfc3339()),
        "DockerVersion": text("docker_version"),
        "Author": text("author"),
        "Config": config,
        "Architecture": image.architecture,
        "Variant": image.variant,
        "Os": image.os,
        "Size": image.size,
        "VirtualSize": image.size,
        "GraphDriver": {"Name": "overlay2", "Data": {"LowerDir": lower.join(":")}},
        "RootFS": {
            "Type": "layers",
            "Layers": image.layers.iter().map(|l| l.diff_id.to_string()).collect::<Vec<_>>(),
        },
        "Metadata": {"LastTagTime": image.stored.rfc3339()},
        "Descriptor": {"digest": image.manifest.to_string()},
    })
}

/// The image's own configuration, with every field that docker's clients expect.
fn complete(published: Option<&Value>) -> Value {
    let mut config = Map::new();
    for key in ["Hostname", "Domainname", "User", "WorkingDir", "StopSignal"] {
        config.insert(key.into(), json!(""));
    }
    for key in ["Env", "Cmd", "Entrypoint", "OnBuild"] {
        config.insert(key.into(), json!([]));
    }
    for key in ["Labels", "Volumes", "ExposedPorts"] {
        config.insert(key.into(), json!({}));
    }
    if let Some(Value::Object(given)) = published {
        config.extend(given.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), v.clone())));
    }
    Value::Object(config)
}

/// `docker volume inspect`.
pub(crate) fn volume(volume: &Volume, mountpoint: &std::path::Path) -> Value {
    json!({
        "CreatedAt": volume.created.rfc3339(),
        "Driver": "local",
        "Labels": volume.labels,
        "Mountpoint": mountpoint.display().to_string(),
        "Name": volume.name,
        "Options": {},
        "Scope": "local",
        "Anonymous": volume.anonymous,
    })
}

#[cfg(test)]
mod tests;
