//! The process (config.md, "Process"), by `start` and by `exec`.

use super::bundle::Bundle;
use crate::needs;
use crate::support::wait_until;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::net::UnixListener;

#[test]
fn the_process_must_be_as_it_is_described() {
    needs!(Root);
    let mut bundle = Bundle::new("id -u; id -g; id -G; pwd; echo $A $HOME; cat /proc/self/status; ulimit -n; umask");
    let process = &mut bundle.config["process"];
    process["user"] = json!({ "uid": 1000, "gid": 1001, "additionalGids": [5, 6], "umask": 0o77 });
    process["cwd"] = "/made/by/us".into();
    process["env"] = json!(["PATH=/bin", "A=b"]);
    process["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 77, "hard": 99 }]);
    process["oomScoreAdj"] = 321.into();
    let out = bundle.outcome();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[..5], ["1000", "1001", "1001 5 6", "/made/by/us", "b /tmp"], "{out}");
    assert!(out.contains("NoNewPrivs:\t1") && out.contains("Groups:\t5 6"), "{out}");
    assert!(out.ends_with("77\n0077\n"), "{out}");
}

#[test]
fn capabilities_must_be_the_five_sets() {
    needs!(Root);
    let mut bundle = Bundle::new("grep Cap /proc/self/status");
    bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    bundle.config["process"]["capabilities"] = json!({
        "bounding": ["CAP_KILL", "CAP_CHOWN", "CAP_NET_RAW"], "permitted": ["CAP_KILL", "CAP_CHOWN"],
        "effective": ["CAP_KILL"], "inheritable": ["CAP_CHOWN"], "ambient": ["CAP_CHOWN"],
    });
    let out = bundle.outcome();
    // After the program's execution: what is ambient stays, what is inheritable is kept.
    for line in [
        "CapInh:\t0000000000000001",
        "CapPrm:\t0000000000000001",
        "CapBnd:\t0000000000002021",
        "CapAmb:\t0000000000000001",
    ] {
        assert!(out.contains(line), "{line}\n{out}");
    }
}

#[test]
fn an_unknown_capability_must_be_warned_of_and_no_failure() {
    needs!(Userns);
    let mut bundle = Bundle::new("true");
    let sets = &mut bundle.config["process"]["capabilities"];
    sets["bounding"].as_array_mut().unwrap().push("CAP_WHAT".into());
    bundle.config["process"].as_object_mut().unwrap().remove("user");
    let answer = bundle.create().exits(0);
    assert!(answer.stderr.contains("level=warning") && answer.stderr.contains("CAP_WHAT"), "{}", answer.stderr);
    bundle.on(&["start"]).exits(0);
}

#[test]
fn a_working_directory_that_is_missing_is_made_below_a_read_only_root_too() {
    needs!(Userns);
    let mut bundle = Bundle::new("pwd");
    bundle.config["process"]["cwd"] = "/made/deep".into();
    bundle.config["root"]["readonly"] = true.into();
    assert_eq!(bundle.outcome(), "/made/deep\n");
}

#[test]
fn rarer_attributes_must_be_set() {
    needs!(Root);
    let mut bundle = Bundle::new(
        "cat /proc/self/stat | cut -d' ' -f19,41; cat /proc/self/oom_score_adj; cat /proc/self/personality",
    );
    let process = &mut bundle.config["process"];
    process["scheduler"] = json!({ "policy": "SCHED_BATCH", "nice": 5 });
    process["ioPriority"] = json!({ "class": "IOPRIO_CLASS_IDLE", "priority": 0 });
    process["oomScoreAdj"] = 321.into();
    bundle.config["linux"]["personality"] = json!({ "domain": "LINUX32" });
    let out = bundle.outcome();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[..2], ["5 3", "321"], "{out}");
    assert_eq!(lines[2], "00000008", "{out}");
}

#[test]
fn a_terminal_is_sent_to_the_console_socket() {
    needs!(Userns);
    let mut bundle = Bundle::new("stty size; echo here");
    bundle.config["process"]["terminal"] = true.into();
    bundle.config["process"]["consoleSize"] = json!({ "height": 33, "width": 77 });
    let refused = bundle.create().exits(1);
    assert!(refused.stderr.contains("console socket"), "{}", refused.stderr);
    let socket = bundle.dir.join("console");
    let listener = UnixListener::bind(&socket).unwrap();
    bundle.create_with(&["--console-socket", &socket.to_string_lossy()]).exits(0);
    let (stream, _) = listener.accept().unwrap();
    let (_, master) = teu::sys::channel::recv_fd(&stream, &mut [0; 64]).unwrap();
    let master = fs::File::from(master.expect("the master"));
    bundle.on(&["start"]).exits(0);
    let mut text = String::new();
    // A terminal whose last user is gone ends with an error.
    let _ = std::io::Read::read_to_string(&mut { master }, &mut text);
    assert_eq!(text, "33 77\r\nhere\r\n");
}

#[test]
fn exec_must_join_the_container() {
    needs!(Userns);
    let mut bundle = Bundle::new("echo 1 >/tmp/mark; sleep 1000");
    bundle.config["hostname"] = "joined".into();
    bundle.config["process"]["env"] = json!(["PATH=/bin", "A=b"]);
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    let exec = |words: &[&str]| bundle.call(&[&["exec"], words].concat());
    let id = bundle.id.as_str();
    wait_until("it runs", || bundle.dir.join("rootfs/tmp/mark").exists().then_some(()));
    let answer = exec(&[id, "sh", "-c", "hostname; cat /tmp/mark; echo $A; pwd; exit 9"]).exits(9);
    assert_eq!(answer.stdout, "joined\n1\nb\n/\n");
    assert_eq!(exec(&["--cwd", "/tmp", "-e", "A=c", id, "sh", "-c", "pwd; echo $A"]).exits(0).stdout, "/tmp\nc\n");
    let pids =
        exec(&[id, "sh", "-c", "for n in self/ns/pid 1/ns/pid 1/ns/net self/ns/net; do readlink /proc/$n; done"]);
    let lines: Vec<String> = pids.stdout.lines().map(str::to_owned).collect();
    assert!(lines[0] == lines[1] && lines[2] == lines[3], "{lines:?}");
    for (command, words) in [("nope", "executable file not found in $PATH"), ("/etc/passwd", "permission denied")] {
        let answer = exec(&[id, command]).exits(255);
        assert!(answer.stderr.contains(words), "{}", answer.stderr);
    }
    let file = bundle.dir.join("process.json");
    let process = json!({ "args": ["sh", "-c", "echo $X; grep CapBnd /proc/self/status"], "cwd": "/", "env": ["X=y", "PATH=/bin"] });
    fs::write(&file, process.to_string()).unwrap();
    let pid_file = bundle.dir.join("exec.pid");
    let words =
        ["--process", &file.to_string_lossy(), "--pid-file", &pid_file.to_string_lossy(), id].map(str::to_owned);
    let answer = exec(&words.iter().map(String::as_str).collect::<Vec<_>>()).exits(0);
    assert_eq!(answer.stdout, "y\nCapBnd:\t0000000000000000\n", "{}", answer.stderr);
    assert!(fs::read_to_string(pid_file).unwrap().parse::<i32>().unwrap() > 1);
}

#[test]
fn exec_by_number_and_with_capabilities() {
    needs!(Root);
    let bundle = Bundle::new("sleep 1000");
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    let script = "id -u; id -g; grep CapBnd /proc/self/status";
    let words = ["exec", "-u", "12:34", "--cap", "CAP_SYS_PTRACE", &bundle.id, "sh", "-c", script];
    let out = bundle.call(&words).exits(0).stdout;
    assert_eq!(out, "12\n34\nCapBnd:\t0000000020080420\n");
    for user in ["root", ":", "12:", "-1", "4294967296", "1:2:3"] {
        let answer = bundle.call(&["exec", "-u", user, &bundle.id, "id"]).exits(255);
        assert!(answer.stderr.contains("invalid user"), "{user}: {}", answer.stderr);
    }
}

#[test]
fn descriptors_must_not_leak_but_those_that_are_preserved() {
    needs!(Userns);
    let bundle = Bundle::new("ls /proc/self/fd");
    // The listing has one of its own.
    assert_eq!(bundle.outcome(), "0\n1\n2\n3\n");
}

#[test]
fn seccomp_must_be_applied() {
    needs!(Userns);
    for privileges in [true, false] {
        let mut bundle = Bundle::new("hostname; grep Seccomp: /proc/self/status");
        bundle.config["process"]["noNewPrivileges"] = privileges.into();
        bundle.config["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
            "flags": ["SECCOMP_FILTER_FLAG_LOG"],
            "syscalls": [{ "names": ["uname", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 }],
        });
        let out = bundle.outcome();
        assert!(out.contains("Seccomp:\t2"), "{out}");
        assert!(!out.contains("teu"), "uname is refused: {out}");
    }
    let refuse = |seccomp: Value, words: &str| {
        let mut bundle = Bundle::new("true");
        bundle.config["linux"]["seccomp"] = seccomp;
        let answer = bundle.create().exits(1);
        assert!(answer.stderr.contains(words), "{}", answer.stderr);
    };
    let notified = json!([{ "names": ["read"], "action": "SCMP_ACT_NOTIFY" }]);
    refuse(json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": notified }), "listenerPath");
    refuse(json!({ "defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/x" }), "cannot be the default");
    refuse(json!({ "defaultAction": "SCMP_ACT_WHAT" }), "SCMP_ACT_WHAT");
    let nameless = json!([{ "names": [], "action": "SCMP_ACT_ERRNO" }]);
    refuse(json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": nameless }), "at least one name");
    refuse(json!({ "defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x" }), "without listenerPath");
}

#[test]
fn a_notified_call_is_heard_of_at_the_listener() {
    needs!(Root);
    let mut bundle = Bundle::new("sleep 1000");
    let path = bundle.dir.join("listener");
    let listener = UnixListener::bind(&path).unwrap();
    bundle.config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "listenerMetadata": "meta",
        "syscalls": [{ "names": ["sethostname"], "action": "SCMP_ACT_NOTIFY" }],
    });
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    let (stream, _) = listener.accept().unwrap();
    let mut bytes = vec![0; 64 << 10];
    let (length, fd) = teu::sys::channel::recv_fd(&stream, &mut bytes).unwrap();
    assert!(fd.is_some());
    let told: Value = serde_json::from_slice(&bytes[..length]).unwrap();
    assert_eq!((&told["fds"], &told["metadata"]), (&json!(["seccompFd"]), &json!("meta")));
    assert_eq!((&told["pid"], &told["state"]["id"]), (&bundle.state()["pid"], &json!(bundle.id)));
}
