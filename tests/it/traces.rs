//! What is there before and after runs of every kind, counted: nothing more.

use crate::needs;
use crate::support::host::on_own_loopback;
use crate::support::leaks::{self, Traces};
use crate::support::{StateRoot, image, wait_until};
use std::fs;

fn traces(root: &StateRoot) -> Traces {
    let path = root.path();
    let mut traces = Traces::of(&[path], &["containers", "run/containers", "ingest", "run/netns"], leaks::groups(path));
    // Of this thread: it may be in a network namespace of its own.
    let links = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    traces.names.extend(links.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())));
    traces
}

#[test]
fn runs_of_every_kind_leave_nothing_behind() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    on_own_loopback(move || {
        let image = image::name();
        let image = image.as_str();
        // One lives all the while, with what its sessions need to be there once.
        let kept = root.run_detached("kept", &[], &["sleep", "1000"]);
        root.teu(&["exec", "kept", "true"]).exits(0);
        root.teu(&["run", "--rm", image, "true"]).exits(0);
        let mut before = traces(&root);
        wait_until("the first session's end", || {
            let now = traces(&root);
            // The kernel removes a veth some time after the network namespace that had its other end.
            let settled = now == before && !now.names.iter().any(|name| name.starts_with("tv"));
            before = now;
            (settled && monitors(&root).len() == 1).then_some(())
        });
        mix(&root, image);
        killed(&root, image);
        let mut now = traces(&root);
        let clean = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_until("everything is as before", || {
                now = traces(&root);
                (now == before).then_some(())
            });
        }));
        assert!(clean.is_ok(), "before: {before:#?}\nafter: {now:#?}");
        root.teu(&["rm", "-f", &kept]).exits(0);
        leaks::assert_none(root.path());
    });
}

fn monitors(root: &StateRoot) -> Vec<i32> {
    let mut all = leaks::processes(root.path());
    all.retain(|pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("__monitor")));
    all
}

fn mix(root: &StateRoot, image: &str) {
    let run = |options: &[&str], command: &[&str], code: i32| {
        let image = [image];
        let words = [&["run", "--rm"], options, &image, command].concat();
        root.teu(&words).exits(code);
    };
    let none = ["--network", "none"];
    for _ in 0..2 {
        run(&none, &["true"], 0);
        run(&none, &["sh", "-c", "exit 3"], 3);
        run(&[], &["sh", "-c", "kill -9 $$; sleep 1 & exit 4"], 4);
        run(&["--tty", "--network", "none"], &["true"], 0);
        run(&none, &["no-such-command"], 127);
        run(&none, &["/etc"], 126);
        run(&[], &["no-such-command"], 127);
        run(&["--network", "none", "--user", "nobody-here"], &["true"], 125);
        run(&["--user", "nobody-here"], &["true"], 125);
        run(&["--network", "none", "--workdir", "/etc/passwd"], &["true"], 125);
        run(&["--network", "none", "--device", "/dev/no-such-device"], &["true"], 125);
        run(&["--network", "none", "--mount", "type=bind,src=/no/such/place,dst=/x"], &["true"], 125);
        // Found out by the kernel, when half of the root is there; and by the runtime, with a network already attached.
        run(&["--network", "none", "--tmpfs", "/x:no-such-option"], &["true"], 125);
        run(&["--tmpfs", "/proc/sys"], &["true"], 125);
        for words in [&["no-such-command"][..], &["--user", "nobody-here", "true"], &["--workdir", "/no/where", "true"]]
        {
            let (options, command) = words.split_at(words.len() - 1);
            let answer = root.teu(&[&["exec"], options, &["kept"], command].concat());
            assert!(answer.code >= 125, "{words:?}: {answer:?}");
        }
        root.teu(&["exec", "kept", "sh", "-c", "exit 5"]).exits(5);
    }
    let absent = image.replace("busybox", "absent");
    root.teu(&["run", "--rm", "--network", "none", &absent, "true"]).exits(125);
}

/// Whose monitor is killed: what it kept alive is taken away by whoever removes it.
fn killed(root: &StateRoot, image: &str) {
    // An ordinary user's network waits for the next container to take it over.
    let networks: &[&str] = if crate::support::needs::is_root() { &["none", "default"] } else { &["none"] };
    for network in networks {
        let known = monitors(root);
        root.teu(&["run", "-d", "--name", "orphan", "--network", network, image, "sleep", "1000"]).exits(0);
        let mut new = monitors(root);
        new.retain(|pid| !known.contains(pid));
        assert_eq!(new.len(), 1, "{new:?}");
        teu::sys::process::kill(new[0], 9).unwrap();
        root.teu(&["rm", "-f", "orphan"]).exits(0);
    }
}
