//! The ports a container's record asks for, and what is left of them when some are taken away.

use super::container::ContainerConfig;
use super::network::{PortMapping, Protocol, PublishedPort};
use std::collections::HashSet;
use std::net::IpAddr;

/// What the next start publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// By `-p`.
    named: Vec<PortMapping>,
    /// By `-P`: exposed ports that no `-p` is about.
    exposed: Vec<PortMapping>,
}

impl Asked {
    pub fn of(config: &ContainerConfig) -> Asked {
        let exposed = if config.publish_all { unnamed(config, &config.ports) } else { Vec::new() };
        Asked { named: config.ports.clone(), exposed }
    }

    /// In the order they are published in.
    pub fn all(&self) -> impl Iterator<Item = &PortMapping> + Clone {
        self.named.iter().chain(&self.exposed)
    }

    pub fn add(&mut self, more: &[PortMapping]) {
        self.named.extend_from_slice(more);
    }

    /// Takes away what `asked` means: one whose host port, or range of them, is within it. `default` is the address of
    /// those that name none. False: there was nothing.
    pub fn remove(&mut self, asked: &PortMapping, default: IpAddr) -> bool {
        let before = self.all().count();
        let stays = |mapping: &PortMapping| {
            let within = |wanted: u16| {
                let last = asked.host_port_last.unwrap_or(wanted);
                mapping
                    .host_port
                    .is_some_and(|first| wanted <= first && mapping.host_port_last.unwrap_or(first) <= last)
            };
            !((mapping.container_port, mapping.protocol) == (asked.container_port, asked.protocol)
                && asked.host_ip.is_none_or(|ip| ip == mapping.host_ip.unwrap_or(default))
                && asked.host_port.is_none_or(within))
        };
        self.named.retain(stays);
        self.exposed.retain(stays);
        self.all().count() < before
    }

    /// Takes away what has led to a port that is published: of several that may have, the one that says most.
    pub fn forget(&mut self, port: &PublishedPort) {
        let may_be = |mapping: &PortMapping| {
            let given = |first| (first..=mapping.host_port_last.unwrap_or(first)).contains(&port.host_port);
            (mapping.container_port, mapping.protocol) == (port.container_port, port.protocol)
                && mapping.host_ip.is_none_or(|ip| ip == port.host_ip)
                && mapping.host_port.is_none_or(given)
        };
        let says = |m: &PortMapping| (m.host_port.is_some(), m.host_port_last.is_none(), m.host_ip.is_some());
        for mappings in [&mut self.named, &mut self.exposed] {
            let fitting = mappings.iter().enumerate().filter(|(_, m)| may_be(m));
            if let Some((at, _)) = fitting.max_by_key(|(_, m)| says(m)) {
                mappings.remove(at);
                return;
            }
        }
    }

    /// Writes it down. `-P` becomes the ports that are left of it as soon as it would publish others.
    pub fn record(self, config: &mut ContainerConfig) {
        config.ports = self.named;
        if config.publish_all && unnamed(config, &config.ports) != self.exposed {
            config.ports.extend(self.exposed);
            config.publish_all = false;
        }
    }
}

/// The exposed ports that no mapping is about, as `-P` publishes them.
fn unnamed(config: &ContainerConfig, named: &[PortMapping]) -> Vec<PortMapping> {
    let mut known: HashSet<(u16, Protocol)> = named.iter().map(|m| (m.container_port, m.protocol)).collect();
    let unknown = config.exposed.iter().filter(|exposed| known.insert(**exposed));
    let any = |&(container_port, protocol): &(u16, Protocol)| PortMapping {
        host_ip: None,
        host_port: None,
        host_port_last: None,
        container_port,
        protocol,
    };
    unknown.map(any).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::publish::parse;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn config(ports: &[&str], exposed: &[u16]) -> ContainerConfig {
        ContainerConfig {
            ports: ports.iter().flat_map(|text| parse(text).unwrap()).collect(),
            exposed: exposed.iter().map(|port| (*port, Protocol::Tcp)).collect(),
            publish_all: !exposed.is_empty(),
            ..ContainerConfig::default()
        }
    }

    /// What is recorded after `change`, and whether `-P` still is.
    #[track_caller]
    fn check(mut config: ContainerConfig, change: impl FnOnce(&mut Asked), left: &[&str], publish_all: bool) {
        let mut asked = Asked::of(&config);
        change(&mut asked);
        asked.record(&mut config);
        let ports: Vec<String> = config.ports.iter().map(ToString::to_string).collect();
        assert_eq!((ports, config.publish_all), (left.iter().map(|p| format!("{p}/tcp")).collect(), publish_all));
    }

    #[track_caller]
    fn removes(ports: &[&str], asked: &str, left: &[&str]) {
        let removed = left.len() < ports.len();
        let one = parse(asked).unwrap().remove(0);
        check(config(ports, &[]), |a| assert_eq!(a.remove(&one, HERE), removed), left, false);
    }

    #[track_caller]
    fn forgets(ports: &[&str], published: (&str, u16), left: &[&str]) {
        let port = PublishedPort {
            host_ip: published.0.parse().unwrap(),
            host_port: published.1,
            container_port: 80,
            protocol: Protocol::Tcp,
        };
        check(config(ports, &[]), |a| a.forget(&port), left, false);
    }

    #[test]
    fn what_is_not_asked_for_stays() {
        removes(&["8080:80"], "8080:80", &[]);
        removes(&["8080:80"], "127.0.0.1:8080:80", &[]);
        removes(&["8080:80"], "0.0.0.0:8080:80", &["8080:80"]);
        removes(&["8080:80", "81"], "80", &["81"]);
        removes(&["80"], "9999:80", &["80"]);
        removes(&["8000-8002:80"], "8001:80", &["8000-8002:80"]);
        removes(&["8000-8002:80", "8003:80"], "8000-8002:80", &["8003:80"]);
        removes(&["8080:80"], "8080:80/udp", &["8080:80"]);
    }

    #[test]
    fn a_published_port_is_forgotten_where_it_came_from() {
        forgets(&["80", "8000-8002:80", "8001:80"], ("127.0.0.1", 8001), &["80", "8000-8002:80"]);
        forgets(&["80", "8000-8002:80"], ("127.0.0.1", 8001), &["80"]);
        forgets(&["80", "8000-8002:80"], ("127.0.0.1", 51323), &["8000-8002:80"]);
        forgets(&["8080:80", "[::1]:8080:80"], ("::1", 8080), &["8080:80"]);
    }

    #[test]
    fn publishing_all_ends_with_the_first_that_is_not() {
        let one = |text: &str| parse(text).unwrap().remove(0);
        let removes = |asked: &str| {
            let asked = one(asked);
            move |a: &mut Asked| assert!(a.remove(&asked, HERE))
        };
        check(config(&[], &[80, 81]), removes("80"), &["81"], false);
        check(config(&["8080:80"], &[80, 81]), removes("81"), &["8080:80"], false);
        check(config(&["8080:80"], &[80, 81]), removes("8080:80"), &["81"], false);
        check(config(&["8080:80", "8081:80"], &[80, 81]), removes("8080:80"), &["8081:80"], true);
        // One more is not one instead.
        check(config(&[], &[80]), |a| a.add(&[one("8080:80")]), &["8080:80", "80"], false);
        check(config(&[], &[80]), |a| a.add(&[one("8090:90")]), &["8090:90"], true);
    }
}
