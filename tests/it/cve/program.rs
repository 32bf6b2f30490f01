//! The runtime's own program, which a container must not reach.

use crate::needs;
use crate::oci::bundle::Bundle;
use crate::runtime::{Place, exec};
use crate::support::program::Running;
use crate::support::{StateRoot, leaks, wait_until};
use std::fs;
use std::os::unix::fs::symlink;

/// CVE-2019-5736: the command, a script's interpreter, or a program's loader is the runtime itself.
#[test]
fn cve_2019_5736_the_runtime_is_not_run_inside() {
    let place = Place::new(&["/proc/self/exe"]);
    let failure = place.run().failure.expect("a refusal");
    assert!(failure.chain[0].contains("leads to the program that starts containers"), "{failure:?}");
    let script = |args: &[&str]| {
        use std::os::unix::fs::PermissionsExt;
        let place = Place::new(args);
        let path = place.root().join("bin/trap");
        fs::write(&path, "#!/proc/self/exe\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        symlink("trap", place.root().join("bin/lure")).unwrap();
        place
    };
    assert!(script(&["lure"]).run().failure.is_some());
    let result = script(&["sleep", "1000"]).run_with(&[exec(&["trap"]), exec(&["/proc/self/exe"])]);
    assert!(result.execs.iter().all(|e| e.failure.is_some()), "{result:?}");
}

/// The same, with the measure that holds whatever leaks: a program started through its sealed view cannot be written
/// by any descriptor of it, by root neither.
#[test]
fn cve_2019_5736_a_sealed_program_cannot_be_written() {
    use std::os::unix::process::CommandExt;
    let place = Place::sh("true");
    let busybox = place.root().join("bin/busybox");
    let held = teu::sys::program::Sealed::new(&busybox).unwrap();
    let before = (fs::read(&busybox).unwrap(), fs::metadata(&busybox).unwrap().permissions());
    // While it runs some kernels say "text file busy" first; by what it leaves behind in another program it is writable again.
    let leaked = "echo x >> /proc/self/fd/3; echo x > /proc/self/fd/3; chmod 777 /proc/self/fd/3";
    let try_it = format!(
        "exec 3< /proc/self/exe; echo x >> /proc/self/exe; chmod 777 /proc/self/exe; exec /bin/sh -c '{leaked}'"
    );
    let answer = std::process::Command::new(held.name()).arg0("sh").args(["-c", &try_it]).output().unwrap();
    drop(held);
    let words = String::from_utf8(answer.stderr).unwrap();
    assert!(words.matches("Read-only file system").count() >= 4, "{words}");
    assert_eq!(words.lines().count(), 5, "{words}");
    assert_eq!((fs::read(&busybox).unwrap(), fs::metadata(&busybox).unwrap().permissions()), before);
}

/// The same, by looking at a session's process from inside before it has become its command.
#[test]
fn cve_2019_5736_the_runtime_is_not_seen_inside() {
    let place = Place::sh(
        "while :; do for p in /proc/[0-9]*; do case $(readlink $p/exe) in *busybox|'') ;; *) readlink $p/exe;; esac; done; done",
    );
    let sessions: Vec<_> = (0..20).map(|_| exec(&["true"])).collect();
    let result = place.run_with(&sessions);
    assert!(result.execs.iter().all(|e| e.failure.is_none() && e.code == 0), "{result:?}");
    assert_eq!(result.out, "");
}

/// The same, for every program that ever runs in sight of a container: monitors, and the runtime's own commands.
#[test]
fn cve_2019_5736_every_program_of_the_runtime_is_sealed() {
    needs!(Root, Registry);
    // Changing nothing is refused on a read-only mount and nowhere else.
    let sealed = |pid: &str| {
        let exe = format!("/proc/{pid}/exe");
        let permissions = fs::metadata(&exe).unwrap().permissions();
        fs::set_permissions(&exe, permissions).is_err_and(|e| e.kind() == std::io::ErrorKind::ReadOnlyFilesystem)
    };
    let root = StateRoot::with_image();
    root.run_detached("box", &[], &["sleep", "1000"]);
    let mut monitors = leaks::processes(root.path());
    monitors
        .retain(|pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("__monitor")));
    assert!(!monitors.is_empty());
    for pid in monitors {
        assert!(sealed(&pid.to_string()), "monitor {pid}");
    }
    let bundle = Bundle::new("sleep 1000");
    bundle.create().exits(0);
    let init = bundle.state()["pid"].to_string();
    assert!(sealed(&init), "the first process before its program");
    bundle.on(&["start"]).exits(0);
    let mut session =
        Running(bundle.command(&["exec", &bundle.id, "sh", "-c", ": >/ran; sleep 1000"]).spawn().unwrap());
    wait_until("the session runs", || bundle.dir.join("rootfs/ran").exists().then_some(()));
    assert!(sealed(&session.0.id().to_string()), "exec");
    bundle.on(&["delete", "--force"]).exits(0);
    session.0.wait().unwrap();
}
