//! The container's side of its networks: addresses and default routes.

use super::error::{Error, Result};
use super::link::Links;
use super::plan::EndpointPlan;
use crate::model::network::Driver;
use std::net::IpAddr;

/// Brings an endpoint's interface up with its addresses. `tell`: its neighbours too, on a bridge; elsewhere they are always told.
pub fn configure(inside: &mut Links, endpoint: &EndpointPlan, tell: bool) -> Result<()> {
    let index = index(inside, endpoint)?;
    inside.set_up(index, endpoint.endpoint.v6.is_some())?;
    for address in [endpoint.endpoint.v4, endpoint.endpoint.v6].into_iter().flatten() {
        inside.add_address(index, address)?;
    }
    match endpoint.endpoint.mac {
        Some(_) if endpoint.driver == Driver::Bridge && !tell => Ok(()),
        Some(mac) => inside.announce(index, mac),
        None => Ok(()),
    }
}

/// Takes an endpoint's addresses away; an interface that is not there has none.
pub fn leave(inside: &mut Links, endpoint: &EndpointPlan) -> Result<()> {
    let Some(link) = inside.find(&endpoint.endpoint.interface)? else { return Ok(()) };
    for address in [endpoint.endpoint.v4, endpoint.endpoint.v6].into_iter().flatten() {
        inside.remove_address(link.index, address)?;
    }
    Ok(())
}

fn index(inside: &mut Links, endpoint: &EndpointPlan) -> Result<u32> {
    let name = &endpoint.endpoint.interface;
    let found = inside.find(name)?;
    Ok(found.ok_or_else(|| Error::Answer { doing: format!("look for interface {name} in the container") })?.index)
}

/// The default route of each family leads through the endpoint of highest priority that has a way out, of several through
/// the first.
pub fn default_routes(inside: &mut Links, endpoints: &[EndpointPlan]) -> Result<()> {
    for six in [false, true] {
        // Of equal ones the last is the greatest.
        let out = endpoints.iter().rev().filter_map(|e| way_out(e, six).map(|g| (e, g)));
        let Some((endpoint, gateway)) = out.max_by_key(|(e, _)| e.priority) else { continue };
        let index = index(inside, endpoint)?;
        match gateway {
            Some(gateway) => inside.set_default_route(index, gateway)?,
            None => inside.set_default_device(index, six)?,
        }
    }
    Ok(())
}

/// The gateway of an endpoint that leads outside; within: none where the interface itself does.
fn way_out(endpoint: &EndpointPlan, six: bool) -> Option<Option<IpAddr>> {
    let e = &endpoint.endpoint;
    let (address, gateway) = if six { (e.v6, e.gateway6.map(IpAddr::V6)) } else { (e.v4, e.gateway4.map(IpAddr::V4)) };
    address?;
    let routed = endpoint.driver == Driver::Ipvlan && matches!(endpoint.mode.as_deref(), Some("l3" | "l3s"));
    match gateway {
        _ if endpoint.internal => None,
        _ if routed => Some(None),
        Some(gateway) => Some(Some(gateway)),
        None => None,
    }
}

/// The first free name of the kind `eth0`.
pub fn free_name(endpoints: &[EndpointPlan]) -> String {
    let taken = |name: &str| endpoints.iter().any(|e| e.endpoint.interface == name);
    (0..).map(|n| format!("eth{n}")).find(|name| !taken(name)).unwrap_or_default()
}
