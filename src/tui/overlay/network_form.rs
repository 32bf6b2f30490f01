//! The forms that make a network, and that connect a container to one.

use super::form::{Field, Problem, Value};
use crate::engine::Request;
use crate::engine::request::{ConnectArgs, CreateNetworkArgs};
use crate::model::id::check_name;
use crate::model::network::{Driver, EndpointConfig};
use crate::tui::figures::split_words;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;

pub(super) fn fields() -> Vec<Field> {
    let toggle = |label, help| Field { label, value: Value::Toggle(false), help };
    vec![
        Field::text("name", "", "letters, digits, _ . -"),
        Field::text("driver", "", "bridge when empty; macvlan, ipvlan as root"),
        Field::text("subnets", "", "10.5.0.0/24 fd05::/64; a free one when empty"),
        Field::text("gateways", "", "10.5.0.1; the first address when empty"),
        Field::text("ranges", "", "10.5.0.128/25: where addresses are taken from"),
        toggle("internal", "no way out, none in"),
        toggle("ipv6", "an IPv6 subnet too"),
        Field::text("options", "", "parent=eth0 mtu=1400"),
    ]
}

pub(super) fn create(fields: &[Field]) -> Result<Request, Problem> {
    let text = |i: usize| fields[i].as_text();
    if text(0).is_empty() {
        return Err((0, String::from("what is it to be called?")));
    }
    check_name(text(0)).map_err(|e| (0, e.to_string()))?;
    let driver = match text(1) {
        "" | "bridge" => Driver::Bridge,
        "macvlan" => Driver::Macvlan,
        "ipvlan" => Driver::Ipvlan,
        other => return Err((1, format!("'{other}' is none of bridge, macvlan and ipvlan"))),
    };
    let mut options = BTreeMap::new();
    for word in split_words(text(7)).map_err(|why| (7, why.to_owned()))? {
        match word.split_once('=') {
            Some((key, value)) if !key.is_empty() => drop(options.insert(key.to_owned(), value.to_owned())),
            _ => return Err((7, format!("'{word}' is not KEY=VALUE"))),
        }
    }
    let args = CreateNetworkArgs {
        name: text(0).to_owned(),
        driver,
        subnets: each(fields, 2)?,
        gateways: each(fields, 3)?,
        ranges: each(fields, 4)?,
        auxiliary: Vec::new(),
        internal: text(5) == "yes",
        ipv6: text(6) == "yes",
        attachable: false,
        labels: BTreeMap::new(),
        options,
    };
    Ok(Request::CreateNetwork(Box::new(args)))
}

fn each<T: FromStr<Err: Display>>(fields: &[Field], at: usize) -> Result<Vec<T>, Problem> {
    let words = fields[at].as_text().split_whitespace();
    words.map(|word| word.parse().map_err(|e| (at, format!("{word}: {e}")))).collect()
}

/// `container`: the one that is offered.
pub(super) fn connect_fields(container: &str) -> Vec<Field> {
    vec![
        Field::text("container", container, "its name"),
        Field::text("names", "", "what else it is called there"),
        Field::text("addresses", "", "10.5.0.9 fd05::9; free ones when empty"),
    ]
}

pub(super) fn connect(network: &str, fields: &[Field]) -> Result<Request, Problem> {
    let container = fields[0].as_text();
    if container.is_empty() {
        return Err((0, String::from("which container?")));
    }
    let aliases: Vec<String> = fields[1].as_text().split_whitespace().map(str::to_owned).collect();
    let mut endpoint = EndpointConfig { network: network.to_owned(), aliases, ..EndpointConfig::default() };
    for address in each::<IpAddr>(fields, 2)? {
        let taken = match address {
            IpAddr::V4(four) => endpoint.ip.replace(four).is_some(),
            IpAddr::V6(six) => endpoint.ip6.replace(six).is_some(),
        };
        if taken {
            return Err((2, String::from("at most one of each family")));
        }
    }
    Ok(Request::ConnectNetwork(Box::new(ConnectArgs { container: container.to_owned(), endpoint })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::command;

    fn with(mut fields: Vec<Field>, changes: &[(usize, &str)]) -> Vec<Field> {
        for (at, text) in changes {
            match &mut fields[*at].value {
                Value::Text(input) => input.set(text),
                Value::Toggle(on) => *on = *text == "yes",
            }
        }
        fields
    }

    #[test]
    fn a_network_as_the_command_line_makes_it() {
        let all = [(0, "web"), (2, "10.5.0.0/24 fd05::/64"), (3, "10.5.0.9"), (5, "yes"), (6, "yes"), (7, "mtu=1400")];
        let request = create(&with(fields(), &all)).unwrap();
        let line = "teu network create --subnet 10.5.0.0/24 --subnet fd05::/64 --gateway 10.5.0.9 --internal --ipv6 \
                    -o mtu=1400 web";
        assert_eq!(command::line(&request), line);
        let request = create(&with(fields(), &[(0, "lan"), (1, "macvlan"), (4, "10.5.0.128/25")])).unwrap();
        assert_eq!(command::line(&request), "teu network create -d macvlan --ip-range 10.5.0.128/25 lan");
        for (at, bad) in [(0, "a b"), (1, "overlay"), (2, "10.5.0.0"), (3, "x"), (4, "1/2/3"), (7, "mtu")] {
            let all = with(fields(), &[(0, "web"), (at, bad)]);
            assert_eq!(create(&all).unwrap_err().0, at, "{bad}");
        }
    }

    #[test]
    fn a_connection_as_the_command_line_makes_it() {
        let all = with(connect_fields("api"), &[(1, "shop db"), (2, "10.5.0.9 fd05::9")]);
        let line = "teu network connect --alias shop --alias db --ip 10.5.0.9 --ip6 fd05::9 web api";
        assert_eq!(command::line(&connect("web", &all).unwrap()), line);
        assert_eq!(connect("web", &connect_fields("")).unwrap_err().0, 0);
        for bad in ["x", "10.5.0.9 10.5.0.10"] {
            assert_eq!(connect("web", &with(connect_fields("api"), &[(2, bad)])).unwrap_err().0, 2);
        }
    }
}
