//! `--ipc`, `--pid`, `--uts`, `--cgroupns`.

use super::{out, refused, run};
use crate::needs;
use crate::support::{StateRoot, leaks};

const NAMESPACES: &str = "for n in ipc pid uts cgroup; do readlink /proc/self/ns/$n; done";

/// Those of this process, in the order of [`NAMESPACES`].
fn ours() -> Vec<String> {
    let link = |kind: &str| std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().to_string_lossy().into_owned();
    ["ipc", "pid", "uts", "cgroup"].map(link).into()
}

#[test]
fn each_is_its_own_unless_it_is_the_host_s() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let host = ours();
    for text in [out(&root, &[], NAMESPACES), out(&root, &["--ipc", "private", "--pid", "private"], NAMESPACES)] {
        for (own, ours) in text.lines().zip(&host) {
            assert_ne!(own, ours, "{text}");
        }
    }
    let shared = ["--ipc", "host", "--pid", "host", "--uts", "host", "--cgroupns", "host"];
    let text = out(&root, &shared, NAMESPACES);
    assert_eq!(text.lines().collect::<Vec<_>>(), host);
    root.run_detached("box", &shared, &["sleep", "600"]);
    let config = root.inspect("box")["HostConfig"].clone();
    for field in ["IpcMode", "PidMode", "UTSMode", "CgroupnsMode"] {
        assert_eq!(config[field], "host", "{field}");
    }
    // A further process is where the first one is; only the container's own processes are listed.
    let text = root.teu(&["exec", "box", "sh", "-c", NAMESPACES]).exits(0).stdout;
    assert_eq!(text.lines().collect::<Vec<_>>(), host);
    let top = root.teu(&["top", "box"]).exits(0).stdout;
    assert_eq!(top.lines().count(), 2, "{top}");
    root.teu(&["rm", "-f", "box"]).exits(0);
    leaks::assert_none(root.path());
}

#[test]
fn with_the_host_s_pids_nothing_is_left_behind() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    // What outlives the first process would live on: its own pid namespace would have taken it along.
    let script = "sleep 8642 & echo $!";
    let pid = out(&root, &["--pid", "host"], script);
    let alive = std::fs::read_to_string(format!("/proc/{}/cmdline", pid.trim())).unwrap_or_default();
    assert!(!alive.contains("8642"), "process {pid} lives on");
    // The host's processes are seen, and the first one is not process 1.
    let seen = out(&root, &["--pid", "host"], "ls -d /proc/[0-9]* | wc -l; echo $$");
    let numbers: Vec<u32> = seen.lines().map(|l| l.trim().parse().unwrap()).collect();
    assert!(numbers[0] > 5 && numbers[1] > 1, "{seen}");
    leaks::assert_none(root.path());
}

#[test]
fn another_container_s_are_joined() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let first = ["--ipc", "shareable", "--hostname", "first", "--init"];
    root.run_detached("first", &first, &["sh", "-c", "echo here > /dev/shm/note; exec sleep 600"]);
    let join = ["--ipc", "container:first", "--pid", "container:first", "--uts", "container:first"];
    let script = "cat /dev/shm/note; hostname; echo too > /dev/shm/answer; ls -d /proc/[0-9]* | wc -l; ls /dev/mqueue";
    let text = out(&root, &join, script);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["here", "first"], "{text}");
    assert!(lines[2].trim().parse::<u32>().unwrap() >= 4, "the other's processes are seen: {text}");
    assert_eq!(root.teu(&["exec", "first", "cat", "/dev/shm/answer"]).exits(0).stdout, "too\n");
    // A third sees the second's processes end with it.
    root.run_detached("second", &join, &["sleep", "600"]);
    assert_eq!(
        root.inspect("second")["HostConfig"]["IpcMode"],
        format!("container:{}", root.inspect("first")["Id"].as_str().unwrap())
    );
    let namespaces = |name: &str| root.teu(&["exec", name, "sh", "-c", NAMESPACES]).exits(0).stdout;
    assert_eq!(
        namespaces("first").lines().take(3).collect::<Vec<_>>(),
        namespaces("second").lines().take(3).collect::<Vec<_>>()
    );
    root.teu(&["rm", "-f", "first"]).exits(0);
    // Its pid namespace is gone, and all that was in it.
    assert_eq!(root.teu(&["wait", "second"]).exits(0).out(), "137");
    let answer = root.teu(&["start", "second"]).exits(1);
    assert!(answer.stderr.contains("it is not running"), "{}", answer.stderr);
    root.teu(&["rm", "second"]).exits(0);
    leaks::assert_none(root.path());
}

#[test]
fn what_is_private_or_absent_cannot_be_joined() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    for flag in ["--ipc", "--pid", "--uts"] {
        refused(&root, &[flag, "container:nobody"], "nobody");
        refused(&root, &[flag, "container:"], "name is missing");
        refused(&root, &[flag, "bogus"], "it must be");
    }
    refused(&root, &["--cgroupns", "bogus"], "it must be private or host");
    refused(&root, &["--uts", "host", "--hostname", "x"], "conflicting options");
    for key in ["kernel.shm_rmid_forced", "fs.mqueue.msg_max", "kernel.sem"] {
        refused(&root, &["--ipc", "host", "--sysctl", &format!("{key}=1")], "not the container's own");
    }
    for key in ["net..ipv4", "net.ipv4.", "net.ipv4/../../kernel/panic"] {
        refused(&root, &["--sysctl", &format!("{key}=1")], "no name of a setting");
    }
    for mode in ["host", "none", "container:own"] {
        refused(&root, &["--ipc", mode, "--shm-size", "1m"], "conflicting options: --shm-size and --ipc");
    }
    root.run_detached("own", &[], &["sleep", "600"]);
    let answer = run(&root, &["--ipc", "container:own"], "true").exits(125);
    assert!(answer.stderr.contains("--ipc shareable"), "{}", answer.stderr);
    let none = out(&root, &["--ipc", "none"], "mount | grep -c ' /dev/shm ' || true");
    assert_eq!(none.trim(), "0");
}
