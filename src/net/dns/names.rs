//! What is known of a name or an address on the networks of a container.

use crate::net::members::Members;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing: somebody else may know it.
    Unknown,
    /// It is ours; possibly without any address.
    Addresses(Vec<IpAddr>),
}

/// What is known of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reverse {
    /// Not ours.
    Foreign,
    /// In a network of ours, but nobody's.
    Nobody,
    Names(Vec<String>),
}

/// Looks a name up: `name` or `name.network`, lower case without the last dot. The first network that has it wins, and
/// all its members of that name answer.
pub fn lookup(networks: &[Members], name: &str) -> Found {
    if name == "localhost" || name.ends_with(".localhost") {
        return Found::Addresses(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let plain = networks.iter().map(|network| (network, Some(name)));
    let qualified = networks.iter().map(|network| (network, short(name, &network.name)));
    for (network, name) in plain.chain(qualified) {
        let Some(name) = name else { continue };
        let mut known = false;
        let mut addresses = Vec::new();
        for endpoint in network.iter().filter(|e| e.names.iter().any(|n| n == name)) {
            known = true;
            addresses.extend(endpoint.v4.map(|c| c.address));
            addresses.extend(endpoint.v6.map(|c| c.address));
        }
        if known {
            return Found::Addresses(addresses);
        }
    }
    Found::Unknown
}

/// `web` of `web.blue` for the network `blue`.
fn short<'a>(name: &'a str, network: &str) -> Option<&'a str> {
    name.strip_suffix(network)?.strip_suffix('.').filter(|short| !short.is_empty())
}

/// The names of an address: `name.network`, the container's own name first.
pub fn reverse(networks: &[Members], address: IpAddr) -> Reverse {
    let mut ours = false;
    for network in networks {
        for endpoint in network.iter() {
            let own = [endpoint.v4, endpoint.v6];
            ours |= own.iter().flatten().any(|c| c.contains(address));
            if own.iter().flatten().any(|c| c.address == address) {
                let names = endpoint.names.iter().take(1).map(|n| format!("{n}.{}", network.name));
                return Reverse::Names(names.collect());
            }
        }
    }
    if ours { Reverse::Nobody } else { Reverse::Foreign }
}
