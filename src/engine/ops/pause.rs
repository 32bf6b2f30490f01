//! `pause`, `unpause`: a container's processes stand still, and go on.

use super::{Error, ErrorKind, JobContext, Output, Result, bulk};
use crate::engine::core::Core;
use crate::engine::inventory::ContainerEntry;
use crate::engine::request::Targets;
use crate::model::container::Status;

pub(super) async fn pause(cx: &mut JobContext, targets: Targets) -> Result<Output> {
    bulk::each(cx, targets.containers, move |core, name| async move {
        let entry = running(&core, &name)?;
        let done = core.task(&entry.container.id).pause().await;
        core.refresh_container(&entry.container.id);
        done.map_err(|e| Error::from(e).during(format!("pausing container {name}")))?;
        Ok(name)
    })
    .await
}

pub(super) async fn resume(cx: &mut JobContext, targets: Targets) -> Result<Output> {
    bulk::each(cx, targets.containers, move |core, name| async move {
        let entry = core.container(&name)?;
        let during = format!("resuming container {name}");
        if entry.state.status != Status::Paused {
            return Err(Error::new(ErrorKind::Conflict, during).because("it is not paused"));
        }
        let done = core.task(&entry.container.id).resume().await;
        core.refresh_container(&entry.container.id);
        done.map_err(|e| Error::from(e).during(during))?;
        Ok(name)
    })
    .await
}

/// Docker's message for what needs a running container.
pub(super) fn running(core: &Core, name: &str) -> Result<ContainerEntry> {
    let entry = core.container(name)?;
    match entry.state.status {
        Status::Running => Ok(entry),
        Status::Paused => Err(Error::new(ErrorKind::Conflict, format!("container {name} is paused"))
            .hint(format!("`teu unpause {name}` lets it go on"))),
        Status::Orphaned => Err(Error::new(ErrorKind::Conflict, format!("container {name} has lost its monitor"))
            .because("it still runs, but nobody can reach its streams any more")
            .hint(format!("stop it and start it again: `teu restart {name}`"))),
        Status::Created | Status::Exited | Status::Restarting => {
            Err(Error::new(ErrorKind::Conflict, format!("container {name} is not running"))
                .hint(format!("`teu start {name}` starts it")))
        }
    }
}
