//! `volume create`, `volume ls` and `volume rm`.

use super::Context;
use crate::cli::create::labels;
use crate::cli::output::filter::{Filters, name_matches};
use crate::cli::output::{Listing, render};
use crate::cli::report;
use crate::cli::template::Data;
use crate::engine::request::CreateVolumeArgs;
use crate::engine::{Error, ErrorKind, Request, Result};
use crate::model::container::Container;
use crate::model::mount::{MountSource, Volume};
use serde_json::json;
use std::sync::Arc;

const LISTING: Listing = Listing {
    table: "{{.Driver}}\t{{.Name}}",
    quiet: "{{.Name}}",
    headings: &[
        ("Driver", "DRIVER"),
        ("Name", "VOLUME NAME"),
        ("Scope", "SCOPE"),
        ("Mountpoint", "MOUNTPOINT"),
        ("Labels", "LABELS"),
        ("Links", "LINKS"),
        ("Size", "SIZE"),
        ("CreatedAt", "CREATED AT"),
    ],
};

pub(super) fn list(cx: &Context<'_>) -> Result<u8> {
    let filters = Filters::parse(&cx.args.texts("filter"), &["dangling", "driver", "label", "name"])?;
    let inventory = cx.inventory()?;
    let used = |name: &str| inventory.containers.iter().any(|c| uses(&c.container, name));
    let mut volumes: Vec<_> = inventory.volumes.iter().collect();
    volumes.sort_by(|a, b| a.name.cmp(&b.name));
    let fits = |v: &&&Arc<Volume>| {
        filters.any("name", |f| name_matches(f, &v.name))
            && filters.any("driver", |f| f == "local")
            && filters.any("dangling", |f| matches!(f, "true" | "1") != used(&v.name))
            && filters.labels(&v.labels)
    };
    let rows: Vec<Data> = volumes
        .iter()
        .filter(fits)
        .map(|v| {
            let labels: Vec<String> = v.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
            let place = cx.config.data_dir.join("volumes").join(&v.name).join("_data");
            let value = json!({
                "Driver": "local", "Name": v.name, "Scope": "local", "Mountpoint": place.display().to_string(),
                "Labels": labels.join(","), "Links": "N/A", "Size": "N/A", "Availability": "N/A", "Group": "N/A",
                "Status": "N/A", "CreatedAt": v.created.rfc3339(),
            });
            Data { value, labels: v.labels.clone() }
        })
        .collect();
    report::out(&render(&rows, &LISTING, cx.args.text("format"), cx.args.on("quiet"))?);
    Ok(0)
}

/// Does the container mount the volume of this name?
pub(super) fn uses(container: &Container, volume: &str) -> bool {
    container.config.mounts.iter().any(|m| match &m.source {
        MountSource::Bind { .. } => false,
        MountSource::Volume { name } | MountSource::Anonymous { name } => name == volume,
    })
}

pub(super) async fn create(cx: &Context<'_>) -> Result<u8> {
    let unsupported = |what: String, why: &str| Err(Error::new(ErrorKind::Unsupported, what).because(why.to_owned()));
    match (cx.args.text("driver"), cx.args.texts("opt").first()) {
        (Some(driver), _) if !matches!(driver, "" | "local") => {
            return unsupported(format!("volume driver {driver} is not supported"), "all volumes are local");
        }
        (_, Some(option)) => {
            return unsupported(format!("--opt {option} is not supported"), "a volume is a directory of teu's");
        }
        _ => {}
    }
    let (name, labels) = (cx.args.text("names").map(str::to_owned), labels(&cx.args.texts("label")));
    cx.bulk(Request::CreateVolume(CreateVolumeArgs { name, labels })).await
}

pub(super) async fn remove(cx: &Context<'_>) -> Result<u8> {
    cx.bulk(Request::RemoveVolumes { volumes: cx.names(), force: cx.args.on("force") }).await
}
