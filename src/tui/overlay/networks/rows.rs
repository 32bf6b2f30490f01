//! The rows of the page of networks: each network, its containers, their ports.

use crate::engine::{ContainerEntry, Inventory};
use crate::model::container::Status;
use crate::model::network::{Driver, Endpoint, Network, NetworkMode, PublishedPort};
use crate::tui::ports::reach;
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
    /// A container in the network of one that is on it: at the owner's addresses, behind its ports.
    Sharer {
        network: &'a Network,
        sharer: Sharer<'a>,
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
    let sharers = sharers(inventory);
    for network in &inventory.networks {
        let mut on_it = Vec::new();
        for (entry, endpoint) in members(inventory, network) {
            on_it.push(Row::Member { network, entry, endpoint });
            // Ports are the container's: they are told with the network its way out leads through.
            let first = entry.state.endpoints.first().is_some_and(|e| e.network == network.id);
            let ports = entry.state.published().iter().filter(|_| first);
            on_it.extend(ports.map(|port| Row::Port { network, entry, endpoint, port }));
            let with_it = sharers.iter().filter(|s| s.owner.is_some_and(|o| o.container.id == entry.container.id));
            on_it.extend(with_it.map(|sharer| Row::Sharer { network, sharer: *sharer }));
        }
        if network.driver == Driver::Null {
            let left = sharers.iter().filter(|s| s.owner.is_none());
            on_it.extend(left.map(|sharer| Row::Sharer { network, sharer: *sharer }));
        }
        rows.push(Row::Network { network, members: on_it.iter().filter(|row| row.is_on_it()).count() });
        rows.append(&mut on_it);
    }
    rows
}

/// A container that was to live in another's network.
#[derive(Clone, Copy)]
pub struct Sharer<'a> {
    pub entry: &'a Arc<ContainerEntry>,
    /// Who has the network's addresses; `None`: nobody any more.
    pub owner: Option<&'a Arc<ContainerEntry>>,
}

fn sharers(inventory: &Inventory) -> Vec<Sharer<'_>> {
    let shares = |entry: &&Arc<ContainerEntry>| matches!(entry.container.config.network, NetworkMode::Container(_));
    let sharer = |entry| Sharer { entry, owner: owner(inventory, entry) };
    inventory.containers.iter().filter(shares).map(sharer).collect()
}

/// The one that joined nobody, at the end of who joined whom.
fn owner<'a>(inventory: &'a Inventory, entry: &'a Arc<ContainerEntry>) -> Option<&'a Arc<ContainerEntry>> {
    let mut at = entry;
    for _ in &inventory.containers {
        let NetworkMode::Container(id) = &at.container.config.network else { return Some(at) };
        at = inventory.containers.iter().find(|e| e.container.id.as_str() == id)?;
    }
    None
}

impl Sharer<'_> {
    /// Why it is alone: what ends, or is started by hand, leaves those that joined it in a namespace without interfaces.
    /// A restart by its policy keeps the namespace, and the host's own outlives everybody.
    fn cut_off(&self) -> Option<String> {
        let Some(owner) = self.owner else {
            return Some(String::from("the container whose network it shared was removed"));
        };
        let (name, state) = (&owner.container.name, &owner.state);
        match state.status {
            _ if owner.container.config.network == NetworkMode::Host => None,
            Status::Created | Status::Exited => Some(format!("{name} does not run")),
            _ if state.restarts == 0 && state.started > self.entry.state.started => {
                Some(format!("{name} was started after it, restart it too"))
            }
            _ => None,
        }
    }

    fn line(&self) -> (String, Role) {
        let name = &self.entry.container.name;
        let owner = self.owner.map_or("a removed container", |owner| &owner.container.name);
        match self.cut_off() {
            _ if !is_live(self.entry) => {
                (format!("  {name}  {}  shares {owner}'s network", self.entry.state.status.word()), Role::Dim)
            }
            Some(why) => (format!("  {name}  cut off: {why}"), Role::Warn),
            None => (format!("  {name}  shares {owner}'s network"), Role::Text),
        }
    }
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
    /// A container that uses it now.
    fn is_on_it(&self) -> bool {
        match self {
            Row::Member { entry, .. } => is_live(entry),
            Row::Sharer { sharer, .. } => is_live(sharer.entry) && sharer.cut_off().is_none(),
            Row::Network { .. } | Row::Port { .. } => false,
        }
    }

    pub fn network(&self) -> &'a Network {
        match self {
            Row::Network { network, .. }
            | Row::Member { network, .. }
            | Row::Sharer { network, .. }
            | Row::Port { network, .. } => network,
        }
    }

    pub fn key(&self) -> Key {
        let id = |entry: &ContainerEntry| Some(entry.container.id.to_string());
        let network = self.network().id.clone();
        match self {
            Row::Network { .. } => (network, None, None),
            Row::Member { entry, .. } | Row::Sharer { sharer: Sharer { entry, .. }, .. } => (network, id(entry), None),
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
            Row::Sharer { sharer, .. } => sharer.owner.map(|owner| of(owner)).unwrap_or_default(),
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
            Row::Sharer { sharer, .. } => sharer.line(),
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
