//! `update --publish-add` and `--publish-rm`: ports of a container change while it runs, and are recorded for its next
//! start.

use super::live::{no_monitor, own_namespace};
use crate::engine::core::Core;
use crate::engine::networks::{holds_network, published};
use crate::engine::ops::{Error, ErrorKind, JobContext, Output, Result, bulk};
use crate::engine::request::PublishArgs;
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

/// Takes away first: a port may move. When adding fails, what was taken away comes back.
async fn one(core: &Arc<Core>, name: &str, add: &[PortMapping], remove: &[PortMapping]) -> Result<()> {
    let entry = core.container(name)?;
    let mut container = entry.container;
    own_namespace(core, &container)?;
    let leaving: Vec<PublishedPort> =
        entry.state.ports.iter().filter(|p| remove.iter().any(|r| is_published_as(p, r))).cloned().collect();
    let before = container.config.ports.len();
    container.config.ports.retain(|p| !remove.iter().any(|r| is_same(p, r)));
    if let Some(unknown) = remove.iter().find(|r| !leaving.iter().any(|p| is_published_as(p, r)))
        && container.config.ports.len() == before
    {
        let its =
            entry.state.ports.iter().find(|p| p.host_port == unknown.container_port && unknown.host_port.is_none());
        let hint = match its {
            Some(p) => {
                format!("{} is this machine's port: --publish-rm {}:{}", p.host_port, p.host_port, p.container_port)
            }
            None => format!("`teu port {name}` lists what is"),
        };
        return Err(Error::new(ErrorKind::NotFound, format!("port {unknown} is not published")).hint(hint));
    }
    container.config.ports.extend(add.iter().cloned());
    if holds_network(&entry.state) {
        if entry.state.status == Status::Orphaned {
            return Err(no_monitor());
        }
        let networks = networks_of(core, &container)?;
        let bare = Container {
            config: crate::model::container::ContainerConfig { publish_all: false, ..container.config.clone() },
            ..container.clone()
        };
        let joining = published(core, &bare, &networks, add)?;
        change(core, &container, leaving, joining).await?;
    }
    core.db.write(|t| records::update_container(t, &container))?;
    core.emit_container("update", &container);
    core.refresh_container(&container.id);
    Ok(())
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

fn networks_of(core: &Core, container: &Container) -> Result<Vec<(EndpointConfig, Network)>> {
    container.config.endpoints.iter().map(|e| Ok((e.clone(), core.network(&e.network)?))).collect()
}

/// Does `asked` mean this port? What it does not say, fits.
fn is_published_as(port: &PublishedPort, asked: &PortMapping) -> bool {
    port.container_port == asked.container_port
        && port.protocol == asked.protocol
        && asked.host_ip.is_none_or(|ip| ip == port.host_ip)
        && asked.host_port.is_none_or(|first| (first..=asked.host_port_last.unwrap_or(first)).contains(&port.host_port))
}

fn is_same(mapping: &PortMapping, asked: &PortMapping) -> bool {
    mapping.container_port == asked.container_port
        && mapping.protocol == asked.protocol
        && (asked.host_ip.is_none() || asked.host_ip == mapping.host_ip || mapping.host_ip.is_none())
        && (asked.host_port.is_none() || asked.host_port == mapping.host_port || mapping.host_port.is_none())
}
