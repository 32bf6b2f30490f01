//! Where docker's users would be surprised: exit codes and rules that its manual only mentions in passing.

use super::support::{StateRoot, wait_until};
use crate::needs;

const STARTER: &str = "localhost/starter";

fn sleeper(root: &StateRoot, name: &str, options: &[&str]) {
    let args = [&["run", "-d", "--network", "none", "--name", name][..], options, &[STARTER, "sleep", "1000"]].concat();
    root.teu(&args).exits(0);
}

#[test]
fn an_exec_as_nobody_known_is_a_command_that_cannot_be_executed() {
    needs!(Userns);
    let root = StateRoot::new();
    sleeper(&root, "box", &[]);
    let answer = root.teu(&["exec", "-u", "nosuch", "box", "true"]).exits(126);
    assert!(answer.stderr.contains("unable to find user nosuch: no matching entries in passwd file"), "{answer:?}");
    root.teu(&["exec", "-u", "0:nosuch", "box", "true"]).exits(126);
    root.teu(&["exec", "box", "nosuch"]).exits(127);
    root.teu(&["exec", "box", "/etc"]).exits(126);
    root.teu(&["exec", "nosuch", "true"]).exits(1);
    root.teu(&["stop", "-t", "0", "box"]).exits(0);
    root.teu(&["exec", "box", "true"]).exits(1);
}

#[test]
fn a_container_without_an_input_is_attached_to_without_a_word() {
    needs!(Userns);
    let root = StateRoot::new();
    root.teu(&["create", "--network", "none", "--name", "box", STARTER, "echo", "hi"]).exits(0);
    let answer = root.teu(&["start", "-i", "box"]).exits(0);
    assert_eq!((answer.out(), answer.stderr.as_str()), ("hi", ""));
}

#[test]
fn forced_removal_of_what_is_not_there_is_no_failure() {
    needs!(Userns);
    let root = StateRoot::new();
    sleeper(&root, "box", &[]);
    let answer = root.teu(&["rm", "-f", "nosuch"]).exits(0);
    assert!(answer.stderr.starts_with("teu: no such container: nosuch") && answer.stdout.is_empty(), "{answer:?}");
    let answer = root.teu(&["rm", "-f", "nosuch", "box"]).exits(0);
    assert_eq!(answer.out(), "box");
    root.teu(&["rm", "nosuch"]).exits(1);
    root.teu(&["rmi", "-f", "nosuch"]).exits(0);
    root.teu(&["rmi", "nosuch"]).exits(1);
}

#[test]
fn a_filter_that_nothing_could_fit_is_a_mistake() {
    needs!(Userns);
    let root = StateRoot::new();
    sleeper(&root, "box", &[]);
    let filters =
        ["status=bogus", "health=bogus", "is-task=maybe", "exited=x", "publish=x", "before=nosuch", "since=no"];
    for filter in filters {
        let answer = root.teu(&["ps", "--filter", filter]).exits(1);
        assert!(answer.stderr.starts_with("teu: ") && answer.stdout.is_empty(), "{filter}: {answer:?}");
    }
    for filter in ["status=running", "health=none", "is-task=false", "name=box"] {
        assert_eq!(root.teu(&["ps", "-q", "--filter", filter]).exits(0).out().lines().count(), 1, "{filter}");
    }
    assert_eq!(root.teu(&["ps", "-aq", "--filter", "exited=1", "--filter", "publish=80"]).exits(0).stdout, "");
}

fn restarts(root: &StateRoot) -> (String, u32) {
    let text = root.teu(&["inspect", "-f", "{{.State.Status}} {{.RestartCount}}", "box"]).exits(0).out().to_owned();
    let (status, count) = text.split_once(' ').unwrap();
    (status.to_owned(), count.parse().unwrap())
}

#[test]
fn a_restart_policy_changes_while_the_container_runs() {
    needs!(Userns);
    let root = StateRoot::new();
    // Ends when it is told to.
    let script = "trap 'exit 3' USR1; while :; do sleep 0.05; done";
    root.teu(&["run", "-d", "--network", "none", "--name", "box", STARTER, "sh", "-c", script]).exits(0);
    assert_eq!(root.teu(&["update", "--restart", "on-failure:1", "box"]).exits(0).out(), "box");
    let policy = root.teu(&["inspect", "-f", "{{json .HostConfig.RestartPolicy}}", "box"]).exits(0);
    assert_eq!(policy.out(), r#"{"MaximumRetryCount":1,"Name":"on-failure"}"#);
    let end = |expected: (&str, u32)| {
        wait_until("it is told to end, and what follows is seen", || {
            // A shell that has not come to its trap yet dies of the signal: the same failure.
            if restarts(&root) != (expected.0.to_owned(), expected.1) {
                let _ = root.teu(&["kill", "-s", "USR1", "box"]);
            }
            (restarts(&root) == (expected.0.to_owned(), expected.1)).then_some(())
        });
    };
    end(("exited", 1));
    // One that does not run keeps the new policy for its next start.
    root.teu(&["update", "--restart", "no", "box"]).exits(0);
    root.teu(&["start", "box"]).exits(0);
    end(("exited", restarts(&root).1));
    let answer = root.teu(&["update", "--restart", "sometimes", "box"]).exits(1);
    assert!(answer.stderr.contains("invalid --restart 'sometimes'"), "{answer:?}");
}

#[test]
fn what_goes_at_its_end_takes_no_restart_policy() {
    needs!(Userns);
    let root = StateRoot::new();
    sleeper(&root, "box", &["--rm"]);
    let answer = root.teu(&["update", "--restart", "always", "box"]).exits(1);
    assert!(answer.stderr.contains("it goes at its end (--rm)"), "{answer:?}");
    root.teu(&["update", "--restart", "no", "box"]).exits(0);
}

#[test]
fn a_container_killed_by_hand_is_not_restarted() {
    needs!(Userns);
    let root = StateRoot::new();
    sleeper(&root, "box", &["--restart", "always"]);
    root.teu(&["kill", "box"]).exits(0);
    assert_eq!(root.teu(&["wait", "box"]).exits(0).out(), "137");
    assert_eq!(restarts(&root), ("exited".to_owned(), 0));
    // Started again, the policy holds again: another signal's end is not the wish to have it down.
    root.teu(&["start", "box"]).exits(0);
    root.teu(&["exec", "box", "true"]).exits(0);
    root.teu(&["rm", "-f", "box"]).exits(0);
    // A signal that may mean anything leaves the policy alone.
    let script = "trap 'exit 3' USR1; while :; do sleep 0.05; done";
    let args = ["run", "-d", "--network", "none", "--restart", "always", "--name", "box", STARTER, "sh", "-c", script];
    root.teu(&args).exits(0);
    root.teu(&["kill", "-s", "USR1", "box"]).exits(0);
    wait_until("it has come back", || (restarts(&root).1 > 0).then_some(()));
    root.teu(&["rm", "-f", "box"]).exits(0);
}
