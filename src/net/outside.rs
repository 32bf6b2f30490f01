//! The host's side of a network: bridge, pair of interfaces, forwarding. For a caller in the host's namespace.

use super::error::{Error, Result};
use super::link::{Link, Links, OnParent, OnParentKind, Port, Veth};
use super::nft::Firewall;
use super::plan::{Attachments, EndpointPlan};
use super::sysctl;
use crate::model::network::{Driver, Mac};
use netlink_packet_route::link::{IpVlanMode, MacVlanMode};
use std::os::fd::BorrowedFd;

/// The host's end of a container's interface: 14 characters, of which the kernel takes 15.
pub fn veth_name(container: &str, network: &str) -> String {
    let part =
        |id: &str, length: usize| id.chars().filter(char::is_ascii_alphanumeric).take(length).collect::<String>();
    format!("tv{}{}", part(container, 8), part(network, 4))
}

/// What came of work on the host's side, also where it failed.
#[derive(Default)]
pub struct News {
    pub warnings: Vec<String>,
    /// The networks, by id, whose bridges had to be made: nobody else is on them.
    pub made: Vec<String>,
}

/// Makes a bridge that is missing, and sets what is not as it should be.
fn bridge(links: &mut Links, endpoint: &EndpointPlan, news: &mut News) -> Result<Link> {
    let name = &endpoint.host_interface;
    let six = endpoint.gateways.iter().any(|g| g.address.is_ipv6());
    let mut found = links.find(name)?;
    if found.is_none() {
        if links.add_bridge(name, bridge_mac(name), endpoint.mtu)? {
            news.made.push(endpoint.endpoint.network.clone());
        }
        found = links.find(name)?;
    }
    let Some(link) = found else {
        return Err(Error::Answer { doing: format!("make bridge {name}") });
    };
    if link.kind.as_deref() != Some("bridge") {
        return Err(Error::WrongKind { name: name.clone(), wanted: "bridge" });
    }
    if let Some(text) = sysctl::bridge(name, six) {
        news.warnings.push(format!("network {}: {text}", endpoint.endpoint.name));
    }
    if !link.up {
        links.set_up(link.index, six)?;
    }
    for gateway in &endpoint.gateways {
        links.add_address(link.index, *gateway)?;
    }
    Ok(link)
}

/// Puts the host's end of a container's pair, which is there, on the network's bridge.
pub fn rejoin(links: &mut Links, plan: &Attachments, endpoint: &EndpointPlan, news: &mut News) -> Result<()> {
    let bridge = bridge(links, endpoint, news)?;
    let own = veth_name(&plan.container, &endpoint.endpoint.network);
    links.put_on_bridge(&own, bridge.index, port(endpoint, news))?;
    enlarge(links, &bridge);
    Ok(())
}

/// What the host's end of a pair is as a port of its bridge.
fn port(endpoint: &EndpointPlan, news: &mut News) -> Port {
    // Where bridged packets go through the IP rules, a packet to the own published port leaves by the port it came from.
    let bridged = |file| sysctl::read(file).is_some_and(|v| v != "0");
    let hairpin = bridged("bridge/bridge-nf-call-iptables") || bridged("bridge/bridge-nf-call-ip6tables");
    if hairpin && endpoint.isolated {
        // Redirected on the bridge itself, they would go from one port to another, which is what shall not be.
        news.warnings.push(format!(
            "network {}: its containers do not reach each other's published ports while bridged packets go \
             through the firewall (sysctl net.bridge.bridge-nf-call-iptables=0)",
            endpoint.endpoint.name
        ));
    }
    Port { hairpin, isolated: endpoint.isolated }
}

/// A bridge can take what its ports do once it has one.
fn enlarge(links: &mut Links, bridge: &Link) {
    if !bridge.large {
        links.enlarge(bridge.index);
    }
}

/// The container's interface, not yet up.
pub fn interface(
    links: &mut Links,
    plan: &Attachments,
    endpoint: &EndpointPlan,
    ns: BorrowedFd<'_>,
    news: &mut News,
) -> Result<()> {
    let (name, mac, mtu) = (endpoint.endpoint.interface.as_str(), endpoint.endpoint.mac, endpoint.mtu);
    let kind = match endpoint.driver {
        Driver::Bridge => {
            let bridge = bridge(links, endpoint, news)?;
            let own = veth_name(&plan.container, &endpoint.endpoint.network);
            let port = port(endpoint, news);
            links.add_veth(&Veth { name: &own, bridge: bridge.index, mtu, ns, peer: name, mac, port })?;
            enlarge(links, &bridge);
            return Ok(());
        }
        Driver::Macvlan => OnParentKind::Macvlan(macvlan_mode(endpoint.mode.as_deref())?),
        Driver::Ipvlan => OnParentKind::Ipvlan(ipvlan_mode(endpoint.mode.as_deref())?),
        Driver::Host | Driver::Null => {
            return Err(Error::Unsupported(format!(
                "nothing attaches to a network of driver {}",
                endpoint.driver.word()
            )));
        }
    };
    if plan.rootless {
        return Err(Error::Unsupported(format!("driver {} needs root", endpoint.driver.word())));
    }
    let parent = links.parent(&endpoint.host_interface)?;
    // The kernel gives ipvlan interfaces their parent's address and refuses any other.
    let mac = mac.filter(|_| endpoint.driver == Driver::Macvlan);
    links.add_on_parent(&OnParent { parent, mtu, ns, name, mac, kind })
}

fn macvlan_mode(mode: Option<&str>) -> Result<MacVlanMode> {
    Ok(match mode.unwrap_or("bridge") {
        "bridge" => MacVlanMode::Bridge,
        "private" => MacVlanMode::Private,
        "vepa" => MacVlanMode::Vepa,
        "passthru" => MacVlanMode::Passthrough,
        other => return Err(Error::Unsupported(format!("unknown macvlan mode '{other}'"))),
    })
}

fn ipvlan_mode(mode: Option<&str>) -> Result<IpVlanMode> {
    Ok(match mode.unwrap_or("l2") {
        "l2" => IpVlanMode::L2,
        "l3" => IpVlanMode::L3,
        "l3s" => IpVlanMode::L3S,
        other => return Err(Error::Unsupported(format!("unknown ipvlan mode '{other}'"))),
    })
}

/// Why no container could be attached so, found out before anything is made.
pub fn possible(endpoints: &[EndpointPlan], translated: bool) -> Result<()> {
    let bridged = || endpoints.iter().filter(|e| e.driver == Driver::Bridge);
    if let Some(six) = bridged().find(|e| e.endpoint.v6.is_some())
        && !sysctl::has_ipv6()
    {
        return Err(Error::NoIpv6 { network: six.endpoint.name.clone() });
    }
    let mut public = bridged().filter(|e| !e.internal && translated).flat_map(|e| &e.gateways);
    public.try_for_each(|gateway| sysctl::may_forward(gateway.address.is_ipv6()))
}

/// Lets packets through between the bridges and the outside; what had to be switched on for it is told.
pub fn forwarding(endpoints: &[EndpointPlan], warnings: &mut Vec<String>) -> Result<()> {
    let public = endpoints.iter().filter(|e| e.driver == Driver::Bridge && !e.internal);
    for gateway in public.flat_map(|e| &e.gateways) {
        let six = gateway.address.is_ipv6();
        if sysctl::forward(six)? {
            let family = if six { "IPv6" } else { "IPv4" };
            warnings.push(format!("{family} forwarding was off on this machine and has been switched on"));
        }
    }
    Ok(())
}

/// What is to be told of the machine's own firewall, if it keeps the containers from the outside. Asked once the table had to be
/// made: by the first start after a boot.
pub fn closed_by_others(firewall: &mut Firewall, endpoints: &[EndpointPlan]) -> Option<String> {
    let bridge = &endpoints.iter().find(|e| e.driver == Driver::Bridge && !e.internal)?.host_interface;
    let chain = match firewall.closed_by(bridge) {
        Ok(chain) => chain?.words(),
        Err(e) => {
            tracing::debug!(error = %e, "looking at the machine's firewall");
            return None;
        }
    };
    Some(format!(
        "this machine's firewall drops what is forwarded (chain {chain}): containers on {bridge} neither reach the outside nor \
         are reached from there, unless it permits that (nft insert rule {chain} iifname {bridge} accept; nft insert rule \
         {chain} oifname {bridge} accept)"
    ))
}

/// A bridge without a set address takes that of a port, and changes it when the port goes.
fn bridge_mac(name: &str) -> Mac {
    // FNV-1a, 64 bits
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    let [a, b, c, d, ..] = hash.to_be_bytes();
    Mac([0x02, 0x74, a, b, c, d])
}

/// Like docker's: the address is in it. Its holder has the same one every time, so that neighbours who remember it are right.
pub fn mac_of(endpoint: &crate::model::network::Endpoint) -> Option<Mac> {
    if let Some(four) = endpoint.v4
        && let std::net::IpAddr::V4(address) = four.address
    {
        let [a, b, c, d] = address.octets();
        return Some(Mac([0x02, 0x42, a, b, c, d]));
    }
    match endpoint.v6?.address {
        std::net::IpAddr::V6(address) => {
            let [.., a, b, c, d] = address.octets();
            Some(Mac([0x02, 0x46, a, b, c, d]))
        }
        std::net::IpAddr::V4(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_differ_by_network() {
        let (one, two) = (veth_name(&"ab".repeat(32), &"1".repeat(64)), veth_name(&"ab".repeat(32), &"2".repeat(64)));
        assert_eq!(one, "tvabababab1111");
        assert_ne!(one, two);
        assert!(one.len() <= 15);
    }

    #[test]
    fn macs_are_local_unicast_and_stay() {
        assert_eq!(bridge_mac("teu0"), bridge_mac("teu0"));
        assert_ne!(bridge_mac("teu0"), bridge_mac("tb0123456789ab"));
        assert_eq!(bridge_mac("teu0").0[0], 2);
    }
}
