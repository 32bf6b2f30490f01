//! The rarer limits, the group they are set in, and what cannot be limited here.

use super::{out, refused, run};
use crate::needs;
use crate::support::{StateRoot, leaks};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// A whole block device of this machine.
fn disk() -> Option<String> {
    let names = fs::read_dir("/sys/block").ok()?.flatten().map(|e| e.file_name().to_string_lossy().into_owned());
    names.map(|name| format!("/dev/{name}")).find(|path| Path::new(path).exists())
}

fn unified() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// A file of a container's group, as this machine sees it.
fn of_group(controller: &str, group: &str, file: &str) -> String {
    let mount = if unified() { PathBuf::from("/sys/fs/cgroup") } else { Path::new("/sys/fs/cgroup").join(controller) };
    fs::read_to_string(mount.join(group.trim_start_matches('/')).join(file)).unwrap_or_default().trim().to_owned()
}

/// The path of a running container's group.
fn group(root: &StateRoot, name: &str) -> String {
    let pid = root.inspect(name)["State"]["Pid"].as_i64().unwrap();
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let line = text.lines().find(|l| l.contains(":pids:") || l.starts_with("0::/") && unified()).unwrap();
    line.splitn(3, ':').nth(2).unwrap().to_owned()
}

#[test]
fn block_devices_are_limited_one_by_one() {
    needs!(Registry, Root, Cgroup);
    let Some(disk) = disk() else { return };
    let root = StateRoot::with_image();
    let read = format!("{disk}:1mb");
    let write = format!("{disk}:100");
    root.run_detached("box", &["--device-read-bps", &read, "--device-write-iops", &write], &["sleep", "600"]);
    let group = group(&root, "box");
    if unified() {
        let line = of_group("", &group, "io.max");
        assert!(line.contains("rbps=1048576") && line.contains("wiops=100"), "{line:?}");
    } else {
        assert!(of_group("blkio", &group, "blkio.throttle.read_bps_device").ends_with(" 1048576"));
        assert!(of_group("blkio", &group, "blkio.throttle.write_iops_device").ends_with(" 100"));
    }
    let shown = root.inspect("box")["HostConfig"].clone();
    assert_eq!(shown["BlkioDeviceReadBps"], json!([{"Path": disk, "Rate": 1_048_576}]));
    assert_eq!(shown["BlkioDeviceWriteIOps"], json!([{"Path": disk, "Rate": 100}]));
    root.teu(&["update", "--device-read-bps", &format!("{disk}:2mb"), "box"]).exits(0);
    let (controller, file) = if unified() { ("", "io.max") } else { ("blkio", "blkio.throttle.read_bps_device") };
    assert!(of_group(controller, &group, file).contains("2097152"));
    root.teu(&["rm", "-f", "box"]).exits(0);
    refused(&root, &["--device-read-bps", "/dev/null:1mb"], "not a block device");
    refused(&root, &["--device-read-bps", "/dev/not-there:1mb"], "/dev/not-there");
}

#[test]
fn what_only_one_version_of_control_groups_has_is_said() {
    needs!(Registry, Root, Cgroup);
    let root = StateRoot::with_image();
    let options = ["--memory", "64m", "--memory-swappiness", "10", "--oom-kill-disable"];
    let all: Vec<&str> = options.into_iter().chain(["-d", "--name", "box"]).collect();
    let answer = run_detached(&root, &all);
    let group = group(&root, "box");
    if unified() {
        for words in ["memory swappiness not applied", "switching off the OOM killer not applied"] {
            assert!(answer.contains(words), "{answer}");
        }
    } else {
        assert_eq!(of_group("memory", &group, "memory.swappiness"), "10");
        assert!(of_group("memory", &group, "memory.oom_control").contains("oom_kill_disable 1"));
        assert_eq!(answer, "");
    }
    let update = |flags: &[&str]| root.teu(&[&["update"], flags, &["box"]].concat()).exits(0).stderr;
    let told = update(&["--memory-swappiness", "10"]);
    if unified() {
        assert!(told.starts_with("WARNING: box: memory swappiness not applied"), "{told}");
    } else {
        assert_eq!(told, "");
    }
    assert_eq!(update(&["--memory", "65m", "--memory-swap", "130m"]), "", "nothing of what was asked before");
    let shown = root.inspect("box")["HostConfig"].clone();
    assert_eq!((&shown["MemorySwappiness"], &shown["OomKillDisable"]), (&json!(10), &json!(true)));
    root.teu(&["rm", "-f", "box"]).exits(0);
    refused(&root, &["--memory-swappiness", "101"], "0 to 100");
}

/// Its warnings.
fn run_detached(root: &StateRoot, options: &[&str]) -> String {
    let image = crate::support::image::name();
    let mut args = vec!["run", "--network", "none"];
    args.extend(options);
    args.extend([image.as_str(), "sleep", "600"]);
    root.teu(&args).exits(0).stderr
}

#[test]
fn the_number_of_tasks_can_be_set_and_lifted_while_it_runs() {
    needs!(Registry, Cgroup);
    let root = StateRoot::with_image();
    root.run_detached("box", &["--pids-limit", "50"], &["sleep", "600"]);
    let group = group(&root, "box");
    let now = || of_group("pids", &group, "pids.max");
    assert_eq!(now(), "50");
    root.teu(&["update", "--pids-limit", "20", "--memory", "64m", "--cpu-shares", "512", "box"]).exits(0);
    assert_eq!(now(), "20");
    let (file, bytes) = if unified() { ("memory.max", "67108864") } else { ("memory.limit_in_bytes", "67108864") };
    assert_eq!(of_group("memory", &group, file), bytes);
    assert_eq!(root.inspect("box")["HostConfig"]["PidsLimit"], 20);
    root.teu(&["update", "--pids-limit", "-1", "box"]).exits(0);
    assert_eq!(now(), "max");
    assert_eq!(root.inspect("box")["HostConfig"]["PidsLimit"], 0);
    for fixed in [["--ulimit", "nofile=10"], ["--oom-score-adj", "5"], ["--cgroup-parent", "/x"]] {
        let answer = root.teu(&["update", fixed[0], fixed[1], "box"]).exits(1);
        assert!(answer.stderr.contains("cannot be changed"), "{}", answer.stderr);
    }
}

/// What one call leaves out is what an earlier one, or the creation, has said.
#[test]
fn limits_that_belong_together_can_be_changed_one_by_one() {
    needs!(Registry, Cgroup);
    let root = StateRoot::with_image();
    root.run_detached("box", &["--cpu-quota", "50000", "--memory", "64m"], &["sleep", "600"]);
    let path = group(&root, "box");
    let cpu = || match unified() {
        true => of_group("cpu", &path, "cpu.max"),
        false => ["cpu.cfs_quota_us", "cpu.cfs_period_us"].map(|file| of_group("cpu", &path, file)).join(" "),
    };
    root.teu(&["update", "--cpu-period", "50000", "box"]).exits(0);
    assert_eq!(cpu(), "50000 50000");
    root.teu(&["update", "--cpu-quota", "20000", "box"]).exits(0);
    assert_eq!(cpu(), "20000 50000");
    root.teu(&["update", "--memory-swap", "80m", "box"]).exits(0);
    let file = if unified() { "memory.swap.max" } else { "memory.memsw.limit_in_bytes" };
    let swap = of_group("memory", &path, file);
    // A kernel may count no swap.
    let alone = if unified() { 16 << 20 } else { 80 << 20 };
    assert!(swap.is_empty() || swap == alone.to_string(), "{swap}");
    assert_eq!(root.inspect("box")["HostConfig"]["MemorySwap"], 80 << 20);
    root.teu(&["rm", "-f", "box"]).exits(0);
    // Nor is one that is not running given what it could not start with.
    let image = crate::support::image::name();
    root.teu(&["create", "--name", "still", "--network", "none", &image, "true"]).exits(0);
    let answer = root.teu(&["update", "--memory-swap", "80m", "still"]).exits(1);
    assert!(answer.stderr.contains("needs a memory limit"), "{}", answer.stderr);
    assert_eq!(root.inspect("still")["HostConfig"]["MemorySwap"], 0);
}

/// On v1 a cpuset is made at its first limit, and must be entered before the container's view of the groups is made: else
/// that begins at the machine's own cpuset, with everybody's groups and the release agent (CVE-2022-0492).
#[test]
fn the_top_of_what_a_container_sees_is_its_own_cpuset() {
    needs!(Registry, Root, Cgroup);
    if unified() || !Path::new("/sys/fs/cgroup/cpuset/cpuset.cpus").exists() {
        return;
    }
    let root = StateRoot::with_image();
    let look = "cd /sys/fs/cgroup/cpuset; cat cpuset.cpus; ls | grep -c release_agent; grep cpuset /proc/self/cgroup";
    let seen = out(&root, &["--cpuset-cpus", "0"], look);
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[..2], ["0", "0"], "{seen}");
    assert!(lines[2].ends_with(":/"), "{seen}");
    // There the kernel mounts no groups of v1.
    let seen = out(&root, &["--cpuset-cpus", "0", "--userns", "auto"], "grep cpuset /proc/self/cgroup");
    assert!(seen.ends_with(":/\n"), "{seen}");
}

#[test]
fn a_group_of_one_s_choice_goes_when_it_was_made_for_the_container() {
    needs!(Registry, Cgroup);
    let root = StateRoot::with_image();
    let parent = format!("/teu-parent-{}/inner", std::process::id());
    root.run_detached("box", &["--cgroup-parent", &parent], &["sleep", "600"]);
    let path = group(&root, "box");
    assert!(path.contains(&format!("{parent}/")), "{path}");
    assert_eq!(root.inspect("box")["HostConfig"]["CgroupParent"], parent);
    root.teu(&["pause", "box"]).exits(0);
    root.teu(&["unpause", "box"]).exits(0);
    root.teu(&["rm", "-f", "box"]).exits(0);
    let outer = Path::new(&path).ancestors().nth(2).unwrap().to_string_lossy().into_owned();
    assert_eq!(of_group("pids", &outer, "cgroup.procs"), "");
    let mounts = if unified() { vec![String::new()] } else { vec!["memory".to_owned(), "pids".to_owned()] };
    for mount in mounts {
        let dir = Path::new("/sys/fs/cgroup").join(mount).join(outer.trim_start_matches('/'));
        assert!(!dir.exists(), "{} is left", dir.display());
    }
    for bad in ["/", "../x", "/a/../b"] {
        refused(&root, &["--cgroup-parent", bad], "path of a control group");
    }
    leaks::assert_none(root.path());
}

#[test]
fn flags_without_a_meaning_here_say_why() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let refusals = [
        (["--link", "a:b"], "by their names"),
        (["--gpus", "all"], "--device"),
        (["--isolation", "hyperv"], "default"),
        (["--runtime", "runc"], "its own runtime"),
        (["--storage-opt", "size=1G"], "no limit"),
        (["--volume-driver", "nfs"], "local"),
        (["--link-local-ip", "169.254.1.1"], "link-local"),
    ];
    for (option, why) in refusals {
        let answer = run(&root, &option, "true").exits(125);
        assert!(answer.stderr.contains("is not supported") && answer.stderr.contains(why), "{}", answer.stderr);
    }
    out(&root, &["--isolation", "default", "--volume-driver", "local", "--runtime", "teu"], "true");
}
