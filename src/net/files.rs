//! The three files every container gets of its own: `hosts`, `hostname`, `resolv.conf`. Text first, then written.

use crate::model::network::{Endpoint, NetworkMode};
use crate::sys::userns;
use std::fmt::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("invalid host entry '{0}': expected NAME:ADDRESS")]
    Host(String),
    #[error("host entry '{0}:host-gateway': this container's network has no way to the host")]
    NoGateway(String),
    #[error("invalid DNS server '{0}': expected an IP address")]
    Server(String),
    #[error("invalid search domain '{0}'")]
    Domain(String),
    #[error("invalid resolver option '{0}'")]
    Option(String),
    #[error("read {}: {source}", .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("write {}: {source}", .path.display())]
    Write { path: PathBuf, source: std::io::Error },
}

/// Refuses what [`hosts`] could never write.
pub fn check_hosts(network: &NetworkMode, extra_hosts: &[String]) -> Result<(), Error> {
    let cut_off = || extra_hosts.iter().find_map(|entry| entry.strip_suffix(":host-gateway"));
    match network {
        NetworkMode::None => cut_off().map_or(Ok(()), |name| Err(Error::NoGateway(name.to_owned()))),
        NetworkMode::Attached if userns::identity().rootless => {
            cut_off().map_or(Ok(()), |name| Err(Error::NoGateway(name.to_owned())))
        }
        _ => Ok(()),
    }
}

/// What the files are made from.
#[derive(Debug)]
pub struct Names<'a> {
    pub hostname: &'a str,
    /// May be empty.
    pub domainname: &'a str,
    pub network: &'a NetworkMode,
    /// `name:address`
    pub extra_hosts: &'a [String],
    pub dns: &'a [String],
    pub dns_search: &'a [String],
    /// Instead of the host's.
    pub dns_options: &'a [String],
    /// With [`NetworkMode::Attached`]: where the container will be. Its monitor then answers names.
    pub endpoints: &'a [&'a Endpoint],
    /// With [`NetworkMode::Container`]: the directory of the other container, whose files these are too.
    pub shared: Option<&'a Path>,
}

/// Where a container's monitor answers names: inside the container's own namespace.
pub const RESPONDER: &str = "127.0.0.11";
/// Largest file of a container's that is read.
const MAX_FILE: u64 = 1 << 20;
const HOST_FILE: &str = "/etc/resolv.conf";
/// systemd-resolved's list of the real servers.
const UPSTREAM_FILE: &str = "/run/systemd/resolve/resolv.conf";

/// The servers the host itself asks. Those of the loopback too: it is the host that asks them.
pub fn host_resolvers() -> Vec<IpAddr> {
    let text = std::fs::read_to_string(HOST_FILE).unwrap_or_default();
    servers(&text).filter_map(|s| s.split('%').next()?.parse().ok()).collect()
}

/// Writes the three files into `dir`, readable by every user of the container.
pub fn write(dir: &Path, names: &Names<'_>) -> Result<(), Error> {
    let host = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    if let Some(other) = names.shared {
        for name in ["hostname", "hosts", "resolv.conf"] {
            let path = other.join(name);
            let text = read_small(&path).map_err(|source| Error::Read { path, source })?;
            put(dir, name, &text)?;
        }
        return Ok(());
    }
    put(dir, "hostname", &format!("{}\n", names.hostname))?;
    put(dir, "hosts", &hosts(names, &host("/etc/hosts"))?)?;
    put(dir, "resolv.conf", &resolv_conf(names, &host(HOST_FILE), &host(UPSTREAM_FILE))?)
}

/// One of the three files of a container, which may have made anything of it since.
pub fn read_small(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(std::io::Error::other(format!("it is larger than {MAX_FILE} bytes")));
    }
    Ok(text)
}

/// In place: a running container has the very file mounted.
pub(super) fn put(dir: &Path, name: &str, text: &str) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let path = dir.join(name);
    let written = std::fs::write(&path, text)
        .and_then(|()| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)));
    written.map_err(|source| Error::Write { path, source })
}

/// The container's hosts file. On the host's network it is the host's own, with the additions.
pub fn hosts(names: &Names<'_>, host: &str) -> Result<String, Error> {
    let mut text = match names.network {
        NetworkMode::Host => {
            let mut text = host.to_owned();
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text
        }
        _ => "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n\
              ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
            .to_owned(),
    };
    for entry in names.extra_hosts {
        let (name, address) = entry.split_once(':').ok_or_else(|| Error::Host(entry.clone()))?;
        let bare = address.trim_start_matches('[').trim_end_matches(']');
        let address = match bare {
            HOST_GATEWAY => gateway(names).ok_or_else(|| Error::NoGateway(name.to_owned()))?.to_string(),
            _ => bare.to_owned(),
        };
        if !valid_name(name) || address.parse::<IpAddr>().is_err() {
            return Err(Error::Host(entry.clone()));
        }
        let _ = writeln!(text, "{address}\t{name}");
    }
    if !matches!(names.network, NetworkMode::Host) {
        match names.domainname {
            "" => text.push_str(&own_names(names.hostname, names.endpoints)),
            // The full name comes first: it is what the short one stands for.
            domain => text.push_str(&own_names(&format!("{0}.{domain} {0}", names.hostname), names.endpoints)),
        }
    }
    Ok(text)
}

/// The address of the host as the container sees it, wherever that is.
pub const HOST_GATEWAY: &str = "host-gateway";

fn gateway(names: &Names<'_>) -> Option<IpAddr> {
    match names.network {
        NetworkMode::Host => Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
        // The gateway is in the user's own network namespace, where nobody listens.
        _ if userns::identity().rootless => None,
        _ => {
            let four = names.endpoints.iter().find_map(|e| e.gateway4.map(IpAddr::V4));
            four.or_else(|| names.endpoints.iter().find_map(|e| e.gateway6.map(IpAddr::V6)))
        }
    }
}

/// Of a container without an address, by Debian's convention.
pub(super) const NO_ADDRESS: &str = "127.0.1.1";

/// Programs look their own name up: by the container's addresses, else by [`NO_ADDRESS`].
pub(super) fn own_names(hostname: &str, endpoints: &[&Endpoint]) -> String {
    let mut text = String::new();
    for endpoint in endpoints {
        let others = endpoint.names.iter().map(String::as_str).filter(|n| !hostname.split(' ').any(|own| own == *n));
        let all: Vec<&str> = std::iter::once(hostname).chain(others).filter(|n| !n.is_empty()).collect();
        let all = all.join(" ");
        for address in [endpoint.v4, endpoint.v6].into_iter().flatten() {
            let _ = writeln!(text, "{}\t{all}", address.address);
        }
    }
    if text.is_empty() && !hostname.is_empty() {
        let _ = writeln!(text, "{NO_ADDRESS}\t{hostname}");
    }
    text
}

fn valid_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 253 && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '#')
}

/// The container's resolv.conf: the given servers and domains, else the host's. Where `/etc/resolv.conf` names only the
/// host's own stub, the `upstream` file of systemd-resolved is used, except on the host's network.
pub fn resolv_conf(names: &Names<'_>, host: &str, upstream: &str) -> Result<String, Error> {
    let on_host = matches!(names.network, NetworkMode::Host);
    let stub = !on_host && servers(host).all(is_loopback) && servers(upstream).next().is_some();
    let source = if stub { upstream } else { host };
    let mut text = String::new();
    if names.dns_search.is_empty() {
        for line in source.lines().filter(|l| matches!(l.split_whitespace().next(), Some("search" | "domain"))) {
            let _ = writeln!(text, "{}", line.trim());
        }
    } else if names.dns_search != ["."] {
        for domain in names.dns_search {
            if !valid_name(domain) {
                return Err(Error::Domain(domain.clone()));
            }
        }
        let _ = writeln!(text, "search {}", names.dns_search.join(" "));
    }
    let answered = matches!(names.network, NetworkMode::Attached);
    if answered {
        let _ = writeln!(text, "nameserver {RESPONDER}");
    } else if names.dns.is_empty() {
        for server in servers(source).filter(|s| on_host || !is_loopback(s)) {
            let _ = writeln!(text, "nameserver {server}");
        }
    }
    for server in names.dns {
        let address: IpAddr = server.parse().map_err(|_| Error::Server(server.clone()))?;
        // Where the monitor answers it is the monitor that asks them.
        if !answered {
            let _ = writeln!(text, "nameserver {address}");
        }
    }
    match names.dns_options {
        [] => {
            for line in source.lines().filter(|l| l.split_whitespace().next() == Some("options")) {
                let _ = writeln!(text, "{}", line.trim());
            }
        }
        given => {
            if let Some(bad) = given.iter().find(|o| o.is_empty() || o.contains(|c: char| c.is_control())) {
                return Err(Error::Option(bad.clone()));
            }
            let _ = writeln!(text, "options {}", given.join(" "));
        }
    }
    if answered && !text.lines().any(|l| l.starts_with("options") && l.contains("ndots:")) {
        // A neighbour's name is asked for as it is, before any search domain is added to it.
        text.push_str("options ndots:0\n");
    }
    Ok(text)
}

fn servers(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next()).flatten()
    })
}

/// An address that means "this machine", which inside a network namespace is nobody.
fn is_loopback(server: &str) -> bool {
    server.split('%').next().and_then(|s| s.parse::<IpAddr>().ok()).is_none_or(|a| a.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<'a>(network: &'a NetworkMode, dns: &'a [String], search: &'a [String], hosts: &'a [String]) -> Names<'a> {
        Names {
            hostname: "box",
            domainname: "",
            network,
            extra_hosts: hosts,
            dns,
            dns_search: search,
            dns_options: &[],
            endpoints: &[],
            shared: None,
        }
    }

    fn own(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn stub_resolvers_are_replaced() {
        let none = names(&NetworkMode::None, &[], &[], &[]);
        let host = "nameserver 127.0.0.53\nsearch lan\noptions edns0\n";
        let upstream = "nameserver 10.0.0.1\nsearch office\n";
        assert_eq!(resolv_conf(&none, host, upstream).unwrap(), "search office\nnameserver 10.0.0.1\n");
        assert_eq!(resolv_conf(&none, host, "").unwrap(), "search lan\noptions edns0\n");
        let real = names(&NetworkMode::Host, &[], &[], &[]);
        let text = resolv_conf(&real, host, upstream).unwrap();
        assert_eq!(text, "search lan\nnameserver 127.0.0.53\noptions edns0\n");
    }

    #[test]
    fn own_servers_win() {
        let (dns, search) = (own(&["1.1.1.1", "::1"]), own(&["."]));
        let given = names(&NetworkMode::None, &dns, &search, &[]);
        let text = resolv_conf(&given, "nameserver 9.9.9.9\nsearch lan\n", "").unwrap();
        assert_eq!(text, "nameserver 1.1.1.1\nnameserver ::1\n");
        let bad = own(&["one"]);
        assert!(resolv_conf(&names(&NetworkMode::None, &bad, &[], &[]), "", "").is_err());
        let bad = own(&["a b"]);
        assert!(resolv_conf(&names(&NetworkMode::None, &[], &bad, &[]), "", "").is_err());
    }

    #[test]
    fn own_options_replace_the_hosts() {
        let (none, options) = (names(&NetworkMode::None, &[], &[], &[]), own(&["ndots:1", "rotate"]));
        let given = Names { dns_options: &options, ..none };
        assert_eq!(resolv_conf(&given, "options edns0\n", "").unwrap(), "options ndots:1 rotate\n");
        let bad = own(&["a\nnameserver 1.2.3.4"]);
        assert!(resolv_conf(&Names { dns_options: &bad, ..given }, "", "").is_err());
    }

    #[test]
    fn hosts_take_additions() {
        let extra = own(&["db:10.0.0.7", "six:[fd00::1]", "seven:fd00::7"]);
        let text = hosts(&names(&NetworkMode::None, &[], &[], &extra), "1.2.3.4 secret\n").unwrap();
        assert!(text.starts_with("127.0.0.1\tlocalhost\n"), "{text}");
        assert!(text.ends_with("10.0.0.7\tdb\nfd00::1\tsix\nfd00::7\tseven\n127.0.1.1\tbox\n"), "{text}");
        let text = hosts(&names(&NetworkMode::Host, &[], &[], &extra), "1.2.3.4 peer").unwrap();
        assert!(text.starts_with("1.2.3.4 peer\n10.0.0.7\tdb\n"), "{text}");
        for bad in ["db", "db:", ":1.2.3.4", "d b:1.2.3.4", "db:1.2.3.4\n5.6.7.8 x"] {
            assert!(hosts(&names(&NetworkMode::None, &[], &[], &own(&[bad])), "").is_err(), "{bad}");
        }
    }
    #[test]
    fn on_a_network_the_monitor_answers_and_own_addresses_have_own_names() {
        let endpoint = Endpoint {
            network: "0".repeat(64),
            name: "web".into(),
            interface: "eth0".into(),
            mac: None,
            v4: "10.1.0.2/24".parse().ok(),
            v6: "fd00::2/64".parse().ok(),
            gateway4: "10.1.0.1".parse().ok(),
            gateway6: None,
            names: own(&["api", "box"]),
        };
        let (dns, extra) = (own(&["9.9.9.9"]), own(&["outside:host-gateway"]));
        let plain = names(&NetworkMode::Attached, &dns, &[], &extra);
        let attached = Names { endpoints: &[&endpoint], ..plain };
        let text = hosts(&attached, "").unwrap();
        assert!(text.ends_with("10.1.0.1\toutside\n10.1.0.2\tbox api\nfd00::2\tbox api\n"), "{text}");
        let text = resolv_conf(&attached, "nameserver 127.0.0.53\nsearch lan\noptions edns0\n", "").unwrap();
        assert_eq!(text, "search lan\nnameserver 127.0.0.11\noptions edns0\noptions ndots:0\n");
        let options = own(&["ndots:2"]);
        let text = resolv_conf(&Names { dns_options: &options, ..attached }, "", "").unwrap();
        assert_eq!(text, "nameserver 127.0.0.11\noptions ndots:2\n");
        let lonely = names(&NetworkMode::None, &[], &[], &extra);
        assert!(matches!(hosts(&lonely, ""), Err(Error::NoGateway(_))));
    }

    #[test]
    fn a_shared_network_has_shared_files() {
        let (other, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let network = NetworkMode::Container("x".into());
        write(other.path(), &names(&NetworkMode::None, &[], &[], &[])).unwrap();
        let shared = Names { shared: Some(other.path()), hostname: "else", ..names(&network, &[], &[], &[]) };
        write(own.path(), &shared).unwrap();
        assert_eq!(std::fs::read_to_string(own.path().join("hostname")).unwrap(), "box\n");
        assert!(write(own.path(), &Names { shared: Some(Path::new("/nonexistent")), ..shared }).is_err());
    }
}
