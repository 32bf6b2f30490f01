//! From the plan to a normal OCI image in the store: layer, configuration, manifest.

use super::closure::PATH;
use super::{Plan, plan};
use crate::image::inherit::inherit;
use crate::image::layers::{LayerStore, import_tar};
use crate::image::{Error, Result};
use crate::model::image::{Image, Layer};
use crate::model::reference::Reference;
use crate::model::time::Timestamp;
use crate::store::content::ContentStore;
use serde_json::{Value, json};

/// What the starter image is called.
pub const STARTER_NAME: &str = "localhost/starter:latest";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// Makes the image of `programs` (none: the starter set) under `name`. Blocks for about a second; `now` is when it
/// was built and stored. The same programs give the same image again. Naming it in the database is the caller's.
pub fn build(
    layers: &LayerStore,
    content: &ContentStore,
    programs: &[String],
    name: &Reference,
    now: Timestamp,
) -> Result<Image> {
    let plan = plan(programs)?;
    let layer = import(layers, &plan)?;
    inherit(layers, std::slice::from_ref(&layer))?;
    let created = Timestamp(i64::try_from(plan.created()).unwrap_or(0).saturating_mul(1_000_000_000));
    let config = config(&plan, &layer, created).to_string();
    let id = content.add(config.as_bytes())?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": id.to_string(), "size": config.len()},
        "layers": [{"mediaType": layer.media_type, "digest": layer.blob.to_string(), "size": layer.blob_size}],
    });
    let manifest = content.add(manifest.to_string().as_bytes())?;
    Ok(Image {
        id,
        manifest,
        references: vec![name.clone()],
        repo_digests: Vec::new(),
        // When it was built, as docker users expect. The configuration's own date is that of the newest program, so that
        // the same machine makes the same image again.
        created: Some(now),
        stored: now,
        size: layer.size,
        architecture: architecture().into(),
        os: "linux".into(),
        variant: String::new(),
        layers: vec![layer],
        config_json: config,
    })
}

/// One thread reads the host's files into a pipe, this one unpacks: the archive never lies anywhere as a whole.
fn import(layers: &LayerStore, plan: &Plan) -> Result<Layer> {
    let (reader, writer) = std::io::pipe().map_err(|e| Error::io("a pipe", e))?;
    std::thread::scope(|scope| {
        let archive = scope.spawn(move || plan.write_tar(std::io::BufWriter::with_capacity(64 << 10, writer)));
        let imported = import_tar(layers, reader, None);
        // When reading the host failed, the broken archive is only its consequence.
        match archive.join() {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(e)) if imported.is_ok() || !is_broken_pipe(&e) => return Err(e.into()),
            Ok(Err(_)) => {}
        }
        imported.map(|(layer, _)| layer)
    })
}

fn is_broken_pipe(error: &super::Error) -> bool {
    matches!(error, super::Error::Unreadable { source, .. } if source.kind() == std::io::ErrorKind::BrokenPipe)
}

fn config(plan: &Plan, layer: &Layer, created: Timestamp) -> Value {
    json!({
        "created": created.rfc3339(),
        "architecture": architecture(),
        "os": "linux",
        "config": {"Env": [format!("PATH={PATH}")], "Cmd": plan.command(), "WorkingDir": "/root"},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id.to_string()]},
        "history": [{"created": created.rfc3339(), "created_by": "teu image from-host"}],
    })
}

/// Go's name for the machine's architecture, as images use it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}
