//! `exec`'s own options, and the everyday ones of `run`: each is there inside and shown outside.

use crate::needs;
use crate::support::needs::{Need, lacking};
use crate::support::program::Running;
use crate::support::{StateRoot, image, leaks, wait_until};
use serde_json::json;
use teu::sys::process;

#[test]
fn a_further_process_may_be_more_or_less_than_the_first() {
    needs!(Registry, Userns, SubIds);
    let root = StateRoot::with_image();
    root.run_detached("box", &["-e", "A=1", "-w", "/bin"], &["sleep", "600"]);
    let exec = |options: &[&str], script: &str| {
        let mut args = vec!["exec"];
        args.extend(options);
        args.extend(["box", "sh", "-c", script]);
        root.teu(&args).exits(0).stdout
    };
    let status = "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status | cut -f 2 | tr '\\n' ' '";
    let confined = exec(&[], status);
    assert!(confined.ends_with(" 1 2 "), "{confined}");
    let privileged = exec(&["--privileged"], status);
    assert!(privileged.ends_with(" 0 0 "), "{privileged}");
    let caps = |text: &str| u64::from_str_radix(text.split(' ').next().unwrap(), 16).unwrap();
    // Everything that this process's own root has, and more than the container.
    assert!(caps(&privileged).count_ones() > caps(&confined).count_ones() + 10, "{privileged} {confined}");
    assert_eq!(caps(&exec(&["--privileged", "--user", "app"], status)), 0, "powers are root's");
    let file = root.path().join("variables");
    std::fs::write(&file, "B=2\n# no\nA=file\n").unwrap();
    let file = file.display().to_string();
    assert_eq!(exec(&["--env-file", &file, "-e", "C=3"], "echo $A$B$C; pwd"), "file23\n/bin\n");
    assert_eq!(exec(&["--user", "app:extra", "--workdir", "/tmp"], "id -u; id -g; pwd"), "1000\n2000\n/tmp\n");
    for (options, code) in
        [(["--workdir", "/not/there"], 127), (["--user", "nobody-here"], 126), (["--env-file", "/not/there"], 125)]
    {
        let answer = root.teu(&["exec", options[0], options[1], "box", "true"]);
        assert!(answer.code == code || answer.code == 1, "{options:?}: {answer:?}");
        assert!(answer.stderr.contains(options[1]), "{options:?}: {answer:?}");
    }
}

#[test]
fn everyday_options_hold() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let options = [
        "--read-only",
        "--tmpfs",
        "/tmp:size=1m",
        "--ulimit",
        "nofile=100:200",
        "--shm-size",
        "32m",
        "--stop-signal",
        "USR1",
        "--stop-timeout",
        "1",
        "--add-host",
        "far:192.0.2.4",
        "--dns",
        "192.0.2.9",
        "--dns-search",
        "example.test",
        "--dns-option",
        "ndots:3",
        "--sysctl",
        "kernel.msgmax=1234",
        "--oom-score-adj",
        "300",
        "--entrypoint",
        "sleep",
        "--expose",
        "99",
        "--hostname",
        "named",
    ];
    let image = image::name();
    let mut args = vec!["run", "-d", "--name", "box", "--network", "none"];
    args.extend(options);
    args.extend([image.as_str(), "600"]);
    root.teu(&args).exits(0);
    let script = "touch /new 2>/dev/null || echo sealed; touch /tmp/x && echo open; ulimit -n; ulimit -Hn; hostname
        grep -c '192.0.2.4.far' /etc/hosts; cat /etc/resolv.conf /proc/sys/kernel/msgmax /proc/1/oom_score_adj
        mount | grep -o ' on /dev/shm .*size=[0-9]*k' | grep -o '[0-9]*k'";
    let text = root.teu(&["exec", "box", "sh", "-c", script]).exits(0).stdout;
    let files = "search example.test\nnameserver 192.0.2.9\noptions ndots:3\n1234\n300\n32768k\n";
    assert_eq!(text, format!("sealed\nopen\n100\n200\nnamed\n1\n{files}"));
    let shown = root.inspect("box");
    let host = &shown["HostConfig"];
    assert_eq!(
        (&host["ReadonlyRootfs"], &host["ShmSize"], &host["OomScoreAdj"]),
        (&json!(true), &json!(32 << 20), &json!(300))
    );
    assert_eq!(host["Sysctls"], json!({"kernel.msgmax": "1234"}));
    assert_eq!(host["Ulimits"], json!([{"Name": "nofile", "Soft": 100, "Hard": 200}]));
    assert_eq!((&host["Dns"], &host["ExtraHosts"]), (&json!(["192.0.2.9"]), &json!(["far:192.0.2.4"])));
    let config = &shown["Config"];
    assert_eq!(
        (&config["StopSignal"], &config["StopTimeout"], &config["Hostname"]),
        (&json!("USR1"), &json!(1), &json!("named"))
    );
    assert_eq!(config["ExposedPorts"], json!({"99/tcp": {}}));
    // The first process takes no such signal: after a second it is killed.
    root.teu(&["stop", "box"]).exits(0);
    assert_eq!(root.inspect("box")["State"]["ExitCode"], 137);
    root.teu(&["rm", "box"]).exits(0);
    leaks::assert_none(root.path());
}

/// The init of a container stops whatever it sees: also a process on its way into the container, before its command.
fn stopping(root: &StateRoot) {
    root.run_detached("box", &[], &["sh", "-c", "trap '' TERM; while :; do kill -STOP -1 2>/dev/null; done"]);
}

/// Stopped children of the container's monitor, with whether each is still the monitor's program.
fn stopped(root: &StateRoot) -> Vec<(i32, bool)> {
    let monitor = root.inspect("box")["State"]["MonitorPid"].as_i64().unwrap();
    let program = |pid: i64| std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    let is_stopped = |pid: i64| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.get(stat.rfind(')')? + 2..)?.split(' ').collect();
        Some(fields[0] == "T" && fields[1].parse() == Ok(monitor))
    };
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse().ok())
        .filter(|pid| is_stopped(*pid) == Some(true))
        .map(|pid| (pid as i32, program(pid) == program(monitor)))
        .collect()
}

/// A process that `kill -STOP -1` got hold of on its way into the container.
fn is_held_up(root: &StateRoot) -> bool {
    stopped(root).iter().any(|(_, on_its_way)| *on_its_way)
}

/// Starts execs until the container holds one up before its command.
fn held_up(root: &StateRoot) -> Running {
    let mut exec = root.start(&["exec", "box", "true"]);
    wait_until("an exec is held up", || {
        for (pid, on_its_way) in stopped(root) {
            if on_its_way {
                return Some(());
            }
            // That was a command already.
            let _ = process::kill(pid, 9);
        }
        if exec.0.try_wait().unwrap().is_some() {
            exec = root.start(&["exec", "box", "true"]);
        }
        None
    });
    exec
}

#[test]
fn a_container_that_holds_an_exec_up_holds_up_nothing_else() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    stopping(&root);
    let mut exec = held_up(&root);
    // Its monitor hears everybody else.
    root.teu(&["kill", "-s", "CONT", "box"]).exits(0);
    if lacking(Need::Cgroup).is_none() {
        root.teu(&["pause", "box"]).exits(0);
        root.teu(&["unpause", "box"]).exits(0);
    }
    root.teu(&["stop", "-t", "0", "box"]).exits(0);
    wait_until("the exec ends with its container", || exec.0.try_wait().unwrap());
}

#[test]
fn an_exec_that_is_held_up_is_taken_back_with_its_client() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    stopping(&root);
    let mut exec = held_up(&root);
    process::kill(exec.0.id() as i32, 2).unwrap();
    let status = wait_until("an interrupt ends it", || exec.0.try_wait().unwrap());
    assert_eq!(status.code(), Some(130));
    wait_until("what it had started is gone", || (!is_held_up(&root)).then_some(()));
    root.teu(&["rm", "-f", "box"]).exits(0);
}
