//! What a filter does to a call, seen by who makes it (seccomp(2), "SECCOMP_RET_").

use super::bundle::{Bundle, mounts};
use crate::needs;
use serde_json::json;
use std::fs;

/// What the kernel says of a process that ended by SIGSYS.
const BY_SIGSYS: i32 = 128 + 31;

/// `run` of a script of whose calls those named meet the action.
fn said(action: &str, names: &[&str], script: &str) -> String {
    let mut bundle = Bundle::new(script);
    bundle.config["linux"]["seccomp"] =
        json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": names, "action": action }] });
    let answer = bundle.run().exits(0);
    answer.stdout + &answer.stderr
}

#[test]
fn calls_are_answered_or_end_their_caller_as_the_action_says() {
    needs!(Userns);
    let made = |action: &str| {
        said(action, &["mkdir", "mkdirat"], "busybox mkdir /tmp/x; echo $?; busybox test -d /tmp/x && echo there; true")
    };
    let log = made("SCMP_ACT_LOG");
    assert_eq!(log, "0\nthere\n", "it is written down and let through");
    let trace = made("SCMP_ACT_TRACE");
    assert!(trace.contains("Function not implemented") && trace.contains("1\n"), "nobody traces it: {trace}");
    for action in ["SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL", "SCMP_ACT_TRAP"] {
        let killed = made(action);
        assert!(killed.contains(&format!("{BY_SIGSYS}\n")) && !killed.contains("there"), "{action}: {killed}");
    }
}

#[test]
fn a_trap_can_be_caught_and_a_kill_cannot() {
    needs!(Userns);
    let script = "sh -c \"trap 'echo caught' SYS; umask 22; echo after\"; echo $?";
    assert_eq!(said("SCMP_ACT_TRAP", &["umask"], script), "caught\nafter\n0\n");
    let killed = said("SCMP_ACT_KILL_PROCESS", &["umask"], script);
    assert!(!killed.contains("caught") && !killed.contains("after"), "{killed}");
    assert!(killed.contains(&format!("{BY_SIGSYS}\n")), "{killed}");
}

#[test]
fn a_thread_is_killed_alone_and_a_process_as_a_whole() {
    needs!(Root, Perl);
    // The main thread goes on as soon as it is the only one.
    let script = "use threads; $| = 1; threads->create(sub { umask(18); print qq(reached\\n) })->detach();
        select(undef, undef, undef, 0.01) while (my @all = glob('/proc/self/task/*')) > 1;
        print qq(alone\\n); kill 'KILL', $$;";
    for (action, alone) in [("SCMP_ACT_KILL_THREAD", true), ("SCMP_ACT_KILL_PROCESS", false)] {
        let mut bundle = Bundle::new("perl -e \"$SCRIPT\"; echo $?");
        bundle.config["process"]["env"] = json!(["PATH=/bin:/usr/bin", format!("SCRIPT={script}")]);
        for dir in ["/usr", "/lib", "/lib64"] {
            let real = fs::canonicalize(dir).unwrap();
            mounts(&mut bundle.config)
                .push(json!({ "destination": dir, "type": "bind", "source": real, "options": ["rbind", "ro"] }));
        }
        bundle.config["linux"]["seccomp"] =
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": ["umask"], "action": action }] });
        let answer = bundle.run().exits(0);
        assert_eq!(answer.stdout.contains("alone\n"), alone, "{action}: {answer:?}");
        let end = if alone { "137\n" } else { "159\n" };
        assert!(answer.stdout.ends_with(end) && !answer.stdout.contains("reached"), "{action}: {answer:?}");
    }
}
