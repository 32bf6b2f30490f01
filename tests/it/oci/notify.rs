//! System calls that somebody else decides (config-linux.md, "Seccomp": `SCMP_ACT_NOTIFY`), and attributes of `exec`.

use super::bundle::Bundle;
use crate::needs;
use crate::support::wait_until;
use serde_json::{Value, json};
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::thread;

/// `SECCOMP_IOCTL_NOTIF_RECV` and `SECCOMP_IOCTL_NOTIF_SEND`.
const RECEIVE: libc::c_ulong = 0xc050_2100;
const SEND: libc::c_ulong = 0xc018_2101;
const ENOTTY: i64 = 25;

/// A notification: its number and the process (as the listener counts) that made the call.
fn receive(notifier: &OwnedFd) -> Option<(u64, u32)> {
    let mut notification = [0u64; 10];
    // SAFETY: `struct seccomp_notif` has 80 bytes.
    let result = unsafe { libc::ioctl(notifier.as_raw_fd(), RECEIVE, notification.as_mut_ptr()) };
    (result == 0).then_some((notification[0], notification[1] as u32))
}

/// The call fails with that errno.
fn refuse(notifier: &OwnedFd, number: u64, errno: i64) {
    let mut answer = [number, 0, (-(errno as i32)) as u32 as u64];
    // SAFETY: `struct seccomp_notif_resp` has 24 bytes.
    let result = unsafe { libc::ioctl(notifier.as_raw_fd(), SEND, answer.as_mut_ptr()) };
    assert_eq!(result, 0);
}

/// The next connection's notifier and what was told along.
fn next(listener: &UnixListener) -> (OwnedFd, Value) {
    let (stream, _) = listener.accept().unwrap();
    let mut bytes = vec![0; 64 << 10];
    let (length, fd) = teu::sys::channel::recv_fd(&stream, &mut bytes).unwrap();
    (fd.expect("a descriptor"), serde_json::from_slice(&bytes[..length]).unwrap())
}

#[test]
fn a_listener_must_decide_the_calls_and_know_whose_they_are() {
    needs!(Root);
    let mut bundle = Bundle::new("hostname other 2>&1; hostname; sleep 1000");
    bundle.config["hostname"] = "first".into();
    let sets = &mut bundle.config["process"]["capabilities"];
    for set in ["bounding", "effective", "permitted"] {
        sets[set].as_array_mut().unwrap().push("CAP_SYS_ADMIN".into());
    }
    let path = bundle.dir.join("listener");
    let listener = UnixListener::bind(&path).unwrap();
    bundle.config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "listenerMetadata": "meta data",
        "syscalls": [{ "names": ["sethostname"], "action": "SCMP_ACT_NOTIFY" }],
    });
    let judge = thread::spawn(move || {
        let mut told = Vec::new();
        for _ in 0..2 {
            let (notifier, state) = next(&listener);
            let (number, pid) = receive(&notifier).expect("a call");
            refuse(&notifier, number, ENOTTY);
            told.push((state, pid));
        }
        told
    });
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    wait_until("the names", || (bundle.out().lines().count() == 2).then_some(()));
    let out = bundle.out();
    assert!(out.to_lowercase().contains("not a tty") || out.to_lowercase().contains("inappropriate ioctl"), "{out}");
    assert!(out.ends_with("first\n"), "{out}");
    let answer = bundle.call(&["exec", &bundle.id, "hostname", "third"]);
    assert_ne!(answer.code, 0, "{}", answer.stderr);
    let told = judge.join().unwrap();
    let own = bundle.state()["pid"].clone();
    let (first, by) = &told[0];
    assert_eq!((&first["fds"], &first["metadata"]), (&json!(["seccompFd"]), &json!("meta data")));
    assert_eq!((&first["pid"], &first["state"]["pid"], &first["state"]["id"]), (&own, &own, &json!(bundle.id)));
    // A shell that forks makes the call by a child of the process that was told.
    assert!(*by as u64 >= own.as_u64().unwrap());
    let (second, by) = &told[1];
    assert_eq!((&second["pid"], &second["state"]["pid"]), (&json!(by), &own), "exec tells its own process");
}

#[test]
fn an_added_process_must_have_what_its_description_says() {
    needs!(Root);
    let bundle = Bundle::new("sleep 1000");
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    let online = fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
    let last = online.trim().rsplit(['-', ',']).next().unwrap().to_owned();
    let script = "grep Cpus_allowed_list /proc/self/status; cut -d' ' -f19,41 /proc/self/stat";
    let process = json!({
        "args": ["sh", "-c", script], "cwd": "/", "env": ["PATH=/bin"], "user": { "uid": 0, "gid": 0 },
        "execCPUAffinity": { "initial": "0", "final": last },
        "scheduler": { "policy": "SCHED_BATCH", "nice": 3 },
        "ioPriority": { "class": "IOPRIO_CLASS_BE", "priority": 6 },
    });
    let file = bundle.dir.join("process.json");
    let exec = |process: &Value| {
        fs::write(&file, process.to_string()).unwrap();
        bundle.call(&["exec", "--process", &file.to_string_lossy(), &bundle.id])
    };
    assert_eq!(exec(&process).exits(0).stdout, format!("Cpus_allowed_list:\t{last}\n3 3\n"));
    for (field, value, words) in [
        ("execCPUAffinity", json!({ "final": "zero" }), "execCPUAffinity"),
        ("execCPUAffinity", json!({ "final": "9999" }), "sched_setaffinity"),
        ("scheduler", json!({ "policy": "SCHED_OTHER", "priority": 5 }), "SCHED_FIFO and SCHED_RR only"),
        ("scheduler", json!({ "policy": "SCHED_WHAT" }), "SCHED_WHAT"),
        ("ioPriority", json!({ "class": "IOPRIO_CLASS_BE", "priority": 8 }), "not within 0..7"),
    ] {
        let mut wrong = process.clone();
        wrong[field] = value;
        let answer = exec(&wrong).exits(255);
        assert!(answer.stderr.contains(words), "{words}: {}", answer.stderr);
    }
}

#[test]
fn the_memory_policy_must_be_that_of_the_process() {
    needs!(Userns);
    if !std::path::Path::new("/proc/self/numa_maps").exists() {
        return;
    }
    let mut bundle = Bundle::new("head -n 1 /proc/self/numa_maps");
    bundle.config["linux"]["memoryPolicy"] =
        json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"] });
    let out = bundle.outcome();
    assert!(out.contains("bind=static:0"), "{out}");
    bundle.config["linux"]["memoryPolicy"] = json!({ "mode": "MPOL_BIND", "nodes": "5000" });
    assert!(bundle.create().exits(1).stderr.contains("out of range"));
    bundle.config["linux"]["memoryPolicy"] = json!({ "mode": "MPOL_WHAT" });
    assert!(bundle.create().exits(1).stderr.contains("MPOL_WHAT"));
    bundle.assert_gone();
}
