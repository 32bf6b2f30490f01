//! `images`, `rmi`, `tag`.

use super::Context;
use crate::cli::args::wrong;
use crate::cli::output::filter::{Filters, glob};
use crate::cli::output::text::{ago, local_time, now, point_in_time};
use crate::cli::output::{Listing, render};
use crate::cli::report;
use crate::cli::template::Data;
use crate::engine::inventory::ImageEntry;
use crate::engine::request::{RemoveImagesArgs, TagArgs};
use crate::engine::{Error, ErrorKind, Output, Request, Result};
use crate::model::reference::Reference;
use crate::model::time::Timestamp;
use crate::model::units::decimal_size;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const FILTERS: [&str; 6] = ["before", "dangling", "label", "reference", "since", "until"];
const LISTING: Listing = Listing {
    table: "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
    quiet: "{{.ID}}",
    headings: &[
        ("Repository", "REPOSITORY"),
        ("Tag", "TAG"),
        ("Digest", "DIGEST"),
        ("ID", "IMAGE ID"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("Size", "SIZE"),
        ("Containers", "CONTAINERS"),
        ("VirtualSize", "SIZE"),
        ("SharedSize", "SHARED SIZE"),
        ("UniqueSize", "UNIQUE SIZE"),
    ],
};
const WITH_DIGESTS: Listing =
    Listing { table: "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}", ..LISTING };

pub(super) fn list(cx: &Context<'_>) -> Result<u8> {
    let args = cx.args;
    let filters = Filters::parse(&args.texts("filter"), &FILTERS)?;
    let inventory = cx.inventory()?;
    let at = now();
    let until: Vec<i64> = filters
        .values("until")
        .map(|v| point_in_time(v, at).ok_or_else(|| wrong("filter", &format!("until={v}"), "it is not a time")))
        .collect::<Result<_>>()?;
    let created = |e: &ImageEntry| e.image.created.unwrap_or(e.image.stored);
    let mut images: Vec<&Arc<ImageEntry>> = inventory.images.iter().collect();
    images.sort_by_key(|e| std::cmp::Reverse(created(e)));
    images.dedup_by(|a, b| a.image.id == b.image.id);
    let bound = |name: &str| images.iter().find(|e| is_named(e, name)).map(|e| created(e));
    let mut rows: Vec<Data> = Vec::new();
    for entry in &images {
        let fits = filters.any("dangling", |v| matches!(v, "true" | "1") == entry.image.references.is_empty())
            && filters.any("before", |v| bound(v).is_some_and(|t| created(entry) < t))
            && filters.any("since", |v| bound(v).is_some_and(|t| created(entry) > t))
            && until.iter().all(|t| created(entry).0 < *t)
            && filters.labels(&labels(entry));
        if fits {
            rows.extend(image_rows(entry, &filters, args.text("names"), args.on("no-trunc"), at));
        }
    }
    let quiet = args.on("quiet");
    if quiet {
        rows.dedup_by(|a, b| a.value["ID"] == b.value["ID"]);
    }
    let listing = if args.on("digests") { &WITH_DIGESTS } else { &LISTING };
    report::out(&render(&rows, listing, args.text("format"), quiet)?);
    Ok(0)
}

fn is_named(entry: &ImageEntry, name: &str) -> bool {
    let id = &entry.image.id;
    let parsed: Option<Reference> = name.parse().ok();
    id.hex().starts_with(name) || id.to_string() == name || parsed.is_some_and(|r| entry.image.references.contains(&r))
}

/// A row per name; one with `<none>` for an image that has none.
fn image_rows(entry: &ImageEntry, filters: &Filters, wanted: Option<&str>, full: bool, now: Timestamp) -> Vec<Data> {
    let fits = |r: &Reference| {
        let matches = |pattern: &str| {
            let (familiar, name) = (r.familiar(), r.familiar_name());
            glob(pattern, &familiar)
                || glob(pattern, &name)
                || glob(pattern, &r.to_string())
                || glob(pattern, &r.name())
        };
        filters.any("reference", matches) && wanted.is_none_or(matches)
    };
    let names: Vec<&Reference> = entry.image.references.iter().filter(|r| fits(r)).collect();
    let row = |name: Option<&Reference>| Data { value: row(entry, name, full, now), labels: labels(entry) };
    match entry.image.references.is_empty() && wanted.is_none() && !filters.has("reference") {
        true => vec![row(None)],
        false => names.into_iter().map(|name| row(Some(name))).collect(),
    }
}

fn row(entry: &ImageEntry, name: Option<&Reference>, full: bool, now: Timestamp) -> Value {
    let image = &entry.image;
    let none = || String::from("<none>");
    let digest = name.and_then(|r| {
        let repository = format!("{}@", r.name());
        let own = |d: &&String| d.starts_with(&repository) || d.starts_with(&format!("{}@", r.familiar_name()));
        image.repo_digests.iter().find(own).and_then(|d| d.split('@').nth(1).map(str::to_owned))
    });
    let created = image.created.unwrap_or(image.stored);
    json!({
        "Repository": name.map_or_else(none, Reference::familiar_name),
        "Tag": name.and_then(|r| r.tag.clone()).unwrap_or_else(none),
        "Digest": digest.unwrap_or_else(none),
        "ID": if full { image.id.to_string() } else { image.id.short().to_owned() },
        "CreatedSince": ago(created, now),
        "CreatedAt": local_time(created),
        "Size": decimal_size(image.size),
        "VirtualSize": decimal_size(image.size),
        "SharedSize": "N/A",
        "UniqueSize": "N/A",
        "Containers": entry.used_by.len().to_string(),
    })
}

/// From the image's configuration.
fn labels(entry: &ImageEntry) -> BTreeMap<String, String> {
    let config: Value = serde_json::from_str(&entry.image.config_json).unwrap_or_default();
    let labels = config["config"]["Labels"].as_object();
    let pair = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    labels.into_iter().flatten().filter_map(pair).collect()
}

pub(super) async fn remove(cx: &Context<'_>) -> Result<u8> {
    let mut code = 0;
    // One by one, as docker: what can go goes, though another name is wrong.
    for image in cx.names() {
        let request = RemoveImagesArgs { images: vec![image], force: cx.args.on("force"), undo: None };
        match cx.ask(Request::RemoveImages(request)).await {
            Ok(Output::RemovedImages { untagged, deleted }) => {
                let lines = untagged.iter().map(|n| format!("Untagged: {n}\n"));
                report::out(&lines.chain(deleted.iter().map(|d| format!("Deleted: {d}\n"))).collect::<String>());
            }
            Ok(_) => {}
            Err(error) => {
                report::print_error(&error);
                // As docker: with -f, one that is not there is told of, and is no failure.
                if !(cx.args.on("force") && error.kind() == ErrorKind::NotFound) {
                    code = 1;
                }
            }
        }
    }
    Ok(code)
}

pub(super) async fn tag(cx: &Context<'_>) -> Result<u8> {
    let target = cx.args.text("target").unwrap_or_default();
    let target = target.parse().map_err(|e| Error::new(ErrorKind::Invalid, format!("{e}")))?;
    let image = cx.args.text("source").unwrap_or_default().to_owned();
    cx.ask(Request::Tag(TagArgs { image, target })).await.map(|_| 0)
}
