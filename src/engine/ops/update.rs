//! `update`: limits and the restart policy of a container, changed while it lives or before it starts again.

use super::{Error, ErrorKind, JobContext, Output, Result, bulk};
use crate::engine::core::Core;
use crate::model::container::{Limits, RestartPolicy, Status};
use crate::runtime::cgroup;
use crate::store::records;
use std::sync::{Arc, Mutex, PoisonError};

pub(super) async fn update(
    cx: &mut JobContext,
    containers: Vec<String>,
    limits: Limits,
    restart: Option<RestartPolicy>,
) -> Result<Output> {
    if limits == Limits::default() && restart.is_none() {
        return Err(Error::new(ErrorKind::Invalid, "nothing to change was given"));
    }
    let told = Arc::new(Mutex::new(Vec::new()));
    let warnings = told.clone();
    let output = bulk::each(cx, containers, move |core, name| {
        let (limits, restart, warnings) = (limits.clone(), restart.clone(), warnings.clone());
        async move {
            let during = |e: Error| e.during(format!("updating container {name}"));
            let lines = one(&core, &name, &limits, restart).await.map_err(during)?;
            let mut warnings = warnings.lock().unwrap_or_else(PoisonError::into_inner);
            warnings.extend(lines.into_iter().map(|line| format!("{name}: {line}")));
            Ok(name)
        }
    })
    .await?;
    let mut warnings = std::mem::take(&mut *told.lock().unwrap_or_else(PoisonError::into_inner));
    warnings.sort();
    Ok(match output {
        Output::Many(results) => Output::Updated { results, warnings },
        other => other,
    })
}

/// First what the limits make together, then the kernel, which may refuse, then the monitor, then the record. What of the
/// changes this machine cannot apply.
async fn one(core: &Arc<Core>, name: &str, changes: &Limits, restart: Option<RestartPolicy>) -> Result<Vec<String>> {
    let entry = core.container(name)?;
    let mut container = entry.container;
    if container.config.auto_remove && restart.as_ref().is_some_and(|policy| *policy != RestartPolicy::No) {
        return Err(Error::new(ErrorKind::Conflict, "it goes at its end (--rm), so nothing can restart it"));
    }
    container.config.limits = changed(&container.config.limits, changes);
    if *changes != Limits::default() {
        cgroup::check(&container.config.limits).map_err(|e| Error::new(ErrorKind::Invalid, e.to_string()))?;
    }
    let mut warnings = Vec::new();
    let status = entry.state.status;
    if (status.is_live() || status == Status::Restarting) && status != Status::Orphaned {
        let task = core.task(&container.id);
        if *changes != Limits::default() {
            // All of them, and what is taken away as such.
            let mut all = container.config.limits.clone();
            all.pids = changes.pids.or(all.pids);
            warnings = cgroup::about(changes, task.update(all).await?);
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
    Ok(warnings)
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
        pids: new.pids.or(now.pids).filter(|n| *n != Limits::NO_PIDS_LIMIT),
        io_weight: new.io_weight.or(now.io_weight),
        oom_score_adj: new.oom_score_adj.or(now.oom_score_adj),
        memory_swappiness: new.memory_swappiness.or(now.memory_swappiness),
        oom_kill_disable: new.oom_kill_disable.or(now.oom_kill_disable),
        cpu_rt_period: new.cpu_rt_period.or(now.cpu_rt_period),
        cpu_rt_runtime: new.cpu_rt_runtime.or(now.cpu_rt_runtime),
        device_weights: either(&new.device_weights, &now.device_weights),
        device_rates: either(&new.device_rates, &now.device_rates),
    }
}

fn either<T: Clone>(new: &[T], now: &[T]) -> Vec<T> {
    if new.is_empty() { now.to_vec() } else { new.to_vec() }
}
