//! From a configuration's mounts, devices and paths to steps. Pure.

use super::config::Bundle;
use super::mapped::{Choice, Mapped, Users};
use super::{Outcome, invalid, unsupported};
use crate::runtime::cgroup::Version;
use crate::runtime::machine::Machine;
use crate::runtime::rootfs::{LINKS, options};
use crate::sys::mount::{self, Change, Propagation};
use crate::sys::mount_node::{Device, Kind};
use crate::sys::mount_op::{Mount, MountOp, Node, Root, Source, path_inside};
use oci_spec::runtime::{LinuxDevice, LinuxDeviceType, LinuxIdMapping, Mount as Wanted};
use std::path::{Path, PathBuf};

/// What is made of the root file system, in this order.
#[derive(Debug)]
pub struct Plan {
    pub root: Root,
    /// Before the hooks that may change the root.
    pub ops: Vec<MountOp>,
    /// After them: what makes things read-only or hides them.
    pub seals: Vec<MountOp>,
    /// Inside.
    pub entered: Vec<MountOp>,
    /// What [`Source::Prepared`] means, by number.
    pub mapped: Vec<Mapped>,
}

/// What the plan depends on beside the configuration.
pub struct Given<'a> {
    pub machine: &'a Machine,
    pub rootfs: &'a Path,
    /// The directories of the container's group, by controller.
    pub groups: &'a dyn Fn() -> Vec<(String, PathBuf)>,
    /// A control group namespace of its own: the container sees its group as the root.
    pub own_cgroups: bool,
    /// A mount namespace of its own.
    pub own_mounts: bool,
    /// Device nodes cannot be made.
    pub user_namespace: bool,
    /// The user namespace that is the container's own.
    pub users: Option<Users>,
}

/// The specification's default devices: name, major, minor.
const DEVICES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

pub fn plan(bundle: &Bundle, given: &Given<'_>) -> Outcome<Plan> {
    let spec = &bundle.spec;
    let linux = spec.linux().as_ref();
    let mut ops = Vec::new();
    let (mut host_dev, mut mapped, mut late) = (false, Vec::new(), Vec::new());
    let mut entered = Vec::new();
    for wanted in spec.mounts().iter().flatten() {
        if wanted.typ().as_deref() == Some("cgroup") {
            for mut mount in cgroups(wanted, given)? {
                late.extend(read_only_later(&mut mount, spec.mounts().as_deref().unwrap_or_default()));
                ops.push(MountOp::Mount(mount));
            }
            continue;
        }
        let mut mount = one(wanted, bundle, linux.and_then(|l| l.mount_label().as_deref()))?;
        map_ids(wanted, &mut mount, given, &mut mapped)?;
        late.extend(read_only_later(&mut mount, spec.mounts().as_deref().unwrap_or_default()));
        host_dev |= mount.target == "/dev" && !matches!(mount.source, Source::New { .. } | Source::Remount { .. });
        ops.push(MountOp::Mount(mount));
    }
    // Who binds a /dev of its own has it as it is.
    if !host_dev {
        let listed = linux.and_then(|l| l.devices().as_deref()).unwrap_or_default();
        ops.extend(devices(listed, given.user_namespace)?);
        ops.extend(LINKS.map(|(name, to)| MountOp::Link { path: format!("/dev/{name}"), to: to.into() }));
    }
    if let Some(kind) = linux.and_then(|l| l.rootfs_propagation().as_deref()).filter(|p| !p.is_empty()) {
        let (kind, _) = options::propagation(kind)
            .ok_or_else(|| invalid(format!("config.json: rootfsPropagation '{kind}' is not known")))?;
        // A shared root cannot be entered: the kernel pivots between private ones.
        let list = if kind == Propagation::Shared { &mut entered } else { &mut ops };
        list.push(MountOp::RootPropagation(kind));
    }
    let mut seals = late;
    if let Some(linux) = linux {
        let mut sysctls: Vec<_> = linux.sysctl().iter().flatten().collect();
        sysctls.sort();
        seals.extend(sysctls.into_iter().map(|(k, v)| MountOp::Sysctl { key: k.clone(), value: v.clone() }));
        seals.extend(linux.readonly_paths().iter().flatten().cloned().map(MountOp::ReadOnly));
        seals.extend(linux.masked_paths().iter().flatten().cloned().map(MountOp::Mask));
    }
    if spec.root().as_ref().is_some_and(|r| r.readonly() == Some(true)) {
        seals.push(MountOp::RootReadOnly);
    }
    let root = if given.own_mounts { Root::Directory } else { Root::Here };
    Ok(Plan { root: root(bundle.rootfs.clone()), ops, seals, entered, mapped })
}

/// A new read-only file system in which something has still to be made (devices, mount points) becomes read-only
/// afterwards.
fn read_only_later(mount: &mut Mount, all: &[Wanted]) -> Option<MountOp> {
    let inside = |other: &Wanted| {
        other.destination().starts_with(&mount.target) && other.destination() != Path::new(&mount.target)
    };
    let new = matches!(mount.source, Source::New { .. }) && mount.change.set & mount::RDONLY != 0;
    if !new || !(mount.target == "/dev" || all.iter().any(inside)) {
        return None;
    }
    mount.change.set &= !mount::RDONLY;
    let source = Source::Remount { options: Vec::new() };
    let change = Change { set: mount::RDONLY, ..Change::default() };
    Some(MountOp::Mount(Mount {
        source,
        change,
        deep: Change::default(),
        copy_up: false,
        alone: false,
        ..mount.clone()
    }))
}

/// A mount whose ids are mapped is made beforehand.
fn map_ids(wanted: &Wanted, mount: &mut Mount, given: &Given<'_>, all: &mut Vec<Mapped>) -> Outcome<()> {
    let maps = |given: &Option<Vec<LinuxIdMapping>>| given.clone().unwrap_or_default();
    let (uid, gid) = (maps(wanted.uid_mappings()), maps(wanted.gid_mappings()));
    let options = wanted.options().iter().flatten();
    let option = options.filter_map(|o| [("idmap", false), ("ridmap", true)].into_iter().find(|(word, _)| o == word));
    let option = option.map(|(_, deep)| deep).next_back();
    let choice = Choice {
        target: &mount.target,
        option,
        uid: &uid,
        gid: &gid,
        container: given.users.as_ref(),
        machine: given.machine,
    };
    let Some((users, deep)) = choice.users()? else { return Ok(()) };
    let Source::Bind { path, recursive } = &mount.source else {
        let words = format!("mount '{}': ids can be mapped for bind mounts only", mount.target);
        return Err(unsupported(words));
    };
    let (path, recursive, number) = (path.clone(), *recursive, all.len());
    let inside = path_inside(given.rootfs, &path);
    all.push(Mapped { path, recursive, deep, users, inside: inside.is_some() });
    mount.source = match inside {
        Some(path) => Source::Mapped { path, recursive, number },
        None => Source::Prepared(number),
    };
    Ok(())
}

/// What a file system itself is told: keys, with a value or as a flag.
type Data = Vec<(String, Option<String>)>;

/// Options understood; see the specification's table of them.
#[derive(Debug, Default)]
struct Parsed {
    bind: Option<bool>,
    shallow: Change,
    deep: Change,
    /// With whether it holds for the mounts below, too.
    propagation: Option<(Propagation, bool)>,
    remount: bool,
    data: Data,
    copy_up: bool,
}

fn parse(target: &str, given: &[String]) -> Outcome<Parsed> {
    let mut parsed = Parsed::default();
    for option in given {
        if let Some((set, clear)) = options::attribute(option) {
            options::apply(&mut parsed.shallow, set, clear);
        } else if let Some((set, clear)) = option.strip_prefix('r').and_then(options::attribute) {
            options::apply(&mut parsed.deep, set, clear);
        } else if let Some(found) = options::propagation(option) {
            parsed.propagation = Some(found);
        } else {
            word(&mut parsed, target, option)?;
        }
    }
    Ok(parsed)
}

fn word(parsed: &mut Parsed, target: &str, option: &str) -> Outcome<()> {
    match option {
        "bind" => parsed.bind = Some(parsed.bind.unwrap_or(false)),
        "rbind" => parsed.bind = Some(true),
        "tmpcopyup" => parsed.copy_up = true,
        "defaults" | "async" | "nolazytime" | "nomand" | "loud" | "noiversion" => {}
        "" => return Err(invalid(format!("an empty mount option for '{target}'"))),
        "remount" => parsed.remount = true,
        // See `map_ids`.
        "idmap" | "ridmap" => {}
        other if other.starts_with("x-teu.") => {
            return Err(invalid(format!("mount option '{other}' for '{target}' is not known")));
        }
        other => parsed.data.push(match other.split_once('=') {
            Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
            None => (other.to_owned(), None),
        }),
    }
    Ok(())
}

/// Whether an option has a meaning of its own here: it is not just handed to the file system.
#[cfg(test)]
pub fn understands(option: &str) -> bool {
    // Flags of the file system's superblock go there as they are.
    let flags = ["acl", "dirsync", "iversion", "lazytime", "mand", "noacl", "silent", "sync"];
    parse("/t", &[option.to_owned()]).is_ok_and(|parsed| parsed.data.is_empty() || flags.contains(&option))
}

/// Relative destinations count from the container's root, as older callers have it.
/// Some name the place as the host sees it.
fn target_of(wanted: &Wanted, rootfs: &Path) -> Outcome<String> {
    let text = wanted.destination().to_string_lossy().into_owned();
    if text.is_empty() || text.contains('\0') {
        return Err(invalid(format!("mount destination '{text}' is no path")));
    }
    let text = if text.starts_with('/') { text } else { format!("/{text}") };
    // One spelling, so that targets can be compared; above the root there is only the root.
    let mut clean = PathBuf::from("/");
    for part in Path::new(&text).components() {
        match part {
            std::path::Component::Normal(name) => clean.push(name),
            std::path::Component::ParentDir => drop(clean.pop()),
            _ => {}
        }
    }
    if let Ok(inner) = clean.strip_prefix(rootfs)
        && !inner.as_os_str().is_empty()
    {
        clean = Path::new("/").join(inner);
    }
    if clean == Path::new("/") {
        return Err(invalid("a mount on the container's root itself is not supported"));
    }
    Ok(clean.to_string_lossy().into_owned())
}

fn one(wanted: &Wanted, bundle: &Bundle, label: Option<&str>) -> Outcome<Mount> {
    let target = target_of(wanted, &bundle.rootfs)?;
    let mut parsed = parse(&target, wanted.options().as_deref().unwrap_or_default())?;
    let kind = wanted.typ().as_deref().filter(|k| !k.is_empty()).unwrap_or("none");
    let binds = parsed.bind.is_some() || matches!(kind, "bind" | "rbind" | "none");
    // A bind's file system is mounted already: as with mount(2) and the other runtimes, what it would be told is nobody's.
    let of_bind = parsed.bind.is_some() || (binds && !parsed.remount);
    let data = if of_bind { Vec::new() } else { std::mem::take(&mut parsed.data) };
    parsed.copy_up &= kind == "tmpfs" && !binds;
    let source = if parsed.remount {
        Source::Remount { options: data }
    } else if binds {
        let path = wanted.source().clone().filter(|p| !p.as_os_str().is_empty());
        let path = path.ok_or_else(|| invalid(format!("the bind mount of '{target}' has no source")))?;
        Source::Bind { path: bundle.dir.join(path), recursive: parsed.bind == Some(true) || kind == "rbind" }
    } else {
        let source = wanted.source().as_ref().filter(|s| !s.as_os_str().is_empty());
        let source = source.map(|s| ("source".to_owned(), Some(s.to_string_lossy().into_owned())));
        let label = label.filter(|l| !l.is_empty() && !matches!(kind, "proc" | "sysfs" | "cgroup2"));
        let label = label.map(|l| ("context".to_owned(), Some(l.to_owned())));
        Source::New {
            kind: kind.to_owned(),
            options: source.into_iter().chain(data).chain(label).collect(),
            content: Vec::new(),
        }
    };
    Ok(mount_of(target, source, &parsed))
}

fn mount_of(target: String, source: Source, parsed: &Parsed) -> Mount {
    let change = Change { propagation: parsed.propagation.map(|(kind, _)| kind), ..parsed.shallow };
    let recursive = matches!(source, Source::Bind { recursive: true, .. });
    let alone = recursive && parsed.propagation.is_some_and(|(_, deep)| !deep);
    Mount { target, source, change, deep: parsed.deep, copy_up: parsed.copy_up, optional: false, alone }
}

/// `type: cgroup` is a view of the container's own groups, whatever kind of groups the machine has.
fn cgroups(wanted: &Wanted, given: &Given<'_>) -> Outcome<Vec<Mount>> {
    let target = target_of(wanted, given.rootfs)?;
    let parsed = parse(&target, wanted.options().as_deref().unwrap_or_default())?;
    let view = |target: String, source: Source| {
        let mut view = Mount { copy_up: false, ..mount_of(target, source, &parsed) };
        view.change.set |= mount::NOSUID | mount::NODEV | mount::NOEXEC;
        view
    };
    let new = |kind: &str, options: Data| {
        let source = ("source".to_owned(), Some("cgroup".to_owned()));
        Source::New { kind: kind.into(), options: [vec![source], options].concat(), content: Vec::new() }
    };
    let directories = (given.groups)();
    match (given.machine.groups)() {
        Version::None => Ok(Vec::new()),
        Version::V2 if given.own_cgroups => Ok(vec![view(target, new("cgroup2", Vec::new()))]),
        Version::V2 => {
            let path = directories.first().map_or_else(|| PathBuf::from("/sys/fs/cgroup"), |(_, dir)| dir.clone());
            Ok(vec![view(target, Source::Bind { path, recursive: true })])
        }
        Version::V1 => Ok(hierarchies(&target, &directories, given, &view, &new)),
    }
}

/// One directory per hierarchy in a small tmpfs, with a link for each controller of those mounted together.
fn hierarchies(
    target: &str,
    directories: &[(String, PathBuf)],
    given: &Given<'_>,
    view: &dyn Fn(String, Source) -> Mount,
    new: &dyn Fn(&str, Data) -> Source,
) -> Vec<Mount> {
    let mut content = Vec::new();
    let mut below = Vec::new();
    let mut done: Vec<&PathBuf> = Vec::new();
    for (_, directory) in directories {
        if done.contains(&directory) {
            continue;
        }
        done.push(directory);
        let together: Vec<&str> =
            directories.iter().filter(|(_, d)| d == directory).map(|(name, _)| name.as_str()).collect();
        let name = together.join(",");
        content.push(Node::Directory { name: name.clone(), mode: 0o755 });
        if together.len() > 1 {
            content.extend(together.iter().map(|c| Node::Link { name: (*c).to_owned(), to: name.clone() }));
        }
        let source = if given.own_cgroups {
            new("cgroup", together.iter().map(|c| ((*c).to_owned(), None)).collect())
        } else {
            Source::Bind { path: directory.clone(), recursive: false }
        };
        below.push(view(format!("{target}/{name}"), source));
    }
    let options = vec![("mode".to_owned(), Some("755".to_owned()))];
    let mut base = view(target.to_owned(), Source::New { kind: "tmpfs".into(), options, content });
    base.change.set |= mount::RDONLY;
    [vec![base], below].concat()
}

/// The defaults, and the configuration's own, which win.
fn devices(given: &[LinuxDevice], bind: bool) -> Outcome<Vec<MountOp>> {
    let mut all = Vec::new();
    for device in given {
        all.push(node(device, bind)?);
    }
    for (name, major, minor) in DEVICES {
        let path = format!("/dev/{name}");
        if !all.iter().any(|d| d.path == path) {
            all.push(Device { path, kind: Kind::Character, major, minor, mode: 0o666, uid: 0, gid: 0, bind });
        }
    }
    Ok(all.into_iter().map(MountOp::Device).collect())
}

fn node(device: &LinuxDevice, bind: bool) -> Outcome<Device> {
    let path = device.path().to_string_lossy().trim_end_matches('/').to_owned();
    if !path.starts_with('/') || device.path().components().any(|c| c == std::path::Component::ParentDir) {
        return Err(invalid(format!("device path '{path}' is not an absolute path without '..'")));
    }
    let kind = match device.typ() {
        LinuxDeviceType::B => Kind::Block,
        LinuxDeviceType::C | LinuxDeviceType::U => Kind::Character,
        LinuxDeviceType::P => Kind::Fifo,
        LinuxDeviceType::A => return Err(invalid(format!("device '{path}': type 'a' is no device's"))),
    };
    let number = |n: i64| {
        // The kernel has twelve bits for the major number and twenty for the minor one.
        u32::try_from(n).ok().filter(|n| *n < 1 << 20)
    };
    let numbers = if kind == Kind::Fifo { Some((0, 0)) } else { number(device.major()).zip(number(device.minor())) };
    let (major, minor) = numbers.ok_or_else(|| {
        invalid(format!("device '{path}': {}:{} is no device number", device.major(), device.minor()))
    })?;
    let mode = device.file_mode().unwrap_or(0o666) & 0o7777;
    Ok(Device { path, kind, major, minor, mode, uid: device.uid().unwrap_or(0), gid: device.gid().unwrap_or(0), bind })
}
