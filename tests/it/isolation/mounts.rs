//! Options of `-v` and `--mount`: docker's, and podman's beside them.

use super::{out, refused, run};
use crate::needs;
use crate::support::{StateRoot, leaks, needs as probes};
use std::os::unix::fs::PermissionsExt;

/// A directory of this user's with a program in it.
fn shared(root: &StateRoot) -> String {
    let dir = root.path().join("shared");
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("program"), "#!/bin/sh\necho runs\n").unwrap();
    std::fs::set_permissions(dir.join("program"), PermissionsExt::from_mode(0o755)).unwrap();
    dir.display().to_string()
}

#[test]
fn attributes_are_the_mount_s() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let dir = shared(&root);
    let script = "/v/program 2>/dev/null || echo refused; grep ' /v ' /proc/mounts | cut -d ' ' -f 4 | tr , '\\n' | \
                  grep -E '^no(suid|dev|exec)$'; true";
    assert_eq!(out(&root, &["-v", &format!("{dir}:/v")], script), "runs\n");
    let all = "refused\nnosuid\nnodev\nnoexec\n";
    assert_eq!(out(&root, &["-v", &format!("{dir}:/v:noexec,nodev,nosuid,z")], script), all);
    let long = format!("type=bind,src={dir},dst=/v,noexec,nodev,nosuid,relabel=shared");
    assert_eq!(out(&root, &["--mount", &long], script), all);
    assert_eq!(out(&root, &["-v", "data:/v:noexec"], "grep -c ' /v .*noexec' /proc/mounts"), "1\n");
    let mut detached = vec!["create", "--name", "box", "-v"];
    let bind = format!("{dir}:/v:ro,noexec");
    let image = crate::support::image::name();
    detached.extend([bind.as_str(), &image, "true"]);
    root.teu(&detached).exits(0);
    let shown = root.inspect("box");
    assert_eq!(shown["HostConfig"]["Binds"][0], bind.as_str());
    assert_eq!(shown["Mounts"][0]["Mode"], "ro,noexec");
    root.teu(&["rm", "box"]).exits(0);
    refused(&root, &["-v", &format!("{dir}:/v:O")], "not supported");
    refused(&root, &["-v", &format!("{dir}:/v:what")], "unknown option 'what'");
    leaks::assert_none(root.path());
}

#[test]
fn a_directory_is_given_to_the_container_s_user() {
    needs!(Registry, Userns, SubIds);
    let root = StateRoot::with_image();
    let dir = shared(&root);
    std::os::unix::fs::symlink("/etc/passwd", format!("{dir}/link")).unwrap();
    let script = "stat -c %u:%g /v /v/program /v/link /etc/passwd; touch /v/mine && rm /v/mine";
    let given = out(&root, &["-v", &format!("{dir}:/v:U"), "--user", "5:6"], script);
    assert_eq!(given, "5:6\n5:6\n5:6\n0:0\n");
    // The same for a volume, and back again.
    let volume = ["-v", "data:/v:U", "--user", "7:8"];
    assert_eq!(out(&root, &volume, "stat -c %u:%g /v"), "7:8\n");
    let long = format!("type=bind,src={dir},dst=/v,U=true");
    assert_eq!(out(&root, &["--mount", &long], "stat -c %u:%g /v /v/program"), "0:0\n0:0\n");
    refused(&root, &["-v", &format!("{dir}:/v:U,ro")], "read-only");
    refused(&root, &["-v", "/etc:/v:U"], "the machine's");
    // What is somebody else's cannot be given away.
    if !probes::is_root() {
        let answer = run(&root, &["-v", "/usr/share:/v:U"], "true").exits(125);
        assert!(answer.stderr.contains("giving /v to user 0:0"), "{}", answer.stderr);
    }
    leaks::assert_none(root.path());
}

#[test]
fn owners_are_mapped_where_there_is_a_map() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let dir = shared(&root);
    let bind = format!("{dir}:/v:idmap");
    refused(&root, &["-v", &bind], "--userns auto");
    if probes::is_root() {
        let owner = |bind: &str| out(&root, &["--userns", "auto", "-v", bind], "stat -c %u /v/program");
        assert_eq!(owner(&bind), "0\n");
        assert_eq!(owner(&format!("{dir}:/v")), "65534\n");
    } else if probes::lacking(probes::Need::SubIds).is_none() {
        refused(&root, &["--userns", "keep-id", "-v", &bind], "needs root");
    }
    leaks::assert_none(root.path());
}

#[test]
fn mounts_below_come_along_as_asked() {
    // An ordinary user may not look below the machine's mounts.
    needs!(Registry, Root);
    let root = StateRoot::with_image();
    let view = |options: &str| {
        let mount = format!("type=bind,src=/dev,dst=/d,{options}");
        out(&root, &["--mount", &mount], "grep ' /d/pts ' /proc/mounts | cut -d ' ' -f 4 | cut -c 1-2 | sort -u; true")
    };
    assert_eq!(view("ro"), "ro\n");
    assert_eq!(view("ro,bind-recursive=readonly"), "ro\n");
    assert_eq!(view("ro,bind-recursive=writable"), "rw\n");
    assert_eq!(view("bind-recursive=disabled"), "");
    assert_eq!(view("bind-nonrecursive"), "");
    assert_eq!(out(&root, &["-v", "/dev:/d:bind"], "grep ' /d/pts ' /proc/mounts; true"), "");
    refused(&root, &["--mount", "type=bind,src=/dev,dst=/d,bind-recursive=readonly"], "needs readonly");
    leaks::assert_none(root.path());
}
