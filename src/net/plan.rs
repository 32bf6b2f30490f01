//! What a monitor is to build for its container's network: decided by the engine, carried out by `net`, pure data.

use crate::model::network::{Cidr, Driver, Endpoint, PublishedPort};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;

/// Part of the launch message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum NetworkPlan {
    /// A namespace with loopback alone.
    #[default]
    Isolated,
    Host,
    /// The namespace of a running process: that of the init of the container named.
    Join {
        container: String,
        pid: i32,
        pid_start: u64,
    },
    Attached(Box<Attachments>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attachments {
    /// The container's id: what its rules are marked with.
    pub container: String,
    /// Tells this state root's table and bridges from another's: empty for the system's own, else some hex digits.
    pub root_tag: String,
    /// `<run>/networks`: who is on which network, for the names; the rootless namespace's files.
    pub dir: PathBuf,
    /// Bridges and rules are made in a network namespace of the user's own, which the host's network is reached from
    /// through a helper program.
    pub rootless: bool,
    /// The monitor listens at published ports itself, as a server of the host: the host's firewall decides about them by its rules
    /// for what comes in, which the kernel's translation passes by.
    #[serde(default)]
    pub listens: bool,
    /// The first is the one the default route leads through.
    pub endpoints: Vec<EndpointPlan>,
    /// `host_port` 0: any free one.
    pub ports: Vec<PublishedPort>,
    /// Where names that are no container's are asked; empty: nowhere.
    pub resolvers: Vec<IpAddr>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointPlan {
    pub driver: Driver,
    /// The host's interface: the bridge (made when it is not there) or macvlan's and ipvlan's parent.
    pub host_interface: String,
    /// Addresses the bridge has.
    pub gateways: Vec<Cidr>,
    pub internal: bool,
    pub mtu: Option<u32>,
    /// Translate addresses of packets that leave the network.
    pub masquerade: bool,
    /// Containers on it do not reach each other.
    #[serde(default)]
    pub isolated: bool,
    /// The bridge is not the network's alone: there may be other machines on it.
    #[serde(default)]
    pub shared: bool,
    /// The default route leads through the endpoint where it is highest; among equal ones, through the first.
    #[serde(default)]
    pub priority: i32,
    /// macvlan's and ipvlan's mode (`bridge`, `l2`, ...).
    pub mode: Option<String>,
    /// Names, addresses, interface inside.
    pub endpoint: Endpoint,
}

/// A change to the network of a running container. Its monitor answers with the new state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum NetworkChange {
    /// One network more. `resolvers`: as in [`Attachments`], for a container that had nobody to ask so far.
    Connect {
        endpoint: Box<EndpointPlan>,
        resolvers: Vec<IpAddr>,
    },
    /// By the network's id.
    Disconnect {
        network: String,
    },
    Publish(Vec<PublishedPort>),
    Unpublish(Vec<PublishedPort>),
    /// Makes anew what somebody else has taken away: bridge, addresses, rules.
    Reload,
}
