//! Flags of the command line that no other test is about.

use super::bundle::Bundle;
use crate::needs;
use crate::support::program::Running;
use crate::support::wait_until;
use serde_json::json;
use std::fs;
use std::io::Read;
use std::process::Stdio;

fn running() -> Bundle {
    let mut bundle = Bundle::new("sleep 1000");
    bundle.config["process"]["args"] = json!(["sleep", "1000"]);
    bundle.config["process"]["noNewPrivileges"] = false.into();
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    bundle
}

#[test]
fn exec_in_a_paused_container_must_be_asked_for_and_waits() {
    needs!(Root, Cgroup);
    let bundle = running();
    bundle.on(&["pause"]).exits(0);
    let answer = bundle.call(&["exec", &bundle.id, "true"]).exits(255);
    assert!(answer.stderr.contains("paused"), "{}", answer.stderr);
    let mut command = bundle.command(&["exec", "--ignore-paused", &bundle.id, "echo", "thawed"]);
    let mut exec = Running(command.stdout(Stdio::piped()).spawn().unwrap());
    let inside = |dir: &std::path::PathBuf| fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    wait_until("it is in the group", || {
        bundle.groups().iter().any(|dir| inside(dir).lines().count() > 1).then_some(())
    });
    assert_eq!(bundle.status(), "paused");
    assert!(exec.0.try_wait().unwrap().is_none(), "nothing goes on in there");
    bundle.on(&["resume"]).exits(0);
    let mut out = String::new();
    exec.0.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert!(exec.0.wait().unwrap().success());
    assert_eq!(out, "thawed\n");
}

#[test]
fn exec_has_no_new_privileges_where_that_is_asked_for() {
    needs!(Userns);
    let bundle = running();
    let privileges = |flags: &[&str]| {
        let words = [&["exec"], flags, &[bundle.id.as_str(), "grep", "NoNewPrivs", "/proc/self/status"]].concat();
        bundle.call(&words).exits(0).stdout
    };
    assert_eq!(privileges(&[]), "NoNewPrivs:\t0\n");
    assert_eq!(privileges(&["--no-new-privs"]), "NoNewPrivs:\t1\n");
}

#[test]
fn a_run_that_keeps_its_container_leaves_it_to_be_deleted() {
    needs!(Userns);
    let bundle = Bundle::new("exit 3");
    bundle.write();
    let dir = bundle.dir.to_string_lossy().into_owned();
    bundle.call(&["run", "--keep", "-b", &dir, &bundle.id]).exits(3);
    assert_eq!(bundle.status(), "stopped");
    bundle.on(&["delete"]).exits(0);
    bundle.assert_gone();
}

#[test]
fn the_log_is_lines_of_text_unless_json_is_asked_for_and_says_more_with_debug() {
    needs!(Userns);
    let bundle = Bundle::new("true");
    let log = |name: &str, flags: &[&str]| {
        let file = bundle.dir.join(name);
        let path = file.to_string_lossy().into_owned();
        let words = [&["--log", path.as_str()], flags, &["state", "nothing"]].concat();
        bundle.call(&words).exits(1);
        fs::read_to_string(file).unwrap()
    };
    let text = log("text", &["--log-format", "text"]);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("level=error msg=\"container does not exist\""), "{text}");
    assert_eq!(log("default", &[]).split("level=").nth(1), text.split("level=").nth(1));
    let more = log("debug", &["--debug", "--log-format=text"]);
    assert!(more.lines().count() > 1 && more.contains("level=debug"), "{more}");
    assert!(more.ends_with(text.split_once(" level").unwrap().1), "{more}");
}

#[test]
fn ps_takes_the_options_of_ps() {
    needs!(Userns, Cgroup);
    let bundle = running();
    let init = bundle.state()["pid"].to_string();
    let table = bundle.on(&["ps"]).exits(0).stdout;
    assert!(table.starts_with("UID ") && table.lines().count() == 2 && table.contains("sleep 1000"), "{table}");
    let table = bundle.call(&["ps", &bundle.id, "-o", "pid,comm"]).exits(0).stdout;
    let words: Vec<&str> = table.split_whitespace().collect();
    assert_eq!(words, ["PID", "COMMAND", &init, "sleep"]);
    let refused = bundle.call(&["ps", &bundle.id, "-o", "comm"]).exits(1);
    assert!(refused.stderr.contains("PID"), "{}", refused.stderr);
    bundle.call(&["ps", &bundle.id, "--no-such-option"]).exits(1);
}
