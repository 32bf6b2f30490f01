//! Descriptors and directories of the host that a container's process could be left with.

use crate::needs;
use crate::oci::bundle::Bundle;
use crate::runtime::{Place, driver::LEAKED, exec, output};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use teu::runtime::protocol::FailureKind;

/// The runtime's command with the host's root directory open as number 9, which it did not ask for.
fn with_leak(bundle: &Bundle, args: &[&str]) -> Command {
    let inner = bundle.command(args);
    let mut command = Command::new("sh");
    command.args(["-c", "exec 9</; exec \"$0\" \"$@\""]).arg(inner.get_program()).args(inner.get_args());
    command.stdin(Stdio::null()).env_remove("XDG_RUNTIME_DIR");
    command
}

fn create(bundle: &Bundle) -> bool {
    bundle.write();
    let out = fs::File::create(bundle.dir.join("out")).unwrap();
    let mut command = with_leak(bundle, &["create", "-b", bundle.dir.to_str().unwrap(), &bundle.id]);
    command.stdout(out.try_clone().unwrap()).stderr(out).status().unwrap().success()
}

#[test]
fn cve_2024_21626_nothing_of_the_host_is_open_inside() {
    needs!(Userns);
    // The number after the standard streams is the listing's own.
    let list = "ls /proc/self/fd | tr '\\n' ' '";
    assert_eq!(output(&Place::sh(list)), "0 1 2 3 ");
    let sessions = Place::new(&["sleep", "1000"]).run_with(&[exec(&["sh", "-c", list])]);
    assert_eq!(sessions.execs[0].out, "0 1 2 3 ", "{sessions:?}");

    let bundle = Bundle::new("echo /proc/self/fd/*; sleep 1000");
    assert!(create(&bundle), "{}", bundle.out());
    bundle.on(&["start"]).exits(0);
    let answer =
        crate::support::program::finish(&mut with_leak(&bundle, &["exec", &bundle.id, "ls", "/proc/self/fd"])).exits(0);
    assert_eq!(answer.stdout, "0\n1\n2\n3\n");
    crate::support::wait_until("the first list", || bundle.out().contains('\n').then_some(()));
    assert!(!bundle.out().contains("/9"), "{}", bundle.out());
}

#[test]
fn cve_2024_21626_working_directories_stay_inside() {
    needs!(Userns);
    let leaked = format!("/proc/self/fd/{LEAKED}");
    for directory in [leaked.clone(), format!("{leaked}/etc"), "/lure".to_owned()] {
        let mut place = Place::sh("pwd");
        symlink(&leaked, place.root().join("lure")).unwrap();
        place.config.workdir = directory.clone();
        let result = place.run();
        assert!(result.failure.is_some(), "{directory}: {result:?}");
        place.config.workdir = "/".into();
        place.config.args = vec!["sleep".into(), "1000".into()];
        let mut session = exec(&["sh", "-c", "ls"]);
        session.workdir = Some(directory.clone());
        let result = place.run_with(&[session.clone()]);
        // What leaked is closed before anything can be found by its number.
        let failure = result.execs[0].failure.as_ref();
        assert!(failure.is_some_and(|f| f.kind == FailureKind::CommandNotFound), "{directory}: {result:?}");
        session.workdir = Some("/proc/self/cwd".into());
        let result = place.run_with(&[session]);
        assert!(result.execs[0].failure.is_none() && result.execs[0].out.contains("lure"), "{result:?}");
    }
    for directory in ["/proc/self/fd/9", "/proc/self/fd/9/etc", "/lure"] {
        let mut bundle = Bundle::new("pwd");
        symlink("/proc/self/fd/9", bundle.dir.join("rootfs/lure")).unwrap();
        bundle.config["process"]["cwd"] = json!(directory);
        assert!(!create(&bundle), "{directory}");
        bundle.assert_gone();
        bundle.config["process"]["cwd"] = json!("/");
        bundle.config["process"]["args"] = json!(["sleep", "1000"]);
        assert!(create(&bundle), "{}", bundle.out());
        bundle.on(&["start"]).exits(0);
        let mut exec = with_leak(&bundle, &["exec", "--cwd", directory, &bundle.id, "ls"]);
        let answer = crate::support::program::finish(&mut exec).exits(255);
        assert!(answer.stderr.contains("no such file or directory"), "{directory}: {}", answer.stderr);
        let own = bundle.call(&["exec", "--cwd", "/proc/self/cwd", &bundle.id, "ls"]).exits(0);
        assert!(own.stdout.contains("lure"), "{}", own.stdout);
    }
}
