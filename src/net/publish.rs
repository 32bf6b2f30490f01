//! Where a published port leads, and by which way.

use super::error::{Error, Result};
use super::nft;
use super::plan::EndpointPlan;
use super::ports::{self, Reservation, Taken, Way};
use crate::model::network::{Cidr, Driver, PublishedPort};
use std::net::{IpAddr, SocketAddr};

/// A port that is held, and how it leads into the container now.
#[derive(Debug)]
pub struct Publication {
    pub held: Reservation,
    pub route: Route,
}

/// What the kernel does for published ports where the bridges are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// It cannot, or shall not.
    Nothing,
    /// It changes the destination of every packet.
    All,
    /// Only containers' packets come by there, and find what is published on this machine's address; the rest is the
    /// forwarder's.
    Neighbours,
}

/// Neither: nothing of the container can be reached at present.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The kernel changes destinations to this.
    pub kernel: Option<SocketAddr>,
    /// The monitor connects to this from inside.
    pub forward: Option<SocketAddr>,
}

impl Route {
    pub fn of(port: &PublishedPort, endpoints: &[EndpointPlan], kernel: Kernel) -> Route {
        let address = |cidr: Option<Cidr>| cidr.map(|c| SocketAddr::new(c.address, port.container_port));
        let public = || endpoints.iter().filter(|e| !e.internal);
        let six = port.host_ip.is_ipv6();
        let same = public().find_map(|e| {
            let found = address(if six { e.endpoint.v6 } else { e.endpoint.v4 })?;
            Some((found, e.driver))
        });
        let other = || public().find_map(|e| address(e.endpoint.v4.or(e.endpoint.v6)));
        match same {
            Some((to, Driver::Bridge)) if kernel == Kernel::Neighbours => {
                Route { kernel: (!port.host_ip.is_loopback()).then_some(to), forward: Some(to) }
            }
            // ::1 is on no other interface; those who published on all IPv6 addresses mean it too.
            Some((to, Driver::Bridge))
                if kernel == Kernel::All && port.host_ip != IpAddr::V6(std::net::Ipv6Addr::LOCALHOST) =>
            {
                let forward = (six && port.host_ip.is_unspecified()).then_some(to);
                Route { kernel: Some(to), forward }
            }
            Some((to, _)) => Route { kernel: None, forward: Some(to) },
            None => Route { kernel: None, forward: other() },
        }
    }

    pub fn leads_nowhere(&self) -> bool {
        self.kernel.is_none() && self.forward.is_none()
    }

    /// A port that leads nowhere yet is taken as by the forwarder, which refuses: old connections of it may linger.
    pub fn way(&self) -> Way {
        if self.forward.is_some() || self.leads_nowhere() { Way::Forwarder } else { Way::Kernel }
    }

    pub fn rule(&self, port: &PublishedPort) -> Option<nft::Port> {
        let host = SocketAddr::new(port.host_ip, port.host_port);
        self.kernel.map(|to| nft::Port { host, protocol: port.protocol, to })
    }
}

impl Publication {
    pub fn rule(&self) -> Option<nft::Port> {
        self.route.rule(&self.held.port)
    }

    /// Where it leads from now on. A socket that has listened once goes on: the port could not be held otherwise.
    pub fn lead(&mut self, route: Route) -> Result<()> {
        if route.forward.is_some() && self.route.forward.is_none() {
            self.held.listen()?;
        }
        self.route = route;
        Ok(())
    }
}

/// Ports with their routes; all must lead somewhere, unless the container is on no network at all: then they wait for one.
pub fn routes(
    ports: &[PublishedPort],
    endpoints: &[EndpointPlan],
    kernel: Kernel,
) -> Result<Vec<(PublishedPort, Route)>> {
    let with_route = |port: &PublishedPort| {
        let route = Route::of(port, endpoints, kernel);
        if route.leads_nowhere() && !endpoints.is_empty() {
            return Err(Error::NoPublicNetwork(Box::new(port.clone())));
        }
        Ok((port.clone(), route))
    };
    ports.iter().map(with_route).collect()
}

/// Takes the ports; each goes where its route leads. None of them may be `taken`.
pub fn hold(routes: &[(PublishedPort, Route)], taken: &[Taken]) -> Result<Vec<Publication>> {
    let wanted: Vec<_> = routes.iter().map(|(port, route)| (port.clone(), route.way())).collect();
    let held = ports::reserve(&wanted, taken)?;
    let with_route = |held: ports::Reservation| {
        let fits = |(port, _): &&(PublishedPort, Route)| {
            PublishedPort { host_port: held.port.host_port, ..port.clone() } == held.port
                && (port.host_port == 0 || port.host_port == held.port.host_port)
        };
        let route = routes.iter().find(fits).map(|(_, route)| route.clone()).unwrap_or_default();
        Publication { held, route }
    };
    Ok(held.into_iter().map(with_route).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::network::{Endpoint, Protocol};

    fn endpoint(driver: Driver, v4: Option<&str>, v6: Option<&str>, internal: bool) -> EndpointPlan {
        let endpoint = Endpoint {
            network: "n".into(),
            name: "n".into(),
            interface: "eth0".into(),
            mac: None,
            v4: v4.map(|t| t.parse().unwrap()),
            v6: v6.map(|t| t.parse().unwrap()),
            gateway4: None,
            gateway6: None,
            names: Vec::new(),
        };
        EndpointPlan {
            driver,
            host_interface: "teu0".into(),
            gateways: Vec::new(),
            internal,
            mtu: None,
            masquerade: true,
            isolated: false,
            shared: false,
            priority: 0,
            mode: None,
            endpoint,
        }
    }

    fn route(host: &str, endpoints: &[EndpointPlan], kernel: Kernel) -> (Option<String>, Option<String>) {
        let port = PublishedPort {
            host_ip: host.parse().unwrap(),
            host_port: 8080,
            container_port: 80,
            protocol: Protocol::Tcp,
        };
        let route = Route::of(&port, endpoints, kernel);
        (route.kernel.map(|a| a.to_string()), route.forward.map(|a| a.to_string()))
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn the_kernel_where_it_can_the_forwarder_elsewhere() {
        let both = [endpoint(Driver::Bridge, Some("10.0.0.2/24"), Some("fd00::2/64"), false)];
        assert_eq!(route("0.0.0.0", &both, Kernel::All), (some("10.0.0.2:80"), None));
        assert_eq!(route("127.0.0.1", &both, Kernel::All), (some("10.0.0.2:80"), None));
        assert_eq!(route("127.0.0.1", &both, Kernel::Nothing), (None, some("10.0.0.2:80")));
        assert_eq!(route("::1", &both, Kernel::All), (None, some("[fd00::2]:80")));
        assert_eq!(route("::", &both, Kernel::All), (some("[fd00::2]:80"), some("[fd00::2]:80")));
        assert_eq!(route("fd99::1", &both, Kernel::All), (some("[fd00::2]:80"), None));
        let four = [endpoint(Driver::Bridge, Some("10.0.0.2/24"), None, false)];
        assert_eq!(route("::", &four, Kernel::All), (None, some("10.0.0.2:80")));
        let macvlan = [endpoint(Driver::Macvlan, Some("10.0.0.2/24"), None, false)];
        assert_eq!(route("0.0.0.0", &macvlan, Kernel::All), (None, some("10.0.0.2:80")));
    }

    #[test]
    fn neighbours_find_what_is_open_to_more_than_this_machine() {
        let both = [endpoint(Driver::Bridge, Some("10.0.0.2/24"), Some("fd00::2/64"), false)];
        let (four, six) = (some("10.0.0.2:80"), some("[fd00::2]:80"));
        for (host, kernel, forward) in [
            ("127.0.0.1", None, four.clone()),
            ("0.0.0.0", four.clone(), four.clone()),
            ("192.0.2.1", four.clone(), four.clone()),
            ("::1", None, six.clone()),
            ("::", six.clone(), six.clone()),
        ] {
            assert_eq!(route(host, &both, Kernel::Neighbours), (kernel, forward), "{host}");
        }
    }

    #[test]
    fn internal_networks_are_passed_over() {
        let inner = endpoint(Driver::Bridge, Some("10.0.0.2/24"), None, true);
        let outer = endpoint(Driver::Bridge, Some("10.1.0.2/24"), None, false);
        assert_eq!(route("0.0.0.0", &[inner.clone(), outer], Kernel::All), (some("10.1.0.2:80"), None));
        assert_eq!(route("0.0.0.0", &[inner], Kernel::All), (None, None));
    }
}
