//! What `teu run` plans, as text: what the monitor is told, and the steps that its init makes of it.

use super::*;
use crate::model::container::{Security, Ulimit};
use crate::model::isolation::{DeviceMapping, IdRange, Ipc, Isolation, UserMap, Users};
use crate::model::mount::{Below, Mount, MountSource, Tmpfs};
use crate::model::reference::Digest;
use crate::model::time::Timestamp;
use crate::runtime::rootfs;
use crate::runtime::tests::{V1, V2, lines, steps};

const ROOT: Identity =
    Identity { uid: 0, gid: 0, rootless: false, in_user_namespace: false, sub_ids: true, note: None };
const USER: Identity = Identity { uid: 1000, gid: 1000, rootless: true, in_user_namespace: true, ..ROOT };

fn command(config: ContainerConfig) -> ContainerConfig {
    ContainerConfig { args: vec!["sh".into()], env: vec!["LANG=C".into()], ..config }
}

fn planned(config: ContainerConfig, identity: &Identity, machine: Machine) -> String {
    let container = Container {
        id: "0123456789abcdef".repeat(4).try_into().unwrap(),
        name: "box".into(),
        image: Digest::of(b"image"),
        image_ref: "busybox".into(),
        created: Timestamp(0),
        config: command(config),
    };
    let data = PathBuf::from("/data");
    let (upper, work) = (data.join("upper"), data.join("work"));
    let volumes = BTreeMap::from([("kept".to_owned(), data.join("volumes/kept/_data"))]);
    let launch = plan(
        &BundleInput {
            container: &container,
            image: &ImageConfiguration::default(),
            rootfs: Rootfs::Overlay { lower: vec!["/data/b".into(), "/data/a".into()], upper, work, read_only: false },
            dir: data.join("containers/0123"),
            run_dir: "/run/containers/0123".into(),
            event_log: data.join("events.log"),
            volumes: &volumes,
            identity,
            machine,
            network: NetworkPlan::Isolated,
            size: None,
            restarts: 0,
            on_end: Vec::new(),
        },
        "box",
    )
    .unwrap();
    let mut told = serde_json::to_value(&launch).unwrap();
    // Which filter: the programs are the compiler's tests' to look at.
    told["seccomp"] = if launch.seccomp.is_empty() { "none".into() } else { "one".into() };
    let root = rootfs::root(&launch);
    format!("== launch\n{}== root\n{root:?}\n== steps\n{}", lines(&told), steps(&rootfs::plan(&launch).unwrap()))
}

macro_rules! matches {
    ($name:expr, $config:expr, $identity:expr, $machine:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!($name, planned($config, &$identity, $machine));
        });
    };
}

#[test]
fn a_run_without_options() {
    matches!("run", ContainerConfig::default(), ROOT, V2);
}

#[test]
fn a_user_s_run_without_options() {
    matches!("run_user", ContainerConfig::default(), USER, V1);
}

#[test]
fn a_privileged_run() {
    // Numbers, mode and owner of this one are the same on every machine.
    let devices = |found: &mut Vec<_>| {
        found.push(("/dev/other".into(), std::fs::metadata("/dev/null")?));
        Err(std::io::Error::other("no more"))
    };
    let security = Security { privileged: true, ..Security::default() };
    let config = ContainerConfig { security, tty: true, ..ContainerConfig::default() };
    matches!("privileged", config, ROOT, Machine { devices, ..V2 });
}

#[test]
fn a_run_in_a_user_namespace() {
    let range = vec![IdRange { inside: 0, outside: 100_000, count: 65_536 }];
    let users = Users::Auto { size: None };
    let isolation =
        Isolation { users, user_map: Some(UserMap { uid: range.clone(), gid: range }), ..Isolation::default() };
    let device = DeviceMapping { host: "/dev/null".into(), inside: "/dev/nothing".into(), access: "rw".into() };
    let given = MountSource::Bind { path: "/srv/data".into(), create: true };
    let mounts = vec![Mount { id_mapped: true, give_to_user: true, ..Mount::new(given, "/data") }];
    let config = ContainerConfig { isolation, devices: vec![device], mounts, ..ContainerConfig::default() };
    matches!("user_namespace", config, ROOT, V2);
}

#[test]
fn a_run_that_is_sealed_and_mounts_something_of_everything() {
    let bind = |target: &str| Mount::new(MountSource::Bind { path: "/srv".into(), create: true }, target);
    let mounts = vec![
        Mount { read_only: true, below: Below::Writable, ..bind("/a/alone") },
        Mount { below: Below::Hidden, propagation: Some("rshared".into()), ..bind("/a") },
        Mount { attributes: vec!["nosuid".into(), "noatime".into()], ..bind("/b") },
        Mount::new(MountSource::Volume { name: "kept".into() }, "/kept"),
        Mount { no_copy: true, ..Mount::new(MountSource::Volume { name: "kept".into() }, "/plain") },
    ];
    let security = Security {
        cap_drop: vec!["ALL".into()],
        cap_add: vec!["CHOWN".into()],
        no_new_privileges: Some(false),
        seccomp: SeccompProfile::Unconfined,
        mask: vec!["/etc/secret".into()],
        unmask: vec!["/proc/kcore".into(), "/proc/sys".into()],
        ..Security::default()
    };
    let ulimit = |name: &str, value| Ulimit { name: name.into(), soft: value, hard: value };
    let config = ContainerConfig {
        mounts,
        security,
        read_only: true,
        tmpfs: vec![Tmpfs { target: "/tmp".into(), options: "size=1m,exec".into() }],
        shm_size: Some(1 << 20),
        user: "1:2".into(),
        group_add: vec!["audio".into()],
        ulimits: vec![ulimit("core", 0), ulimit("nofile", u64::MAX)],
        limits: Limits { memory: Some(64 << 20), oom_score_adj: Some(-500), ..Limits::default() },
        isolation: Isolation { ipc: Ipc::None, pid: Sharing::Host, ..Isolation::default() },
        sysctls: BTreeMap::from([("net/ipv4/ip_forward".to_owned(), "1".to_owned())]),
        ..ContainerConfig::default()
    };
    matches!("sealed", config, ROOT, V1);
}
