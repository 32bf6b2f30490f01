//! `docker network inspect`, and what `docker inspect CONTAINER` says of networks and ports.

use crate::engine::inventory::ContainerEntry;
use crate::model::container::{Container, ContainerConfig, State};
use crate::model::network::{Cidr, Protocol};
use crate::model::network::{Endpoint, EndpointConfig, Network, NetworkMode, PublishedPort};
use crate::model::reference::Digest;
use serde_json::{Map, Value, json};

/// `members`: the live containers on it.
pub(crate) fn network(network: &Network, members: &[ContainerEntry]) -> Value {
    let subnet = |s: &crate::model::network::Subnet| {
        let mut config = Map::new();
        config.insert("Subnet".into(), json!(s.subnet.to_string()));
        if let Some(range) = s.range {
            config.insert("IPRange".into(), json!(range.to_string()));
        }
        config.insert("Gateway".into(), json!(s.gateway.to_string()));
        if !s.auxiliary.is_empty() {
            config.insert("AuxiliaryAddresses".into(), json!(s.auxiliary));
        }
        Value::Object(config)
    };
    json!({
        "Name": network.name,
        "Id": network.id,
        "Created": network.created.rfc3339(),
        "Scope": "local",
        "Driver": network.driver.word(),
        "EnableIPv4": true,
        "EnableIPv6": network.ipv6,
        "IPAM": {
            "Driver": "default",
            "Options": {},
            "Config": network.subnets.iter().map(subnet).collect::<Vec<_>>(),
        },
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Ingress": false,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": false,
        "Containers": members.iter().map(|m| member(m, network)).collect::<Map<_, _>>(),
        "Options": network.options,
        "Labels": network.labels,
    })
}

fn member(entry: &ContainerEntry, network: &Network) -> (String, Value) {
    let id = entry.container.id.as_str();
    let endpoint = entry.state.endpoints.iter().find(|e| e.network == network.id);
    let with_prefix = |cidr: Option<Cidr>| cidr.map(|c| c.to_string()).unwrap_or_default();
    let value = json!({
        "Name": entry.container.name,
        "EndpointID": endpoint_id(id, &network.id),
        "MacAddress": endpoint.and_then(|e| e.mac).map(|m| m.to_string()).unwrap_or_default(),
        "IPv4Address": with_prefix(endpoint.and_then(|e| e.v4)),
        "IPv6Address": with_prefix(endpoint.and_then(|e| e.v6)),
    });
    (id.to_owned(), value)
}

/// One for each pair of container and network, the same for as long as both are there.
fn endpoint_id(container: &str, network: &str) -> String {
    Digest::of(format!("{container} {network}").as_bytes()).hex().to_owned()
}

/// `HostConfig.NetworkMode`
pub(super) fn mode(c: &ContainerConfig) -> String {
    match &c.network {
        NetworkMode::Container(id) => format!("container:{id}"),
        NetworkMode::Attached => {
            // Taken off all of its networks: what is left is what those on none have.
            c.endpoints.first().map_or_else(|| NetworkMode::None.word().to_owned(), |e| e.network.clone())
        }
        mode => mode.word().to_owned(),
    }
}

/// `80/tcp`
pub(super) fn port_key((port, protocol): &(u16, Protocol)) -> String {
    format!("{port}/{}", protocol.word())
}

/// `HostConfig.PortBindings`: what was asked for.
pub(super) fn bindings(c: &ContainerConfig) -> Value {
    let mut all: Map<String, Value> = Map::new();
    for port in &c.ports {
        let host = match (port.host_port, port.host_port_last) {
            (Some(first), Some(last)) => format!("{first}-{last}"),
            (Some(port), None) => port.to_string(),
            (None, _) => String::new(),
        };
        let binding = json!({"HostIp": port.host_ip.map(|ip| ip.to_string()).unwrap_or_default(), "HostPort": host});
        add(&mut all, port_key(&(port.container_port, port.protocol)), binding);
    }
    Value::Object(all)
}

fn add(all: &mut Map<String, Value>, key: String, binding: Value) {
    if let Value::Array(list) = all.entry(key).or_insert_with(|| json!([])) {
        list.push(binding);
    }
}

/// `NetworkSettings`: what there is now. Exposed ports that are not published are null, as docker has them.
pub(super) fn settings(c: &Container, state: &State) -> Value {
    let live = crate::engine::networks::holds_network(state);
    let ends: &[Endpoint] = if live { &state.endpoints } else { &[] };
    let mut networks: Map<String, Value> = match &c.config.network {
        NetworkMode::Attached => {
            c.config.endpoints.iter().map(|asked| (asked.network.clone(), endpoint(c, asked, ends))).collect()
        }
        NetworkMode::Container(_) => Map::new(),
        mode => [(mode.word().to_owned(), endpoint(c, &EndpointConfig::default(), ends))].into_iter().collect(),
    };
    // On a network by another name than the one it was asked for with.
    for end in ends {
        if !networks.contains_key(&end.name) {
            networks.insert(end.name.clone(), endpoint_of(c, None, end));
        }
    }
    // Docker's older fields are the default network's.
    let on_default = ends.iter().find(|e| e.name == crate::model::network::DEFAULT);
    let address = |e: Option<&Endpoint>| e.and_then(|e| e.v4).map(|v| v.address.to_string()).unwrap_or_default();
    json!({
        "Bridge": "",
        "HairpinMode": false,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": null,
        "SecondaryIPv6Addresses": null,
        "GlobalIPv6Address": on_default.and_then(|e| e.v6).map(|v| v.address.to_string()).unwrap_or_default(),
        "GlobalIPv6PrefixLen": on_default.and_then(|e| e.v6).map_or(0, |v| v.prefix),
        "IPv6Gateway": on_default.and_then(|e| e.gateway6).map(|g| g.to_string()).unwrap_or_default(),
        "SandboxID": if live { c.id.as_str() } else { "" },
        "SandboxKey": if live && state.pid > 0 { format!("/proc/{}/ns/net", state.pid) } else { String::new() },
        "Ports": ports(&c.config, state.published(), live),
        "Gateway": on_default.and_then(|e| e.gateway4).map(|g| g.to_string()).unwrap_or_default(),
        "IPAddress": address(on_default),
        "IPPrefixLen": on_default.and_then(|e| e.v4).map_or(0, |v| v.prefix),
        "MacAddress": on_default.and_then(|e| e.mac).map(|m| m.to_string()).unwrap_or_default(),
        "EndpointID": on_default.map(|e| endpoint_id(c.id.as_str(), &e.network)).unwrap_or_default(),
        "Networks": networks,
    })
}

fn ports(c: &ContainerConfig, published: &[PublishedPort], live: bool) -> Value {
    let mut all: Map<String, Value> = Map::new();
    for port in published {
        let binding = json!({"HostIp": port.host_ip.to_string(), "HostPort": port.host_port.to_string()});
        add(&mut all, port_key(&(port.container_port, port.protocol)), binding);
    }
    for port in c.exposed.iter().filter(|_| live) {
        all.entry(port_key(port)).or_insert(Value::Null);
    }
    Value::Object(all)
}

fn endpoint(c: &Container, asked: &EndpointConfig, ends: &[Endpoint]) -> Value {
    match ends.iter().find(|e| e.name == asked.network) {
        Some(end) => endpoint_of(c, Some(asked), end),
        None => described(Some(asked), None, ""),
    }
}

fn endpoint_of(c: &Container, asked: Option<&EndpointConfig>, end: &Endpoint) -> Value {
    described(asked, Some(end), &endpoint_id(c.id.as_str(), &end.network))
}

fn described(asked: Option<&EndpointConfig>, end: Option<&Endpoint>, id: &str) -> Value {
    let config = asked.filter(|a| a.ip.is_some() || a.ip6.is_some()).map(|a| {
        let mut wanted = Map::new();
        if let Some(ip) = a.ip {
            wanted.insert("IPv4Address".into(), json!(ip.to_string()));
        }
        if let Some(ip) = a.ip6 {
            wanted.insert("IPv6Address".into(), json!(ip.to_string()));
        }
        Value::Object(wanted)
    });
    let address = |cidr: Option<Cidr>| cidr.map(|c| c.address.to_string()).unwrap_or_default();
    let (v4, v6) = (end.and_then(|e| e.v4), end.and_then(|e| e.v6));
    json!({
        "IPAMConfig": config,
        "Links": [],
        "Aliases": asked.map(|a| a.aliases.clone()).unwrap_or_default(),
        "MacAddress": end.and_then(|e| e.mac).map(|m| m.to_string()).unwrap_or_default(),
        "DriverOpts": asked.map(|a| a.options.clone()).unwrap_or_default(),
        "GwPriority": asked.map_or(0, |a| a.priority),
        "NetworkID": end.map(|e| e.network.clone()).unwrap_or_default(),
        "EndpointID": id,
        "Gateway": end.and_then(|e| e.gateway4).map(|g| g.to_string()).unwrap_or_default(),
        "IPAddress": address(v4),
        "IPPrefixLen": v4.map_or(0, |v| v.prefix),
        "IPv6Gateway": end.and_then(|e| e.gateway6).map(|g| g.to_string()).unwrap_or_default(),
        "GlobalIPv6Address": address(v6),
        "GlobalIPv6PrefixLen": v6.map_or(0, |v| v.prefix),
        "DNSNames": end.map(|e| e.names.clone()).unwrap_or_default(),
    })
}
