//! Limits and live figures of real containers: what is asked for holds, is shown, and what breaks it is named.

use crate::main_job::state;
use crate::needs;
use crate::support::{StateRoot, wait_until};
use serde_json::Value;
use teu::model::stats::Sample;
use teu::model::time::Timestamp;
use teu::runtime::cgroup::Sampler;

fn sampler(root: &StateRoot, id: &str) -> Sampler {
    let state = state(root, id);
    let pid = i32::try_from(state["pid"].as_i64().unwrap()).unwrap();
    Sampler::open(state["cgroup"].as_str().unwrap(), pid).expect("figures of a running container")
}

fn sample(sampler: &mut Sampler) -> Sample {
    sampler.sample(Timestamp(0), true).expect("figures")
}

#[test]
fn limits_hold_and_are_shown() {
    needs!(Registry, Userns, Cgroup);
    let root = StateRoot::with_image();
    let options = ["-m", "64m", "--cpus", "0.5", "--pids-limit", "40"];
    let id = root.run_detached("limited", &options, &["sleep", "1000"]);
    let figures = sample(&mut sampler(&root, &id));
    assert_eq!(figures.memory_limit, Some(64 << 20));
    assert_eq!(figures.cpu_limit_millis, Some(500));
    assert_eq!(figures.pids_limit, Some(40));
    assert!((1..=2).contains(&figures.pids), "{figures:?}");

    let host = &root.inspect("limited")["HostConfig"];
    assert_eq!((host["Memory"].as_u64(), host["NanoCpus"].as_u64()), (Some(64 << 20), Some(500_000_000)), "{host}");
    let line = root.teu(&["stats", "--no-stream", "--format", "json", "limited"]).exits(0).stdout;
    let row: Value = serde_json::from_str(line.trim()).expect("one object");
    assert!(row["MemUsage"].as_str().unwrap().ends_with(" / 64MiB"), "{row}");
    assert_eq!(row["Name"], "limited", "{row}");

    root.teu(&["update", "-m", "96m", "--memory-swap", "96m", "limited"]).exits(0);
    assert_eq!(sample(&mut sampler(&root, &id)).memory_limit, Some(96 << 20));
    assert_eq!(root.inspect("limited")["HostConfig"]["Memory"], 96 << 20);
    // Inside, the container sees the root of its own view.
    let own = root.teu(&["exec", "limited", "cat", "/proc/self/cgroup"]).exits(0).stdout;
    assert!(own.lines().any(|line| line.ends_with(":/")) && !own.contains("/.."), "{own}");
}

#[test]
fn an_oom_kill_is_named() {
    needs!(Registry, Userns, Cgroup);
    let root = StateRoot::with_image();
    let glutton = ["awk", "BEGIN { s = \"x\"; while (1) s = s s }"];
    root.run_detached("glutton", &["-m", "24m", "--memory-swap", "24m"], &glutton);
    let state = wait_until("the glutton is killed", || {
        let state = root.inspect("glutton")["State"].clone();
        (state["Running"] == false).then_some(state)
    });
    assert_eq!((state["OOMKilled"].as_bool(), state["ExitCode"].as_i64()), (Some(true), Some(137)), "{state}");
    // And not for one that was merely killed.
    root.run_detached("innocent", &["-m", "24m"], &["sleep", "1000"]);
    root.teu(&["kill", "innocent"]).exits(0);
    wait_until("the innocent is gone", || (root.inspect("innocent")["State"]["Running"] == false).then_some(()));
    assert_eq!(root.inspect("innocent")["State"]["OOMKilled"], false);
}

#[test]
fn throttling_is_counted() {
    needs!(Registry, Userns, Cgroup);
    let root = StateRoot::with_image();
    let id = root.run_detached("busy", &["--cpus", "0.1"], &["sh", "-c", "while :; do :; done"]);
    let mut sampler = sampler(&root, &id);
    wait_until("the busy loop is throttled", || {
        let figures = sample(&mut sampler);
        (figures.throttled > Some(0) && figures.throttled_usec > Some(0) && figures.cpu_usec > 0).then_some(())
    });
}

#[test]
fn a_paused_container_stands_still() {
    needs!(Registry, Userns, Cgroup);
    let root = StateRoot::with_image();
    let id = root.run_detached("runner", &[], &["sh", "-c", "while :; do :; done"]);
    let mut sampler = sampler(&root, &id);
    root.teu(&["pause", "runner"]).exits(0);
    assert_eq!(root.inspect("runner")["State"]["Status"], "paused");
    let still = sample(&mut sampler).cpu_usec;
    // A whole client of work later nothing has moved.
    root.teu(&["ps"]).exits(0);
    assert_eq!(sample(&mut sampler).cpu_usec, still);
    root.teu(&["unpause", "runner"]).exits(0);
    wait_until("it runs again", || (sample(&mut sampler).cpu_usec > still).then_some(()));
    root.teu(&["pause", "runner"]).exits(0);
    root.teu(&["rm", "-f", "runner"]).exits(0);
}

#[test]
fn a_limit_on_processes_stops_a_fork_bomb() {
    needs!(Registry, Userns, Cgroup);
    let root = StateRoot::with_image();
    // A shell that cannot fork may give up: the bomb is a subshell, and what it has started stays.
    let script = "(i=0; while [ $i -lt 30 ]; do sleep 1000 & i=$((i+1)); done); exec sleep 1000";
    let id = root.run_detached("bomb", &["--pids-limit", "10"], &["sh", "-c", script]);
    wait_until("the refused fork is in the log", || {
        let logs = root.teu(&["logs", "bomb"]).exits(0);
        (logs.stderr.contains("fork") || logs.stdout.contains("fork")).then_some(())
    });
    let figures = sample(&mut sampler(&root, &id));
    assert!((9..=10).contains(&figures.pids) && figures.pids_limit == Some(10), "{figures:?}");
}

#[test]
fn a_container_is_only_killed_with_all_it_has_started() {
    needs!(Registry, Userns, Cgroup);
    let root = StateRoot::with_image();
    let id = root.run_detached("family", &[], &["sh", "-c", "(sleep 1000 & sleep 1000) & exec sleep 1000"]);
    wait_until("the family is complete", || (sample(&mut sampler(&root, &id)).pids >= 3).then_some(()));
    root.teu(&["kill", "family"]).exits(0);
    wait_until("it is over", || (root.inspect("family")["State"]["Running"] == false).then_some(()));
    crate::support::leaks::assert_none(root.path());
}
