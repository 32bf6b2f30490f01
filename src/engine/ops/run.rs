//! `run`: image, create, start and attach as one job with a child for each step.

use super::session::{self, End};
use super::{Error, ErrorKind, JobContext, Output, Result, create, remove, start};
use crate::engine::job::Chunk;
use crate::engine::request::RunArgs;
use crate::model::container::{Container, ContainerConfig};
use crate::model::id::ContainerId;
use crate::model::isolation::Users;
use crate::model::network::NetworkMode;
use crate::runtime::announced::Announced;
use crate::runtime::task::Attach;
use crate::store::records;

pub(super) async fn run(cx: &mut JobContext, args: RunArgs) -> Result<Output> {
    let ahead = cx.core.monitor_ahead()?;
    let (image, mut warnings) = create::find_image(cx, &args.create).await?;
    // The monitor makes ready while the container is made.
    let mut monitor = ahead.map_or_else(|| cx.core.begin_monitor(Announced::new_container()), Ok)?;
    if makes_network(&args.create.config) {
        monitor.expect_network().await?;
    }
    let id = monitor.id().cloned().unwrap_or_else(ContainerId::random);
    let mut child = cx.child("create", args.create.name.as_deref().unwrap_or(&args.create.image));
    let made = create::make(&mut child, &args.create, &image, id).await;
    let (container, more) = child.finish(made).await?;
    warnings.extend(more);
    let attach = (!args.detach).then_some(Attach {
        exec: None,
        stdin: args.stdin,
        replay: false,
        size: args.size,
        lossless: true,
    });
    let child = cx.child("start", &container.name);
    start::expect_root(&cx.core, &container, &image, &mut monitor).await?;
    let started = start::launch_with(&cx.core, &container, image, attach, monitor).await;
    let started = match child.finish(started).await {
        Ok(started) => started,
        Err(e) => return Err(after_failed_start(cx, &container, e).await),
    };
    let Some(session) = started.session else {
        warnings.extend(cx.core.read_state(container.id.as_str()).warnings);
        return Ok(Output::Container { id: container.id, warnings });
    };
    warn(cx, &container, warnings).await;
    // Its command is only just being executed: this takes no time from anybody.
    let _only_slower = cx.core.db.read(|c| records::expect_end(c, container.config.auto_remove));
    let end = session::pump(cx, &container.id, session).await?;
    let kept = || cx.core.read_state(container.id.as_str()).kept;
    if container.config.auto_remove && matches!(end, End::Exited(_)) && !kept() {
        clear_away(cx, &container).await;
    }
    cx.touch_container(&container.id);
    Ok(end.into())
}

/// What the launch will say ([`crate::runtime::launch::Launch::makes_network`]), known before the container is made. A wrong guess
/// costs time.
fn makes_network(config: &ContainerConfig) -> bool {
    matches!(config.network, NetworkMode::None | NetworkMode::Attached) && config.isolation.users == Users::default()
}

/// What could not be had as it was asked for; a front end that is gone needs no words.
async fn warn(cx: &JobContext, container: &Container, warnings: Vec<String>) {
    let Some(io) = &cx.io else { return };
    for warning in warnings.into_iter().chain(cx.core.read_state(container.id.as_str()).warnings) {
        io.send(Chunk::Notice(format!("warning: {warning}"))).await;
    }
}

/// Docker keeps a container that could not be started, unless it was to go at its end.
async fn after_failed_start(cx: &mut JobContext, container: &Container, mut error: Error) -> Error {
    if container.config.auto_remove {
        let gone = container.clone();
        let removed = cx.blocking(move |core| remove::delete(core, &gone, true)).await;
        if let Err(e) = removed {
            error.add_cleanup_failure(format!("removing container {}: {e}", container.name));
        }
        cx.touch_container(&container.id);
    }
    let error = error.during(format!("starting container {}", container.name));
    match error.kind() {
        ErrorKind::Cancelled => Error::cancelled(),
        _ => error,
    }
}

/// Its end has been seen here first, so it is removed here; the monitor finds nothing left to do.
async fn clear_away(cx: &mut JobContext, container: &Container) {
    cx.end_early();
    let gone = container.clone();
    if let Err(e) = cx.core.quick(move |core| remove::discard(core, &gone)).await {
        tracing::warn!(container = container.id.short(), error = %e, "removing a container that was to go at its end");
    }
}
