//! Addresses of containers: taken in one transaction before a start, kept while the container lives, free for others when
//! it has ended and somebody needs them.

use super::{holds_network, invalid};
use crate::engine::core::Core;
use crate::engine::{Error, ErrorKind, Result};
use crate::model::container::State;
use crate::model::id::ContainerId;
use crate::model::network::{EndpointConfig, Network};
use crate::net::{bridge, cleanup, ipam, members};
use crate::store::Owner;
use crate::store::records::{self, Lease, Taken, Want};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// While a container is being started its addresses are taken although it does not live yet. Ends with the value.
pub(crate) struct Starting {
    core: Arc<Core>,
    container: ContainerId,
}

impl Starting {
    /// Addresses for the container on each of the networks: those of one network in the order of its subnets.
    pub fn take(
        core: &Arc<Core>,
        container: &ContainerId,
        endpoints: &[(EndpointConfig, Network)],
    ) -> Result<(Starting, Vec<Vec<IpAddr>>)> {
        let starting = Starting { core: core.clone(), container: container.clone() };
        let reserved: Vec<Vec<IpAddr>> =
            endpoints.iter().map(|(_, n)| n.subnets.iter().flat_map(ipam::reserved).collect()).collect();
        let mut wants = Vec::new();
        for ((endpoint, network), reserved) in endpoints.iter().zip(&reserved) {
            wants.extend(wants_of(endpoint, network, reserved)?);
        }
        forget(core, container, &core.read_state(container.as_str()));
        let is_dead = |lease: &Lease| core.is_dead(lease);
        let taken = core.db.write(|t| records::take_leases(t, container, Owner::this(), &wants, &is_dead))?;
        let addresses = match taken {
            Taken::Addresses { addresses, from_dead } => {
                if from_dead {
                    tidy(core);
                }
                addresses
            }
            Taken::Held(lease) => return Err(core.held(&lease)),
            Taken::Exhausted(index) => return Err(exhausted(endpoints, wants[index].network)),
        };
        let mut addresses = addresses.into_iter();
        let taken = endpoints.iter().map(|(_, n)| addresses.by_ref().take(n.subnets.len()).collect()).collect();
        Ok((starting, taken))
    }
}

impl Drop for Starting {
    /// From now on the container's own state says whether its addresses are in use.
    fn drop(&mut self) {
        if let Err(e) = self.core.db.write(|t| records::leases_started(t, &self.container)) {
            tracing::warn!(container = self.container.short(), error = %e, "marking addresses as taken");
        }
    }
}

pub(super) fn wants_of<'a>(
    endpoint: &EndpointConfig,
    network: &'a Network,
    reserved: &'a [IpAddr],
) -> Result<Vec<Want<'a>>> {
    let asked = |four: bool| match four {
        true => endpoint.ip.map(IpAddr::V4),
        false => endpoint.ip6.map(IpAddr::V6),
    };
    for (address, family) in [(asked(true), "IPv4"), (asked(false), "IPv6")] {
        let Some(address) = address else { continue };
        if !network.subnets.iter().any(|s| s.subnet.address.is_ipv4() == address.is_ipv4()) {
            return Err(Error::new(ErrorKind::Invalid, format!("address {address} cannot be had"))
                .because(format!("network {} has no {family} subnet", network.name)));
        }
    }
    let one = |subnet: &'a crate::model::network::Subnet| {
        let asked = asked(subnet.subnet.address.is_ipv4());
        if let Some(address) = asked {
            ipam::may_have(subnet, address).map_err(|e| invalid(e).during(format!("network {}", network.name)))?;
        }
        Ok(Want { network: &network.id, asked, bounds: ipam::bounds(subnet), reserved })
    };
    network.subnets.iter().map(one).collect()
}

fn exhausted(endpoints: &[(EndpointConfig, Network)], id: &str) -> Error {
    let network = endpoints.iter().map(|(_, n)| n).find(|n| n.id == id);
    let name = network.map_or(id, |n| &n.name);
    let subnets: Vec<String> =
        network.iter().flat_map(|n| &n.subnets).map(|s| s.range.unwrap_or(s.subnet).to_string()).collect();
    Error::new(ErrorKind::Unavailable, format!("network {name} has no free address left"))
        .because(format!("every address of {} is taken", subnets.join(", ")))
        .hint("stop a container on it, or make a network with a larger --subnet or --ip-range")
}

impl Core {
    /// Nobody uses the address any more: its container does not live, and nobody is starting it.
    pub fn is_dead(&self, lease: &Lease) -> bool {
        lease.starting.is_none_or(|owner| !owner.is_alive())
            && !holds_network(&self.read_state(lease.container.as_str()))
    }

    fn held(&self, lease: &Lease) -> Error {
        let row = self.db.read(|c| records::container(c, lease.container.as_str()));
        let name = row.ok().flatten().map_or_else(|| lease.container.short().to_owned(), |r| r.container.name);
        Error::new(ErrorKind::Conflict, format!("address {} is already in use", lease.address))
            .because(format!("container {name} has it"))
    }
}

/// Gives back what the container has on one network.
pub(crate) fn free(core: &Core, container: &ContainerId, network: &str) -> Result<()> {
    core.db.write(|t| {
        for lease in records::leases_of_container(t, container)?.iter().filter(|l| l.network == network) {
            records::delete_lease(t, network, lease.address)?;
        }
        Ok(())
    })?;
    Ok(())
}

/// Frees the addresses and rules of containers that died without their monitor's help.
pub(crate) fn sweep(core: &Core) -> Result<()> {
    let dead: Vec<Lease> = core.db.read(records::leases)?.into_iter().filter(|l| core.is_dead(l)).collect();
    if dead.is_empty() {
        return Ok(());
    }
    tidy(core);
    core.db.write(|t| {
        for lease in &dead {
            // It may have been taken anew meanwhile.
            if records::lease_at(t, &lease.network, lease.address)?.as_ref() == Some(lease) && core.is_dead(lease) {
                records::delete_lease(t, &lease.network, lease.address)?;
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// A monitor that was killed has left its container's names, its pairs where somebody holds their other ends, and the rules of
/// its published ports: they would lead to whoever has the address next. The state says so, whose endpoints and ports a
/// monitor's own end clears. To be called before the address can be anybody else's.
pub(crate) fn forget(core: &Core, container: &ContainerId, state: &State) {
    if holds_network(state) {
        return;
    }
    for endpoint in &state.endpoints {
        members::remove(&core.networks_dir(), container.as_str(), &endpoint.network);
    }
    part(core, container.as_str(), state);
    if state.ports.is_empty() {
        return;
    }
    let user = core.user_networks();
    if let Err(e) = bridge::among(user.as_deref(), || cleanup::of(container.as_str(), &core.root_tag())) {
        tracing::warn!(container = container.short(), error = %e, "removing the rules of a dead container");
    }
}

/// Removes the pairs of a container whose monitor was killed.
fn part(core: &Core, container: &str, state: &State) {
    if state.endpoints.is_empty() {
        return;
    }
    let networks = || state.endpoints.iter().map(|e| e.network.as_str());
    let parted = bridge::among(core.user_networks().as_deref(), || cleanup::pairs(container, networks()));
    if let Err(e) = parted {
        tracing::warn!(container, error = %e, "removing the interfaces of a dead container");
    }
}

/// Names, rules and pairs of the dead would lead to whoever has their address next.
pub(crate) fn tidy(core: &Core) {
    // Who is being started has addresses, and in a writing transaction nobody takes any: no names and rules but those of the
    // living and of these are anybody's.
    let tidied = core.db.write(|t| {
        let leases = records::leases(t)?.into_iter().filter(|l| l.starting.is_some_and(|owner| owner.is_alive()));
        let mut alive: BTreeSet<String> = leases.map(|l| l.container.to_string()).collect();
        for id in records::container_ids(t)? {
            let state = core.read_state(&id);
            if holds_network(&state) {
                alive.insert(id);
            } else if !alive.contains(&id) {
                part(core, &id, &state);
            }
        }
        members::sweep(&core.networks_dir(), |id| alive.contains(id));
        let user = core.user_networks();
        Ok(bridge::among(user.as_deref(), || cleanup::dead(&alive, &core.root_tag())))
    });
    match tidied {
        Err(e) => tracing::warn!(error = %e, "looking for the living"),
        Ok(Err(e)) => tracing::warn!(error = %e, "removing rules of dead containers"),
        Ok(Ok(_)) => {}
    }
}
