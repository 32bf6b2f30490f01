//! What `--network` says: docker's `name=NET,alias=A,ip=ADDRESS,...`, podman's `NET:alias=A,ip=ADDRESS,...`, a bare name.

use super::network::{EndpointConfig, NetworkMode, ParseError};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The driver option that names the interface inside the container.
pub const IFNAME: &str = "com.docker.network.endpoint.ifname";
/// Longest name of an interface.
const INTERFACE: usize = 15;

/// One `--network`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// `none`, `host`, `container:NAME`.
    Mode(NetworkMode),
    Endpoint(EndpointConfig),
}

/// Why a text names no network, as one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    #[error("no network is named")]
    NoName,
    #[error("unknown option '{0}': there are name, alias, ip, ip6, mac-address, gw-priority and driver-opt")]
    Option(String),
    #[error("'{0}' is not an IPv4 address")]
    Ip(String),
    #[error("'{0}' is not an IPv6 address")]
    Ip6(String),
    #[error("the address '{0}' cannot be a container's")]
    Unusable(IpAddr),
    #[error(transparent)]
    Mac(#[from] ParseError),
    #[error("'{0}' is not a priority: they are whole numbers")]
    Priority(String),
    #[error("unknown driver option '{0}': there is {IFNAME}")]
    DriverOption(String),
    #[error("no interface can be called '{0}'")]
    Interface(String),
    #[error("invalid alias '{0}'")]
    Alias(String),
    #[error("'{0}' takes no options")]
    ModeOptions(String),
}

/// Reads one `--network`.
pub fn parse(text: &str) -> Result<Choice, ChoiceError> {
    if let Some(container) = text.strip_prefix("container:") {
        return match container {
            "" => Err(ChoiceError::NoName),
            name => Ok(Choice::Mode(NetworkMode::Container(name.to_owned()))),
        };
    }
    let (name, options) = match (text.split_once(':'), text.contains('=')) {
        (_, false) => (text, ""),
        (Some((name, options)), true) if !name.contains(['=', ',']) => (name, options),
        (_, true) => ("", text),
    };
    let mut endpoint = EndpointConfig { network: name.to_owned(), ..EndpointConfig::default() };
    let given: Vec<&str> = options.split(',').filter(|o| !o.is_empty()).collect();
    for option in &given {
        set(&mut endpoint, option)?;
    }
    let mode = match endpoint.network.as_str() {
        "" => return Err(ChoiceError::NoName),
        "none" => NetworkMode::None,
        "host" => NetworkMode::Host,
        "default" => {
            endpoint.network = super::network::DEFAULT.to_owned();
            return Ok(Choice::Endpoint(endpoint));
        }
        _ => return Ok(Choice::Endpoint(endpoint)),
    };
    let bare = EndpointConfig { network: endpoint.network.clone(), ..EndpointConfig::default() };
    if endpoint == bare { Ok(Choice::Mode(mode)) } else { Err(ChoiceError::ModeOptions(endpoint.network)) }
}

fn set(endpoint: &mut EndpointConfig, option: &str) -> Result<(), ChoiceError> {
    let (key, value) = option.split_once('=').ok_or_else(|| ChoiceError::Option(option.to_owned()))?;
    match key {
        "name" => endpoint.network = value.to_owned(),
        "alias" => endpoint.aliases.push(alias(value)?),
        "ip" => endpoint.ip = Some(ip(value)?),
        "ip6" => endpoint.ip6 = Some(ip6(value)?),
        "mac-address" | "mac" => endpoint.mac = Some(value.parse()?),
        "gw-priority" => endpoint.priority = priority(value)?,
        "interface_name" => set_option(endpoint, &format!("{IFNAME}={value}"))?,
        "driver-opt" => set_option(endpoint, value)?,
        _ => return Err(ChoiceError::Option(key.to_owned())),
    }
    Ok(())
}

/// `--gw-priority`
pub fn priority(text: &str) -> Result<i32, ChoiceError> {
    text.parse().map_err(|_| ChoiceError::Priority(text.to_owned()))
}

/// `--driver-opt`
pub fn set_option(endpoint: &mut EndpointConfig, text: &str) -> Result<(), ChoiceError> {
    match text.split_once('=') {
        Some((IFNAME, name)) if !is_interface_name(name) || name == "lo" => {
            Err(ChoiceError::Interface(name.to_owned()))
        }
        Some((IFNAME, name)) => {
            endpoint.options.insert(IFNAME.to_owned(), name.to_owned());
            Ok(())
        }
        _ => Err(ChoiceError::DriverOption(text.split('=').next().unwrap_or_default().to_owned())),
    }
}

/// What the kernel takes as an interface's name.
pub fn is_interface_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_graphic() && !matches!(b, b'/' | b':' | b'%');
    (1..=INTERFACE).contains(&name.len()) && name.bytes().all(allowed) && !matches!(name, "." | "..")
}

/// A name that others find the container by: as in a host name, with `_` too. Lower case, for names know no case.
pub fn alias(text: &str) -> Result<String, ChoiceError> {
    let label = |l: &str| {
        !l.is_empty() && l.len() <= 63 && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let fits = text.len() <= 253 && text.split('.').all(label);
    if fits { Ok(text.to_ascii_lowercase()) } else { Err(ChoiceError::Alias(text.to_owned())) }
}

/// `--ip`
pub fn ip(text: &str) -> Result<Ipv4Addr, ChoiceError> {
    let address: Ipv4Addr = text.parse().map_err(|_| ChoiceError::Ip(text.to_owned()))?;
    let unusable =
        address.is_loopback() || address.is_unspecified() || address.is_multicast() || address.is_broadcast();
    if unusable { Err(ChoiceError::Unusable(address.into())) } else { Ok(address) }
}

/// `--ip6`
pub fn ip6(text: &str) -> Result<Ipv6Addr, ChoiceError> {
    let address: Ipv6Addr = text.parse().map_err(|_| ChoiceError::Ip6(text.to_owned()))?;
    let unusable = address.is_loopback() || address.is_unspecified() || address.is_multicast();
    if unusable { Err(ChoiceError::Unusable(address.into())) } else { Ok(address) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn endpoint(text: &str) -> EndpointConfig {
        match parse(text) {
            Ok(Choice::Endpoint(endpoint)) => endpoint,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn names_and_modes() {
        assert_eq!(parse("none"), Ok(Choice::Mode(NetworkMode::None)));
        assert_eq!(parse("name=host"), Ok(Choice::Mode(NetworkMode::Host)));
        assert_eq!(parse("container:web"), Ok(Choice::Mode(NetworkMode::Container("web".into()))));
        assert_eq!(endpoint("web").network, "web");
        assert_eq!(endpoint("default").network, "bridge");
    }

    #[test]
    fn both_spellings_of_options() {
        let wanted = EndpointConfig {
            network: "web".into(),
            aliases: vec!["a".into(), "b.c".into()],
            ip: Some(Ipv4Addr::new(10, 1, 0, 5)),
            ip6: Some("fd00::5".parse().unwrap()),
            mac: Some("02:00:00:00:00:01".parse().unwrap()),
            priority: -3,
            options: [(IFNAME.to_owned(), "web0".to_owned())].into_iter().collect(),
        };
        let options = "alias=A,alias=b.c,ip=10.1.0.5,ip6=fd00::5,mac-address=02:00:00:00:00:01,gw-priority=-3,\
                       driver-opt=com.docker.network.endpoint.ifname=web0";
        assert_eq!(endpoint(&format!("name=web,{options}")), wanted);
        assert_eq!(endpoint(&format!("web:{options}")), wanted);
    }

    #[test]
    fn mistakes_say_what_is_wrong() {
        for (text, part) in [
            ("", "no network is named"),
            ("container:", "no network is named"),
            ("alias=a", "no network is named"),
            ("web:color=red", "unknown option 'color'"),
            ("name=web,x", "unknown option 'x'"),
            ("web:ip=10.1", "'10.1' is not an IPv4 address"),
            ("web:ip=127.0.0.1", "'127.0.0.1' cannot be a container's"),
            ("web:ip6=1.2.3.4", "'1.2.3.4' is not an IPv6 address"),
            ("web:mac=1", "'1' is not a MAC address"),
            ("web:alias=a b", "invalid alias 'a b'"),
            ("web:gw-priority=first", "'first' is not a priority"),
            ("web:driver-opt=mtu=1", "unknown driver option 'mtu'"),
            ("web:interface_name=a/b", "no interface can be called 'a/b'"),
            ("name=web,driver-opt=com.docker.network.endpoint.ifname=lo", "no interface can be called 'lo'"),
            ("host:ip=10.0.0.1", "'host' takes no options"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn any_order_of_options_means_the_same(
            ip in any::<[u8; 4]>().prop_map(Ipv4Addr::from).prop_filter("usable", |a| super::ip(&a.to_string()).is_ok()),
            alias in "[a-z][a-z0-9-]{0,20}",
        ) {
            let one = endpoint(&format!("web:alias={alias},ip={ip}"));
            prop_assert_eq!(&one, &endpoint(&format!("ip={ip},alias={alias},name=web")));
            prop_assert_eq!((one.ip, one.aliases), (Some(ip), vec![alias]));
        }
    }
}
