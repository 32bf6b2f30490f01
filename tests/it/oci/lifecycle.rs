//! Runtime and lifecycle (runtime.md): states, operations, errors that leave no trace.

use super::bundle::Bundle;
use crate::needs;
use crate::support::{program, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::process::Stdio;

#[test]
fn create_must_not_run_the_program_and_start_must() {
    needs!(Userns);
    let bundle = Bundle::new("echo ran; sleep 1000");
    bundle.create_with(&["--pid-file", &bundle.dir.join("pid").to_string_lossy()]).exits(0);
    let state = bundle.state();
    assert_eq!((state["status"].as_str(), state["id"].as_str()), (Some("created"), Some(bundle.id.as_str())));
    assert_eq!(state["bundle"], json!(bundle.dir.canonicalize().unwrap()));
    assert_eq!(state["pid"].to_string(), bundle.read("pid"));
    assert!(state["ociVersion"].as_str().unwrap().starts_with("1."));
    assert_eq!(bundle.out(), "");
    bundle.on(&["start"]).exits(0);
    assert_eq!(bundle.status(), "running");
    wait_until("the program runs", || (bundle.out() == "ran\n").then_some(()));
    bundle.call(&["kill", &bundle.id, "KILL"]).exits(0);
    wait_until("it stops", || (bundle.status() == "stopped").then_some(()));
    bundle.on(&["delete"]).exits(0);
    bundle.assert_gone();
}

#[test]
fn changes_of_the_configuration_after_create_must_not_matter() {
    needs!(Userns);
    let mut bundle = Bundle::new("echo first");
    bundle.create().exits(0);
    bundle.config["process"]["args"] = json!(["/bin/sh", "-c", "echo second"]);
    bundle.write();
    bundle.on(&["start"]).exits(0);
    wait_until("it stops", || (bundle.status() == "stopped").then_some(()));
    assert_eq!(bundle.out(), "first\n");
}

#[test]
fn an_id_must_be_unique_and_valid() {
    needs!(Userns);
    let bundle = Bundle::new("sleep 1000");
    bundle.create().exits(0);
    let again = bundle.create().exits(1);
    assert!(again.stderr.contains("already exists"), "{}", again.stderr);
    assert_eq!(bundle.status(), "created", "the first one is untouched");
    for id in ["", "..", "a/b", "a b", "ä"] {
        let refused = bundle.call(&["create", "-b", &bundle.dir.to_string_lossy(), "--", id]).exits(1);
        assert!(refused.stderr.contains("invalid container ID"), "{id}: {}", refused.stderr);
    }
}

#[test]
fn operations_on_nothing_must_be_errors() {
    needs!(Userns);
    let bundle = Bundle::new("true");
    for verb in ["state", "start", "kill", "delete", "pause", "resume", "ps"] {
        let answer = bundle.on(&[verb]).exits(1);
        assert!(answer.stderr.contains("container does not exist"), "{verb}: {}", answer.stderr);
        bundle.call(&[verb]).exits(1);
    }
    bundle.on(&["delete", "--force"]).exits(0);
}

#[test]
fn operations_in_the_wrong_state_must_be_errors_without_effect() {
    needs!(Userns);
    let bundle = Bundle::new("sleep 1000");
    // Not begun is as good as over, as with the other runtimes.
    bundle.create().exits(0);
    bundle.on(&["delete"]).exits(0);
    bundle.assert_gone();
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    let started = bundle.on(&["start"]).exits(1);
    assert!(started.stderr.contains("already running"), "{}", started.stderr);
    bundle.on(&["delete"]).exits(1);
    assert_eq!(bundle.status(), "running");
    bundle.call(&["kill", &bundle.id, "9"]).exits(0);
    wait_until("it stops", || (bundle.status() == "stopped").then_some(()));
    let killed = bundle.on(&["kill"]).exits(1);
    assert!(killed.stderr.contains("container not running"), "{}", killed.stderr);
    bundle.on(&["start"]).exits(1);
    assert_eq!(bundle.call(&["exec", &bundle.id, "true"]).exits(255).stderr, "cannot exec in a stopped container\n");
    assert_eq!(bundle.call(&["ps", "-f", "json", &bundle.id]).exits(0).stdout, "null\n");
    for verb in ["pause", "resume", "update", "events"] {
        let answer = bundle.on(&[verb]).exits(1);
        assert!(answer.stderr.contains("not running") || answer.stderr.contains("not paused"), "{}", answer.stderr);
    }
    bundle.call(&["kill", "--all", &bundle.id, "9"]).exits(0);
    for verb in ["checkpoint", "restore"] {
        assert!(bundle.on(&[verb]).exits(1).stderr.contains("is not supported"), "{verb}");
    }
    bundle.on(&["nosuch"]).exits(3);
}

#[test]
fn start_of_a_paused_container_says_so() {
    needs!(Root, Cgroup);
    let bundle = Bundle::new("true");
    bundle.create().exits(0);
    bundle.on(&["pause"]).exits(0);
    let answer = bundle.on(&["start"]).exits(1);
    assert!(answer.stderr.contains("paused"), "{}", answer.stderr);
    bundle.on(&["resume"]).exits(0);
    bundle.on(&["start"]).exits(0);
}

#[test]
fn an_error_of_create_must_leave_nothing() {
    needs!(Userns);
    type Change = fn(&mut Value);
    let cases: [(&str, Change, &str); 12] = [
        ("version", |c| c["ociVersion"] = "2.0.0".into(), "ociVersion"),
        ("root", |c| c["root"]["path"] = "nowhere".into(), "nowhere"),
        ("cwd", |c| c["process"]["cwd"] = "tmp".into(), "not an absolute path"),
        ("args", |c| c["process"]["args"] = json!([]), "process.args"),
        ("command", |c| c["process"]["args"] = json!(["nope"]), "executable file not found in $PATH"),
        ("sysctl", |c| c["linux"]["sysctl"] = json!({ "vm.swappiness": "1" }), "namespace"),
        ("mount", |c| c["mounts"][0]["type"] = "nofs".into(), "nofs"),
        ("source", |c| c["mounts"][0] = json!({ "destination": "/x", "type": "bind", "source": "/no" }), "/no"),
        ("option", |c| c["mounts"][0] = json!({ "destination": "/x", "type": "tmpfs", "options": ["what"] }), "what"),
        ("rdt", |c| c["linux"]["intelRdt"] = json!({ "closID": "x" }), "intelRdt"),
        ("hook", |c| c["hooks"] = json!({ "poststop": [{ "path": "rel" }] }), "not absolute"),
        ("namespace", |c| c["linux"]["namespaces"][0]["path"] = "/no/such".into(), "/no/such"),
    ];
    for (name, change, words) in cases {
        let mut bundle = Bundle::new("true");
        change(&mut bundle.config);
        let answer = bundle.create().exits(1);
        assert!(answer.stderr.contains(words), "{name}: {}", answer.stderr);
        bundle.assert_gone();
    }
}

#[test]
fn a_memory_limit_too_small_for_the_set_up_is_an_error_that_says_so() {
    needs!(Root, Cgroup);
    let mut bundle = Bundle::new("true");
    bundle.config["linux"]["resources"] = json!({ "memory": { "limit": 4096 } });
    let answer = bundle.create().exits(1);
    assert!(answer.stderr.contains("memory limit"), "{}", answer.stderr);
    bundle.assert_gone();
}

#[test]
fn the_log_has_an_error_as_callers_read_it() {
    needs!(Userns);
    let bundle = Bundle::new("true");
    let log = bundle.dir.join("log");
    let words = ["--log", &log.to_string_lossy(), "--log-format=json", "state", "nothing"].map(str::to_owned);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_eq!(bundle.call(&words).exits(1).stderr, "container does not exist\n");
    let line: Value = serde_json::from_str(fs::read_to_string(log).unwrap().lines().last().unwrap()).unwrap();
    assert_eq!((&line["level"], &line["msg"]), (&json!("error"), &json!("container does not exist")));
    assert!(line["time"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn run_is_create_start_and_delete() {
    needs!(Userns);
    let bundle = Bundle::new("echo said; exit 7");
    let answer = bundle.run().exits(7);
    assert_eq!(answer.stdout, "said\n");
    bundle.assert_gone();
    let bundle = Bundle::new("kill -TERM $$");
    // Signals that the first process of a namespace does not handle are not for it.
    bundle.run().exits(0);
}

#[test]
fn flags_are_taken_as_callers_written_in_go_put_them() {
    needs!(Userns);
    let bundle = Bundle::new("sleep 1000");
    bundle.write();
    let dir = bundle.dir.to_string_lossy().into_owned();
    let run = |flags: &[&str]| {
        let words = [&["run"], flags, &[bundle.id.as_str()]].concat();
        let mut command = bundle.command(&words);
        assert!(command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success(), "{flags:?}");
        assert_eq!(bundle.status(), "running", "{flags:?}");
    };
    run(&["-bundle", &dir, "-detach"]);
    bundle.on(&["delete", "--force", "--force=false"]).exits(1);
    bundle.on(&["delete", "-force"]).exits(0);
    run(&["--bundle=/nowhere", "--bundle", &dir, "--detach=true", "--keep=f"]);
    bundle.on(&["delete", "--force=false"]).exits(1);
    assert_eq!(bundle.call(&["exec", "-cwd", "/tmp", "-tty=false", &bundle.id, "pwd"]).exits(0).stdout, "/tmp\n");
    let wrong = bundle.on(&["delete", "--force=perhaps"]).exits(1);
    assert!(wrong.stderr.contains("invalid boolean value \"perhaps\""), "{}", wrong.stderr);
    bundle.on(&["delete", "-f=1"]).exits(0);
    bundle.assert_gone();
}

#[test]
fn help_of_a_command_explains_its_flags() {
    let help = |words: &[&str]| program::finish(std::process::Command::new(program::binary()).arg("oci").args(words));
    let all = help(&["help"]).exits(0).stdout;
    let run = help(&["help", "run"]).exits(0).stdout;
    assert!(all.contains("GLOBAL OPTIONS") && all != run, "{run}");
    assert_eq!(run, help(&["run", "--help"]).exits(0).stdout);
    assert_eq!(run, help(&["run", "-help"]).exits(0).stdout);
    assert!(run.contains("Usage: teu oci run") && run.contains("leave the container to run by itself"), "{run}");
    help(&["help", "nosuch"]).exits(3);
}

#[test]
fn a_list_of_all_containers() {
    needs!(Userns);
    let bundle = Bundle::new("sleep 1000");
    bundle.create().exits(0);
    assert_eq!(bundle.call(&["list", "-q"]).exits(0).out(), bundle.id);
    let listed: Value = serde_json::from_str(&bundle.call(&["list", "--format", "json"]).exits(0).stdout).unwrap();
    assert_eq!((&listed[0]["id"], &listed[0]["status"]), (&json!(bundle.id), &json!("created")));
    let table = bundle.call(&["list"]).exits(0).stdout;
    assert!(table.starts_with("ID ") && table.contains("created"), "{table}");
}

#[test]
fn without_a_process_create_works_and_start_must_be_an_error() {
    needs!(Userns);
    let mut bundle = Bundle::new("true");
    bundle.config.as_object_mut().unwrap().remove("process");
    bundle.create().exits(0);
    assert_eq!(bundle.status(), "created");
    let answer = bundle.on(&["start"]).exits(1);
    assert!(answer.stderr.contains("no process to start"), "{}", answer.stderr);
    wait_until("it stops", || (bundle.status() == "stopped").then_some(()));
    bundle.on(&["delete"]).exits(0);
}

#[test]
fn signal_zero_asks_whether_the_container_runs() {
    needs!(Userns);
    let bundle = Bundle::new("sleep 1000");
    bundle.create().exits(0);
    bundle.call(&["kill", &bundle.id, "0"]).exits(0);
    bundle.call(&["kill", &bundle.id, "KILL"]).exits(0);
    wait_until("it stops", || (bundle.status() == "stopped").then_some(()));
    let answer = bundle.call(&["kill", &bundle.id, "0"]).exits(1);
    assert!(answer.stderr.contains("container not running"), "{}", answer.stderr);
}

/// Without a pid namespace nothing ends with the first process.
#[test]
fn kill_ends_what_outlives_the_first_process() {
    needs!(Root, Cgroup);
    let mut bundle = Bundle::new("sleep 1000");
    super::bundle::namespaces(&mut bundle.config).retain(|n| n["type"] != "pid");
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    let file = bundle.dir.join("left");
    let words =
        ["exec", "--detach", "--pid-file", &file.to_string_lossy(), &bundle.id, "sleep", "1000"].map(str::to_owned);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // It keeps what it was given: nothing that somebody waits for.
    assert!(bundle.command(&words).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
    let init = bundle.state()["pid"].as_i64().unwrap();
    teu::sys::process::kill(init as i32, 9).unwrap();
    wait_until("the first one ends", || (bundle.status() == "stopped").then_some(()));
    let left = fs::read_to_string(&file).unwrap();
    let alive = || {
        let stat = fs::read_to_string(format!("/proc/{left}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    assert!(alive());
    bundle.call(&["kill", &bundle.id, "TERM"]).exits(1);
    bundle.call(&["kill", &bundle.id, "KILL"]).exits(0);
    wait_until("the other one ends", || (!alive()).then_some(()));
    bundle.on(&["delete"]).exits(0);
    bundle.assert_gone();
}

#[test]
fn a_created_container_ends_when_it_is_asked_to() {
    needs!(Userns);
    let bundle = Bundle::new("true");
    bundle.create().exits(0);
    bundle.call(&["kill", &bundle.id, "TERM"]).exits(0);
    wait_until("it stops", || (bundle.status() == "stopped").then_some(()));
    bundle.on(&["delete"]).exits(0);
}

#[test]
fn start_waits_for_the_creation_it_comes_too_early_for() {
    needs!(Userns);
    let mut bundle = Bundle::new("true");
    let (begun, go) = (bundle.dir.join("begun"), bundle.dir.join("go"));
    let script = format!("touch {}; while [ ! -e {} ]; do sleep 0.05; done", begun.display(), go.display());
    bundle.config["hooks"] = json!({ "createRuntime": [{ "path": "/bin/sh", "args": ["sh", "-c", script] }] });
    std::thread::scope(|scope| {
        let create = scope.spawn(|| bundle.create());
        wait_until("the hook runs", || begun.exists().then_some(()));
        assert_eq!(bundle.status(), "creating");
        let mut start = bundle.command(&["start", &bundle.id]).spawn().unwrap();
        fs::write(&go, "").unwrap();
        create.join().unwrap().exits(0);
        assert!(start.wait().unwrap().success());
    });
}
