//! The networks a new container is to be on: names that exist, addresses that can be had, and nothing that contradicts itself.

use super::leases::wants_of;
use crate::engine::core::Core;
use crate::engine::{Error, ErrorKind, Result};
use crate::model::container::{Container, ContainerConfig};
use crate::model::network::{DEFAULT, Driver, EndpointConfig, NetworkMode};
use crate::net::support;
use crate::store::records;
use crate::sys::userns;

/// Completes `config` and refuses what can never start; returns what the user should know. `unnamed`: the engine chooses
/// the network.
pub(crate) fn choose(core: &Core, config: &mut ContainerConfig, unnamed: bool) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    if unnamed {
        let publishes = !config.ports.is_empty() || config.publish_all;
        warnings.extend(choose_default(core, config, publishes)?);
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

/// On the default network, unless the settings or this machine say no. Who publishes ports needs one.
fn choose_default(core: &Core, config: &mut ContainerConfig, publishes: bool) -> Result<Option<String>> {
    config.network = NetworkMode::None;
    config.endpoints.clear();
    if !core.options.default_network && !publishes {
        return Ok(None);
    }
    if publishes {
        // They are reached, and neighbours too, where nothing leads outside: the start says so.
        if let Some(lack) = lacking(core)? {
            return Err(Error::new(ErrorKind::Unsupported, "ports cannot be published")
                .because(lack.to_string())
                .hint("--network host shares this machine's ports"));
        }
    } else if let Some(lack) = no_default(core)? {
        config.network_wanted = true;
        return Ok(Some(format!("the container has no network but loopback: {lack}")));
    }
    on_default(config);
    Ok(None)
}

fn on_default(config: &mut ContainerConfig) {
    config.network = NetworkMode::Attached;
    config.endpoints = vec![EndpointConfig { network: DEFAULT.to_owned(), ..EndpointConfig::default() }];
    config.network_wanted = false;
}

/// For a start: a container that the default network could not be had for is on it from now on, if it can. `None`: its record
/// stays as it is.
pub(crate) fn look_again(core: &Core, container: &Container) -> Result<Option<Container>> {
    if !container.config.network_wanted || no_default(core)?.is_some() {
        return Ok(None);
    }
    let mut found = container.clone();
    on_default(&mut found.config);
    core.db.write(|t| records::update_container(t, &found))?;
    Ok(Some(found))
}

/// Why who names no network gets none.
pub(crate) fn no_default(core: &Core) -> Result<Option<support::Lack>> {
    let way_out = || userns::identity().rootless.then(|| support::way_out(&search_path(core))).flatten();
    Ok(lacking(core)?.or_else(way_out))
}

/// Why no container could be on the default network.
pub(crate) fn lacking(core: &Core) -> Result<Option<support::Lack>> {
    Ok(support::bridges(core.user_networks().as_deref(), &core.host_interface(&core.network(DEFAULT)?)))
}

/// Where monitors look for programs.
pub(crate) fn search_path(core: &Core) -> String {
    let found = core.options.environment.iter().find(|(name, _)| name == "PATH");
    found.map_or_else(String::new, |(_, value)| value.to_string_lossy().into_owned())
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
