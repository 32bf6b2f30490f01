//! `rm`: a container with its directories, names and anonymous volumes.

use super::window::{Verdict, second_thoughts};
use super::{Error, ErrorKind, JobContext, Output, Result, bulk, stop, volumes};
use crate::engine::core::{Core, now};
use crate::engine::inventory::ContainerEntry;
use crate::engine::networks;
use crate::engine::request::RemoveArgs;
use crate::model::container::{Container, Status};
use crate::model::mount::MountSource;
use crate::runtime::state;
use crate::store::records::{self, Busy};
use crate::store::{self, Owner, Trouble, create_private_dir, dirs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(super) async fn remove(cx: &mut JobContext, args: RemoveArgs) -> Result<Output> {
    let RemoveArgs { containers, force, volumes, undo } = args;
    if let Some(window) = undo {
        return in_two_steps(cx, containers, force, volumes, window).await;
    }
    bulk::each(cx, containers, move |core, name| async move {
        let entry = core.container(&name)?;
        one(&core, entry, force, volumes).await.map_err(|e| e.during(format!("removing container {name}")))?;
        Ok(name)
    })
    .await
}

/// Ends and hides all of them; deletes them when the window is over, shows them again when the job is cancelled.
async fn in_two_steps(
    cx: &mut JobContext,
    names: Vec<String>,
    force: bool,
    volumes: bool,
    window: Duration,
) -> Result<Output> {
    let hidden: Arc<Mutex<Vec<Container>>> = Arc::default();
    let note = hidden.clone();
    let outcome = bulk::each(cx, names, move |core, name| {
        let note = note.clone();
        async move {
            let entry = core.container(&name)?;
            let during = |e: Error| e.during(format!("removing container {name}"));
            end(&core, &entry, force).await.map_err(during)?;
            if hide(&core, &entry.container).map_err(during)? {
                note.lock().unwrap_or_else(PoisonError::into_inner).push(entry.container);
            }
            Ok(name)
        }
    })
    .await?;
    let hidden = std::mem::take(&mut *hidden.lock().unwrap_or_else(PoisonError::into_inner));
    for container in &hidden {
        let (core, container) = (cx.core.clone(), container.clone());
        cx.undo.push(format!("bringing container {} back", container.name), move || show(&core, &container));
    }
    if !hidden.is_empty() && second_thoughts(cx, window).await == Verdict::TakeBack {
        return Err(Error::cancelled());
    }
    cx.undo.commit();
    cx.blocking(move |core| {
        hidden.iter().try_for_each(|container| {
            delete(core, container, volumes).map_err(|e| {
                // It is not gone, so it shall be seen; what keeps it is what the job ends with.
                let _also_failed = show(core, container);
                e.during(format!("removing container {}", container.name))
            })
        })
    })
    .await?;
    Ok(outcome)
}

/// `false`: it has gone for good, by its own `--rm`.
fn hide(core: &Core, container: &Container) -> Result<bool> {
    match core.db.write(|t| records::set_busy(t, &container.id, Some(Busy::Remove(Owner::this())))) {
        Err(store::Error::Gone { .. }) => return Ok(false),
        marked => marked?,
    }
    core.refresh_container(&container.id);
    Ok(true)
}

/// It comes back in any case; that its name has gone to another one meanwhile is said.
fn show(core: &Core, container: &Container) -> Result<()> {
    let name = core.db.write(|t| records::restore_container(t, container))?;
    core.refresh_container(&container.id);
    if name == container.name {
        return Ok(());
    }
    core.emit_renamed(&Container { name: name.clone(), ..container.clone() }, &container.name);
    Err(Error::new(ErrorKind::Conflict, format!("its name was taken meanwhile, it is called {name} now")))
}

/// A live one only by `force`.
async fn end(core: &Arc<Core>, entry: &ContainerEntry, force: bool) -> Result<()> {
    let status = entry.state.status;
    if status.is_live() || status == Status::Restarting {
        if !force {
            return Err(Error::new(ErrorKind::Conflict, format!("it is {}", status.word()))
                .hint("stop it first, or force its removal (-f)"));
        }
        stop::one(core, entry, Some(stop::SIGKILL), Some(Duration::ZERO), stop::Purpose::Stop).await?;
    }
    Ok(())
}

/// Removes one container; a live one only by `force`.
pub(crate) async fn one(core: &Arc<Core>, entry: ContainerEntry, force: bool, volumes: bool) -> Result<()> {
    end(core, &entry, force).await?;
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
    match state::clean_up(&core.root.container(container.id.as_str()), &run_dir, now()) {
        Ok(state) => networks::forget(core, &container.id, &state),
        Err(e) => tracing::warn!(container = container.id.short(), error = %e, "clearing away what a monitor left"),
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

/// The same for the end of a foreground `run --rm`, whose monitor is still there: name and record go now, the monitor
/// deletes the directories. Killed in between, it leaves directories that are nobody's, for the next sweep.
pub(crate) fn discard(core: &Core, container: &Container) -> Result<()> {
    let id = container.id.as_str();
    let delete = || core.history.flush_with(core, |t| records::delete_container(t, id).map(drop));
    if let Err(e) = delete() {
        if e.trouble() != Some(Trouble::Full) {
            return Err(e.into());
        }
        core.db.use_reserve();
        delete()?;
    }
    dirs::set_aside(&core.root, id, &state::set_aside(&core.root.container(id)))?;
    core.db.keep_reserve();
    core.emit_container("destroy", container);
    remove_anonymous_volumes(core, container)?;
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
            // By --volumes-from another one may have it, too.
            if volumes::users(core, name)?.iter().any(|user| *user != container.name) {
                continue;
            }
            core.db.write(|t| records::delete_volume(t, name))?;
            dirs::remove_volume(&core.root, name)?;
            core.emit("volume", "destroy", name, []);
            core.refresh_volumes();
        }
    }
    Ok(())
}
