//! Network devices of the host that become the container's (`netDevices`).

use super::{Outcome, internal, invalid};
use crate::net::moved::{self, Moved, Wanted};
use crate::runtime::init::report::During;
use oci_spec::runtime::{LinuxNamespaceType, Spec};
use std::collections::HashSet;
use std::fs::File;
use std::os::fd::AsFd;

/// The kernel's own bound of an interface's name, without its end.
const MAX_NAME: usize = 15;

/// In the order of their names, so that the outcome does not depend on chance.
pub fn wanted(spec: &Spec) -> Vec<Wanted> {
    let given = spec.linux().as_ref().and_then(|l| l.net_devices().as_ref()).into_iter().flatten();
    let mut all: Vec<Wanted> = given
        .map(|(name, device)| {
            let inside = device.name().as_ref().filter(|inside| !inside.is_empty()).unwrap_or(name);
            Wanted { name: name.clone(), inside: inside.clone() }
        })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

pub fn check(spec: &Spec) -> Outcome<()> {
    let all = wanted(spec);
    if !all.is_empty() && !super::config::has(spec, LinuxNamespaceType::Network) {
        return Err(invalid("config.json: netDevices need a network namespace of the container's own"));
    }
    let mut seen = HashSet::new();
    for Wanted { name, inside } in &all {
        for name in [name, inside] {
            let strange = name.contains(|c: char| c == '/' || c == ':' || c == '%' || c == '\0' || c.is_whitespace());
            if name.is_empty() || name.len() > MAX_NAME || strange || name == "." || name == ".." {
                return Err(invalid(format!("config.json: netDevices: '{name}' is no name of a network device")));
            }
        }
        if !seen.insert(inside) {
            return Err(invalid(format!("config.json: netDevices: two devices would be {inside} inside")));
        }
    }
    Ok(())
}

/// Moves the devices to the network namespace of that process. After a failure all of them are where they were.
pub fn give(spec: &Spec, pid: i32) -> Outcome<Vec<Moved>> {
    let all = wanted(spec);
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let file = format!("/proc/{pid}/ns/net");
    let same = std::fs::read_link(&file).during(&format!("reading {file}"))?
        == std::fs::read_link("/proc/self/ns/net").during("reading the own network namespace")?;
    if same {
        return Err(invalid("config.json: netDevices: the container is in the network namespace of the runtime"));
    }
    let ns = File::open(&file).during(&format!("opening {file}"))?;
    let mut done = Vec::new();
    for one in &all {
        match moved::give(one, ns.as_fd()) {
            Ok(moved) => done.push(moved),
            Err(e) => {
                take_back(done);
                return Err(internal(format!("netDevices: {e}")));
            }
        }
    }
    Ok(done)
}

/// As far as it goes: a container is being given up.
pub fn take_back(devices: Vec<Moved>) {
    for device in devices {
        let _ = device.give_back();
    }
}
