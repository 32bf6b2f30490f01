//! `--userns`, `--uidmap`, `--gidmap`: whose ids a container's are.

use super::{out, refused, run};
use crate::needs;
use crate::support::host::on_own_host;
use crate::support::{StateRoot, image, leaks, needs as probes};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::MetadataExt;

const MAP: &str = "tr -s ' ' < /proc/self/uid_map | sed 's/^ //'";

/// A kernel or file system without id-mapped layers: `--userns auto` says so.
fn maps_here(root: &StateRoot) -> bool {
    let answer = run(root, &["--userns", "auto"], "true");
    if answer.code == 0 {
        return true;
    }
    assert!(answer.stderr.contains("cannot map ids"), "{}", answer.stderr);
    probes::skip("id-mapped mounts", "the file system cannot", module_path!(), line!());
    false
}

/// Of the container's files, as the host sees them.
fn upper(root: &StateRoot, name: &str) -> std::path::PathBuf {
    let shown: Value = root.inspect(name);
    shown["GraphDriver"]["Data"]["UpperDir"].as_str().unwrap().into()
}

#[test]
fn each_container_gets_ids_that_nobody_else_has() {
    needs!(Registry, Root);
    let root = StateRoot::with_image();
    if !maps_here(&root) {
        return;
    }
    let script = "touch /made /tmp/too; chown 5:6 /tmp/too; sleep 600";
    for name in ["one", "two"] {
        root.run_detached(name, &["--userns", "auto", "-v", "shared:/shared"], &["sh", "-c", script]);
    }
    let first = |name: &str| -> u32 {
        let line = root.inspect(name)["HostConfig"]["IDMappings"]["UidMap"][0].as_str().unwrap().to_owned();
        let parts: Vec<u32> = line.split(':').map(|n| n.parse().unwrap()).collect();
        assert_eq!((parts[0], parts[2]), (0, 65_536), "{line}");
        parts[1]
    };
    let (one, two) = (first("one"), first("two"));
    assert!(one.abs_diff(two) >= 65_536 && one >= 65_536, "{one} {two}");
    assert_eq!(root.inspect("one")["HostConfig"]["UsernsMode"], "auto");
    let exec = |name: &str, script: &str| root.teu(&["exec", name, "sh", "-c", script]).exits(0).stdout;
    assert_eq!(exec("one", MAP), format!("0 {one} 65536\n"));
    assert_eq!(
        exec("one", "id -u; stat -c %u:%g / /bin/sh /etc/passwd /made /tmp/too"),
        "0\n0:0\n0:0\n0:0\n0:0\n5:6\n"
    );
    // On the host the files are the mapped ids', the layers nobody's but root's.
    let made = fs::metadata(upper(&root, "one").join("made")).unwrap();
    assert_eq!((made.uid(), made.gid()), (one, one));
    assert_eq!(fs::metadata(upper(&root, "two").join("tmp/too")).unwrap().uid(), two + 5);
    assert_eq!(root.teu(&["diff", "one"]).exits(0).stdout, "A /made\nC /tmp\nA /tmp/too\n");
    // A volume is both containers': its owners are on disk as they are inside.
    exec("one", "touch /shared/file; chown 7 /shared/file");
    assert_eq!(exec("two", "stat -c %u /shared/file"), "7\n");
    assert_eq!(fs::metadata(root.path().join("volumes/shared/_data/file")).unwrap().uid(), 7);
    // And outside it is nobody.
    let host = exec("one", "cat /proc/1/status | grep ^Uid | cut -f 2");
    assert_eq!(host, "0\n");
    let pid = root.inspect("one")["State"]["Pid"].as_i64().unwrap();
    assert_eq!(fs::metadata(format!("/proc/{pid}")).unwrap().uid(), one);
    // Started again it has the same ids; removed, they are free.
    root.teu(&["restart", "-t", "0", "one"]).exits(0);
    assert_eq!(exec("one", "stat -c %u /made /tmp/too"), "0\n5\n");
    root.teu(&["rm", "-f", "one"]).exits(0);
    root.run_detached("three", &["--userns", "auto"], &["sleep", "600"]);
    assert_eq!(first("three"), one);
    root.teu(&["rm", "-f", "two", "three"]).exits(0);
    leaks::assert_none(root.path());
}

#[test]
fn a_container_s_root_rules_its_own_namespaces_and_no_others() {
    needs!(Registry, Root);
    let root = StateRoot::with_image();
    if !maps_here(&root) {
        return;
    }
    let powers = [
        "--userns",
        "auto",
        "--cap-add",
        "SYS_ADMIN",
        "--cap-add",
        "NET_ADMIN",
        "--security-opt",
        "seccomp=unconfined",
    ];
    let script =
        "hostname inside && hostname; mount -t tmpfs none /tmp && echo mounted; ip link set lo down && echo down";
    assert_eq!(out(&root, &powers, script), "inside\nmounted\ndown\n");
    // Files of root's on the host stay root's.
    let secret = root.path().join("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("key"), "k").unwrap();
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let bind = format!("{}:/secret", secret.display());
    let denied = run(&root, &["--userns", "auto", "-v", &bind], "cat /secret/key").exits(1);
    assert!(denied.stderr.contains("Permission denied"), "{}", denied.stderr);
    leaks::assert_none(root.path());
}

#[test]
fn a_map_of_one_s_own() {
    needs!(Registry, Root);
    let root = StateRoot::with_image();
    if !maps_here(&root) {
        return;
    }
    assert_eq!(out(&root, &["--userns", "0:300000:2000"], MAP), "0 300000 2000\n");
    let maps = ["--uidmap", "0:300000:1000", "--uidmap", "1000:500000:10", "--gidmap", "0:400000:3000"];
    let script =
        format!("{MAP}; head -n 1 /proc/self/gid_map | tr -s ' '; touch /home-of-app; stat -c %u /home-of-app; id -u");
    let all: Vec<&str> = maps.into_iter().chain(["--user", "1000:2000"]).collect();
    let answer = run(&root, &all, &script);
    assert!(answer.stdout.starts_with("0 300000 1000\n1000 500000 10\n 0 400000 3000\n"), "{}", answer.stdout);
    assert!(answer.stdout.ends_with("1000\n"), "{}", answer.stdout);
    for (bad, words) in [
        (&["--uidmap", "1:300000:10"][..], "id 0 must be mapped"),
        (&["--uidmap", "0:300000:10", "--uidmap", "5:400000:10"], "overlaps"),
        (&["--uidmap", "0:x:10"], "INSIDE:OUTSIDE"),
        (&["--uidmap", "0:4294967295:10"], "32 bits"),
        (&["--userns", "host", "--uidmap", "0:1:1"], "conflicting options"),
        (&["--userns", "what"], "it must be host"),
        (&["--userns", "auto:size=x"], "size=N"),
        (&["--userns", "nomap"], "not supported"),
        (&["--subuidname", "nobody-has-this-name"], "no range"),
        (&["--userns", "keep-id"], "for ordinary users"),
        (&["--userns", "auto", "--ipc", "container:x"], "x"),
    ] {
        refused(&root, bad, words);
    }
    // A user outside of the map is refused, and so are the ids of a small one.
    assert_eq!(out(&root, &["--userns", "auto:size=3000", "--user", "app"], "id -u"), "1000\n");
    let answer = run(&root, &["--userns", "auto:size=10", "--user", "app"], "true").exits(125);
    assert!(answer.stderr.contains("not mapped"), "{}", answer.stderr);
    leaks::assert_none(root.path());
}

#[test]
fn it_is_on_networks_like_any_other() {
    needs!(Registry, Root, Netns);
    on_own_host(|root, _| {
        if maps_here(root) {
            two_on_a_network(root);
        }
    });
}

fn two_on_a_network(root: &StateRoot) {
    let image = image::name();
    root.teu(&["network", "create", "wire"]).exits(0);
    let server = ["run", "-d", "--name", "server", "--network", "wire", "--userns", "auto", &image, "sh", "-c"];
    let script = "mkdir -p /www; echo served > /www/index.html; exec httpd -f -p 80 -h /www";
    let server: Vec<&str> = server.into_iter().chain([script]).collect();
    root.teu(&server).exits(0);
    let ask = "for i in $(seq 100); do wget -qO- http://server/ 2>/dev/null && exit; sleep 0.1; done; exit 1";
    let client = ["run", "--rm", "--network", "wire", "--userns", "auto", &image, "sh", "-c", ask];
    assert_eq!(root.teu(&client).exits(0).stdout, "served\n");
    root.teu(&["rm", "-f", "server"]).exits(0);
    root.teu(&["network", "rm", "wire"]).exits(0);
    leaks::assert_none(root.path());
}

#[test]
fn keep_id_is_oneself_inside() {
    needs!(Registry, User, Userns, SubIds);
    let root = StateRoot::with_image();
    let own = fs::metadata("/proc/self").unwrap();
    let shared = root.path().join("shared");
    fs::create_dir(&shared).unwrap();
    let bind = format!("{}:/shared", shared.display());
    let script = "id -u; id -g; touch /shared/made; stat -c %u:%g /shared /shared/made";
    let text = out(&root, &["--userns", "keep-id", "-v", &bind], script);
    let (uid, gid) = (own.uid(), own.gid());
    assert_eq!(text, format!("{uid}\n{gid}\n{uid}:{gid}\n{uid}:{gid}\n"));
    let made = fs::metadata(shared.join("made")).unwrap();
    assert_eq!((made.uid(), made.gid()), (uid, gid));
    // Other ids by name, other users beside it.
    let other = ["--userns", "keep-id:uid=1234,gid=4321", "-v", &bind];
    assert_eq!(out(&root, &other, "id -u; id -g; stat -c %u:%g /shared"), "1234\n4321\n1234:4321\n");
    let as_root = ["--userns", "keep-id", "--user", "0:0", "-v", &bind];
    assert_eq!(
        out(&root, &as_root, &format!("id -u; stat -c %u /shared; touch /root/x && echo {uid}")),
        format!("0\n{uid}\n{uid}\n")
    );
    root.run_detached("box", &["--userns", "keep-id", "-v", &bind], &["sleep", "600"]);
    assert_eq!(root.inspect("box")["HostConfig"]["UsernsMode"], "keep-id");
    assert_eq!(root.teu(&["exec", "box", "id", "-u"]).exits(0).stdout, format!("{uid}\n"));
    root.teu(&["exec", "box", "touch", "/shared/by-exec"]).exits(0);
    assert_eq!(fs::metadata(shared.join("by-exec")).unwrap().uid(), uid);
    root.teu(&["rm", "-f", "box"]).exits(0);
    let refusal = run(&root, &["--userns", "0:100000:10"], "true").exits(125);
    assert!(refusal.stderr.contains("needs root"), "{}", refusal.stderr);
    assert_eq!(out(&root, &["--userns", "host"], "id -u"), "0\n");
    leaks::assert_none(root.path());
}
