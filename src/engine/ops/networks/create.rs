//! `network create`: what was asked for, checked and completed, as one record. Bridges are made when first needed.

use super::announce;
use crate::engine::core::{Core, now};
use crate::engine::networks::{
    OPTION_ADDRESS, OPTION_BRIDGE, OPTION_MASQUERADE, OPTION_MTU, OPTION_NEIGHBOURS, OPTION_PREFIX, invalid,
    is_predefined,
};
use crate::engine::ops::{Error, ErrorKind, JobContext, Output, Result};
use crate::engine::request::CreateNetworkArgs;
use crate::model::endpoint::is_interface_name;
use crate::model::id::{ContainerId, check_name};
use crate::model::network::{Cidr, Driver, Network, Subnet};
use crate::net::{bridge, host, ipam};
use crate::store::records;
use crate::sys::userns;
use std::net::IpAddr;

/// Shortest and longest packets that interfaces take.
const MTU: std::ops::RangeInclusive<u32> = 68..=65535;
/// What IPv6 wants of an interface (RFC 8200, 5).
const MTU6: u32 = 1280;
/// Podman's word for [`OPTION_MTU`].
const SHORT_MTU: &str = "mtu";

pub(crate) async fn create(cx: &mut JobContext, args: CreateNetworkArgs) -> Result<Output> {
    let name = args.name.clone();
    let made = cx.blocking(move |core| make(core, args)).await;
    let network = made.map_err(|e| e.during(format!("creating network {name}")))?;
    Ok(Output::Network(network.id))
}

fn make(core: &Core, mut args: CreateNetworkArgs) -> Result<Network> {
    if let Some(mtu) = args.options.remove(SHORT_MTU) {
        args.options.insert(OPTION_MTU.to_owned(), mtu);
    }
    check_name(&args.name).map_err(|e| Error::new(ErrorKind::Invalid, e.to_string()))?;
    if is_predefined(&args.name) || matches!(args.name.as_str(), "default" | "container") {
        return Err(Error::new(ErrorKind::Conflict, format!("the name {} is predefined", args.name)));
    }
    if args.driver != Driver::Bridge && userns::identity().rootless {
        return Err(Error::new(ErrorKind::Unsupported, format!("{} networks need root", args.driver.word())));
    }
    check_options(&args)?;
    check_bridge(core, &args)?;
    let id = ContainerId::random().to_string();
    let subnets = subnets(core, &args, &id)?;
    let network = Network {
        name: args.name,
        driver: args.driver,
        subnets,
        internal: args.internal,
        ipv6: args.ipv6,
        attachable: args.attachable,
        labels: args.labels,
        options: args.options,
        created: now(),
        id,
    };
    // Looked at and written in one transaction: two at once cannot take one subnet.
    let conflict = core.db.write(|t| {
        let others = records::networks(t)?;
        let overlap = others.into_iter().find_map(|o| overlap(core, &network, o));
        Ok(match overlap {
            Some(other) => Some(other),
            None if records::insert_network(t, &network)? => None,
            None => Some(Conflict::Name),
        })
    })?;
    match conflict {
        None => {}
        Some(Conflict::Name) => {
            return Err(Error::new(ErrorKind::Conflict, format!("a network named {} exists already", network.name)));
        }
        Some(Conflict::Bridge(name, other)) => {
            return Err(Error::new(ErrorKind::Conflict, format!("bridge {name} is network {other}'s already"))
                .hint(format!("choose another {OPTION_BRIDGE}, or leave it out")));
        }
        Some(Conflict::Subnet(mine, name, its)) => return Err(taken(&mine, &name, &its)),
    }
    announce(core, "create", &network);
    Ok(network)
}

fn taken(mine: &Cidr, other: &str, its: &Cidr) -> Error {
    Error::new(ErrorKind::Conflict, format!("subnet {mine} overlaps with another network's"))
        .because(format!("network {other} has {its}"))
        .hint("choose another --subnet, or leave it out")
}

enum Conflict {
    Name,
    Bridge(String, String),
    Subnet(Cidr, String, Cidr),
}

fn overlap(core: &Core, network: &Network, other: Network) -> Option<Conflict> {
    if other.name == network.name {
        return Some(Conflict::Name);
    }
    let bridge = core.host_interface(network);
    if (network.driver, other.driver) == (Driver::Bridge, Driver::Bridge) && core.host_interface(&other) == bridge {
        return Some(Conflict::Bridge(bridge, other.name));
    }
    let pairs = network.subnets.iter().flat_map(|m| other.subnets.iter().map(move |o| (m.subnet, o.subnet)));
    let found = pairs.into_iter().find(|(mine, its)| mine.overlaps(its))?;
    Some(Conflict::Subnet(found.0, other.name.clone(), found.1))
}

fn check_options(args: &CreateNetworkArgs) -> Result<()> {
    let known: &[&str] = match args.driver {
        Driver::Bridge => {
            &[OPTION_BRIDGE, OPTION_MTU, OPTION_MASQUERADE, OPTION_ADDRESS, OPTION_NEIGHBOURS, OPTION_PREFIX]
        }
        Driver::Macvlan => &["parent", "macvlan_mode", OPTION_MTU, OPTION_PREFIX],
        Driver::Ipvlan => &["parent", "ipvlan_mode", OPTION_MTU, OPTION_PREFIX],
        Driver::Host | Driver::Null => {
            return Err(Error::new(ErrorKind::Invalid, format!("there is only one {} network", args.driver.word())));
        }
    };
    for (key, value) in &args.options {
        if !known.contains(&key.as_str()) {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("option '{key}' is not supported for a {} network", args.driver.word()),
            )
            .hint(format!("there are {}", known.join(", "))));
        }
        let fits = match key.as_str() {
            OPTION_MTU => value.parse().is_ok_and(|mtu: u32| MTU.contains(&mtu)),
            OPTION_MASQUERADE | OPTION_NEIGHBOURS => matches!(value.as_str(), "true" | "false"),
            OPTION_PREFIX => is_prefix(value),
            OPTION_ADDRESS => value.parse::<IpAddr>().is_ok(),
            OPTION_BRIDGE | "parent" => is_interface_name(value),
            "macvlan_mode" => matches!(value.as_str(), "bridge" | "private" | "vepa" | "passthru"),
            "ipvlan_mode" => matches!(value.as_str(), "l2" | "l3" | "l3s"),
            _ => true,
        };
        if !fits {
            return Err(Error::new(ErrorKind::Invalid, format!("the option {key} cannot be '{value}'")));
        }
    }
    let narrow = args.options.get(OPTION_MTU).filter(|mtu| args.ipv6 && mtu.parse().is_ok_and(|mtu: u32| mtu < MTU6));
    if let Some(mtu) = narrow {
        return Err(Error::new(ErrorKind::Invalid, format!("the option {OPTION_MTU} cannot be '{mtu}'"))
            .because(format!("IPv6 needs {MTU6} bytes or more")));
    }
    if args.driver != Driver::Bridge && !args.options.contains_key("parent") {
        return Err(Error::new(ErrorKind::Invalid, format!("a {} network needs a parent", args.driver.word()))
            .hint("name the host's interface: -o parent=eth0"));
    }
    Ok(())
}

/// A bridge that is named is made when it is first needed, or is somebody's own.
fn check_bridge(core: &Core, args: &CreateNetworkArgs) -> Result<()> {
    let Some(name) = args.options.get(OPTION_BRIDGE) else { return Ok(()) };
    let looked = bridge::among(core.user_networks().as_deref(), || bridge::may_be(name));
    match looked.map_err(|e| Error::from_source(ErrorKind::Internal, format!("looking for bridge {name}"), &e))? {
        None | Some(true) => Ok(()),
        Some(false) => Err(Error::new(ErrorKind::Conflict, format!("{name} cannot be the network's bridge"))
            .because("it is an interface already, and no bridge")
            .hint(format!("choose another {OPTION_BRIDGE}, or leave it out"))),
    }
}

/// With a number it is an interface's name.
fn is_prefix(text: &str) -> bool {
    !text.ends_with(|c: char| c.is_ascii_digit()) && is_interface_name(&format!("{text}10"))
}

/// One of each family at most; the IPv4 one from the pools, the IPv6 one unique local, unless given.
fn subnets(core: &Core, args: &CreateNetworkArgs, id: &str) -> Result<Vec<Subnet>> {
    let mut made: Vec<Subnet> = Vec::new();
    let (mut gateways, mut ranges) = (args.gateways.clone(), args.ranges.clone());
    for cidr in &args.subnets {
        if made.iter().any(|m| m.subnet.address.is_ipv4() == cidr.address.is_ipv4()) {
            return Err(Error::new(ErrorKind::Unsupported, "a network has at most one subnet of each family")
                .because(format!("{cidr} is a second one")));
        }
        let gateway = take(&mut gateways, |g| cidr.contains(*g));
        let range = take(&mut ranges, |r| cidr.contains(r.address));
        let mut subnet = ipam::subnet(*cidr, gateway, range).map_err(invalid)?;
        keep_off_others(core, args, &subnet.subnet)?;
        for (name, address) in &args.auxiliary {
            if subnet.subnet.contains(*address) {
                ipam::may_have(&subnet, *address).map_err(invalid)?;
                subnet.auxiliary.insert(name.clone(), *address);
            }
        }
        made.push(subnet);
    }
    let orphan = |what: &str, which: String| {
        Err(Error::new(ErrorKind::Invalid, format!("no matching subnet for {what} {which}"))
            .hint("give the --subnet it belongs to"))
    };
    if let Some(gateway) = gateways.first() {
        return orphan("gateway", gateway.to_string());
    }
    if let Some(range) = ranges.first() {
        return orphan("range", range.to_string());
    }
    let owned = |address: &IpAddr| made.iter().any(|m| m.subnet.contains(*address));
    if let Some((_, address)) = args.auxiliary.iter().find(|(_, address)| !owned(address)) {
        return orphan("auxiliary address", address.to_string());
    }
    if !made.iter().any(|s| s.subnet.address.is_ipv4()) {
        if args.driver != Driver::Bridge && !args.internal {
            return Err(Error::new(ErrorKind::Invalid, format!("a {} network needs a subnet", args.driver.word()))
                .because("its containers are neighbours of the parent's network")
                .hint("give the parent's --subnet and --gateway, and an --ip-range that is free there"));
        }
        made.insert(0, core.free_subnet()?);
    }
    let has_six = made.iter().any(|s| s.subnet.address.is_ipv6());
    if args.ipv6 && !has_six {
        let random = std::array::from_fn(|i| u8::from_str_radix(&id[2 * i..2 * i + 2], 16).unwrap_or(0));
        made.push(ipam::subnet(ipam::unique_local(random), None, None).map_err(invalid)?);
    } else if has_six && !args.ipv6 {
        return Err(
            Error::new(ErrorKind::Invalid, "an IPv6 subnet was given for a network without IPv6").hint("add --ipv6")
        );
    }
    Ok(made)
}

fn take<T: Copy>(list: &mut Vec<T>, fits: impl Fn(&T) -> bool) -> Option<T> {
    list.iter().position(fits).map(|at| list.remove(at))
}

/// Macvlan's and ipvlan's containers are on the parent's own network; all others must not be on any of the host's. What leads
/// to a network of ours is told by the network's name.
fn keep_off_others(core: &Core, args: &CreateNetworkArgs, subnet: &Cidr) -> Result<()> {
    for network in core.db.read(records::networks)? {
        if let Some(its) = network.subnets.iter().find(|s| s.subnet.overlaps(subnet)) {
            return Err(taken(subnet, &network.name, &its.subnet));
        }
    }
    let own = args.options.get("parent").or(args.options.get(OPTION_BRIDGE));
    let clash = host::routes().into_iter().find(|r| r.to.overlaps(subnet) && own != Some(&r.interface));
    match clash {
        None => Ok(()),
        Some(route) => Err(Error::new(ErrorKind::Conflict, format!("subnet {subnet} overlaps with the host's"))
            .because(format!("{} is reached through {}", route.to, route.interface))
            .hint("choose another --subnet, or leave it out")),
    }
}
