//! The process part of a spec: arguments, environment, capabilities, limits.

use super::{BundleInput, Error};
use crate::model::container::Ulimit;
use crate::runtime::caps;
use crate::runtime::machine::Machine;
use crate::sys::rlimit;
use oci_spec::runtime::{
    Capabilities, Capability, LinuxCapabilitiesBuilder, PosixRlimit, PosixRlimitBuilder, PosixRlimitType, Process,
    ProcessBuilder, UserBuilder,
};
use std::collections::HashSet;
use std::str::FromStr;

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Docker's and podman's default, where the machine allows it.
const DEFAULT_NOFILE: u64 = 1_048_576;

pub(super) fn process(
    input: &BundleInput<'_>,
    hostname: &str,
    capabilities: u64,
    warnings: &mut Vec<String>,
) -> Result<Process, Error> {
    let config = &input.container.config;
    if config.args.is_empty() {
        return Err(Error::invalid("no command specified, and the image names none"));
    }
    for text in config.args.iter().chain(&config.env) {
        if text.contains('\0') {
            return Err(Error::invalid("arguments and variables cannot contain the character NUL"));
        }
    }
    let set: Capabilities = caps::names(capabilities).filter_map(|n| Capability::from_str(n).ok()).collect();
    let sets = LinuxCapabilitiesBuilder::default()
        .bounding(set.clone())
        .permitted(set.clone())
        .effective(set)
        .inheritable(HashSet::new())
        .ambient(HashSet::new())
        .build()?;
    let mut process = ProcessBuilder::default()
        .terminal(config.tty)
        .user(UserBuilder::default().uid(0_u32).gid(0_u32).build()?)
        .args(config.args.clone())
        .env(environment(hostname, config.tty, &config.env))
        .cwd(if config.workdir.is_empty() { "/" } else { &config.workdir })
        .capabilities(sets)
        .rlimits(limits(&config.ulimits, &input.machine, warnings)?)
        .no_new_privileges(config.security.no_new_privileges.unwrap_or(!config.security.privileged))
        .build()?;
    process.set_apparmor_profile(config.security.apparmor.clone());
    process.set_oom_score_adj(oom_score(config.limits.oom_score_adj, &input.machine, warnings)?);
    Ok(process)
}

/// Ours first, so that the image's and the user's win; later ones replace earlier ones.
fn environment(hostname: &str, tty: bool, given: &[String]) -> Vec<String> {
    let mut env = vec![PATH.to_owned(), format!("HOSTNAME={hostname}")];
    if tty {
        env.extend(["TERM=xterm-256color", "COLORTERM=truecolor"].map(str::to_owned));
    }
    for entry in given {
        let name = entry.split('=').next().unwrap_or_default();
        env.retain(|e| e.split('=').next() != Some(name));
        if entry.contains('=') {
            env.push(entry.clone());
        }
    }
    env
}

/// Known, each once, and soft limits not above hard ones.
pub(super) fn check_ulimits(wanted: &[Ulimit]) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for Ulimit { name, soft, hard } in wanted {
        if !rlimit::known(name) {
            return Err(Error::invalid(format!("unknown ulimit '{name}'")));
        }
        if !seen.insert(name) {
            return Err(Error::invalid(format!("ulimit '{name}' is given twice")));
        }
        if soft > hard {
            return Err(Error::invalid(format!("ulimit {name}: soft limit {soft} is above the hard limit {hard}")));
        }
    }
    Ok(())
}

fn limits(wanted: &[Ulimit], machine: &Machine, warnings: &mut Vec<String>) -> Result<Vec<PosixRlimit>, Error> {
    check_ulimits(wanted)?;
    let mut limits = Vec::new();
    for limit in wanted {
        limits.push(clamped(&limit.name, limit.soft, limit.hard, machine, Some(warnings))?);
    }
    if !wanted.iter().any(|l| l.name == "nofile") {
        limits.push(clamped("nofile", DEFAULT_NOFILE, DEFAULT_NOFILE, machine, None)?);
    }
    Ok(limits)
}

/// Only CAP_SYS_RESOURCE may go above the hard limit one has, and nothing above the kernel's own bound.
fn clamped(
    name: &str,
    soft: u64,
    hard: u64,
    machine: &Machine,
    warnings: Option<&mut Vec<String>>,
) -> Result<PosixRlimit, Error> {
    let held = (machine.hard_limit)(name).map_err(|e| Error::invalid(e.to_string()))?;
    let bound = if (machine.may_raise)() { kernel_bound(name, machine) } else { held };
    if let Some(warnings) = warnings
        && hard > bound
    {
        let hard = if hard == u64::MAX { "unlimited".to_owned() } else { hard.to_string() };
        warnings.push(format!("ulimit {name} is {bound} instead of {hard}: this machine allows no more"));
    }
    let kind = PosixRlimitType::from_str(&format!("RLIMIT_{}", name.to_ascii_uppercase()));
    let kind = kind.map_err(|_| Error::invalid(format!("unknown ulimit '{name}'")))?;
    Ok(PosixRlimitBuilder::default().typ(kind).soft(soft.min(bound)).hard(hard.min(bound)).build()?)
}

fn kernel_bound(name: &str, machine: &Machine) -> u64 {
    if name != "nofile" {
        return u64::MAX;
    }
    (machine.read)("/proc/sys/fs/nr_open").trim().parse().unwrap_or(DEFAULT_NOFILE)
}

/// A process may not make itself less likely a victim than it is, unless it holds CAP_SYS_RESOURCE.
fn oom_score(wanted: Option<i32>, machine: &Machine, warnings: &mut Vec<String>) -> Result<Option<i32>, Error> {
    let Some(score) = wanted else { return Ok(None) };
    if !(-1000..=1000).contains(&score) {
        return Err(Error::invalid(format!("OOM score adjustment {score} is not within -1000..1000")));
    }
    let now = (machine.read)("/proc/self/oom_score_adj").trim().parse().unwrap_or(0);
    if score < now && !(machine.may_raise)() {
        warnings.push(format!("the OOM score adjustment stays {now}: lowering it to {score} is not permitted here"));
        return Ok(None);
    }
    Ok(Some(score))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_variables_win() {
        let given = ["A=1", "PATH=/x", "A=2", "HOSTNAME"].map(str::to_owned);
        assert_eq!(environment("box", true, &given), ["TERM=xterm-256color", "COLORTERM=truecolor", "PATH=/x", "A=2"]);
    }

    #[test]
    fn every_default_capability_has_a_name_in_the_spec() {
        let all = caps::choose(&["ALL".into()], &[], false).unwrap();
        for name in caps::names(all) {
            let parsed = Capability::from_str(name).unwrap();
            assert_eq!(caps::bit(&parsed.to_string()), caps::bit(name), "{name}");
        }
    }

    #[test]
    fn limits_are_clamped_with_a_word() {
        let mut warnings = Vec::new();
        let wanted = [Ulimit { name: "nofile".into(), soft: 1 << 40, hard: 1 << 40 }];
        let limits = limits(&wanted, &Machine::HERE, &mut warnings).unwrap();
        assert!(limits[0].hard() < 1 << 40);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        let wrong = [Ulimit { name: "nofile".into(), soft: 2, hard: 1 }];
        assert!(super::limits(&wrong, &Machine::HERE, &mut warnings).is_err());
    }
}
