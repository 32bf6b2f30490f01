//! What can go wrong with a network, in words for its user.

use super::ports::Owner;
use crate::model::network::PublishedPort;
use crate::sys;
use crate::sys::netlink;
use std::net::SocketAddr;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else has the port; who, where that can be seen.
    #[error("port {address}/{protocol} is in use{}", .by.as_ref().map(|o| format!(" by {o}")).unwrap_or_default())]
    PortInUse { address: SocketAddr, protocol: &'static str, by: Option<Owner> },
    #[error("port {address}/{protocol} needs root or a lower net.ipv4.ip_unprivileged_port_start (now {first})")]
    Privileged { address: SocketAddr, protocol: &'static str, first: u16 },
    #[error("address {0} is none of this machine's")]
    NotOurAddress(SocketAddr),
    #[error("publish port {port}: {source}")]
    Bind { port: String, source: sys::Error },
    #[error("port {} cannot be published: no network of the container can be reached from outside", .0.container_port)]
    NoPublicNetwork(Box<PublishedPort>),
    #[error("port {address}/{protocol} is not published by this container")]
    NotPublished { address: SocketAddr, protocol: &'static str },
    #[error("the container is on network {0} already")]
    AlreadyConnected(String),
    #[error("the container is not on network {0}")]
    NotConnected(String),
    #[error("interface {name} is there already and is no {wanted}")]
    WrongKind { name: String, wanted: &'static str },
    #[error("parent interface {0} does not exist")]
    NoParent(String),
    #[error("the network namespace of your containers is gone: {} was removed while others use it", .0.display())]
    NamespaceGone(std::path::PathBuf),
    #[error("packets are not forwarded on this machine and {file} cannot be changed: {source}")]
    Forwarding { file: String, source: sys::Error },
    #[error("network {network} has IPv6 addresses, and this kernel has no IPv6")]
    NoIpv6 { network: String },
    #[error("{what} needs nf_tables, which this kernel does not have or does not permit")]
    NoFirewall { what: &'static str },
    #[error("{0}")]
    Unsupported(String),
    #[error("{doing}: {source}")]
    Netlink { doing: String, source: netlink::Error },
    #[error("{doing}: {source}")]
    System { doing: &'static str, source: sys::Error },
    #[error("{doing}: the kernel's answer is not understood")]
    Answer { doing: String },
}

impl Error {
    /// What its user can do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Error::PortInUse { .. } => {
                "choose another port of this machine, or none: `-p PORT` takes a free one".into()
            }
            Error::Privileged { first, .. } => format!("choose a port from {first} on, as 8080:80"),
            Error::NotOurAddress(_) => "leave the address out, or use 0.0.0.0 for all of this machine's".into(),
            Error::NoParent(_) => "`ip link` lists the interfaces there are".into(),
            Error::Forwarding { .. } => {
                "as root: `sysctl -w net.ipv4.ip_forward=1` (for IPv6, net.ipv6.conf.all.forwarding=1)".into()
            }
            Error::NamespaceGone(_) => {
                "stop the containers that have networks (`teu ps`): the next start makes it anew".into()
            }
            Error::NoIpv6 { .. } => "use a network made without --ipv6".into(),
            _ => return None,
        };
        Some(text)
    }
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Says what was being done when netlink refused.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Doing<T> for netlink::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Netlink { doing: what(), source })
    }
}
