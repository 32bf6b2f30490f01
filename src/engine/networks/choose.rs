//! The networks a new container is to be on: names that exist, addresses that can be had, and nothing that contradicts itself.

use super::leases::wants_of;
use crate::engine::core::Core;
use crate::engine::{Error, ErrorKind, Result};
use crate::model::container::ContainerConfig;
use crate::model::network::{DEFAULT, Driver, EndpointConfig, NetworkMode};

/// Completes `config` and refuses what can never start; returns what the user should know. `unnamed`: the engine chooses
/// the network.
pub(crate) fn choose(core: &Core, config: &mut ContainerConfig, unnamed: bool) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    if unnamed {
        let publishes = !config.ports.is_empty() || config.publish_all;
        choose_default(config, publishes);
    }
    match config.network.clone() {
        NetworkMode::Attached => attached(core, config)?,
        NetworkMode::Container(name) => {
            let id = core.container(&name)?.container.id;
            refuse_own_network(config, &name)?;
            config.network = NetworkMode::Container(id.to_string());
        }
        mode @ (NetworkMode::None | NetworkMode::Host) => {
            if !config.ports.is_empty() || config.publish_all {
                let why = match mode {
                    NetworkMode::Host => "the container's ports are this machine's",
                    _ => "nobody reaches a container without a network",
                };
                warnings.push(format!("published ports are discarded: with --network {} {why}", mode.word()));
            }
            config.ports.clear();
            config.publish_all = false;
            config.endpoints.clear();
        }
    }
    Ok(warnings)
}

fn choose_default(config: &mut ContainerConfig, publishes: bool) {
    if publishes {
        config.network = NetworkMode::Attached;
        config.endpoints = vec![EndpointConfig { network: DEFAULT.to_owned(), ..EndpointConfig::default() }];
    } else {
        config.network = NetworkMode::None;
        config.endpoints.clear();
    }
}

fn attached(core: &Core, config: &mut ContainerConfig) -> Result<()> {
    let mut ids: Vec<String> = Vec::new();
    for endpoint in &mut config.endpoints {
        let asks = endpoint.ip.is_some() || endpoint.ip6.is_some();
        let network = if asks { core.network_for_use(&endpoint.network)? } else { core.network(&endpoint.network)? };
        if matches!(network.driver, Driver::Host | Driver::Null) {
            return Err(Error::new(ErrorKind::Invalid, "conflicting options: several networks")
                .because(format!("a container on network {} can be on no other one", network.name)));
        }
        if ids.contains(&network.id) {
            return Err(Error::new(ErrorKind::Invalid, format!("network {} is named twice", network.name)));
        }
        wants_of(endpoint, &network, &[])?;
        endpoint.network = network.name;
        ids.push(network.id);
    }
    if ids.is_empty() {
        return Err(Error::new(ErrorKind::Invalid, "no network is named"));
    }
    Ok(())
}

/// What belongs to the other container cannot be this one's to say.
fn refuse_own_network(config: &ContainerConfig, name: &str) -> Result<()> {
    let conflicts = [
        (!config.ports.is_empty() || config.publish_all, "published ports"),
        (!config.hostname.is_empty(), "a host name"),
        (!config.dns.is_empty(), "DNS servers"),
        (!config.extra_hosts.is_empty(), "entries in the hosts file"),
    ];
    match conflicts.iter().find(|(given, _)| *given) {
        None => Ok(()),
        Some((_, what)) => {
            Err(Error::new(ErrorKind::Invalid, format!("conflicting options: {what} and --network container:{name}"))
                .because("the container shares that one's network and its files"))
        }
    }
}
