//! What people are told when the machine, their settings or another user's files are in the way: the true reason, once.

use crate::needs;
use crate::support::{StateRoot, needs as probes, program};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

const STARTER: &str = "localhost/starter";

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn a_pull_that_fails_names_the_image_once() {
    let root = StateRoot::new();
    let answer = root.teu(&["pull", "127.0.0.1:1/some/image:tag"]).exits(1);
    let first = answer.stderr.lines().find(|line| line.starts_with("teu: ")).unwrap();
    assert_eq!(count(first, "127.0.0.1:1/some/image:tag"), 1, "{first}");
    assert!(first.starts_with("teu: pulling 127.0.0.1:1/some/image:tag: no usable answer"), "{first}");
    needs!(Registry);
    let missing = crate::support::image::name().replace(":latest", ":nosuch");
    let answer = root.teu(&["pull", &missing]).exits(1);
    let first = answer.stderr.lines().find(|line| line.starts_with("teu: ")).unwrap();
    assert_eq!(count(first, &missing), 1, "{first}");
}

#[test]
fn a_read_only_data_directory_is_not_called_a_refusal_of_overlay() {
    needs!(Root);
    let root = StateRoot::new();
    let (teu, dir) = (program::binary(), root.path().display().to_string());
    let script =
        "mount -t tmpfs none $1 && $0 --root $1 images -q && mount -o remount,ro $1 && exec $0 --root $1 doctor";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script]).arg(teu).arg(&dir);
    let answer = program::finish(&mut command).exits(1);
    let line = answer.stdout.lines().find(|l| l.contains("data directory")).unwrap();
    assert!(line.starts_with("FAIL") && line.contains("Read-only file system"), "{}", answer.stdout);
    assert!(!answer.stdout.contains("refused"), "{}", answer.stdout);
}

#[test]
fn another_user_s_directory_is_not_used() {
    needs!(Root);
    let root = StateRoot::new();
    let other = root.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::os::unix::fs::chown(&other, Some(12345), None).unwrap();
    let teu = |dir: &std::path::Path| program::run(dir, &["ps"]);
    let answer = teu(&other).exits(125);
    assert!(answer.stderr.contains("it belongs to uid 12345, not to us (uid 0)"), "{}", answer.stderr);
    assert!(answer.stderr.contains("hint: --root DIR"), "{}", answer.stderr);
    assert_eq!(std::fs::read_dir(&other).unwrap().count(), 0, "nothing is left in it");
    // Nor does somebody else's keep us out without a word on whose it is.
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "12345", "--regid", "12345", "--clear-groups"]).arg(program::binary());
    command.env("HOME", "/nonexistent").args(["--root", "/root/teu-not-ours", "ps"]);
    let answer = program::finish(&mut command);
    assert!(answer.code == 125 || answer.stderr.contains("setpriv: failed to execute"), "{}", answer.stderr);
    if answer.code == 125 {
        assert!(answer.stderr.contains("belongs to uid 0"), "{}", answer.stderr);
    }
}

/// Containers' environments are in the database, and the directory may have been made by somebody less careful.
#[test]
fn the_database_is_for_its_owner_alone() {
    let root = StateRoot::new();
    std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    root.teu(&["images", "-q"]).exits(0);
    for entry in std::fs::read_dir(root.path()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with("teu.db") {
            assert_eq!(entry.metadata().unwrap().mode() & 0o077, 0, "{entry:?}");
        }
    }
}

#[test]
fn the_host_is_named_only_where_it_can_be_reached() {
    needs!(Userns);
    let root = StateRoot::new();
    let run = |network: &str| {
        let name = "--add-host=up:host-gateway";
        root.teu(&["run", "--rm", "--network", network, name, STARTER, "grep", "-w", "up", "/etc/hosts"])
    };
    assert_eq!(run("host").exits(0).out(), "127.0.0.1\tup");
    let refused = run("none").exits(125);
    assert!(refused.stderr.contains("'up:host-gateway'"), "{}", refused.stderr);
    assert_eq!(root.teu(&["ps", "-aq"]).exits(0).stdout, "");
}

#[test]
fn stats_call_a_container_as_the_user_did() {
    needs!(Userns);
    let root = StateRoot::new();
    let id = root.teu(&["run", "-d", "--name", "box", "--network", "none", STARTER, "sleep", "600"]).exits(0);
    let id = id.out();
    let stats = |names: &[&str]| {
        let args = [&["stats", "--no-stream", "--format", "{{.Container}} {{.ID}} {{.Name}}"], names].concat();
        root.teu(&args).exits(0).out().to_owned()
    };
    let short = &id[..12];
    assert_eq!(stats(&[]), format!("{short} {short} box"));
    assert_eq!(stats(&["box"]), format!("box {short} box"));
    assert_eq!(stats(&[&id[..5]]), format!("{} {short} box", &id[..5]));
    assert_eq!(stats(&[id]), format!("{id} {short} box"));
}

#[test]
fn a_mistake_in_the_settings_is_told_by_every_command_once_and_by_the_doctor() {
    if probes::is_root() {
        return; // Root's settings are this machine's own file.
    }
    let root = StateRoot::new();
    let user = root.path().join("config");
    std::fs::create_dir_all(user.join("teu")).unwrap();
    std::fs::write(user.join("teu/config.toml"), "\n\nmuose = true\n").unwrap();
    let teu = |args: &[&str]| {
        let mut command = root.command();
        program::finish(command.env("XDG_CONFIG_HOME", &user).args(args))
    };
    let answer = teu(&["images", "-q"]).exits(0);
    assert_eq!((answer.stdout.as_str(), count(&answer.stderr, "config.toml line 3")), ("", 1), "{}", answer.stderr);
    let doctor = teu(&["doctor"]);
    assert_eq!(count(&doctor.stdout, "config.toml line 3"), 1, "{}", doctor.stdout);
    assert_eq!(doctor.stderr, "");
}
