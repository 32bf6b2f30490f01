//! The fields of `HostConfig` that say what a container may do and what it shares.

use crate::model::container::{ContainerConfig, SeccompProfile};
use crate::model::isolation::{DeviceMapping, IdRange};
use crate::runtime::bundle::sealed;
use crate::runtime::machine::Machine;
use serde_json::{Value, json};

pub(super) fn host_config(c: &ContainerConfig) -> Value {
    let (masked, read_only) = sealed::paths(&c.security, &Machine::HERE);
    let device =
        |d: &DeviceMapping| json!({"PathOnHost": d.host, "PathInContainer": d.inside, "CgroupPermissions": d.access});
    json!({
        "CapAdd": c.security.cap_add,
        "CapDrop": c.security.cap_drop,
        "Privileged": c.security.privileged,
        "SecurityOpt": security_options(c),
        "MaskedPaths": masked,
        "ReadonlyPaths": read_only,
        "ReadonlyRootfs": c.read_only,
        "GroupAdd": c.group_add,
        "Sysctls": c.sysctls,
        "CgroupnsMode": if c.isolation.host_cgroups { "host" } else { "private" },
        "IpcMode": c.isolation.ipc.word(),
        "PidMode": c.isolation.pid.word(),
        "UTSMode": c.isolation.uts.word(),
        "UsernsMode": c.isolation.users.word(),
        "IDMappings": c.isolation.user_map.as_ref().map(|map| {
            let lines = |ranges: &[IdRange]| ranges.iter().map(ToString::to_string).collect::<Vec<_>>();
            json!({"UidMap": lines(&map.uid), "GidMap": lines(&map.gid)})
        }),
        "Devices": c.devices.iter().map(device).collect::<Vec<_>>(),
        "DeviceCgroupRules": c.device_rules.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn security_options(c: &ContainerConfig) -> Vec<String> {
    let mut options = Vec::new();
    if let Some(on) = c.security.no_new_privileges {
        options.push(format!("no-new-privileges={on}"));
    }
    match &c.security.seccomp {
        SeccompProfile::Default => {}
        SeccompProfile::Unconfined => options.push("seccomp=unconfined".into()),
        SeccompProfile::Custom(text) => options.push(format!("seccomp={text}")),
    }
    if c.security.unmask_all {
        options.push("systempaths=unconfined".into());
    }
    for (word, paths) in [("mask", &c.security.mask), ("unmask", &c.security.unmask)] {
        if !paths.is_empty() {
            options.push(format!("{word}={}", paths.join(":")));
        }
    }
    options.extend(c.security.apparmor.iter().map(|profile| format!("apparmor={profile}")));
    options.extend(c.security.as_is.iter().cloned());
    options
}
