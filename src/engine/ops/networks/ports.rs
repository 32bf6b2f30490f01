//! `update --publish-add` and `--publish-rm`: ports of a container change while it runs, and are recorded for its next
//! start.

use super::live::{no_monitor, own_namespace};
use crate::engine::core::Core;
use crate::engine::networks::{holds_network, one_of_each, publish_address, published};
use crate::engine::ops::{Error, ErrorKind, JobContext, Output, Result, bulk};
use crate::engine::request::PublishArgs;
use crate::model::asked::Asked;
use crate::model::container::{Container, Status};
use crate::model::network::{EndpointConfig, Network, PortMapping, PublishedPort};
use crate::net::plan::NetworkChange;
use crate::store::records;
use std::sync::Arc;

pub(crate) async fn publish(cx: &mut JobContext, args: PublishArgs) -> Result<Output> {
    let PublishArgs { containers, add, remove } = args;
    if add.is_empty() && remove.is_empty() {
        return Err(Error::new(ErrorKind::Invalid, "no port to publish or to take away was given"));
    }
    bulk::each(cx, containers, move |core, name| {
        let (add, remove) = (add.clone(), remove.clone());
        async move {
            let during = |e: Error| e.during(format!("changing the ports of container {name}"));
            one(&core, &name, &add, &remove).await.map_err(during)?;
            Ok(name)
        }
    })
    .await
}

/// Takes away first: a port may move. When adding fails, what was taken away comes back. While it runs, what is published is
/// the truth and the record follows; else the record is.
async fn one(core: &Arc<Core>, name: &str, add: &[PortMapping], remove: &[PortMapping]) -> Result<()> {
    let entry = core.container(name)?;
    let mut container = entry.container;
    own_namespace(core, &container)?;
    let live = holds_network(&entry.state);
    if live && entry.state.status == Status::Orphaned {
        return Err(no_monitor());
    }
    let networks = networks_of(core, &container);
    let default = publish_address(core, &networks);
    let mut asked = Asked::of(&container.config);
    let mut leaving = Vec::new();
    if live {
        leaving = published_as(&entry.state.ports, remove).map_err(|unknown| {
            let own = entry.state.ports.iter().map(|p| (p.container_port, Some(p.host_port), p.to_string()));
            unpublished(name, unknown, own)
        })?;
        leaving.iter().for_each(|port| asked.forget(port));
    } else {
        let whole = asked.clone();
        for unknown in remove {
            // Two may mean the same.
            if !asked.remove(unknown, default) && !whole.clone().remove(unknown, default) {
                let own = whole.all().map(|m| (m.container_port, m.host_port, m.to_string()));
                return Err(unpublished(name, unknown, own));
            }
        }
    }
    asked.add(add);
    if live {
        let joining = published(core, &container, &networks, add.iter())?;
        change(core, &container, leaving, joining).await?;
    } else if !add.is_empty() {
        one_of_each(asked.all(), default)?;
    }
    asked.record(&mut container.config);
    core.db.write(|t| records::update_container(t, &container))?;
    core.emit_container("update", &container);
    core.refresh_container(&container.id);
    Ok(())
}

/// The ports that `asked` means, or what means none.
fn published_as<'a>(ports: &[PublishedPort], asked: &'a [PortMapping]) -> Result<Vec<PublishedPort>, &'a PortMapping> {
    match asked.iter().find(|a| !ports.iter().any(|p| is_published_as(p, a))) {
        Some(unknown) => Err(unknown),
        None => Ok(ports.iter().filter(|p| asked.iter().any(|a| is_published_as(p, a))).cloned().collect()),
    }
}

/// `own`: the container's ports, each with its number inside, the host's, and as it is written.
fn unpublished(
    name: &str,
    asked: &PortMapping,
    own: impl Iterator<Item = (u16, Option<u16>, String)> + Clone,
) -> Error {
    let mut mistaken =
        own.clone().filter(|(_, host, _)| asked.host_port.is_none() && *host == Some(asked.container_port));
    let same: Vec<String> = own.filter(|(inside, ..)| *inside == asked.container_port).map(|(.., text)| text).collect();
    let hint = match mistaken.next() {
        Some((inside, Some(host), _)) => format!("{host} is this machine's port: --publish-rm {host}:{inside}"),
        _ if same.is_empty() => format!("`teu port {name}` lists what is"),
        _ => format!("published: {}", same.join(", ")),
    };
    Error::new(ErrorKind::NotFound, format!("port {asked} is not published")).hint(hint)
}

async fn change(
    core: &Arc<Core>,
    container: &Container,
    leaving: Vec<PublishedPort>,
    joining: Vec<PublishedPort>,
) -> Result<()> {
    let task = core.task(&container.id);
    if !leaving.is_empty() {
        task.network(NetworkChange::Unpublish(leaving.clone())).await?;
    }
    if joining.is_empty() {
        return Ok(());
    }
    let Err(e) = task.network(NetworkChange::Publish(joining)).await else { return Ok(()) };
    let mut error = Error::from(e);
    if !leaving.is_empty()
        && let Err(e) = task.network(NetworkChange::Publish(leaving)).await
    {
        error.add_cleanup_failure(format!("publishing the former ports again: {e}"));
    }
    core.refresh_container(&container.id);
    Err(error)
}

/// One that was removed meanwhile says nothing about ports.
fn networks_of(core: &Core, container: &Container) -> Vec<(EndpointConfig, Network)> {
    container.config.endpoints.iter().filter_map(|e| Some((e.clone(), core.network(&e.network).ok()?))).collect()
}

/// Does `asked` mean this port? What it does not say, fits.
fn is_published_as(port: &PublishedPort, asked: &PortMapping) -> bool {
    port.container_port == asked.container_port
        && port.protocol == asked.protocol
        && asked.host_ip.is_none_or(|ip| ip == port.host_ip)
        && asked.host_port.is_none_or(|first| (first..=asked.host_port_last.unwrap_or(first)).contains(&port.host_port))
}
