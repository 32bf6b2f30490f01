//! What changes on an attached container while it runs: networks and published ports come and go, and what others took
//! away of the host's side is made anew.

use super::{Attached, Hands, Looking, hold};
use crate::model::network::{Driver, Endpoint, PublishedPort};
use crate::net::error::{Error, Result};
use crate::net::inside;
use crate::net::nft;
use crate::net::outside::{self, News};
use crate::net::plan::EndpointPlan;
use crate::net::publish::{self, Publication, Route};
use std::net::SocketAddr;
use std::os::fd::AsFd;

impl Attached {
    /// One more network, live.
    pub fn connect(&mut self, endpoint: EndpointPlan) -> Result<()> {
        let same = |e: &EndpointPlan| e.endpoint.network == endpoint.endpoint.network;
        if self.plan.endpoints.iter().any(same) {
            return Err(Error::AlreadyConnected(endpoint.endpoint.name.clone()));
        }
        let before = self.plan.endpoints.len();
        let mut hands = self.hands()?;
        let done = self.join(&mut hands, endpoint);
        if done.is_err() {
            // The first failure is the news.
            if let Some(half) = (self.plan.endpoints.len() > before).then(|| self.plan.endpoints.remove(before)) {
                let _ = self.detach(&mut hands, &half).and_then(|()| self.settle(&mut hands));
            }
            self.unmake_table();
        }
        done
    }

    fn join(&mut self, hands: &mut Hands, endpoint: EndpointPlan) -> Result<()> {
        self.table(hands, std::slice::from_ref(&endpoint))?;
        self.at_host(|| outside::possible(std::slice::from_ref(&endpoint), hands.firewall.is_some()))?;
        self.attach(hands, endpoint)?;
        self.settle(hands)
    }

    /// One network less (by id or name), live. Published ports and the default route move to another network, if there is one.
    pub fn disconnect(&mut self, network: &str) -> Result<Endpoint> {
        let named = |e: &EndpointPlan| e.endpoint.network == network || e.endpoint.name == network;
        let at = self.plan.endpoints.iter().position(named);
        let at = at.ok_or_else(|| Error::NotConnected(network.to_owned()))?;
        let mut hands = self.hands()?;
        self.detach(&mut hands, &self.plan.endpoints[at])?;
        let gone = self.plan.endpoints.remove(at);
        self.settle(&mut hands)?;
        Ok(gone.endpoint)
    }

    /// Takes an endpoint's interface away.
    fn detach(&self, hands: &mut Hands, endpoint: &EndpointPlan) -> Result<()> {
        match endpoint.driver {
            Driver::Bridge => {
                hands.outside.remove(&outside::veth_name(&self.plan.container, &endpoint.endpoint.network))?;
            }
            _ => {
                hands.inside.remove(&endpoint.endpoint.interface)?;
            }
        }
        Ok(())
    }

    /// After a change of endpoints: default routes, rules, and where ports lead.
    fn settle(&mut self, hands: &mut Hands) -> Result<()> {
        inside::default_routes(&mut hands.inside, &self.plan.endpoints)?;
        let kernel = self.kernel(hands);
        let mut moved = std::mem::take(&mut self.published);
        let old: Vec<nft::Port> = moved.iter().filter_map(Publication::rule).collect();
        let mut failure = None;
        for publication in &mut moved {
            let route = Route::of(&publication.held.port, &self.plan.endpoints, kernel);
            failure = publication.lead(route).err().or(failure);
        }
        let gone: Vec<nft::Port> =
            old.into_iter().filter(|o| !moved.iter().any(|m| m.rule().as_ref() == Some(o))).collect();
        if let Some(firewall) = &mut hands.firewall {
            failure = firewall.remove_ports(&gone).err().or(failure);
            firewall.forget_flows(&gone);
        }
        self.published = moved;
        let done = self.firewall(hands, 0);
        done.and_then(|()| failure.map_or(Ok(()), Err))
    }

    /// More published ports, live: all or none, and none that is `taken`. Host port 0: any free one; the answer has it.
    pub fn publish(&mut self, ports: &[PublishedPort], taken: Looking<'_>) -> Result<Vec<PublishedPort>> {
        let mut hands = self.hands()?;
        let routes = publish::routes(ports, &self.plan.endpoints, self.kernel(&hands))?;
        let held = hold(&mut hands, &routes, taken)?;
        let before = self.published.len();
        self.published.extend(held);
        if let Err(e) = self.firewall(&mut hands, before) {
            let failed: Vec<nft::Port> = self.published.drain(before..).filter_map(|p| p.rule()).collect();
            if let Some(firewall) = &mut hands.firewall {
                let _ = firewall.remove_ports(&failed);
            }
            return Err(e);
        }
        Ok(self.published[before..].iter().map(|p| p.held.port.clone()).collect())
    }

    /// One published port less, live.
    pub fn unpublish(&mut self, port: &PublishedPort) -> Result<()> {
        let at = self.published.iter().position(|p| p.held.port == *port);
        let at = at.ok_or_else(|| Error::NotPublished {
            address: SocketAddr::new(port.host_ip, port.host_port),
            protocol: port.protocol.word(),
        })?;
        let rules: Vec<nft::Port> = self.published[at].rule().into_iter().collect();
        if let (false, Some(firewall)) = (rules.is_empty(), &mut self.hands()?.firewall) {
            firewall.remove_ports(&rules)?;
            firewall.forget_flows(&rules);
        }
        self.published.remove(at);
        Ok(())
    }

    /// Makes everything as it should be: bridges, addresses, the firewall table, this container's ports. Whatever is there
    /// already stays.
    pub fn reload(&mut self) -> Result<()> {
        let mut hands = self.hands()?;
        self.warnings.clear();
        for endpoint in self.plan.endpoints.clone() {
            let (mut news, ns) = (News::default(), self.ns.as_fd());
            let links = &mut hands.outside;
            if hands.inside.find(&endpoint.endpoint.interface)?.is_none() {
                let made = self.at_host(|| outside::interface(links, &self.plan, &endpoint, ns, &mut news));
                self.hear(news);
                made?;
                self.configure(&mut hands, &endpoint)?;
            } else if endpoint.driver == Driver::Bridge {
                let joined = self.at_host(|| outside::rejoin(links, &self.plan, &endpoint, &mut news));
                self.hear(news);
                joined?;
            }
        }
        self.settle(&mut hands)
    }
}
