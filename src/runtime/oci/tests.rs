//! What `teu oci create` plans, as text: namespaces, process, steps, and what is done beside them.

use super::config::Bundle;
use super::{config, devices, features, hooks, mounts, namespaces, process};
use crate::runtime::cgroup::{self, resources};
use crate::runtime::init::namespace_flag;
use crate::runtime::machine::Machine;
use crate::runtime::tests::{V1, V2, steps};
use oci_spec::runtime::LinuxNamespaceType;
use serde_json::{Value, json};
use std::fmt::Write;

/// A group's directories on such a machine.
fn directories(machine: &Machine) -> Vec<(String, std::path::PathBuf)> {
    let list: &[(&str, &str)] = match (machine.groups)() {
        cgroup::Version::V2 => &[("", "teu-oci/box")],
        cgroup::Version::V1 => &[("cpu", "cpu,cpuacct"), ("cpuacct", "cpu,cpuacct"), ("memory", "memory")],
        cgroup::Version::None => &[],
    };
    list.iter().map(|(name, place)| ((*name).to_owned(), format!("/sys/fs/cgroup/{place}").into())).collect()
}

fn planned(document: &Value, machine: &Machine) -> String {
    let text = document.to_string().into_bytes();
    let spec = config::parse(&text).unwrap();
    config::check(&spec, machine).unwrap();
    let bundle = Bundle { dir: "/b".into(), rootfs: "/b/rootfs".into(), spec, text, warnings: Vec::new() };
    let spec = &bundle.spec;
    let namespaces = namespaces::plan(spec).unwrap();
    let mut program = process::plan(spec.process().as_ref().unwrap(), spec, machine).unwrap();
    // The programs are the compiler's tests' to look at.
    program.filter.iter_mut().for_each(|filter| filter.program.clear());
    let given = mounts::Given {
        machine,
        rootfs: &bundle.rootfs,
        groups: &|| directories(machine),
        own_cgroups: namespaces.own_cgroups(),
        own_mounts: namespaces.own_mounts(),
        users: namespaces.users(spec),
        user_namespace: namespaces.other_users(),
    };
    let mounts = mounts::plan(&bundle, &given).unwrap();
    let mut out = format!("== namespaces\nnew: {}\n{namespaces:#?}\n", kinds(namespaces.new));
    writeln!(out, "== process\n{program:#?}\n== root\n{:?}", mounts.root).unwrap();
    write!(out, "== steps\n{}== after the hooks\n{}", steps(&mounts.ops), steps(&mounts.seals)).unwrap();
    write!(out, "== inside\n{}", steps(&mounts.entered)).unwrap();
    mounts.mapped.iter().enumerate().for_each(|(n, mapped)| writeln!(out, "== mapped {n}\n{mapped:?}").unwrap());
    for moment in hooks::Moment::ALL {
        hooks::of(spec, moment).iter().for_each(|hook| writeln!(out, "== {}\n{hook:?}", moment.name()).unwrap());
    }
    devices::wanted(spec).iter().for_each(|device| writeln!(out, "== moved\n{device:?}").unwrap());
    if let Some(given) = spec.linux().as_ref().and_then(|l| l.resources().as_ref()) {
        let settings = resources::settings((machine.groups)(), given).unwrap();
        let files = settings.iter().map(|s| format!("{}:{} = {}\n", s.controller, s.file, s.value));
        write!(out, "== group\n{}", files.collect::<String>()).unwrap();
        let rules = cgroup::devices::rules(given.devices().as_deref().unwrap_or_default()).unwrap();
        rules.iter().for_each(|rule| writeln!(out, "{rule:?}").unwrap());
    }
    out
}

fn kinds(flags: u64) -> String {
    use LinuxNamespaceType::{Cgroup, Ipc, Mount, Network, Pid, Time, User, Uts};
    let all = [Cgroup, Ipc, Mount, Network, Pid, Time, User, Uts];
    let named = all.iter().filter(|kind| flags & namespace_flag(**kind) != 0);
    named.map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

macro_rules! matches {
    ($name:expr, $document:expr, $machine:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!($name, planned(&$document, &$machine));
        });
    };
}

#[test]
fn the_configuration_to_begin_with() {
    matches!("begin", features::template(false), V2);
}

#[test]
fn an_ordinary_user_s_configuration_to_begin_with() {
    let mut document = features::template(true);
    // Whoever runs the test.
    for ids in ["uidMappings", "gidMappings"] {
        document["linux"][ids][0]["hostID"] = 1000.into();
    }
    matches!("begin_rootless", document, V1);
}

#[test]
fn a_process_with_something_of_everything() {
    let mut document = features::template(false);
    let process = &mut document["process"];
    process["terminal"] = true.into();
    process["consoleSize"] = json!({ "height": 24, "width": 80 });
    process["user"] = json!({ "uid": 1000, "gid": 100, "umask": 63, "additionalGids": [5, 6] });
    process["env"] = json!(["A=1", "B=2", "A=3"]);
    process["capabilities"] =
        json!({ "bounding": ["CAP_CHOWN", "CAP_KILL"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"] });
    process["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 64, "hard": 128 }]);
    process["oomScoreAdj"] = 100.into();
    process["ioPriority"] = json!({ "class": "IOPRIO_CLASS_IDLE", "priority": 3 });
    process["scheduler"] = json!({ "policy": "SCHED_DEADLINE", "runtime": 1, "deadline": 2, "period": 3,
        "flags": ["SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN"] });
    process["execCPUAffinity"] = json!({ "initial": "0-2", "final": "1,3" });
    document["linux"]["personality"] = json!({ "domain": "LINUX32" });
    document["linux"]["memoryPolicy"] =
        json!({ "mode": "MPOL_BIND", "nodes": "0-1,64", "flags": ["MPOL_F_STATIC_NODES"] });
    document["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "listenerPath": "/run/listener", "listenerMetadata": "words",
        "syscalls": [{ "names": ["getcwd"], "action": "SCMP_ACT_NOTIFY" }] });
    document["linux"]["netDevices"] = json!({ "eth9": { "name": "outer" }, "dummy0": {} });
    let hook = |word: &str| json!([{ "path": "/bin/hook", "args": ["hook", word], "env": ["A=b"], "timeout": 5 }]);
    document["hooks"] = json!({ "prestart": hook("0"), "createRuntime": hook("1"), "createContainer": hook("2"),
        "startContainer": hook("3"), "poststart": hook("4"), "poststop": hook("5") });
    matches!("process", document, V2);
}

#[test]
fn namespaces_that_are_made_joined_and_mapped() {
    let mut document = features::template(false);
    let map =
        json!([{ "containerID": 0, "hostID": 100_000, "size": 1000 }, { "containerID": 1000, "hostID": 0, "size": 1 }]);
    document["linux"]["namespaces"] = json!([
        { "type": "user" }, { "type": "mount", "path": "/run/ns/mnt" }, { "type": "pid", "path": "" }, { "type": "uts" },
        { "type": "network", "path": "/run/ns/net" }, { "type": "cgroup" }, { "type": "time" },
    ]);
    document["linux"]["uidMappings"] = map.clone();
    document["linux"]["gidMappings"] = map;
    document["linux"]["timeOffsets"] = json!({ "monotonic": { "secs": 7, "nanosecs": 9 }, "boottime": { "secs": -1 } });
    document["linux"]["sysctl"] = json!({ "user.max_user_namespaces": "3" });
    matches!("namespaces", document, V2);
    // All of them the host's or somebody else's.
    document["linux"]["namespaces"] = json!([{ "type": "user", "path": "/run/ns/user" }, { "type": "uts" }]);
    document["linux"]["timeOffsets"] = Value::Null;
    document["linux"]["devices"] = json!([{ "path": "/dev/fifo", "type": "p" }]);
    matches!("namespaces_host", document, V1);
}

#[test]
fn mounts_of_every_kind_and_what_seals_them() {
    let mut document = features::template(false);
    let mount = |target: &str, kind: &str, options: &[&str]| json!({ "destination": target, "type": kind, "source": "src", "options": options });
    let map = json!([{ "containerID": 0, "hostID": 1000, "size": 1 }]);
    let mut mapped = mount("/mapped", "bind", &["rbind", "ridmap"]);
    (mapped["uidMappings"], mapped["gidMappings"]) = (map.clone(), map);
    document["mounts"].as_array_mut().unwrap().extend([
        mount("/deep", "none", &["rbind", "rro", "nosuid", "rnoatime", "rslave"]),
        mount("/alone", "bind", &["rbind", "ro", "private"]),
        mount("relative/../place", "bind", &["bind", "dev"]),
        mount("/t", "tmpfs", &["ro", "size=1m", "mode=700", "tmpcopyup"]),
        mount("/t/inner", "tmpfs", &["nosymfollow"]),
        mount("/proc", "proc", &["remount", "hidepid=2"]),
        mapped,
    ]);
    document["root"]["readonly"] = true.into();
    document["linux"]["rootfsPropagation"] = "shared".into();
    document["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1", "kernel.msgmax": "9000" });
    document["linux"]["devices"] = json!([
        { "path": "/dev/x", "type": "c", "major": 1, "minor": 3, "fileMode": 384, "uid": 1, "gid": 2 },
        { "path": "/dev/null", "type": "b", "major": 7, "minor": 0 },
    ]);
    document["linux"]["resources"] = json!({
        "memory": { "limit": 67_108_864, "swap": 134_217_728, "reservation": 1_048_576 }, "pids": { "limit": 50 },
        "cpu": { "shares": 512, "quota": 50_000, "period": 100_000, "cpus": "0" }, "blockIO": { "weight": 100 },
        "hugepageLimits": [{ "pageSize": "2MB", "limit": 2_097_152 }],
        "devices": [{ "allow": false, "access": "rwm" }, { "allow": true, "type": "c", "major": 1, "minor": 3, "access": "rw" }],
    });
    matches!("mounts", document, V2);
    matches!("mounts_v1", document, V1);
}
