//! Containers join and leave networks, running or not; what others took away of the host's side is made anew.

use crate::engine::core::Core;
use crate::engine::inventory::ContainerEntry;
use crate::engine::networks::{self, Starting, endpoint_plan, holds_network, next_interface};
use crate::engine::ops::{Error, ErrorKind, JobContext, Output, Result, bulk};
use crate::engine::request::{ConnectArgs, Targets};
use crate::model::container::{Container, Status};
use crate::model::network::{DEFAULT, EndpointConfig, Network, NetworkMode};
use crate::net::plan::NetworkChange;
use crate::store::records;
use std::sync::Arc;

pub(crate) async fn connect(cx: &mut JobContext, args: ConnectArgs) -> Result<Output> {
    let core = cx.core.clone();
    let entry = core.container(&args.container)?;
    let network = core.network_for_use(&args.endpoint.network)?;
    let endpoint = EndpointConfig { network: network.name.clone(), ..args.endpoint };
    let during = format!("connecting {} to network {}", entry.container.name, network.name);
    let joined = join(&core, entry, network, endpoint).await;
    joined.map_err(|e| e.during(during))?;
    Ok(Output::Nothing)
}

async fn join(core: &Arc<Core>, entry: ContainerEntry, network: Network, endpoint: EndpointConfig) -> Result<()> {
    let mut container = entry.container;
    own_namespace(core, &container)?;
    if !matches!(network.driver, crate::model::network::Driver::Bridge) && network.subnets.is_empty() {
        return Err(Error::new(ErrorKind::Conflict, "host and none are for containers that are on nothing else"));
    }
    if position(core, &container, &network).is_some() {
        return Err(Error::new(ErrorKind::Conflict, "it is connected already"));
    }
    if holds_network(&entry.state) {
        if entry.state.status == Status::Orphaned {
            return Err(no_monitor());
        }
        let chosen = [(endpoint.clone(), network.clone())];
        let (starting, addresses) = Starting::take(core, &container.id, &chosen)?;
        let interface = next_interface(&entry.state, &endpoint, &network)?;
        let addresses = addresses.first().map(Vec::as_slice).unwrap_or_default();
        let plan = endpoint_plan(core, &container, &endpoint, &network, addresses, interface)?;
        let resolvers = if network.internal { Vec::new() } else { networks::resolvers(&container) };
        let change = NetworkChange::Connect { endpoint: Box::new(plan), resolvers };
        let changed = core.task(&container.id).network(change).await;
        drop(starting);
        if let Err(e) = changed {
            networks::free(core, &container.id, &network.id)?;
            return Err(e.into());
        }
    }
    container.config.endpoints.push(endpoint);
    record(core, &container, "connect", &network)
}

pub(crate) async fn disconnect(cx: &mut JobContext, network: String, container: String, force: bool) -> Result<Output> {
    let core = cx.core.clone();
    let entry = match core.container(&container) {
        // Nothing of it is left to be taken off.
        Err(e) if force && e.kind() == ErrorKind::NotFound => return Ok(Output::Nothing),
        found => found?,
    };
    let network = match core.network(&network) {
        // Removed since: no container lives on it.
        Err(e) if e.kind() == ErrorKind::NotFound && asks_for(&entry.container, &network) => {
            let mut container = entry.container;
            container.config.endpoints.retain(|asked| asked.network != network);
            core.db.write(|t| records::update_container(t, &container))?;
            core.refresh_container(&container.id);
            return Ok(Output::Nothing);
        }
        found => found?,
    };
    let during = format!("disconnecting {} from network {}", entry.container.name, network.name);
    leave(&core, entry, &network).await.map_err(|e| e.during(during))?;
    Ok(Output::Nothing)
}

fn asks_for(container: &Container, network: &str) -> bool {
    container.config.endpoints.iter().any(|asked| asked.network == network)
}

async fn leave(core: &Arc<Core>, entry: ContainerEntry, network: &Network) -> Result<()> {
    let mut container = entry.container;
    own_namespace(core, &container)?;
    let Some(at) = position(core, &container, network) else {
        return Err(Error::new(ErrorKind::Conflict, "it is not connected to it"));
    };
    if holds_network(&entry.state) {
        if entry.state.status == Status::Orphaned {
            return Err(no_monitor());
        }
        core.task(&container.id).network(NetworkChange::Disconnect { network: network.id.clone() }).await?;
    }
    networks::free(core, &container.id, &network.id)?;
    container.config.endpoints.remove(at);
    record(core, &container, "disconnect", network)
}

/// Its monitor alone could change what is in its namespace.
pub(super) fn no_monitor() -> Error {
    Error::new(ErrorKind::Conflict, "its monitor is gone").hint("stop it and start it again: `teu restart CONTAINER`")
}

/// Which of the container's networks this is. They are recorded by the names they were asked for with.
fn position(core: &Core, container: &Container, network: &Network) -> Option<usize> {
    let is = |e: &EndpointConfig| {
        e.network == network.name || core.network(&e.network).is_ok_and(|found| found.id == network.id)
    };
    container.config.endpoints.iter().position(is)
}

pub(super) fn own_namespace(core: &Core, container: &Container) -> Result<()> {
    let refused = |why: &str| Error::new(ErrorKind::Conflict, "its networks cannot be changed").because(why.to_owned());
    Err(match &container.config.network {
        NetworkMode::Attached => return Ok(()),
        NetworkMode::None if container.config.network_wanted => {
            let lack = networks::no_default(core)?;
            let why = lack.map_or_else(|| "none could be had when it was started".to_owned(), |lack| lack.to_string());
            refused(&format!("it has no network but loopback: {why}"))
                .hint(format!("once one can be had, `teu restart {}` puts it on network {DEFAULT}", container.name))
        }
        NetworkMode::None => refused("it was created with --network none, or by settings that say so"),
        NetworkMode::Host => refused("it is on the host's own network"),
        NetworkMode::Container(_) => refused("it shares another container's network"),
    })
}

fn record(core: &Core, container: &Container, action: &str, network: &Network) -> Result<()> {
    core.db.write(|t| records::update_container(t, container))?;
    let attributes = [
        ("container", container.id.to_string()),
        ("name", network.name.clone()),
        ("type", network.driver.word().to_owned()),
    ];
    core.emit("network", action, &network.id, attributes);
    core.refresh_container(&container.id);
    Ok(())
}

pub(crate) async fn reload(cx: &mut JobContext, targets: Targets) -> Result<Output> {
    let core = cx.core.clone();
    let names = match targets.containers.as_slice() {
        [] => {
            cx.blocking(|core| networks::sweep(core)).await?;
            let attached = |e: &ContainerEntry| {
                e.container.config.network == NetworkMode::Attached
                    && holds_network(&e.state)
                    && e.state.status != Status::Orphaned
            };
            core.read_containers()?.into_iter().filter(attached).map(|e| e.container.name).collect()
        }
        _ => targets.containers,
    };
    if names.is_empty() {
        return Ok(Output::Many(Vec::new()));
    }
    bulk::each(cx, names, |core, name| async move {
        let during = |e: Error| e.during(format!("reloading the network of {name}"));
        let entry = core.container(&name)?;
        own_namespace(&core, &entry.container).map_err(during)?;
        if !holds_network(&entry.state) {
            return Err(during(Error::new(ErrorKind::Conflict, "it is not running")));
        }
        if entry.state.status == Status::Orphaned {
            return Err(during(no_monitor()));
        }
        let done = core.task(&entry.container.id).network(NetworkChange::Reload).await;
        done.map_err(|e| during(e.into()))?;
        core.refresh_container(&entry.container.id);
        Ok(name)
    })
    .await
}
