//! The OCI specification's `linux.resources` as writes to control files, for either version of control groups. Pure.
//!
//! The numbers are the specification's: no docker defaults, no least sizes; what the kernel refuses is an error that
//! names the file.

mod memory;

pub use memory::ignored;

use super::limits::{io_weight, weight_of_shares};
use super::{Error, Result, Version};
use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxResources, LinuxThrottleDevice};

/// The kernel's bounds of `cpu.shares` (`MIN_SHARES` and `MAX_SHARES` of its scheduler).
const LEAST_SHARES: u64 = 2;
const MOST_SHARES: u64 = 1 << 18;

/// One value for one file of one controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub controller: String,
    pub file: String,
    pub value: String,
    /// May be written again with the next one, when the order of two limits depends on what they were.
    pub retry: bool,
    pub absent: Absent,
}

/// What becomes of a setting whose file is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Absent {
    #[default]
    Refuse,
    Skip,
    /// File and value instead.
    Other(String, String),
}

struct List(Vec<Setting>);

impl List {
    fn push(&mut self, controller: &str, file: &str, value: impl ToString) {
        let (controller, file, value) = (controller.to_owned(), file.to_owned(), value.to_string());
        self.0.push(Setting { controller, file, value, retry: false, absent: Absent::Refuse });
    }

    fn or(&mut self, absent: Absent) {
        if let Some(last) = self.0.last_mut() {
            last.absent = absent;
        }
    }

    fn either(&mut self, controller: &str, file: &str, value: impl ToString) {
        self.push(controller, file, value);
        if let Some(last) = self.0.last_mut() {
            last.retry = true;
        }
    }
}

/// Everything but the devices: see [`super::device_rules`].
pub fn settings(version: Version, resources: &LinuxResources) -> Result<Vec<Setting>> {
    let mut list = List(Vec::new());
    let v2 = version == Version::V2;
    if let Some(memory) = resources.memory() {
        if v2 { memory::v2(&mut list, memory)? } else { memory::v1(&mut list, memory) }
    }
    if let Some(cpu) = resources.cpu() {
        if v2 { cpu_v2(&mut list, cpu)? } else { cpu_v1(&mut list, cpu)? }
    }
    if let Some(pids) = resources.pids() {
        // 0 is a real limit; only negative numbers lift it.
        let limit = pids.limit();
        list.push("pids", "pids.max", if limit < 0 { "max".to_owned() } else { limit.to_string() });
    }
    if let Some(block) = resources.block_io() {
        block_io(&mut list, block, v2)?;
    }
    for limit in resources.hugepage_limits().iter().flatten() {
        let (size, value) = (limit.page_size(), limit.limit());
        if size.is_empty() || !size.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(Error::Invalid(format!("huge page size '{size}' is not written like 2MB")));
        }
        let (name, value) = if v2 { ("max", max_or(value)) } else { ("limit_in_bytes", value.to_string()) };
        list.push("hugetlb", &format!("hugetlb.{size}.{name}"), &value);
        // Reservations, which newer kernels count too.
        list.push("hugetlb", &format!("hugetlb.{size}.rsvd.{name}"), &value);
        list.or(Absent::Skip);
    }
    network_and_rdma(&mut list, resources, v2)?;
    if let Some(unified) = resources.unified() {
        if !v2 && !unified.is_empty() {
            return Err(Error::Invalid("unified resources need control groups v2, which this machine has not".into()));
        }
        let mut keys: Vec<_> = unified.iter().collect();
        keys.sort();
        for (file, value) in keys {
            if file.contains('/') || !file.contains('.') {
                return Err(Error::Invalid(format!("unified resource '{file}' is no control file's name")));
            }
            list.push(file.split('.').next().unwrap_or(file), file, value);
        }
    }
    Ok(list.0)
}

fn max_or(value: i64) -> String {
    if value < 0 { "max".to_owned() } else { value.to_string() }
}

fn cpu_v1(list: &mut List, cpu: &LinuxCpu) -> Result<()> {
    if let Some(shares) = cpu.shares().filter(|s| *s != 0) {
        // The kernel would take the nearest without a word.
        if shares < LEAST_SHARES {
            return Err(Error::Invalid(format!("the minimum allowed cpu-shares is {LEAST_SHARES}")));
        }
        if shares > MOST_SHARES {
            return Err(Error::Invalid(format!("the maximum allowed cpu-shares is {MOST_SHARES}")));
        }
        list.push("cpu", "cpu.shares", shares);
    }
    if let Some(period) = cpu.period().filter(|p| *p != 0) {
        list.either("cpu", "cpu.cfs_period_us", period);
    }
    if let Some(quota) = cpu.quota().filter(|q| *q != 0) {
        list.either("cpu", "cpu.cfs_quota_us", quota);
    }
    burst(list, cpu, "cpu.cfs_burst_us");
    if let Some(period) = cpu.realtime_period().filter(|p| *p != 0) {
        list.either("cpu", "cpu.rt_period_us", period);
    }
    if let Some(runtime) = cpu.realtime_runtime().filter(|r| *r != 0) {
        list.either("cpu", "cpu.rt_runtime_us", runtime);
    }
    if let Some(idle) = cpu.idle() {
        list.push("cpu", "cpu.idle", idle);
    }
    cpuset(list, cpu);
    Ok(())
}

/// None is what a kernel without bursts has.
fn burst(list: &mut List, cpu: &LinuxCpu, file: &str) {
    if let Some(burst) = cpu.burst() {
        list.push("cpu", file, burst);
        if burst == 0 {
            list.or(Absent::Skip);
        }
    }
}

fn cpu_v2(list: &mut List, cpu: &LinuxCpu) -> Result<()> {
    if cpu.realtime_period().is_some_and(|p| p != 0) || cpu.realtime_runtime().is_some_and(|r| r != 0) {
        return Err(Error::Invalid("real-time cpu limits cannot be had with control groups v2".into()));
    }
    if let Some(idle) = cpu.idle() {
        list.push("cpu", "cpu.idle", idle);
    }
    if let Some(shares) = cpu.shares().filter(|s| *s != 0) {
        list.push("cpu", "cpu.weight", weight_of_shares(shares));
    }
    let (quota, period) = (cpu.quota().filter(|q| *q != 0), cpu.period().filter(|p| *p != 0));
    if quota.is_some() || period.is_some() {
        let quota = max_or(quota.unwrap_or(-1));
        list.either("cpu", "cpu.max", format!("{quota} {}", period.unwrap_or(100_000)));
    }
    burst(list, cpu, "cpu.max.burst");
    cpuset(list, cpu);
    Ok(())
}

fn cpuset(list: &mut List, cpu: &LinuxCpu) {
    let given = |value: &Option<String>| value.clone().filter(|text| !text.is_empty());
    if let Some(mems) = given(cpu.mems()) {
        list.push("cpuset", "cpuset.mems", mems);
    }
    if let Some(cpus) = given(cpu.cpus()) {
        list.push("cpuset", "cpuset.cpus", cpus);
    }
}

fn block_io(list: &mut List, block: &LinuxBlockIo, v2: bool) -> Result<()> {
    let leaves = block.weight_device().iter().flatten().any(|d| d.leaf_weight().is_some_and(|w| w != 0));
    if leaves || block.leaf_weight().is_some_and(|w| w != 0) {
        return Err(Error::Invalid("leaf weights of block devices are gone from the kernel since 5.0".into()));
    }
    if let Some(weight) = block.weight().filter(|w| *w != 0) {
        if v2 {
            list.push("io", "io.weight", io_weight(weight));
            list.or(Absent::Other("io.bfq.weight".into(), weight.to_string()));
        } else {
            list.push("blkio", "blkio.weight", weight);
            list.or(Absent::Other("blkio.bfq.weight".into(), weight.to_string()));
        }
    }
    for device in block.weight_device().iter().flatten() {
        let Some(weight) = device.weight().filter(|w| *w != 0) else { continue };
        let number = format!("{}:{}", device.major(), device.minor());
        if v2 {
            list.push("io", "io.weight", format!("{number} {}", io_weight(weight)));
            list.or(Absent::Other("io.bfq.weight".into(), format!("{number} {weight}")));
        } else {
            list.push("blkio", "blkio.weight_device", format!("{number} {weight}"));
            list.or(Absent::Other("blkio.bfq.weight_device".into(), format!("{number} {weight}")));
        }
    }
    let rates: [(&Option<Vec<LinuxThrottleDevice>>, &str, &str); 4] = [
        (block.throttle_read_bps_device(), "rbps", "read_bps"),
        (block.throttle_write_bps_device(), "wbps", "write_bps"),
        (block.throttle_read_iops_device(), "riops", "read_iops"),
        (block.throttle_write_iops_device(), "wiops", "write_iops"),
    ];
    for (devices, key, name) in rates {
        for device in devices.iter().flatten() {
            let number = format!("{}:{}", device.major(), device.minor());
            if v2 {
                let rate = if device.rate() == 0 { "max".to_owned() } else { device.rate().to_string() };
                list.push("io", "io.max", format!("{number} {key}={rate}"));
            } else {
                list.push("blkio", &format!("blkio.throttle.{name}_device"), format!("{number} {}", device.rate()));
            }
        }
    }
    Ok(())
}

fn network_and_rdma(list: &mut List, resources: &LinuxResources, v2: bool) -> Result<()> {
    if let Some(network) = resources.network() {
        let priorities = network.priorities().iter().flatten();
        if v2 && (network.class_id().is_some_and(|c| c != 0) || priorities.clone().next().is_some()) {
            return Err(Error::Invalid("network classes and priorities cannot be had with control groups v2".into()));
        }
        if let Some(class) = network.class_id().filter(|c| *c != 0) {
            list.push("net_cls", "net_cls.classid", class);
        }
        for priority in priorities {
            list.push("net_prio", "net_prio.ifpriomap", format!("{} {}", priority.name(), priority.priority()));
        }
    }
    let mut rdma: Vec<_> = resources.rdma().iter().flatten().collect();
    rdma.sort_by_key(|(device, _)| device.as_str());
    for (device, limits) in rdma {
        let mut value = device.clone();
        for (key, count) in [("hca_handle", limits.hca_handles()), ("hca_object", limits.hca_objects())] {
            if let Some(count) = count {
                value.push_str(&format!(" {key}={count}"));
            }
        }
        list.push("rdma", "rdma.max", value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn lines(version: Version, resources: Value) -> Vec<String> {
        let resources: LinuxResources = serde_json::from_value(resources).unwrap();
        settings(version, &resources).unwrap().iter().map(|s| format!("{}={}", s.file, s.value)).collect()
    }

    #[test]
    fn v1_takes_the_numbers_as_they_are() {
        let resources = json!({
            "memory": { "limit": 1048576, "swap": -1, "swappiness": 0 }, "pids": { "limit": 0 },
            "cpu": { "shares": 2, "quota": 5000, "period": 10000, "cpus": "0" },
            "blockIO": { "weight": 10, "throttleReadBpsDevice": [{ "major": 8, "minor": 0, "rate": 7 }] },
        });
        let expected = [
            "memory.limit_in_bytes=1048576",
            "memory.memsw.limit_in_bytes=-1",
            "memory.swappiness=0",
            "cpu.shares=2",
            "cpu.cfs_period_us=10000",
            "cpu.cfs_quota_us=5000",
            "cpuset.cpus=0",
            "pids.max=0",
            "blkio.weight=10",
            "blkio.throttle.read_bps_device=8:0 7",
        ];
        assert_eq!(lines(Version::V1, resources), expected);
    }

    #[test]
    fn v2_has_its_own_words() {
        let resources = json!({
            "memory": { "limit": 100, "swap": 150, "reservation": 50 }, "pids": { "limit": -1 },
            "cpu": { "shares": 1024, "period": 10000 },
            "unified": { "memory.high": "90", "cpu.uclamp.min": "max" },
            "hugepageLimits": [{ "pageSize": "2MB", "limit": 4 }], "rdma": { "mlx": { "hcaHandles": 3 } },
        });
        let expected = [
            "memory.swap.max=50",
            "memory.max=100",
            "memory.low=50",
            "cpu.weight=100",
            "cpu.max=max 10000",
            "pids.max=max",
            "hugetlb.2MB.max=4",
            "hugetlb.2MB.rsvd.max=4",
            "rdma.max=mlx hca_handle=3",
            "cpu.uclamp.min=max",
            "memory.high=90",
        ];
        assert_eq!(lines(Version::V2, resources), expected);
    }

    #[test]
    fn what_a_version_has_not_is_said() {
        let refuse = |version, resources: Value| {
            let resources: LinuxResources = serde_json::from_value(resources).unwrap();
            settings(version, &resources).unwrap_err().to_string()
        };
        assert!(refuse(Version::V1, json!({ "unified": { "memory.high": "1" } })).contains("v2"));
        assert!(refuse(Version::V2, json!({ "unified": { "../x": "1" } })).contains("no control file"));
        assert!(refuse(Version::V2, json!({ "cpu": { "realtimeRuntime": 5 } })).contains("real-time"));
        assert!(refuse(Version::V2, json!({ "memory": { "limit": 10, "swap": 5 } })).contains("less than"));
        assert!(refuse(Version::V2, json!({ "memory": { "swappiness": 0 } })).contains("memory.swappiness"));
        assert!(refuse(Version::V2, json!({ "memory": { "kernelTCP": 1 } })).contains("memory.kernelTCP"));
        assert!(refuse(Version::V1, json!({ "cpu": { "shares": 1 } })).contains("minimum allowed cpu-shares is 2"));
        assert!(refuse(Version::V1, json!({ "cpu": { "shares": 262_145 } })).contains("maximum allowed cpu-shares"));
    }

    /// runc's template of an update; a swappiness of -1 as an unsigned number.
    #[test]
    fn zeros_and_the_machine_s_own_are_nothing() {
        let template = json!({
            "memory": { "limit": 0, "reservation": 0, "swap": 0, "kernel": 0, "kernelTCP": 0, "swappiness": u64::MAX },
            "cpu": { "shares": 0, "quota": 0, "period": 0, "realtimeRuntime": 0, "realtimePeriod": 0, "cpus": "", "mems": "" },
            "blockIO": { "weight": 0 },
        });
        for version in [Version::V1, Version::V2] {
            assert_eq!(lines(version, template.clone()), [""; 0]);
        }
        let ignored = |value: Value| ignored(&serde_json::from_value(value).unwrap()).len();
        assert_eq!(ignored(template), 0);
        assert_eq!(ignored(json!({ "memory": { "kernel": -1, "useHierarchy": false } })), 2);
        assert_eq!(ignored(json!({ "memory": { "kernelTCP": 1, "useHierarchy": true } })), 0);
        assert_eq!(lines(Version::V1, json!({ "memory": { "kernel": 1 } })), [""; 0]);
    }
}
