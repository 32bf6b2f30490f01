//! The fields of `HostConfig` that say how much a container may use.

use crate::model::container::{Limits, RateKind};
use serde_json::{Value, json};

/// Docker's zeroes stand for "no limit"; its swap default is twice the memory.
pub(super) fn host_config(l: &Limits) -> Value {
    let swap = match (l.memory_swap, l.memory) {
        (Some(swap), _) => swap,
        (None, Some(memory)) => i64::try_from(memory.saturating_mul(2)).unwrap_or(i64::MAX),
        (None, None) => 0,
    };
    let rates = |kind: RateKind| -> Vec<Value> {
        let of_kind = l.device_rates.iter().filter(|d| d.kind == kind);
        of_kind.map(|d| json!({"Path": d.path, "Rate": d.rate})).collect()
    };
    json!({
        "Memory": l.memory.unwrap_or(0),
        "MemorySwap": swap,
        "MemoryReservation": l.memory_reservation.unwrap_or(0),
        "NanoCpus": l.nano_cpus.unwrap_or(0),
        "CpuShares": l.cpu_shares.unwrap_or(0),
        "CpuQuota": l.cpu_quota.unwrap_or(0),
        "CpuPeriod": l.cpu_period.unwrap_or(0),
        "CpusetCpus": l.cpuset_cpus.clone().unwrap_or_default(),
        "CpusetMems": l.cpuset_mems.clone().unwrap_or_default(),
        "PidsLimit": l.pids.unwrap_or(0),
        "BlkioWeight": l.io_weight.unwrap_or(0),
        "BlkioWeightDevice": l.device_weights.iter().map(|d| json!({"Path": d.path, "Weight": d.weight})).collect::<Vec<_>>(),
        "BlkioDeviceReadBps": rates(RateKind::ReadBytes),
        "BlkioDeviceWriteBps": rates(RateKind::WriteBytes),
        "BlkioDeviceReadIOps": rates(RateKind::ReadOperations),
        "BlkioDeviceWriteIOps": rates(RateKind::WriteOperations),
        "MemorySwappiness": l.memory_swappiness,
        "CpuRealtimePeriod": l.cpu_rt_period.unwrap_or(0),
        "CpuRealtimeRuntime": l.cpu_rt_runtime.unwrap_or(0),
        "OomKillDisable": l.oom_kill_disable.unwrap_or(false),
    })
}
