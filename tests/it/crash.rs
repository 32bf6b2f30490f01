//! SIGKILL at any moment: what was left half done is tidied by the next command.

use super::engine::{Bench, open, run, run_args, targets};
use crate::needs;
use crate::support::{StateRoot, leaks};
use std::io::{BufRead, BufReader, Read};
use std::process::Command;
use std::time::Duration;
use teu::engine::{ErrorKind, Event, Output, Request};
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
fn restarts_and_removals_side_by_side_come_to_one_end() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        bench.sleeper("web").await;
        let stop = || teu::engine::request::StopArgs {
            containers: vec!["web".into()],
            timeout: Some(Duration::ZERO),
            signal: None,
        };
        let others = [open(&bench.root, false).await, open(&bench.root, false).await];
        for round in 0..8 {
            if round % 2 == 1 {
                kill_monitor(&bench.inspect("web").await);
            }
            let jobs = (others[0].submit(Request::Restart(stop())), others[1].submit(Request::Restart(stop())));
            let ours = bench.ask(Request::Restart(stop())).await;
            for result in [ours].into_iter().chain([jobs.0.outcome().await, jobs.1.outcome().await]) {
                let Output::Many(results) = result.unwrap() else { panic!() };
                for (_, result) in results {
                    result.unwrap();
                }
            }
            assert_eq!(bench.inspect("web").await["State"]["Status"], "running", "round {round}");
        }
        kill_monitor(&bench.inspect("web").await);
        let removals: Vec<_> = others.iter().map(|engine| engine.submit(Bench::remove(&["web"], true))).collect();
        for removal in removals {
            removal.outcome().await.unwrap();
        }
        let error = bench.ask(Request::Start(targets(&["web"]))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    });
}

/// The exit code is not one that the process could have had for itself.
#[test]
fn a_session_whose_monitor_is_killed_says_so_once() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    root.run_detached("web", &[], &["sleep", "1000"]);
    let mut exec = root.start(&["exec", "web", "sh", "-c", "echo begun; exec sleep 1000"]);
    let mut line = String::new();
    BufReader::new(exec.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "begun\n");
    kill_monitor(&root.inspect("web"));
    assert_eq!(exec.0.wait().unwrap().code(), Some(125));
    let mut said = String::new();
    exec.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert_eq!(lines[0], "teu: the session was lost: the container's monitor was killed");
    assert!(lines[1].starts_with("hint: ") && lines[1].contains("teu restart"), "{said}");
    let later = root.teu(&["exec", "web", "true"]).exits(1);
    assert!(later.stderr.contains("container web has lost its monitor"), "{}", later.stderr);
    let start = root.teu(&["start", "web"]).exits(1);
    assert!(start.stderr.contains("its monitor was killed"), "{}", start.stderr);
    root.teu(&["restart", "-t", "0", "web"]).exits(0);
    root.teu(&["exec", "web", "true"]).exits(0);
}

#[test]
fn what_belongs_to_nobody_is_swept() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        bench.ask(Request::Run(Box::new(run_args("keep", &["true"], false)))).await.unwrap();
        let stray = bench.root.path().join("containers").join("ab".repeat(32));
        std::fs::create_dir_all(stray.join("upper/x")).unwrap();
        // A `--rm` container that had ended: its record is gone and its directory set aside, then everybody was killed.
        bench.ask(Request::Run(Box::new(run_args("brief", &["sh", "-c", "echo x > /x"], false)))).await.unwrap();
        let id = bench.inspect("brief").await["Id"].as_str().unwrap().to_owned();
        let home = bench.root.path().join("containers").join(&id);
        let aside = home.with_extension("removed");
        assert!(home.join("upper/x").exists());
        std::fs::rename(&home, &aside).unwrap();
        sqlite(&bench.root, &format!("DELETE FROM names WHERE container = '{id}'"));
        sqlite(&bench.root, &format!("DELETE FROM containers WHERE id = '{id}'"));
        let volume = bench.root.path().join("volumes/stray/_data");
        std::fs::create_dir_all(&volume).unwrap();
        let lost = bench.root.path().join("volumes/lost/_data");
        std::fs::create_dir_all(&lost).unwrap();
        std::fs::write(lost.join("work"), "of years").unwrap();
        let half = bench.root.path().join("ingest/layer-0123456789abcdef");
        std::fs::create_dir_all(half.join("fs/usr")).unwrap();
        let next = open(&bench.root, true).await;
        let all = [&stray, &aside, &volume, &half];
        crate::support::wait_until("all is swept", || all.iter().all(|path| !path.exists()).then_some(()));
        assert!(lost.join("work").exists(), "what a user has written is never swept");
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

#[test]
fn a_damaged_state_file_costs_what_it_said_and_not_the_container() {
    needs!(Userns);
    let root = StateRoot::new();
    let run = |name: &str, command: &str| {
        let answer =
            root.teu(&["run", "-d", "--name", name, "--network", "none", "localhost/starter", "sh", "-c", command]);
        root.path().join("containers").join(answer.exits(0).out())
    };
    let state = run("live", "sleep 1000").join("state.json");
    std::fs::write(&state, "{\"status\":").unwrap();
    assert_eq!(root.inspect("live")["State"]["Running"], true);
    root.teu(&["exec", "live", "true"]).exits(0);
    root.teu(&["stop", "-t", "0", "live"]).exits(0);
    assert_eq!(root.inspect("live")["State"]["ExitCode"], 137);
    std::fs::write(&state, "").unwrap();
    assert_eq!(root.inspect("live")["State"]["Status"], "exited");
    root.teu(&["start", "live"]).exits(0);
    assert_eq!(root.inspect("live")["State"]["Running"], true);
    root.teu(&["rm", "-f", "live"]).exits(0);

    let home = run("homeless", "sleep 1000");
    // Out of sight: an ordinary user could not delete what belongs to sub-ids.
    std::fs::rename(&home, root.path().join("elsewhere")).unwrap();
    assert_eq!(root.inspect("homeless")["State"]["Running"], true);
    root.teu(&["rm", "-f", "homeless"]).exits(0);
    leaks::assert_none(root.path());
}

#[test]
fn a_damaged_row_hides_no_other_and_is_named() {
    needs!(Userns);
    let root = StateRoot::new();
    root.teu(&["create", "--name", "good", "localhost/starter", "true"]).exits(0);
    let row = "INSERT INTO containers VALUES ('ee', 'x', 1, NULL, '{bad')";
    sqlite(&root, row);
    let listed = root.teu(&["ps", "-aq"]).exits(0);
    assert_eq!(listed.stdout.lines().count(), 1);
    assert!(listed.stderr.contains("container ee"), "{}", listed.stderr);
    sqlite(&root, "DELETE FROM containers WHERE id = 'ee'");
}

/// As after a crash of the machine: taken for a new one, it would have had everything swept away.
#[test]
fn a_database_cut_to_nothing_is_damaged_and_not_new() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let image = crate::support::image::name();
    root.teu(&["run", "--name", "work", "--network", "none", &image, "sh", "-c", "echo of years >/work"]).exits(0);
    let database = root.path().join("teu.db");
    let kept = root.path().join("kept.db");
    rusqlite::Connection::open(&database).unwrap().pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
    std::fs::copy(&database, &kept).unwrap();
    for log in ["teu.db-wal", "teu.db-shm"] {
        let _ = std::fs::remove_file(root.path().join(log));
    }
    std::fs::write(&database, "").unwrap();
    for _ in 0..2 {
        let answer = root.teu(&["ps", "-a"]).exits(125);
        assert!(answer.stderr.contains("it is empty, and there are containers"), "{}", answer.stderr);
        assert!(answer.stderr.contains("move teu.db"), "{}", answer.stderr);
    }
    std::fs::rename(&kept, &database).unwrap();
    let out = root.teu(&["diff", "work"]).exits(0).stdout;
    assert!(out.contains("A /work"), "{out}");
}

fn sqlite(root: &StateRoot, sql: &str) {
    rusqlite::Connection::open(root.path().join("teu.db")).unwrap().execute(sql, []).unwrap();
}

/// A small file system of its own, unmounted on drop.
struct Disk(std::path::PathBuf);

impl Disk {
    fn mount(place: std::path::PathBuf, size: &str) -> Disk {
        std::fs::create_dir(&place).unwrap();
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", size, "teu-test"]).arg(&place).status();
        assert!(status.unwrap().success());
        Disk(place)
    }

    /// To the last byte.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("ballast")).unwrap();
        while std::io::Write::write(&mut file, &[1; 4096]).is_ok_and(|n| n > 0) {}
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_said_and_what_removes_still_works() {
    needs!(Root);
    let outer = StateRoot::new();
    let disk = Disk::mount(outer.path().join("disk"), "size=16m");
    let place = disk.0.join("root");
    std::fs::create_dir(&place).unwrap();
    let teu = |args: &[&str]| crate::support::program::run(&place, args);
    teu(&["image", "from-host", "-q", "-t", "localhost/small", "sh", "sleep"]).exits(0);
    teu(&["run", "-d", "--name", "web", "--network", "none", "localhost/small", "sleep", "1000"]).exits(0);
    disk.fill();
    let refused = teu(&["run", "--rm", "--network", "none", "localhost/small", "true"]).exits(125);
    assert!(refused.stderr.contains("full") && refused.stderr.contains("hint: free some space"), "{}", refused.stderr);
    teu(&["stop", "-t", "0", "web"]).exits(0);
    let state = teu(&["inspect", "web"]).exits(0).stdout;
    assert!(state.contains("\"ExitCode\": 137"), "how it ended is known:\n{state}");
    teu(&["rm", "web"]).exits(0);
    teu(&["rmi", "localhost/small"]).exits(0);
    assert_eq!(std::fs::read_dir(place.join("layers")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(place.join("containers")).unwrap().count(), 0);
}
