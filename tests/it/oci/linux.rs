//! Linux' own part (config-linux.md): namespaces, mounts, devices, groups.

use super::bundle::{Bundle, mounts, namespaces};
use crate::needs;
use crate::support::wait_until;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

fn inode(path: &str) -> String {
    fs::read_link(path).unwrap().to_string_lossy().into_owned()
}

#[test]
fn namespaces_must_be_new_or_the_host_s_or_those_that_are_named() {
    needs!(Root);
    let script = "for n in mnt uts ipc pid net cgroup; do readlink /proc/self/ns/$n; done; sleep 1000";
    let mut first = Bundle::new(script);
    namespaces(&mut first.config).retain(|n| n["type"] != "ipc");
    first.create().exits(0);
    first.on(&["start"]).exits(0);
    let lines = |bundle: &Bundle| -> Vec<String> {
        wait_until("six lines", || (bundle.out().lines().count() == 6).then_some(()));
        bundle.out().lines().map(str::to_owned).collect()
    };
    let one = lines(&first);
    for (n, name) in ["mnt", "uts", "ipc", "pid", "net", "cgroup"].into_iter().enumerate() {
        let host = inode(&format!("/proc/self/ns/{name}"));
        assert_eq!(one[n] == host, name == "ipc", "{name}: {one:?}");
    }
    let pid = first.state()["pid"].to_string();
    let mut second = Bundle::new(script);
    for namespace in namespaces(&mut second.config) {
        let kind = namespace["type"].as_str().unwrap().to_owned();
        if kind != "mount" {
            let file = if kind == "network" { "net" } else { kind.as_str() };
            namespace["path"] = format!("/proc/{pid}/ns/{file}").into();
        }
    }
    second.create().exits(0);
    second.on(&["start"]).exits(0);
    let two = lines(&second);
    assert_ne!(one[0], two[0], "the mounts are its own");
    assert_eq!(one[1], two[1], "uts");
    assert_eq!(one[2..], two[2..], "ipc, pid, network and cgroup");
}

#[test]
fn a_wrong_namespace_path_must_be_an_error() {
    needs!(Root);
    let mut bundle = Bundle::new("true");
    let plain = bundle.dir.join("plain");
    fs::write(&plain, "").unwrap();
    for (kind, path, words) in [
        ("network", "/proc/self/ns/uts", "setns"),
        ("network", plain.to_str().unwrap(), "not a namespace"),
        ("mount", "/proc/self/ns/mnt", "the runtime's own"),
    ] {
        let namespace = namespaces(&mut bundle.config).iter_mut().find(|n| n["type"] == kind).unwrap();
        namespace["path"] = path.into();
        let answer = bundle.create().exits(1);
        assert!(answer.stderr.contains(words), "{kind} {path}: {}", answer.stderr);
        bundle.assert_gone();
        let namespace = namespaces(&mut bundle.config).iter_mut().find(|n| n["type"] == kind).unwrap();
        namespace.as_object_mut().unwrap().remove("path");
    }
    namespaces(&mut bundle.config).push(json!({ "type": "pid" }));
    assert!(bundle.create().exits(1).stderr.contains("listed twice"));
}

#[test]
fn a_user_namespace_must_have_the_mappings() {
    needs!(Root);
    let mut bundle =
        Bundle::new("cat /proc/self/uid_map; id -u; touch /tmp/mine; ls -ln /proc/1/ns/user; ulimit -n; sleep 1000");
    namespaces(&mut bundle.config).push(json!({ "type": "user" }));
    let map = json!([{ "containerID": 0, "hostID": 300000, "size": 1000 }]);
    (bundle.config["linux"]["uidMappings"], bundle.config["linux"]["gidMappings"]) = (map.clone(), map);
    std::os::unix::fs::chown(bundle.dir.join("rootfs/tmp"), Some(300000), Some(300000)).unwrap();
    // The way to the bundle is open to root alone: sources are opened before that is given up.
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    wait_until("the limit", || bundle.out().contains("1024").then_some(()));
    let out = bundle.out();
    assert!(out.split_whitespace().take(4).eq(["0", "300000", "1000", "0"]), "{out}");
    assert_eq!(fs::metadata(bundle.dir.join("rootfs/tmp/mine")).unwrap().uid(), 300000);
    let answer = bundle.call(&["exec", &bundle.id, "sh", "-c", "id -u; touch /tmp/too"]).exits(0);
    assert_eq!(answer.stdout, "0\n");
    assert_eq!(fs::metadata(bundle.dir.join("rootfs/tmp/too")).unwrap().uid(), 300000);
}

#[test]
fn time_offsets_must_be_those_of_the_time_namespace() {
    needs!(Root);
    if !Path::new("/proc/self/ns/time").exists() {
        return;
    }
    let mut bundle = Bundle::new("cut -d. -f1 /proc/uptime");
    bundle.config["linux"]["timeOffsets"] = json!({ "boottime": { "secs": 100_000_000 } });
    assert!(bundle.create().exits(1).stderr.contains("time namespace"));
    namespaces(&mut bundle.config).push(json!({ "type": "time" }));
    let out = bundle.outcome();
    assert!(out.trim().parse::<u64>().unwrap() > 100_000_000, "{out}");
}

#[test]
fn default_devices_and_links_must_be_there() {
    needs!(Userns);
    let bundle = Bundle::new(
        "for d in null zero full random urandom tty; do test -c /dev/$d || echo $d; done; readlink /dev/fd; readlink /dev/ptmx",
    );
    let out = bundle.outcome();
    assert!(out.starts_with("/proc/self/fd\npts/ptmx\n"), "{out}");
}

#[test]
fn further_devices_must_be_as_described_and_rules_hold() {
    needs!(Root);
    let mut bundle = Bundle::new(
        "stat -c '%t:%T %a %u:%g %F' /dev/mine /dev/deep/pipe; head -c 1 /dev/mine >/dev/null; echo $?; head -c 1 /dev/kmsg; echo $?",
    );
    bundle.config["linux"]["devices"] = json!([
        { "path": "/dev/mine", "type": "c", "major": 1, "minor": 5, "fileMode": 0o644, "uid": 3, "gid": 4 },
        { "path": "/dev/deep/pipe", "type": "p", "fileMode": 0o600 },
        { "path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11, "fileMode": 0o666 },
    ]);
    let out = bundle.outcome();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines, ["1:5 644 3:4 character special file", "0:0 600 0:0 fifo", "0", "1"], "{out}");
}

#[test]
fn mounts_must_be_made_in_their_order_with_their_options() {
    needs!(Root);
    let mut bundle = Bundle::new(
        "cat /proc/self/mounts; cat /b/file; touch /b/no; touch /deep/x/no; touch /deep/sub/yes && echo written",
    );
    fs::create_dir_all(bundle.dir.join("source/sub")).unwrap();
    fs::write(bundle.dir.join("source/file"), "bound\n").unwrap();
    fs::write(bundle.dir.join("single"), "").unwrap();
    let more = json!([
        { "destination": "/b", "type": "bind", "source": "source", "options": ["rbind", "ro", "nosuid", "noatime"] },
        { "destination": "/etc/single", "source": bundle.dir.join("single"), "options": ["bind", "rprivate"] },
        { "destination": "/deep/x", "type": "tmpfs", "source": "named", "options": ["size=4k", "mode=700", "ro"] },
        { "destination": "/deep/sub", "type": "tmpfs", "source": "tmpfs", "options": ["nodev", "noexec", "strictatime"] },
    ]);
    mounts(&mut bundle.config).extend(more.as_array().unwrap().iter().cloned());
    let out = bundle.outcome();
    let line = |target: &str| {
        let found = out.lines().find(|l| l.split(' ').nth(1) == Some(target));
        found.unwrap_or_else(|| panic!("no {target}: {out}")).to_owned()
    };
    for option in ["ro", "nosuid", "noatime"] {
        assert!(line("/b").split([' ', ',']).any(|o| o == option), "{option}: {}", line("/b"));
    }
    assert!(line("/deep/x").starts_with("named /deep/x tmpfs ro"), "{}", line("/deep/x"));
    assert!(line("/deep/sub").contains("nodev,noexec"), "{}", line("/deep/sub"));
    assert!(out.contains("bound\n") && out.ends_with("written\n"), "{out}");
    line("/etc/single");
}

#[test]
fn masked_and_read_only_paths_and_a_read_only_root_must_hold() {
    needs!(Userns);
    let mut bundle =
        Bundle::new("cat /secret; ls /hidden; echo x >/sealed/file || echo sealed; touch /any || echo root");
    for (path, text) in [("secret", "s"), ("hidden/h", "h"), ("sealed/file", "f")] {
        let path = bundle.dir.join("rootfs").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    bundle.config["root"]["readonly"] = true.into();
    bundle.config["linux"]["maskedPaths"] = json!(["/secret", "/hidden", "/missing"]);
    bundle.config["linux"]["readonlyPaths"] = json!(["/sealed"]);
    assert_eq!(bundle.outcome(), "sealed\nroot\n");
}

/// Of the configuration that the runtime offers: each path alone.
#[test]
fn every_default_path_must_be_masked_or_read_only() {
    needs!(Userns);
    let mut bundle = Bundle::new("true");
    let linux = bundle.config["linux"].clone();
    let list = |name: &str| -> Vec<String> { serde_json::from_value(linux[name].clone()).unwrap() };
    let (masked, read_only) = (list("maskedPaths"), list("readonlyPaths"));
    assert!(masked.len() >= 12 && read_only.len() >= 5, "{masked:?} {read_only:?}");
    let mut script = String::new();
    for path in &masked {
        script += &format!(
            "if test -d {path}; then test -z \"$(ls -A {path})\" || echo readable {path}; \
            elif test -e {path}; then test -c {path} && test -z \"$(head -c1 {path})\" || echo readable {path}; fi; "
        );
    }
    for path in &read_only {
        script += &format!("test ! -e {path} || grep -q ' {path} ro,' /proc/self/mountinfo || echo writable {path}; ");
    }
    bundle.config["process"]["args"] = json!(["/bin/sh", "-c", script]);
    assert_eq!(bundle.outcome(), "");
}

#[test]
fn sysctls_and_names_must_be_set() {
    needs!(Root);
    let mut bundle =
        Bundle::new("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/domainname /proc/sys/kernel/hostname");
    bundle.config["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
    (bundle.config["hostname"], bundle.config["domainname"]) = ("host".into(), "domain".into());
    assert_eq!(bundle.outcome(), "1\ndomain\nhost\n");
}

#[test]
fn resources_must_be_applied_where_the_configuration_says() {
    needs!(Root, Cgroup);
    let mut bundle = Bundle::new("sleep 1000");
    let path = format!("/teu-test-{}/inner", bundle.id);
    bundle.config["linux"]["cgroupsPath"] = path.clone().into();
    bundle.config["linux"]["resources"] =
        json!({ "memory": { "limit": 33554432 }, "pids": { "limit": 20 }, "cpu": { "shares": 512 } });
    bundle.create().exits(0);
    let v2 = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let read = |controller: &str, file: &str| {
        let dir = if v2 { "/sys/fs/cgroup".to_owned() } else { format!("/sys/fs/cgroup/{controller}") };
        fs::read_to_string(format!("{dir}{path}/{file}")).unwrap().trim().to_owned()
    };
    let memory = if v2 { "memory.max" } else { "memory.limit_in_bytes" };
    assert_eq!((read("memory", memory), read("pids", "pids.max")), ("33554432".into(), "20".into()));
    assert_eq!(read("pids", "cgroup.procs"), bundle.state()["pid"].to_string());
    bundle.call(&["update", "--memory", "64M", &bundle.id]).exits(0);
    assert_eq!(read("memory", memory), "67108864");
    let figures = bundle.call(&["events", "--stats", &bundle.id]).exits(0).stdout;
    let figures: Value = serde_json::from_str(&figures).unwrap();
    assert_eq!(figures["data"]["pids"]["current"], 1);
    bundle.on(&["pause"]).exits(0);
    assert_eq!(bundle.status(), "paused");
    bundle.on(&["pause"]).exits(1);
    bundle.on(&["resume"]).exits(0);
    assert_eq!(bundle.status(), "created");
    assert_eq!(
        bundle.call(&["ps", "--format", "json", &bundle.id]).exits(0).out(),
        format!("[{}]", bundle.state()["pid"])
    );
    bundle.on(&["delete", "--force"]).exits(0);
    let group = if v2 { format!("/sys/fs/cgroup{path}") } else { format!("/sys/fs/cgroup/memory{path}") };
    assert!(!Path::new(&group).exists(), "the group is removed");
    // Its parent was somebody's choice; here it was ours.
    for entry in fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        let _ = fs::remove_dir(entry.path().join(format!("teu-test-{}", bundle.id)));
    }
    let _ = fs::remove_dir(format!("/sys/fs/cgroup/teu-test-{}", bundle.id));
}

#[test]
fn kill_all_must_reach_every_process() {
    needs!(Root, Cgroup);
    let mut bundle = Bundle::new("sleep 1000 & sleep 1000 & wait");
    namespaces(&mut bundle.config).retain(|n| n["type"] != "pid");
    mounts(&mut bundle.config).retain(|m| m["destination"] != "/proc");
    bundle.config["linux"]["maskedPaths"] = json!([]);
    bundle.config["linux"]["readonlyPaths"] = json!([]);
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    let count = || {
        let listed: Value =
            serde_json::from_str(&bundle.call(&["ps", "-f", "json", &bundle.id]).stdout).unwrap_or_default();
        listed.as_array().map_or(0, Vec::len)
    };
    wait_until("three processes", || (count() == 3).then_some(()));
    bundle.call(&["kill", "--all", &bundle.id, "KILL"]).exits(0);
    wait_until("it stops", || (bundle.status() == "stopped").then_some(()));
    bundle.on(&["delete"]).exits(0);
    bundle.assert_gone();
}

#[test]
fn features_must_be_the_truth() {
    let bundle = Bundle::new("true");
    let features: Value = serde_json::from_str(&bundle.call(&["features"]).exits(0).stdout).unwrap();
    assert_eq!(features["ociVersionMax"], "1.3.0");
    for (part, key) in [("cgroup", "systemd"), ("netDevices", "enabled"), ("intelRdt", "enabled")] {
        assert_eq!(features["linux"][part][key], true, "{part}");
    }
    assert_eq!(features["linux"]["mountExtensions"]["idmap"]["enabled"], true);
    let version = bundle.call(&["--version"]).exits(0).stdout;
    assert!(version.starts_with("teu version ") && version.contains("\nspec: 1."), "{version}");
}
