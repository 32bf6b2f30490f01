//! Settings of a network namespace under `/proc/sys/net`: those of the namespace the caller is in.

use super::error::{Error, Result};
use crate::sys;
use std::fs;
use std::path::PathBuf;

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
    let name = if six { "ipv6/conf/all/forwarding" } else { "ipv4/ip_forward" };
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

/// Why [`forward`] would fail for IPv4, if it would.
pub fn forwarding_refused() -> Option<std::io::Error> {
    let name = "ipv4/ip_forward";
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
pub fn bridge(name: &str, six: bool) -> Vec<String> {
    let settings = [
        (format!("ipv4/conf/{name}/route_localnet"), "1"),
        (format!("ipv6/conf/{name}/accept_ra"), "0"),
        (format!("ipv6/conf/{name}/disable_ipv6"), if six { "0" } else { "1" }),
    ];
    settings.iter().filter_map(|(setting, value)| ensure(setting, value).err().map(|e| e.to_string())).collect()
}
