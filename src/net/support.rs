//! What this machine lets us do for a container's network, found out without making anything that stays.

use super::error::{Error, Result};
use super::link::{Kind, Links};
use super::netns::NetNs;
use super::nft::Firewall;
use super::{rootless, sysctl};
use crate::sys::facts;
use std::path::Path;

/// Something is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    pub why: String,
    /// What to do about it; empty where nothing can be done.
    pub remedy: &'static str,
}

impl Lack {
    fn new(why: impl Into<String>, remedy: &'static str) -> Lack {
        Lack { why: why.into(), remedy }
    }
}

impl std::fmt::Display for Lack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, " ({})", self.remedy) }
    }
}

/// Why a container cannot be put on a bridge here; `None`: nothing speaks against it. `user`: `<run>/networks` of an ordinary
/// user, whose bridges are in a namespace of their own. `bridge`: one that is there proves it, and costs no request that would
/// have to wait for the kernel to take the interfaces of others down.
pub fn bridges(user: Option<&Path>, bridge: &str) -> Option<Lack> {
    match user {
        Some(dir) if rootless::exists(dir) => None,
        Some(_) => {
            let found = NetNs::create().and_then(|ns| ns.enter(interfaces)?);
            found.unwrap_or_else(|e| Some(Lack::new(e.to_string(), "")))
        }
        None if sysctl::knows(bridge) => forwarding(),
        None => match interfaces() {
            Ok(None) => forwarding(),
            Ok(lack) => lack,
            Err(e) => Some(Lack::new(e.to_string(), "")),
        },
    }
}

/// Why an ordinary user's containers would reach nothing outside.
pub fn way_out(search_path: &str) -> Option<Lack> {
    if !rootless::available(search_path) {
        return Some(Lack::new("neither pasta nor slirp4netns is installed", "install package passt or slirp4netns"));
    }
    let refused = facts::opens("/dev/net/tun").err()?;
    Some(Lack::new(format!("/dev/net/tun cannot be opened: {refused}"), "modprobe tun, and mode 0666 for it"))
}

/// Whether the kernel translates addresses: tried with a table in a namespace that is thrown away.
pub fn translates() -> bool {
    let tried = NetNs::create()
        .and_then(|ns| ns.enter(|| Firewall::open("")?.map_or(Ok(false), |mut f| f.add(&[], &[], "")))?);
    tried.is_ok_and(|made| made)
}

/// The chain of this machine's own firewall that lets nothing pass between that bridge and the outside, as `nft` names it.
pub fn closed(bridge: &str) -> Option<String> {
    let mut firewall = Firewall::open("").ok()??;
    firewall.closed_by(bridge).ok()?.map(|chain| chain.words())
}

/// Both kinds a bridged network is made of, in the namespace the caller is in.
fn interfaces() -> Result<Option<Lack>> {
    let mut links = Links::open()?;
    for (kind, what) in [(Kind::Bridge, "bridges"), (Kind::Veth, "veth interfaces")] {
        match links.can_make(kind) {
            Ok(()) => {}
            Err(e) if e.denied() => {
                return Ok(Some(Lack::new("network interfaces may not be made here", "CAP_NET_ADMIN is missing")));
            }
            Err(e) if e.unsupported() => return Ok(Some(Lack::new(format!("this kernel has no {what}"), ""))),
            Err(source) => return Err(Error::Netlink { doing: format!("look for {what}"), source }),
        }
    }
    Ok(None)
}

/// Where addresses are not translated, nothing is forwarded either, and need not be.
fn forwarding() -> Option<Lack> {
    let refused = sysctl::forwarding_refused(false)?;
    let translated = matches!(Firewall::open(""), Ok(Some(_)));
    translated.then(|| {
        Lack::new(
            format!("packets are not forwarded on this machine, and that cannot be changed: {}", refused.kind()),
            "sysctl net.ipv4.ip_forward=1",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_makes_nothing() {
        let Ok(ns) = NetNs::create() else { return };
        let found = ns.enter(|| {
            let lack = interfaces().unwrap();
            (lack, Links::open().unwrap().all().unwrap().len())
        });
        let (lack, links) = found.unwrap();
        assert_eq!((lack, links), (None, 1), "loopback alone");
    }

    #[test]
    fn what_is_missing_is_said_with_its_remedy() {
        let lack = way_out("/nowhere").unwrap();
        assert_eq!(
            lack.to_string(),
            "neither pasta nor slirp4netns is installed (install package passt or slirp4netns)"
        );
        assert_eq!(Lack::new("no", "").to_string(), "no");
    }
}
