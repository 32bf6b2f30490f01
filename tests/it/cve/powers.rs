//! Capabilities, groups, and what of the kernel's control groups is in reach.

use crate::needs;
use crate::oci::bundle::Bundle;
use crate::runtime::{Place, exec, output};
use crate::support::program::finish;
use std::fs::File;
use std::process::{Command, Stdio};

/// The runtime's command, called by somebody with more than it should give on.
fn by(caller: &[&str], bundle: &Bundle, args: &[&str]) -> Command {
    let inner = bundle.command(args);
    let mut command = Command::new(caller[0]);
    command.args(&caller[1..]).arg(inner.get_program()).args(inner.get_args());
    command.stdin(Stdio::null()).env_remove("XDG_RUNTIME_DIR");
    command
}

/// Runs the bundle for good and asks a further process, too: what both say.
fn both(caller: &[&str], script: &str) -> [String; 2] {
    let bundle = Bundle::new(&format!("{script}; sleep 1000"));
    bundle.write();
    let out = File::create(bundle.dir.join("out")).unwrap();
    let mut create = by(caller, &bundle, &["create", "-b", bundle.dir.to_str().unwrap(), &bundle.id]);
    assert!(create.stdout(out.try_clone().unwrap()).stderr(out).status().unwrap().success(), "{}", bundle.out());
    bundle.on(&["start"]).exits(0);
    let second = finish(&mut by(caller, &bundle, &["exec", &bundle.id, "sh", "-c", script])).exits(0).stdout;
    let lines = second.lines().count();
    crate::support::wait_until("the first one's lines", || (bundle.out().lines().count() == lines).then_some(()));
    [bundle.out(), second]
}

/// CVE-2022-29162 (runc), CVE-2022-24769 (moby), CVE-2022-27649 (podman): inheritable capabilities of the caller's.
#[test]
fn cve_2022_29162_nothing_is_inheritable() {
    needs!(Root);
    let caller = ["setpriv", "--inh-caps", "+kill,+chown,+sys_chroot", "--ambient-caps", "+kill,+chown"];
    let script = "grep -E 'Cap(Inh|Amb)' /proc/self/status";
    let none = "CapInh:\t0000000000000000\nCapAmb:\t0000000000000000\n";
    let place = |args: &[&str]| {
        let mut place = Place::new(args);
        place.wrap = caller.to_vec();
        place
    };
    for user in ["", "ann"] {
        let mut one = place(&["sh", "-c", script]);
        one.config.user = user.into();
        assert_eq!(output(&one), none, "user '{user}'");
        let mut session = exec(&["sh", "-c", script]);
        session.user = Some(user.into()).filter(|u: &String| !u.is_empty());
        let result = place(&["sleep", "1000"]).run_with(&[session]);
        assert_eq!(result.execs[0].out, none, "{result:?}");
    }
    assert_eq!(both(&caller, script), [none, none]);
}

/// CVE-2022-36109 (moby), CVE-2023-25173 (containerd): exactly the user's groups, with its own one, and none of the
/// caller's.
#[test]
fn cve_2022_36109_groups_are_exactly_the_user_s() {
    needs!(Root);
    let caller = ["setpriv", "--groups", "4,24"];
    let script = "grep Groups: /proc/self/status | tr -d ' \\t'";
    for (user, groups) in [
        ("", "Groups:0\n"),
        ("ann", "Groups:10100\n"),
        ("ann:users", "Groups:100\n"),
        ("1234", "Groups:0\n"),
        ("1234:77", "Groups:77\n"),
    ] {
        let mut place = Place::sh(script);
        place.wrap = caller.to_vec();
        place.config.user = user.into();
        assert_eq!(output(&place), groups, "user '{user}'");
        let mut place = Place::new(&["sleep", "1000"]);
        place.wrap = caller.to_vec();
        let mut session = exec(&["sh", "-c", script]);
        session.user = Some(user.into());
        let result = place.run_with(&[session]);
        assert_eq!(result.execs[0].out, groups, "session of '{user}': {result:?}");
    }
    assert_eq!(both(&caller, script), ["Groups:\n", "Groups:\n"]);
}

/// CVE-2022-0492: a release agent is a program that the kernel runs outside. None can be set, and no hierarchy be had in
/// which one could.
#[test]
fn cve_2022_0492_release_agents_are_out_of_reach() {
    needs!(Userns);
    let script = "for f in $(find /sys/fs/cgroup -name release_agent -o -name notify_on_release 2>/dev/null); do \
        (echo 1 > $f) 2>/dev/null && echo wrote $f; done; \
        for way in 'mount -t cgroup -o rdma x /tmp' 'mount -t cgroup x /tmp' 'mount -t cgroup2 x /tmp' \
        'mount -o remount,rw /sys/fs/cgroup' 'unshare -m true' 'unshare -Ur true' 'unshare -C true'; do \
        $way 2>/dev/null && echo did $way; done; \
        cat /proc/self/cgroup | grep -v ':/$'; true";
    assert_eq!(
        output(&Place::sh(script)),
        "",
        "its group is the root of what it sees, and nothing there can be written"
    );
    let place = Place::new(&["sleep", "1000"]);
    let result = place.run_with(&[exec(&["sh", "-c", script])]);
    assert_eq!(result.execs[0].out, "", "{result:?}");
}
