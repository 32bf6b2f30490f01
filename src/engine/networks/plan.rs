//! From a container's record to the plan its monitor carries out: networks, addresses, names, ports.

use super::names as network_names;
use super::{OPTION_ADDRESS, OPTION_BRIDGE, OPTION_MASQUERADE, OPTION_MTU, OPTION_NEIGHBOURS, OPTION_PREFIX, Starting};
use crate::engine::core::Core;
use crate::engine::{Error, ErrorKind, Result};
use crate::model::asked::Asked;
use crate::model::container::{Container, State};
use crate::model::endpoint::IFNAME;
use crate::model::network::{
    Cidr, Driver, Endpoint, EndpointConfig, Network, NetworkMode, PortMapping, Protocol, PublishedPort,
};
use crate::net::files;
use crate::net::plan::{Attachments, EndpointPlan, NetworkPlan};
use crate::net::ports::Taken;
use crate::runtime::state;
use crate::sys::{process, userns};
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Where published ports are when nobody says: this machine alone reaches them.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The plan of a start. Addresses stay taken while [`Starting`] lives and, after that, while the container does.
pub(crate) fn start_plan(core: &Arc<Core>, container: &Container) -> Result<(NetworkPlan, Option<Starting>)> {
    match &container.config.network {
        NetworkMode::None => Ok((NetworkPlan::Isolated, None)),
        NetworkMode::Host => Ok((NetworkPlan::Host, None)),
        NetworkMode::Container(id) => Ok((join(core, id)?, None)),
        NetworkMode::Attached => {
            let (plan, starting) = attached(core, container)?;
            Ok((NetworkPlan::Attached(Box::new(plan)), Some(starting)))
        }
    }
}

fn join(core: &Core, id: &str) -> Result<NetworkPlan> {
    let entry = core.container(id).map_err(|e| e.during("joining another container's network"))?;
    let State { pid, status, pid_start, .. } = entry.state;
    if !status.is_live() || pid <= 0 || process::start_time(pid) != Some(pid_start) {
        let name = &entry.container.name;
        return Err(Error::new(ErrorKind::Conflict, format!("cannot join the network of container {name}"))
            .because("it is not running")
            .hint(format!("start it first: `teu start {name}`")));
    }
    Ok(NetworkPlan::Join { container: id.to_owned(), pid, pid_start })
}

fn attached(core: &Arc<Core>, container: &Container) -> Result<(Attachments, Starting)> {
    let mut chosen: Vec<(EndpointConfig, Network)> = Vec::new();
    for endpoint in &container.config.endpoints {
        let name = &endpoint.network;
        let network = core.network_for_use(name).map_err(|e| match e.kind() {
            ErrorKind::NotFound => e.hint(format!(
                "`teu network create {name}` makes it, `teu network disconnect {name} {}` does without",
                container.name
            )),
            _ => e,
        })?;
        if chosen.iter().any(|(_, n)| n.id == network.id) {
            return Err(Error::new(ErrorKind::Invalid, format!("network {} is named twice", network.name)));
        }
        chosen.push((endpoint.clone(), network));
    }
    let (starting, addresses) = Starting::take(core, &container.id, &chosen)?;
    let mut endpoints = Vec::new();
    let named = |(config, _): &(EndpointConfig, Network)| config.options.get(IFNAME).cloned();
    let mut interfaces: Vec<String> = chosen.iter().filter_map(named).collect();
    for ((config, network), addresses) in chosen.iter().zip(addresses) {
        let interface = interface(config, network, &interfaces)?;
        interfaces.push(interface.clone());
        endpoints.push(endpoint_plan(core, container, config, network, &addresses, interface)?);
    }
    let ports = published(core, container, &chosen, Asked::of(&container.config).all())?;
    let resolvers = if endpoints.iter().all(|e| e.internal) { Vec::new() } else { resolvers(container) };
    // The default route leads through the first; one that leads nowhere comes later.
    endpoints.sort_by_key(|e| e.internal);
    let plan = Attachments {
        container: container.id.to_string(),
        root_tag: core.root_tag(),
        dir: core.networks_dir(),
        rootless: userns::identity().rootless,
        listens: core.options.monitors_listen,
        endpoints,
        ports,
        resolvers,
    };
    Ok((plan, starting))
}

/// One network of a container, with the addresses taken for it: one for each subnet.
pub(crate) fn endpoint_plan(
    core: &Core,
    container: &Container,
    config: &EndpointConfig,
    network: &Network,
    addresses: &[IpAddr],
    interface: String,
) -> Result<EndpointPlan> {
    let option = |key: &str| network.options.get(key).map(String::as_str);
    let mut endpoint = Endpoint {
        network: network.id.clone(),
        name: network.name.clone(),
        interface,
        mac: config.mac,
        v4: None,
        v6: None,
        gateway4: None,
        gateway6: None,
        names: names(container, config),
    };
    for (subnet, address) in network.subnets.iter().zip(addresses) {
        let with_prefix = Some(Cidr { address: *address, prefix: subnet.subnet.prefix });
        match (address, subnet.gateway) {
            (IpAddr::V4(_), IpAddr::V4(gateway)) => {
                endpoint.v4 = with_prefix;
                endpoint.gateway4 = Some(gateway).filter(|_| !network.internal);
            }
            (IpAddr::V6(_), IpAddr::V6(gateway)) => {
                endpoint.v6 = with_prefix;
                endpoint.gateway6 = Some(gateway).filter(|_| !network.internal);
            }
            _ => return Err(Error::new(ErrorKind::Internal, format!("network {} mixes families", network.name))),
        }
    }
    if network.driver == Driver::Ipvlan && config.mac.is_some() {
        return Err(Error::new(ErrorKind::Invalid, "a container on an ipvlan network has its parent's MAC address"));
    }
    let gateways =
        network.subnets.iter().map(|s| Cidr { address: s.gateway, prefix: s.subnet.prefix }).collect::<Vec<_>>();
    let mode = match network.driver {
        Driver::Macvlan => option("macvlan_mode"),
        Driver::Ipvlan => option("ipvlan_mode"),
        Driver::Bridge | Driver::Host | Driver::Null => None,
    };
    Ok(EndpointPlan {
        driver: network.driver,
        host_interface: core.host_interface(network),
        gateways,
        internal: network.internal,
        mtu: option(OPTION_MTU).and_then(|m| m.parse().ok()),
        masquerade: option(OPTION_MASQUERADE) != Some("false"),
        isolated: option(OPTION_NEIGHBOURS) == Some("false"),
        shared: option(OPTION_BRIDGE).is_some(),
        priority: config.priority,
        mode: mode.map(str::to_owned),
        endpoint,
    })
}

/// What others on the network find it by.
fn names(container: &Container, config: &EndpointConfig) -> Vec<String> {
    let mut names = vec![container.name.to_ascii_lowercase()];
    let more = config.aliases.iter().map(String::as_str);
    let own = [container.id.short(), container.config.hostname.as_str()];
    for name in more.chain(own).map(str::to_ascii_lowercase).filter(|n| !n.is_empty()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// What others find a running container by, by the id of each network it is on.
pub(crate) fn names_on(container: &Container, state: &State) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for endpoint in &state.endpoints {
        let config =
            container.config.endpoints.iter().find(|c| [&endpoint.name, &endpoint.network].contains(&&c.network));
        found.insert(endpoint.network.clone(), names(container, &config.cloned().unwrap_or_default()));
    }
    found
}

/// Where names that are no container's are asked: the container's own servers, else the host's.
pub(crate) fn resolvers(container: &Container) -> Vec<IpAddr> {
    match container.config.dns.as_slice() {
        [] => files::host_resolvers(),
        given => given.iter().filter_map(|a| a.parse().ok()).collect(),
    }
}

/// The ports a monitor is to publish. An internal network's container is reached by nobody outside.
pub(crate) fn published<'a>(
    core: &Core,
    container: &Container,
    networks: &[(EndpointConfig, Network)],
    mappings: impl Iterator<Item = &'a PortMapping> + Clone,
) -> Result<Vec<PublishedPort>> {
    let default = publish_address(core, networks);
    let mut chosen = Chosen::named(mappings.clone(), default)?;
    let (mut ports, mut taken) = (Vec::new(), None);
    for mapping in mappings {
        let mut port = published_at(mapping, default);
        if let (first, Some(last)) = (port.host_port, mapping.host_port_last) {
            port = chosen.first_free(&port, first..=last, taken.get_or_insert_with(|| taken_ports(core, container)))?;
        }
        ports.push(port);
    }
    if !ports.is_empty() && !networks.is_empty() && networks.iter().all(|(_, n)| n.internal) {
        let all = network_names(container).join(", ");
        return Err(Error::new(ErrorKind::Invalid, "ports cannot be published")
            .because(format!("the container is only on internal networks ({all})"))
            .hint("put it on a network that is not internal as well"));
    }
    Ok(ports)
}

/// What no socket says.
fn taken_ports(core: &Core, container: &Container) -> Vec<Taken> {
    let id = container.id.as_str();
    state::taken_ports(&core.root.container(id), &core.root.container_run(id), &core.networks_dir())
}

/// Where ports are published that name no address.
pub(crate) fn publish_address(core: &Core, networks: &[(EndpointConfig, Network)]) -> IpAddr {
    let of_network = networks.iter().find_map(|(_, n)| n.options.get(OPTION_ADDRESS)?.parse().ok());
    of_network.or(core.options.publish_address).unwrap_or(LOOPBACK)
}

/// Refuses what asks twice for one port of this machine.
pub(crate) fn one_of_each<'a>(mappings: impl Iterator<Item = &'a PortMapping>, default: IpAddr) -> Result<()> {
    Chosen::named(mappings, default).map(drop)
}

/// With the first host port that it asks for; 0: any free one.
fn published_at(mapping: &PortMapping, default: IpAddr) -> PublishedPort {
    PublishedPort {
        host_ip: mapping.host_ip.unwrap_or(default),
        host_port: mapping.host_port.unwrap_or(0),
        container_port: mapping.container_port,
        protocol: mapping.protocol,
    }
}

/// Ports of this machine that a container is to have, by number.
#[derive(Default)]
struct Chosen(HashMap<(u16, Protocol), Vec<PublishedPort>>);

impl Chosen {
    /// Those that are asked for by their one number: no range may take them.
    fn named<'a>(mappings: impl Iterator<Item = &'a PortMapping>, default: IpAddr) -> Result<Chosen> {
        let mut chosen = Chosen::default();
        for mapping in mappings.filter(|m| m.host_port.is_some() && m.host_port_last.is_none()) {
            let port = published_at(mapping, default);
            if let Some(other) = chosen.in_the_way(&port) {
                return Err(Error::new(ErrorKind::Invalid, format!("{other} and {port} cannot both be had"))
                    .because("they are one port of this machine"));
            }
            chosen.add(port);
        }
        Ok(chosen)
    }

    fn add(&mut self, port: PublishedPort) {
        self.0.entry((port.host_port, port.protocol)).or_default().push(port);
    }

    fn in_the_way(&self, port: &PublishedPort) -> Option<&PublishedPort> {
        self.0.get(&(port.host_port, port.protocol))?.iter().find(|other| other.overlaps(port))
    }

    /// Of several host ports the first that nobody has now; the monitor then takes it, or says who was quicker.
    fn first_free(
        &mut self,
        wanted: &PublishedPort,
        mut range: RangeInclusive<u16>,
        taken: &[Taken],
    ) -> Result<PublishedPort> {
        let (first, last, ip) = (*range.start(), *range.end(), wanted.host_ip);
        let free = |host_port| {
            let port = PublishedPort { host_port, ..wanted.clone() };
            let address = SocketAddr::new(ip, host_port);
            let bound = match port.protocol {
                Protocol::Tcp => TcpListener::bind(address).is_ok(),
                Protocol::Udp => UdpSocket::bind(address).is_ok(),
            };
            let free = bound && !taken.iter().any(|other| other.port.overlaps(&port));
            (free && self.in_the_way(&port).is_none()).then_some(port)
        };
        let port = range.find_map(free).ok_or_else(|| {
            Error::new(ErrorKind::Conflict, format!("no port from {first} to {last} is free on {ip}"))
        })?;
        self.add(port.clone());
        Ok(port)
    }
}

/// What the interface is called that a running container gets.
pub(crate) fn next_interface(state: &State, config: &EndpointConfig, network: &Network) -> Result<String> {
    let taken: Vec<String> = state.endpoints.iter().map(|e| e.interface.clone()).collect();
    match config.options.get(IFNAME).filter(|name| taken.contains(name)) {
        Some(name) => Err(Error::new(ErrorKind::Conflict, format!("the container has an interface {name} already"))),
        None => interface(config, network, &taken),
    }
}

/// As asked for, else the first free name of the network's kind: `eth0`.
fn interface(config: &EndpointConfig, network: &Network, taken: &[String]) -> Result<String> {
    if let Some(name) = config.options.get(IFNAME) {
        let twice = taken.iter().filter(|t| *t == name).count() > 1;
        let refusal =
            || Error::new(ErrorKind::Invalid, format!("two networks' interfaces cannot both be called {name}"));
        return if twice { Err(refusal()) } else { Ok(name.clone()) };
    }
    let prefix = network.options.get(OPTION_PREFIX).map_or("eth", String::as_str);
    let mut names = (0..).map(|n| format!("{prefix}{n}"));
    Ok(names.find(|name| !taken.contains(name)).unwrap_or_default())
}
