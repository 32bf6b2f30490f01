//! `start`: from a container's record to its monitor and its running process.

use super::{Error, ErrorKind, JobContext, Output, Result, bulk, volumes};
use crate::engine::core::{Core, now};
use crate::engine::request::Targets;
use crate::engine::{merge, networks};
use crate::image::snapshot::RootfsParts;
use crate::model::container::{Container, State, Status};
use crate::model::image::Image;
use crate::runtime::announced::Announced;
use crate::runtime::bundle::{self, BundleInput};
use crate::runtime::launch::{Launch, RootAhead, Rootfs};
use crate::runtime::machine::Machine;
use crate::runtime::state;
use crate::runtime::task::{Attach, Started, Starting};
use crate::store::{create_private_dir, records};
use crate::sys::userns;
use std::path::Path;
use std::sync::Arc;

pub(super) async fn start(cx: &mut JobContext, targets: Targets) -> Result<Output> {
    bulk::each(cx, targets.containers, move |core, name| async move {
        let entry = core.container(&name)?;
        if entry.state.status == Status::Running {
            // As docker has it: nothing to do, and no failure.
            return Ok(name);
        }
        unless_running(&core, &entry.container).await.map_err(|e| e.during(format!("starting container {name}")))?;
        Ok(name)
    })
    .await
}

/// Starts it; that another teu was quicker is as good.
pub(super) async fn unless_running(core: &Arc<Core>, container: &Container) -> Result<()> {
    match one(core, container).await {
        Err(e) if e.kind() == ErrorKind::Conflict => match core.read_state(container.id.as_str()).status {
            Status::Running => Ok(()),
            _ => Err(e),
        },
        started => started.map(drop),
    }
}

/// Starts it with nobody attached.
pub(super) async fn one(core: &Arc<Core>, container: &Container) -> Result<Started> {
    launch(core, container, None).await
}

/// Starts it; with `attach` the connection is its first session and misses nothing.
pub(super) async fn launch(core: &Arc<Core>, container: &Container, attach: Option<Attach>) -> Result<Started> {
    let monitor = core.begin_monitor(Announced::default())?;
    let record = container.clone();
    let image = core.quick(move |core| image_of(core, &record)).await?;
    launch_with(core, container, image, attach, monitor).await
}

/// The same of an image that is known, with a monitor that was begun earlier.
pub(super) async fn launch_with(
    core: &Arc<Core>,
    container: &Container,
    image: Image,
    attach: Option<Attach>,
    monitor: Starting,
) -> Result<Started> {
    let (record, size) = (container.clone(), attach.as_ref().and_then(|a| a.size));
    let (launch, starting) = core.quick(move |core| prepare(core, &record, &image, size)).await?;
    let started = monitor.launch(&launch, attach).await;
    // Its addresses are its own: by the start so far, from here on because it runs.
    drop(starting);
    core.refresh_container(&container.id);
    Ok(started?)
}

/// Lets the container's root be mounted while the rest of its launch is worked out.
pub(super) async fn expect_root(
    core: &Arc<Core>,
    container: &Container,
    image: &Image,
    monitor: &mut Starting,
) -> Result<()> {
    let parts = core.snapshotter()?.prepare(container.id.as_str(), &image.layers)?;
    let root = RootAhead {
        rootfs: rootfs(parts, container.config.read_only),
        user_namespace: userns::identity().in_user_namespace,
        volatile: container.config.auto_remove,
    };
    Ok(monitor.expect_root(&root).await?)
}

fn image_of(core: &Core, container: &Container) -> Result<Image> {
    core.db.read(|c| records::image(c, &container.image))?.ok_or_else(|| {
        Error::new(ErrorKind::Corrupt, format!("image {} of this container is gone", container.image.short()))
            .hint(format!("pull {} again", container.image_ref))
    })
}

/// Everything the monitor is told.
fn prepare(
    core: &Arc<Core>,
    container: &Container,
    image: &Image,
    size: Option<(u16, u16)>,
) -> Result<(Launch, Option<networks::Starting>)> {
    let id = container.id.as_str();
    let (dir, run_dir) = (core.root.container(id), core.root.container_run(id));
    let state = clear_way(core, container)?;
    let again = networks::look_again(core, container)?;
    let container = again.as_ref().unwrap_or(container);
    create_private_dir(&run_dir)?;
    let parts = core.snapshotter()?.prepare(id, &image.layers)?;
    volumes::provide(core, container, &image.layers)?;
    let (network, starting) = networks::start_plan(core, container)?;
    let launch = bundle::launch(&BundleInput {
        network,
        container,
        image: &merge::published(image)?,
        rootfs: rootfs(parts, container.config.read_only),
        dir,
        run_dir,
        event_log: core.root.event_log(),
        volumes: &volumes::directories(core, container),
        identity: userns::identity(),
        machine: Machine::HERE,
        size,
        restarts: state.restarts,
        on_end: if container.config.auto_remove { on_end(core, id) } else { Vec::new() },
    })?;
    Ok((launch, starting))
}

/// Refuses a live container; tidies after a monitor that was killed.
fn clear_way(core: &Core, container: &Container) -> Result<State> {
    let id = container.id.as_str();
    let (dir, run_dir) = (core.root.container(id), core.root.container_run(id));
    let state = state::read(&dir, &run_dir)?;
    match state.status {
        Status::Created => Ok(state),
        Status::Exited => Ok(state::clean_up(&dir, &run_dir, now())?),
        status => {
            let conflict = |why: String| Error::new(ErrorKind::Conflict, why);
            Err(match status {
                Status::Paused => conflict("it is paused".into()).hint("`teu unpause` lets it go on"),
                Status::Orphaned => {
                    conflict("it runs, but its monitor was killed".into()).hint("`teu restart` starts it anew")
                }
                _ => conflict(format!("it is {} already", status.word())),
            })
        }
    }
}

fn rootfs(parts: RootfsParts, read_only: bool) -> Rootfs {
    match parts {
        RootfsParts::Overlay { lower, upper, work } => Rootfs::Overlay { lower, upper, work, read_only },
        RootfsParts::Directory { path } => Rootfs::Directory { path, read_only },
    }
}

/// The command that removes a `--rm` container when nobody else does.
fn on_end(core: &Core, id: &str) -> Vec<String> {
    let path = |path: &Path| path.display().to_string();
    vec![
        path(&core.options.program),
        "--data-dir".into(),
        path(core.root.data()),
        "--run-dir".into(),
        path(core.root.run()),
        "__reap".into(),
        id.to_owned(),
    ]
}
