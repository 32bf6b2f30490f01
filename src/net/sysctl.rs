//! Settings of a network namespace under `/proc/sys/net`: those of the namespace the caller is in.

use super::error::{Error, Result};
use crate::sys;
use std::fs;
use std::path::PathBuf;

fn forwards(six: bool) -> &'static str {
    if six { "ipv6/conf/all/forwarding" } else { "ipv4/ip_forward" }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from("/proc/sys/net").join(name)
}

/// `None`: there is no such setting here.
pub fn read(name: &str) -> Option<String> {
    fs::read_to_string(path(name)).ok().map(|text| text.trim().to_owned())
}

/// An interface of that name is there.
pub fn knows(interface: &str) -> bool {
    !interface.is_empty() && path("ipv4/conf").join(interface).exists()
}

fn write(name: &str, value: &str) -> Result<(), sys::Error> {
    fs::write(path(name), value).map_err(|e| sys::Error::at("write", path(name), e))
}

/// Sets it where it is there and different: true when it was changed.
pub fn ensure(name: &str, value: &str) -> Result<bool, sys::Error> {
    match read(name) {
        None => Ok(false),
        Some(now) if now == value => Ok(false),
        Some(_) => write(name, value).map(|()| true),
    }
}

/// Packets are passed on between interfaces: true when that had to be switched on.
pub fn forward(six: bool) -> Result<bool> {
    let name = forwards(six);
    match read(name) {
        Some(now) if now != "0" => Ok(false),
        None => Ok(false),
        Some(_) => {
            if six {
                keep_router_advertisements();
            }
            write(name, "1")
                .map(|()| true)
                .map_err(|source| Error::Forwarding { file: path(name).display().to_string(), source })
        }
    }
}

/// The kernel speaks it, whether interfaces here may or not.
pub fn has_ipv6() -> bool {
    path("ipv6").exists()
}

/// Whether [`forward`] would do.
pub fn may_forward(six: bool) -> Result<()> {
    let Some(refusal) = forwarding_refused(six) else { return Ok(()) };
    let file = path(forwards(six));
    let source = sys::Error::at("write", &file, refusal);
    Err(Error::Forwarding { file: file.display().to_string(), source })
}

/// Why [`forward`] would fail, if it would.
pub fn forwarding_refused(six: bool) -> Option<std::io::Error> {
    let name = forwards(six);
    let off = read(name).is_some_and(|now| now == "0");
    // Opening alone changes nothing.
    off.then(|| fs::File::options().write(true).open(path(name)).err()).flatten()
}

/// A machine that forwards IPv6 no longer listens to its router's advertisements, and so loses its own address and
/// default route in time, unless `accept_ra` is 2.
fn keep_router_advertisements() {
    for entry in fs::read_dir(path("ipv6/conf")).into_iter().flatten().flatten() {
        let Some(interface) = entry.file_name().to_str().map(str::to_owned) else { continue };
        let name = format!("ipv6/conf/{interface}/accept_ra");
        if !["all", "default", "lo"].contains(&interface.as_str()) && read(&name).as_deref() == Some("1") {
            let _ = write(&name, "2");
        }
    }
}

/// What a bridge needs of the host: loopback addresses can be translated into its network, nobody on it can pose as the
/// host's router, and it speaks IPv6 only if its network does. What cannot be set is told.
pub fn bridge(name: &str, six: bool) -> Option<String> {
    let settings = [
        ("ipv4", "route_localnet", "1"),
        ("ipv6", "accept_ra", "0"),
        ("ipv6", "disable_ipv6", if six { "0" } else { "1" }),
    ];
    let refused = |(family, setting, value): (&str, &'static str, &str)| {
        ensure(&format!("{family}/conf/{name}/{setting}"), value).err().map(|e| (setting, e))
    };
    let (names, mut why): (Vec<_>, Vec<_>) = settings.into_iter().filter_map(refused).unzip();
    why.pop().map(|why| format!("settings of bridge {name} stay as they are ({}): {why}", names.join(", ")))
}
