//! `update`: limits and the restart policy of a container, changed while it lives or before it starts again.

use super::{Error, ErrorKind, JobContext, Output, Result, bulk};
use crate::engine::core::Core;
use crate::model::container::{Limits, RestartPolicy, Status};
use crate::store::records;
use std::sync::Arc;

pub(super) async fn update(
    cx: &mut JobContext,
    containers: Vec<String>,
    limits: Limits,
    restart: Option<RestartPolicy>,
) -> Result<Output> {
    if limits == Limits::default() && restart.is_none() {
        return Err(Error::new(ErrorKind::Invalid, "nothing to change was given"));
    }
    bulk::each(cx, containers, move |core, name| {
        let (limits, restart) = (limits.clone(), restart.clone());
        async move {
            let during = |e: Error| e.during(format!("updating container {name}"));
            one(&core, &name, &limits, restart).await.map_err(during)?;
            Ok(name)
        }
    })
    .await
}

/// First the kernel, which may refuse, then the monitor, then the record.
async fn one(core: &Arc<Core>, name: &str, changes: &Limits, restart: Option<RestartPolicy>) -> Result<()> {
    let entry = core.container(name)?;
    let mut container = entry.container;
    if container.config.auto_remove && restart.as_ref().is_some_and(|policy| *policy != RestartPolicy::No) {
        return Err(Error::new(ErrorKind::Conflict, "it goes at its end (--rm), so nothing can restart it"));
    }
    container.config.limits = changed(&container.config.limits, changes);
    let status = entry.state.status;
    if (status.is_live() || status == Status::Restarting) && status != Status::Orphaned {
        let task = core.task(&container.id);
        if *changes != Limits::default() {
            task.update(container.config.limits.clone()).await?;
        }
        if let Some(policy) = &restart {
            task.restart_policy(policy.clone()).await?;
        }
    }
    if let Some(policy) = restart {
        container.config.restart = policy;
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
