//! Volumes: made when a container first asks for them, filled with what the image has in their place, removed on demand.

use super::{Error, ErrorKind, JobContext, Output, Result, bulk};
use crate::engine::core::{Core, now};
use crate::engine::request::CreateVolumeArgs;
use crate::image::snapshot;
use crate::model::container::Container;
use crate::model::id::ContainerId;
use crate::model::image::Layer;
use crate::model::mount::{Mount, MountSource, Volume};
use crate::store::lock::FileLock;
use crate::store::{create_private_dir, dirs, records};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Sees to it that every volume of the container exists and is filled. May be called again.
pub(super) fn provide(core: &Core, container: &Container, layers: &[Layer]) -> Result<()> {
    for mount in &container.config.mounts {
        let (name, anonymous) = match &mount.source {
            MountSource::Bind { .. } => continue,
            MountSource::Volume { name } => (name, false),
            MountSource::Anonymous { name } => (name, true),
        };
        let during = |e: Error| e.during(format!("preparing volume {name}"));
        one(core, name, anonymous, mount, layers).map_err(during)?;
    }
    Ok(())
}

/// The data directory of a volume.
pub(super) fn data(core: &Core, name: &str) -> PathBuf {
    core.root.volume(name).join("_data")
}

/// Where each volume of the container is.
pub(super) fn directories(core: &Core, container: &Container) -> BTreeMap<String, PathBuf> {
    let name = |m: &Mount| match &m.source {
        MountSource::Volume { name } | MountSource::Anonymous { name } => Some(name.clone()),
        MountSource::Bind { .. } => None,
    };
    container.config.mounts.iter().filter_map(name).map(|n| (n.clone(), data(core, &n))).collect()
}

fn one(core: &Core, name: &str, anonymous: bool, mount: &Mount, layers: &[Layer]) -> Result<()> {
    crate::model::id::check_name(name).map_err(|e| Error::new(ErrorKind::Invalid, e.to_string()))?;
    if core.db.read(|c| records::is_volume_ready(c, name))? {
        return Ok(());
    }
    // Two containers that want it at once: one fills it, the other waits.
    let _filling = FileLock::exclusive(&core.root.run().join("locks").join(format!("volume-{name}")))?;
    if core.db.read(|c| records::is_volume_ready(c, name))? {
        return Ok(());
    }
    let volume = Volume { name: name.to_owned(), created: now(), anonymous, labels: BTreeMap::new() };
    let fresh = core.db.write(|t| records::insert_volume(t, &volume))?;
    let unused = !fresh && core.db.read(|c| records::is_volume_unused(c, name))?;
    if unused {
        core.db.write(|t| records::set_volume_unused(t, name, false))?;
    } else if !fresh {
        // An earlier filling was cut short: begin again, nobody has used it yet.
        dirs::remove_volume(&core.root, name)?;
    }
    let target = data(core, name);
    create_private_dir(&core.root.volume(name))?;
    if dirs::holds_files(&target) {
        // The database was lost, its files were not: they are taken as they are.
    } else if mount.no_copy {
        dirs::create_public_dir(&target)?;
    } else {
        snapshot::copy_up(&core.root, layers, &mount.target, &target)?;
    }
    core.db.write(|t| records::set_volume_ready(t, name))?;
    if !unused {
        core.emit("volume", "create", name, [("driver", "local".into())]);
        core.refresh_volumes();
    }
    Ok(())
}

/// An empty volume, to be filled by whoever uses it first; one that is there already is as good.
pub(super) async fn create(cx: &mut JobContext, args: CreateVolumeArgs) -> Result<Output> {
    let anonymous = args.name.is_none();
    let name = args.name.unwrap_or_else(|| ContainerId::random().to_string());
    let volume = Volume { name: name.clone(), created: now(), anonymous, labels: args.labels };
    let during = format!("creating volume {name}");
    let made = cx.blocking(move |core| {
        let name = volume.name.as_str();
        crate::model::id::check_name(name).map_err(|e| Error::new(ErrorKind::Invalid, e.to_string()))?;
        let _making = FileLock::exclusive(&core.root.run().join("locks").join(format!("volume-{name}")))?;
        let fresh = core.db.write(|t| {
            let fresh = records::insert_volume(t, &volume)?;
            if fresh {
                records::set_volume_unused(t, name, true)?;
            }
            Ok(fresh)
        })?;
        if fresh {
            create_private_dir(&core.root.volume(name))?;
            dirs::create_public_dir(&data(core, name))?;
            core.emit("volume", "create", name, [("driver", "local".into())]);
            core.refresh_volumes();
        }
        Ok(())
    });
    made.await.map_err(|e| e.during(during))?;
    Ok(Output::Many(vec![(name.clone(), Ok(name))]))
}

/// Containers that mount it, by name.
pub(super) fn users(core: &Core, name: &str) -> Result<Vec<String>> {
    let uses = |c: &Container| {
        c.config.mounts.iter().any(|m| match &m.source {
            MountSource::Volume { name: n } | MountSource::Anonymous { name: n } => n == name,
            MountSource::Bind { .. } => false,
        })
    };
    let rows = core.db.read(records::containers)?;
    Ok(rows.into_iter().filter(|r| uses(&r.container)).map(|r| r.container.name).collect())
}

pub(super) async fn remove(cx: &mut JobContext, volumes: Vec<String>, force: bool) -> Result<Output> {
    bulk::each(cx, volumes, move |core, name| async move {
        let worker = core.clone();
        let removed = move || -> Result<String> {
            match worker.volume(&name) {
                Err(e) if force && e.kind() == ErrorKind::NotFound => return Ok(name),
                other => other?,
            };
            let during = |e: Error| e.during(format!("removing volume {name}"));
            erase(&worker, &name).map_err(during)?;
            Ok(name)
        };
        tokio::task::spawn_blocking(removed)
            .await
            .map_err(|e| Error::new(ErrorKind::Internal, "a worker thread broke down").because(e.to_string()))?
    })
    .await
}

pub(super) fn erase(core: &Core, name: &str) -> Result<()> {
    let users = users(core, name)?;
    if !users.is_empty() {
        return Err(Error::new(ErrorKind::Conflict, "it is in use")
            .because(format!("by {}", users.join(", ")))
            .hint("remove these containers first"));
    }
    // The directory first: a row without one is made anew on demand, a directory without a row is swept.
    dirs::remove_volume(&core.root, name)?;
    core.db.write(|t| records::delete_volume(t, name))?;
    core.emit("volume", "destroy", name, []);
    core.refresh_volumes();
    core.notify(crate::engine::inventory::Event::Volume(name.to_owned()));
    Ok(())
}

/// Volumes that no container mounts.
pub(super) fn unused(core: &Arc<Core>) -> Result<Vec<Volume>> {
    let mut unused = Vec::new();
    for volume in core.db.read(records::volumes)? {
        if users(core, &volume.name)?.is_empty() {
            unused.push(volume);
        }
    }
    Ok(unused)
}
