//! What is mounted: kernel file systems, our own three files, the user's binds, volumes and tmpfs.

use super::{BundleInput, Error, devices, joined};
use crate::model::container::ContainerConfig;
use crate::model::isolation::{IdRange, Ipc, Sharing, Users};
use crate::model::mount::{Below, Mount as Wanted, MountSource, Tmpfs};
use crate::model::network::NetworkMode;
use crate::runtime::machine::Machine;
use crate::runtime::rootfs::{ALONE, COPY_UP, DIRECTORY, GIVE, ID_MAPPED, JOINED, LINK, OPTIONAL};
use oci_spec::runtime::{Mount, MountBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

const DEFAULT_SHM: u64 = 64 << 20;

/// In the order they are made: a target is never covered by a later mount on its parent.
pub(super) fn all(input: &BundleInput<'_>) -> Result<Vec<Mount>, Error> {
    let config = &input.container.config;
    let mut user = Vec::new();
    for mount in &config.mounts {
        user.push(bind(input, mount)?);
    }
    for tmpfs in &config.tmpfs {
        user.push(memory(tmpfs)?);
    }
    user.sort_by_key(|m| m.destination().components().count());
    for pair in user.windows(2) {
        if pair[0].destination() == pair[1].destination() {
            return Err(Error::invalid(format!("duplicate mount point '{}'", pair[0].destination().display())));
        }
    }
    // The nodes come before what the user mounts below them.
    let devices = devices::binds(input)?;
    let mut mounts = kernel(input)?;
    mounts.extend(own_files(&joined(input).unwrap_or_else(|| input.dir.clone()))?);
    mounts.extend(devices);
    // What the user mounts there replaces ours.
    mounts.retain(|ours| !user.iter().any(|m| m.destination() == ours.destination()));
    mounts.extend(user);
    Ok(mounts)
}

fn mount(target: &str, kind: &str, source: impl Into<PathBuf>, options: &[&str]) -> Result<Mount, Error> {
    let options: Vec<String> = options.iter().map(|o| (*o).to_owned()).collect();
    Ok(MountBuilder::default().destination(target).typ(kind).source(source).options(options).build()?)
}

fn kernel(input: &BundleInput<'_>) -> Result<Vec<Mount>, Error> {
    let config = &input.container.config;
    let shm = format!("size={}", config.shm_size.unwrap_or(DEFAULT_SHM));
    let mut terminals = vec!["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"];
    // The tty group of every distribution; with a single mapped id it cannot be had.
    let tty_group = match &config.isolation.user_map {
        Some(map) => IdRange::of(&map.gid, 5).is_some(),
        None => input.identity.sub_ids,
    };
    if tty_group {
        terminals.push("gid=5");
    }
    let sealed = if config.security.privileged { "rw" } else { "ro" };
    let system = ["nosuid", "noexec", "nodev", sealed];
    let (isolation, inner) = (&config.isolation, super::in_user_namespace(input));
    let quiet = ["nosuid", "noexec", "nodev"];
    let shown = |target: &str| mount(target, "bind", target, &["rbind", quiet[0], quiet[1], quiet[2], "rslave"]);
    let mut mounts = vec![
        // A namespace of the host's is not the user's to show anew.
        match isolation.pid {
            Sharing::Host if inner => shown("/proc")?,
            _ => mount("/proc", "proc", "proc", &quiet)?,
        },
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"])?,
        mount("/dev/pts", "devpts", "devpts", &terminals)?,
    ];
    match isolation.ipc {
        Ipc::None => {}
        Ipc::Host => mounts.push(shown("/dev/shm")?),
        Ipc::Container(_) => mounts.push(mount("/dev/shm", "bind", "/dev/shm", &["bind", JOINED])?),
        Ipc::Private | Ipc::Shareable => {
            mounts.push(mount("/dev/shm", "tmpfs", "shm", &[quiet[0], quiet[1], quiet[2], "mode=1777", &shm])?);
        }
    }
    mounts.push(match isolation.ipc {
        Ipc::Host if inner => {
            mount("/dev/mqueue", "bind", "/dev/mqueue", &["bind", quiet[0], quiet[1], quiet[2], OPTIONAL])?
        }
        _ => mount("/dev/mqueue", "mqueue", "mqueue", &quiet)?,
    });
    // Only the owner of a network namespace may mount a sysfs that shows it.
    if inner && matches!(config.network, NetworkMode::Host) {
        mounts.push(mount("/sys", "bind", "/sys", &["rbind", "nosuid", "noexec", "nodev", sealed, "rslave"])?);
    } else {
        mounts.push(mount("/sys", "sysfs", "sysfs", &system)?);
    }
    if inner && isolation.host_cgroups {
        let options = ["rbind", quiet[0], quiet[1], quiet[2], sealed, "rslave"];
        mounts.push(mount("/sys/fs/cgroup", "bind", "/sys/fs/cgroup", &options)?);
    } else {
        mounts.extend(cgroups(&input.machine, sealed)?);
    }
    Ok(mounts)
}

/// The container's own view of its groups.
fn cgroups(machine: &Machine, sealed: &str) -> Result<Vec<Mount>, Error> {
    let target = "/sys/fs/cgroup";
    let quiet = ["nosuid", "noexec", "nodev", sealed];
    if (machine.exists)("/sys/fs/cgroup/cgroup.controllers") {
        return Ok(vec![mount(target, "cgroup2", "cgroup", &[quiet[0], quiet[1], quiet[2], sealed, OPTIONAL])?]);
    }
    let table = (machine.read)("/proc/self/cgroup");
    let mut base: Vec<String> = ["nosuid", "noexec", "nodev", "ro", "mode=755"].map(str::to_owned).into();
    let mut below = Vec::new();
    for controllers in table.lines().filter_map(|line| line.split(':').nth(1)) {
        // Named hierarchies and v2 hold no limits; the rest is of no use to a program that looks for its own.
        let known = |c: &str| matches!(c, "memory" | "cpu" | "cpuacct" | "cpuset" | "pids");
        if controllers.is_empty() || !controllers.split(',').any(known) {
            continue;
        }
        base.push(format!("{DIRECTORY}{controllers}"));
        let mut options = quiet.to_vec();
        options.extend(controllers.split(','));
        options.push(OPTIONAL);
        below.push(mount(&format!("{target}/{controllers}"), "cgroup", "cgroup", &options)?);
        if controllers.contains(',') {
            base.extend(controllers.split(',').map(|c| format!("{LINK}{c}:{controllers}")));
        }
    }
    let base: Vec<&str> = base.iter().map(String::as_str).collect();
    let mut mounts = vec![mount(target, "tmpfs", "tmpfs", &base)?];
    mounts.extend(below);
    Ok(mounts)
}

/// Those of the container whose network it shares are the same files: what changes there changes here.
fn own_files(dir: &Path) -> Result<Vec<Mount>, Error> {
    ["hosts", "hostname", "resolv.conf"]
        .iter()
        .map(|name| mount(&format!("/etc/{name}"), "bind", dir.join(name), &["bind", "rprivate"]))
        .collect()
}

/// Targets that make sense, and sources that are there unless they may be made.
pub(super) fn check(config: &ContainerConfig) -> Result<(), Error> {
    for wanted in &config.mounts {
        check_target(&wanted.target)?;
        check_owners(config, wanted)?;
        if let MountSource::Bind { path, create: false } = &wanted.source {
            present(Path::new(path), false)?;
        }
    }
    config.tmpfs.iter().try_for_each(|tmpfs| memory(tmpfs).map(drop))
}

/// Makes the sources that are missing and may be made; others must be there.
pub(super) fn provide(config: &ContainerConfig) -> Result<(), Error> {
    config.mounts.iter().try_for_each(|wanted| match &wanted.source {
        MountSource::Bind { path, create } => present(Path::new(path), *create),
        MountSource::Volume { .. } | MountSource::Anonymous { .. } => Ok(()),
    })
}

fn bind(input: &BundleInput<'_>, wanted: &Wanted) -> Result<Mount, Error> {
    let target = check_target(&wanted.target)?;
    let propagation = wanted.propagation.as_deref().unwrap_or("rprivate");
    let recursive = if wanted.below == Below::Hidden { "bind" } else { "rbind" };
    let mut options = vec![recursive, propagation];
    options.extend(wanted.attributes.iter().map(String::as_str));
    let ours = [
        (wanted.read_only, "ro"),
        (wanted.below == Below::Writable, ALONE),
        (wanted.give_to_user, GIVE),
        (wanted.id_mapped, ID_MAPPED),
    ];
    options.extend(ours.into_iter().filter(|(asked, _)| *asked).map(|(_, option)| option));
    let source = match &wanted.source {
        MountSource::Bind { path, .. } => PathBuf::from(path),
        MountSource::Volume { name } | MountSource::Anonymous { name } => {
            if !wanted.no_copy {
                options.push(COPY_UP);
            }
            input.volumes.get(name).cloned().ok_or_else(|| Error::Volume(name.clone()))?
        }
    };
    mount(target, "bind", source, &options)
}

/// What is asked for owners must make sense, and must not ruin the machine.
fn check_owners(config: &ContainerConfig, wanted: &Wanted) -> Result<(), Error> {
    let refuse = |why: &str| Err(Error::invalid(format!("mount for '{}': {why}", wanted.target)));
    if wanted.id_mapped {
        match config.isolation.users {
            Users::Auto { .. } | Users::Map => {}
            Users::Shared => return refuse("idmap needs a user namespace of the container's own (--userns auto)"),
            Users::KeepId { .. } => {
                return refuse("idmap needs root: the kernel lets no ordinary user map a mount's ids");
            }
        }
    }
    match &wanted.source {
        _ if !wanted.give_to_user => Ok(()),
        _ if wanted.read_only => refuse("U gives files away, and cannot where the mount is read-only"),
        MountSource::Bind { path, .. } if is_machine_s(path) => {
            refuse(&format!("U would give {path} to the container's user: it is the machine's"))
        }
        _ => Ok(()),
    }
}

/// `/` and what is directly below it, other than a place of one's own making.
fn is_machine_s(path: &str) -> bool {
    const NAMES: [&str; 19] = [
        "bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "media", "mnt", "opt", "proc", "root",
        "run", "sbin", "sys", "usr", "var",
    ];
    match path.trim_start_matches('/') {
        "" | "tmp" => true,
        name => NAMES.contains(&name),
    }
}

fn present(path: &Path, create: bool) -> Result<(), Error> {
    let fail = |source| Error::Source { path: path.to_owned(), source };
    match path.metadata() {
        Ok(_) => Ok(()),
        Err(e) if create && e.kind() == std::io::ErrorKind::NotFound => {
            std::fs::DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(fail)
        }
        Err(e) => Err(fail(e)),
    }
}

fn memory(tmpfs: &Tmpfs) -> Result<Mount, Error> {
    let target = check_target(&tmpfs.target)?;
    // Docker's defaults; the user's own come later and win.
    let mut options = vec!["noexec", "nosuid", "nodev", "mode=1777"];
    options.extend(tmpfs.options.split(',').filter(|o| !o.is_empty()));
    if options.iter().any(|o| o.starts_with("x-teu.") || matches!(*o, "bind" | "rbind")) {
        return Err(Error::invalid(format!("invalid tmpfs options '{}' for '{target}'", tmpfs.options)));
    }
    mount(target, "tmpfs", "tmpfs", &options)
}

fn check_target(target: &str) -> Result<&str, Error> {
    let parts = Path::new(target).components();
    let odd = parts.clone().any(|c| matches!(c, std::path::Component::ParentDir));
    if !target.starts_with('/') || odd || parts.count() < 2 {
        return Err(Error::invalid(format!(
            "invalid mount target '{target}': an absolute path other than '/' is needed"
        )));
    }
    Ok(target)
}
