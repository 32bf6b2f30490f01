//! Which control group hierarchies this machine has, read from `/proc/self/mountinfo`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The v1 controllers teu puts containers into, where they are mounted.
pub const V1_CONTROLLERS: [&str; 8] = ["memory", "cpu", "cpuacct", "cpuset", "pids", "blkio", "freezer", "devices"];

/// Those an OCI configuration may name beside them.
const V1_OTHERS: [&str; 5] = ["hugetlb", "net_cls", "net_prio", "perf_event", "rdma"];

/// Mount points by controller; two controllers mounted together share one.
pub type V1Mounts = BTreeMap<&'static str, PathBuf>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hierarchies {
    /// Where the unified hierarchy is mounted; all controllers are there.
    V2(PathBuf),
    /// v1, or hybrid: a v2 mount beside it holds no controller that matters.
    V1(V1Mounts),
    None,
}

impl Hierarchies {
    pub fn read() -> Self {
        let mut found = Self::read_all();
        if let Hierarchies::V1(mounts) = &mut found {
            mounts.retain(|name, _| V1_CONTROLLERS.contains(name));
        }
        found
    }

    /// With the controllers that only few containers need. Read once: on no machine do they move while it is up.
    pub fn read_all() -> Self {
        static FOUND: OnceLock<Hierarchies> = OnceLock::new();
        let read = || Self::parse(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default());
        FOUND.get_or_init(read).clone()
    }

    /// See proc_pid_mountinfo(5). A machine with any v1 resource controller is treated as v1: on a hybrid machine a
    /// controller is in one hierarchy only, and v2 has what v1 left over.
    fn parse(mountinfo: &str) -> Self {
        let mut v1 = V1Mounts::new();
        let mut v2 = None;
        for (mount_point, kind, options) in mountinfo.lines().filter_map(fields) {
            if kind == "cgroup2" {
                v2.get_or_insert(mount_point);
            } else if kind == "cgroup" {
                for name in V1_CONTROLLERS.into_iter().chain(V1_OTHERS) {
                    if options.split(',').any(|option| option == name) {
                        v1.entry(name).or_insert_with(|| mount_point.clone());
                    }
                }
            }
        }
        match v2 {
            _ if v1.keys().any(|name| V1_CONTROLLERS.contains(name)) => Hierarchies::V1(v1),
            Some(mount) => Hierarchies::V2(mount),
            None => Hierarchies::None,
        }
    }
}

/// Mount point, file system type, super block options of one line.
fn fields(line: &str) -> Option<(PathBuf, &str, &str)> {
    let (front, back) = line.split_once(" - ")?;
    let mut back = back.split(' ');
    let kind = back.next()?;
    let options = back.nth(1).unwrap_or("");
    Some((PathBuf::from(unescape(front.split(' ').nth(4)?)), kind, options))
}

/// mountinfo writes blanks, tabs, newlines and backslashes as three octal digits.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// The v2 group of this process: `/user.slice/...`. `None` when it lies outside of what this mount shows.
pub fn own_v2_path() -> Option<String> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    (path.starts_with('/') && !path.starts_with("/..")).then(|| path.to_owned())
}

/// Joins a group's path (`/teu/x`) to a mount point.
pub fn below(mount: &Path, path: &str) -> PathBuf {
    mount.join(path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hybrid_machine_is_v1() {
        let text = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";
        let Hierarchies::V1(mounts) = Hierarchies::parse(text) else { panic!("not v1") };
        assert_eq!(mounts.keys().copied().collect::<Vec<_>>(), ["cpu", "cpuacct"]);
        assert_eq!(mounts["cpu"], PathBuf::from("/sys/fs/cgroup/cpu,cpuacct"));
    }

    #[test]
    fn a_unified_machine_is_v2_and_blanks_are_unescaped() {
        let text = "25 22 0:21 / /sys/fs/c\\040g rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";
        assert_eq!(Hierarchies::parse(text), Hierarchies::V2("/sys/fs/c g".into()));
        assert_eq!(Hierarchies::parse(""), Hierarchies::None);
    }
}
