//! What this runtime can do on this machine, as `features` answers it; and the configuration to begin with.

use super::hooks::Moment;
use super::{Outcome, SPEC_VERSION, invalid};
use crate::runtime::bundle::sealed;
use crate::runtime::init::report::words;
use crate::runtime::{caps, cgroup};
use crate::sys::{channel, confine, mount};
use serde_json::{Value, json};
use std::path::Path;

/// Every word of the specification's table, and of the older runtimes', that is carried out.
const MOUNT_OPTIONS: [&str; 64] = [
    "async",
    "atime",
    "bind",
    "defaults",
    "dev",
    "diratime",
    "dirsync",
    "exec",
    "idmap",
    "iversion",
    "lazytime",
    "loud",
    "mand",
    "noatime",
    "nodev",
    "nodiratime",
    "noexec",
    "noiversion",
    "nolazytime",
    "nomand",
    "norelatime",
    "nostrictatime",
    "nosuid",
    "nosymfollow",
    "private",
    "ratime",
    "rbind",
    "rdev",
    "rdiratime",
    "relatime",
    "remount",
    "rexec",
    "ridmap",
    "rnoatime",
    "rnodev",
    "rnodiratime",
    "rnoexec",
    "rnorelatime",
    "rnostrictatime",
    "rnosuid",
    "rnosymfollow",
    "ro",
    "rprivate",
    "rrelatime",
    "rro",
    "rrw",
    "rshared",
    "rslave",
    "rstrictatime",
    "rsuid",
    "rsymfollow",
    "runbindable",
    "rw",
    "shared",
    "silent",
    "slave",
    "strictatime",
    "suid",
    "symfollow",
    "sync",
    "tmpcopyup",
    "unbindable",
    "acl",
    "noacl",
];

pub fn features() -> Value {
    let namespaces: Vec<&str> = ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"]
        .into_iter()
        .filter(|name| {
            let file = match *name {
                "mount" => "mnt",
                "network" => "net",
                other => other,
            };
            Path::new("/proc/self/ns").join(file).exists()
        })
        .collect();
    let known = u64::MAX >> (63 - confine::last_capability());
    let capabilities: Vec<String> = caps::names(known).map(|name| format!("CAP_{name}")).collect();
    let actions: Vec<&str> = [
        ("SCMP_ACT_ALLOW", 0x7fff_0000),
        ("SCMP_ACT_ERRNO", 0x0005_0000),
        ("SCMP_ACT_KILL", 0),
        ("SCMP_ACT_KILL_PROCESS", 0x8000_0000),
        ("SCMP_ACT_KILL_THREAD", 0),
        ("SCMP_ACT_LOG", 0x7ffc_0000),
        ("SCMP_ACT_NOTIFY", 0x7fc0_0000),
        ("SCMP_ACT_TRACE", 0x7ff0_0000),
        ("SCMP_ACT_TRAP", 0x0003_0000),
    ]
    .into_iter()
    .filter(|(_, number)| confine::knows_action(*number))
    .map(|(name, _)| name)
    .collect();
    let flags = [
        "SECCOMP_FILTER_FLAG_LOG",
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        "SECCOMP_FILTER_FLAG_TSYNC",
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    ];
    // Of the security modules it is asked what this runtime knows, not what the machine has switched on.
    json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": SPEC_VERSION,
        "hooks": Moment::ALL.map(Moment::name),
        "mountOptions": &MOUNT_OPTIONS[..],
        "linux": {
            "namespaces": namespaces,
            "capabilities": capabilities,
            "cgroup": { "v1": true, "v2": true, "systemd": true, "systemdUser": true, "rdma": true },
            "seccomp": {
                "enabled": !actions.is_empty(),
                "actions": actions,
                "operators": [
                    "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ",
                    "SCMP_CMP_NE",
                ],
                "archs": crate::runtime::seccomp::architectures(),
                "knownFlags": flags,
                "supportedFlags": flags,
            },
            "apparmor": { "enabled": true },
            "selinux": { "enabled": true },
            "intelRdt": { "enabled": true, "schemata": true, "monitoring": true },
            "memoryPolicy": {
                "modes": [
                    "MPOL_BIND", "MPOL_DEFAULT", "MPOL_INTERLEAVE", "MPOL_LOCAL", "MPOL_PREFERRED", "MPOL_PREFERRED_MANY",
                    "MPOL_WEIGHTED_INTERLEAVE",
                ],
                "flags": ["MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"],
            },
            "mountExtensions": { "idmap": { "enabled": mount::maps_ids() } },
            "netDevices": { "enabled": true },
        },
        "annotations": { "org.opencontainers.runtime.teu.version": env!("CARGO_PKG_VERSION") },
        "potentiallyUnsafeConfigAnnotations": ["org.systemd.property."],
    })
}

/// Writes the configuration of a shell into `config.json`, which must not be there.
pub fn write_template(bundle: &Path, rootless: bool) -> Outcome<()> {
    use std::io::Write;
    let path = bundle.join("config.json");
    let file = std::fs::File::options().write(true).create_new(true).open(&path);
    let mut file = file.map_err(|e| invalid(format!("making {}: {}", path.display(), words(&e))))?;
    let text = serde_json::to_string_pretty(&template(rootless)).unwrap_or_default();
    file.write_all(text.as_bytes()).map_err(|e| invalid(format!("writing {}: {e}", path.display())))
}

pub fn template(rootless: bool) -> Value {
    let sets = json!(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    let mut spec = json!({
        "ociVersion": SPEC_VERSION,
        "process": {
            "terminal": true,
            "user": { "uid": 0, "gid": 0 },
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": { "bounding": sets, "effective": sets, "permitted": sets },
            "rlimits": [{ "type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024 }],
            "noNewPrivileges": true,
        },
        "root": { "path": "rootfs", "readonly": true },
        "hostname": "teu",
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            { "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
              "options": ["nosuid", "strictatime", "mode=755", "size=65536k"] },
            { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
              "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
            { "destination": "/dev/shm", "type": "tmpfs", "source": "shm",
              "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"] },
            { "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
              "options": ["nosuid", "noexec", "nodev"] },
            { "destination": "/sys", "type": "sysfs", "source": "sysfs",
              "options": ["nosuid", "noexec", "nodev", "ro"] },
            { "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
              "options": ["nosuid", "noexec", "nodev", "relatime", "ro"] },
        ],
        "linux": {
            "resources": { "devices": [{ "allow": false, "access": "rwm" }] },
            "namespaces": [
                { "type": "pid" }, { "type": "network" }, { "type": "ipc" }, { "type": "uts" }, { "type": "mount" },
            ],
            "maskedPaths": sealed::MASKED,
            "readonlyPaths": sealed::READ_ONLY,
        },
    });
    // With v1 a view of the group is the exception.
    if cgroup::version() == cgroup::Version::V2
        && let Some(namespaces) = spec["linux"]["namespaces"].as_array_mut()
    {
        namespaces.push(json!({ "type": "cgroup" }));
    }
    if rootless {
        make_rootless(&mut spec);
    }
    spec
}

/// For an ordinary user: one id, the host's network, and no limits.
fn make_rootless(spec: &mut Value) {
    let uid = channel::own_uid();
    let gid = crate::sys::files::creator().1;
    let linux = &mut spec["linux"];
    linux["uidMappings"] = json!([{ "containerID": 0, "hostID": uid, "size": 1 }]);
    linux["gidMappings"] = json!([{ "containerID": 0, "hostID": gid, "size": 1 }]);
    if let Some(parts) = linux.as_object_mut() {
        parts.remove("resources");
    }
    if let Some(namespaces) = linux["namespaces"].as_array_mut() {
        namespaces.retain(|n| n["type"] != "network");
        namespaces.push(json!({ "type": "user" }));
    }
    if let Some(mounts) = spec["mounts"].as_array_mut() {
        mounts.retain(|m| m["destination"] != "/sys/fs/cgroup");
        for mount in mounts {
            if mount["destination"] == "/sys" {
                *mount = json!({ "destination": "/sys", "type": "none", "source": "/sys",
                                 "options": ["rbind", "nosuid", "noexec", "nodev", "ro"] });
            }
            if let Some(options) = mount["options"].as_array_mut() {
                options.retain(|o| o != "gid=5");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::machine::Machine;
    use crate::runtime::oci::config;

    #[test]
    fn the_configuration_to_begin_with_is_a_right_one() {
        for rootless in [false, true] {
            let text = template(rootless).to_string();
            config::check(&config::parse(text.as_bytes()).unwrap(), &Machine::HERE).unwrap();
        }
    }

    #[test]
    fn every_option_that_is_promised_is_understood() {
        for option in MOUNT_OPTIONS {
            assert!(crate::runtime::oci::mounts::understands(option), "{option}");
        }
        assert!(!crate::runtime::oci::mounts::understands("size=3"));
    }
}
