//! Frees what containers left behind that died without their monitor's help.

use super::error::Result;
use super::nft::Firewall;
use std::collections::BTreeSet;

/// What was found and removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Freed {
    /// Rules of published ports.
    pub ports: usize,
}

/// Removes the rules of all containers that are not among `alive` (ids) from the table of `root_tag`. To be called before a dead
/// container's address is given to another one. Interfaces need no cleaning: they end with their container's namespace.
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

/// Removes the whole table of `root_tag`.
pub fn table(root_tag: &str) -> Result<()> {
    match Firewall::open(root_tag)? {
        Some(mut firewall) => firewall.remove_table(),
        None => Ok(()),
    }
}
