//! `--network` and the flags that say where on a network a container is, and which of its ports are reached.

use crate::cli::args::{Args, misuse, wrong};
use crate::engine::Result;
use crate::model::endpoint::{self, Choice};
use crate::model::network::{DEFAULT, EndpointConfig, NetworkMode, PortMapping, Protocol};
use crate::model::publish;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::iter::repeat;

/// What was asked for. `unnamed`: no network was, so that the engine chooses.
#[derive(Debug, Default)]
pub(in crate::cli) struct Networking {
    pub mode: NetworkMode,
    pub endpoints: Vec<EndpointConfig>,
    pub unnamed: bool,
}

/// Reads `--network` (which may be given several times), `--ip`, `--ip6`, `--mac-address` and `--network-alias`: those
/// four are about the first network.
pub(in crate::cli) fn networking(args: Args) -> Result<Networking> {
    let mut found = Networking { mode: NetworkMode::Attached, ..Networking::default() };
    let mut modes = Vec::new();
    for text in args.texts("network") {
        match endpoint::parse(text).map_err(|e| wrong("network", text, e))? {
            Choice::Mode(mode) => modes.push((text, mode)),
            Choice::Endpoint(endpoint) => found.endpoints.push(endpoint),
        }
    }
    let own = own_place(args)?;
    if let Some((text, mode)) = modes.pop() {
        if !modes.is_empty() || !found.endpoints.is_empty() {
            return Err(misuse(format!("conflicting options: a container on network {text} can be on no other one")));
        }
        if own != EndpointConfig::default() {
            return Err(misuse(format!(
                "conflicting options: with --network {text} it has no address or alias of its own"
            )));
        }
        return Ok(Networking { mode, ..Networking::default() });
    }
    if found.endpoints.is_empty() {
        if own == EndpointConfig::default() {
            return Ok(Networking { unnamed: true, ..Networking::default() });
        }
        found.endpoints.push(EndpointConfig { network: DEFAULT.to_owned(), ..EndpointConfig::default() });
    }
    place(&mut found.endpoints[0], own)?;
    Ok(found)
}

/// The flags that are about the first network, and those of `network connect`.
pub(in crate::cli) fn own_place(args: Args) -> Result<EndpointConfig> {
    let named = |flag: &'static str| move |text: &str, e: endpoint::ChoiceError| wrong(flag, text, e);
    let given = ["network-alias", "alias"].into_iter().flat_map(|flag| args.texts(flag).into_iter().zip(repeat(flag)));
    let aliases = given.map(|(text, flag)| endpoint::alias(text).map_err(|e| named(flag)(text, e)));
    let mac = |text: &str| text.parse().map_err(|e| wrong("mac-address", text, e));
    Ok(EndpointConfig {
        network: String::new(),
        aliases: aliases.collect::<Result<_>>()?,
        ip: args.text("ip").map(|t| endpoint::ip(t).map_err(|e| named("ip")(t, e))).transpose()?,
        ip6: args.text("ip6").map(|t| endpoint::ip6(t).map_err(|e| named("ip6")(t, e))).transpose()?,
        mac: args.text("mac-address").map(mac).transpose()?,
        ..EndpointConfig::default()
    })
}

/// Those that only `network connect` has.
pub(in crate::cli) fn connected_place(args: Args) -> Result<EndpointConfig> {
    let mut place = own_place(args)?;
    for text in args.texts("driver-opt") {
        endpoint::set_option(&mut place, text).map_err(|e| wrong("driver-opt", text, e))?;
    }
    let priority = |text: &str| endpoint::priority(text).map_err(|e| wrong("gw-priority", text, e));
    place.priority = args.text("gw-priority").map(priority).transpose()?.unwrap_or_default();
    Ok(place)
}

fn place(endpoint: &mut EndpointConfig, own: EndpointConfig) -> Result<()> {
    let twice = [
        ("ip", endpoint.ip.is_some() && own.ip.is_some()),
        ("ip6", endpoint.ip6.is_some() && own.ip6.is_some()),
        ("mac-address", endpoint.mac.is_some() && own.mac.is_some()),
    ];
    if let Some((flag, _)) = twice.iter().find(|(_, twice)| *twice) {
        return Err(misuse(format!("conflicting options: --{flag} and the {flag} in --network {}", endpoint.network)));
    }
    endpoint.aliases.extend(own.aliases);
    endpoint.ip = endpoint.ip.or(own.ip);
    endpoint.ip6 = endpoint.ip6.or(own.ip6);
    endpoint.mac = endpoint.mac.or(own.mac);
    Ok(())
}

/// `-p` and its relatives: every mapping once.
pub(in crate::cli) fn ports(flag: &str, args: Args) -> Result<Vec<PortMapping>> {
    let mut all: Vec<PortMapping> = Vec::new();
    // A range may be of all ports there are: who has each is not looked for in the list.
    let mut owners = HashMap::new();
    for text in args.texts(flag) {
        for mapping in publish::parse(text).map_err(|e| wrong(flag, text, e))? {
            if mapping.host_port.is_none() {
                all.push(mapping);
                continue;
            }
            match owners.entry((mapping.host_ip, mapping.host_port, mapping.protocol)) {
                Entry::Occupied(owner) if mapping.host_port_last.is_none() => {
                    let other: &PortMapping = &all[*owner.get()];
                    if other.container_port != mapping.container_port {
                        return Err(wrong(flag, text, format!("{other} has that port of the host already")));
                    }
                }
                owner => {
                    owner.or_insert(all.len());
                    all.push(mapping);
                }
            }
        }
    }
    Ok(all)
}

pub(super) fn exposed(args: Args) -> Result<Vec<(u16, Protocol)>> {
    let mut all = Vec::new();
    for text in args.texts("expose") {
        all.extend(publish::parse_exposed(text).map_err(|e| wrong("expose", text, e))?);
    }
    Ok(all)
}
