//! How published ports are told: who can reach one in words, and in the few columns of a list by what stands before it.

use super::text;
use super::theme::Role;
use crate::model::network::PublishedPort;
use crate::model::publish::Reach;
use std::cmp::Ordering;

/// What the list writes before a port, and what that means; a port alone is this machine's.
pub const SIGNS: [(&str, &str); 3] = [
    ("8080→80", "this machine only"),
    ("*:8080→80", "everyone who reaches this machine"),
    ("192.0.2.7:8080→80", "everyone who reaches that address of this machine"),
];

/// A port as the list has it: whatever protocol and whatever family's address, it is told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    reach: Reach,
    host: u16,
    inside: u16,
}

/// What others can reach comes first: where there is no room for all, that is what must be seen.
pub fn shown(all: &[PublishedPort]) -> Vec<Shown> {
    let mut ports: Vec<Shown> =
        all.iter().map(|p| Shown { reach: p.reach(), host: p.host_port, inside: p.container_port }).collect();
    ports.sort_by(Shown::order);
    ports.dedup();
    ports
}

/// As many ports as fit `columns` whole, and how many more there are; never nothing of the first.
pub fn fit(ports: &[Shown], columns: usize) -> Vec<(String, Role)> {
    let more = |n: usize| if n < ports.len() { format!(" +{}", ports.len() - n) } else { String::new() };
    let whole = |n: usize| ports[..n].iter().map(|p| text::width(&p.text()) + 1).sum::<usize>() + more(n).len();
    let Some(first) = ports.first() else { return Vec::new() };
    let count = (1..=ports.len()).rev().find(|n| whole(*n) <= columns + 1).unwrap_or(1);
    let mut pieces = match count {
        1 => vec![(first.within(columns.saturating_sub(more(1).len())), first.role())],
        _ => ports[..count].iter().map(|p| (p.text(), p.role())).collect(),
    };
    pieces.push((more(count).trim_start().to_owned(), Role::Dim));
    pieces.retain(|(text, _)| !text.is_empty());
    pieces
}

impl Shown {
    fn order(&self, other: &Shown) -> Ordering {
        let rank = |reach: Reach| match reach {
            Reach::Everybody => (0, None),
            Reach::Address(ip) => (1, Some(ip)),
            Reach::Local => (2, None),
        };
        let key = |p: &Shown| (rank(p.reach), p.host, p.inside);
        key(self).cmp(&key(other))
    }

    /// The address it is at, if others reach it: `*`, `192.0.2.7`, `[2001:db8::7]`.
    fn place(&self) -> String {
        match self.reach {
            Reach::Local => String::new(),
            Reach::Everybody => String::from("*"),
            Reach::Address(ip) if ip.is_ipv6() => format!("[{ip}]"),
            Reach::Address(ip) => ip.to_string(),
        }
    }

    fn text(&self) -> String {
        self.with_place(&self.place())
    }

    fn with_place(&self, place: &str) -> String {
        let colon = if place.is_empty() { "" } else { ":" };
        format!("{place}{colon}{}→{}", self.host, self.inside)
    }

    /// The address gives way first, then the port inside; that there is an address, and this machine's port, never do.
    fn within(&self, columns: usize) -> String {
        let all = self.text();
        if text::width(&all) <= columns {
            return all;
        }
        let place = self.place();
        let room = columns.saturating_sub(text::width(&all) - text::width(&place)).max(usize::from(!place.is_empty()));
        let short = self.with_place(&text::truncate(&place, room));
        if text::width(&short) <= columns {
            return short;
        }
        let start = short.split('→').next().unwrap_or_default();
        text::truncate(&format!("{start}…"), columns).into_owned()
    }

    fn role(&self) -> Role {
        if self.reach == Reach::Local { Role::Text } else { Role::Warn }
    }
}

/// Who can reach a published port.
pub fn reach(port: &PublishedPort) -> (String, Role) {
    match port.reach() {
        Reach::Local => (String::from("this machine only"), Role::Ok),
        Reach::Everybody => (String::from("everyone who reaches this machine"), Role::Warn),
        Reach::Address(ip) => (format!("everyone who reaches {ip}"), Role::Warn),
    }
}

/// Where a browser finds a port: what every address stands for is this machine.
pub fn url(port: &PublishedPort) -> String {
    let host = match port.host_ip {
        ip if ip.is_unspecified() => String::from("localhost"),
        ip if ip.is_ipv6() => format!("[{ip}]"),
        ip => ip.to_string(),
    };
    let scheme = if matches!(port.container_port, 443 | 8443) { "https" } else { "http" };
    format!("{scheme}://{host}:{}", port.host_port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::network::Protocol;

    fn port(ip: &str, host_port: u16, container_port: u16) -> PublishedPort {
        PublishedPort { host_ip: ip.parse().unwrap(), host_port, container_port, protocol: Protocol::Tcp }
    }

    #[test]
    fn addresses_for_a_browser() {
        assert_eq!(url(&port("127.0.0.1", 8080, 80)), "http://127.0.0.1:8080");
        assert_eq!(url(&port("0.0.0.0", 8080, 443)), "https://localhost:8080");
        assert_eq!(url(&port("::1", 8080, 80)), "http://[::1]:8080");
    }

    fn fitted(all: &[PublishedPort], columns: usize) -> String {
        let pieces = fit(&shown(all), columns);
        let text = pieces.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(" ");
        assert!(text::width(&text) <= columns, "{text:?} in {columns}");
        text
    }

    #[test]
    fn who_reaches_a_port_stands_before_it() {
        assert_eq!(fitted(&[port("127.0.0.1", 19310, 80), port("::1", 19310, 80)], 12), "19310→80");
        assert_eq!(fitted(&[port("0.0.0.0", 19310, 80), port("::", 19310, 80)], 12), "*:19310→80");
        assert_eq!(fitted(&[port("192.0.2.7", 53, 53)], 20), "192.0.2.7:53→53");
        assert_eq!(fitted(&[port("2001:db8::7", 53, 53)], 30), "[2001:db8::7]:53→53");
        assert_eq!(fitted(&[], 12), "");
    }

    #[test]
    fn what_others_reach_comes_first_and_is_never_cut_off() {
        let all = [port("127.0.0.1", 80, 80), port("192.0.2.7", 5353, 53), port("0.0.0.0", 8443, 443)];
        assert_eq!(fitted(&all, 40), "*:8443→443 192.0.2.7:5353→53 80→80");
        assert_eq!(fitted(&all, 33), "*:8443→443 192.0.2.7:5353→53 +1");
        assert_eq!(fitted(&all, 13), "*:8443→443 +2");
        assert_eq!(fitted(&all, 12), "*:8443… +2");
        assert_eq!(fitted(&all[..2], 12), "…:5353→53 +1");
        assert_eq!(fitted(&all[1..2], 12), "192…:5353→53");
        assert_eq!(fitted(&[port("192.0.2.7", 19310, 19310)], 12), "…:19310…");
        assert_eq!(fitted(&[port("0.0.0.0", 19310, 19310)], 12), "*:19310…");
        assert_eq!(fitted(&[port("127.0.0.1", 19310, 19310), port("127.0.0.1", 9, 9)], 12), "9→9 +1");
    }
}
