//! What differs for an ordinary user: ids, sub-ids, delegation, and clear words where something cannot be had.

use crate::needs;
use crate::support::{StateRoot, image, leaks, needs as probes, program};
use std::fs;
use std::os::unix::fs::MetadataExt;

#[test]
fn a_user_is_root_inside_and_himself_outside() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let shared = root.path().join("shared");
    fs::create_dir(&shared).unwrap();
    let volume = format!("{}:/shared", shared.display());
    let image = image::name();
    let script = "id -u; echo hi > /shared/made; stat -c %u /shared/made";
    let answer = root.teu(&["run", "--rm", "--network", "none", "-v", &volume, &image, "sh", "-c", script]).exits(0);
    assert_eq!(answer.stdout, "0\n0\n");
    let made = fs::metadata(shared.join("made")).unwrap();
    assert_eq!(made.uid(), fs::metadata("/proc/self").unwrap().uid());
}

#[test]
fn names_from_the_image_become_ids() {
    needs!(Registry, Userns, SubIds);
    let root = StateRoot::with_image();
    let image = image::name();
    let run = |user: &str| {
        root.teu(&["run", "--rm", "--network", "none", "--user", user, &image, "sh", "-c", "id -u; id -g; id -G"])
    };
    assert_eq!(run("app").exits(0).stdout, "1000\n1000\n1000 2000\n");
    assert_eq!(run("app:extra").exits(0).stdout.lines().nth(1), Some("2000"));
    assert_eq!(run("1234").exits(0).stdout.lines().next(), Some("1234"));
    let unknown = run("nobody-here").exits(125);
    assert!(unknown.stderr.contains("nobody-here"), "{}", unknown.stderr);
    let chown =
        root.teu(&["run", "--rm", "--network", "none", &image, "sh", "-c", "touch /f; chown 1000 /f; stat -c %u /f"]);
    assert_eq!(chown.exits(0).stdout, "1000\n");
}

#[test]
fn without_sub_ids_one_id_must_do() {
    needs!(Registry, User, Userns);
    let root = StateRoot::new();
    let image = image::name();
    // A PATH without newuidmap.
    let bin = root.path().join("bin");
    fs::create_dir(&bin).unwrap();
    for name in ["sh", "true"] {
        std::os::unix::fs::symlink(format!("/bin/{name}"), bin.join(name)).unwrap();
    }
    let mut command = root.command();
    command.env("PATH", &bin).args(["run", "--rm", "--network", "none", &image, "id", "-u"]);
    assert_eq!(program::finish(&mut command).exits(0).stdout.trim(), "0");
    let mut command = root.command();
    command.env("PATH", &bin).args(["run", "--rm", "--network", "none", "--group-add", "5", &image, "id", "-G"]);
    let answer = program::finish(&mut command).exits(0);
    // Groups of the user's own cannot be given up there.
    assert!(answer.stdout.split_whitespace().all(|id| matches!(id, "0" | "65534")), "{}", answer.stdout);
    assert!(answer.stderr.contains("--group-add not applied"), "{}", answer.stderr);
    let mut doctor = root.command();
    let words = program::finish(doctor.env("PATH", &bin).arg("doctor"));
    let text = format!("{}{}", words.stdout, words.stderr);
    assert!(text.contains("newuidmap"), "the doctor names what is missing:\n{text}");
}

#[test]
fn the_doctor_has_its_list_where_there_are_no_user_namespaces() {
    needs!(Userns);
    let root = StateRoot::new();
    let switched_off = "echo 0 >/proc/sys/user/max_user_namespaces; exec \"$@\"";
    let mut command = std::process::Command::new("unshare");
    command.args(["-U", "--map-user=1000", "--keep-caps", "sh", "-c", switched_off, "sh"]).arg(program::binary());
    command.arg("--root").arg(root.path()).env_remove("XDG_RUNTIME_DIR");
    let answer = program::finish(command.arg("doctor")).exits(1);
    for part in ["FAIL user namespaces", "mend: sysctl user.max_user_namespaces=", "ok   seccomp", "open files"] {
        assert!(answer.stdout.contains(part), "{part}: {}{}", answer.stdout, answer.stderr);
    }
}

#[test]
fn a_limit_that_cannot_be_had_is_said_not_swallowed() {
    needs!(Registry, User, Userns);
    if probes::lacking(probes::Need::Cgroup).is_none() {
        return; // Here it can be had: stats::limits_hold_and_are_shown.
    }
    let root = StateRoot::with_image();
    let image = image::name();
    let answer = root.teu(&["run", "--rm", "--network", "none", "-m", "64m", &image, "echo", "ran"]).exits(0);
    assert_eq!(answer.stdout, "ran\n");
    assert!(answer.stderr.contains("memory limit not applied"), "{}", answer.stderr);
}

#[test]
fn two_roots_do_not_see_each_other() {
    needs!(Registry, Userns);
    let (one, two) = (StateRoot::with_image(), StateRoot::new());
    one.run_detached("only-here", &[], &["sleep", "1000"]);
    assert_eq!(two.teu(&["ps", "-aq"]).exits(0).stdout, "");
    assert_eq!(two.teu(&["images", "-q"]).exits(0).stdout, "");
    two.teu(&["inspect", "only-here"]).exits(1);
    drop(two);
    assert_eq!(one.inspect("only-here")["State"]["Running"], true);
    one.teu(&["rm", "-f", "only-here"]).exits(0);
    leaks::assert_none(one.path());
}
