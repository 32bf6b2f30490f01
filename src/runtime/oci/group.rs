//! The container's control group: where it is, its limits, its devices, its owner.

use super::config::Bundle;
use super::container::Record;
use super::{Outcome, Runtime, conflict, internal, invalid, namespaces, unsupported};
use crate::runtime::cgroup::{Group, OCI_PARENT, devices, resources, version};
use crate::sys::{channel, userns};
use std::path::PathBuf;

/// Absolute below every hierarchy. Relative ones and none at all are below teu's own place.
pub fn path(runtime: &Runtime, id: &str, bundle: &Bundle) -> Outcome<String> {
    let given = bundle.spec.linux().as_ref().and_then(|l| l.cgroups_path().clone());
    if runtime.systemd_cgroup {
        return Err(unsupported(
            "--systemd-cgroup is not supported yet: use the cgroupfs manager (podman: --cgroup-manager cgroupfs)",
        ));
    }
    let path = match given.filter(|p| !p.as_os_str().is_empty()) {
        None => return Ok(format!("{OCI_PARENT}/{id}")),
        Some(path) => path,
    };
    let parts: Vec<_> = path.components().filter(|c| !matches!(c, std::path::Component::RootDir)).collect();
    let plain = |c: &std::path::Component<'_>| matches!(c, std::path::Component::Normal(_));
    if parts.is_empty() || !parts.iter().all(plain) {
        return Err(invalid(format!("config.json: cgroupsPath '{}' leads out of its place", path.display())));
    }
    let inner: PathBuf = parts.into_iter().collect();
    Ok(if path.is_absolute() { format!("/{}", inner.display()) } else { format!("{OCI_PARENT}/{}", inner.display()) })
}

/// The group with its limits. Ours to remove when nobody had it before.
///
/// `made` gets it as soon as there is something to take back.
pub fn make(
    record: &mut Record,
    bundle: &Bundle,
    namespaces: &namespaces::Plan,
    made: &mut Option<Group>,
) -> Outcome<Group> {
    let refused = |e: crate::runtime::cgroup::Error| internal(format!("setting up the control group: {e}"));
    let identity = userns::identity();
    let optional = identity.in_user_namespace || channel::own_uid() != 0;
    let path = record.cgroup.clone();
    let (group, old) = Group::create_at(&path, optional).map_err(refused)?;
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
    let given = bundle.spec.linux().as_ref().and_then(|l| l.resources().as_ref());
    if let Some(given) = given {
        let settings = resources::settings(version(), given).map_err(refused)?;
        // Without a group, and by an ordinary user, only what was asked for is missed.
        if !(settings.is_empty() && group.path().is_empty()) {
            group.set(&settings).map_err(refused)?;
        }
    }
    // In a user namespace the kernel refuses devices by itself.
    if !optional && !namespaces.joins_users() {
        let listed = given.and_then(|r| r.devices().as_deref()).unwrap_or_default();
        let rules = devices::rules(listed).map_err(|e| invalid(format!("config.json: {e}")))?;
        group.restrict(&rules).map_err(refused)?;
    }
    if let Some(uid) = owner(bundle, namespaces) {
        group.give_to(uid).map_err(refused)?;
    }
    Ok(group)
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
