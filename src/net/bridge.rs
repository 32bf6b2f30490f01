//! What networks leave on the host: bridges, one each, and VLANs made to be parents.

use super::error::{Error, Result};
use super::link::Links;
use super::nft::Firewall;

/// Removes a network's bridge and what the firewall table of `root_tag` knows of it. One that is not there is fine. `named`: by
/// a user, so that it stays unless it was made for the network. For a caller in the namespace the bridge is in.
pub fn remove(name: &str, named: bool, root_tag: &str) -> Result<()> {
    let mut links = Links::open()?;
    let found = links.find(name)?;
    let is_bridge = found.as_ref().is_none_or(|link| link.kind.as_deref() == Some("bridge"));
    if !is_bridge && !named {
        return Err(Error::WrongKind { name: name.to_owned(), wanted: "bridge" });
    }
    if let Some(mut firewall) = Firewall::open(root_tag)? {
        firewall.remove_network(name)?;
    }
    if !named || found.is_some_and(|link| is_bridge && link.is_ours()) {
        links.remove(name)?;
    }
    Ok(())
}

/// Removes a parent interface if it is a VLAN that was made for networks.
pub fn remove_parent(name: &str) -> Result<()> {
    Links::open()?.remove_vlan(name)
}
