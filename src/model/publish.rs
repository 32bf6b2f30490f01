//! Docker's words for published ports: `[[IP:][HOST[-LAST]]:]PORT[-LAST][/PROTO]` of `-p`, `PORT[-LAST][/PROTO]` of
//! `--expose`.

use super::network::{PortMapping, Protocol, PublishedPort};
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// Why a text names no port, as one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    #[error("no container port is named")]
    Missing,
    #[error("'{0}' is not a port: they are numbers from 1 to 65535")]
    Port(String),
    #[error("'{0}' is not a range of ports: the last one is below the first")]
    Backwards(String),
    #[error("{host} host ports do not fit {container} container ports")]
    Lengths { host: usize, container: usize },
    #[error("'{0}' is not an IP address (IPv6 is written in brackets, [::1]:80:80)")]
    Address(String),
    #[error("unknown protocol '{0}': there are tcp and udp")]
    Protocol(String),
    #[error("sctp is not supported: there are tcp and udp")]
    Sctp,
    #[error("unknown part '{0}': there are target, published and protocol")]
    Part(String),
}

/// All ports a `-p` asks for, ranges taken apart. Several host ports for one container port: the first free one.
pub fn parse(text: &str) -> Result<Vec<PortMapping>, PortError> {
    if text.contains('=') {
        return parse(&short(text)?);
    }
    let (rest, protocol) = protocol(text)?;
    let (before, container) = rest.rsplit_once(':').map_or((None, rest), |(before, port)| (Some(before), port));
    let (address, host) = match before {
        None => ("", ""),
        Some(before) => before.rsplit_once(':').unwrap_or(("", before)),
    };
    // `[::1]:80` has its last colon but one inside the brackets when the host port was left out whole.
    let (address, host) = if host.ends_with(']') { (before.unwrap_or_default(), "") } else { (address, host) };
    let host_ip = address_of(address)?;
    let container = range(container)?.ok_or(PortError::Missing)?;
    // Docker's word for any free one.
    let host = range(if host == "0" { "" } else { host })?;
    let one = |container_port, host: Option<(u16, u16)>| PortMapping {
        host_ip,
        host_port: host.map(|(first, _)| first),
        host_port_last: host.filter(|(first, last)| first != last).map(|(_, last)| last),
        container_port,
        protocol,
    };
    match host {
        None => Ok(container.map(|port| one(port, None)).collect()),
        Some(host) if container.len() == 1 => Ok(vec![one(*container.start(), Some((*host.start(), *host.end())))]),
        Some(host) if host.len() == container.len() => {
            Ok(container.zip(host).map(|(port, host)| one(port, Some((host, host)))).collect())
        }
        Some(host) => Err(PortError::Lengths { host: host.len(), container: container.len() }),
    }
}

/// `published=8080,target=80,protocol=udp` in its short form.
fn short(text: &str) -> Result<String, PortError> {
    let (mut host, mut container, mut protocol) = ("", "", "tcp");
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("published", value)) if !value.contains('=') => host = value,
            Some(("target", value)) if !value.contains('=') => container = value,
            Some(("protocol", value)) if !value.contains('=') => protocol = value,
            _ => return Err(PortError::Part(part.to_owned())),
        }
    }
    Ok(format!("{host}:{container}/{protocol}"))
}

/// `80`, `80/udp`, `8000-8010/tcp`: what `--expose` and an image's `ExposedPorts` have.
pub fn parse_exposed(text: &str) -> Result<Vec<(u16, Protocol)>, PortError> {
    let (ports, protocol) = protocol(text)?;
    let ports = range(ports)?.ok_or(PortError::Missing)?;
    Ok(ports.map(|port| (port, protocol)).collect())
}

fn protocol(text: &str) -> Result<(&str, Protocol), PortError> {
    match text.split_once('/') {
        None => Ok((text, Protocol::Tcp)),
        Some((ports, word)) => match word.to_ascii_lowercase().as_str() {
            "tcp" => Ok((ports, Protocol::Tcp)),
            "udp" => Ok((ports, Protocol::Udp)),
            "sctp" => Err(PortError::Sctp),
            _ => Err(PortError::Protocol(word.to_owned())),
        },
    }
}

fn address_of(text: &str) -> Result<Option<IpAddr>, PortError> {
    let bad = || PortError::Address(text.to_owned());
    let bare = text.strip_prefix('[').map(|t| t.strip_suffix(']').ok_or_else(bad)).transpose()?;
    let parsed: Option<IpAddr> = match (text, bare) {
        ("", _) => None,
        (_, Some(six)) => Some(IpAddr::V6(six.parse().map_err(|_| bad())?)),
        (four, None) => Some(IpAddr::V4(four.parse().map_err(|_| bad())?)),
    };
    Ok(parsed)
}

/// `None`: nothing was written.
fn range(text: &str) -> Result<Option<RangeInclusive<u16>>, PortError> {
    let port = |digits: &str| match digits.parse::<u16>() {
        Ok(n) if n > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => Ok(n),
        _ => Err(PortError::Port(digits.to_owned())),
    };
    match text.split_once('-') {
        None if text.is_empty() => Ok(None),
        None => port(text).map(|n| Some(n..=n)),
        Some((first, last)) => match (port(first)?, port(last)?) {
            (first, last) if first <= last => Ok(Some(first..=last)),
            _ => Err(PortError::Backwards(text.to_owned())),
        },
    }
}

fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(a) => a.to_string(),
        IpAddr::V6(a) => format!("[{a}]"),
    }
}

/// As `-p` would ask for it.
impl fmt::Display for PortMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(address) = self.host_ip {
            write!(f, "{}:", bracketed(address))?;
        }
        match (self.host_port, self.host_port_last) {
            (Some(first), Some(last)) => write!(f, "{first}-{last}:")?,
            (Some(port), None) => write!(f, "{port}:")?,
            (None, _) if self.host_ip.is_some() => f.write_str(":")?,
            (None, _) => {}
        }
        write!(f, "{}/{}", self.container_port, self.protocol.word())
    }
}

/// `127.0.0.1:8080->80/tcp`
impl fmt::Display for PublishedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (port, word) = (self.container_port, self.protocol.word());
        write!(f, "{}:{}->{port}/{word}", bracketed(self.host_ip), self.host_port)
    }
}

impl PublishedPort {
    /// They are one port of this machine: on one address, or one of them on all of the family.
    pub fn overlaps(&self, other: &PublishedPort) -> bool {
        let (a, b) = (self.host_ip, other.host_ip);
        let both = a == b || a.is_ipv4() == b.is_ipv4() && (a.is_unspecified() || b.is_unspecified());
        both && (self.host_port, self.protocol) == (other.host_port, other.protocol)
    }

    /// Who can reach it: this machine, everybody, or those that can reach one address of this machine.
    pub fn reach(&self) -> Reach {
        match self.host_ip {
            ip if ip.is_loopback() => Reach::Local,
            ip if ip.is_unspecified() => Reach::Everybody,
            ip => Reach::Address(ip),
        }
    }
}

/// See [`PublishedPort::reach`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Local,
    Everybody,
    Address(IpAddr),
}

/// Docker's column: neighbouring ports with the same difference are one range, exposed ones that are not published
/// stand alone (`80/tcp`).
pub fn summary(ports: &[PublishedPort], exposed: &[(u16, Protocol)]) -> String {
    let mut sorted: Vec<&PublishedPort> = ports.iter().collect();
    sorted.sort_by_key(|p| (p.protocol, p.host_ip, p.container_port, p.host_port));
    let mut parts: Vec<(PublishedPort, u16)> = Vec::new();
    for port in sorted {
        match parts.last_mut() {
            Some((first, count)) if follows(first, *count, port) => *count += 1,
            _ => parts.push((port.clone(), 0)),
        }
    }
    let mut out: Vec<String> = parts.iter().map(|(first, more)| ranged(first, *more)).collect();
    let bare = |(port, protocol): &&(u16, Protocol)| {
        !ports.iter().any(|p| p.container_port == *port && p.protocol == *protocol)
    };
    out.extend(exposed.iter().filter(bare).map(|(port, protocol)| format!("{port}/{}", protocol.word())));
    out.join(", ")
}

fn follows(first: &PublishedPort, more: u16, next: &PublishedPort) -> bool {
    let step = more + 1;
    (first.protocol, first.host_ip) == (next.protocol, next.host_ip)
        && first.container_port.checked_add(step) == Some(next.container_port)
        && first.host_port.checked_add(step) == Some(next.host_port)
}

fn ranged(first: &PublishedPort, more: u16) -> String {
    if more == 0 {
        return first.to_string();
    }
    let (host, port) = (first.host_port, first.container_port);
    let word = first.protocol.word();
    format!("{}:{host}-{}->{port}-{}/{word}", bracketed(first.host_ip), host + more, port + more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn show(text: &str) -> String {
        parse(text)
            .unwrap_or_else(|e| panic!("{text}: {e}"))
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn what_people_type() {
        assert_eq!(show("80"), "80/tcp");
        assert_eq!(show("8080:80"), "8080:80/tcp");
        assert_eq!(show("8080:80/UDP"), "8080:80/udp");
        assert_eq!(show("127.0.0.1:8080:80"), "127.0.0.1:8080:80/tcp");
        assert_eq!(show("127.0.0.1::80"), "127.0.0.1::80/tcp");
        assert_eq!(show("[::1]:8080:80"), "[::1]:8080:80/tcp");
        assert_eq!(show("[::1]::80"), "[::1]::80/tcp");
        assert_eq!(show(":80"), "80/tcp");
        assert_eq!(show("0:80"), "80/tcp");
        assert_eq!(show("127.0.0.1:0:80"), "127.0.0.1::80/tcp");
        assert_eq!(show("published=8080,target=80,protocol=udp"), "8080:80/udp");
        assert_eq!(show("target=80"), "80/tcp");
        assert_eq!(show("8000-8002:80-82"), "8000:80/tcp 8001:81/tcp 8002:82/tcp");
        assert_eq!(show("80-81"), "80/tcp 81/tcp");
        assert_eq!(show("8000-8002:80"), "8000-8002:80/tcp");
    }

    #[test]
    fn mistakes_say_what_is_wrong() {
        for (text, part) in [
            ("", "no container port"),
            ("8080:", "no container port"),
            ("0", "'0' is not a port"),
            ("65536", "'65536' is not a port"),
            ("+80", "'+80' is not a port"),
            ("http:80", "'http' is not a port"),
            ("82-80", "below the first"),
            ("8000-8001:80-82", "2 host ports do not fit 3 container ports"),
            ("::1:80:80", "'::1' is not an IP address"),
            ("[1.2.3.4]:80:80", "'[1.2.3.4]' is not an IP address"),
            ("[::1:80:80", "'[::1' is not an IP address"),
            ("localhost:80:80", "'localhost' is not an IP address"),
            ("80/sctp", "sctp is not supported"),
            ("published=80", "no container port"),
            ("target=80,mode=host", "unknown part 'mode=host'"),
            ("target=a=b", "unknown part 'target=a=b'"),
            ("0-1:80-81", "'0' is not a port"),
            ("80/", "unknown protocol ''"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn the_column_folds_ranges() {
        let port = |ip: &str, host_port, container_port, protocol| PublishedPort {
            host_ip: ip.parse().unwrap(),
            host_port,
            container_port,
            protocol,
        };
        let ports = [
            port("0.0.0.0", 8001, 81, Protocol::Tcp),
            port("0.0.0.0", 8000, 80, Protocol::Tcp),
            port("::1", 53, 5353, Protocol::Udp),
        ];
        let exposed = [(80, Protocol::Tcp), (443, Protocol::Tcp)];
        assert_eq!(summary(&ports, &exposed), "0.0.0.0:8000-8001->80-81/tcp, [::1]:53->5353/udp, 443/tcp");
        assert_eq!(summary(&[], &[]), "");
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,40}") {
            let _ = parse(&text);
            let _ = parse_exposed(&text);
        }

        #[test]
        fn what_is_shown_is_read_back(
            ip in prop_oneof![Just(None), any::<[u8; 4]>().prop_map(|b| Some(IpAddr::from(b))),
                any::<[u16; 8]>().prop_map(|b| Some(IpAddr::from(b)))],
            host in proptest::option::of((1..=65000u16, 0..500u16)),
            container_port in 1..=65535u16,
            udp in any::<bool>(),
        ) {
            let mapping = PortMapping {
                host_ip: ip,
                host_port: host.map(|(first, _)| first),
                host_port_last: host.filter(|(_, more)| *more > 0).map(|(first, more)| first + more),
                container_port,
                protocol: if udp { Protocol::Udp } else { Protocol::Tcp },
            };
            prop_assert_eq!(parse(&mapping.to_string()), Ok(vec![mapping]));
        }

        #[test]
        fn ranges_of_equal_length_pair_up(first in 1..=60000u16, host in 1..=60000u16, more in 0..100u16) {
            let text = format!("{host}-{}:{first}-{}", host + more, first + more);
            let all = parse(&text).unwrap();
            prop_assert_eq!(all.len(), usize::from(more) + 1);
            for (i, mapping) in (0u16..).zip(&all) {
                prop_assert_eq!((mapping.host_port, mapping.container_port), (Some(host + i), first + i));
            }
        }
    }
}
