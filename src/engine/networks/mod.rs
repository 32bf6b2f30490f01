//! Networks as the engine knows them: which there are, what they are called on the host, who is on them.

mod choose;
mod leases;
mod plan;

pub(crate) use choose::{choose, lacking, look_again, no_default, search_path};
pub(crate) use leases::{Starting, forget, free, sweep, tidy};
pub(crate) use plan::{
    endpoint_plan, names_on, next_interface, one_of_each, publish_address, published, resolvers, start_plan,
};

use super::core::{Core, now};
use super::inventory::ContainerEntry;
use super::{Error, ErrorKind, Result};
use crate::model::container::{Container, State, Status};
use crate::model::network::{Cidr, DEFAULT, Driver, Network, NetworkMode, Subnet};
use crate::model::reference::Digest;
use crate::net::{host, ipam};
use crate::store::records;
use crate::sys::userns;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Names that are no user's to give or take.
pub(crate) const PREDEFINED: [(&str, Driver); 3] =
    [(DEFAULT, Driver::Bridge), ("host", Driver::Host), ("none", Driver::Null)];
/// The bridge's name on the host.
pub(crate) const OPTION_BRIDGE: &str = "com.docker.network.bridge.name";
pub(crate) const OPTION_MTU: &str = "com.docker.network.driver.mtu";
pub(crate) const OPTION_MASQUERADE: &str = "com.docker.network.bridge.enable_ip_masquerade";
/// Whether containers on the network reach each other.
pub(crate) const OPTION_NEIGHBOURS: &str = "com.docker.network.bridge.enable_icc";
/// What interfaces inside are called, but for their number.
pub(crate) const OPTION_PREFIX: &str = "com.docker.network.container_iface_prefix";
pub(crate) const OPTION_ADDRESS: &str = "com.docker.network.bridge.host_binding_ipv4";

/// The name of the default network's bridge below the system's own state directory.
const SYSTEM_BRIDGE: &str = "teu0";
const SYSTEM_DATA: &str = "/var/lib/teu";
/// Hex digits of an id that go into an interface's name: with the prefix at most 15 characters.
const ID_DIGITS: usize = 12;

pub(crate) fn is_predefined(name: &str) -> bool {
    PREDEFINED.iter().any(|(predefined, _)| *predefined == name)
}

/// Keeps containers on their addresses: they live, or will again without being started.
pub(crate) fn holds_network(state: &State) -> bool {
    state.status.is_live() || state.status == Status::Restarting
}

impl Core {
    /// Tells this root's bridges and rules from another's; empty for the system's own.
    pub fn root_tag(&self) -> String {
        match self.root.data() == Path::new(SYSTEM_DATA) {
            true => String::new(),
            false => Digest::of(self.root.data().as_os_str().as_encoded_bytes()).hex()[..8].to_owned(),
        }
    }

    /// `<run>/networks`
    pub fn networks_dir(&self) -> PathBuf {
        self.root.run().join("networks")
    }

    /// The same of an ordinary user, whose bridges are in a namespace of their own that is found there.
    pub fn user_networks(&self) -> Option<PathBuf> {
        userns::identity().rootless.then(|| self.networks_dir())
    }

    /// A predefined network that has no record (yet). The same id each time.
    fn predefined(&self, name: &str, driver: Driver) -> Network {
        let seed = [self.root.data().as_os_str().as_encoded_bytes(), b"\0network\0", name.as_bytes()].concat();
        Network {
            id: Digest::of(&seed).hex().to_owned(),
            name: name.to_owned(),
            driver,
            subnets: Vec::new(),
            internal: false,
            ipv6: false,
            attachable: false,
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
            // As old as the place itself.
            created: self.root.born(),
        }
    }

    /// All networks by name, the predefined among them. The default one has no subnet before it is first used.
    pub fn networks(&self) -> Result<Vec<Network>> {
        let mut all = self.db.read(records::networks)?;
        for (name, driver) in PREDEFINED {
            if !all.iter().any(|n| n.name == name) {
                all.push(self.predefined(name, driver));
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// By name, id, or the beginning of one that only one has.
    pub fn network(&self, text: &str) -> Result<Network> {
        let all = self.networks()?;
        if let Some(found) = all.iter().find(|n| n.name == text || n.id == text) {
            return Ok(found.clone());
        }
        let by_id: Vec<_> = all.iter().filter(|n| !text.is_empty() && n.id.starts_with(text)).collect();
        match by_id.as_slice() {
            [one] => Ok((*one).clone()),
            [] => Err(Error::new(ErrorKind::NotFound, format!("no such network: {text}")).hint(hint(text))),
            _ => Err(Error::new(ErrorKind::Invalid, format!("'{text}' is the beginning of several network ids"))),
        }
    }

    /// [`Core::network`] for use: the default one gets its subnet now, and another one when the host, or another root of
    /// teu, has come to use it since.
    pub fn network_for_use(&self, text: &str) -> Result<Network> {
        let network = self.network(text)?;
        if network.driver != Driver::Bridge || userns::identity().rootless {
            return self.with_subnet(network);
        }
        match self.foreign_route(&network) {
            None => self.with_subnet(network),
            Some(_) if network.name == DEFAULT && self.forget_default(&network)? => {
                self.with_subnet(self.predefined(DEFAULT, Driver::Bridge))
            }
            Some((subnet, route)) => {
                let what = format!("subnet {subnet} of network {} overlaps with the host's", network.name);
                Err(Error::new(ErrorKind::Conflict, what)
                    .because(format!("{} is reached through {}", route.to, route.interface))
                    .hint("remove the network, or what else uses these addresses"))
            }
        }
    }

    fn with_subnet(&self, network: Network) -> Result<Network> {
        if network.name != DEFAULT || !network.subnets.is_empty() {
            return Ok(network);
        }
        let made = Network { created: now(), subnets: vec![self.free_subnet()?], ..network };
        // Another process may have been quicker: then its is the one.
        self.db.write(|t| records::insert_network(t, &made))?;
        self.network(DEFAULT)
    }

    /// A way of the host's to addresses of the network that does not lead over the network's own bridge. While the bridge
    /// is there with its addresses, others must mind it.
    fn foreign_route(&self, network: &Network) -> Option<(Cidr, host::Route)> {
        let (routes, bridge) = (host::routes(), self.host_interface(network));
        network.subnets.iter().map(|s| s.subnet).find_map(|subnet| {
            let ours = |r: &host::Route| r.interface == bridge && r.to.overlaps(&subnet);
            let clash = routes.iter().find(|r| r.to.overlaps(&subnet)).filter(|_| !routes.iter().any(ours));
            clash.map(|route| (subnet, route.clone()))
        })
    }

    /// Removes the default network's record, and so its subnet; false while somebody has an address of it.
    pub fn forget_default(&self, network: &Network) -> Result<bool> {
        let forgotten = self.db.write(|t| {
            let leases = records::leases_of_network(t, &network.id)?;
            if leases.iter().any(|l| !self.is_dead(l)) {
                return Ok(false);
            }
            for lease in leases {
                records::delete_lease(t, &network.id, lease.address)?;
            }
            records::delete_network(t, &network.id)?;
            Ok(true)
        })?;
        Ok(forgotten)
    }

    /// An IPv4 subnet from the pools that overlaps neither a network of ours nor the host's.
    pub fn free_subnet(&self) -> Result<Subnet> {
        let mut taken: Vec<Cidr> = host::routes().into_iter().map(|r| r.to).collect();
        taken.extend(self.db.read(records::networks)?.iter().flat_map(|n| &n.subnets).map(|s| s.subnet));
        let pool = ipam::choose_pool(&taken).ok_or_else(|| {
            Error::new(ErrorKind::Unavailable, "all predefined address pools are in use")
                .hint("name a free subnet: `teu network create --subnet 10.200.0.0/24 NAME`")
        })?;
        ipam::subnet(pool, None, None).map_err(invalid)
    }

    /// What the network's bridge is called on the host, or macvlan's and ipvlan's parent.
    pub fn host_interface(&self, network: &Network) -> String {
        let option = match network.driver {
            Driver::Macvlan | Driver::Ipvlan => "parent",
            Driver::Bridge | Driver::Host | Driver::Null => OPTION_BRIDGE,
        };
        match network.options.get(option) {
            Some(name) => name.clone(),
            None if network.name == DEFAULT && self.root_tag().is_empty() => SYSTEM_BRIDGE.to_owned(),
            None => format!("tb{}", &network.id[..ID_DIGITS.min(network.id.len())]),
        }
    }

    /// Live containers on the network, by what their monitors say.
    pub fn members(&self, network: &Network) -> Result<Vec<ContainerEntry>> {
        let on = |e: &ContainerEntry| {
            holds_network(&e.state)
                && (e.state.endpoints.iter().any(|p| p.network == network.id)
                    || special_member(&e.container, network.driver))
        };
        Ok(self.read_containers()?.into_iter().filter(on).collect())
    }
}

/// On `host` or `none`, which have no endpoints.
fn special_member(container: &Container, driver: Driver) -> bool {
    match (&container.config.network, driver) {
        (NetworkMode::Host, Driver::Host) | (NetworkMode::None, Driver::Null) => true,
        (NetworkMode::None | NetworkMode::Host | NetworkMode::Attached | NetworkMode::Container(_), _) => false,
    }
}

/// What somebody may have meant by a network that is not there.
fn hint(text: &str) -> &'static str {
    match text.split(':').next().unwrap_or_default() {
        "pasta" | "slirp4netns" => {
            "an ordinary user's networks lead outside through pasta or slirp4netns by themselves: leave it out"
        }
        "ns" => "a namespace cannot be joined by its path: --network container:NAME shares a container's",
        "private" => "every container has a namespace of its own: leave it out, or say none",
        _ => "`teu network ls` lists them, `teu network create` makes one",
    }
}

pub(crate) fn invalid(e: ipam::Error) -> Error {
    Error::new(ErrorKind::Invalid, e.to_string())
}

/// The names of the networks a container is asked to be on, or its mode's word.
pub(crate) fn names(container: &Container) -> Vec<String> {
    match &container.config.network {
        NetworkMode::Attached => container.config.endpoints.iter().map(|e| e.network.clone()).collect(),
        mode => vec![mode.word().to_owned()],
    }
}
