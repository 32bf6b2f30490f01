//! `--device` and `--device-cgroup-rule`: nodes of the host, and what may be done with them.

use super::{out, refused, run};
use crate::needs;
use crate::support::{StateRoot, leaks, needs as probes};

#[test]
fn a_device_is_where_it_was_asked_for() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let device = ["--device", "/dev/zero:/dev/mine", "--device", "/dev/zero:/opt/deep/zero:rw"];
    let script =
        "stat -c '%F %t:%T' /dev/mine /opt/deep/zero; head -c 3 /dev/mine | wc -c; head -c 2 /opt/deep/zero | wc -c";
    let text = out(&root, &device, script);
    assert_eq!(text, "character special file 1:5\ncharacter special file 1:5\n3\n2\n");
    root.run_detached("box", &device, &["sleep", "600"]);
    let listed = root.inspect("box")["HostConfig"]["Devices"].clone();
    assert_eq!(listed[0]["PathOnHost"], "/dev/zero");
    assert_eq!(listed[0]["PathInContainer"], "/dev/mine");
    assert_eq!(listed[1]["CgroupPermissions"], "rw");
    root.teu(&["rm", "-f", "box"]).exits(0);
    leaks::assert_none(root.path());
}

#[test]
fn what_is_no_device_is_refused() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    refused(&root, &["--device", "/dev/nothing-here"], "/dev/nothing-here");
    refused(&root, &["--device", "/etc/passwd"], "not a device node");
    refused(&root, &["--device", "null"], "absolute path");
    refused(&root, &["--device", "/dev/null:/dev/pts/7"], "a file system of its own");
    refused(&root, &["--device", "/dev/null:/dev/x:q"], "no access");
    refused(&root, &["--device", "vendor.com/gpu=all"], "not supported");
    refused(&root, &["--device-cgroup-rule", "c 1:3"], "it must be KIND");
    if !probes::is_root() {
        refused(&root, &["--device-cgroup-rule", "c 1:3 rwm"], "need root");
        // A node only root may open.
        if let Some(closed) = ["/dev/fuse", "/dev/mem", "/dev/loop-control", "/dev/kmsg"].iter().find(|d| closed(d)) {
            refused(&root, &["--device", closed], "denied");
        }
    }
}

fn closed(path: &str) -> bool {
    let opened = std::fs::File::options().read(true).write(true).open(path);
    opened.is_err_and(|e| e.kind() == std::io::ErrorKind::PermissionDenied)
}

#[test]
fn the_access_is_the_one_that_was_given() {
    needs!(Registry, Root, Cgroup);
    let root = StateRoot::with_image();
    // No container has it by itself; its number is the same everywhere. The kernel's log wants a power, too.
    const KMSG: &str = "/dev/kmsg";
    let try_both = "(: < /dev/kmsg) 2>/dev/null && echo reads; (: >> /dev/kmsg) 2>/dev/null && echo writes; true";
    let answers = |access: &str| {
        let device = format!("{KMSG}:{KMSG}:{access}");
        out(&root, &["--cap-add", "syslog", "--device", &device], try_both)
    };
    assert_eq!(answers("rw"), "reads\nwrites\n");
    assert_eq!(answers("r"), "reads\n");
    assert_eq!(answers("w"), "writes\n");
    // A node of one's own making is no way around it, but by a rule.
    let make = "mknod /tmp/k c 1 11; (: < /tmp/k) 2>/dev/null && echo reads; true";
    let made = |rules: &[&str]| {
        let mut options = vec!["--cap-add", "mknod", "--cap-add", "syslog"];
        options.extend(rules.iter().flat_map(|rule| ["--device-cgroup-rule", rule]));
        out(&root, &options, make)
    };
    assert_eq!(made(&[]), "");
    assert_eq!(made(&["c 1:11 rwm"]), "reads\n");
    assert_eq!(made(&["c 1:* r"]), "reads\n");
    assert_eq!(made(&["b *:* rwm"]), "");
    assert_eq!(out(&root, &["--privileged"], "ls /dev/kmsg; (: < /dev/kmsg) && echo reads"), "/dev/kmsg\nreads\n");
    assert_eq!(run(&root, &[], "ls /dev/kmsg").exits(1).stdout, "");
    root.run_detached("box", &["--device-cgroup-rule", "c 1:11 rwm"], &["sleep", "600"]);
    assert_eq!(root.inspect("box")["HostConfig"]["DeviceCgroupRules"][0], "c 1:11 rwm");
}
