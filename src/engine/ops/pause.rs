//! `pause`, `unpause`, `update`: what is changed on a container while it lives.

use super::{Error, ErrorKind, JobContext, Output, Result, bulk};
use crate::engine::core::Core;
use crate::engine::inventory::ContainerEntry;
use crate::engine::request::Targets;
use crate::model::container::{Limits, Status};
use crate::store::records;
use std::sync::Arc;

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

pub(super) async fn update(cx: &mut JobContext, containers: Vec<String>, limits: Limits) -> Result<Output> {
    if limits == Limits::default() {
        return Err(Error::new(ErrorKind::Invalid, "no limit to change was given"));
    }
    bulk::each(cx, containers, move |core, name| {
        let limits = limits.clone();
        async move {
            let during = |e: Error| e.during(format!("updating container {name}"));
            one(&core, &name, &limits).await.map_err(during)?;
            Ok(name)
        }
    })
    .await
}

/// First the kernel, which may refuse, then the record.
async fn one(core: &Arc<Core>, name: &str, changes: &Limits) -> Result<()> {
    let entry = core.container(name)?;
    let mut container = entry.container;
    container.config.limits = changed(&container.config.limits, changes);
    if entry.state.status.is_live() && entry.state.status != Status::Orphaned {
        core.task(&container.id).update(container.config.limits.clone()).await?;
    }
    core.db.write(|t| records::update_container(t, &container))?;
    core.emit_container("update", &container);
    core.refresh_container(&container.id);
    Ok(())
}

/// What is given replaces; what is not stays.
fn changed(now: &Limits, new: &Limits) -> Limits {
    Limits {
        memory: new.memory.or(now.memory),
        // Twice the memory unless said otherwise: an old default must not stand below the new memory.
        memory_swap: new.memory_swap.or(now.memory_swap),
        memory_reservation: new.memory_reservation.or(now.memory_reservation),
        nano_cpus: new.nano_cpus.or(if new.cpu_quota.is_some() { None } else { now.nano_cpus }),
        cpu_shares: new.cpu_shares.or(now.cpu_shares),
        cpu_quota: new.cpu_quota.or(if new.nano_cpus.is_some() { None } else { now.cpu_quota }),
        cpu_period: new.cpu_period.or(if new.nano_cpus.is_some() { None } else { now.cpu_period }),
        cpuset_cpus: new.cpuset_cpus.clone().or_else(|| now.cpuset_cpus.clone()),
        cpuset_mems: new.cpuset_mems.clone().or_else(|| now.cpuset_mems.clone()),
        pids: new.pids.or(now.pids),
        io_weight: new.io_weight.or(now.io_weight),
        oom_score_adj: new.oom_score_adj.or(now.oom_score_adj),
    }
}
