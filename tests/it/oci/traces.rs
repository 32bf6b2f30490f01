//! What is there before and after containers of every kind, and attempts that fail, counted: nothing more.

use super::bundle::{Bundle, mounts, namespaces};
use crate::needs;
use crate::support::leaks::{Traces, groups_of};
use crate::support::needs::{Need, is_root, lacking};
use crate::support::wait_until;
use serde_json::{Value, json};
use std::fs;
use std::process::Stdio;

fn traces(all: &[&Bundle]) -> Traces {
    let dirs: Vec<_> = all.iter().map(|bundle| bundle.dir.as_path()).collect();
    let ids: Vec<_> = all.iter().map(|bundle| bundle.id.clone()).collect();
    Traces::of(&dirs, &["state"], groups_of(&ids))
}

#[test]
fn containers_and_attempts_of_every_kind_leave_nothing_behind() {
    needs!(Userns);
    // Two live all the while: what comes and goes must not stay with them.
    let running = Bundle::new("sleep 1000");
    running.create().exits(0);
    running.on(&["start"]).exits(0);
    let waiting = Bundle::new("sleep 1000");
    waiting.create().exits(0);
    let mut bundle = Bundle::new("sleep 1000");
    let before = traces(&[&running, &waiting, &bundle]);
    for _ in 0..2 {
        lives(&bundle);
        runs(&mut bundle);
        execs(&running);
        failures(&mut bundle);
        broken_off(&mut bundle);
        let mut now = traces(&[&running, &waiting, &bundle]);
        let clean = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_until("everything is as before", || {
                now = traces(&[&running, &waiting, &bundle]);
                (now == before).then_some(())
            });
        }));
        assert!(clean.is_ok(), "before: {before:#?}\nafter: {now:#?}");
    }
    // None of them was lost in the count.
    assert_eq!((running.status(), waiting.status()), ("running".into(), "created".into()));
}

/// Created, started or not, frozen or not, killed, deleted.
fn lives(bundle: &Bundle) {
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    if is_root() && lacking(Need::Cgroup).is_none() {
        bundle.on(&["pause"]).exits(0);
        bundle.on(&["resume"]).exits(0);
    }
    bundle.call(&["kill", &bundle.id, "KILL"]).exits(0);
    wait_until("it stops", || (bundle.status() == "stopped").then_some(()));
    bundle.on(&["delete"]).exits(0);
    bundle.create().exits(0);
    bundle.on(&["delete", "--force"]).exits(0);
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    bundle.on(&["delete", "--force"]).exits(0);
}

fn runs(bundle: &mut Bundle) {
    let whole = bundle.config.clone();
    for (script, code) in [("true", 0), ("sleep 1000 & exit 3", 3), ("no-such-command", 127)] {
        bundle.config["process"]["args"] = json!(["/bin/sh", "-c", script]);
        bundle.run().exits(code);
    }
    bundle.config = whole;
    bundle.write();
    let dir = bundle.dir.to_string_lossy().into_owned();
    let mut detached = bundle.command(&["run", "--detach", "-b", &dir, &bundle.id]);
    assert!(detached.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
    bundle.on(&["delete", "--force"]).exits(0);
}

fn execs(running: &Bundle) {
    let id = running.id.as_str();
    let exec = |words: &[&str], code: i32| running.call(&[&["exec"], words].concat()).exits(code);
    exec(&[id, "true"], 0);
    exec(&[id, "sh", "-c", "exit 5"], 5);
    exec(&[id, "sh", "-c", "kill -9 $$"], 137);
    exec(&[id, "no-such-command"], 255);
    exec(&[id, "/etc"], 255);
    exec(&["--user", "nobody", id, "true"], 255);
    exec(&["--cwd", "/etc/passwd", id, "true"], 255);
    exec(&["--process", "/no/such/file", id], 255);
    // A terminal without a socket to send it to.
    exec(&["--tty", "--detach", id, "true"], 255);
    exec(&["--cgroup", "no/such/group", id, "true"], 255);
    let mut detached = running.command(&["exec", "--detach", id, "true"]);
    assert!(detached.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
}

/// Refused by the specification's rules, by the kernel half-way, by hooks, by the program that is not there.
fn failures(bundle: &mut Bundle) {
    type Change = fn(&mut Value);
    let hook = |moment: &str| json!({ moment: [{ "path": "/bin/false" }] });
    let whole = bundle.config.clone();
    let changes: [Change; 9] = [
        |c| c["ociVersion"] = "2.0.0".into(),
        |c| c["root"]["path"] = "nowhere".into(),
        |c| c["process"]["args"] = json!(["no-such-command"]),
        |c| c["process"]["cwd"] = "/etc/passwd".into(),
        |c| c["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_WHAT" }),
        |c| {
            mounts(c)
                .push(json!({ "destination": "/x", "type": "tmpfs", "source": "x", "options": ["no-such-option"] }))
        },
        |c| mounts(c).push(json!({ "destination": "/x", "type": "bind", "source": "/no/such/place" })),
        |c| mounts(c).push(json!({ "destination": "/etc/passwd/x", "type": "tmpfs", "source": "x" })),
        |c| namespaces(c).push(json!({ "type": "time", "path": "/proc/self/ns/uts" })),
    ];
    for change in changes {
        change(&mut bundle.config);
        // At once: a later one of the same id would take what is left, and take it away.
        bundle.create().exits(1);
        bundle.assert_gone();
        bundle.config = whole.clone();
    }
    for moment in ["prestart", "createRuntime", "createContainer"] {
        bundle.config["hooks"] = hook(moment);
        bundle.create().exits(1);
        bundle.assert_gone();
    }
    // Told by start, and what is left is deleted.
    bundle.config["hooks"] = hook("startContainer");
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(1);
    bundle.on(&["delete", "--force"]).exits(0);
    bundle.config = whole;
    // An id that is taken, a container that is not there.
    bundle.create().exits(0);
    bundle.create().exits(1);
    bundle.on(&["delete", "--force"]).exits(0);
    for verb in ["start", "state", "delete", "pause", "resume", "ps"] {
        bundle.on(&[verb]).exits(1);
    }
}

/// Whose creator is killed in the middle of it: `delete --force` finds the rest.
fn broken_off(bundle: &mut Bundle) {
    let whole = bundle.config.clone();
    for moment in ["createRuntime", "createContainer"] {
        let begun = bundle.dir.join("begun");
        let script = format!("touch {}; while kill -0 $PPID; do sleep 0.05; done", begun.display());
        bundle.config["hooks"] = json!({ moment: [{ "path": "/bin/sh", "args": ["sh", "-c", script] }] });
        bundle.write();
        let dir = bundle.dir.to_string_lossy().into_owned();
        let mut create = bundle.command(&["create", "-b", &dir, &bundle.id]);
        let mut create = create.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until("the hook runs", || begun.exists().then_some(()));
        create.kill().unwrap();
        create.wait().unwrap();
        fs::remove_file(begun).unwrap();
        bundle.on(&["delete", "--force"]).exits(0);
    }
    bundle.config = whole;
}
