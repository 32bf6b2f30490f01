//! Network devices of the host inside (config-linux.md, "Network Devices"), and classes of cache and memory bandwidth.

use super::bundle::{Bundle, namespaces};
use crate::needs;
use serde_json::json;
use std::path::Path;

/// A device with everything that has to come along.
const DEVICE: &str = "ip link set lo up; ip link add d0 address 02:11:22:33:44:55 mtu 1400 type veth peer name far; \
     ip addr add 10.98.76.5/24 brd + dev d0; ip addr add fd12::7/64 dev d0 nodad; ip link set far up; ip link set d0 up";

#[test]
fn network_devices_must_be_moved_renamed_and_keep_what_they_are() {
    needs!(Root, Netns);
    let mut bundle = Bundle::new("busybox ip addr show; busybox ip link show");
    bundle.config["linux"]["netDevices"] = json!({ "d0": { "name": "in0" } });
    let script = format!("{DEVICE}; \"$@\"; ip link show d0 && echo still");
    let answer = bundle.run_within("--net", &script, &[]);
    let out = &answer.stdout;
    for words in ["in0@", "mtu 1400", "10.98.76.5/24 brd 10.98.76.255", "fd12::7/64", "02:11:22:33:44:55", ",UP"] {
        assert!(out.contains(words), "{words}: {out}{}", answer.stderr);
    }
    assert!(!out.contains("still") && !out.contains("d0"), "{out}");
    // A link-local address is the kernel's own to make.
    bundle.config["linux"]["netDevices"] = json!({ "d0": {} });
    let answer = bundle.run_within("--net", &format!("{DEVICE}; \"$@\""), &[]).exits(0);
    assert!(answer.stdout.contains("d0@") && answer.stdout.contains("10.98.76.5/24"), "{}", answer.stdout);
    bundle.assert_gone();
}

#[test]
fn a_network_device_that_cannot_be_moved_must_be_an_error_and_the_others_be_back() {
    needs!(Root, Netns);
    let mut bundle = Bundle::new("true");
    let mut refused = |devices: serde_json::Value, words: &str| {
        bundle.config["linux"]["netDevices"] = devices;
        let script = format!("{DEVICE}; \"$@\" && exit 9; ip addr show d0");
        let answer = bundle.run_within("--net", &script, &[]).exits(0);
        assert!(answer.stderr.contains(words), "{words}: {}", answer.stderr);
        for words in ["10.98.76.5/24", "fd12::7/64", ",UP", "mtu 1400"] {
            assert!(answer.stdout.contains(words), "{words}: {}", answer.stdout);
        }
        bundle.assert_gone();
    };
    refused(json!({ "d0": {}, "none": {} }), "none does not exist");
    refused(json!({ "d0": { "name": "lo" } }), "lo is in the container's network namespace already");
    refused(json!({ "d0": {}, "lo": { "name": "lo1" } }), "move network device lo");
    refused(json!({ "d0": { "name": "x" }, "far": { "name": "x" } }), "two devices would be x inside");
    refused(json!({ "d0": { "name": "a/b" } }), "no name of a network device");
    refused(json!({ "d0": { "name": "much-too-long-a-name" } }), "no name of a network device");
    // What fails later takes them back too.
    bundle.config["mounts"][0]["type"] = "nofs".into();
    let mut refused = |words: &str| {
        bundle.config["linux"]["netDevices"] = json!({ "d0": { "name": "in0" } });
        let script = format!("{DEVICE}; \"$@\" && exit 9; ip addr show d0");
        let answer = bundle.run_within("--net", &script, &[]).exits(0);
        assert!(answer.stderr.contains(words) && answer.stdout.contains("10.98.76.5/24"), "{}", answer.stderr);
    };
    refused("nofs");
    namespaces(&mut bundle.config).retain(|n| n["type"] != "network");
    assert!(bundle.create().exits(1).stderr.contains("netDevices need a network namespace"));
}

#[test]
fn rdt_must_be_an_error_where_there_is_none() {
    needs!(Userns);
    if Path::new("/sys/fs/resctrl/info").exists() {
        return;
    }
    let mut bundle = Bundle::new("true");
    bundle.config["linux"]["intelRdt"] = json!({ "closID": "gold" });
    assert!(bundle.create().exits(1).stderr.contains("no resctrl file system is mounted"));
    bundle.config["linux"]["intelRdt"] = json!({ "closID": "../gold" });
    assert!(bundle.create().exits(1).stderr.contains("no name of a class"));
    bundle.assert_gone();
}

#[test]
fn odd_spellings_that_other_runtimes_take_are_no_reason_to_refuse() {
    needs!(Root);
    let mut bundle = Bundle::new("ls -d /dev/slash; grep CapEff /proc/self/status; sleep 1000");
    bundle.config["linux"]["devices"] = json!([{ "path": "/dev/slash/", "type": "c", "major": 1, "minor": 3 }]);
    bundle.config["linux"]["resources"] = json!({ "devices": [{ "allow": false, "access": "rwm" },
        { "allow": false, "type": "c", "major": 1, "minor": 11, "access": "rwa" }] });
    bundle.config["linux"]["personality"] = json!({ "domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"] });
    let created = bundle.create().exits(0);
    assert!(created.stderr.contains("ignoring personality flags"), "{}", created.stderr);
    bundle.on(&["start"]).exits(0);
    crate::support::wait_until("its words", || bundle.out().contains("CapEff").then_some(()));
    assert!(bundle.out().starts_with("/dev/slash\n"), "{}", bundle.out());
    let answer = bundle.call(&["exec", "--cap", "CAP_NO_SUCH", "--cap", "CAP_KILL", &bundle.id, "true"]).exits(0);
    assert!(answer.stderr.contains("ignoring the unknown capability CAP_NO_SUCH"), "{}", answer.stderr);
}

/// There the host's own is bound, whose mode and owner nobody can change.
#[test]
fn a_device_in_a_user_namespace_must_be_the_one_that_is_described() {
    needs!(Root);
    let mut bundle = Bundle::new("head -c 2 /dev/full; echo $?; echo x >/dev/full || true");
    namespaces(&mut bundle.config).push(json!({ "type": "user" }));
    let map = json!([{ "containerID": 0, "hostID": 0, "size": 65536 }]);
    (bundle.config["linux"]["uidMappings"], bundle.config["linux"]["gidMappings"]) = (map.clone(), map);
    for (kind, major, minor) in [("c", 1, 5), ("c", 5, 7), ("b", 1, 7)] {
        bundle.config["linux"]["devices"] =
            json!([{ "path": "/dev/full", "type": kind, "major": major, "minor": minor, "fileMode": 0o600 }]);
        let answer = bundle.create().exits(1);
        assert!(answer.stderr.contains("/dev/full") && answer.stderr.contains("another device"), "{}", answer.stderr);
        bundle.assert_gone();
    }
    bundle.config["linux"]["devices"] =
        json!([{ "path": "/dev/full", "type": "c", "major": 1, "minor": 7, "fileMode": 0o600 }]);
    assert!(bundle.outcome().starts_with("\0\x000\n"), "{:?}", bundle.out());
}
