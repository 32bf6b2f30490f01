//! What is in force and a change of something else has to know. Quota and period are one control file (v2) and one thing
//! to a service manager; memory and swap together are counted, but swap alone is written (v2).

use super::Group;
use oci_spec::runtime::LinuxResources;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    /// Microseconds of each period; -1: all.
    pub quota: Option<i64>,
    /// Microseconds.
    pub period: Option<u64>,
    /// Bytes, where v2 has a limit.
    pub memory: Option<i64>,
}

impl InForce {
    /// As far as the group's files can be read.
    pub fn of(group: &Group) -> InForce {
        let places = group.directories();
        let read = |controller: &str, file: &str| {
            let place = places.iter().find(|(name, _)| name.is_empty() || name == controller);
            place.and_then(|(_, dir)| std::fs::read_to_string(dir.join(file)).ok())
        };
        let number = |file: &str| read("cpu", file)?.trim().parse().ok();
        let (quota, period) = match read("cpu", "cpu.max") {
            Some(text) => quota_and_period(&text),
            None => (number("cpu.cfs_quota_us"), number("cpu.cfs_period_us").and_then(|n| u64::try_from(n).ok())),
        };
        let memory = read("memory", "memory.max").and_then(|text| text.trim().parse().ok());
        InForce { quota, period, memory }
    }

    /// What is wanted, with what it leaves out but cannot be set without.
    pub fn complete(self, mut wanted: LinuxResources) -> LinuxResources {
        if let Some(mut cpu) = wanted.cpu().clone() {
            match (cpu.quota().filter(|q| *q != 0), cpu.period().filter(|p| *p != 0)) {
                (None, Some(_)) => drop(cpu.set_quota(self.quota)),
                (Some(_), None) => drop(cpu.set_period(self.period)),
                _ => {}
            }
            wanted.set_cpu(Some(cpu));
        }
        if let Some(mut memory) = *wanted.memory()
            && memory.swap().is_some_and(|swap| swap > 0)
            && memory.limit().is_none_or(|limit| limit == 0)
        {
            memory.set_limit(self.memory);
            wanted.set_memory(Some(memory));
        }
        wanted
    }
}

/// From v2's `cpu.max`.
fn quota_and_period(text: &str) -> (Option<i64>, Option<u64>) {
    let mut words = text.split_whitespace();
    let quota = words.next().and_then(|word| if word == "max" { Some(-1) } else { word.parse().ok() });
    (quota, words.next().and_then(|word| word.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::cgroup::{Version, resources};
    use serde_json::{Value, json};

    fn written(version: Version, now: InForce, wanted: Value) -> Vec<String> {
        let wanted = now.complete(serde_json::from_value(wanted).unwrap());
        resources::settings(version, &wanted).unwrap().iter().map(|s| format!("{}={}", s.file, s.value)).collect()
    }

    #[test]
    fn quota_and_period_do_not_lose_each_other() {
        let (quota, period) = quota_and_period("10000 50000\n");
        let now = InForce { quota, period, memory: None };
        let v2 = |wanted| written(Version::V2, now, json!({ "cpu": wanted }));
        assert_eq!(v2(json!({ "period": 100_000 })), ["cpu.max=10000 100000"]);
        assert_eq!(v2(json!({ "quota": 20_000, "period": 0 })), ["cpu.max=20000 50000"]);
        assert_eq!(v2(json!({ "quota": -1 })), ["cpu.max=max 50000"]);
        assert_eq!(v2(json!({ "quota": 1_000, "period": 2_000 })), ["cpu.max=1000 2000"]);
        assert_eq!(v2(json!({ "shares": 1024 })), ["cpu.weight=100"]);
        let (quota, period) = quota_and_period("max 100000\n");
        let now = InForce { quota, period, memory: None };
        assert_eq!(written(Version::V2, now, json!({ "cpu": { "period": 5_000 } })), ["cpu.max=max 5000"]);
        let v1 = written(Version::V1, now, json!({ "cpu": { "period": 5_000 } }));
        assert_eq!(v1, ["cpu.cfs_period_us=5000", "cpu.cfs_quota_us=-1"]);
    }

    #[test]
    fn swap_is_what_goes_beyond_the_limit_in_force() {
        let now = InForce { memory: Some(100), ..InForce::default() };
        let swap = |now, wanted| written(Version::V2, now, json!({ "memory": wanted }));
        assert_eq!(swap(now, json!({ "swap": 180 })), ["memory.swap.max=80", "memory.max=100"]);
        assert_eq!(swap(now, json!({ "swap": 180, "limit": 150 })), ["memory.swap.max=30", "memory.max=150"]);
        assert_eq!(swap(now, json!({ "swap": -1 })), ["memory.swap.max=max"]);
        assert_eq!(swap(now, json!({ "reservation": 50 })), ["memory.low=50"]);
        let wanted = serde_json::from_value(json!({ "memory": { "swap": 180 } })).unwrap();
        let refused = resources::settings(Version::V2, &InForce::default().complete(wanted)).unwrap_err();
        assert!(refused.to_string().contains("needs a memory limit"), "{refused}");
    }
}
