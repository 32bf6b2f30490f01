//! Limits (config-linux.md, "Control groups" to "Unified"), and processes in groups below the container's.

use super::bundle::{Bundle, mounts};
use crate::needs;
use crate::support::program::Running;
use crate::support::wait_until;
use serde_json::json;
use std::fs;
use std::path::Path;

fn v2() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

#[test]
fn exec_must_be_in_the_group_below_that_it_names() {
    needs!(Root, Cgroup);
    let bundle = Bundle::new("sleep 1000");
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    let missing = bundle.call(&["exec", "--cgroup", "inner", &bundle.id, "true"]).exits(255);
    assert!(missing.stderr.contains("inner does not exist"), "{}", missing.stderr);
    for dir in bundle.groups() {
        let _ = fs::create_dir(dir.join("inner"));
        // A new cpuset is empty.
        for file in ["cpuset.mems", "cpuset.cpus"].into_iter().filter(|_| !v2()) {
            if let Ok(text) = fs::read_to_string(dir.join(file)) {
                fs::write(dir.join("inner").join(file), text.trim()).unwrap();
            }
        }
    }
    let place = |flags: &[&str]| {
        let words = [&["exec"], flags, &[bundle.id.as_str(), "cat", "/proc/self/cgroup"]].concat();
        bundle.call(&words).exits(0).stdout
    };
    let line = |text: &str, name: &str| text.lines().find(|l| l.contains(name)).unwrap().to_owned();
    let everywhere = place(&["--cgroup", "/inner"]);
    if v2() {
        assert!(line(&everywhere, "0::").ends_with(":/inner"), "{everywhere}");
        bundle.call(&["exec", "--cgroup", "pids:inner", &bundle.id, "true"]).exits(255);
    } else {
        assert!(line(&everywhere, "memory").ends_with(":/inner"), "{everywhere}");
        let one = place(&["--cgroup", "pids:inner"]);
        assert!(line(&one, "pids").ends_with(":/inner") && line(&one, "memory").ends_with(":/"), "{one}");
    }
    for wrong in ["..", "a/../../b", ""] {
        bundle.call(&["exec", "--cgroup", wrong, &bundle.id, "true"]).exits(255);
    }
}

#[test]
fn exec_must_follow_a_first_process_that_divided_its_group() {
    needs!(Root, CgroupV2);
    let script = "mkdir /sys/fs/cgroup/init && echo $$ >/sys/fs/cgroup/init/cgroup.procs &&
        echo +pids >/sys/fs/cgroup/cgroup.subtree_control && echo divided >/tmp/done; sleep 1000";
    let mut bundle = Bundle::new(script);
    for mount in mounts(&mut bundle.config).iter_mut().filter(|m| m["destination"] == "/sys/fs/cgroup") {
        mount["options"] = json!(["nosuid", "noexec", "nodev"]);
    }
    std::os::unix::fs::symlink("busybox", bundle.dir.join("rootfs/bin/mkdir")).unwrap();
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    wait_until("the group is divided", || bundle.dir.join("rootfs/tmp/done").exists().then_some(()));
    let answer = bundle.call(&["exec", &bundle.id, "cat", "/proc/self/cgroup"]).exits(0);
    assert!(answer.stdout.contains("0::/init"), "{}", answer.stdout);
}

#[test]
fn unified_keys_must_be_written_and_an_absent_controller_must_be_an_error() {
    needs!(Root, Cgroup);
    let mut bundle = Bundle::new("sleep 1000");
    bundle.config["linux"]["resources"] = json!({ "unified": { "memory.high": "50003968", "pids.max": "33" } });
    if !v2() {
        assert!(bundle.create().exits(1).stderr.contains("need control groups v2"));
        return bundle.assert_gone();
    }
    bundle.create().exits(0);
    let read = |file: &str| fs::read_to_string(bundle.groups()[0].join(file)).unwrap().trim().to_owned();
    assert_eq!((read("memory.high"), read("pids.max")), ("50003968".into(), "33".into()));
    bundle.on(&["delete", "--force"]).exits(0);
    bundle.config["linux"]["resources"] = json!({ "unified": { "nothing.max": "1" } });
    let answer = bundle.create().exits(1);
    assert!(answer.stderr.contains("nothing controller is not available"), "{}", answer.stderr);
    bundle.assert_gone();
}

#[test]
fn rates_of_block_devices_must_be_set() {
    needs!(Root, Cgroup);
    let devices = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let number = devices.filter_map(|d| fs::read_to_string(d.path().join("dev")).ok()).next();
    let Some(number) = number else { return };
    let (major, minor) = number.trim().split_once(':').unwrap();
    let mut bundle = Bundle::new("sleep 1000");
    let rate =
        |n: u64| json!([{ "major": major.parse::<u32>().unwrap(), "minor": minor.parse::<u32>().unwrap(), "rate": n }]);
    bundle.config["linux"]["resources"] =
        json!({ "blockIO": { "throttleReadBpsDevice": rate(1048576), "throttleWriteIOPSDevice": rate(77) } });
    bundle.create().exits(0);
    let find = |file: &str| bundle.groups().iter().find_map(|dir| fs::read_to_string(dir.join(file)).ok()).unwrap();
    if v2() {
        let text = find("io.max");
        assert!(text.contains("rbps=1048576") && text.contains("wiops=77"), "{text}");
    } else {
        assert!(find("blkio.throttle.read_bps_device").contains("1048576"));
        assert!(find("blkio.throttle.write_iops_device").contains(" 77"));
    }
}

#[test]
fn an_update_that_fails_must_leave_the_limits_as_they_were() {
    needs!(Root, Cgroup);
    let mut bundle = Bundle::new("sleep 1000");
    bundle.config["linux"]["resources"] = json!({ "pids": { "limit": 40 }, "memory": { "limit": 67108864 } });
    bundle.create().exits(0);
    let all = || {
        let files = ["pids.max", "memory.max", "memory.limit_in_bytes"];
        let values = |dir: &std::path::PathBuf| files.map(|file| fs::read_to_string(dir.join(file)).ok());
        bundle.groups().iter().flat_map(values).flatten().collect::<Vec<_>>()
    };
    let before = all();
    let wanted = json!({ "memory": { "limit": 134217728 }, "pids": { "limit": 50 }, "hugepageLimits": [{ "pageSize": "3MB", "limit": 1 }] });
    let file = bundle.dir.join("resources");
    fs::write(&file, wanted.to_string()).unwrap();
    bundle.call(&["update", "-r", &file.to_string_lossy(), &bundle.id]).exits(1);
    assert_eq!(all(), before);
    bundle.call(&["update", "--pids-limit", "50", &bundle.id]).exits(0);
    assert_ne!(all(), before);
}

#[test]
fn limits_of_controllers_that_are_not_here_must_be_errors() {
    needs!(Root, Cgroup);
    let mut bundle = Bundle::new("true");
    for (resources, words) in [
        (json!({ "hugepageLimits": [{ "pageSize": "3MB", "limit": 1 }] }), "hugetlb"),
        (json!({ "hugepageLimits": [{ "pageSize": "../x", "limit": 1 }] }), "huge page size"),
        (json!({ "rdma": { "no0": { "hcaHandles": 1 } } }), "rdma"),
    ] {
        bundle.config["linux"]["resources"] = resources;
        let answer = bundle.create().exits(1);
        assert!(answer.stderr.contains(words), "{}", answer.stderr);
        bundle.assert_gone();
    }
}

#[test]
fn a_limit_below_what_is_in_use_must_be_rejected_where_that_is_asked_for() {
    needs!(Root, CgroupV2);
    let bundle = Bundle::new("sleep 1000");
    bundle.create().exits(0);
    let file = bundle.dir.join("resources");
    fs::write(&file, json!({ "memory": { "limit": 4096, "checkBeforeUpdate": true } }).to_string()).unwrap();
    let answer = bundle.call(&["update", "-r", &file.to_string_lossy(), &bundle.id]).exits(1);
    assert!(answer.stderr.contains("are in use"), "{}", answer.stderr);
    assert_eq!(bundle.status(), "created");
}

#[test]
fn without_a_limit_of_memory_there_is_none_of_memory_and_swap() {
    needs!(Root, Cgroup);
    let mut bundle = Bundle::new("sleep 1000");
    bundle.config["linux"]["resources"]["memory"] = json!({ "limit": 64 << 20, "swap": 96 << 20 });
    bundle.create().exits(0);
    let file = |name: &str| bundle.groups().iter().find_map(|dir| fs::read_to_string(dir.join(name)).ok());
    let (memory, both) =
        if v2() { ("memory.max", "memory.swap.max") } else { ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes") };
    assert_eq!(file(memory).unwrap().trim(), (64 << 20).to_string());
    bundle.call(&["update", "--memory", "-1", &bundle.id]).exits(0);
    let unlimited = |text: String| text.trim() == "max" || text.trim().parse::<u64>().unwrap() > 1 << 60;
    assert!(unlimited(file(memory).unwrap()));
    assert!(file(both).is_none_or(unlimited));
}

#[test]
fn a_real_time_period_below_the_runtime_takes_its_turn() {
    needs!(Root, Cgroup);
    let bundle = Bundle::new("sleep 1000");
    bundle.create().exits(0);
    let place = bundle.groups().into_iter().find(|dir| dir.join("cpu.rt_period_us").exists());
    let Some(place) = place.filter(|dir| fs::write(dir.join("cpu.rt_runtime_us"), "400000").is_ok()) else {
        return eprintln!("SKIP oci::limits: no real-time scheduling in control groups, or none left");
    };
    // The first one is too short for what is allowed now, the last one makes room for more.
    for (period, runtime) in [("10000", "3000"), ("900001", "400001"), ("10000", "4000")] {
        bundle.call(&["update", "--cpu-rt-period", period, "--cpu-rt-runtime", runtime, &bundle.id]).exits(0);
        let read = |name: &str| fs::read_to_string(place.join(name)).unwrap();
        assert_eq!((read("cpu.rt_period_us").trim(), read("cpu.rt_runtime_us").trim()), (period, runtime));
    }
}

#[test]
fn a_container_without_groups_stays_in_its_caller_s() {
    needs!(Userns);
    let mut bundle = Bundle::new("sleep 1000");
    bundle.config["linux"]["resources"]["memory"] = json!({ "limit": 64 << 20 });
    super::bundle::namespaces(&mut bundle.config).retain(|n| n["type"] != "cgroup");
    bundle.write();
    let words =
        ["--cgroup-manager", "disabled", "create", "-b", &bundle.dir.to_string_lossy(), &bundle.id].map(str::to_owned);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut command = bundle.command(&words);
    let quiet = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    assert!(quiet.status().unwrap().success());
    assert!(bundle.groups().is_empty());
    let groups = |pid: &str| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert_eq!(groups(&bundle.state()["pid"].to_string()), groups("self"));
    bundle.on(&["start"]).exits(0);
    bundle.call(&["exec", &bundle.id, "true"]).exits(0);
    assert!(bundle.on(&["pause"]).exits(1).stderr.contains("cannot be paused"));
    bundle.call(&["kill", &bundle.id, "KILL"]).exits(0);
    wait_until("it stops", || (bundle.status() == "stopped").then_some(()));
    bundle.on(&["delete"]).exits(0);
    bundle.assert_gone();
    let wrong = bundle.call(&["--cgroup-manager=what", "list"]).exits(1);
    assert!(wrong.stderr.contains("cgroupfs, systemd or disabled"), "{}", wrong.stderr);
}

#[test]
fn an_ordinary_user_s_group_is_in_the_one_that_is_his() {
    needs!(User, Userns, CgroupV2);
    let mut bundle = Bundle::new("cat /sys/fs/cgroup/pids.max; sleep 1000");
    bundle.config["linux"]["resources"] = json!({ "pids": { "limit": 17 } });
    bundle.config["linux"].as_object_mut().unwrap().remove("cgroupsPath");
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    let group = fs::read_to_string(format!("/proc/{}/cgroup", bundle.state()["pid"])).unwrap();
    let group = Path::new("/sys/fs/cgroup").join(group.trim().trim_start_matches("0::/"));
    assert!(group.ends_with(format!("teu-oci/{}", bundle.id)), "{}", group.display());
    assert_eq!(fs::read_to_string(group.join("pids.max")).unwrap(), "17\n");
    bundle.call(&["update", "--pids-limit", "18", &bundle.id]).exits(0);
    assert_eq!(fs::read_to_string(group.join("pids.max")).unwrap(), "18\n");
    bundle.call(&["exec", &bundle.id, "true"]).exits(0);
    bundle.on(&["pause"]).exits(0);
    assert_eq!(bundle.status(), "paused");
    bundle.on(&["resume"]).exits(0);
    bundle.on(&["delete", "--force"]).exits(0);
    assert!(!group.exists());
    bundle.assert_gone();
}

/// A process of the container's that takes more than there is, when the file is there: first a child, then the first one.
const GREEDY: &str = "eat() { x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done; }; \
     until test -e /child; do sleep 0.05; done; (eat); echo lived; until test -e /first; do sleep 0.05; done; eat";

#[test]
fn an_event_of_memory_that_is_out_is_told_at_once_and_not_lost_at_the_end() {
    needs!(Root, Cgroup);
    let mut bundle = Bundle::new(GREEDY);
    bundle.config["linux"]["resources"]["memory"] = json!({ "limit": 24 << 20, "swap": 24 << 20 });
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    // None of the figures but the first are waited for.
    let told = bundle.dir.join("told");
    let mut events = bundle.command(&["events", "--interval", "60m", &bundle.id]);
    let mut events = Running(events.stdout(fs::File::create(&told).unwrap()).spawn().unwrap());
    let said = |kind: &str| bundle.read("told").matches(&format!("{{\"type\":\"{kind}\",")).count();
    wait_until("the first figures", || (said("stats") == 1).then_some(()));
    fs::write(bundle.dir.join("rootfs/child"), "").unwrap();
    wait_until("what happened to the child", || (said("oom") > 0).then_some(()));
    wait_until("the first process goes on", || bundle.out().contains("lived").then_some(()));
    let before = said("oom");
    fs::write(bundle.dir.join("rootfs/first"), "").unwrap();
    wait_until("the end", || events.0.try_wait().unwrap());
    assert!(said("oom") > before, "{}", bundle.read("told"));
    assert_eq!(said("stats"), 1, "{}", bundle.read("told"));
    bundle.on(&["delete"]).exits(0);
    bundle.assert_gone();
}
