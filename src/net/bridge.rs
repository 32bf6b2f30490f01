//! What networks leave on the host: bridges, one each, and VLANs made to be parents.

use super::error::{Error, Result};
use super::link::Links;
use super::nft::Firewall;

/// Removes a network's bridge and what the firewall table of `root_tag` knows of it. One that is not there is fine. For a
/// caller in the namespace the bridge is in.
pub fn remove(name: &str, root_tag: &str) -> Result<()> {
    let mut links = Links::open()?;
    let found = links.find(name)?;
    if found.is_some_and(|link| link.kind.as_deref() != Some("bridge")) {
        return Err(Error::WrongKind { name: name.to_owned(), wanted: "bridge" });
    }
    if let Some(mut firewall) = Firewall::open(root_tag)? {
        firewall.remove_network(name)?;
    }
    links.remove(name)?;
    Ok(())
}

/// Removes a parent interface if it is a VLAN that was made for networks.
pub fn remove_parent(name: &str) -> Result<()> {
    Links::open()?.remove_vlan(name)
}
