//! Mounts (config.md, "Mounts"): mapped ids, what holds for the mounts below, propagation, remount.

use super::bundle::{Bundle, mounts, namespaces};
use crate::needs;
use crate::support::wait_until;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::chown;

/// A source with a mount below it, whose files belong to user 5.
const SOURCE: &str = "mkdir -p source/sub; mount -t tmpfs one source; mkdir source/sub; mount -t tmpfs two source/sub; \
     touch source/file source/sub/file; chown 5:6 source/file source/sub/file";

fn bind(options: Value) -> Value {
    json!({ "destination": "/b", "type": "bind", "source": "source", "options": options })
}

fn seen(options: Value, maps: Option<Value>, script: &str) -> String {
    let mut bundle = Bundle::new(script);
    let mut mount = bind(options);
    if let Some(maps) = maps {
        (mount["uidMappings"], mount["gidMappings"]) = (maps.clone(), maps);
    }
    mounts(&mut bundle.config).push(mount);
    let answer = bundle.run_after(SOURCE, &[]).exits(0);
    bundle.assert_gone();
    answer.stdout
}

/// tmpfs can be mapped since Linux 6.3.
fn maps_tmpfs() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(3))
}

#[test]
fn a_mount_s_ids_must_be_mapped_as_it_says() {
    needs!(Root);
    if !maps_tmpfs() {
        return;
    }
    let script = "stat -c %u:%g /b/file /b/sub/file";
    let maps = json!([{ "containerID": 0, "hostID": 1000, "size": 100 }]);
    assert_eq!(seen(json!(["rbind"]), None, script), "5:6\n5:6\n");
    assert_eq!(seen(json!(["rbind", "idmap"]), Some(maps.clone()), script), "1005:1006\n5:6\n");
    assert_eq!(seen(json!(["rbind", "ridmap"]), Some(maps.clone()), script), "1005:1006\n1005:1006\n");
    assert_eq!(seen(json!(["bind"]), Some(maps), "stat -c %u:%g /b/file"), "1005:1006\n");
}

#[test]
fn an_idmap_without_maps_must_take_the_container_s_or_be_an_error() {
    needs!(Root);
    let mut bundle = Bundle::new("stat -c %u:%g /b/file; touch /b/mine");
    let map = json!([{ "containerID": 0, "hostID": 300000, "size": 1000 }]);
    mounts(&mut bundle.config).push(bind(json!(["bind", "idmap"])));
    let refused = bundle.create().exits(1);
    assert!(refused.stderr.contains("needs a user namespace"), "{}", refused.stderr);
    bundle.assert_gone();
    namespaces(&mut bundle.config).push(json!({ "type": "user" }));
    (bundle.config["linux"]["uidMappings"], bundle.config["linux"]["gidMappings"]) = (map.clone(), map.clone());
    // The root of the container is not the root of the host's files: the mount point has to be there.
    fs::create_dir(bundle.dir.join("rootfs/b")).unwrap();
    fs::create_dir(bundle.dir.join("source")).unwrap();
    fs::write(bundle.dir.join("source/file"), "").unwrap();
    chown(bundle.dir.join("source/file"), Some(7), Some(8)).unwrap();
    let answer = bundle.create();
    if answer.stderr.contains("the file system cannot do it") {
        return; // The temporary directory lies on one that has no such maps.
    }
    answer.exits(0);
    bundle.on(&["start"]).exits(0);
    wait_until("it stops", || (bundle.status() == "stopped").then_some(()));
    assert_eq!(bundle.out(), "7:8\n");
    bundle.on(&["delete"]).exits(0);
    use std::os::unix::fs::MetadataExt;
    assert_eq!(fs::metadata(bundle.dir.join("source/mine")).unwrap().uid(), 0, "as on the disk");
    let mut wrong = |mount: Value, words: &str| {
        *mounts(&mut bundle.config).last_mut().unwrap() = mount;
        let answer = bundle.create().exits(1);
        assert!(answer.stderr.contains(words), "{}", answer.stderr);
        bundle.assert_gone();
    };
    let mut half = bind(json!(["bind"]));
    half["uidMappings"] = map.clone();
    wrong(half, "must be given together");
    let mut fresh = json!({ "destination": "/t", "type": "tmpfs", "options": ["idmap"] });
    wrong(fresh.clone(), "bind mounts only");
    fresh = bind(json!(["bind", "idmap"]));
    let twice = json!([{ "containerID": 0, "hostID": 1, "size": 9 }, { "containerID": 0, "hostID": 9, "size": 9 }]);
    (fresh["uidMappings"], fresh["gidMappings"]) = (twice.clone(), twice);
    wrong(fresh, "does not take this uid_map");
}

#[test]
fn recursive_attributes_must_hold_below_and_others_must_not() {
    needs!(Root);
    let script = "cat /proc/self/mounts; touch /b/no; touch /b/sub/yes && echo written";
    let line = |out: &str, target: &str| -> Vec<String> {
        let found = out.lines().find(|l| l.split(' ').nth(1) == Some(target));
        let found = found.unwrap_or_else(|| panic!("no {target}: {out}"));
        found.split(' ').nth(3).unwrap().split(',').map(str::to_owned).collect()
    };
    let out = seen(json!(["rbind", "ro", "nosuid"]), None, &format!("{script}; true"));
    assert!(line(&out, "/b").contains(&"nosuid".into()) && line(&out, "/b/sub")[0] == "rw", "{out}");
    assert!(out.ends_with("written\n"), "{out}");
    let recursive = json!(["rbind", "rro", "rnosuid", "rnodev", "rnoexec", "rnoatime", "rnosymfollow"]);
    let out = seen(recursive, None, &format!("{script}; true"));
    for target in ["/b", "/b/sub"] {
        for option in ["ro", "nosuid", "nodev", "noexec", "noatime", "nosymfollow"] {
            assert!(line(&out, target).contains(&option.into()), "{target} {option}: {out}");
        }
    }
    assert!(!out.ends_with("written\n"), "{out}");
    for (option, shown) in [("rstrictatime", ""), ("rrelatime", "relatime"), ("rnodiratime", "nodiratime")] {
        let out = seen(json!(["rbind", "rnoatime", option]), None, "cat /proc/self/mounts");
        let noatime = line(&out, "/b/sub").contains(&"noatime".into());
        assert_eq!(noatime, option == "rnodiratime", "{option}: {out}");
        assert!(shown.is_empty() || line(&out, "/b/sub").contains(&shown.into()), "{option}: {out}");
    }
}

#[test]
fn propagation_must_be_that_of_the_mount_or_with_an_r_of_those_below_too() {
    needs!(Root);
    let prepare = format!("{SOURCE}; mount --make-rshared source");
    let fields = |option: &str| {
        let mut bundle = Bundle::new("cat /proc/self/mountinfo");
        mounts(&mut bundle.config).push(bind(json!(["rbind", option])));
        let out = bundle.run_after(&prepare, &[]).exits(0).stdout;
        let of = |target: &str| {
            let line = out.lines().find(|l| l.split(' ').nth(4) == Some(target)).unwrap().to_owned();
            ["shared:", "master:", "unbindable"].into_iter().filter(|w| line.contains(w)).collect::<Vec<_>>().join(" ")
        };
        (of("/b"), of("/b/sub"))
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(fields("rprivate"), pair("", ""));
    assert_eq!(fields("rslave"), pair("master:", "master:"));
    assert_eq!(fields("slave"), pair("master:", ""));
    assert_eq!(fields("rshared"), pair("shared:", "shared:"));
    assert_eq!(fields("shared"), pair("shared:", ""));
    assert_eq!(fields("runbindable"), pair("unbindable", "unbindable"));
    assert_eq!(fields("unbindable"), pair("unbindable", ""));
    assert_eq!(fields("nosuid"), pair("", ""), "without a word of it nothing travels");
}

/// Of those with maps of ids: the tests of them, above.
#[test]
fn every_option_that_features_promises_is_taken_on_a_tmpfs_and_on_a_bind() {
    needs!(Root);
    let mut bundle = Bundle::new("cat /proc/self/mountinfo; ls /bind/tmpcopyup");
    let features: Value = serde_json::from_str(&bundle.call(&["features"]).exits(0).stdout).unwrap();
    let promised = features["mountOptions"].as_array().unwrap().iter().map(|o| o.as_str().unwrap().to_owned());
    let promised: Vec<String> = promised.filter(|o| !["idmap", "ridmap"].contains(&o.as_str())).collect();
    assert!(promised.len() > 50, "{promised:?}");
    fs::create_dir(bundle.dir.join("source")).unwrap();
    fs::write(bundle.dir.join("source/file"), "").unwrap();
    let covered = bundle.dir.join("rootfs/bind/tmpcopyup");
    fs::create_dir_all(&covered).unwrap();
    fs::write(covered.join("covered"), "").unwrap();
    let list = mounts(&mut bundle.config);
    let mut places = Vec::new();
    let mut put = |kind: &str, option: &str, options: Value| {
        let place = format!("/{kind}/{option}");
        let mount = json!({ "destination": place, "type": kind, "source": "source", "options": options });
        list.push(mount);
        places.push(place);
    };
    // Data is a file system's; a bind's has it already.
    for option in promised.iter().map(String::as_str).chain(["mode=755", "size=3m", "context=x", "z"]) {
        if option == "remount" {
            put("bind", option, json!(["bind"]));
            put("tmpfs", option, json!([]));
        }
        put("bind", option, json!(["rbind", option]));
        if !["bind", "rbind", "context=x", "z"].contains(&option) {
            put("tmpfs", option, json!([option]));
        }
    }
    let out = bundle.outcome();
    for place in places {
        assert!(out.lines().any(|line| line.split(' ').nth(4) == Some(&place)), "{place}: {out}");
    }
    assert!(out.ends_with("\nfile\n"), "a bind shows its source: {out}");
    let left: Vec<_> = fs::read_dir(bundle.dir.join("source")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["file"], "and nothing is copied into that");
    let unknown = json!({ "destination": "/mine", "type": "tmpfs", "options": ["x-foo"] });
    mounts(&mut bundle.config).push(unknown);
    let answer = bundle.create().exits(1);
    assert!(answer.stderr.contains("x-foo"), "{}", answer.stderr);
    bundle.assert_gone();
}

#[test]
fn a_remount_must_change_what_is_mounted() {
    needs!(Userns);
    let mut bundle = Bundle::new("grep ' /t ' /proc/self/mounts");
    mounts(&mut bundle.config).push(json!({ "destination": "/t", "type": "tmpfs", "options": ["size=64k", "nodev"] }));
    mounts(&mut bundle.config)
        .push(json!({ "destination": "/t", "type": "tmpfs", "options": ["remount", "size=128k", "ro", "nosuid"] }));
    let out = bundle.outcome();
    assert!(out.contains(" ro,nosuid,nodev") && out.contains("size=128k"), "{out}");
    mounts(&mut bundle.config).push(json!({ "destination": "/etc", "options": ["remount", "ro"] }));
    let answer = bundle.create().exits(1);
    assert!(answer.stderr.contains("/etc"), "{}", answer.stderr);
    bundle.assert_gone();
}

#[test]
fn without_pivot_root_the_container_is_in_its_root_all_the_same() {
    needs!(Root);
    let bundle = Bundle::new("ls -d /bin/busybox; ls / | grep -c . ; ls /../../usr; cat /proc/self/mounts | head -n 1");
    let answer = bundle.run_after("true", &["--no-pivot"]);
    assert!(answer.stdout.starts_with("/bin/busybox\n7\n"), "{}{}", answer.stdout, answer.stderr);
    bundle.assert_gone();
}

#[test]
fn a_read_only_file_system_gets_what_belongs_in_it_first() {
    needs!(Root);
    let mut bundle =
        Bundle::new("grep -E ' /dev | /deep ' /proc/mounts | cut -d' ' -f2,4 | cut -d, -f1; ls /dev/null /deep");
    for mount in mounts(&mut bundle.config).iter_mut().filter(|m| m["destination"] == "/dev") {
        mount["options"].as_array_mut().unwrap().push("ro".into());
    }
    let tmpfs = |to: &str| json!({ "destination": to, "type": "tmpfs", "source": "tmpfs", "options": ["ro"] });
    mounts(&mut bundle.config).extend([tmpfs("/deep"), tmpfs("/deep/er")]);
    assert_eq!(bundle.outcome(), "/dev ro\n/deep ro\n/dev/null\n\n/deep:\ner\n");
}

#[test]
fn the_root_s_propagation_must_be_as_it_is_named() {
    needs!(Root);
    for (kind, field) in [("shared", "shared:"), ("slave", "master:"), ("private", "")] {
        let mut bundle =
            Bundle::new("grep ' / / ' /proc/self/mountinfo || grep ' / ' /proc/self/mountinfo | head -n 1");
        bundle.config["linux"]["rootfsPropagation"] = kind.into();
        let out = bundle.outcome();
        let optional = out.split(" - ").next().unwrap();
        assert_eq!(optional.contains("shared:"), field == "shared:", "{kind}: {out}");
    }
}

#[test]
fn a_tmpfs_without_a_mode_has_that_of_the_directory_it_covers() {
    needs!(Userns);
    let mut bundle = Bundle::new("stat -c %a /tmp /given /fresh");
    for (name, mode) in [("tmp", 0o1755), ("given", 0o700)] {
        let place = bundle.dir.join("rootfs").join(name);
        let _ = std::fs::create_dir(&place);
        std::fs::set_permissions(&place, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    let tmpfs =
        |to: &str, options: Value| json!({ "destination": to, "type": "tmpfs", "source": "tmpfs", "options": options });
    let wanted = [tmpfs("/tmp", json!([])), tmpfs("/given", json!(["mode=0711"])), tmpfs("/fresh", json!([]))];
    mounts(&mut bundle.config).extend(wanted);
    assert_eq!(bundle.outcome(), "1755\n711\n1777\n");
}

#[test]
fn what_is_mounted_among_the_control_groups_finds_room_there() {
    needs!(Root, Cgroup);
    let mut bundle =
        Bundle::new("ls /sys/fs/cgroup/extra; touch /sys/fs/cgroup/x 2>&1 | grep -c -i -e read-only -e denied");
    if std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        return eprintln!("SKIP oci::mounts: with v2 there is nothing but groups in /sys/fs/cgroup");
    }
    let at = "/sys/fs/cgroup/extra";
    mounts(&mut bundle.config)
        .push(json!({ "destination": at, "type": "bind", "source": "rootfs/etc", "options": ["bind"] }));
    assert_eq!(bundle.outcome(), "passwd\n1\n");
}

#[test]
fn a_source_in_the_container_s_root_has_what_was_mounted_there_before() {
    needs!(Root);
    let mut bundle = Bundle::new("cat /mnt/deep/file /final/deep/file");
    let given = bundle.dir.join("given");
    std::fs::create_dir(&given).unwrap();
    std::fs::write(given.join("file"), "here\n").unwrap();
    let rootfs = bundle.dir.canonicalize().unwrap().join("rootfs");
    let bind = |from: &std::path::Path, to: &str| json!({ "destination": to, "type": "bind", "source": from, "options": ["rbind"] });
    let tmpfs = json!({ "destination": "/mnt", "type": "tmpfs", "source": "tmpfs" });
    let wanted = [tmpfs, bind(&given, "/mnt/deep"), bind(&rootfs.join("mnt"), "/final")];
    mounts(&mut bundle.config).extend(wanted);
    assert_eq!(bundle.outcome(), "here\nhere\n");
    // A link there leads nowhere else.
    std::os::unix::fs::symlink("/etc", bundle.dir.join("rootfs/link")).unwrap();
    bundle.config["process"]["args"][2] = "ls /final".into();
    mounts(&mut bundle.config).truncate(7);
    let list = mounts(&mut bundle.config);
    list.push(bind(&rootfs.join("link"), "/final"));
    assert_eq!(bundle.outcome(), "passwd\n");
}

/// As old callers write it, for whom a root was a directory of the host's.
#[test]
fn a_destination_below_the_root_as_the_host_names_it_is_that_place_in_the_container() {
    needs!(Root);
    let mut bundle = Bundle::new("cat /deep/er/file; ls /bin/sh; test -e /tmp/teu-none || ls -d /deep");
    let rootfs = bundle.dir.canonicalize().unwrap().join("rootfs");
    fs::create_dir(bundle.dir.join("given")).unwrap();
    fs::write(bundle.dir.join("given/file"), "here\n").unwrap();
    let at = |place: &str| json!({ "destination": format!("{}{place}", rootfs.display()), "type": "bind", "source": "given", "options": ["bind"] });
    mounts(&mut bundle.config).push(at("/deep/er"));
    assert_eq!(bundle.outcome(), "here\n/bin/sh\n/deep\n");
    // A name that only begins so is another place.
    *mounts(&mut bundle.config).last_mut().unwrap() = at("2/x");
    bundle.config["process"]["args"][2] = format!("cat {}2/x/file", rootfs.display()).into();
    assert_eq!(bundle.outcome(), "here\n");
    // Nor is the root itself meant.
    *mounts(&mut bundle.config).last_mut().unwrap() = at("");
    bundle.config["process"]["args"][2] = format!("cat {}/file; ls /bin/sh", rootfs.display()).into();
    assert_eq!(bundle.outcome(), "here\n/bin/sh\n");
}

#[test]
fn a_mapped_source_in_the_container_s_root_has_what_was_mounted_there_before() {
    needs!(Root);
    if !maps_tmpfs() {
        return;
    }
    let mut bundle = Bundle::new("stat -c %u:%g /mnt/file /final/file /final/deep/file; cat /final/deep/file");
    let map = json!([{ "containerID": 0, "hostID": 1000, "size": 100 }]);
    let rootfs = bundle.dir.canonicalize().unwrap().join("rootfs");
    let bind = |from: &str, to: &str, options: Value| json!({ "destination": to, "type": "bind", "source": from, "options": options });
    let mut last = bind(rootfs.join("mnt").to_str().unwrap(), "/final", json!(["rbind", "idmap"]));
    (last["uidMappings"], last["gidMappings"]) = (map.clone(), map.clone());
    let first = bind("given", "/mnt", json!(["bind"]));
    mounts(&mut bundle.config).extend([first, bind("source", "/mnt/deep", json!(["bind"])), last]);
    let script = "mkdir -p given source; mount -t tmpfs one given; mkdir given/deep; mount -t tmpfs two source; \
         echo deep >source/file; touch given/file; chown 5:6 given/file source/file";
    let expected = "5:6\n1005:1006\n5:6\ndeep\n";
    let answer = bundle.run_after(script, &[]).exits(0);
    assert_eq!(answer.stdout, expected);
    // By the creator for one that has not the rights: the map is that of the container's user namespace.
    namespaces(&mut bundle.config).push(json!({ "type": "user" }));
    let own = json!([{ "containerID": 0, "hostID": 300000, "size": 1000 }]);
    (bundle.config["linux"]["uidMappings"], bundle.config["linux"]["gidMappings"]) = (own.clone(), own);
    for mount in mounts(&mut bundle.config) {
        mount.as_object_mut().unwrap().retain(|key, _| key != "uidMappings" && key != "gidMappings");
    }
    for dir in ["mnt/deep", "final"] {
        fs::create_dir_all(bundle.dir.join("rootfs").join(dir)).unwrap();
    }
    bundle.config["process"]["args"][2] = "stat -c %u:%g /final/file; cat /final/deep/file".into();
    let answer = bundle.run_after(&format!("{script}; chmod 711 ."), &[]).exits(0);
    assert_eq!(answer.stdout, "5:6\ndeep\n");
    bundle.assert_gone();
}

#[test]
fn a_relative_source_is_in_the_bundle_also_when_it_leads_through_the_root() {
    needs!(Root);
    let mut bundle = Bundle::new("cat /b/file");
    fs::create_dir(bundle.dir.join("source")).unwrap();
    fs::write(bundle.dir.join("source/file"), "here\n").unwrap();
    for source in ["source", "./source", "rootfs/../source", "rootfs/etc/../../source/."] {
        let mount = json!({ "destination": "/b", "type": "bind", "source": source, "options": ["bind"] });
        let list = mounts(&mut bundle.config);
        list.retain(|m| m["destination"] != "/b");
        list.push(mount);
        assert_eq!(bundle.outcome(), "here\n", "{source}");
    }
}
