//! `ps`, and the small listings of one container: `top` and `diff`.

mod diff;
mod rows;
mod top;

use super::Context;
use crate::cli::args::misuse;
use crate::cli::output::filter::{Filters, glob, name_matches};
use crate::cli::output::text::now;
use crate::cli::output::{Listing, render};
use crate::cli::report;
use crate::cli::template::Data;
use crate::engine::inventory::{ContainerEntry, Inventory};
use crate::engine::request::{InspectArgs, InspectKind};
use crate::engine::{Error, ErrorKind, Output, Request, Result};
use crate::model::network::Protocol;
use crate::model::publish;
use std::sync::Arc;

pub(super) use diff::diff;
pub(super) use top::top;

const FILTERS: [&str; 14] = [
    "ancestor", "before", "exited", "health", "id", "is-task", "label", "name", "network", "publish", "since",
    "status", "volume", "expose",
];

const LISTING: Listing = Listing {
    table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}",
    quiet: "{{.ID}}",
    headings: HEADINGS,
};
const WITH_SIZE: Listing = Listing {
    table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}\t{{.Size}}",
    ..LISTING
};
const HEADINGS: &[(&str, &str)] = &[
    ("ID", "CONTAINER ID"),
    ("Names", "NAMES"),
    ("Image", "IMAGE"),
    ("Command", "COMMAND"),
    ("CreatedAt", "CREATED AT"),
    ("RunningFor", "CREATED"),
    ("Ports", "PORTS"),
    ("State", "STATE"),
    ("Status", "STATUS"),
    ("Size", "SIZE"),
    ("Labels", "LABELS"),
    ("Mounts", "MOUNTS"),
    ("LocalVolumes", "LOCAL VOLUMES"),
    ("Networks", "NETWORKS"),
    ("Platform", "PLATFORM"),
];

pub(super) async fn list(cx: &Context<'_>) -> Result<u8> {
    let args = cx.args;
    let filters = Filters::parse(&args.texts("filter"), &FILTERS)?;
    let inventory = cx.inventory()?;
    check(&filters, &inventory)?;
    let last =
        if args.on("latest") { Some(1) } else { args.number::<i64>("last")?.and_then(|n| usize::try_from(n).ok()) };
    let narrowed = ["status", "exited", "before", "since"].iter().any(|f| filters.has(f));
    let all = args.on("all") || narrowed || last.is_some();
    let mut shown: Vec<&Arc<ContainerEntry>> = inventory
        .containers
        .iter()
        .filter(|c| all || c.state.status.is_live() || c.state.status.word() == "restarting")
        .filter(|c| fits(c, &inventory, &filters))
        .collect();
    shown.truncate(last.unwrap_or(usize::MAX));
    let full = args.on("no-trunc");
    let at = now();
    let mut data: Vec<Data> = shown.iter().map(|c| rows::row(c, full, at)).collect();
    let sized = args.on("size") || args.text("format").is_some_and(|f| f.contains(".Size"));
    if sized {
        add_sizes(cx, &shown, &mut data).await?;
    }
    let listing = if args.on("size") { &WITH_SIZE } else { &LISTING };
    report::out(&render(&data, listing, args.text("format"), args.on("quiet"))?);
    Ok(0)
}

fn fits(c: &ContainerEntry, inventory: &Inventory, filters: &Filters) -> bool {
    let (container, state) = (&c.container, &c.state);
    let find = |name: &str| inventory.containers.iter().find(|o| is_called(o, name));
    filters.any("id", |v| container.id.as_str().starts_with(v))
        && filters.any("name", |v| name_matches(v, &container.name))
        && filters.any("status", |v| state.status.word() == v)
        && filters.any("exited", |v| {
            state.status.word() == "exited" && state.exit.is_some_and(|e| v == e.code.to_string() && !e.unknown)
        })
        && filters.any("ancestor", |v| is_ancestor(c, inventory, v))
        && filters.any("network", |v| {
            rows::networks(container).iter().any(|n| n == v)
                || state.endpoints.iter().any(|e| v.len() >= 4 && e.network.starts_with(v))
        })
        && filters.any("volume", |v| {
            rows::mounts(container).iter().any(|m| m == v) || container.config.mounts.iter().any(|m| m.target == v)
        })
        && filters.any("before", |v| find(v).is_some_and(|o| container.created < o.container.created))
        && filters.any("since", |v| find(v).is_some_and(|o| container.created > o.container.created))
        && filters.any("health", |v| v == state.health.as_ref().map_or("none", |h| h.status.word()))
        && filters.any("is-task", |v| matches!(v, "false" | "0"))
        && filters.any("publish", |v| {
            ports(v).iter().any(|w| rows::published(c).iter().any(|p| (p.container_port, p.protocol) == *w))
        })
        && filters.any("expose", |v| ports(v).iter().any(|w| container.config.exposed.contains(w)))
        && filters.labels(&container.config.labels)
}

fn is_called(c: &ContainerEntry, name: &str) -> bool {
    c.container.name == name || c.container.id.as_str().starts_with(name)
}

/// Values that nothing could ever fit are mistakes, not empty lists.
fn check(filters: &Filters, inventory: &Inventory) -> Result<()> {
    let words = |key: &str, words: &[&str]| {
        filters.values(key).find(|v| !words.contains(v)).map_or(Ok(()), |v| {
            Err(misuse(format!("invalid filter '{key}={v}'")).because(format!("there are {}", words.join(", "))))
        })
    };
    words("status", &["created", "restarting", "running", "removing", "paused", "exited", "dead", "orphaned"])?;
    words("health", &["starting", "healthy", "unhealthy", "none"])?;
    words("is-task", &["true", "false", "1", "0"])?;
    if let Some(code) = filters.values("exited").find(|v| v.parse::<u8>().is_err()) {
        return Err(misuse(format!("invalid filter 'exited={code}'")).because("it must be an exit code, 0 to 255"));
    }
    for key in ["publish", "expose"] {
        if let Some(port) = filters.values(key).find(|v| ports(v).is_empty()) {
            return Err(misuse(format!("invalid filter '{key}={port}'")).because("it must be a port: 80 or 80-90/udp"));
        }
    }
    let unknown = |name: &&str| !inventory.containers.iter().any(|c| is_called(c, name));
    match ["before", "since"].iter().flat_map(|key| filters.values(key)).find(unknown) {
        Some(name) => {
            Err(Error::new(ErrorKind::NotFound, format!("no such container: {name}")).hint("`teu ps -a` lists them"))
        }
        None => Ok(()),
    }
}

/// `80`, `80-90/udp`; nothing when it is no port.
fn ports(text: &str) -> Vec<(u16, Protocol)> {
    publish::parse_exposed(text).unwrap_or_default()
}

/// Image by what was typed, by any of its names, or by id.
fn is_ancestor(c: &ContainerEntry, inventory: &Inventory, wanted: &str) -> bool {
    let id = &c.container.image;
    if c.container.image_ref == wanted
        || id.to_string().starts_with(wanted)
        || (wanted.len() >= 4 && id.hex().starts_with(wanted))
    {
        return true;
    }
    let images = inventory.images.iter().filter(|i| i.image.id == *id);
    images.flat_map(|i| &i.image.references).any(|r| {
        glob(wanted, &r.familiar())
            || r.to_string() == wanted
            || (r.tag.as_deref() == Some("latest") && r.familiar_name() == wanted)
    })
}

/// Sizes are walked for: only when asked.
async fn add_sizes(cx: &Context<'_>, shown: &[&Arc<ContainerEntry>], data: &mut [Data]) -> Result<()> {
    let names: Vec<String> = shown.iter().map(|c| c.container.id.to_string()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let request = InspectArgs { names, kind: InspectKind::Container, size: true };
    if let Output::Inspected(values) = cx.ask(Request::Inspect(request)).await? {
        for (row, value) in data.iter_mut().zip(values) {
            row.value["Size"] = rows::size(&value).into();
        }
    }
    Ok(())
}

/// By name, id, or a prefix of the id that only one has.
pub(super) fn find(inventory: &Inventory, name: &str) -> Result<Arc<ContainerEntry>> {
    let exact = inventory.containers.iter().find(|c| c.container.name == name || c.container.id.as_str() == name);
    if let Some(found) = exact {
        return Ok(found.clone());
    }
    let by_prefix: Vec<_> =
        inventory.containers.iter().filter(|c| !name.is_empty() && c.container.id.as_str().starts_with(name)).collect();
    match by_prefix.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(Error::new(ErrorKind::NotFound, format!("no such container: {name}"))),
        _ => Err(Error::new(ErrorKind::Invalid, format!("several containers have an id that starts with {name}"))),
    }
}
