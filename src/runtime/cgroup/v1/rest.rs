//! Limits for single devices on v1, and those that v2 has no more.

use crate::runtime::cgroup::device_limits::explain;
use crate::runtime::cgroup::limits::{self, Plan};
use crate::runtime::cgroup::{Result, files};
use std::path::Path;

/// Microseconds, the kernel's.
const PERIOD: u64 = 1_000_000;

/// `set` takes the limit's name, controller, file and value; `cpu` is the group's directory there, `path` its place below
/// the hierarchy.
pub fn apply(
    plan: &Plan,
    cpu: Option<&Path>,
    path: &Path,
    set: &mut dyn FnMut(&str, &str, &str, &str) -> Result<()>,
) -> Result<()> {
    for device in &plan.devices {
        let (file, line) = device.v1();
        set(limits::DEVICES, "blkio", file, &line).map_err(explain)?;
    }
    if let Some(number) = plan.swappiness {
        set(limits::SWAPPINESS, "memory", "memory.swappiness", &number.to_string())?;
    }
    if let Some(off) = plan.oom_kill_disable {
        set(limits::OOM_KILL, "memory", "memory.oom_control", if off { "1" } else { "0" })?;
    }
    if let Some(period) = plan.rt_period {
        set(limits::REAL_TIME, "cpu", "cpu.rt_period_us", &period.to_string())?;
    }
    if let Some(runtime) = plan.rt_runtime {
        if let Some(dir) = cpu {
            provide(dir, path.components().count().saturating_sub(2), runtime, plan.rt_period);
        }
        set(limits::REAL_TIME, "cpu", "cpu.rt_runtime_us", &runtime.to_string())?;
    }
    Ok(())
}

/// A group has no real-time runtime unless those above it have as much to give: gives the `depth` groups above `dir` so much more, from the topmost on. What is refused there is refused below, and
/// said there.
fn provide(dir: &Path, depth: usize, runtime: u64, period: Option<u64>) {
    let above: Vec<&Path> = dir.ancestors().skip(1).take(depth).collect();
    for parent in above.into_iter().rev() {
        let number = |file: &str, default: u64| {
            let text = std::fs::read_to_string(parent.join(file)).unwrap_or_default();
            text.trim().parse().unwrap_or(default)
        };
        let share = u128::from(runtime) * u128::from(number("cpu.rt_period_us", PERIOD));
        let share = u64::try_from(share / u128::from(period.unwrap_or(PERIOD).max(1))).unwrap_or(u64::MAX);
        let file = "cpu.rt_runtime_us";
        let _ = files::raw_write(&parent.join(file), &number(file, 0).saturating_add(share).to_string());
    }
}
