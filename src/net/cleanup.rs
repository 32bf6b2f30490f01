//! Frees what containers left behind that died without their monitor's help.

use super::error::Result;
use super::link::Links;
use super::nft::Firewall;
use super::outside::veth_name;
use std::collections::BTreeSet;

/// What was found and removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Freed {
    /// Rules of published ports.
    pub ports: usize,
}

/// Removes the rules of all containers that are not among `alive` (ids) from the table of `root_tag`. To be called before a dead
/// container's address is given to another one.
pub fn dead(alive: &BTreeSet<String>, root_tag: &str) -> Result<Freed> {
    let Some(mut firewall) = Firewall::open(root_tag)? else { return Ok(Freed::default()) };
    let ports = firewall.sweep(|container| alive.contains(container))?;
    Ok(Freed { ports })
}

/// Removes the rules of one container.
pub fn of(container: &str, root_tag: &str) -> Result<Freed> {
    let Some(mut firewall) = Firewall::open(root_tag)? else { return Ok(Freed::default()) };
    let ports = firewall.sweep(|other| other != container)?;
    Ok(Freed { ports })
}

/// Removes the host's ends of a dead container's pairs, by its networks (ids). They end with its namespace, but that may be held
/// by others, with addresses that can be somebody else's by then. For a caller in the namespace that bridges are in.
pub fn pairs<'a>(container: &str, networks: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let mut links = Links::open()?;
    networks.into_iter().try_for_each(|network| links.remove(&veth_name(container, network)).map(drop))
}

/// Removes the whole table of `root_tag`.
pub fn table(root_tag: &str) -> Result<()> {
    match Firewall::open(root_tag)? {
        Some(mut firewall) => firewall.remove_table(),
        None => Ok(()),
    }
}
