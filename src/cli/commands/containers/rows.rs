//! One container as docker's `ps` row.

use crate::cli::output::text::{ago, ellipsis, local_time, quote, status};
use crate::cli::template::Data;
use crate::engine::inventory::ContainerEntry;
use crate::model::container::Container;
use crate::model::mount::MountSource;
use crate::model::network::{NetworkMode, PublishedPort};
use crate::model::publish;
use crate::model::time::Timestamp;
use crate::model::units::decimal_size;
use serde_json::{Value, json};

const COMMAND: usize = 20;
const MOUNT: usize = 15;

pub(super) fn row(entry: &ContainerEntry, full: bool, now: Timestamp) -> Data {
    let (container, state) = (&entry.container, &entry.state);
    let config = &container.config;
    let command = command_line(&config.args);
    let cut = |text: String, most| if full { text } else { ellipsis(&text, most) };
    let mounts: Vec<String> = mounts(container).into_iter().map(|m| cut(m, MOUNT)).collect();
    let volumes = config.mounts.iter().filter(|m| !matches!(m.source, MountSource::Bind { .. })).count();
    let labels: Vec<String> = config.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let value = json!({
        "ID": if full { container.id.as_str() } else { container.id.short() },
        "Names": container.name,
        "Image": container.image_ref,
        "Command": quote(&cut(command, COMMAND)),
        "CreatedAt": local_time(container.created),
        "RunningFor": ago(container.created, now),
        "Ports": ports(entry),
        "State": state.status.word(),
        "Status": status(state, now),
        "Size": "0B",
        "Labels": labels.join(","),
        "Mounts": mounts.join(","),
        "LocalVolumes": volumes.to_string(),
        "Networks": networks(container).join(","),
        "Platform": config.platform,
    });
    Data { value, labels: config.labels.clone() }
}

/// As docker shows it: an argument with a blank in it stands in quotes.
fn command_line(args: &[String]) -> String {
    let shown = |(i, arg): (usize, &String)| if i > 0 && arg.contains(' ') { format!("'{arg}'") } else { arg.clone() };
    args.iter().enumerate().map(shown).collect::<Vec<_>>().join(" ")
}

/// What it is on: networks by name, or the word for where it is instead.
pub(super) fn networks(container: &Container) -> Vec<String> {
    match &container.config.network {
        NetworkMode::Attached => container.config.endpoints.iter().map(|e| e.network.clone()).collect(),
        NetworkMode::Container(id) => vec![format!("container:{id}")],
        mode => vec![mode.word().to_owned()],
    }
}

/// What is published now.
pub(super) fn published(entry: &ContainerEntry) -> &[PublishedPort] {
    entry.state.published()
}

/// Docker's column; empty for what does not run.
fn ports(entry: &ContainerEntry) -> String {
    let config = &entry.container.config;
    match (&config.network, entry.state.status.is_live()) {
        (NetworkMode::Attached, true) => publish::summary(published(entry), &config.exposed),
        _ => String::new(),
    }
}

/// What is mounted, by volume name or host path.
pub(super) fn mounts(container: &Container) -> Vec<String> {
    let source = |source: &MountSource| match source {
        MountSource::Bind { path, .. } => path.clone(),
        MountSource::Volume { name } | MountSource::Anonymous { name } => name.clone(),
    };
    container.config.mounts.iter().map(|m| source(&m.source)).collect()
}

/// `12kB (virtual 15MB)` of an inspected container.
pub(super) fn size(inspected: &Value) -> String {
    let bytes = |key: &str| inspected[key].as_u64().unwrap_or(0);
    let (own, all) = (bytes("SizeRw"), bytes("SizeRootFs"));
    if all > 0 { format!("{} (virtual {})", decimal_size(own), decimal_size(all)) } else { decimal_size(own) }
}
