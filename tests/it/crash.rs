//! SIGKILL at any moment: what was left half done is tidied by the next command.

use super::engine::{Bench, open, run, run_args, targets};
use crate::needs;
use std::process::Command;
use std::time::Duration;
use teu::engine::{ErrorKind, Event, Request};
use teu::model::container::Status;

fn kill_monitor(state: &serde_json::Value) {
    let pid = state["State"]["MonitorPid"].to_string();
    assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
}

#[test]
fn a_killed_monitor_is_noticed_and_its_container_can_be_stopped_and_started() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        bench.sleeper("web").await;
        // A second engine, as a TUI would be, hears of it without asking.
        let watcher = open(&bench.root, true).await;
        let mut events = watcher.events();
        kill_monitor(&bench.inspect("web").await);
        loop {
            if let Event::Container(_) = events.recv().await.unwrap()
                && watcher.inventory().containers[0].state.status == Status::Orphaned
            {
                break;
            }
        }
        let error = bench.ask(Request::Pause(targets(&["web"]))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        let stop = teu::engine::request::StopArgs {
            containers: vec!["web".into()],
            timeout: Some(Duration::ZERO),
            signal: None,
        };
        bench.ask(Request::Stop(stop)).await.unwrap();
        let state = bench.inspect("web").await;
        assert_eq!((&state["State"]["Status"], &state["State"]["ExitCode"]), (&"exited".into(), &255.into()));
        bench.ask(Request::Start(targets(&["web"]))).await.unwrap();
        assert_eq!(bench.inspect("web").await["State"]["Status"], "running");
        watcher.shutdown(Duration::from_secs(1)).await;
    });
}

#[test]
fn what_belongs_to_nobody_is_swept() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        bench.ask(Request::Run(Box::new(run_args("keep", &["true"], false)))).await.unwrap();
        let stray = bench.root.path().join("containers").join("ab".repeat(32));
        std::fs::create_dir_all(stray.join("upper/x")).unwrap();
        let volume = bench.root.path().join("volumes/stray/_data");
        std::fs::create_dir_all(&volume).unwrap();
        let next = open(&bench.root, true).await;
        assert!(!stray.exists() && !volume.exists());
        assert_eq!(next.inventory().containers.len(), 1);
        next.shutdown(Duration::from_secs(1)).await;
    });
}

#[test]
fn a_command_killed_at_any_moment_leaves_no_half_container() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        bench.ask(Request::Run(Box::new(run_args("first", &["true"], false)))).await.unwrap();
        for delay in [1, 3, 6, 10, 15, 25, 40] {
            let mut command = bench.root.command();
            command.args(["run", "-d", "--name", "web", "--network", "none", "localhost/starter", "sleep", "1000"]);
            let mut child =
                command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
            tokio::time::sleep(Duration::from_millis(delay)).await;
            child.kill().unwrap();
            child.wait().unwrap();
            // Its monitor may still be starting it; then either it is there as a whole, or not at all.
            while let Err(e) = bench.ask(Bench::remove(&["web"], true)).await {
                if e.kind() == ErrorKind::NotFound {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            bench.ask(Request::Run(Box::new(run_args("web", &["true"], false)))).await.unwrap();
            bench.ask(Bench::remove(&["web"], true)).await.unwrap();
        }
        let left = std::fs::read_dir(bench.root.path().join("containers")).unwrap().count();
        assert_eq!(left, 1);
    });
}
