//! A container's networks, made by its monitor: interfaces and addresses inside, bridges, rules and ports outside.

use super::error::{Error, Result};
use super::netns::NetNs;
use super::plan::{Attachments, EndpointPlan};
use super::ports::Reservation;
use crate::model::network::{Endpoint, PublishedPort};
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};

/// What was made. Dropping it leaves interfaces and rules; [`Attached::down`] takes them away.
#[derive(Debug)]
pub struct Attached {
    plan: Attachments,
    ns: NetNs,
    /// The rootless namespace that plays the host; `None`: the one the caller is in.
    host: Option<OwnedFd>,
    ports: Vec<Reservation>,
    warnings: Vec<String>,
    rebuilt: bool,
}

/// A published port that the monitor forwards itself.
#[derive(Debug)]
pub struct Forward<'a> {
    pub port: &'a PublishedPort,
    /// Where to connect to, from inside the container's namespace.
    pub target: SocketAddr,
    /// Bound to the host's port, non-blocking; listening if TCP.
    pub socket: BorrowedFd<'a>,
}

/// Attaches the namespace to all networks of the plan, makes what is missing on the host, and publishes the ports. On failure
/// nothing of it is left but bridges and rules that other containers share.
///
/// `host`: the network namespace of a rootless user's bridges. Ports are always bound in the namespace the caller is in.
pub fn up(plan: &Attachments, ns: NetNs, host: Option<OwnedFd>) -> Result<Attached> {
    let _ = (plan, ns, host);
    Err(Error::Unsupported("attaching to networks is not built yet".into()))
}

impl Attached {
    /// With addresses, MAC and interface names as they are.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.plan.endpoints.iter().map(|e| &e.endpoint)
    }

    /// With host ports as they were given.
    pub fn ports(&self) -> impl Iterator<Item = &PublishedPort> {
        self.ports.iter().map(|r| &r.port)
    }

    /// The ports the monitor has to forward itself: ask again after each change.
    pub fn forwards(&self) -> Vec<Forward<'_>> {
        Vec::new()
    }

    /// What the user should know, and what does not work for want of a kernel feature.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The firewall table had to be made anew: were other containers running, their ports are missing until each was
    /// asked to [`Attached::reload`].
    pub fn rebuilt(&self) -> bool {
        self.rebuilt
    }

    pub fn ns(&self) -> &NetNs {
        &self.ns
    }

    /// The namespace the bridges are in, when it is not the caller's.
    pub fn host(&self) -> Option<&OwnedFd> {
        self.host.as_ref()
    }

    /// One more network, live.
    pub fn connect(&mut self, endpoint: EndpointPlan) -> Result<()> {
        let _ = endpoint;
        Err(Error::Unsupported("connecting to networks is not built yet".into()))
    }

    /// One network less (by id or name), live. Published ports and the default route move to another network, if there is one.
    pub fn disconnect(&mut self, network: &str) -> Result<Endpoint> {
        Err(Error::NotConnected(network.to_owned()))
    }

    /// More published ports, live: all or none. Host port 0: any free one; the answer has it.
    pub fn publish(&mut self, ports: &[PublishedPort]) -> Result<Vec<PublishedPort>> {
        let _ = ports;
        Err(Error::Unsupported("publishing ports is not built yet".into()))
    }

    /// One published port less, live.
    pub fn unpublish(&mut self, port: &PublishedPort) -> Result<()> {
        let _ = port;
        Err(Error::Unsupported("publishing ports is not built yet".into()))
    }

    /// Makes everything as it should be: bridges, addresses, the firewall table, this container's ports. Whatever is there
    /// already stays.
    pub fn reload(&mut self) -> Result<()> {
        Err(Error::Unsupported("reloading networks is not built yet".into()))
    }

    /// Takes rules and interfaces away and gives the ports back. Goes on after a failure and tells all.
    pub fn down(self) -> Vec<Error> {
        Vec::new()
    }
}
