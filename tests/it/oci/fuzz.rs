//! Words that mean something, in combinations nobody wrote down, and nonsense among them: whatever stands in a
//! configuration, in a process to be added, or in limits to be changed, no trace is left and nothing is half done.

use super::bundle::Bundle;
use super::hostile::{assert_no_trace, attempt, cases, change, rich};
use crate::support::needs::{Need, is_root, lacking};
use crate::support::program;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::fs;
use std::process::Stdio;

/// Places in a process, and what may stand there.
fn process_words() -> Vec<(String, Value)> {
    let scheduler = |policy: &str, nice: i32| json!({ "policy": policy, "nice": nice });
    let words = [
        ("user", json!({ "uid": 1000, "gid": 1000, "umask": 63, "additionalGids": [1, 2, 3] })),
        ("user/additionalGids", json!([0, 5])),
        ("cwd", "/made/here".into()),
        ("env", json!(["PATH=/bin", "A=b", "A=c", "EMPTY="])),
        ("args", json!(["true", "with", "arguments"])),
        (
            "capabilities",
            json!({ "bounding": ["CAP_KILL", "CAP_CHOWN"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"] }),
        ),
        ("capabilities/inheritable", json!(["CAP_KILL"])),
        ("capabilities/ambient", json!(["CAP_KILL", "CAP_SYS_ADMIN"])),
        (
            "rlimits",
            json!([{ "type": "RLIMIT_NOFILE", "soft": 64, "hard": 64 }, { "type": "RLIMIT_CORE", "soft": 0, "hard": 0 }]),
        ),
        ("rlimits", json!([{ "type": "RLIMIT_FSIZE", "soft": 0, "hard": 0 }])),
        ("noNewPrivileges", false.into()),
        ("oomScoreAdj", 500.into()),
        ("scheduler", scheduler("SCHED_BATCH", 3)),
        ("scheduler", scheduler("SCHED_IDLE", 0)),
        ("scheduler", json!({ "policy": "SCHED_FIFO", "priority": 1, "flags": ["SCHED_FLAG_RESET_ON_FORK"] })),
        ("ioPriority", json!({ "class": "IOPRIO_CLASS_IDLE", "priority": 7 })),
        ("execCPUAffinity", json!({ "initial": "0", "final": "0" })),
        ("consoleSize", json!({ "height": 24, "width": 80 })),
        ("apparmorProfile", "unconfined".into()),
        ("selinuxLabel", "system_u:system_r:container_t:s0".into()),
    ];
    words.map(|(place, value)| (format!("/{place}"), value)).into()
}

/// Places in limits, and what may stand there.
fn resource_words() -> Vec<(String, Value)> {
    let words = [
        ("memory", json!({ "limit": 67_108_864, "swap": 134_217_728, "reservation": 33_554_432 })),
        ("memory/swappiness", 10.into()),
        ("memory/checkBeforeUpdate", true.into()),
        ("memory/limit", (-1).into()),
        ("cpu", json!({ "shares": 512, "quota": 50_000, "period": 100_000, "burst": 1000 })),
        ("cpu/idle", 1.into()),
        ("cpu/cpus", "0".into()),
        ("cpu/mems", "0".into()),
        ("pids", json!({ "limit": 50 })),
        ("pids/limit", (-1).into()),
        ("blockIO", json!({ "weight": 100, "leafWeight": 10 })),
        ("blockIO/throttleReadBpsDevice", json!([{ "major": 7, "minor": 0, "rate": 1_048_576 }])),
        ("hugepageLimits", json!([{ "pageSize": "2MB", "limit": 2_097_152 }])),
        ("network", json!({ "classID": 1_048_577, "priorities": [{ "name": "lo", "priority": 5 }] })),
        ("rdma", json!({ "mlx5_0": { "hcaHandles": 3, "hcaObjects": 10 } })),
        ("unified", json!({ "pids.max": "40", "memory.high": "max" })),
        (
            "devices",
            json!([{ "allow": false, "access": "rwm" }, { "allow": true, "type": "c", "major": 1, "access": "r" }]),
        ),
    ];
    words.map(|(place, value)| (format!("/{place}"), value)).into()
}

/// Places in a configuration, and what may stand there. Nothing that would change the machine.
fn words() -> Vec<(String, Value)> {
    let hook = json!([{ "path": "/bin/true", "args": ["true"], "env": ["A=b"], "timeout": 5 }]);
    let moments = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
    let mount = |target: &str, kind: &str, options: &[&str]| json!({ "destination": target, "type": kind, "source": "source", "options": options });
    let map = json!([{ "containerID": 0, "hostID": 0, "size": 1000 }]);
    let filter = |action: &str| json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": ["swapon"], "action": action }] });
    let mut all: Vec<(&str, Value)> = vec![
        ("/hostname", "box".into()),
        ("/domainname", "example".into()),
        ("/annotations", json!({ "org.systemd.property.TimeoutStopUSec": "uint64 1" })),
        ("/root/readonly", true.into()),
        ("/mounts/-", mount("/t", "tmpfs", &["ro", "size=1m", "mode=700", "tmpcopyup"])),
        ("/mounts/-", mount("/b/below", "bind", &["rbind", "rro", "rnosuid", "rslave"])),
        ("/mounts/-", mount("/m", "bind", &["bind", "idmap"])),
        ("/mounts/-", mount("/proc", "proc", &["remount", "ro"])),
        ("/mounts/-", mount("/sys/fs/cgroup", "cgroup", &["ro", "relatime"])),
        ("/mounts/-", mount("/dev/mqueue", "mqueue", &["nosuid"])),
        ("/mounts/-", mount("relative/../../place", "tmpfs", &["noatime", "unbindable"])),
        ("/linux/namespaces/-", json!({ "type": "user" })),
        ("/linux/namespaces/-", json!({ "type": "time" })),
        ("/linux/namespaces/-", json!({ "type": "time", "path": "/proc/self/ns/time" })),
        ("/linux/uidMappings", map.clone()),
        ("/linux/gidMappings", map),
        ("/linux/timeOffsets", json!({ "monotonic": { "secs": 100, "nanosecs": 1 } })),
        (
            "/linux/sysctl",
            json!({ "net.ipv4.ip_forward": "1", "kernel.shmmni": "100", "net/ipv4/ip_default_ttl": "60" }),
        ),
        ("/linux/maskedPaths", json!(["/proc/kcore", "/etc", "/no/such/path"])),
        ("/linux/readonlyPaths", json!(["/proc/sys", "/tmp", "/bin"])),
        ("/linux/rootfsPropagation", "shared".into()),
        ("/linux/rootfsPropagation", "rslave".into()),
        (
            "/linux/devices",
            json!([{ "path": "/dev/p", "type": "p", "fileMode": 384 }, { "path": "/deep/x", "type": "c", "major": 1, "minor": 5 }]),
        ),
        ("/linux/netDevices", json!({ "no-such-device": { "name": "eth0" } })),
        ("/linux/seccomp", filter("SCMP_ACT_KILL_PROCESS")),
        ("/linux/seccomp", filter("SCMP_ACT_NOTIFY")),
        ("/linux/seccomp/listenerPath", "/no/such/listener".into()),
        ("/linux/seccomp/flags", json!(["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"])),
        ("/linux/personality", json!({ "domain": "LINUX32" })),
        ("/linux/intelRdt", json!({ "closID": "guaranteed" })),
    ];
    all.extend(moments.map(|moment| (moment, hook.clone())));
    let place = |name: &str| if name.starts_with('/') { name.to_owned() } else { format!("/hooks/{name}") };
    let process = process_words().into_iter().map(|(at, value)| (format!("/process{at}"), value));
    let limits = resource_words().into_iter().map(|(at, value)| (format!("/linux/resources{at}"), value));
    all.into_iter().map(|(at, value)| (place(at), value)).chain(process).chain(limits).collect()
}

/// Puts the value at the place, with what is missing above it.
fn put(document: &mut Value, place: &str, value: &Value) {
    let mut at = document;
    for key in place.split('/').skip(1) {
        if key == "-" || (at.is_array() && key.parse::<usize>().is_err()) {
            let Some(list) = at.as_array_mut() else { return };
            list.push(Value::Null);
            at = list.last_mut().unwrap();
            continue;
        }
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[key];
    }
    *at = value.clone();
}

/// Which words are put there, and which places are spoilt afterwards.
type Plan = (Vec<usize>, Vec<(usize, u8)>);

fn plans() -> impl Strategy<Value = Plan> {
    let spoilt = (any::<usize>(), prop_oneof![0u8..22, 100u8..]);
    (proptest::collection::vec(any::<usize>(), 1..6), proptest::collection::vec(spoilt, 0..3))
}

fn written(document: &mut Value, words: &[(String, Value)], (put_there, spoilt): &Plan, bundle: &Bundle) {
    for choice in put_there {
        let (place, value) = &words[choice % words.len()];
        put(document, place, value);
    }
    spoilt.iter().for_each(|(choice, kind)| change(document, *choice, *kind, &bundle.dir));
}

fn runner() -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        max_shrink_iters: 30,
        ..ProptestConfig::default()
    })
}

#[test]
fn words_that_mean_something_leave_no_trace_in_a_configuration() {
    crate::needs!(Userns);
    let words = words();
    let tried = runner().run(&plans(), |plan| {
        let mut bundle = rich();
        let mut document = bundle.config.take();
        written(&mut document, &words, &plan, &bundle);
        let answer = attempt(&bundle, document.to_string().as_bytes());
        assert_no_trace(&bundle, &answer);
        Ok(())
    });
    tried.unwrap();
}

/// A container that runs until it is told otherwise.
fn running() -> Bundle {
    let mut bundle = Bundle::new("");
    bundle.config["process"]["args"] = json!(["sleep", "1000"]);
    if is_root() && lacking(Need::Cgroup).is_none() {
        bundle.config["linux"]["resources"] = json!({ "memory": { "limit": 67_108_864 }, "pids": { "limit": 100 } });
    }
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    bundle
}

#[test]
fn whatever_an_added_process_is_described_as_nothing_of_it_stays() {
    crate::needs!(Userns);
    let bundle = running();
    let alone = || bundle.call(&["ps", "-f", "json", &bundle.id]).exits(0).out().to_owned();
    let (before, words, file) = (alone(), process_words(), bundle.dir.join("process.json"));
    let tried = runner().run(&plans(), |plan| {
        let mut process = json!({ "args": ["true"], "cwd": "/", "env": ["PATH=/bin"], "user": { "uid": 0, "gid": 0 } });
        written(&mut process, &words, &plan, &bundle);
        fs::write(&file, process.to_string()).unwrap();
        // Killed when it takes longer than any of these may.
        let answer = program::finish(
            bundle.command(&["exec", "--process", &file.to_string_lossy(), &bundle.id]).stdin(Stdio::null()),
        );
        prop_assert!(!answer.stderr.contains("panicked"), "{process}: {answer:?}");
        prop_assert!(answer.code != 255 || !answer.stderr.is_empty(), "{process}: {answer:?}");
        prop_assert_eq!(alone(), before.clone(), "{}: {:?}", process, answer);
        Ok(())
    });
    tried.unwrap();
}

#[test]
fn whatever_limits_are_changed_to_the_container_stays() {
    crate::needs!(Root, Cgroup);
    let words = resource_words();
    let kept = std::cell::RefCell::new(running());
    let file = |bundle: &Bundle| bundle.dir.join("resources");
    let tried = runner().run(&plans(), |plan| {
        let mut bundle = kept.borrow_mut();
        if bundle.status() != "running" {
            // By a limit below what it used.
            bundle.call(&["delete", "--force", &bundle.id]).exits(0);
            *bundle = running();
        }
        let mut document = json!({ "pids": { "limit": 60 } });
        written(&mut document, &words, &plan, &bundle);
        fs::write(file(&bundle), document.to_string()).unwrap();
        let groups = bundle.groups();
        let answer = bundle.call(&["update", "--resources", &file(&bundle).to_string_lossy(), &bundle.id]);
        prop_assert!(!answer.stderr.contains("panicked"), "{document}: {answer:?}");
        prop_assert!(answer.code == 0 || (answer.code == 1 && !answer.stderr.is_empty()), "{document}: {answer:?}");
        prop_assert_eq!(bundle.groups(), groups, "{}: {:?}", document, answer);
        // It can still be asked, and told.
        bundle.on(&["state"]).exits(0);
        Ok(())
    });
    tried.unwrap();
}
