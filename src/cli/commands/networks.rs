//! The `network` group, and `port`.

use super::Context;
use super::containers::find;
use crate::cli::args::{misuse, wrong};
use crate::cli::create::{connected_place, labels, refuse_unsupported};
use crate::cli::flags::{CONNECT_UNSUPPORTED, NETWORK_UNSUPPORTED};
use crate::cli::output::filter::{Filters, name_matches};
use crate::cli::output::text::local_time;
use crate::cli::output::{Listing, render};
use crate::cli::report;
use crate::cli::template::Data;
use crate::engine::request::{ConnectArgs, CreateNetworkArgs, Targets};
use crate::engine::{Error, ErrorKind, Inventory, Output, Request, Result};
use crate::model::network::{Driver, EndpointConfig, Network, PublishedPort};
use crate::model::publish;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

const LISTING: Listing = Listing {
    table: "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
    quiet: "{{.ID}}",
    headings: &[
        ("ID", "NETWORK ID"),
        ("Name", "NAME"),
        ("Driver", "DRIVER"),
        ("Scope", "SCOPE"),
        ("IPv4", "IPV4"),
        ("IPv6", "IPV6"),
        ("Internal", "INTERNAL"),
        ("Labels", "LABELS"),
        ("CreatedAt", "CREATED AT"),
        ("Subnet", "SUBNET"),
    ],
};
/// Digits of an id that a table shows.
const SHORT: usize = 12;

pub(super) fn list(cx: &Context<'_>) -> Result<u8> {
    let filters =
        Filters::parse(&cx.args.texts("filter"), &["dangling", "driver", "id", "label", "name", "scope", "type"])?;
    for (key, words) in [("dangling", ["true", "1", "false", "0"].as_slice()), ("type", &["builtin", "custom"])] {
        if let Some(other) = filters.values(key).find(|v| !words.contains(v)) {
            return Err(wrong("filter", &format!("{key}={other}"), format!("it is one of {}", words.join(", "))));
        }
    }
    let inventory = cx.inventory()?;
    let full = cx.args.on("no-trunc");
    let fits = |n: &&Arc<Network>| {
        let builtin = matches!(n.name.as_str(), "bridge" | "host" | "none");
        filters.any("name", |f| name_matches(f, &n.name))
            && filters.any("id", |f| n.id.starts_with(f))
            && filters.any("driver", |f| f == n.driver.word())
            && filters.any("scope", |f| f == "local")
            && filters.any("type", |f| f == if builtin { "builtin" } else { "custom" })
            && filters.any("dangling", |f| matches!(f, "true" | "1") != (builtin || has_members(&inventory, n)))
            && filters.labels(&n.labels)
    };
    let row = |n: &Arc<Network>| {
        let labels: Vec<String> = n.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let subnets: Vec<String> = n.subnets.iter().map(|s| s.subnet.to_string()).collect();
        let value = json!({
            "ID": if full { n.id.as_str() } else { &n.id[..SHORT.min(n.id.len())] },
            "Name": n.name,
            "Driver": n.driver.word(),
            "Scope": "local",
            "IPv4": "true",
            "IPv6": n.ipv6.to_string(),
            "Internal": n.internal.to_string(),
            "Labels": labels.join(","),
            "CreatedAt": local_time(n.created),
            "Subnet": subnets.join(","),
        });
        Data { value, labels: n.labels.clone() }
    };
    let rows: Vec<Data> = inventory.networks.iter().filter(fits).map(row).collect();
    report::out(&render(&rows, &LISTING, cx.args.text("format"), cx.args.on("quiet"))?);
    Ok(0)
}

fn has_members(inventory: &Inventory, network: &Network) -> bool {
    inventory.containers.iter().any(|c| c.state.endpoints.iter().any(|e| e.network == network.id))
}

pub(super) async fn create(cx: &Context<'_>) -> Result<u8> {
    let args = cx.args;
    refuse_unsupported(args, NETWORK_UNSUPPORTED)?;
    let driver = match args.text("driver").unwrap_or("bridge") {
        "bridge" => Driver::Bridge,
        "macvlan" => Driver::Macvlan,
        "ipvlan" => Driver::Ipvlan,
        other => return Err(wrong("driver", other, "there are bridge, macvlan and ipvlan")),
    };
    let request = CreateNetworkArgs {
        name: args.text("name").unwrap_or_default().to_owned(),
        driver,
        subnets: parsed("subnet", cx)?,
        gateways: parsed("gateway", cx)?,
        ranges: parsed("ip-range", cx)?,
        auxiliary: auxiliary(cx)?,
        internal: args.on("internal"),
        ipv6: args.on("ipv6"),
        attachable: args.on("attachable"),
        labels: labels(&args.texts("label")),
        options: options(cx)?,
    };
    if let Output::Network(id) = cx.ask(Request::CreateNetwork(Box::new(request))).await? {
        report::out(&format!("{id}\n"));
    }
    Ok(0)
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(flag: &str, cx: &Context<'_>) -> Result<Vec<T>> {
    cx.args.texts(flag).into_iter().map(|text| text.parse().map_err(|e| wrong(flag, text, e))).collect()
}

fn auxiliary(cx: &Context<'_>) -> Result<Vec<(String, IpAddr)>> {
    let one = |text: &str| match text.split_once('=') {
        Some((name, address)) if !name.is_empty() => match address.parse() {
            Ok(address) => Ok((name.to_owned(), address)),
            Err(_) => Err(wrong("aux-address", text, format!("'{address}' is not an IP address"))),
        },
        _ => Err(wrong("aux-address", text, "it must be NAME=IP")),
    };
    cx.args.texts("aux-address").into_iter().map(one).collect()
}

fn options(cx: &Context<'_>) -> Result<BTreeMap<String, String>> {
    let pair = |text: &str| match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(wrong("opt", text, "it must be KEY=VALUE")),
    };
    cx.args.texts("opt").into_iter().map(pair).collect()
}

pub(super) async fn remove(cx: &Context<'_>) -> Result<u8> {
    cx.bulk(Request::RemoveNetworks { networks: cx.names(), force: cx.args.on("force") }).await
}

pub(super) async fn connect(cx: &Context<'_>) -> Result<u8> {
    refuse_unsupported(cx.args, CONNECT_UNSUPPORTED)?;
    let text = |name| cx.args.text(name).unwrap_or_default().to_owned();
    let endpoint = EndpointConfig { network: text("network"), ..connected_place(cx.args)? };
    let request = ConnectArgs { container: text("container"), endpoint };
    cx.ask(Request::ConnectNetwork(Box::new(request))).await.map(|_| 0)
}

pub(super) async fn disconnect(cx: &Context<'_>) -> Result<u8> {
    let text = |name| cx.args.text(name).unwrap_or_default().to_owned();
    let (network, container) = (text("network"), text("container"));
    cx.ask(Request::DisconnectNetwork { network, container, force: cx.args.on("force") }).await.map(|_| 0)
}

pub(super) async fn reload(cx: &Context<'_>) -> Result<u8> {
    cx.bulk(Request::ReloadNetworks(Targets { containers: cx.names() })).await
}

/// `80/tcp -> 127.0.0.1:8080`; with a port only where it is published.
pub(super) fn port(cx: &Context<'_>) -> Result<u8> {
    let name = cx.args.text("names").unwrap_or_default();
    let entry = find(&*cx.inventory()?, name)?;
    let mut ports: Vec<&PublishedPort> = entry.state.published().iter().collect();
    ports.sort_by_key(|p| (p.container_port, p.protocol, p.host_ip));
    let address = |p: &PublishedPort| std::net::SocketAddr::new(p.host_ip, p.host_port);
    let Some(wanted) = cx.args.text("port") else {
        let line = |p: &&PublishedPort| format!("{}/{} -> {}\n", p.container_port, p.protocol.word(), address(p));
        report::out(&ports.iter().map(line).collect::<String>());
        return Ok(0);
    };
    let asked = publish::parse_exposed(wanted).map_err(|e| misuse(format!("invalid port '{wanted}': {e}")))?;
    let fits = |p: &&&PublishedPort| asked.contains(&(p.container_port, p.protocol));
    let lines: String = ports.iter().filter(fits).map(|p| format!("{}\n", address(p))).collect();
    if lines.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, format!("no public port '{wanted}' published for {name}")));
    }
    report::out(&lines);
    Ok(0)
}
