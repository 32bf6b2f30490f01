//! What networks leave on the host: bridges, one each, and VLANs made to be parents.

use super::error::{Error, Result};
use super::link::Links;
use super::nft::Firewall;
use super::{netns, rootless};
use std::os::fd::AsFd;
use std::path::Path;

/// Runs `work` in the namespace that bridges are in: the caller's own or, with `user` (`<run>/networks`), that of an ordinary
/// user's containers. `None`: there is no such namespace now, nor anything in it.
pub fn among<T: Send>(user: Option<&Path>, work: impl FnOnce() -> Result<T> + Send) -> Result<Option<T>> {
    match user.map(rootless::namespace) {
        None => work().map(Some),
        Some(None) => Ok(None),
        Some(Some(ns)) => netns::enter(ns.as_fd(), work)?.map(Some),
    }
}

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

/// Whether an interface of that name could be a network's bridge: it is one, or is not there yet. For a caller in the namespace
/// that bridges are in.
pub fn may_be(name: &str) -> Result<bool> {
    Ok(Links::open()?.find(name)?.is_none_or(|link| link.kind.as_deref() == Some("bridge")))
}

/// Removes a parent interface if it is a VLAN that was made for networks.
pub fn remove_parent(name: &str) -> Result<()> {
    Links::open()?.remove_vlan(name)
}
