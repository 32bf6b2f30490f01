//! `rm`: a container with its directories, names and anonymous volumes.

use super::{Error, ErrorKind, JobContext, Output, Result, bulk};
use crate::engine::core::Core;
use crate::engine::inventory::ContainerEntry;
use crate::engine::request::RemoveArgs;
use crate::model::container::Container;
use crate::model::mount::MountSource;
use crate::store::lock::FileLock;
use crate::store::records::{self, Busy};
use crate::store::{Owner, dirs};
use std::sync::Arc;

pub(super) async fn remove(cx: &mut JobContext, args: RemoveArgs) -> Result<Output> {
    let RemoveArgs { containers, force, volumes } = args;
    bulk::each(cx, containers, move |core, name| async move {
        let entry = core.container(&name)?;
        one(&core, entry, force, volumes).await.map_err(|e| e.during(format!("removing container {name}")))?;
        Ok(name)
    })
    .await
}

/// Removes one container; a live one only by `force`.
pub(crate) async fn one(core: &Arc<Core>, entry: ContainerEntry, force: bool, volumes: bool) -> Result<()> {
    if entry.state.status.is_live() && !force {
        return Err(Error::new(ErrorKind::Conflict, format!("it is {}", entry.state.status.word()))
            .hint("stop it first, or force its removal (-f)"));
    }
    let worker = core.clone();
    let container = entry.container.clone();
    let removal = tokio::task::spawn_blocking(move || delete(&worker, &container, volumes));
    removal
        .await
        .map_err(|e| Error::new(ErrorKind::Internal, "a worker thread broke down").because(e.to_string()))??;
    core.emit_container("destroy", &entry.container);
    core.refresh_container(&entry.container.id);
    Ok(())
}

/// The steps on disk, safe to run again. The monitor's own lock is held meanwhile, so none can start or still live.
pub(crate) fn delete(core: &Core, container: &Container, volumes: bool) -> Result<()> {
    let lock = core.root.container_run(container.id.as_str()).join("lock");
    let Some(_held) = FileLock::try_exclusive(&lock)? else {
        return Err(Error::new(ErrorKind::Conflict, "its monitor still runs"));
    };
    core.db.write(|t| records::set_busy(t, &container.id, Some(Busy::Remove(Owner::this()))))?;
    erase(core, container)?;
    if volumes {
        remove_anonymous_volumes(core, container)?;
    }
    Ok(())
}

/// Directories first, the row last: until then the removal can be taken up by anybody.
pub(crate) fn erase(core: &Core, container: &Container) -> Result<()> {
    erase_dirs(core, container.id.as_str())?;
    core.db.write(|t| records::delete_container(t, container.id.as_str()))?;
    Ok(())
}

pub(crate) fn erase_dirs(core: &Core, id: &str) -> Result<()> {
    Ok(dirs::remove_container(&core.root, id)?)
}

fn remove_anonymous_volumes(core: &Core, container: &Container) -> Result<()> {
    for mount in &container.config.mounts {
        if let MountSource::Anonymous { name } = &mount.source {
            core.db.write(|t| records::delete_volume(t, name))?;
            dirs::remove_volume(&core.root, name)?;
            core.emit("volume", "destroy", name, []);
            core.refresh_volumes();
        }
    }
    Ok(())
}
