//! `update`: what is given is changed, and nothing else. Its flags are runc's.

use super::bundle::Bundle;
use crate::needs;
use crate::support::program::Answer;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

fn v2() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// A created container with these limits.
fn created(resources: Value) -> Bundle {
    let mut bundle = Bundle::new("sleep 1000");
    bundle.config["linux"]["resources"] = resources;
    bundle.create().exits(0);
    bundle
}

/// The first of these control files that the container's group has.
fn file(bundle: &Bundle, names: &[&str]) -> Option<PathBuf> {
    let groups = bundle.groups();
    names.iter().find_map(|name| groups.iter().map(|dir| dir.join(name)).find(|path| path.exists()))
}

fn read(bundle: &Bundle, name: &str) -> String {
    let path = file(bundle, &[name]).unwrap_or_else(|| panic!("no {name}"));
    fs::read_to_string(path).unwrap().trim().to_owned()
}

fn flags(bundle: &Bundle, words: &[&str]) -> Answer {
    bundle.call(&[&["update"], words, &[bundle.id.as_str()]].concat())
}

fn resources(bundle: &Bundle, wanted: &Value) -> Answer {
    let path = bundle.dir.join("resources");
    fs::write(&path, wanted.to_string()).unwrap();
    flags(bundle, &["--resources", &path.to_string_lossy()])
}

/// Every limit of the group.
fn limits(bundle: &Bundle) -> Vec<(PathBuf, String)> {
    let known = |name: &str| {
        ["max", "low", "limit_in_bytes", "_us", "shares", "weight", "swappiness", "cpus", "mems", "burst", "idle"]
            .iter()
            .any(|end| name.ends_with(end))
    };
    let mut all = Vec::new();
    for dir in bundle.groups() {
        let names = fs::read_dir(&dir).unwrap().flatten().map(|entry| entry.path());
        let names = names.filter(|path| path.file_name().is_some_and(|name| known(&name.to_string_lossy())));
        all.extend(names.map(|path| (path.clone(), fs::read_to_string(&path).unwrap_or_default())));
    }
    all.sort();
    all
}

/// Quota and period in microseconds.
fn cpu(bundle: &Bundle) -> (String, String) {
    if v2() {
        let text = read(bundle, "cpu.max");
        let (quota, period) = text.split_once(' ').unwrap();
        return (quota.replace("max", "-1"), period.to_owned());
    }
    (read(bundle, "cpu.cfs_quota_us"), read(bundle, "cpu.cfs_period_us"))
}

/// containerd sends the container's whole `linux.resources`.
#[test]
fn devices_must_be_left_as_they_are() {
    needs!(Root, Cgroup);
    let bundle = created(json!({ "devices": [
        { "allow": false, "access": "rwm" }, { "allow": true, "type": "c", "major": 1, "minor": 7, "access": "rw" },
    ] }));
    let devices = || file(&bundle, &["devices.list"]).map(|path| fs::read_to_string(path).unwrap());
    let before = devices();
    let wanted = json!({ "devices": [{ "allow": false, "access": "rwm" }], "cpu": { "quota": 30000 } });
    resources(&bundle, &wanted).exits(0);
    assert_eq!(cpu(&bundle), ("30000".into(), "100000".into()));
    assert_eq!(devices(), before);
    bundle.on(&["start"]).exits(0);
    bundle.call(&["exec", &bundle.id, "head", "-c", "1", "/dev/full"]).exits(0);
}

#[test]
fn quota_and_period_must_not_lose_each_other() {
    needs!(Root, Cgroup);
    let bundle = created(json!({ "cpu": { "quota": 10000, "period": 50000 } }));
    for (flag, number, quota, period) in [
        ("--cpu-period", "100000", "10000", "100000"),
        ("--cpu-quota", "20000", "20000", "100000"),
        ("--cpu-period", "40000", "20000", "40000"),
        ("--cpu-quota", "30000", "30000", "40000"),
        ("--cpu-quota", "-1", "-1", "40000"),
        ("--cpu-period", "50000", "-1", "50000"),
    ] {
        flags(&bundle, &[flag, number]).exits(0);
        assert_eq!(cpu(&bundle), (quota.into(), period.into()), "{flag} {number}");
    }
}

/// The kernel has no quota below the burst in force.
#[test]
fn a_quota_below_the_burst_takes_its_turn() {
    needs!(Root, Cgroup);
    let bundle = created(json!({ "cpu": { "quota": 20000 } }));
    let name = if v2() { "cpu.max.burst" } else { "cpu.cfs_burst_us" };
    if file(&bundle, &[name]).is_none() {
        return eprintln!("SKIP oci::update: the kernel has no bursts");
    }
    for (quota, burst) in [("20000", "10000"), ("5000", "1000"), ("30000", "20000")] {
        flags(&bundle, &["--cpu-quota", quota, "--cpu-burst", burst]).exits(0);
        assert_eq!((cpu(&bundle).0.as_str(), read(&bundle, name).as_str()), (quota, burst));
    }
}

#[test]
fn memory_and_swap_must_be_counted_with_the_memory_limit_in_force() {
    needs!(Root, Cgroup);
    let bundle = created(json!({ "memory": { "limit": 64 << 20 } }));
    let (memory, swap, both) = match v2() {
        true => ("memory.max", "memory.swap.max", 16 << 20),
        false => ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", 80 << 20),
    };
    let answer = flags(&bundle, &["--memory-swap", "80M"]);
    if file(&bundle, &[swap]).is_some() {
        answer.exits(0);
        assert_eq!(read(&bundle, swap), both.to_string());
    } else {
        assert!(answer.exits(1).stderr.contains(swap));
    }
    assert_eq!(read(&bundle, memory), (64 << 20).to_string());
    let before = limits(&bundle);
    flags(&bundle, &["--memory-swap", "32M"]).exits(1);
    assert_eq!(limits(&bundle), before);
    flags(&bundle, &["--memory", "-1"]).exits(0);
    let before = limits(&bundle);
    flags(&bundle, &["--memory-swap", "80M"]).exits(1);
    assert_eq!(limits(&bundle), before);
}

/// What runc's manual gives callers to fill in.
#[test]
fn zeros_must_change_nothing() {
    needs!(Root, Cgroup);
    let bundle = created(json!({
        "memory": { "limit": 64 << 20, "reservation": 32 << 20 }, "pids": { "limit": 40 },
        "cpu": { "shares": 512, "quota": 10000, "period": 50000 },
    }));
    let before = limits(&bundle);
    let template = json!({
        "memory": { "limit": 0, "reservation": 0, "swap": 0, "kernel": 0, "kernelTCP": 0 },
        "cpu": { "shares": 0, "quota": 0, "burst": 0, "period": 0, "realtimeRuntime": 0, "realtimePeriod": 0,
            "cpus": "", "mems": "" },
        "blockIO": { "weight": 0 },
    });
    assert_eq!(resources(&bundle, &template).exits(0).stderr, "");
    assert_eq!(limits(&bundle), before);
    let zeros =
        ["memory", "memory-swap", "memory-reservation", "cpu-share", "cpu-quota", "cpu-period", "cpu-rt-period"];
    for flag in zeros.iter().chain(&["cpu-rt-runtime", "blkio-weight", "pids-limit", "kernel-memory"]) {
        flags(&bundle, &[&format!("--{flag}"), "0"]).exits(0);
        assert_eq!(limits(&bundle), before, "--{flag}");
    }
}

#[test]
fn a_memory_limit_of_zero_is_none() {
    needs!(Root, Cgroup);
    let bundle = created(json!({ "memory": { "limit": 0, "swap": 0, "reservation": 0 } }));
    assert_eq!(bundle.status(), "created");
    let text = read(&bundle, if v2() { "memory.max" } else { "memory.limit_in_bytes" });
    assert!(text == "max" || text.parse::<u64>().unwrap() > 1 << 60, "{text}");
}

/// config-linux.md: "If the conversion is not possible the runtime MUST generate an error".
#[test]
fn what_v2_has_not_must_be_an_error() {
    needs!(Root, Cgroup);
    let bundle = created(json!({}));
    for (name, number, place) in
        [("swappiness", 10, "memory.swappiness"), ("kernelTCP", 1 << 20, "memory.kmem.tcp.limit_in_bytes")]
    {
        let answer = resources(&bundle, &json!({ "memory": { name: number } }));
        if v2() {
            let mut other = Bundle::new("true");
            other.config["linux"]["resources"] = json!({ "memory": { name: number } });
            for answer in [answer, other.create()] {
                assert!(answer.stderr.contains(&format!("memory.{name}")), "{}", answer.stderr);
                answer.exits(1);
            }
            other.assert_gone();
        } else {
            answer.exits(0);
            assert_eq!(read(&bundle, place), number.to_string());
        }
    }
}

#[test]
fn what_no_kernel_has_any_more_must_be_warned_of() {
    needs!(Root, Cgroup);
    let mut bundle = Bundle::new("sleep 1000");
    let old = json!({ "memory": { "kernel": 10 << 20, "useHierarchy": false } });
    bundle.config["linux"]["resources"] = old.clone();
    let words = ["level=warning", "memory.kernel is ignored", "memory.useHierarchy is ignored"];
    let created = bundle.create().exits(0).stderr;
    assert!(words.iter().all(|w| created.contains(w)), "{created}");
    let before = limits(&bundle);
    let updated = resources(&bundle, &old).exits(0).stderr;
    assert!(words.iter().all(|w| updated.contains(w)), "{updated}");
    let flag = flags(&bundle, &["--kernel-memory", "10M"]).exits(0).stderr;
    assert!(flag.contains("memory.kernel is ignored"), "{flag}");
    assert_eq!(limits(&bundle), before);
}

/// v1's kernel would make 2 of 1 without a word; v2's weights have a least one of their own.
#[test]
fn shares_out_of_range_must_be_an_error() {
    needs!(Root, Cgroup);
    let bundle = created(json!({ "cpu": { "shares": 512 } }));
    if v2() {
        flags(&bundle, &["--cpu-share", "1"]).exits(0);
        return assert_eq!(read(&bundle, "cpu.weight"), "1");
    }
    for (number, words) in
        [("1", "minimum allowed cpu-shares is 2"), ("262145", "maximum allowed cpu-shares is 262144")]
    {
        let answer = flags(&bundle, &["--cpu-share", number]).exits(1);
        assert!(answer.stderr.contains(words), "{}", answer.stderr);
        assert_eq!(read(&bundle, "cpu.shares"), "512");
    }
}

/// Flag, number, then file and its text for v1 and for v2.
const EVERY: [(&str, &str, [&str; 2], [&str; 2]); 11] = [
    ("cpu-share", "1024", ["cpu.shares", "1024"], ["cpu.weight", "100"]),
    ("cpu-burst", "1000", ["cpu.cfs_burst_us", "1000"], ["cpu.max.burst", "1000"]),
    ("cpu-burst", "0", ["cpu.cfs_burst_us", "0"], ["cpu.max.burst", "0"]),
    ("cpu-idle", "1", ["cpu.idle", "1"], ["cpu.idle", "1"]),
    ("cpu-idle", "0", ["cpu.idle", "0"], ["cpu.idle", "0"]),
    ("cpuset-cpus", "0", ["cpuset.cpus", "0"], ["cpuset.cpus", "0"]),
    ("cpuset-mems", "0", ["cpuset.mems", "0"], ["cpuset.mems", "0"]),
    ("memory", "48M", ["memory.limit_in_bytes", "50331648"], ["memory.max", "50331648"]),
    ("memory-reservation", "24M", ["memory.soft_limit_in_bytes", "25165824"], ["memory.low", "25165824"]),
    ("pids-limit", "33", ["pids.max", "33"], ["pids.max", "33"]),
    ("pids-limit", "-1", ["pids.max", "max"], ["pids.max", "max"]),
];

#[test]
fn every_flag_must_set_its_limit_or_say_why_not() {
    needs!(Root, Cgroup);
    let bundle =
        created(json!({ "memory": { "limit": 64 << 20 }, "cpu": { "quota": 20000 }, "pids": { "limit": 40 } }));
    for (flag, number, first, second) in EVERY {
        let [name, text] = if v2() { second } else { first };
        let answer = flags(&bundle, &[&format!("--{flag}"), number]);
        // No burst is what a kernel without bursts has.
        if file(&bundle, &[name]).is_some() {
            answer.exits(0);
            assert_eq!(read(&bundle, name), text, "--{flag} {number}");
        } else if number != "0" {
            let controller = name.split('.').next().unwrap();
            assert!(answer.exits(1).stderr.contains(controller), "--{flag}");
        }
    }
    for (wrong, number) in [("cpuset-cpus", "4095"), ("cpuset-cpus", "x"), ("memory", "x"), ("cpu-quota", "x")] {
        let before = limits(&bundle);
        flags(&bundle, &[&format!("--{wrong}"), number]).exits(1);
        assert_eq!(limits(&bundle), before, "--{wrong} {number}");
    }
}

#[test]
fn a_weight_of_block_devices_must_be_set_where_the_kernel_has_one() {
    needs!(Root, Cgroup);
    let bundle = created(json!({}));
    let answer = flags(&bundle, &["--blkio-weight", "500"]);
    match file(&bundle, &["io.weight", "io.bfq.weight", "blkio.weight", "blkio.bfq.weight"]) {
        Some(path) => {
            answer.exits(0);
            let text = fs::read_to_string(&path).unwrap();
            let weight = if path.ends_with("io.weight") { "4950" } else { "500" };
            assert_eq!(text.split_whitespace().last(), Some(weight), "{text}");
        }
        None => assert!(answer.exits(1).stderr.contains("weight cannot be set")),
    }
}

#[test]
fn schemas_of_a_container_without_a_class_must_be_an_error() {
    needs!(Root, Cgroup);
    let bundle = created(json!({}));
    for (flag, schema) in [("--l3-cache-schema", "L3:0=f"), ("--mem-bw-schema", "MB:0=50")] {
        let answer = flags(&bundle, &[flag, schema]).exits(1);
        assert!(answer.stderr.contains("intelRdt"), "{}", answer.stderr);
    }
}
