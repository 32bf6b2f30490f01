//! Further processes in a running container.

use super::{Place, exec};
use teu::runtime::protocol::FailureKind;

#[test]
fn sessions_see_the_container() {
    let mut place = Place::sh("sleep 1000");
    place.config.env.push("OWN=1".into());
    let mut other = exec(&[
        "sh",
        "-c",
        "id -u; id -G; pwd; echo $OWN $MORE $HOME; hostname; ls -A /proc/self/ns | wc -l; grep -E 'CapBnd|Seccomp:|NoNew' /proc/self/status | tr -d '\\n\\t'",
    ]);
    other.user = Some("ann".into());
    other.workdir = Some("/tmp".into());
    other.env = vec!["MORE=2".into()];
    let inside = exec(&[
        "sh",
        "-c",
        "for n in pid mnt uts ipc net cgroup; do [ $(readlink /proc/self/ns/$n) = $(readlink /proc/1/ns/$n) ] || echo other $n; done; cat /proc/1/comm; exit 3",
    ]);
    let mut privileged = exec(&["sh", "-c", "grep -E 'CapEff|Seccomp:|NoNew' /proc/self/status | tr -d '\\n\\t'"]);
    privileged.privileged = true;
    let result = place.run_with(&[other, inside, privileged]);
    assert_eq!(result.failure.map(|f| f.chain), None);
    let [other, inside, privileged] = &result.execs[..] else { panic!("three sessions") };
    assert_eq!(other.failure.as_ref().map(|f| &f.chain), None);
    assert!(other.out.starts_with("1000\n100 10\n/tmp\n1 2 /home/ann\nbox\n"), "{}{}", other.out, other.err);
    assert!(other.out.ends_with("CapBnd:00000000800405fbNoNewPrivs:1Seccomp:2"), "{}", other.out);
    assert_eq!((inside.code, inside.out.as_str()), (3, "sleep\n"), "{}", inside.err);
    let all = teu::sys::confine::permitted().unwrap();
    assert!(privileged.out.contains("NoNewPrivs:0Seccomp:0"), "{}", privileged.out);
    assert!(privileged.out.contains(&format!("CapEff:{all:016x}")), "{}", privileged.out);
}

#[test]
fn sessions_have_terminals_and_find_shells() {
    let mut place = Place::sh("sleep 1000");
    let mut shell = exec(&[]);
    shell.tty = true;
    shell.size = Some((100, 30));
    place.input = "tty; stty size; echo $0 $TERM; exit 5\n".into();
    let result = place.run_with(&[shell]);
    let session = &result.execs[0];
    assert_eq!(session.failure.as_ref().map(|f| &f.chain), None);
    let text = session.out.replace('\r', "");
    assert!(text.contains("/dev/pts/0\n30 100\n/bin/sh xterm-256color\n"), "{text}");
    assert_eq!(session.code, 5);
}

#[test]
fn sessions_that_cannot_be() {
    let place = Place::sh("sleep 1000");
    let mut ghost = exec(&["true"]);
    ghost.user = Some("ghost".into());
    let result = place.run_with(&[exec(&["nope"]), exec(&["/etc"]), ghost]);
    let kinds: Vec<_> = result.execs.iter().map(|e| e.failure.as_ref().unwrap().kind).collect();
    use FailureKind::{CommandNotExecutable, CommandNotFound, Invalid};
    assert_eq!(kinds, [CommandNotFound, CommandNotExecutable, Invalid]);
    // The container lived on until it was killed.
    assert_eq!(result.code, 137);
}
