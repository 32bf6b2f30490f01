//! `--init`, `--group-add`, `--volumes-from`, `--label-file`, `--annotation`.

use super::{out, refused};
use crate::needs;
use crate::support::{StateRoot, image, leaks, needs as probes};
use serde_json::json;
use std::process::Command;

#[test]
fn process_1_is_an_init_by_name() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let script = "cat /proc/1/comm; echo $$; (sleep 0.01 &); exit 7";
    let answer = super::run(&root, &["--init"], script).exits(7);
    let lines: Vec<&str> = answer.stdout.lines().collect();
    assert_eq!(lines[0], "teu-init");
    assert_ne!(lines[1], "1");
    assert_eq!(out(&root, &[], "cat /proc/1/comm"), "cat\n");
}

#[test]
fn groups_by_name_by_number_or_the_caller_s() {
    needs!(Registry, Userns, SubIds);
    let root = StateRoot::with_image();
    assert_eq!(out(&root, &["--group-add", "extra", "--group-add", "1234"], "id -G"), "0 1234 2000\n");
    refused(&root, &["--group-add", "no-such-group"], "no-such-group");
    refused(&root, &["--group-add", "keep-groups", "--group-add", "1"], "together with other groups");
    // As many as whoever runs this has; an ordinary user's are nobody's in the container.
    let own = Command::new("id").arg("-G").output().unwrap().stdout;
    let own: Vec<String> = String::from_utf8(own).unwrap().split_whitespace().map(str::to_owned).collect();
    let kept = out(&root, &["--group-add", "keep-groups"], "grep Groups: /proc/self/status | cut -f 2");
    if probes::is_root() {
        let mut kept: Vec<&str> = kept.split_whitespace().collect();
        kept.retain(|group| !own.iter().any(|o| o == group));
        assert!(kept.is_empty(), "{kept:?} of {own:?}");
    } else {
        assert_eq!(kept.split_whitespace().count(), supplementary(), "{kept}");
    }
    assert_eq!(out(&root, &[], "id -G"), "0\n");
}

fn supplementary() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find_map(|l| l.strip_prefix("Groups:")).unwrap().split_whitespace().count()
}

#[test]
fn mounts_of_another_container() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let shared = root.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    let bind = format!("{}:/bound", shared.display());
    let image = image::name();
    let first = ["create", "--name", "first", "-v", &bind, "-v", "/anonymous", "-v", "named:/named", &image, "true"];
    root.teu(&first).exits(0);
    let write = "for d in bound anonymous named; do echo $d > /$d/file; done";
    out(&root, &["--volumes-from", "first"], write);
    let read = "cat /bound/file /anonymous/file /named/file; touch /named/x 2>/dev/null || echo sealed";
    assert_eq!(out(&root, &["--volumes-from", "first:ro"], read), "bound\nanonymous\nnamed\nsealed\n");
    // What one mounts oneself comes first.
    let own = ["--volumes-from", "first", "--tmpfs", "/named"];
    assert_eq!(out(&root, &own, "ls /named; cat /anonymous/file"), "anonymous\n");
    // A container that has the other's anonymous volume keeps it alive.
    root.run_detached("second", &["--volumes-from", "first"], &["sleep", "600"]);
    let id = root.inspect("first")["Id"].as_str().unwrap().to_owned();
    assert_eq!(root.inspect("second")["HostConfig"]["VolumesFrom"], json!([id]));
    root.teu(&["rm", "-v", "first"]).exits(0);
    assert_eq!(root.teu(&["exec", "second", "cat", "/anonymous/file"]).exits(0).stdout, "anonymous\n");
    root.teu(&["rm", "-f", "second"]).exits(0);
    refused(&root, &["--volumes-from", "nobody"], "nobody");
    refused(&root, &["--volumes-from", "a:x"], "ro|rw");
    leaks::assert_none(root.path());
}

#[test]
fn notes_on_a_container() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let file = root.path().join("labels");
    std::fs::write(&file, "# a note\n\nfrom=file\nboth=file\nbare\n").unwrap();
    let file = file.display().to_string();
    let options = ["--label-file", &file, "--label", "both=flag", "--annotation", "org.example.note=1"];
    root.run_detached("box", &options, &["sleep", "600"]);
    let shown = root.inspect("box");
    assert_eq!(shown["Config"]["Labels"], json!({"from": "file", "both": "flag", "bare": ""}));
    assert_eq!(shown["HostConfig"]["Annotations"], json!({"org.example.note": "1"}));
    refused_file(&root, "/not/there");
}

fn refused_file(root: &StateRoot, path: &str) {
    let answer = super::run(root, &["--label-file", path], "true").exits(125);
    assert!(answer.stderr.contains(path), "{}", answer.stderr);
}

#[test]
fn a_killed_container_is_dead_when_kill_is_back() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    for name in ["one", "two", "three"] {
        root.run_detached(name, &["--restart", "always"], &["sleep", "600"]);
    }
    root.teu(&["kill", "one", "two", "three"]).exits(0);
    root.teu(&["rm", "one", "two", "three"]).exits(0);
    leaks::assert_none(root.path());
}

#[test]
fn words_of_docker_s_and_podman_s_that_scripts_use() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    assert_eq!(out(&root, &["--hostname", ""], "hostname | wc -c"), "13\n", "the usual name");
    let image = image::name();
    let json = ["run", "--rm", "--network", "none", "--entrypoint", r#"["echo","a"]"#, &image, "b"];
    assert_eq!(root.teu(&json).exits(0).stdout, "a b\n");
    let dropped = out(&root, &["--cap-drop", "chown,kill"], "grep CapBnd /proc/self/status | cut -f 2");
    let dropped = u64::from_str_radix(dropped.trim(), 16).unwrap();
    assert_eq!((dropped & 1, dropped >> 5 & 1, dropped >> 6 & 1), (0, 0, 1), "{dropped:x}");
    refused(&root, &["--security-opt", "no-new-privileges=maybe"], "true or false");
    refused(&root, &["--security-opt", "seccomp="], "a profile's file");
    refused(&root, &["--sysctl", "kernel.hostname=x"], "--hostname does it");
    let lost = super::run(&root, &["--cgroup-parent", "/teu-test-parent"], "true").exits(0);
    let said = lost.stderr.contains("cgroup parent /teu-test-parent not applied");
    assert_eq!(said, probes::lacking(probes::Need::Cgroup).is_some(), "{}", lost.stderr);
}
