//! A container's networks, made by its monitor: interfaces and addresses inside, bridges, rules and ports outside.

mod live;
mod remains;

pub use remains::Remains;

use super::error::{Error, Result};
use super::link::Links;
use super::netns::{self, NetNs};
use super::nft::{self, Firewall};
use super::outside::{self, News};
use super::plan::{Attachments, EndpointPlan};
use super::ports::Taken;
use super::publish::{self, Kernel, Publication, Route};
use super::{inside, members, sysctl};
use crate::model::network::{Driver, Endpoint, PublishedPort};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What was made. Dropping it leaves rules; [`Attached::down`] takes them away.
#[derive(Debug)]
pub struct Attached {
    plan: Attachments,
    ns: NetNs,
    /// The rootless namespace that plays the host; `None`: the one the caller is in.
    host: Option<OwnedFd>,
    published: Vec<Publication>,
    warnings: Vec<String>,
    remade: Remade,
    /// The kernel has nf_tables, but not all of what is needed of it.
    plain: bool,
    remains: Remains,
}

/// What was not on the host and had to be made: where others live, they had lost it too, and get their own back when each is
/// asked to [`Attached::reload`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remade {
    /// The firewall's table, and with it every container's ports.
    pub table: bool,
    /// The networks, by id, whose bridges were made.
    pub bridges: Vec<String>,
}

/// Why nothing was attached, and what was made on the way and stays.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Failed {
    pub error: Error,
    pub remade: Remade,
}

/// A published port that the monitor forwards itself.
#[derive(Debug)]
pub struct Forward<'a> {
    pub port: &'a PublishedPort,
    /// Where to connect to, from inside the container's namespace; `None`: nowhere, so that connections are to be refused.
    pub target: Option<SocketAddr>,
    /// Bound to the host's port, non-blocking; listening if TCP.
    pub socket: BorrowedFd<'a>,
}

/// Finds what is taken although no socket says so.
pub type Looking<'a> = &'a dyn Fn() -> Vec<Taken>;

/// Sockets into both namespaces and to the firewall; opened for one operation.
struct Hands {
    outside: Links,
    inside: Links,
    firewall: Option<Firewall>,
}

/// Attaches the namespace to all networks of the plan, makes what is missing on the host, and publishes the ports. On failure
/// nothing of it is left but bridges and rules that other containers share.
///
/// `host`: the network namespace of a rootless user's bridges. Ports are always bound in the namespace the caller is in, and
/// none that is `taken`.
pub fn up(plan: &Attachments, ns: NetNs, host: Option<OwnedFd>, taken: Looking<'_>) -> Result<Attached, Box<Failed>> {
    let mut plan = plan.clone();
    let (endpoints, ports) = (std::mem::take(&mut plan.endpoints), std::mem::take(&mut plan.ports));
    let (published, warnings, remains) = (Vec::new(), Vec::new(), Remains::default());
    let remade = Remade::default();
    let mut attached = Attached { plan, ns, host, published, warnings, remade, plain: false, remains };
    match attached.build(endpoints, &ports, taken) {
        Ok(()) => Ok(attached),
        Err(error) => {
            attached.take_down();
            attached.remains.part();
            attached.unmake_table();
            Err(Box::new(Failed { error, remade: attached.remade }))
        }
    }
}

/// Takes the ports. Those that no socket says are somebody's are looked for only where the kernel leads one of these somewhere
/// already: that is a look at each container of the machine.
fn hold(hands: &mut Hands, routes: &[(PublishedPort, Route)], taken: Looking<'_>) -> Result<Vec<Publication>> {
    let held = publish::hold(routes, &[])?;
    let mut rules = held.iter().filter_map(Publication::rule);
    let known = hands.firewall.as_mut().is_some_and(|firewall| rules.any(|rule| firewall.knows(&rule)));
    if !known {
        return Ok(held);
    }
    drop(held);
    publish::hold(routes, &taken())
}

impl Attached {
    fn build(&mut self, endpoints: Vec<EndpointPlan>, ports: &[PublishedPort], taken: Looking<'_>) -> Result<()> {
        let mut hands = self.hands()?;
        self.table(&mut hands, &endpoints)?;
        self.at_host(|| outside::possible(&endpoints, hands.firewall.is_some()))?;
        // First what fails most easily and costs nothing to undo.
        let routes = publish::routes(ports, &endpoints, self.kernel(&hands))?;
        self.published = hold(&mut hands, &routes, taken)?;
        for endpoint in endpoints {
            self.attach(&mut hands, endpoint)?;
        }
        inside::default_routes(&mut hands.inside, &self.plan.endpoints)?;
        let done = self.firewall(&mut hands, 0);
        self.remains.keep_socket(hands.firewall);
        done
    }

    fn hands(&self) -> Result<Hands> {
        let inside = self.ns.enter(Links::open)??;
        let tag = &self.plan.root_tag;
        let firewall = || if self.plain { Ok(None) } else { Firewall::open(tag) };
        let (outside, firewall) = self.at_host(|| Ok((Links::open()?, firewall()?)))?;
        Ok(Hands { outside, inside, firewall })
    }

    /// The firewall's table is there before anything is decided: some kernels have nf_tables without what is needed of it,
    /// and say so only now.
    fn table(&mut self, hands: &mut Hands, endpoints: &[EndpointPlan]) -> Result<()> {
        let bridged = endpoints.iter().any(|e| e.driver == Driver::Bridge);
        let Some(firewall) = hands.firewall.as_mut().filter(|_| bridged) else { return Ok(()) };
        match firewall.add(&[], &[], &self.plan.container) {
            Err(Error::NoFirewall { .. }) => {
                hands.firewall = None;
                self.plain = true;
            }
            made => self.remade.table |= made?,
        }
        Ok(())
    }

    /// Runs `work` in the namespace the bridges are in.
    fn at_host<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        match &self.host {
            Some(ns) => netns::enter(ns.as_fd(), work)?,
            None => work(),
        }
    }

    /// In a rootless namespace packets from outside come from a helper program, not from the host.
    fn kernel(&self, hands: &Hands) -> Kernel {
        match &self.plan {
            _ if hands.firewall.is_none() => Kernel::Nothing,
            plan if plan.rootless => Kernel::Neighbours,
            plan if plan.listens => Kernel::Nothing,
            _ => Kernel::All,
        }
    }

    /// One endpoint: its interface, up and with addresses. Listed first, so that a failure half way is taken down too.
    fn attach(&mut self, hands: &mut Hands, mut endpoint: EndpointPlan) -> Result<()> {
        if hands.firewall.is_none() && endpoint.internal && endpoint.driver == Driver::Bridge {
            return Err(Error::NoFirewall { what: "an internal network" });
        }
        if endpoint.endpoint.interface.is_empty() {
            endpoint.endpoint.interface = inside::free_name(&self.plan.endpoints);
        }
        // All of ipvlan's have their parent's.
        if endpoint.endpoint.mac.is_none() && endpoint.driver != Driver::Ipvlan {
            endpoint.endpoint.mac = outside::mac_of(&endpoint.endpoint);
        }
        self.plan.endpoints.push(endpoint.clone());
        let mut news = News::default();
        let ns = self.ns.as_fd();
        let made = self.at_host(|| outside::interface(&mut hands.outside, &self.plan, &endpoint, ns, &mut news));
        self.hear(news);
        made?;
        self.configure(hands, &endpoint)
    }

    fn hear(&mut self, news: News) {
        self.warnings.extend(news.warnings);
        self.remade.bridges.extend(news.made);
    }

    fn configure(&self, hands: &mut Hands, endpoint: &EndpointPlan) -> Result<()> {
        if endpoint.endpoint.v6.is_some() {
            let notify = format!("ipv6/conf/{}/ndisc_notify", endpoint.endpoint.interface);
            // Where it cannot be set, neighbours find out by themselves.
            let _ = self.ns.enter(|| sysctl::ensure(&notify, "1"))?;
        }
        inside::configure(&mut hands.inside, endpoint, self.may_be_mistaken(endpoint))
    }

    /// Whether neighbours may remember another MAC for these addresses. Ours are made from the IPv4 address, and what is told to
    /// a bridge costs a packet to each of its containers: done for those only that have, or come after, a MAC of their own.
    fn may_be_mistaken(&self, plan: &EndpointPlan) -> bool {
        let (dir, endpoint) = (&self.plan.dir, &plan.endpoint);
        let own = endpoint.mac.is_some() && endpoint.mac != outside::mac_of(endpoint);
        if own && let Err(e) = members::note_own_mac(dir, &endpoint.network) {
            tracing::debug!(error = %e, "noting a MAC address");
        }
        own || plan.shared || endpoint.v6.is_some() || members::has_had_own_macs(dir, &endpoint.network)
    }

    /// Rules for all our networks and the ports from that one on; then forwarding, once there are rules that keep networks
    /// apart.
    fn firewall(&mut self, hands: &mut Hands, from: usize) -> Result<()> {
        let networks = self.networks();
        if networks.is_empty() {
            return Ok(());
        }
        let Some(firewall) = &mut hands.firewall else {
            self.without_firewall();
            return Ok(());
        };
        let rules: Vec<nft::Port> = self.published[from..].iter().filter_map(Publication::rule).collect();
        self.remade.table |= firewall.add(&networks, &rules, &self.plan.container)?;
        firewall.forget_flows(&rules);
        let mut warnings = Vec::new();
        if self.remade.table {
            warnings.extend(outside::closed_by_others(firewall, &self.plan.endpoints));
        }
        self.at_host(|| outside::forwarding(&self.plan.endpoints, &mut warnings))?;
        self.warnings.extend(warnings);
        Ok(())
    }

    fn without_firewall(&mut self) {
        self.warn("this kernel has no nf_tables: containers do not reach the outside, and teu itself forwards ports");
        if !self.plan.rootless && sysctl::read("ipv4/ip_forward").is_some_and(|v| v != "0") {
            self.warn("networks are not kept apart: this machine forwards packets, and nothing tells which");
        }
    }

    fn networks(&self) -> Vec<nft::Network> {
        let bridges = self.plan.endpoints.iter().filter(|e| e.driver == Driver::Bridge);
        let network = |e: &EndpointPlan| nft::Network {
            bridge: e.host_interface.clone(),
            internal: e.internal,
            masquerade: e.masquerade && !e.internal,
            isolated: e.isolated,
        };
        bridges.map(network).collect()
    }

    fn warn(&mut self, text: &str) {
        if !self.warnings.iter().any(|w| w == text) {
            self.warnings.push(text.to_owned());
        }
    }

    /// With addresses, MAC and interface names as they are.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.plan.endpoints.iter().map(|e| &e.endpoint)
    }

    /// With host ports as they were given.
    pub fn ports(&self) -> impl Iterator<Item = &PublishedPort> {
        self.published.iter().map(|p| &p.held.port)
    }

    /// The ports the monitor has to forward itself: ask again after each change.
    pub fn forwards(&self) -> Vec<Forward<'_>> {
        let open = self.published.iter().filter(|p| p.route.forward.is_some() || p.held.listens());
        open.map(|p| Forward { port: &p.held.port, target: p.route.forward, socket: p.held.as_fd() }).collect()
    }

    /// By each network's id, what others find it by there.
    pub fn rename(&mut self, names: &BTreeMap<String, Vec<String>>) {
        for endpoint in self.plan.endpoints.iter_mut().map(|e| &mut e.endpoint) {
            if let Some(names) = names.get(&endpoint.network) {
                endpoint.names.clone_from(names);
            }
        }
    }

    /// What the user should know, and what does not work for want of a kernel feature.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What others may miss.
    pub fn remade(&self) -> &Remade {
        &self.remade
    }

    /// As [`Attached::remade`], and forgets it: the others have been asked.
    pub fn take_remade(&mut self) -> Remade {
        std::mem::take(&mut self.remade)
    }

    pub fn ns(&self) -> &NetNs {
        &self.ns
    }

    /// The namespace the bridges are in, when it is not the caller's.
    pub fn host(&self) -> Option<&OwnedFd> {
        self.host.as_ref()
    }

    /// Takes rules and addresses away and gives the ports back: from now on the addresses can be given to others. The
    /// interfaces go with the namespace, in the background: removing each here would have everybody wait for 10 to 30 ms.
    /// Goes on after a failure and tells all.
    pub fn down(self) -> Vec<Error> {
        let (mut failures, mut remains) = self.withdraw();
        failures.extend(remains.part());
        failures
    }

    /// As [`Attached::down`]; with what can be done when nobody waits any more.
    pub fn withdraw(mut self) -> (Vec<Error>, Remains) {
        (self.take_down(), self.remains)
    }

    fn take_down(&mut self) -> Vec<Error> {
        let mut failures = Vec::new();
        let mut hands = match self.hands() {
            Ok(hands) => hands,
            Err(e) => return vec![e],
        };
        let rules: Vec<nft::Port> = self.published.iter().filter_map(Publication::rule).collect();
        if let (false, Some(firewall)) = (rules.is_empty(), &mut hands.firewall) {
            failures.extend(firewall.remove_ports(&rules).err());
            firewall.forget_flows(&rules);
        }
        for endpoint in std::mem::take(&mut self.plan.endpoints) {
            if endpoint.driver == Driver::Bridge {
                self.remains.pairs.push(outside::veth_name(&self.plan.container, &endpoint.endpoint.network));
            }
            let left = match endpoint.driver {
                // Its MAC address is its parent's to give away only when the interface is gone.
                Driver::Macvlan => hands.inside.remove(&endpoint.endpoint.interface).map(drop),
                _ => inside::leave(&mut hands.inside, &endpoint),
            };
            failures.extend(left.err());
        }
        self.remains.keep_socket(hands.firewall);
        self.remains.outside = Some(hands.outside);
        failures
    }

    /// After a failure: a firewall table that was made on the way goes again, unless it has come to be of use.
    fn unmake_table(&mut self) {
        if !self.remade.table {
            return;
        }
        let tag = &self.plan.root_tag;
        let removed = self.at_host(|| Firewall::open(tag)?.map_or(Ok(false), |mut firewall| firewall.remove_unused()));
        // The first failure is the news.
        self.remade.table = !matches!(removed, Ok(true));
    }
}
