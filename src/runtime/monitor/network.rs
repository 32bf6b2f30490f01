//! The container's network, for as long as its monitor lives: carried out at the start, changed live, taken away at the end.

use super::dns::Resolver;
use super::forward::Forwarder;
use super::{Monitor, failure, tokens};
use crate::model::network::{Endpoint, PublishedPort};
use crate::net;
use crate::net::attach::{self, Attached, Failed, Looking, Remade, Remains};
use crate::net::hosts;
use crate::net::members::{self, Members};
use crate::net::netns::{self, NetNs};
use crate::net::plan::{Attachments, EndpointPlan, NetworkChange, NetworkPlan};
use crate::net::ports::Taken;
use crate::net::rootless::Rootless;
use crate::runtime::init;
use crate::runtime::launch::Launch;
use crate::runtime::protocol::{self, Ask, Failure, FailureKind, Hello, Kind, Reply};
use crate::runtime::state;
use crate::sys::poll::{Epoll, Ready};
use crate::sys::{channel, poll, process};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Empty where the spec alone decides: the host's network, or one with loopback alone in a user namespace of its own.
#[derive(Default)]
pub(super) struct Network {
    /// What every init of the container joins: it stays the same over restarts.
    namespace: Option<OwnedFd>,
    /// The user namespace that it belongs to, where the container has one of its own.
    users: Option<OwnedFd>,
    attached: Option<Joined>,
    /// Goes with the monitor itself, when all have been told of the end.
    remains: Vec<Remains>,
}

/// A container on networks.
struct Joined {
    attached: Attached,
    container: String,
    /// Where the members of networks are written down.
    dir: PathBuf,
    /// The networks' ids, and whether each leads outside.
    outside: Vec<(String, bool)>,
    resolvers: Vec<IpAddr>,
    resolver: Resolver,
    forwarder: Forwarder,
    /// The user's network namespace, in which the bridges are.
    rootless: Option<Rootless>,
}

fn make() -> Result<OwnedFd, Failure> {
    let made = NetNs::create().map_err(refused)?;
    made.as_fd().try_clone_to_owned().map_err(|e| failure(FailureKind::Internal, e.to_string()))
}

impl Network {
    /// Makes or finds the namespace, unless the init that was cloned ahead has made it.
    pub fn prepare(launch: &Launch, ahead: &mut Option<init::Ahead>) -> Result<Network, Failure> {
        let handed = match ahead.as_mut().map(init::Ahead::network).transpose() {
            // It could not make what was not needed after all.
            Err(_) if !launch.makes_network() => {
                *ahead = None;
                None
            }
            handed => handed?.flatten(),
        };
        let users = launch.users.as_ref().map(init::users::make).transpose()?;
        let namespace = match &launch.network {
            _ if handed.is_some() && launch.makes_network() => handed,
            NetworkPlan::Isolated if launch.makes_network() => Some(make()?),
            NetworkPlan::Isolated | NetworkPlan::Host => None,
            NetworkPlan::Join { container, pid, pid_start } => Some(find(container, *pid, *pid_start)?),
            NetworkPlan::Attached(_) if let Some(users) = &users => Some(init::users::network(users.as_fd())?),
            NetworkPlan::Attached(_) => Some(make()?),
        };
        Ok(Network { namespace, users, ..Network::default() })
    }

    /// A descriptor of what an init is to join.
    pub fn namespace(&self) -> Result<Option<OwnedFd>, Failure> {
        let copy = self.namespace.as_ref().map(OwnedFd::try_clone).transpose();
        copy.map_err(|e| failure(FailureKind::Internal, format!("copy the network namespace's descriptor: {e}")))
    }

    /// A descriptor of the user namespace that an init is born in.
    pub fn users(&self) -> Result<Option<OwnedFd>, Failure> {
        let copy = self.users.as_ref().map(OwnedFd::try_clone).transpose();
        copy.map_err(|e| failure(FailureKind::Internal, format!("copy the user namespace's descriptor: {e}")))
    }

    /// Attaches the namespace, once; what was made is taken back on failure.
    pub fn bring_up(&mut self, launch: &Launch, epoll: &Epoll) -> Result<(), Failure> {
        let (NetworkPlan::Attached(plan), None) = (&launch.network, &self.attached) else { return Ok(()) };
        let Some(namespace) = self.namespace()? else { return Ok(()) };
        let resolver = open_resolver(&NetNs::of(namespace), epoll)?;
        let Some(namespace) = self.namespace()? else { return Ok(()) };
        let rootless = plan.rootless.then(|| Rootless::enter(&plan.dir)).transpose().map_err(refused)?;
        let taken = || taken_ports(launch, &plan.dir);
        let attached = match attach(plan, namespace, rootless.as_ref(), &taken) {
            Ok(attached) => attached,
            Err(failed) => {
                rootless.into_iter().for_each(Rootless::leave);
                call_neighbours(launch, &plan.dir, &failed.remade);
                return Err(refused(failed.error));
            }
        };
        let joined = self.attached.insert(Joined::new(plan, attached, resolver, rootless));
        let done = joined.announce().and_then(|()| joined.settle(epoll));
        let remade = joined.attached.take_remade();
        if done.is_err() {
            self.close();
        }
        call_neighbours(launch, &plan.dir, &remade);
        done
    }

    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.attached.iter().flat_map(|joined| joined.attached.endpoints().cloned()).collect()
    }

    pub fn ports(&self) -> Vec<PublishedPort> {
        self.attached.iter().flat_map(|joined| joined.attached.ports().cloned()).collect()
    }

    pub fn warnings(&self) -> Vec<String> {
        let outside = self.attached.iter().filter_map(|joined| joined.rootless.as_ref()?.warning.clone());
        self.attached.iter().flat_map(|joined| joined.attached.warnings().to_vec()).chain(outside).collect()
    }

    /// Takes away what was made; what could not be is told.
    pub fn close(&mut self) -> Vec<String> {
        self.namespace = None;
        let Some(joined) = self.attached.take() else { return Vec::new() };
        for endpoint in joined.attached.endpoints() {
            members::remove(&joined.dir, &joined.container, &endpoint.network);
        }
        let (failures, remains) = joined.attached.withdraw();
        self.remains.push(remains);
        let left = failures.iter().map(|e| format!("network: {e}")).collect();
        joined.rootless.into_iter().for_each(Rootless::leave);
        left
    }

    /// What nobody waits for. To be called while the container is still this monitor's.
    pub fn part(&mut self) -> Vec<String> {
        self.remains.iter_mut().flat_map(Remains::part).map(|e| format!("network: {e}")).collect()
    }

    pub fn resolve(&mut self, token: u64, event: Ready, epoll: &Epoll) {
        if let Some(joined) = &mut self.attached {
            joined.resolver.ready(token, event, Instant::now(), epoll);
        }
    }

    pub fn forward(&mut self, token: u64, event: Ready, buffer: &mut [u8], epoll: &Epoll) {
        if let Some(joined) = &mut self.attached {
            joined.forwarder.ready(token, event, joined.attached.ns().as_fd(), buffer, epoll);
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        let joined = self.attached.as_ref()?;
        joined.resolver.deadline().into_iter().chain(joined.forwarder.deadline()).min()
    }

    pub fn on_time(&mut self, now: Instant, epoll: &Epoll) {
        if let Some(joined) = &mut self.attached {
            joined.resolver.on_time(now, epoll);
            joined.forwarder.on_time(now);
        }
    }
}

impl Joined {
    fn new(plan: &Attachments, attached: Attached, resolver: Resolver, rootless: Option<Rootless>) -> Joined {
        Joined {
            attached,
            container: plan.container.clone(),
            dir: plan.dir.clone(),
            outside: plan.endpoints.iter().map(leads_outside).collect(),
            resolvers: plan.resolvers.clone(),
            resolver,
            forwarder: Forwarder::new(tokens::FORWARDER),
            rootless,
        }
    }

    /// Tells the neighbours by which names the container is found.
    fn announce(&self) -> Result<(), Failure> {
        for endpoint in self.attached.endpoints() {
            members::write(&self.dir, &self.container, endpoint).map_err(|e| {
                let place = self.dir.join(&endpoint.network);
                failure(FailureKind::Internal, format!("write down a member of network {}: {e}", place.display()))
            })?;
        }
        Ok(())
    }

    /// Names and forwarded ports follow what the container is attached to now.
    fn settle(&mut self, epoll: &Epoll) -> Result<(), Failure> {
        let endpoints = self.attached.endpoints();
        let networks: Vec<Members> = endpoints.map(|e| Members::new(&self.dir, &e.network, &e.name)).collect();
        let outside = |network: &Members| self.outside.iter().any(|(id, outside)| *outside && *id == network.network);
        let outside = networks.iter().any(outside);
        self.resolver.set_networks(networks, outside);
        self.resolver.set_resolvers(self.resolvers.clone());
        self.forwarder.follow(&self.attached, epoll).map_err(|e| failure(FailureKind::Internal, e))
    }

    fn change(&mut self, launch: &Launch, change: NetworkChange, epoll: &Epoll) -> Result<(), Failure> {
        match change {
            NetworkChange::Connect { endpoint, resolvers } => return self.connect(*endpoint, resolvers, epoll),
            NetworkChange::Disconnect { network } => self.leave(&network)?,
            NetworkChange::Publish(ports) => {
                let taken = || taken_ports(launch, &self.dir);
                self.attached.publish(&ports, &taken).map_err(refused)?;
            }
            NetworkChange::Unpublish(ports) => {
                for port in &ports {
                    self.attached.unpublish(port).map_err(refused)?;
                }
            }
            NetworkChange::Reload => {
                self.rootless.as_mut().map_or(Ok(()), Rootless::renew).map_err(refused)?;
                self.attached.reload().map_err(refused)?;
                let repaired = self.resolver.repair(self.attached.ns());
                repaired.map_err(|e| failure(FailureKind::Internal, e))?;
                self.announce()?;
            }
        }
        self.settle(epoll)
    }

    /// Neighbours and the container's own hosts file (in `dir`) follow what it is called now.
    fn rename(&mut self, names: &BTreeMap<String, Vec<String>>, dir: &Path) -> Result<(), Failure> {
        let before: Vec<Endpoint> = self.attached.endpoints().cloned().collect();
        self.attached.rename(names);
        self.announce()?;
        let now: Vec<&Endpoint> = self.attached.endpoints().collect();
        hosts::follow(dir, &before, &now).map_err(|e| failure(FailureKind::Internal, e.to_string()))
    }

    fn connect(&mut self, endpoint: EndpointPlan, resolvers: Vec<IpAddr>, epoll: &Epoll) -> Result<(), Failure> {
        let (network, outside) = leads_outside(&endpoint);
        self.attached.connect(endpoint).map_err(refused)?;
        self.outside.push((network.clone(), outside));
        if self.resolvers.is_empty() {
            self.resolvers = resolvers;
        }
        let settled = self.announce().and_then(|()| self.settle(epoll));
        if settled.is_err() {
            // The first failure is the news.
            let _ = self.leave(&network).and_then(|()| self.settle(epoll));
        }
        settled
    }

    fn leave(&mut self, network: &str) -> Result<(), Failure> {
        let left = self.attached.disconnect(network).map_err(refused)?;
        self.outside.retain(|(id, _)| *id != left.network);
        members::remove(&self.dir, &self.container, &left.network);
        Ok(())
    }
}

/// What no socket says. `networks` is `<run>/networks`.
fn taken_ports(launch: &Launch, networks: &Path) -> Vec<Taken> {
    state::taken_ports(&launch.dir, &launch.run_dir, networks)
}

fn attach(
    plan: &Attachments,
    namespace: OwnedFd,
    rootless: Option<&Rootless>,
    taken: Looking<'_>,
) -> Result<Attached, Box<Failed>> {
    let nothing = |error| Box::new(Failed { error, remade: Remade::default() });
    let host = rootless.map(Rootless::namespace).transpose().map_err(nothing)?;
    attach::up(plan, NetNs::of(namespace), host, taken)
}

fn leads_outside(plan: &EndpointPlan) -> (String, bool) {
    (plan.endpoint.network.clone(), !plan.internal)
}

/// Whoever had lost what is there again puts its own back: all when it was the firewall's table, of a bridge those on its network,
/// which are none when the network has just come into use. Nobody is waited for. `dir` is `<run>/networks`.
fn call_neighbours(launch: &Launch, dir: &Path, remade: &Remade) {
    let Some(all) = launch.run_dir.parent() else { return };
    let concerned: BTreeSet<PathBuf> = if remade.table {
        std::fs::read_dir(all).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    } else {
        remade.bridges.iter().flat_map(|id| members::containers(dir, id)).map(|id| all.join(id)).collect()
    };
    let hello = Hello { version: protocol::VERSION, ask: Ask::Network(Box::new(NetworkChange::Reload)) };
    for neighbour in concerned.iter().filter(|dir| **dir != launch.run_dir) {
        if let Ok(hello) = protocol::json_frame(Kind::Hello, &hello)
            && let Ok(mut stream) = channel::connect_in(neighbour)
        {
            // One that has just gone needs no ports.
            let _ = stream.write_all(&hello);
        }
    }
}

fn open_resolver(ns: &NetNs, epoll: &Epoll) -> Result<Resolver, Failure> {
    Resolver::open(ns, tokens::RESOLVER, epoll).map_err(|e| failure(FailureKind::Internal, e))
}

/// The namespace of a running container's init.
fn find(container: &str, pid: i32, pid_start: u64) -> Result<OwnedFd, Failure> {
    let gone = || {
        failure(FailureKind::Conflict, format!("container {container}, whose network is to be joined, does not run"))
    };
    // The handle first, then the look: the number cannot change hands in between.
    let handle = process::pidfd_open(pid).map_err(|_| gone())?;
    let namespace = netns::open(Path::new(&format!("/proc/{pid}/ns/net")));
    if process::start_time(pid) != Some(pid_start) || !poll::is_alive(&handle) {
        return Err(gone());
    }
    namespace.map_err(refused)
}

fn refused(error: net::Error) -> Failure {
    use net::Error as E;
    let kind = match &error {
        E::PortInUse { .. } | E::AlreadyConnected(_) | E::WrongKind { .. } | E::NamespaceGone(_) => {
            FailureKind::Conflict
        }
        E::Privileged { .. } => FailureKind::Denied,
        E::NotOurAddress(_) | E::NoPublicNetwork(_) => FailureKind::Invalid,
        E::NotPublished { .. } | E::NotConnected(_) | E::NoParent(_) => FailureKind::NotFound,
        E::NoFirewall { .. } | E::NoIpv6 { .. } | E::Unsupported(_) => FailureKind::Unsupported,
        _ => FailureKind::Internal,
    };
    Failure { hint: error.hint(), ..failure(kind, error.to_string()) }
}

impl Monitor {
    /// The engine tells of it in the event log.
    pub(super) fn rename(&mut self, id: u32, name: String, names: &BTreeMap<String, Vec<String>>) {
        self.launch.name = name;
        let joined = self.network.attached.as_mut();
        let done = joined.map_or(Ok(()), |joined| joined.rename(names, &self.launch.dir));
        self.state.endpoints = self.network.endpoints();
        self.save();
        match done {
            Ok(()) => self.answer(id, &Reply::Done),
            Err(failure) => self.answer(id, &Reply::Failed(failure)),
        }
    }

    pub(super) fn change_network(&mut self, id: u32, change: NetworkChange) {
        let Some(joined) = &mut self.network.attached else {
            return self.conflict(id, "has no network of its own that could be changed");
        };
        let before: Vec<Endpoint> = joined.attached.endpoints().cloned().collect();
        let done = joined.change(&self.launch, change, &self.epoll);
        call_neighbours(&self.launch, &joined.dir, &joined.attached.take_remade());
        let now: Vec<&Endpoint> = joined.attached.endpoints().collect();
        let followed = hosts::follow(&self.launch.dir, &before, &now);
        let done = done.and(followed.map_err(|e| failure(FailureKind::Internal, e.to_string())));
        // Half a change is told truly: the state is what there is now.
        self.state.endpoints = self.network.endpoints();
        self.state.ports = self.network.ports();
        self.save();
        match done {
            Ok(()) => self.answer(id, &Reply::State(Box::new(self.state.clone()))),
            Err(failure) => self.answer(id, &Reply::Failed(failure)),
        }
    }
}
