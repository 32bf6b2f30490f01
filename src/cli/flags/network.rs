//! Flags of the `network` group.

use super::{filter, force, format, list, names, no_trunc, quiet, switch, value};
use clap::{Arg, Command};

pub(in crate::cli) fn network_create(command: Command) -> Command {
    command.args([
        value("driver", "DRIVER", "bridge, macvlan or ipvlan (bridge)").short('d'),
        list("subnet", "CIDR", "Subnet, as 10.20.0.0/24; one of each family"),
        list("gateway", "IP", "Gateway of a subnet (its first address)"),
        list("ip-range", "CIDR", "Give out addresses of this part of a subnet only"),
        switch("internal", "Nobody outside is reached, nor reaches it"),
        switch("ipv6", "Give IPv6 addresses too"),
        list("label", "K=V", "Set metadata on the network"),
        list("opt", "K=V", "Options of the driver: com.docker.network.driver.mtu=1400, parent=eth0").short('o'),
        switch("attachable", "").hide(true),
        Arg::new("name").value_name("NEW_NETWORK").required(true),
    ])
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
    command.args([
        list("alias", "NAME", "Further names of the container on this network"),
        value("ip", "IP", "IPv4 address"),
        value("ip6", "IP", "IPv6 address"),
        value("mac-address", "MAC", "MAC address on this network"),
        Arg::new("network").value_name("NETWORK").required(true),
        Arg::new("container").value_name("CONTAINER").required(true),
    ])
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
