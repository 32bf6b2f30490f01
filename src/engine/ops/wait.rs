//! `wait`: exit codes, once containers have ended for good.

use super::{JobContext, Output, Result};
use crate::engine::core::Core;
use crate::engine::ready::Ready;
use crate::engine::request::Targets;
use crate::model::container::{State, Status};
use crate::runtime::task;
use futures_util::future::try_join_all;
use std::os::fd::AsRawFd;
use std::sync::Arc;

pub(super) async fn wait(cx: &mut JobContext, targets: Targets) -> Result<Output> {
    let core = cx.core.clone();
    let all = try_join_all(targets.containers.iter().map(|name| one(&core, name)));
    Ok(Output::Waited(cx.or_cancelled(all).await??))
}

async fn one(core: &Arc<Core>, name: &str) -> Result<u8> {
    let entry = core.container(name)?;
    let state = end(core, entry.container.id.as_str(), entry.state).await?;
    Ok(state.exit.map_or(0, |exit| exit.code))
}

/// The last state of a container, once it has one.
pub(super) async fn end(core: &Arc<Core>, id: &str, state: State) -> Result<State> {
    match state.status {
        Status::Created | Status::Exited => Ok(state),
        Status::Running | Status::Paused | Status::Restarting => {
            match task::Task::at(core.root.container_run(id)).wait().await {
                Ok(state) => Ok(state),
                // Gone in good order between the look and the call, or killed.
                Err(task::Error::Gone(_) | task::Error::Lost(_)) => orphan(core, id).await,
                Err(e) => Err(e.into()),
            }
        }
        Status::Orphaned => orphan(core, id).await,
    }
}

/// Without a monitor the kernel still tells when the process has ended, though not how.
async fn orphan(core: &Arc<Core>, id: &str) -> Result<State> {
    let state = core.read_state(id);
    let Some(pidfd) = crate::runtime::state::init_of(&state) else { return Ok(state) };
    Ready::on(pidfd.as_raw_fd())?.wait().await?;
    Ok(core.read_state(id))
}
