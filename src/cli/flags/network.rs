//! Flags of the `network` group.

use super::create::{Unsupported, no};
use super::{filter, force, format, list, names, no_trunc, quiet, switch, value};
use clap::{Arg, Command};

/// Docker's flags of `network create` that have no meaning here.
pub(in crate::cli) const NETWORK_UNSUPPORTED: &[Unsupported] = &[
    no("config-from", "a network's settings are its own"),
    Unsupported { flag: "config-only", why: "a network's settings are its own", tame: &["false", "0"] },
    Unsupported { flag: "ingress", why: "there are no swarms", tame: &["false", "0"] },
    Unsupported { flag: "ipam-driver", why: "teu itself gives out addresses: default", tame: &["", "default"] },
    no("ipam-opt", "the default driver of addresses has no options; see --subnet, --ip-range and --aux-address"),
    Unsupported { flag: "ipv4", why: "every network has IPv4 addresses; add --ipv6 for both", tame: &["true", "1"] },
    Unsupported { flag: "scope", why: "networks are this machine's: local", tame: &["", "local"] },
];

/// Docker's flags of `network connect` that have no meaning here.
pub(in crate::cli) const CONNECT_UNSUPPORTED: &[Unsupported] = &[
    no("link", "containers on one network find each other by their names; see --alias for more of them"),
    no("link-local-ip", "teu gives no link-local addresses; see --ip and --ip6"),
];

fn refused(unsupported: &'static [Unsupported]) -> impl Iterator<Item = Arg> {
    unsupported.iter().map(|u| match u.flag {
        "config-only" | "ingress" | "ipv4" => {
            list(u.flag, "BOOL", "").num_args(0..=1).require_equals(true).default_missing_value("true").hide(true)
        }
        flag => list(flag, "VALUE", "").hide(true),
    })
}

pub(in crate::cli) fn network_create(command: Command) -> Command {
    command
        .args([
            value("driver", "DRIVER", "bridge, macvlan or ipvlan (bridge)").short('d'),
            list("subnet", "CIDR", "Subnet, as 10.20.0.0/24; one of each family"),
            list("gateway", "IP", "Gateway of a subnet (its first address)"),
            list("ip-range", "CIDR", "Give out addresses of this part of a subnet only"),
            list("aux-address", "NAME=IP", "Give this address to no container"),
            switch("internal", "Nobody outside is reached, nor reaches it"),
            switch("ipv6", "Give IPv6 addresses too"),
            list("label", "K=V", "Set metadata on the network"),
            list("opt", "K=V", "Options of the driver: com.docker.network.driver.mtu=1400, parent=eth0").short('o'),
            switch("attachable", "Say so in `network inspect`; every container may join any network").hide(true),
            Arg::new("name").value_name("NEW_NETWORK").required(true),
        ])
        .args(refused(NETWORK_UNSUPPORTED))
}

pub(in crate::cli) fn networks(command: Command) -> Command {
    command.args([filter(), format(), no_trunc(), quiet("Only display network ids")])
}

pub(in crate::cli) fn network_inspect(command: Command) -> Command {
    command.args([format().short('f'), switch("verbose", "").short('v').hide(true), names("NETWORK", true)])
}

pub(in crate::cli) fn network_rm(command: Command) -> Command {
    command.args([force("Do not complain about networks that are not there"), names("NETWORK", true)])
}

pub(in crate::cli) fn network_connect(command: Command) -> Command {
    command
        .args([
            list("alias", "NAME", "Further names of the container on this network"),
            value("ip", "IP", "IPv4 address"),
            value("ip6", "IP", "IPv6 address"),
            value("mac-address", "MAC", "MAC address on this network"),
            value("gw-priority", "NUMBER", "The default route leads through the network where it is highest (0)"),
            list("driver-opt", "K=V", "com.docker.network.endpoint.ifname=NAME names the interface"),
            Arg::new("network").value_name("NETWORK").required(true),
            Arg::new("container").value_name("CONTAINER").required(true),
        ])
        .args(refused(CONNECT_UNSUPPORTED))
}

pub(in crate::cli) fn network_disconnect(command: Command) -> Command {
    command.args([
        force("Do not complain about a container that is not there"),
        Arg::new("network").value_name("NETWORK").required(true),
        Arg::new("container").value_name("CONTAINER").required(true),
    ])
}

pub(in crate::cli) fn network_reload(command: Command) -> Command {
    command.arg(names("CONTAINER", false))
}
