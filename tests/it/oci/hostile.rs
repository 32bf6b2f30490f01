//! Configurations and callers that mean no good, or no sense: the specification's error or a run, and no trace.

use super::bundle::{Bundle, mounts, namespaces};
use crate::needs;
use crate::support::program::{self, Answer};
use crate::support::wait_until;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

/// `run` with this text as configuration. A runtime that hangs is killed, and that is told by 137.
pub fn attempt(bundle: &Bundle, text: &[u8]) -> Answer {
    fs::write(bundle.dir.join("config.json"), text).unwrap();
    run(bundle)
}

fn run(bundle: &Bundle) -> Answer {
    let inner = bundle.command(&["run", "-b", &bundle.dir.to_string_lossy(), &bundle.id]);
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", "60"]).arg(inner.get_program()).args(inner.get_args());
    program::finish(command.stdin(Stdio::null()).env_remove("XDG_RUNTIME_DIR"))
}

/// Nothing of it runs, is mounted, or is written down.
#[track_caller]
pub fn assert_no_trace(bundle: &Bundle, answer: &Answer) {
    assert!(!answer.stderr.contains("panicked"), "{}", answer.stderr);
    assert_ne!(answer.code, 137, "it hung: {}", answer.stderr);
    bundle.assert_gone();
    let name = bundle.dir.file_name().unwrap().to_string_lossy().into_owned();
    let has = |pid: &str| fs::read_to_string(format!("/proc/{pid}/mountinfo")).is_ok_and(|text| text.contains(&name));
    let left = || fs::read_dir("/proc").unwrap().flatten().any(|p| has(&p.file_name().to_string_lossy()));
    wait_until("its processes are gone", || (!left()).then_some(()));
}

/// One with something of everything.
pub fn rich() -> Bundle {
    let mut bundle = Bundle::new("true");
    let config = &mut bundle.config;
    config["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 64, "hard": 64 }]);
    config["process"]["user"]["additionalGids"] = json!([0]);
    config["process"]["oomScoreAdj"] = 100.into();
    config["process"]["ioPriority"] = json!({ "class": "IOPRIO_CLASS_BE", "priority": 4 });
    config["process"]["scheduler"] = json!({ "policy": "SCHED_OTHER", "nice": 1 });
    config["hooks"] =
        json!({ "createRuntime": [{ "path": "/bin/true", "args": ["true"], "timeout": 5, "env": ["A=b"] }] });
    config["annotations"] = json!({ "a.b": "c" });
    config["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{ "names": ["swapon"], "action": "SCMP_ACT_ERRNO", "args": [{ "index": 0, "value": 1, "op": "SCMP_CMP_EQ" }] }] });
    // A kernel without memory nodes has no policies.
    if Path::new("/proc/self/numa_maps").exists() {
        config["linux"]["memoryPolicy"] = json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": [] });
    }
    fs::create_dir(bundle.dir.join("source")).unwrap();
    let bind =
        json!({ "destination": "/b", "type": "bind", "source": "source", "options": ["rbind", "rro", "nosuid"] });
    mounts(&mut bundle.config).push(bind);
    if crate::support::needs::is_root() {
        bundle.config["linux"]["devices"] =
            json!([{ "path": "/dev/x", "type": "c", "major": 1, "minor": 3, "fileMode": 438 }]);
        bundle.config["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
        if crate::support::needs::lacking(crate::support::needs::Need::Cgroup).is_none() {
            bundle.config["linux"]["resources"] = json!({
                "memory": { "limit": 67108864, "swap": 67108864 }, "pids": { "limit": 50 },
                "cpu": { "shares": 512, "quota": 50000, "period": 100000 },
                "devices": [{ "allow": false, "access": "rwm" }, { "allow": true, "type": "c", "major": 1, "minor": 3, "access": "rw" }],
            });
        }
    }
    // Paths that are no good, for the changes below.
    let made = Command::new("mkfifo").arg(bundle.dir.join("fifo")).status().unwrap();
    assert!(made.success());
    symlink("/nonexistent/target", bundle.dir.join("dangling")).unwrap();
    symlink("loop", bundle.dir.join("loop")).unwrap();
    bundle
}

/// Every place in the document.
fn places(value: &Value, at: String, all: &mut Vec<String>) {
    all.push(at.clone());
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, inner)| {
                places(inner, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), all)
            });
        }
        Value::Array(list) => list.iter().enumerate().for_each(|(n, inner)| places(inner, format!("{at}/{n}"), all)),
        _ => {}
    }
}

fn nonsense(kind: u8, dir: &Path) -> Value {
    let path = |name: &str| json!(dir.join(name));
    match kind {
        0 => Value::Null,
        1 => true.into(),
        2 => 0.into(),
        3 => (-1).into(),
        4 => (1u64 << 31).into(),
        5 => u64::MAX.into(),
        6 => i64::MIN.into(),
        7 => 1.5e300.into(),
        8 => "".into(),
        9 => "a\0b".into(),
        10 => "x".repeat(70_000).into(),
        11 => "relative/path".into(),
        12 => "/nonexistent".into(),
        13 => path("fifo"),
        14 => path("dangling"),
        15 => path("loop"),
        16 => json!([]),
        17 => json!({}),
        18 => (0..100).fold(json!(1), |inner, _| json!([inner])),
        19 => json!({ "containerID": 0, "hostID": 0, "size": 4294967295u64 }),
        20 => "0-65535,".repeat(5000).into(),
        _ => "\u{202e}\u{0}\u{7f}".into(),
    }
}

/// Takes away, exchanges, or doubles what is at one place.
pub fn change(config: &mut Value, choice: usize, kind: u8, dir: &Path) {
    let mut all = Vec::new();
    places(config, String::new(), &mut all);
    let place = all[1 + choice % (all.len() - 1)].clone();
    let (parent, key) = place.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/").replace("~0", "~");
    match (config.pointer_mut(parent).unwrap(), kind) {
        (Value::Object(map), 100..) => drop(map.remove(&key)),
        (Value::Array(list), 100..180) => drop(list.remove(key.parse().unwrap())),
        (Value::Array(list), _) if kind >= 100 => {
            let again = list[key.parse::<usize>().unwrap()].clone();
            list.push(again);
        }
        _ => *config.pointer_mut(&place).unwrap() = nonsense(kind % 22, dir),
    }
}

/// Each starts a container, or nearly: a few by default.
pub fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, max_shrink_iters: 30, ..ProptestConfig::default() })]
    #[test]
    fn whatever_stands_in_the_configuration_no_trace_is_left(
        changes in proptest::collection::vec((any::<usize>(), prop_oneof![0u8..22, 100u8..]), 1..4),
    ) {
        if crate::support::needs::lacking(crate::support::needs::Need::Userns).is_none() {
            let mut bundle = rich();
            let dir = bundle.dir.clone();
            for (choice, kind) in &changes {
                change(&mut bundle.config, *choice, *kind, &dir);
            }
            let answer = attempt(&bundle, bundle.config.to_string().as_bytes());
            assert_no_trace(&bundle, &answer);
        }
    }

    #[test]
    fn bytes_that_are_no_configuration_are_an_error(at in any::<usize>(), byte in any::<u8>(), cut in any::<bool>()) {
        if crate::support::needs::lacking(crate::support::needs::Need::Userns).is_none() {
            let bundle = rich();
            let mut text = bundle.config.to_string().into_bytes();
            let at = at % text.len();
            if cut { text.truncate(at) } else { text[at] = byte }
            let answer = attempt(&bundle, &text);
            assert_no_trace(&bundle, &answer);
        }
    }
}

#[test]
fn a_configuration_that_is_no_file_or_has_no_end_must_be_an_error() {
    needs!(Userns);
    let bundle = rich();
    let config = bundle.dir.join("config.json");
    let refused = |bundle: &Bundle, words: &str| {
        let answer = run(bundle).exits(1);
        assert!(answer.stderr.contains(words), "{words}: {}", answer.stderr);
        assert_no_trace(bundle, &answer);
    };
    fs::remove_file(&config).unwrap();
    refused(&bundle, "reading the configuration");
    fs::rename(bundle.dir.join("fifo"), &config).unwrap();
    refused(&bundle, "not a regular file");
    fs::remove_file(&config).unwrap();
    symlink("/dev/zero", &config).unwrap();
    refused(&bundle, "reading the configuration");
    fs::remove_file(&config).unwrap();
    fs::create_dir(&config).unwrap();
    refused(&bundle, "not a regular file");
    fs::remove_dir(&config).unwrap();
    for text in ["[".repeat(1_000_000), "{\"a\":".repeat(200_000), " ".repeat((8 << 20) + 1)] {
        let answer = attempt(&bundle, text.as_bytes()).exits(1);
        assert_no_trace(&bundle, &answer);
    }
}

#[test]
fn ten_thousand_mounts_are_made_or_refused() {
    needs!(Userns);
    for kind in ["bind", "tmpfs"] {
        let mut bundle = Bundle::new("true");
        let source = if kind == "bind" { "/etc/hostname" } else { "tmpfs" };
        for n in 0..10_000 {
            let one = json!({ "destination": format!("/m{}", n % 50), "type": kind, "source": source });
            mounts(&mut bundle.config).push(one);
        }
        let answer = attempt(&bundle, bundle.config.to_string().as_bytes());
        assert_no_trace(&bundle, &answer);
        assert!(answer.code == 0 || !answer.stderr.is_empty(), "{}", answer.code);
    }
}

#[test]
fn namespaces_that_are_missing_or_doubled_must_be_an_error_or_the_host_s() {
    needs!(Root);
    let whole = rich();
    attempt(&whole, whole.config.to_string().as_bytes()).exits(0);
    for kind in ["pid", "network", "ipc", "uts", "mount", "cgroup"] {
        let mut bundle = rich();
        let doubled = namespaces(&mut bundle.config).iter().find(|n| n["type"] == kind).unwrap().clone();
        namespaces(&mut bundle.config).push(doubled);
        let answer = attempt(&bundle, bundle.config.to_string().as_bytes()).exits(1);
        assert!(answer.stderr.contains("listed twice"), "{}", answer.stderr);
        assert_no_trace(&bundle, &answer);
        namespaces(&mut bundle.config).retain(|n| n["type"] != kind);
        let answer = attempt(&bundle, bundle.config.to_string().as_bytes());
        // What the host's may not get is refused by name.
        let refused = ["network", "uts"].contains(&kind);
        assert!((answer.code == 1) == refused, "{kind}: {} {}", answer.code, answer.stderr);
        assert_no_trace(&bundle, &answer);
    }
}

#[test]
fn an_exec_in_a_dying_container_must_end() {
    needs!(Userns);
    for round in 0..6 {
        let bundle = Bundle::new("sleep 1000");
        bundle.create().exits(0);
        bundle.on(&["start"]).exits(0);
        thread::scope(|scope| {
            let execs: Vec<_> = (0..3)
                .map(|_| scope.spawn(|| program::finish(&mut bundle.command(&["exec", &bundle.id, "sleep", "1000"]))))
                .collect();
            if round % 2 == 0 {
                let listed = || bundle.call(&["ps", "-f", "json", &bundle.id]).stdout.matches(',').count() > 0;
                wait_until("one of them runs", || listed().then_some(()));
            }
            bundle.call(&["kill", &bundle.id, "KILL"]).exits(0);
            for exec in execs {
                let answer = exec.join().unwrap();
                assert!(answer.code == 137 || answer.code == 255, "{} {}", answer.code, answer.stderr);
                assert!(!answer.stderr.contains("panicked"), "{}", answer.stderr);
            }
        });
        wait_until("it stops", || (bundle.status() == "stopped").then_some(()));
        bundle.call(&["exec", &bundle.id, "true"]).exits(255);
        bundle.call(&["kill", &bundle.id, "KILL"]).exits(1);
        bundle.on(&["delete"]).exits(0);
        bundle.assert_gone();
    }
}

#[test]
fn a_passwd_of_ten_thousand_lines_is_read_and_a_strange_one_is_no_obstacle() {
    needs!(Root);
    let mut bundle = Bundle::new("echo $HOME");
    bundle.config["process"]["user"] = json!({ "uid": 19_999, "gid": 5 });
    let lines: String = (10_000..20_000).map(|n| format!("user{n}:x:{n}:{n}::/home/{n}:/bin/sh\n")).collect();
    let passwd = bundle.dir.join("rootfs/etc/passwd");
    fs::write(&passwd, lines).unwrap();
    assert_eq!(bundle.outcome(), "/home/19999\n");
    fs::remove_file(&passwd).unwrap();
    assert!(Command::new("mkfifo").arg(&passwd).status().unwrap().success());
    assert_eq!(bundle.outcome(), "/\n");
    fs::remove_file(&passwd).unwrap();
    symlink("/dev/zero", &passwd).unwrap();
    assert_eq!(bundle.outcome(), "/\n");
}

#[test]
fn a_group_that_has_processes_must_be_refused_and_left_as_it_is() {
    needs!(Root, Cgroup);
    let first = Bundle::new("sleep 1000");
    first.create().exits(0);
    let mut second = Bundle::new("true");
    second.config["linux"]["cgroupsPath"] = first.group().into();
    let refused = second.create().exits(1);
    assert!(refused.stderr.contains("is not empty"), "{}", refused.stderr);
    second.assert_gone();
    assert_eq!(first.status(), "created", "its processes are untouched");
    first.on(&["pause"]).exits(0);
    second.config["linux"]["cgroupsPath"] = format!("{}/below", first.group()).into();
    // Below a frozen group nothing would ever run.
    let refused = second.create().exits(1);
    assert!(refused.stderr.contains("is frozen"), "{}", refused.stderr);
    assert!(first.groups().iter().all(|dir| !dir.join("below").exists()));
}
