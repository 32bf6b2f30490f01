//! `rm`: a container with its directories, names and anonymous volumes.

use super::{Error, ErrorKind, JobContext, Output, Result, bulk, stop};
use crate::engine::core::{Core, now};
use crate::engine::inventory::ContainerEntry;
use crate::engine::request::RemoveArgs;
use crate::model::container::{Container, Status};
use crate::model::mount::MountSource;
use crate::runtime::state;
use crate::store::records::{self, Busy};
use crate::store::{self, Owner, Trouble, create_private_dir, dirs};
use std::sync::Arc;
use std::time::Duration;

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
    let status = entry.state.status;
    if status.is_live() || status == Status::Restarting {
        if !force {
            return Err(Error::new(ErrorKind::Conflict, format!("it is {}", status.word()))
                .hint("stop it first, or force its removal (-f)"));
        }
        stop::one(core, &entry, Some(stop::SIGKILL), Some(Duration::ZERO)).await?;
    }
    let (worker, container) = (core.clone(), entry.container);
    let removal = tokio::task::spawn_blocking(move || delete(&worker, &container, volumes));
    removal.await.map_err(|e| Error::new(ErrorKind::Internal, "a worker thread broke down").because(e.to_string()))?
}

/// The steps on disk, safe to run again. The monitor's own lock is held meanwhile, so none can start or still live.
pub(crate) fn delete(core: &Core, container: &Container, volumes: bool) -> Result<()> {
    let run_dir = core.root.container_run(container.id.as_str());
    create_private_dir(&run_dir)?;
    // Before the lock is ours: it looks whether somebody has it. Its last word on the state may find the disk full,
    // which a removal mends.
    if let Err(e) = state::clean_up(&core.root.container(container.id.as_str()), &run_dir, now()) {
        tracing::warn!(container = container.id.short(), error = %e, "clearing away what a monitor left");
    }
    let Some(_held) = state::take_lock(&run_dir)? else {
        return Err(Error::new(ErrorKind::Conflict, "its monitor still runs"));
    };
    after_end(core, container, volumes)
}

/// Removes a container of which it is known that nothing lives any more.
pub(crate) fn after_end(core: &Core, container: &Container, volumes: bool) -> Result<()> {
    let mark = || core.db.write(|t| records::set_busy(t, &container.id, Some(Busy::Remove(Owner::this()))));
    match mark() {
        Err(e) if e.trouble() == Some(Trouble::Full) => {
            core.db.use_reserve();
            mark()?;
        }
        // A `--rm` container's own end was quicker. What we made to look at it goes too.
        Err(store::Error::Gone { .. }) => return erase_dirs(core, container.id.as_str()),
        marked => marked?,
    }
    erase(core, container)?;
    core.db.keep_reserve();
    core.emit_container("destroy", container);
    if volumes {
        remove_anonymous_volumes(core, container)?;
    }
    core.refresh_container(&container.id);
    Ok(())
}

/// Directories first, the row last: until then the removal can be taken up by anybody.
pub(crate) fn erase(core: &Core, container: &Container) -> Result<()> {
    erase_dirs(core, container.id.as_str())?;
    core.db.write(|t| records::delete_container(t, container.id.as_str()))?;
    Ok(())
}

pub(crate) fn erase_dirs(core: &Core, id: &str) -> Result<()> {
    core.snapshotter()?.remove(id)?;
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
