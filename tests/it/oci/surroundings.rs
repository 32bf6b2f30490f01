//! What a process finds around it, and what its caller sees of it: environment, terminal, descriptors, processors.

use super::bundle::Bundle;
use crate::needs;
use crate::support::program;
use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Stdio};

#[test]
fn of_several_values_of_a_variable_the_last_counts() {
    needs!(Userns);
    let mut bundle = Bundle::new("env");
    bundle.config["process"]["env"] = json!(["PATH=/bin", "A=1", "HOME=/x", "A=2", "HOME="]);
    let out = bundle.outcome();
    let mut lines: Vec<&str> = out.lines().filter(|l| l.starts_with("A=") || l.starts_with("HOME=")).collect();
    lines.sort_unstable();
    // An empty home is none: the user's counts.
    assert_eq!(lines, ["A=2", "HOME=/root"], "{out}");
}

#[test]
fn what_is_no_variable_must_be_an_error() {
    needs!(Userns);
    let mut bundle = Bundle::new("sleep 1000");
    for wrong in ["FOO", "", "=x"] {
        bundle.config["process"]["env"] = json!(["PATH=/bin", wrong]);
        let answer = bundle.create().exits(1);
        assert!(answer.stderr.contains("invalid environment variable"), "'{wrong}': {}", answer.stderr);
        bundle.assert_gone();
    }
    bundle.config["process"]["env"] = json!(["PATH=/bin", "EMPTY=", "TWO=a=b"]);
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    let answer = bundle.call(&["exec", "-e", "C", &bundle.id, "true"]).exits(255);
    assert!(answer.stderr.contains("invalid environment variable: \"C\""), "{}", answer.stderr);
    let out = bundle.call(&["exec", "-e", "C=", &bundle.id, "env"]).exits(0).stdout;
    for line in ["EMPTY=", "TWO=a=b", "C="] {
        assert!(out.lines().any(|l| l == line), "{line}: {out}");
    }
}

#[test]
fn a_terminal_in_the_foreground_leaves_line_ends_to_the_caller_s() {
    needs!(Userns);
    let mut bundle = Bundle::new("echo one; echo two; sleep 1000");
    bundle.config["process"]["terminal"] = true.into();
    bundle.config["process"]["args"][2] = "echo one; echo two".into();
    assert_eq!(bundle.run().exits(0).stdout, "one\ntwo\n");
    bundle.config["process"]["terminal"] = false.into();
    bundle.config["process"]["args"][2] = "sleep 1000".into();
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    assert_eq!(bundle.call(&["exec", "-t", &bundle.id, "sh", "-c", "echo 1; echo 2"]).exits(0).stdout, "1\n2\n");
}

#[test]
fn a_created_container_holds_nothing_that_its_caller_left_open() {
    // Nobody else may look at what a process holds that is not dumpable.
    needs!(Root);
    let bundle = Bundle::new("true");
    bundle.write();
    let words = ["create", "--preserve-fds", "1", "-b", &bundle.dir.to_string_lossy(), &bundle.id].map(str::to_owned);
    let own = bundle.command(&[]);
    let mut command = Command::new("sh");
    command.args(["-c", "exec 3</etc/hostname 9</etc/passwd; exec \"$0\" \"$@\" >/dev/null"]).arg(own.get_program());
    let status = command.args(own.get_args()).args(words).stdin(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success());
    let pid = bundle.state()["pid"].to_string();
    let held: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .map(|to| to.to_string_lossy().into_owned())
        .collect();
    assert!(held.iter().any(|file| file == "/etc/hostname"), "{held:?}");
    assert!(held.iter().all(|file| file != "/etc/passwd"), "{held:?}");
}

/// A service whose own processors are limited starts containers that are not.
#[test]
fn processors_are_the_control_group_s_and_not_the_caller_s() {
    needs!(Userns);
    let allowed = |text: &str| text.lines().find(|l| l.starts_with("Cpus_allowed_list")).unwrap_or_default().to_owned();
    let all = allowed(&fs::read_to_string("/proc/self/status").unwrap());
    if !all.contains(['-', ',']) {
        return eprintln!("SKIP oci::surroundings: one processor");
    }
    let mut bundle = Bundle::new("sleep 1000");
    let limited = |bundle: &Bundle, words: &[&str]| {
        let own = bundle.command(words);
        let mut command = Command::new("taskset");
        program::finish(command.args(["-c", "0"]).arg(own.get_program()).args(own.get_args()).stdin(Stdio::null()))
    };
    bundle.config["process"]["args"][2] = "cat /proc/self/status".into();
    bundle.write();
    let dir = bundle.dir.to_string_lossy().into_owned();
    let out = limited(&bundle, &["run", "-b", &dir, &bundle.id]).exits(0).stdout;
    assert_eq!(allowed(&out), all);
    bundle.config["process"]["args"][2] = "sleep 1000".into();
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    let out = limited(&bundle, &["exec", &bundle.id, "cat", "/proc/self/status"]).exits(0).stdout;
    assert_eq!(allowed(&out), all);
}

#[test]
fn a_capability_of_exec_is_ambient_where_the_container_may_inherit_it() {
    needs!(Root);
    let mut bundle = Bundle::new("sleep 1000");
    let sets = &mut bundle.config["process"]["capabilities"];
    sets["bounding"].as_array_mut().unwrap().extend([json!("CAP_CHOWN"), json!("CAP_SYSLOG")]);
    sets["inheritable"] = json!(["CAP_KILL", "CAP_SYSLOG"]);
    sets["ambient"] = json!(["CAP_KILL", "CAP_CHOWN"]);
    // What cannot be had is said.
    let answer = bundle.create().exits(0);
    let words = "can't raise ambient capability CAP_CHOWN";
    assert!(answer.stderr.contains(words) && answer.stderr.contains("level=warning"), "{}", answer.stderr);
    bundle.on(&["start"]).exits(0);
    let ambient = |cap: &str| {
        let words = ["exec", "-u", "1000", "--cap", cap, &bundle.id, "grep", "CapAmb", "/proc/self/status"];
        bundle.call(&words).exits(0).stdout
    };
    assert_eq!(ambient("CAP_SYSLOG"), "CapAmb:\t0000000400000020\n");
    assert_eq!(ambient("CAP_SYS_PTRACE"), "CapAmb:\t0000000000000020\n");
}

#[test]
fn a_script_whose_interpreter_is_missing_is_no_such_file() {
    needs!(Userns);
    let mut bundle = Bundle::new("true");
    fs::write(bundle.dir.join("rootfs/bin/odd"), "#!/no/such/shell\n").unwrap();
    let file = fs::File::open(bundle.dir.join("rootfs/bin/odd")).unwrap();
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    bundle.config["process"]["args"] = json!(["/bin/odd"]);
    // The words by which docker and podman tell 127 from other failures.
    let answer = bundle.run().exits(1);
    assert!(answer.stderr.contains("no such file or directory"), "{}", answer.stderr);
}

#[test]
fn what_is_told_in_json_has_the_order_of_the_other_runtimes() {
    needs!(Userns);
    let bundle = Bundle::new("sleep 1000");
    bundle.create().exits(0);
    let list = bundle.call(&["list", "--format", "json"]).exits(0).stdout;
    let begin = format!("[{{\"ociVersion\":\"1.3.0\",\"id\":\"{}\",\"pid\":", bundle.id);
    assert!(list.starts_with(&begin), "{list}");
    let owner = serde_json::from_str::<Value>(&list).unwrap()[0]["owner"].clone();
    assert!(owner == "root" || owner.as_str().unwrap().starts_with('#'), "{list}");
    if crate::support::needs::is_root() {
        let events = bundle.call(&["events", "--stats", &bundle.id]).exits(0).stdout;
        assert!(events.starts_with(&format!("{{\"type\":\"stats\",\"id\":\"{}\",\"data\":", bundle.id)), "{events}");
    }
}

#[test]
fn the_scheduler_s_flags_have_the_specification_s_names() {
    needs!(Root);
    let mut bundle = Bundle::new("cat /proc/self/sched || true; echo ran");
    bundle.config["process"]["scheduler"] = json!({
        "policy": "SCHED_BATCH", "nice": 3, "flags": ["SCHED_FLAG_RESET_ON_FORK"],
    });
    assert!(bundle.run().exits(0).stdout.ends_with("ran\n"));
    bundle.config["process"]["scheduler"]["flags"] = json!(["SCHED_FLAG_NOPE"]);
    let answer = bundle.run().exits(1);
    assert!(answer.stderr.contains("SCHED_FLAG_NOPE"), "{}", answer.stderr);
}
