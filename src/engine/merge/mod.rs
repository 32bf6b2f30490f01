//! What the user asked for, completed from the image's configuration by docker's rules. Pure.

mod health;

use super::request::CreateArgs;
use super::{Error, ErrorKind, Result};
use crate::model::container::ContainerConfig;
use crate::model::image::Image;
use crate::model::mount::{Mount, MountSource};
use crate::model::publish;
use oci_spec::image::{Config, ImageConfiguration};
use std::collections::BTreeSet;

const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The image's configuration as it was published.
pub(crate) fn published(image: &Image) -> Result<ImageConfiguration> {
    serde_json::from_str(&image.config_json).map_err(|e| {
        Error::new(ErrorKind::Corrupt, format!("the configuration of image {} is not readable", image.id.short()))
            .because(e.to_string())
            .hint("pull the image again")
    })
}

/// Its `config` part; empty when it has none.
pub(crate) fn image_config(image: &Image) -> Result<Config> {
    Ok(published(image)?.config().clone().unwrap_or_default())
}

/// The configuration a container is created with. `anonymous` makes a volume's name.
pub(crate) fn merge(args: &CreateArgs, image: &Image, anonymous: impl FnMut() -> String) -> Result<ContainerConfig> {
    let defaults = image_config(image)?;
    let mut config = args.config.clone();
    (config.args, config.entrypoint_len) = command(args, &defaults)?;
    config.env = environment(&defaults, &args.config);
    config.workdir = working_directory(&args.config, &defaults)?;
    if config.user.is_empty() {
        config.user = defaults.user().clone().unwrap_or_default();
    }
    if config.stop_signal.is_empty() {
        config.stop_signal = defaults.stop_signal().clone().unwrap_or_default();
    }
    if !config.stop_signal.is_empty() && crate::model::signal::parse(&config.stop_signal).is_none() {
        return Err(Error::new(ErrorKind::Invalid, format!("unknown stop signal '{}'", config.stop_signal)));
    }
    for (key, value) in defaults.labels().clone().unwrap_or_default() {
        config.labels.entry(key).or_insert(value);
    }
    if config.platform.is_empty() {
        config.platform = format!("{}/{}", image.os, image.architecture);
    }
    health::health(&mut config, image)?;
    expose(&mut config, &defaults)?;
    mounts(&mut config, &defaults, anonymous)?;
    Ok(config)
}

/// The image's ports, then the user's, then those that are published; each once.
fn expose(config: &mut ContainerConfig, defaults: &Config) -> Result<()> {
    let mut all = Vec::new();
    for text in defaults.exposed_ports().iter().flatten() {
        all.extend(publish::parse_exposed(text).map_err(|e| {
            Error::new(ErrorKind::Corrupt, format!("the image exposes '{text}'")).because(e.to_string())
        })?);
    }
    all.append(&mut config.exposed);
    all.extend(config.ports.iter().map(|p| (p.container_port, p.protocol)));
    all.sort_unstable();
    all.dedup();
    config.exposed = all;
    Ok(())
}

/// An entrypoint given by the user throws the image's command away too; a command given by the user only the command.
fn command(args: &CreateArgs, defaults: &Config) -> Result<(Vec<String>, usize)> {
    let of_image = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    let mut argv = match &args.entrypoint {
        Some(entrypoint) => entrypoint.iter().filter(|a| !a.is_empty() || entrypoint.len() > 1).cloned().collect(),
        None => of_image(defaults.entrypoint()),
    };
    let entrypoint_len = argv.len();
    match (args.command.is_empty(), &args.entrypoint) {
        (false, _) => argv.extend(args.command.iter().cloned()),
        (true, None) => argv.extend(of_image(defaults.cmd())),
        (true, Some(_)) => {}
    }
    if argv.first().is_none_or(String::is_empty) {
        return Err(Error::new(ErrorKind::Invalid, "no command specified")
            .because("neither the command line nor the image names a program to run"));
    }
    if let Some(bad) = argv.iter().find(|a| a.contains('\0')) {
        return Err(Error::new(ErrorKind::Invalid, format!("the argument {bad:?} has a NUL character in it")));
    }
    Ok((argv, entrypoint_len))
}

fn key(variable: &str) -> &str {
    variable.split_once('=').map_or(variable, |(key, _)| key)
}

/// The image's, then the user's; a bare `NAME` takes the variable away.
fn environment(defaults: &Config, asked: &ContainerConfig) -> Vec<String> {
    let mut env: Vec<String> = vec![DEFAULT_PATH.into()];
    if asked.tty {
        env.push("TERM=xterm-256color".into());
    }
    let of_image = defaults.env().clone().unwrap_or_default();
    for variable in of_image.into_iter().chain(asked.env.iter().cloned()) {
        let place = env.iter().position(|v| key(v) == key(&variable));
        match (place, variable.contains('=')) {
            (Some(index), true) => env[index] = variable,
            (Some(index), false) => drop(env.remove(index)),
            (None, true) => env.push(variable),
            (None, false) => {}
        }
    }
    env
}

fn working_directory(asked: &ContainerConfig, defaults: &Config) -> Result<String> {
    let directory = match asked.workdir.as_str() {
        "" => defaults.working_dir().clone().unwrap_or_default(),
        given => given.to_owned(),
    };
    match directory.as_str() {
        "" => Ok("/".into()),
        d if d.starts_with('/') => Ok(directory),
        // Only images have relative ones; docker counts them from the root.
        d if asked.workdir.is_empty() => Ok(format!("/{d}")),
        d => Err(Error::new(ErrorKind::Invalid, format!("the working directory '{d}' is not an absolute path"))),
    }
}

/// Names the nameless volumes, adds the image's own where nothing else is mounted, refuses two mounts on one place.
fn mounts(config: &mut ContainerConfig, defaults: &Config, mut anonymous: impl FnMut() -> String) -> Result<()> {
    for mount in &mut config.mounts {
        if let MountSource::Anonymous { name } = &mut mount.source
            && name.is_empty()
        {
            *name = anonymous();
        }
    }
    let mut taken = BTreeSet::new();
    let targets = config.mounts.iter().map(|m| &m.target).chain(config.tmpfs.iter().map(|t| &t.target));
    for target in targets {
        if !taken.insert(clean(target)) {
            return Err(Error::new(ErrorKind::Invalid, format!("duplicate mount point: {target}")));
        }
    }
    let mut volumes = defaults.volumes().clone().unwrap_or_default();
    volumes.sort();
    for target in volumes.into_iter().map(|v| clean(&v)).filter(|v| v != "/" && !taken.contains(v)) {
        config.mounts.push(Mount::new(MountSource::Anonymous { name: anonymous() }, target));
    }
    Ok(())
}

/// Absolute, without `.`, `..` and doubled slashes.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests;
