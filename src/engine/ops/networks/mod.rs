//! Networks: made, removed, and what changes on the networks of containers while they run.

mod create;
mod live;
mod ports;

pub(super) use create::create;
pub(super) use live::{connect, disconnect, reload};
pub(super) use ports::publish;

use super::{Error, ErrorKind, JobContext, Output, Result, bulk};
use crate::engine::core::Core;
use crate::engine::inventory::Event;
use crate::engine::networks::{OPTION_BRIDGE, forget, holds_network, is_predefined};
use crate::engine::request::PruneFilter;
use crate::model::id::ContainerId;
use crate::model::network::{DEFAULT, Driver, Network, NetworkMode};
use crate::net::{bridge, cleanup, members, support};
use crate::store::records::{self, Lease};
use crate::sys::userns;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Tells everybody of a change to the network itself.
fn announce(core: &Core, action: &str, network: &Network) {
    let attributes = [("name", network.name.clone()), ("type", network.driver.word().to_owned())];
    core.emit("network", action, &network.id, attributes);
    core.refresh_networks();
    core.notify(Event::Network(network.id.clone()));
}

pub(super) async fn remove(cx: &mut JobContext, networks: Vec<String>, force: bool) -> Result<Output> {
    bulk::each(cx, networks, move |core, name| async move {
        let removed = move || -> Result<String> {
            let network = match core.network(&name) {
                Err(e) if force && e.kind() == ErrorKind::NotFound => return Ok(name),
                found => found?,
            };
            erase(&core, &network).map_err(|e| e.during(format!("removing network {name}")))?;
            Ok(name)
        };
        tokio::task::spawn_blocking(removed)
            .await
            .map_err(|e| Error::new(ErrorKind::Internal, "a worker thread broke down").because(e.to_string()))?
    })
    .await
}

/// Record and bridge. Refused while a container lives on it.
fn erase(core: &Core, network: &Network) -> Result<()> {
    if is_predefined(&network.name) {
        return Err(Error::new(ErrorKind::Conflict, format!("{} is a predefined network", network.name))
            .because("it cannot be removed"));
    }
    // Nobody can take an address of it between the look and the removal: that too is a writing transaction.
    let users = core.db.write(|t| {
        let leases = records::leases_of_network(t, &network.id)?;
        let (users, dead): (Vec<Lease>, Vec<Lease>) = leases.into_iter().partition(|l| in_use(core, l));
        if users.is_empty() {
            for lease in &dead {
                forget(core, &lease.container, &core.read_state(lease.container.as_str()));
            }
            records::delete_network(t, &network.id)?;
        }
        Ok(users)
    })?;
    if !users.is_empty() {
        return Err(Error::new(ErrorKind::Conflict, "it is in use")
            .because(format!("by {}", names(core, &users).join(", ")))
            .hint("stop these containers, or take them off it with `teu network disconnect`"));
    }
    announce(core, "destroy", network);
    members::forget_network(&core.networks_dir(), &network.id);
    remove_bridge(core, network)
}

fn in_use(core: &Core, lease: &Lease) -> bool {
    lease.starting.is_some_and(|owner| owner.is_alive()) || holds_network(&core.read_state(lease.container.as_str()))
}

fn names(core: &Core, leases: &[Lease]) -> Vec<String> {
    let ids: BTreeSet<&ContainerId> = leases.iter().map(|l| &l.container).collect();
    let name = |id: &ContainerId| {
        let row = core.db.read(|c| records::container(c, id.as_str()));
        row.ok().flatten().map_or_else(|| id.short().to_owned(), |r| r.container.name)
    };
    ids.into_iter().map(name).collect()
}

/// A bridge that was there before the network may serve others, and stays.
fn remove_bridge(core: &Core, network: &Network) -> Result<()> {
    if matches!(network.driver, Driver::Macvlan | Driver::Ipvlan) {
        return remove_parent(core, network);
    }
    if network.driver != Driver::Bridge {
        return Ok(());
    }
    let name = core.host_interface(network);
    let named = network.options.contains_key(OPTION_BRIDGE);
    bridge::among(core.user_networks().as_deref(), || bridge::remove(&name, named, &core.root_tag()))
        .map(drop)
        .map_err(|e| Error::from_source(ErrorKind::Internal, format!("removing bridge {name}"), &e))
}

/// A VLAN that was made for the network goes with it, unless another network is on it too.
fn remove_parent(core: &Core, network: &Network) -> Result<()> {
    let name = core.host_interface(network);
    let on_it = |n: &Network| matches!(n.driver, Driver::Macvlan | Driver::Ipvlan) && core.host_interface(n) == name;
    if userns::identity().rootless || core.networks()?.iter().any(|n| n.id != network.id && on_it(n)) {
        return Ok(());
    }
    bridge::remove_parent(&name)
        .map_err(|e| Error::from_source(ErrorKind::Internal, format!("removing interface {name}"), &e))
}

/// Removes networks that no container is to be on; `going`: containers that do not count. The names of those removed.
pub(super) fn prune(
    core: &Arc<Core>,
    going: &BTreeSet<ContainerId>,
    filter: &PruneFilter,
    dry: bool,
) -> Result<Vec<String>> {
    let containers = core.read_containers()?;
    let mut used = BTreeSet::new();
    for entry in containers.iter().filter(|e| !going.contains(&e.container.id)) {
        if entry.container.config.network == NetworkMode::Attached {
            used.extend(entry.container.config.endpoints.iter().map(|e| e.network.clone()));
        }
        used.extend(entry.state.endpoints.iter().map(|e| e.name.clone()));
    }
    let mut removed = Vec::new();
    let all = core.networks()?;
    let unused = |n: &Network| !is_predefined(&n.name) && !used.contains(&n.name) && filter.fits(&n.labels, n.created);
    let default = all.iter().find(|n| n.name == DEFAULT).is_some_and(|n| filter.fits(&n.labels, n.created));
    for network in all.into_iter().filter(unused) {
        if !dry && let Err(e) = erase(core, &network) {
            // Somebody began to use it.
            tracing::info!(network = network.name, error = %e, "not pruned");
            continue;
        }
        removed.push(network.name);
    }
    if !dry && default {
        withdraw(core)?;
    }
    Ok(removed)
}

/// The default network's bridge leaves the host, and with the last network in use the firewall's table too: the next
/// start makes them anew. A start takes its addresses in a writing transaction, so none comes in between.
fn withdraw(core: &Core) -> Result<()> {
    let user = core.user_networks();
    // Where nothing can be made, nothing is left.
    if user.is_none() && support::bridges(None, "").is_some() {
        return Ok(());
    }
    let default = core.network(DEFAULT)?;
    let (name, tag) = (core.host_interface(&default), core.root_tag());
    let taken = core.db.write(|t| {
        let used: Vec<Lease> = records::leases(t)?.into_iter().filter(|l| in_use(core, l)).collect();
        let (free, none) = (used.iter().all(|l| l.network != default.id), used.is_empty());
        Ok(bridge::among(user.as_deref(), || {
            let bridge = if free { bridge::remove(&name, false, &tag) } else { Ok(()) };
            if none { bridge.and(cleanup::table(&tag)) } else { bridge }
        }))
    })?;
    taken.map(drop).map_err(|e| Error::from_source(ErrorKind::Internal, "taking what is not in use off the host", &e))
}
