//! The rows of the page of networks: each network, its containers, their ports.

use crate::engine::{ContainerEntry, Inventory};
use crate::model::network::{Driver, Endpoint, Network, NetworkMode, PublishedPort};
use crate::model::publish::Reach;
use crate::tui::theme::Role;
use std::sync::Arc;

pub enum Row<'a> {
    Network {
        network: &'a Network,
        members: usize,
    },
    /// A container that is on it, or will be when it is started: then without an endpoint.
    Member {
        network: &'a Network,
        entry: &'a Arc<ContainerEntry>,
        endpoint: Option<&'a Endpoint>,
    },
    Port {
        network: &'a Network,
        entry: &'a Arc<ContainerEntry>,
        endpoint: Option<&'a Endpoint>,
        port: &'a PublishedPort,
    },
}

/// What tells a row from all others: network, container, port.
pub type Key = (String, Option<String>, Option<PublishedPort>);

pub fn rows(inventory: &Inventory) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for network in &inventory.networks {
        let on_it: Vec<_> = members(inventory, network).collect();
        rows.push(Row::Network { network, members: on_it.iter().filter(|(entry, _)| is_live(entry)).count() });
        for (entry, endpoint) in on_it {
            rows.push(Row::Member { network, entry, endpoint });
            // Ports are the container's: they are told with the network its way out leads through.
            let first = entry.state.endpoints.first().is_some_and(|e| e.network == network.id);
            let ports = entry.state.published().iter().filter(|_| first);
            rows.extend(ports.map(|port| Row::Port { network, entry, endpoint, port }));
        }
    }
    rows
}

fn is_live(entry: &ContainerEntry) -> bool {
    entry.state.status.is_live()
}

/// Who is on a network, or is to be.
pub fn members<'a>(
    inventory: &'a Inventory,
    network: &'a Network,
) -> impl Iterator<Item = (&'a Arc<ContainerEntry>, Option<&'a Endpoint>)> {
    inventory.containers.iter().filter_map(move |entry| {
        let endpoint = entry.state.endpoints.iter().find(|e| is_live(entry) && e.network == network.id);
        (endpoint.is_some() || is_to_be(entry, network)).then_some((entry, endpoint))
    })
}

fn is_to_be(entry: &ContainerEntry, network: &Network) -> bool {
    let config = &entry.container.config;
    match config.network {
        NetworkMode::Host => network.driver == Driver::Host,
        NetworkMode::None => network.driver == Driver::Null,
        NetworkMode::Container(_) => false,
        NetworkMode::Attached => {
            let named = config.endpoints.iter().any(|e| e.network == network.name || e.network == network.id);
            named && !is_live(entry)
        }
    }
}

impl<'a> Row<'a> {
    pub fn network(&self) -> &'a Network {
        match self {
            Row::Network { network, .. } | Row::Member { network, .. } | Row::Port { network, .. } => network,
        }
    }

    pub fn key(&self) -> Key {
        let id = |entry: &ContainerEntry| Some(entry.container.id.to_string());
        let network = self.network().id.clone();
        match self {
            Row::Network { .. } => (network, None, None),
            Row::Member { entry, .. } => (network, id(entry), None),
            Row::Port { entry, port, .. } => (network, id(entry), Some((*port).clone())),
        }
    }

    /// The ports it stands for, with their containers' names.
    pub fn ports(&self) -> Vec<(&'a str, &'a PublishedPort)> {
        let of = |entry: &'a ContainerEntry| {
            let name = entry.container.name.as_str();
            entry.state.published().iter().map(move |port| (name, port)).collect()
        };
        match self {
            Row::Port { entry, port, .. } => vec![(entry.container.name.as_str(), port)],
            Row::Member { entry, .. } => of(entry),
            Row::Network { .. } => Vec::new(),
        }
    }

    pub fn line(&self) -> (String, Role) {
        match self {
            Row::Network { network, members } => (heading(network, *members), Role::Title),
            Row::Member { entry, endpoint: Some(endpoint), .. } => {
                let name = &entry.container.name;
                let also = names(endpoint, [name, entry.container.id.short()]);
                (format!("  {name}  {}{also}", addresses(endpoint)), Role::Text)
            }
            Row::Member { entry, .. } if is_live(entry) => (format!("  {}", entry.container.name), Role::Text),
            Row::Member { entry, .. } => {
                (format!("  {}  {}", entry.container.name, entry.state.status.word()), Role::Dim)
            }
            Row::Port { port, .. } => {
                let (who, role) = reach(port);
                (format!("    {port}  {who}"), role)
            }
        }
    }
}

fn heading(network: &Network, members: usize) -> String {
    let subnets: Vec<String> = network.subnets.iter().map(|s| s.subnet.to_string()).collect();
    let mut words = vec![network.name.clone(), network.driver.word().to_owned()];
    words.extend(Some(subnets.join(", ")).filter(|s| !s.is_empty()));
    words.extend(network.internal.then(|| String::from("internal: no way out, none in")));
    words.push(match members {
        0 => String::from("nobody is on it"),
        1 => String::from("1 container"),
        n => format!("{n} containers"),
    });
    words.join(" · ")
}

fn addresses(endpoint: &Endpoint) -> String {
    let all = [endpoint.v4, endpoint.v6].into_iter().flatten().map(|c| c.address.to_string());
    all.collect::<Vec<_>>().join(" ")
}

/// What else it is called there, than by name and id.
fn names(endpoint: &Endpoint, own: [&str; 2]) -> String {
    let known = |name: &str| own.iter().any(|own| own.eq_ignore_ascii_case(name));
    let others: Vec<&str> = endpoint.names.iter().map(String::as_str).filter(|name| !known(name)).collect();
    if others.is_empty() { String::new() } else { format!("  also {}", others.join(", ")) }
}

/// Who can reach a published port.
fn reach(port: &PublishedPort) -> (String, Role) {
    match port.reach() {
        Reach::Local => (String::from("this machine only"), Role::Ok),
        Reach::Everybody => (String::from("everyone who reaches this machine"), Role::Warn),
        Reach::Address(ip) => (format!("everyone who reaches {ip}"), Role::Warn),
    }
}

/// Where a browser finds a port: what every address stands for is this machine.
pub fn url(port: &PublishedPort) -> String {
    let host = match port.host_ip {
        ip if ip.is_unspecified() => String::from("localhost"),
        ip if ip.is_ipv6() => format!("[{ip}]"),
        ip => ip.to_string(),
    };
    let scheme = if matches!(port.container_port, 443 | 8443) { "https" } else { "http" };
    format!("{scheme}://{host}:{}", port.host_port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::network::Protocol;

    #[test]
    fn addresses_for_a_browser() {
        let port = |ip: &str, container_port| PublishedPort {
            host_ip: ip.parse().unwrap(),
            host_port: 8080,
            container_port,
            protocol: Protocol::Tcp,
        };
        assert_eq!(url(&port("127.0.0.1", 80)), "http://127.0.0.1:8080");
        assert_eq!(url(&port("0.0.0.0", 443)), "https://localhost:8080");
        assert_eq!(url(&port("::1", 80)), "http://[::1]:8080");
    }
}
