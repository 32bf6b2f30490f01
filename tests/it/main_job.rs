//! The main job with the real program on real input: pull, run, exec, logs, exit codes, crashes, nothing left behind.

use crate::needs;
use crate::support::host::on_own_loopback;
use crate::support::screen::Screen;
use crate::support::{StateRoot, image, leaks, wait_until};
use serde_json::Value;
use std::fs;
use std::process::Command;

/// The state file of a container: the truth about its life.
pub fn state(root: &StateRoot, id: &str) -> Value {
    let path = root.path().join("containers").join(id).join("state.json");
    serde_json::from_str(&fs::read_to_string(path).expect("state.json")).expect("JSON")
}

pub fn kill_9(pid: i64) {
    assert!(pid > 1, "no process to kill");
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

#[test]
fn an_image_of_two_layers_runs_and_leaves_nothing() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let script =
        "cat /etc/from-layer-two; test -e /etc/gone-in-layer-two && echo still; echo $FLAVOUR; id -u; pwd; exit 3";
    let image = image::name();
    let answer = root.teu(&["run", "--rm", "--network", "none", &image, "sh", "-c", script]).exits(3);
    assert_eq!(answer.stdout, "two\ntest\n0\n/\n");
    assert_eq!(root.teu(&["ps", "-aq"]).exits(0).stdout, "");
    leaks::assert_none(root.path());
}

#[test]
fn the_starter_image_s_editor_starts_without_complaint() {
    needs!(Userns, Tmux);
    let root = StateRoot::new();
    root.teu(&["image", "from-host"]).exits(0);
    let mut command = root.command();
    let command = command.args(["run", "--rm", "-it", "--network", "none", "localhost/starter", "vi", "/etc/passwd"]);
    let screen = Screen::start(90, 30, command.env("TERM", "xterm-256color"));
    // Any vi puts itself on the alternate screen or fills the rows below the file; vim tells what it has not found.
    screen.wait_for("root:x:0:0");
    screen.write("ix-yz\u{1b}");
    let text = screen.wait_for("x-yz");
    assert!(!text.contains("Error detected") && !text.contains("failed to load"), "{text}");
    screen.write(":q!\r");
    wait_until("the editor has ended", || screen.is_over().then_some(()));
}

#[test]
fn exit_codes_are_docker_s() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let image = image::name();
    let code = |args: &[&str]| {
        let mut all = vec!["run", "--rm", "--network", "none"];
        all.extend(args);
        root.teu(&all)
    };
    code(&[&image, "true"]).exits(0);
    code(&[&image, "sh", "-c", "exit 42"]).exits(42);
    // Its first process cannot be killed from inside: a child of it can.
    code(&[&image, "sh", "-c", "sh -c 'kill -9 $$'; exit $?"]).exits(137);
    let missing = code(&[&image, "no-such-program"]).exits(127);
    assert!(missing.stderr.contains("no-such-program"), "{}", missing.stderr);
    code(&[&image, "/etc/passwd"]).exits(126);
    code(&["--no-such-flag", &image]).exits(125);
    let unknown = code(&["--pull", "never", "localhost/there-is-none:1"]).exits(125);
    assert!(unknown.stderr.contains("there-is-none"), "{}", unknown.stderr);
    code(&["-m", "1m", &image, "true"]).exits(125);
    assert_eq!(root.teu(&["ps", "-aq"]).exits(0).stdout, "");
    leaks::assert_none(root.path());
}

#[test]
fn a_detached_container_is_worked_with_and_stopped() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let id = root.run_detached("worker", &[], &["sh", "-c", "echo out; echo err >&2; exec sleep 1000"]);
    assert_eq!(id.len(), 64, "the full id: {id:?}");

    let ps = root.teu(&["ps", "--format", "json"]).exits(0).stdout;
    let row: Value = serde_json::from_str(ps.trim()).expect("one object a line");
    assert_eq!((row["Names"].as_str(), row["State"].as_str()), (Some("worker"), Some("running")), "{row}");
    assert!(id.starts_with(row["ID"].as_str().unwrap()), "{row}");

    let logs = wait_until("both lines are in the log", || {
        let logs = root.teu(&["logs", "worker"]).exits(0);
        (logs.stdout == "out\n" && logs.stderr == "err\n").then_some(logs)
    });
    assert_eq!(logs.code, 0);
    assert_eq!(root.teu(&["exec", "worker", "sh", "-c", "echo inside; exit 5"]).exits(5).stdout, "inside\n");
    let seen = root.teu(&["exec", "-e", "A=b c", "-w", "/tmp", "worker", "sh", "-c", "pwd; echo $A"]).exits(0);
    assert_eq!(seen.stdout, "/tmp\nb c\n");

    assert_eq!(root.teu(&["stop", "-t", "1", "worker"]).exits(0).out(), "worker");
    let state = &root.inspect("worker")["State"];
    assert_eq!((state["Running"].as_bool(), state["ExitCode"].as_i64()), (Some(false), Some(137)), "{state}");
    root.teu(&["start", "worker"]).exits(0);
    assert_eq!(root.inspect("worker")["State"]["Running"], true);
    root.teu(&["rm", "worker"]).exits(1);
    root.teu(&["rm", "-f", "worker"]).exits(0);
    leaks::assert_none(root.path());
}

#[test]
fn logs_follow_to_the_end() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let script = "i=0; while [ $i -lt 20 ]; do echo line $i; i=$((i+1)); usleep 20000; done";
    root.run_detached("talker", &[], &["sh", "-c", script]);
    let followed = root.teu(&["logs", "-f", "talker"]).exits(0).stdout;
    let expected: String = (0..20).map(|n| format!("line {n}\n")).collect();
    assert_eq!(followed, expected);
    assert_eq!(root.teu(&["logs", "--tail", "2", "talker"]).exits(0).stdout, "line 18\nline 19\n");
    assert_eq!(root.teu(&["wait", "talker"]).exits(0).out(), "0");
}

#[test]
fn stdin_reaches_the_container_and_its_end_too() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let line = format!(
        "printf 'one\\ntwo\\n' | {} --root {} run --rm -i --network none {} sh -c 'cat; echo end'",
        crate::support::program::binary().display(),
        root.path().display(),
        image::name()
    );
    let answer = crate::support::program::finish(Command::new("sh").args(["-c", &line])).exits(0);
    assert_eq!(answer.stdout, "one\ntwo\nend\n");
}

#[test]
fn a_killed_monitor_is_never_shown_as_a_running_container_when_it_is_dead() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let id = root.run_detached("orphan", &[], &["sleep", "1000"]);
    let before = state(&root, &id);
    kill_9(before["monitor_pid"].as_i64().unwrap());
    // The process may live on without its monitor, or not; what is shown must be what is.
    let init = before["pid"].as_i64().unwrap();
    let alive = || fs::read_to_string(format!("/proc/{init}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    let shown = || root.inspect("orphan")["State"]["Running"].as_bool().unwrap();
    wait_until("what is shown is what is", || (shown() == alive()).then_some(()));
    if alive() {
        kill_9(init);
    }
    wait_until("the dead container is shown as dead", || (!shown()).then_some(()));
    let row: Value = serde_json::from_str(root.teu(&["ps", "-a", "--format", "json"]).exits(0).stdout.trim()).unwrap();
    assert_eq!(row["State"], "exited", "{row}");
    root.teu(&["start", "orphan"]).exits(0);
    root.teu(&["rm", "-f", "orphan"]).exits(0);
    leaks::assert_none(root.path());
}

#[test]
fn a_killed_client_leaves_its_container_running() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let image = image::name();
    let client = root.start(&["run", "--name", "stays", "--network", "none", &image, "sleep", "1000"]);
    wait_until("the container runs", || {
        let rows = root.teu(&["ps", "-q", "--no-trunc"]).exits(0).stdout;
        (!rows.is_empty()).then_some(())
    });
    kill_9(i64::from(client.0.id()));
    drop(client);
    assert_eq!(root.inspect("stays")["State"]["Running"], true);
    assert_eq!(root.teu(&["exec", "stays", "echo", "alive"]).exits(0).out(), "alive");
    root.teu(&["rm", "-f", "stays"]).exits(0);
    leaks::assert_none(root.path());
}

#[test]
fn the_starter_image_needs_no_network() {
    needs!(Userns);
    let root = StateRoot::new();
    let answer = root.teu(&["run", "--rm", "--network", "none", "localhost/starter", "sh", "-c", "echo hello | cat"]);
    assert_eq!(answer.exits(0).stdout, "hello\n");
    let images = root.teu(&["images", "--format", "json"]).exits(0).stdout;
    assert!(images.contains("localhost/starter"), "{images}");
    leaks::assert_none(root.path());
}

#[test]
fn a_restart_policy_brings_it_back() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    root.run_detached("again", &["--restart", "on-failure:3"], &["sh", "-c", "exit 4"]);
    wait_until("three restarts, then the end", || {
        let about = root.inspect("again");
        let over = about["RestartCount"] == 3 && about["State"]["Status"] == "exited";
        over.then_some(())
    });
    assert_eq!(root.inspect("again")["State"]["ExitCode"], 4);
}

/// The whole screen, opened on this root.
fn workstation(root: &StateRoot) -> Screen {
    Screen::start(120, 36, &root.command())
}

#[test]
fn a_killed_screen_finds_its_shell_again() {
    needs!(Userns, Tmux);
    on_own_loopback(shell_found_again);
}

fn shell_found_again() {
    let root = StateRoot::new();
    let first = workstation(&root);
    first.wait_for("Containers");
    first.press(&["Enter"]);
    first.wait_for("INPUT");
    first.write("X=teu; echo kept-$X\r");
    first.wait_for("kept-teu");
    kill_9(i64::from(first.pid()));
    wait_until("the screen is gone", || first.is_over().then_some(()));
    drop(first);

    let again = workstation(&root);
    again.wait_for("1 shell found again");
    again.press(&["5"]);
    again.wait_for("INPUT");
    let text = again.wait_for("echo kept-$X");
    assert!(text.contains("kept-teu"), "{text}");
    // The same process: it still knows its variable.
    again.write("echo again-$X\r");
    again.wait_for("again-teu");
    again.write("exit 3\r");
    wait_until("the shell's end is recorded", || {
        let rows = root.teu(&["ps", "-a", "--format", "{{.Status}}"]).exits(0).stdout;
        rows.starts_with("Exited (3)").then_some(())
    });
    drop(again);
    let id = root.teu(&["ps", "-aq"]).exits(0).stdout;
    root.teu(&["rm", id.trim()]).exits(0);
    leaks::assert_none(root.path());
}
