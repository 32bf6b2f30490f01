//! A container's life through the engine: run, stop, start, exec, logs, volumes, removal.

use super::engine::{Bench, run, run_args, targets};
use crate::needs;
use crate::support::{StateRoot, image, program, wait_until};
use std::time::Duration;
use teu::engine::request::*;
use teu::engine::{ErrorKind, Output, Request};
use teu::model::mount::{Mount, MountSource};

#[test]
fn a_foreground_run_gives_output_streams_and_exit_code() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        let args = run_args("", &["sh", "-c", "echo out; echo err >&2; exit 7"], false);
        let (outcome, said) = bench.session(Request::Run(Box::new(args))).await;
        assert!(matches!(outcome.unwrap(), Output::Exited { code: 7, oom: false }));
        assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("out\n", "err\n"));
    });
}

#[test]
fn run_rm_leaves_nothing() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        let mut args = run_args("gone", &["true"], false);
        args.create.config.auto_remove = true;
        bench.ask(Request::Run(Box::new(args.clone()))).await.unwrap();
        assert!(bench.engine.inventory().containers.is_empty());
        // The name is free again at once.
        bench.ask(Request::Run(Box::new(args))).await.unwrap();
        assert!(bench.engine.inventory().containers.is_empty());
        // What they have written is deleted by their monitors, which nobody waits for.
        let left = || std::fs::read_dir(bench.root.path().join("containers")).unwrap().count();
        wait_until("nothing is left", || (left() == 0).then_some(()));
    });
}

#[test]
fn a_command_that_is_not_there_is_127_and_one_that_cannot_be_run_126() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        let mut args = run_args("", &["nosuch-program"], false);
        args.create.config.auto_remove = true;
        let error = bench.ask(Request::Run(Box::new(args))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CommandNotFound, "{error}");
        assert!(bench.engine.inventory().containers.is_empty(), "--rm holds for a failed start too");
        let error = bench.ask(Request::Run(Box::new(run_args("kept", &["/etc"], false)))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CommandNotExecutable, "{error}");
        assert_eq!(bench.engine.inventory().containers.len(), 1, "as docker, a failed start keeps the container");
    });
}

#[test]
fn stop_start_restart_and_exec() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        let id = bench.sleeper("web").await;
        assert_eq!(bench.inspect("web").await["State"]["Status"], "running");
        let exec = ExecArgs {
            container: id[..6].into(),
            command: vec!["sh".into(), "-c".into(), "echo $X; exit 4".into()],
            env: vec!["X=inside".into()],
            ..ExecArgs::default()
        };
        let (outcome, said) = bench.session(Request::Exec(Box::new(exec))).await;
        assert!(matches!(outcome.unwrap(), Output::Exited { code: 4, .. }));
        assert_eq!(said.stdout, "inside\n");
        let stop = StopArgs { containers: vec!["web".into()], timeout: Some(Duration::ZERO), signal: None };
        bench.ask(Request::Stop(stop.clone())).await.unwrap();
        let state = bench.inspect("web").await;
        assert_eq!((&state["State"]["Status"], &state["State"]["ExitCode"]), (&"exited".into(), &137.into()));
        let Output::Waited(codes) = bench.ask(Request::Wait(targets(&["web"]))).await.unwrap() else { panic!() };
        assert_eq!(codes, [137]);
        let error = bench.ask(Request::Pause(targets(&["web"]))).await.unwrap_err();
        assert!(error.to_string().contains("container web is not running"), "{error}");
        bench.ask(Request::Start(targets(&["web"]))).await.unwrap();
        bench.ask(Request::Restart(stop)).await.unwrap();
        assert_eq!(bench.inspect("web").await["State"]["Running"], true);
    });
}

#[test]
fn logs_by_tail() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        bench
            .ask(Request::Run(Box::new(run_args("say", &["sh", "-c", "echo a; echo b; echo c"], false))))
            .await
            .unwrap();
        let logs = |tail| LogsArgs { container: "say".into(), tail, ..LogsArgs::default() };
        assert_eq!(bench.session(Request::Logs(logs(None))).await.1.log, ["a", "b", "c"]);
        assert_eq!(bench.session(Request::Logs(logs(Some(2)))).await.1.log, ["b", "c"]);
        let before = LogsArgs { before: Some(2), ..logs(Some(1)) };
        assert_eq!(bench.session(Request::Logs(before)).await.1.log, ["b"]);
        let follow = LogsArgs { follow: true, ..logs(Some(0)) };
        assert!(bench.session(Request::Logs(follow)).await.1.log.is_empty(), "following what has ended ends");
    });
}

/// As docker has it: nothing later than `--until` is of interest, so nothing is waited for.
#[test]
fn following_the_log_ends_when_its_time_has_passed() {
    needs!(Userns);
    let root = StateRoot::new();
    let script = "echo one; sleep 600";
    root.teu(&["run", "-d", "--name", "say", "--network", "none", "localhost/starter", "sh", "-c", script]).exits(0);
    wait_until("its word", || (root.teu(&["logs", "say"]).exits(0).out() == "one").then_some(()));
    assert_eq!(root.teu(&["logs", "-f", "--until", "0s", "say"]).exits(0).out(), "one");
    root.teu(&["rm", "-f", "say"]).exits(0);
}

#[test]
fn a_new_volume_has_the_images_files_and_outlives_the_container() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        let with_volume = |command: &[&str]| {
            let mut args = run_args("", command, false);
            args.create.config.mounts.push(Mount::new(MountSource::Volume { name: "data".into() }, "/etc"));
            args.create.config.auto_remove = true;
            Request::Run(Box::new(args))
        };
        let (outcome, said) =
            bench.session(with_volume(&["sh", "-c", "cat /etc/passwd && echo kept > /etc/mine"])).await;
        assert!(matches!(outcome.unwrap(), Output::Exited { code: 0, .. }), "{said:?}");
        assert!(said.stdout.contains("root:"), "{said:?}");
        assert_eq!(bench.session(with_volume(&["cat", "/etc/mine"])).await.1.stdout, "kept\n");
        assert_eq!(bench.engine.inventory().volumes.len(), 1);
        bench.ask(Request::RemoveVolumes { volumes: vec!["data".into()], force: false }).await.unwrap();
        assert!(!bench.root.path().join("volumes/data").exists());
    });
}

/// Ignored signals outlive execve: a caller that ignores SIGCHLD must not make every container last for ever.
#[test]
fn a_caller_that_ignores_its_children_hears_of_the_end_all_the_same() {
    needs!(Root);
    let root = crate::support::StateRoot::new();
    let mut command = std::process::Command::new("bash");
    command
        .args(["-c", "trap '' CHLD; exec \"$@\"", "bash"])
        .arg(crate::support::program::binary())
        .arg("--root")
        .arg(root.path())
        .args(["run", "--rm", "--network", "none", "localhost/starter", "sh", "-c", "echo x; exit 3"])
        .stdin(std::process::Stdio::null());
    assert_eq!(crate::support::program::finish(&mut command).exits(3).out(), "x");
}

/// Everybody with the same uid may read a process' environment, and a monitor lives long.
#[test]
fn a_monitor_keeps_nothing_of_its_callers_environment() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let image = image::name();
    let mut command = root.command();
    command.env("REGISTRY_TOKEN", "do-not-keep").args(["run", "-d", "--rm", "--name", "box", "-e", "REGISTRY_TOKEN"]);
    program::finish(command.args(["--network", "none", &image, "sleep", "600"])).exits(0);
    let seen = root.teu(&["exec", "box", "sh", "-c", "echo $REGISTRY_TOKEN"]).exits(0);
    assert_eq!(seen.out(), "do-not-keep", "the container gets what it was given");
    let pid = root.inspect("box")["State"]["MonitorPid"].to_string();
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(environment.contains("PATH="), "{environment}");
    assert!(!environment.contains("TOKEN") && !environment.contains("do-not-keep"), "{environment}");
    // What it runs at its end finds the state all the same.
    root.teu(&["kill", "box"]).exits(0);
    wait_until("it has removed itself", || root.teu(&["ps", "-aq"]).exits(0).out().is_empty().then_some(()));
}

/// As docker has it: what was started with `--rm` goes when it ends, not when it is restarted.
#[test]
fn a_restart_keeps_what_goes_at_its_end() {
    needs!(Userns);
    let root = StateRoot::new();
    let starter = "localhost/starter";
    let sleep = ["--network", "none", starter, "sleep", "600"];
    let ids = || root.teu(&["ps", "-q"]).exits(0).out().to_owned();
    root.teu(&[&["run", "-d", "--rm", "--name", "box"][..], &sleep].concat()).exits(0);
    let id = ids();
    root.teu(&["restart", "-t", "0", "box"]).exits(0);
    assert_eq!(ids(), id);
    root.teu(&["stop", "-t", "0", "box"]).exits(0);
    wait_until("it has removed itself", || root.teu(&["ps", "-aq"]).exits(0).out().is_empty().then_some(()));
    // Nor does its foreground take it away.
    let mut front = root.start(&[&["run", "--rm", "--name", "front"][..], &sleep].concat());
    let id = wait_until("it runs", || Some(ids()).filter(|ids| !ids.is_empty()));
    root.teu(&["restart", "-t", "0", "front"]).exits(0);
    assert_eq!(front.0.wait().unwrap().code(), Some(137));
    assert_eq!(ids(), id);
    root.teu(&["exec", "front", "true"]).exits(0);
}

#[test]
fn a_created_container_too_may_go_at_its_end() {
    needs!(Userns);
    let root = StateRoot::new();
    root.teu(&["create", "--rm", "--name", "once", "--network", "none", "localhost/starter", "echo", "said"]).exits(0);
    assert_eq!(root.teu(&["start", "-a", "once"]).exits(0).out(), "said");
    wait_until("it has removed itself", || root.teu(&["ps", "-aq"]).exits(0).out().is_empty().then_some(()));
}

#[test]
fn a_new_volume_may_be_mounted_read_only() {
    needs!(Userns);
    let root = StateRoot::new();
    let run = |volume: &str, command: &[&str]| {
        let options = ["run", "--rm", "--network", "none", "-v", volume, "localhost/starter"];
        root.teu(&[&options[..], command].concat())
    };
    let refused = run("data:/data:ro", &["touch", "/data/x"]).exits(1);
    assert!(refused.stderr.contains("Read-only file system"), "{}", refused.stderr);
    // What the image has there came along all the same.
    assert_eq!(run("etc:/etc:ro", &["grep", "-c", "^root:", "/etc/passwd"]).exits(0).out(), "1");
}

/// Others may have joined it.
#[test]
fn its_network_namespace_outlives_a_restart_by_policy_however_it_was_started() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let script =
        ["sh", "-c", "readlink /proc/self/ns/net; cat /proc/self/status | grep Cpus_allowed_list; exec sleep 600"];
    let create = ["create", "--name", "box", "--network", "none", "--restart", "always", &image::name()];
    root.teu(&[&create[..], &script].concat()).exits(0);
    root.teu(&["start", "box"]).exits(0);
    root.run_detached("ran", &["--restart", "always"], &script);
    let own = std::fs::read_to_string("/proc/1/status").unwrap();
    let processors = own.lines().find(|line| line.starts_with("Cpus_allowed_list:")).unwrap();
    for name in ["box", "ran"] {
        let said = |lines| {
            wait_until("it has begun", || {
                let said = root.teu(&["logs", name]).stdout;
                (said.lines().count() == lines).then_some(said)
            })
        };
        said(2);
        let pid = root.inspect(name)["State"]["Pid"].as_i64().unwrap();
        teu::sys::process::kill(i32::try_from(pid).unwrap(), 9).unwrap();
        let said = said(4);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[0], lines[2], "{name}");
        // Where they are placed at their start is not where they have to stay.
        assert_eq!((lines[1], lines[3]), (processors, processors), "{name}");
        root.teu(&["rm", "-f", name]).exits(0);
    }
}
