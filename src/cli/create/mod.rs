//! From the flags of `run` and `create` to what the engine is asked for.

mod block;
mod devices;
mod env;
mod health;
mod isolation;
mod limits;
mod mounts;
mod network;
mod security;
mod users;

pub(super) use env::environment;
pub(super) use limits::{changes, limits};
pub(super) use network::{connected_place, ports};

use super::args::{Args, misuse, text_of_file, wrong};
use super::flags::{UNSUPPORTED, Unsupported};
use crate::engine::request::{CreateArgs, PullPolicy};
use crate::engine::{Error, ErrorKind, Result};
use crate::model::container::{ContainerConfig, LogOptions, RestartPolicy};
use crate::model::id::check_name;
use crate::model::image::Platform;
use crate::model::units::parse_bytes;
use std::collections::BTreeMap;

/// Everything `create` needs; the image's own defaults are merged by the engine.
pub(super) fn create_args(args: Args) -> Result<CreateArgs> {
    refuse_unsupported(args, UNSUPPORTED)?;
    let words = args.owned("words");
    let (image, command) = words.split_first().ok_or_else(|| misuse("an image is needed"))?;
    let name = args.text("name");
    if let Some(name) = name {
        check_name(name).map_err(|e| misuse(e.to_string()))?;
    }
    let networking = network::networking(args)?;
    Ok(CreateArgs {
        volumes_from: mounts::volumes_from(&args.texts("volumes-from"))?,
        image: image.clone(),
        name: name.map(str::to_owned),
        command: command.to_vec(),
        entrypoint: args.text("entrypoint").map(entrypoint),
        config: container_config(args, &networking)?,
        default_network: networking.unnamed,
        pull: pull_policy(args)?,
        platform: args.text("platform").map(platform).transpose()?,
    })
}

pub(super) fn refuse_unsupported(args: Args, list: &[Unsupported]) -> Result<()> {
    let asked = |flag: &str, tame: &[&str]| args.given(flag) && !args.texts(flag).iter().all(|v| tame.contains(v));
    match list.iter().find(|u| asked(u.flag, u.tame)) {
        Some(u) => {
            Err(Error::new(ErrorKind::Unsupported, format!("--{} is not supported", u.flag)).because(u.why.to_owned()))
        }
        None => Ok(()),
    }
}

fn container_config(args: Args, networking: &network::Networking) -> Result<ContainerConfig> {
    let (mounts, tmpfs) = mounts::all(args)?;
    let restart = args.text("restart").map(restart_policy).transpose()?.unwrap_or_default();
    let auto_remove = args.on("rm");
    if auto_remove && restart != RestartPolicy::No {
        return Err(misuse("conflicting options: --restart and --rm cannot both be set"));
    }
    Ok(ContainerConfig {
        env: environment(args)?,
        workdir: args.text("workdir").map(workdir).transpose()?.unwrap_or_default(),
        user: args.text("user").unwrap_or_default().to_owned(),
        group_add: group_add(args)?,
        hostname: args.text("hostname").map(|n| hostname("hostname", n)).transpose()?.unwrap_or_default(),
        domainname: args.text("domainname").map(|n| hostname("domainname", n)).transpose()?.unwrap_or_default(),
        labels: all_labels(args)?,
        tty: args.on("tty"),
        open_stdin: args.on("interactive"),
        stop_signal: args.text("stop-signal").unwrap_or_default().to_owned(),
        stop_timeout: stop_timeout(args)?,
        mounts,
        tmpfs,
        read_only: args.on("read-only"),
        shm_size: args.text("shm-size").map(|v| limits::size("shm-size", v)).transpose()?.filter(|n| *n > 0),
        network: networking.mode.clone(),
        endpoints: networking.endpoints.clone(),
        ports: network::ports("publish", args)?,
        publish_all: args.on("publish-all"),
        exposed: network::exposed(args)?,
        dns: addresses("dns", args)?,
        dns_search: args.owned("dns-search").into_iter().filter(|d| d != ".").collect(),
        dns_options: args.owned("dns-option"),
        extra_hosts: extra_hosts(&args.texts("add-host"))?,
        limits: limits(args)?,
        ulimits: limits::ulimits(&args.texts("ulimit"))?,
        security: security::security(args)?,
        isolation: isolation::isolation(args)?,
        devices: devices::devices(&args.texts("device"))?,
        device_rules: devices::rules(&args.texts("device-cgroup-rule"))?,
        restart,
        auto_remove,
        init: args.on("init"),
        sysctls: pairs("sysctl", &args.texts("sysctl"))?,
        cgroup_parent: args.text("cgroup-parent").map(cgroup_parent).transpose()?.unwrap_or_default(),
        annotations: pairs("annotation", &args.texts("annotation"))?,
        log: log_options(args)?,
        health: health::check(args)?,
        ..ContainerConfig::default()
    })
}

fn pull_policy(args: Args) -> Result<PullPolicy> {
    match args.text("pull") {
        None | Some("missing") => Ok(PullPolicy::Missing),
        Some("always") => Ok(PullPolicy::Always),
        Some("never") => Ok(PullPolicy::Never),
        Some(other) => Err(wrong("pull", other, "it must be always, missing or never")),
    }
}

/// `linux/arm64/v8`, `linux/amd64`, `arm64`.
pub(super) fn platform(text: &str) -> Result<Platform> {
    let parts: Vec<&str> = text.split('/').collect();
    let bad = || wrong("platform", text, "it must be OS/ARCH[/VARIANT], as in linux/arm64/v8");
    if parts.iter().any(|p| p.is_empty() || !p.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))) {
        return Err(bad());
    }
    let (os, architecture, variant) = match parts[..] {
        ["linux" | "windows" | "darwin" | "freebsd"] => return Err(bad()),
        [architecture] => ("linux", architecture, None),
        [os, architecture] => (os, architecture, None),
        [os, architecture, variant] => (os, architecture, Some(variant)),
        _ => return Err(bad()),
    };
    let architecture = match architecture {
        "x86_64" | "x86-64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    Ok(Platform {
        os: os.to_lowercase(),
        architecture: architecture.to_lowercase(),
        variant: variant.map(str::to_lowercase),
    })
}

fn workdir(text: &str) -> Result<String> {
    match text.starts_with('/') {
        true => Ok(text.to_owned()),
        false => Err(wrong("workdir", text, "it must be an absolute path")),
    }
}

/// A program, or podman's list in JSON; empty: none.
fn entrypoint(text: &str) -> Vec<String> {
    match serde_json::from_str(text) {
        Ok(list) => list,
        Err(_) if text.is_empty() => Vec::new(),
        Err(_) => vec![text.to_owned()],
    }
}

fn hostname(flag: &str, text: &str) -> Result<String> {
    // Docker's: an empty name asks for the usual one.
    let fits = text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if fits { Ok(text.to_owned()) } else { Err(wrong(flag, text, "letters, digits, '-' and '.', at most 64")) }
}

pub(super) fn restart_policy(text: &str) -> Result<RestartPolicy> {
    match text.split_once(':').map_or((text, None), |(p, n)| (p, Some(n))) {
        ("" | "no", None) => Ok(RestartPolicy::No),
        ("always", None) => Ok(RestartPolicy::Always),
        ("unless-stopped", None) => Ok(RestartPolicy::UnlessStopped),
        ("on-failure", None) => Ok(RestartPolicy::OnFailure(0)),
        ("on-failure", Some(n)) => {
            let tries = n.parse().map_err(|_| wrong("restart", text, "the number of retries is not a number"));
            tries.map(RestartPolicy::OnFailure)
        }
        _ => Err(wrong("restart", text, "it must be no, always, unless-stopped or on-failure[:retries]")),
    }
}

fn stop_timeout(args: Args) -> Result<Option<u32>> {
    let seconds: Option<i64> = args.number("stop-timeout")?;
    Ok(seconds.map(|n| u32::try_from(n).unwrap_or(u32::MAX)))
}

fn addresses(flag: &str, args: Args) -> Result<Vec<String>> {
    let all = args.owned(flag);
    match all.iter().find(|a| a.parse::<std::net::IpAddr>().is_err()) {
        Some(bad) => Err(wrong(flag, bad, "it is not an IP address")),
        None => Ok(all),
    }
}

/// `name:address` or `name=address`; an IPv6 address may stand in brackets; `host-gateway` is the host.
fn extra_hosts(texts: &[&str]) -> Result<Vec<String>> {
    let one = |text: &&str| {
        let (name, address) = text
            .split_once(['=', ':'])
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| wrong("add-host", text, "it must be HOST:IP"))?;
        let address = address.trim_start_matches('[').trim_end_matches(']');
        match address.parse::<std::net::IpAddr>() {
            Ok(_) => Ok(format!("{name}:{address}")),
            Err(_) if address == "host-gateway" => Ok(format!("{name}:{address}")),
            Err(_) => Err(wrong("add-host", text, "that is not an IP address")),
        }
    };
    texts.iter().map(one).collect()
}

/// Files first, then `--label`.
fn all_labels(args: Args) -> Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for path in args.texts("label-file") {
        let text = text_of_file("--label-file", path)?;
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
        if let Some(bad) = lines.iter().find(|l| l.starts_with('=')) {
            return Err(wrong("label-file", path, format!("'{bad}' has no name")));
        }
        all.extend(labels(&lines));
    }
    all.extend(labels(&args.texts("label")));
    Ok(all)
}

/// Podman's rule: the caller's groups, or those that are named.
fn group_add(args: Args) -> Result<Vec<String>> {
    let groups = args.owned("group-add");
    if groups.len() > 1 && groups.iter().any(|g| g == "keep-groups") {
        return Err(misuse("--group-add keep-groups cannot be given together with other groups"));
    }
    Ok(groups)
}

/// A path below each hierarchy.
fn cgroup_parent(text: &str) -> Result<String> {
    let odd = |part: &str| matches!(part, "." | "..");
    if text.split('/').any(odd) || text.trim_matches('/').is_empty() || text.chars().any(char::is_control) {
        return Err(wrong("cgroup-parent", text, "it must be the path of a control group, as in /jobs/batch"));
    }
    Ok(text.split('/').filter(|part| !part.is_empty()).fold(String::new(), |path, part| format!("{path}/{part}")))
}

pub(super) fn labels(texts: &[&str]) -> BTreeMap<String, String> {
    let pair = |text: &&str| {
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        (key.to_owned(), value.to_owned())
    };
    texts.iter().map(pair).collect()
}

fn pairs(flag: &str, texts: &[&str]) -> Result<BTreeMap<String, String>> {
    let pair = |text: &&str| match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(wrong(flag, text, "it must be KEY=VALUE")),
    };
    texts.iter().map(pair).collect()
}

fn log_options(args: Args) -> Result<LogOptions> {
    let mut log = LogOptions::default();
    match args.text("log-driver") {
        None | Some("" | "json-file" | "local") => {}
        Some("none") => log.enabled = false,
        Some(other) => {
            return Err(Error::new(ErrorKind::Unsupported, format!("--log-driver {other} is not supported yet")));
        }
    }
    for (key, value) in pairs("log-opt", &args.texts("log-opt"))? {
        let text = format!("{key}={value}");
        match key.as_str() {
            "max-size" => {
                let size = parse_bytes(&value).filter(|n| *n > 0);
                log.max_size = size.ok_or_else(|| wrong("log-opt", &text, "it is not a size"))?;
            }
            "max-file" => {
                let files = value.parse().ok().filter(|n| *n > 0);
                log.max_files = files.ok_or_else(|| wrong("log-opt", &text, "it must be a number from 1"))?;
            }
            // Docker's switch for compressing rotated files: says how, not what.
            "compress" | "mode" | "max-buffer-size" => {}
            _ => return Err(wrong("log-opt", &text, "there are max-size and max-file")),
        }
    }
    Ok(log)
}

#[cfg(test)]
mod tests;
