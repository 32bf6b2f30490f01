//! Hooks (config.md, "POSIX-platform Hooks"): their order, their state, their namespaces, their failures.

use super::bundle::Bundle;
use crate::needs;
use crate::support::wait_until;
use serde_json::{Value, json};
use std::fs;

const EARLY: [&str; 2] = ["prestart", "createRuntime"];

#[test]
fn hooks_must_be_called_in_their_order_with_the_state() {
    needs!(Userns);
    let mut bundle = Bundle::new("sleep 1000");
    // The container's own file system is the only one this hook sees: it writes there.
    let inside = json!([{ "path": "/bin/sh", "args": ["sh", "-c", "cat >/started; cat /proc/1/comm >/comm"] }]);
    bundle.config["hooks"] = json!({
        "prestart": bundle.hook("prestart"), "createRuntime": bundle.hook("createRuntime"),
        "createContainer": bundle.hook("createContainer"), "startContainer": inside,
        "poststart": bundle.hook("poststart"), "poststop": bundle.hook("poststop"),
    });
    bundle.config["annotations"] = json!({ "a.b": "c" });
    bundle.create().exits(0);
    assert_eq!(bundle.read("hooks"), "prestart\ncreateRuntime\ncreateContainer\n");
    let state = |name: &str| -> Value { serde_json::from_str(&bundle.read(name)).unwrap() };
    for word in ["prestart", "createRuntime", "createContainer"] {
        let told = state(&format!("hooks.{word}"));
        assert_eq!((&told["status"], &told["pid"]), (&json!("creating"), &bundle.state()["pid"]), "{word}");
        assert_eq!((&told["id"], &told["annotations"]["a.b"]), (&json!(bundle.id), &json!("c")), "{word}");
    }
    assert!(!bundle.dir.join("rootfs/started").exists());
    bundle.on(&["start"]).exits(0);
    assert_eq!(state("rootfs/started")["status"], "created");
    assert_eq!(state("hooks.poststart")["status"], "running");
    bundle.call(&["kill", &bundle.id, "KILL"]).exits(0);
    wait_until("it stops", || (bundle.status() == "stopped").then_some(()));
    bundle.on(&["delete"]).exits(0);
    assert_eq!(state("hooks.poststop")["status"], "stopped");
    assert_eq!(bundle.read("hooks"), "prestart\ncreateRuntime\ncreateContainer\npoststart\npoststop\n");
}

#[test]
fn create_container_hooks_must_run_in_the_container_s_namespaces_before_its_root() {
    needs!(Userns);
    let mut bundle = Bundle::new("true");
    let note = |name: &str| {
        let file = bundle.dir.join(name);
        let script = format!("hostname >{0}; readlink /proc/self/ns/mnt >>{0}", file.display());
        json!([{ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"] }])
    };
    bundle.config["hooks"] = json!({ "createRuntime": note("outer"), "createContainer": note("inner") });
    bundle.config["hostname"] = "inside".into();
    bundle.create().exits(0);
    let (outer, inner) = (bundle.read("outer"), bundle.read("inner"));
    assert!(inner.starts_with("inside\n") && !outer.starts_with("inside\n"), "{outer}{inner}");
    let own = fs::read_link("/proc/self/ns/mnt").unwrap();
    assert!(outer.contains(own.to_str().unwrap()) && !inner.contains(own.to_str().unwrap()));
}

#[test]
fn a_failed_hook_must_fail_the_create_and_leave_nothing() {
    needs!(Userns);
    for moment in EARLY.into_iter().chain(["createContainer"]) {
        let mut bundle = Bundle::new("true");
        let failing = json!([{ "path": "/bin/sh", "args": ["sh", "-c", "echo because >&2; exit 3"] }]);
        bundle.config["hooks"] = json!({ moment: failing, "poststop": bundle.hook("poststop") });
        let answer = bundle.create().exits(1);
        assert!(answer.stderr.contains(moment) && answer.stderr.contains("because"), "{}", answer.stderr);
        assert_eq!(bundle.read("hooks"), "poststop\n", "{moment}: the life is taken to its end");
        bundle.assert_gone();
    }
}

#[test]
fn a_failed_start_hook_must_stop_the_container_before_its_program() {
    needs!(Userns);
    let mut bundle = Bundle::new("echo ran");
    bundle.config["hooks"] = json!({ "startContainer": [{ "path": "/bin/sh", "args": ["sh", "-c", "exit 4"] }] });
    bundle.create().exits(0);
    let answer = bundle.on(&["start"]).exits(1);
    assert!(answer.stderr.contains("startContainer") && answer.stderr.contains("exit status 4"), "{}", answer.stderr);
    wait_until("it stops", || (bundle.status() == "stopped").then_some(()));
    assert_eq!(bundle.out(), "");
}

#[test]
fn a_failed_poststart_hook_must_stop_the_container() {
    needs!(Userns);
    let mut bundle = Bundle::new("sleep 1000");
    bundle.config["hooks"] = json!({ "poststart": [{ "path": "/bin/sh", "args": ["sh", "-c", "exit 4"] }] });
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(1);
    wait_until("it stops", || (bundle.status() == "stopped").then_some(()));
}

#[test]
fn a_hook_that_hangs_must_end_at_its_timeout() {
    needs!(Userns);
    let mut bundle = Bundle::new("true");
    bundle.config["hooks"] =
        json!({ "createRuntime": [{ "path": "/bin/sh", "args": ["sh", "-c", "sleep 98765; true"], "timeout": 1 }] });
    let answer = bundle.create().exits(1);
    assert!(answer.stderr.contains("timeout of 1 s"), "{}", answer.stderr);
    let alive = |pid: &str| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default() == b"sleep\098765\0";
    let left = || fs::read_dir("/proc").unwrap().flatten().any(|p| alive(&p.file_name().to_string_lossy()));
    wait_until("what the hook started is gone", || (!left()).then_some(()));
    bundle.assert_gone();
}

#[test]
fn failed_poststop_hooks_are_only_worth_a_word() {
    needs!(Userns);
    let mut bundle = Bundle::new("true");
    let mut hooks = vec![json!({ "path": "/no/such/hook" })];
    hooks.extend(bundle.hook("poststop").as_array().unwrap().clone());
    bundle.config["hooks"] = json!({ "poststop": hooks });
    bundle.create().exits(0);
    let answer = bundle.on(&["delete", "-f"]).exits(0);
    assert!(answer.stderr.contains("level=warning") && answer.stderr.contains("/no/such/hook"), "{}", answer.stderr);
    assert_eq!(bundle.read("hooks"), "poststop\n", "the others run all the same");
    bundle.assert_gone();
}

#[test]
fn a_hook_without_an_environment_has_that_of_its_place() {
    needs!(Userns);
    let mut bundle = Bundle::new("true");
    let note = |name: &str| {
        let script = format!("env >{}", bundle.dir.join(name).display());
        json!([{ "path": "/bin/sh", "args": ["sh", "-c", script] }])
    };
    let mut empty = note("empty");
    empty[0]["env"] = json!([]);
    let inside = json!([{ "path": "/bin/sh", "args": ["sh", "-c", "env >/inside"] }]);
    bundle.config["hooks"] = json!({ "createRuntime": note("outer"), "poststart": empty, "startContainer": inside });
    bundle.config["process"]["env"] = json!(["PATH=/bin", "ONE=two"]);
    bundle.write();
    let words = ["run", "-b", &bundle.dir.to_string_lossy(), &bundle.id].map(str::to_owned);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    crate::support::program::finish(bundle.command(&words).env("OF_THE_RUNTIME", "yes")).exits(0);
    assert!(bundle.read("outer").contains("OF_THE_RUNTIME=yes"), "{}", bundle.read("outer"));
    assert!(!bundle.read("empty").contains("OF_THE_RUNTIME"), "{}", bundle.read("empty"));
    let inside = bundle.read("rootfs/inside");
    assert!(inside.contains("ONE=two") && inside.contains("HOME=/root") && !inside.contains("OF_THE"), "{inside}");
}

#[test]
fn create_container_hooks_start_in_the_container_s_root() {
    needs!(Userns);
    let mut bundle = Bundle::new("cat /here");
    bundle.config["hooks"] =
        json!({ "createContainer": [{ "path": "/bin/sh", "args": ["sh", "-c", "echo found >./here"] }] });
    assert_eq!(bundle.outcome(), "found\n");
}

#[test]
fn start_container_hooks_are_under_the_container_s_filter() {
    needs!(Userns);
    for privileges in [true, false] {
        let mut bundle = Bundle::new("true");
        bundle.config["process"]["noNewPrivileges"] = privileges.into();
        bundle.config["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28 }],
        });
        let hook = json!([{ "path": "/bin/busybox", "args": ["mkdir", "/made"] }]);
        bundle.config["hooks"] = json!({ "startContainer": hook });
        let answer = bundle.run().exits(1);
        assert!(answer.stderr.contains("startContainer") && answer.stderr.contains("No space"), "{}", answer.stderr);
        bundle.assert_gone();
    }
}
