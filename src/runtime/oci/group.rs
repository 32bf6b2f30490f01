//! The container's control group: where it is and who makes it, its limits, its devices, its owner.
//!
//! It is made here, before the first process; or by the service manager, which wants that process to put it there.

use super::config::Bundle;
use super::container::Record;
use super::{Outcome, Runtime, conflict, internal, invalid, namespaces, unsupported};
use crate::runtime::cgroup::{Group, OCI_PARENT, Version, devices, oci_group, resources, version};
use crate::runtime::init::report::During;
use crate::runtime::systemd::unit::{self, Unit};
use crate::runtime::systemd::{self, Manager};
use crate::sys::{channel, userns};
use std::path::{Component, PathBuf};

/// Where the group is.
#[derive(Debug)]
pub struct Place {
    /// Absolute below every hierarchy.
    pub path: String,
    /// The unit that has it, and the manager that makes it.
    pub unit: Option<(Unit, Manager)>,
}

pub fn refused(e: &systemd::Error) -> crate::runtime::protocol::Failure {
    internal(format!("the systemd control group manager: {e}"))
}

/// Relative paths are below teu's own place, or below the manager's.
pub fn place(runtime: &Runtime, id: &str, bundle: &Bundle) -> Outcome<Place> {
    let given = bundle.spec.linux().as_ref().and_then(|l| l.cgroups_path().clone()).unwrap_or_default();
    if runtime.no_cgroups {
        return Ok(Place { path: String::new(), unit: None });
    }
    if runtime.systemd_cgroup {
        if version() == Version::None {
            return Err(unsupported("--systemd-cgroup needs control groups, and none are mounted here"));
        }
        let user = runtime.is_user();
        let unit = Unit::parse(&given.to_string_lossy(), id, user).map_err(|e| invalid(format!("config.json: {e}")))?;
        let mut manager = Manager::connect(&runtime.buses, user).map_err(|e| refused(&e))?;
        let above = manager.control_group().map_err(|e| refused(&e))?;
        return Ok(Place { path: unit.path(&above), unit: Some((unit, manager)) });
    }
    if given.as_os_str().is_empty() {
        return Ok(Place { path: oci_group(id), unit: None });
    }
    let parts: Vec<_> = given.components().filter(|c| !matches!(c, Component::RootDir)).collect();
    let plain = |c: &Component<'_>| matches!(c, Component::Normal(_));
    if parts.is_empty() || !parts.iter().all(plain) || given.to_string_lossy().contains('\0') {
        return Err(invalid(format!("config.json: cgroupsPath '{}' leads out of its place", given.display())));
    }
    let inner: PathBuf = parts.into_iter().collect();
    let above = if given.is_absolute() { "" } else { OCI_PARENT };
    Ok(Place { path: format!("{above}/{}", inner.display()), unit: None })
}

/// An ordinary user may have to do without a group.
fn optional() -> bool {
    userns::identity().in_user_namespace || channel::own_uid() != 0
}

fn failed(e: crate::runtime::cgroup::Error) -> crate::runtime::protocol::Failure {
    internal(format!("setting up the control group: {e}"))
}

/// The group with its limits, unless it is the manager's to make. Ours to remove when nobody had it before; `made` gets
/// it as soon as there is something to take back.
pub fn make(
    record: &mut Record,
    bundle: &Bundle,
    namespaces: &namespaces::Plan,
    made: &mut Option<Group>,
) -> Outcome<Group> {
    if !record.unit.is_empty() {
        return Ok(Group::open_at(&record.cgroup));
    }
    let path = record.cgroup.clone();
    if path.is_empty() {
        return Ok(Group::open_at(""));
    }
    let (group, old) = Group::create_at(&path, optional()).map_err(failed)?;
    *made = Some(Group::open_at(&path));
    record.foreign_cgroup = old;
    if old && group.populated() {
        return Err(conflict(format!("the control group {path} is not empty")));
    }
    if group.frozen() {
        return Err(conflict(format!("the control group {path} is frozen")));
    }
    if group.path().is_empty() {
        record.cgroup = String::new();
    }
    furnish(&group, bundle, namespaces)?;
    Ok(group)
}

/// Lets the manager make the unit around that process, which waits.
pub fn attach(
    place: &mut Place,
    record: &Record,
    bundle: &Bundle,
    namespaces: &namespaces::Plan,
    made: &mut Option<Group>,
) -> Outcome<()> {
    let Some((unit, manager)) = &mut place.unit else { return Ok(()) };
    let wrong = |e: String| invalid(format!("config.json: {e}"));
    let groups = version();
    let mut properties = unit.properties(&record.id, record.pid, groups);
    let given = bundle.spec.linux().as_ref().and_then(|l| l.resources().as_ref());
    if let Some(given) = given {
        properties.extend(unit::limits(given, groups).map_err(wrong)?);
    }
    if groups == Version::V1 {
        let listed = given.and_then(|r| r.devices().as_deref()).unwrap_or_default();
        let rules = devices::rules(listed).map_err(wrong)?;
        let known = std::fs::read_to_string("/proc/devices").during("reading /proc/devices")?;
        properties.extend(systemd::devices::properties(&rules, &known));
    }
    if let Some(annotations) = bundle.spec.annotations() {
        properties.extend(unit::annotated(annotations).map_err(wrong)?);
    }
    manager.start(&unit.name, properties).map_err(|e| refused(&e))?;
    let mut group = Group::open_at(&place.path);
    *made = Some(Group::open_at(&place.path));
    match groups {
        // The manager has but some of v1's hierarchies. The process itself joins them all when it goes on.
        Version::V1 => group = Group::create_at(&place.path, false).map_err(failed)?.0,
        _ if !group.exists() => {
            return Err(internal(format!("the systemd control group manager made no group {}", place.path)));
        }
        _ if unit.is_slice() => group.join(record.pid).map_err(failed)?,
        _ => {}
    }
    furnish(&group, bundle, namespaces)
}

/// Limits, devices, owner.
fn furnish(group: &Group, bundle: &Bundle, namespaces: &namespaces::Plan) -> Outcome<()> {
    let given = bundle.spec.linux().as_ref().and_then(|l| l.resources().as_ref());
    if let Some(given) = given {
        let settings = resources::settings(version(), given).map_err(failed)?;
        // Without a group, and by an ordinary user, only what was asked for is missed.
        if !(settings.is_empty() && group.path().is_empty()) {
            group.set(&settings).map_err(failed)?;
        }
    }
    // In a user namespace the kernel refuses devices by itself.
    if !optional() && !namespaces.joins_users() {
        let listed = given.and_then(|r| r.devices().as_deref()).unwrap_or_default();
        let rules = devices::rules(listed).map_err(|e| invalid(format!("config.json: {e}")))?;
        group.restrict(&rules).map_err(failed)?;
    }
    owner(bundle, namespaces).map_or(Ok(()), |uid| group.give_to(uid).map_err(failed))
}

/// Ends the unit, if there is one: it goes by itself with its last process, and this only waits for it. A manager that
/// is away keeps nobody from removing the rest.
pub fn end_unit(runtime: &Runtime, record: &Record) {
    if !record.unit.is_empty() {
        let _ = Manager::connect(&runtime.buses, runtime.is_user()).and_then(|mut m| m.stop(&record.unit));
    }
}

/// Who owns the group: the container's user as the host counts, if the container may write into its own view of it
/// (config-linux.md, "Cgroup ownership").
fn owner(bundle: &Bundle, namespaces: &namespaces::Plan) -> Option<u32> {
    let writable = bundle.spec.mounts().iter().flatten().any(|mount| {
        let is = |path: &Option<PathBuf>, text: &str| path.as_ref().is_some_and(|p| p.as_os_str() == text);
        let read_only = mount.options().iter().flatten().any(|option| option == "ro");
        is(mount.source(), "cgroup") && mount.destination().as_os_str() == "/sys/fs/cgroup" && !read_only
    });
    let user = bundle.spec.process().as_ref()?.user().uid();
    if !writable || !namespaces.new_cgroup {
        return None;
    }
    let mut maps = namespaces.uid_map.iter();
    maps.find_map(|m| user.checked_sub(m.container_id()).filter(|n| *n < m.size())?.checked_add(m.host_id()))
}
