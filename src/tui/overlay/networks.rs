//! The page of networks: their addresses, who is on them, and who can reach which port.

use super::page::Line;
use crate::engine::ContainerEntry;
use crate::model::network::{Endpoint, Network, NetworkMode, PublishedPort};
use crate::model::publish::Reach;
use crate::tui::app::App;
use crate::tui::theme::Role;

pub(super) fn lines(app: &App) -> Vec<Line> {
    let mut lines = Vec::new();
    for network in &app.inventory.networks {
        let members: Vec<_> = app.inventory.containers.iter().filter_map(|c| member(c, network)).collect();
        lines.push((heading(network, members.len()), Role::Title));
        lines.extend(members.into_iter().flatten());
    }
    lines
}

fn heading(network: &Network, members: usize) -> String {
    let subnets: Vec<String> = network.subnets.iter().map(|s| s.subnet.to_string()).collect();
    let mut words = vec![network.name.clone(), network.driver.word().to_owned()];
    words.extend(Some(subnets.join(", ")).filter(|s| !s.is_empty()));
    words.extend(network.internal.then(|| String::from("internal: no way out, none in")));
    words.push(match members {
        0 => String::from("nobody is on it"),
        1 => String::from("1 container"),
        n => format!("{n} containers"),
    });
    words.join(" · ")
}

/// The container's line, and one for each of its ports; `None` when it is not on the network now.
fn member(entry: &ContainerEntry, network: &Network) -> Option<Vec<Line>> {
    if !entry.state.status.is_live() {
        return None;
    }
    let name = &entry.container.name;
    let Some(endpoint) = entry.state.endpoints.iter().find(|e| e.network == network.id) else {
        let there = match &entry.container.config.network {
            NetworkMode::Host => network.name == "host",
            NetworkMode::None => network.name == "none",
            NetworkMode::Attached | NetworkMode::Container(_) => false,
        };
        return there.then(|| vec![(format!("  {name}"), Role::Text)]);
    };
    let mut lines = vec![(format!("  {name}  {}{}", addresses(endpoint), names(endpoint, name)), Role::Text)];
    // Ports are the container's: they are told with the network its way out leads through.
    if entry.state.endpoints.first().is_some_and(|e| e.network == network.id) {
        lines.extend(entry.state.ports.iter().map(port));
    }
    Some(lines)
}

fn addresses(endpoint: &Endpoint) -> String {
    let all = [endpoint.v4, endpoint.v6].into_iter().flatten().map(|c| c.address.to_string());
    all.collect::<Vec<_>>().join(" ")
}

/// What else it is called there.
fn names(endpoint: &Endpoint, name: &str) -> String {
    let others: Vec<&str> =
        endpoint.names.iter().map(String::as_str).filter(|n| !n.eq_ignore_ascii_case(name)).collect();
    if others.is_empty() { String::new() } else { format!("  also {}", others.join(", ")) }
}

fn port(port: &PublishedPort) -> Line {
    match port.reach() {
        Reach::Local => (format!("    {port}  this machine alone"), Role::Ok),
        Reach::Everybody => (format!("    {port}  everybody who reaches this machine"), Role::Warn),
        Reach::Address(ip) => (format!("    {port}  who reaches {ip}"), Role::Warn),
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

    #[test]
    fn addresses_for_a_browser() {
        let port = |ip: &str, container_port| PublishedPort {
            host_ip: ip.parse().unwrap(),
            host_port: 8080,
            container_port,
            protocol: Protocol::Tcp,
        };
        assert_eq!(url(&port("127.0.0.1", 80)), "http://127.0.0.1:8080");
        assert_eq!(url(&port("0.0.0.0", 443)), "https://localhost:8080");
        assert_eq!(url(&port("::1", 80)), "http://[::1]:8080");
    }
}
