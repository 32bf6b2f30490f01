//! Networks, what a container asks of them, and what it got: subnets, endpoints, published ports.

use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The network a container is on when none is named.
pub const DEFAULT: &str = "bridge";

/// Whose network namespace a container lives in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NetworkMode {
    /// A network namespace with loopback alone.
    #[default]
    None,
    /// The host's own network.
    Host,
    /// A namespace of its own, attached to the networks of [`super::container::ContainerConfig::endpoints`].
    Attached,
    /// The namespace of another container, by its id.
    Container(String),
}

impl NetworkMode {
    /// Docker's word for it; for [`NetworkMode::Attached`] the first network's name is shown instead.
    pub fn word(&self) -> &str {
        match self {
            NetworkMode::None => "none",
            NetworkMode::Host => "host",
            NetworkMode::Attached => DEFAULT,
            NetworkMode::Container(_) => "container",
        }
    }
}

/// What is asked of one network for one container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointConfig {
    /// The network's name.
    pub network: String,
    /// Further names of the container on this network.
    pub aliases: Vec<String>,
    pub ip: Option<Ipv4Addr>,
    pub ip6: Option<Ipv6Addr>,
    pub mac: Option<Mac>,
    /// The default route leads through the network where it is highest; among equal ones, through the first.
    pub priority: i32,
    /// `com.docker.network.endpoint.ifname`: what the interface is called inside.
    pub options: BTreeMap<String, String>,
}

/// A network as it was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// 64 hex digits.
    pub id: String,
    pub name: String,
    pub driver: Driver,
    /// At most one of each family; empty for `none` and `host`.
    pub subnets: Vec<Subnet>,
    /// Nobody outside is reached, by name neither.
    pub internal: bool,
    pub ipv6: bool,
    /// Docker's word for networks of a swarm that any container may join; here every one may join every network, and it is
    /// only shown.
    #[serde(default)]
    pub attachable: bool,
    pub labels: BTreeMap<String, String>,
    pub options: BTreeMap<String, String>,
    pub created: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    Bridge,
    Macvlan,
    Ipvlan,
    /// The predefined `host`.
    Host,
    /// The predefined `none`.
    Null,
}

/// Addresses of one family on a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    pub subnet: Cidr,
    pub gateway: IpAddr,
    /// Where addresses are taken from when none is asked for; `None`: the whole subnet.
    pub range: Option<Cidr>,
    /// Addresses that no container gets, by what they are called.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub auxiliary: BTreeMap<String, IpAddr>,
}

/// An address and the length of its network part, kept as written (`10.1.2.3/24`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    pub address: IpAddr,
    pub prefix: u8,
}

/// Six bytes, written `02:42:ac:11:00:02`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    #[default]
    Tcp,
    Udp,
}

/// A port asked to be published: ranges are already taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortMapping {
    /// `None`: the configured default address.
    pub host_ip: Option<IpAddr>,
    /// `None`: any free one.
    pub host_port: Option<u16>,
    /// The first free port from `host_port` to this one.
    #[serde(default)]
    pub host_port_last: Option<u16>,
    pub container_port: u16,
    pub protocol: Protocol,
}

/// A port as it is published.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PublishedPort {
    pub host_ip: IpAddr,
    pub host_port: u16,
    pub container_port: u16,
    pub protocol: Protocol,
}

/// A container's attachment to a network, as it is while the container lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The network's id and name.
    pub network: String,
    pub name: String,
    /// `eth0`
    pub interface: String,
    pub mac: Option<Mac>,
    pub v4: Option<Cidr>,
    pub v6: Option<Cidr>,
    pub gateway4: Option<Ipv4Addr>,
    pub gateway6: Option<Ipv6Addr>,
    /// Names others on the network find it by, lower case: container name, short id, aliases.
    pub names: Vec<String>,
}

impl Cidr {
    /// The network's own address: host bits cleared.
    pub fn network(&self) -> IpAddr {
        match self.address {
            IpAddr::V4(a) => IpAddr::V4((u32::from(a) & mask32(self.prefix)).into()),
            IpAddr::V6(a) => IpAddr::V6((u128::from(a) & mask128(self.prefix)).into()),
        }
    }

    pub fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (u32::from(a) ^ u32::from(b)) & mask32(self.prefix) == 0,
            (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a) ^ u128::from(b)) & mask128(self.prefix) == 0,
            _ => false,
        }
    }

    pub fn overlaps(&self, other: &Cidr) -> bool {
        if self.prefix <= other.prefix { self.contains(other.address) } else { other.contains(self.address) }
    }
}

fn mask32(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

fn mask128(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

/// What could not be read, for an error's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("'{0}' is not a subnet: expected ADDRESS/PREFIX, as 10.1.0.0/24")]
    Cidr(String),
    #[error("'{0}' is not a MAC address: expected six bytes, as 02:42:ac:11:00:02")]
    Mac(String),
    #[error("no interface can have '{0}': it is {1}")]
    NobodysMac(String, &'static str),
}

impl FromStr for Cidr {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Cidr, ParseError> {
        let bad = || ParseError::Cidr(text.to_owned());
        let (address, prefix) = text.split_once('/').ok_or_else(bad)?;
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let prefix = prefix.parse::<u8>().map_err(|_| bad())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        if prefix > most { Err(bad()) } else { Ok(Cidr { address, prefix }) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Mac {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Mac, ParseError> {
        let bad = || ParseError::Mac(text.to_owned());
        let mut bytes = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut bytes {
            let part = parts.next().filter(|p| p.len() == 2).ok_or_else(bad)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| bad())?;
        }
        let nobodys = |what| Err(ParseError::NobodysMac(text.to_owned(), what));
        match bytes {
            _ if parts.next().is_some() => Err(bad()),
            [first, ..] if first & 1 == 1 => nobodys("an address of groups, since its first byte is odd"),
            [0, 0, 0, 0, 0, 0] => nobodys("zero"),
            _ => Ok(Mac(bytes)),
        }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// Stored as the text people write.
macro_rules! stored_as_text {
    ($($kind:ty),+) => {$(
        impl TryFrom<String> for $kind {
            type Error = ParseError;

            fn try_from(text: String) -> Result<Self, ParseError> {
                text.parse()
            }
        }

        impl From<$kind> for String {
            fn from(value: $kind) -> String {
                value.to_string()
            }
        }
    )+};
}

stored_as_text!(Cidr, Mac);

impl Driver {
    pub fn word(self) -> &'static str {
        match self {
            Driver::Bridge => "bridge",
            Driver::Macvlan => "macvlan",
            Driver::Ipvlan => "ipvlan",
            Driver::Host => "host",
            Driver::Null => "null",
        }
    }
}

impl Protocol {
    pub fn word(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn subnets_contain_and_overlap() {
        assert_eq!(cidr("10.1.2.3/24").network(), "10.1.2.0".parse::<IpAddr>().unwrap());
        assert!(cidr("10.1.2.3/24").contains("10.1.2.255".parse().unwrap()));
        assert!(!cidr("10.1.2.3/24").contains("10.1.3.0".parse().unwrap()));
        assert!(cidr("0.0.0.0/0").contains("1.2.3.4".parse().unwrap()));
        assert!(
            cidr("10.0.0.0/8").overlaps(&cidr("10.200.0.0/16")) && cidr("10.200.0.0/16").overlaps(&cidr("10.0.0.0/8"))
        );
        assert!(!cidr("10.0.0.0/8").overlaps(&cidr("fd00::/8")));
        assert!(cidr("fd00::/8").contains("fdff::1".parse().unwrap()));
        for bad in ["10.0.0.0", "10.0.0.0/33", "fd00::/129", "/8", "10.0.0/8", "10.0.0.0/-1"] {
            assert_eq!(bad.parse::<Cidr>(), Err(ParseError::Cidr(bad.into())));
        }
    }

    #[test]
    fn mac_addresses() {
        assert_eq!("02:42:ac:11:00:0A".parse::<Mac>().unwrap().to_string(), "02:42:ac:11:00:0a");
        for bad in ["", "02:42:ac:11:00", "02:42:ac:11:00:02:03", "2:42:ac:11:00:02", "zz:42:ac:11:00:02"] {
            assert!(bad.parse::<Mac>().is_err(), "{bad}");
        }
    }
}
