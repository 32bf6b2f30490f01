//! `docker inspect CONTAINER`.

use super::{NEVER, isolation, limits, network};
use crate::model::container::{Container, ContainerConfig, RestartPolicy, State, Status};
use crate::model::health::Health;
use crate::model::mount::{Below, Mount, MountSource};
use crate::model::time::Timestamp;
use crate::store::StateRoot;
use serde_json::{Map, Value, json};

const DEFAULT_SHM: u64 = 64 << 20;

/// The whole object. `driver` is the graph driver's name.
pub(crate) fn container(c: &Container, state: &State, root: &StateRoot, driver: &str) -> Value {
    let config = &c.config;
    let (id, dir) = (c.id.as_str(), root.container(c.id.as_str()));
    let file = |name: &str| dir.join(name).display().to_string();
    json!({
        "Id": id,
        "Created": c.created.rfc3339(),
        "Path": config.args.first().cloned().unwrap_or_default(),
        "Args": config.args.iter().skip(1).collect::<Vec<_>>(),
        "State": life(state),
        "Image": c.image.to_string(),
        "ResolvConfPath": file("resolv.conf"),
        "HostnamePath": file("hostname"),
        "HostsPath": file("hosts"),
        "LogPath": file("log"),
        "Name": format!("/{}", c.name),
        "RestartCount": state.restarts,
        "Driver": driver,
        "Platform": config.platform.split('/').next().unwrap_or("linux"),
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": config.security.apparmor.as_deref().unwrap_or("unconfined"),
        "ExecIDs": state.execs.iter().filter(|e| e.exit.is_none()).map(|e| e.id.as_str()).collect::<Vec<_>>(),
        "HostConfig": host_config(config),
        "GraphDriver": {"Name": driver, "Data": graph(&dir)},
        "Mounts": config.mounts.iter().map(|m| mount(m, root)).collect::<Vec<_>>(),
        "Config": own_config(c),
        "NetworkSettings": network::settings(c, state),
    })
}

fn moment(time: Option<Timestamp>) -> String {
    time.map_or_else(|| NEVER.to_owned(), Timestamp::rfc3339)
}

fn life(state: &State) -> Value {
    let exit = state.exit.unwrap_or_default();
    let mut value = json!({
        "Status": state.status.word(),
        "Running": state.status.is_live(),
        "Paused": state.status == Status::Paused,
        "Restarting": state.status == Status::Restarting,
        "OOMKilled": exit.oom,
        "Dead": false,
        "Pid": state.pid,
        "ExitCode": if state.status.is_live() { 0 } else { exit.code },
        "Error": state.error,
        "StartedAt": moment(state.started),
        "FinishedAt": moment(state.finished),
        "MonitorPid": state.monitor_pid,
        "Orphaned": state.status == Status::Orphaned,
    });
    if let Some(health) = &state.health {
        value["Health"] = health_of(health);
    }
    value
}

fn health_of(health: &Health) -> Value {
    let results = health.log.iter().map(|r| {
        json!({
            "Start": r.start.rfc3339(), "End": r.end.rfc3339(), "ExitCode": r.exit_code, "Output": r.output,
        })
    });
    json!({
        "Status": health.status.word(),
        "FailingStreak": health.failing_streak,
        "Log": results.collect::<Vec<_>>(),
    })
}

fn graph(dir: &std::path::Path) -> Value {
    let path = |name: &str| dir.join(name).display().to_string();
    json!({"UpperDir": path("upper"), "WorkDir": path("work")})
}

fn host_config(c: &ContainerConfig) -> Value {
    let mut out = object(limits::host_config(&c.limits));
    out.extend(object(isolation::host_config(c)));
    out.extend(object(json!({
        "Binds": c.mounts.iter().filter_map(bind).collect::<Vec<_>>(),
        "ContainerIDFile": "",
        "CgroupParent": c.cgroup_parent,
        "Annotations": c.annotations,
        "LogConfig": {
            "Type": if c.log.enabled { "local" } else { "none" },
            "Config": {"max-size": c.log.max_size.to_string(), "max-file": c.log.max_files.to_string()},
        },
        "NetworkMode": network::mode(c),
        "PortBindings": network::bindings(c),
        "RestartPolicy": restart(&c.restart),
        "AutoRemove": c.auto_remove,
        "VolumeDriver": "",
        "VolumesFrom": c.volumes_from,
        "Dns": c.dns,
        "DnsOptions": c.dns_options,
        "DnsSearch": c.dns_search,
        "ExtraHosts": c.extra_hosts,
        "Links": [],
        "OomScoreAdj": c.limits.oom_score_adj.unwrap_or(0),
        "PublishAllPorts": c.publish_all,
        "Tmpfs": c.tmpfs.iter().map(|t| (t.target.clone(), json!(t.options))).collect::<Map<_, _>>(),
        "ShmSize": c.shm_size.unwrap_or(DEFAULT_SHM),
        "Runtime": "teu",
        "Isolation": "",
        "Init": c.init,
        "Ulimits": c.ulimits.iter().map(|u| json!({"Name": u.name, "Soft": u.soft, "Hard": u.hard})).collect::<Vec<_>>(),
    })));
    Value::Object(out)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn restart(policy: &RestartPolicy) -> Value {
    let (name, count) = match policy {
        RestartPolicy::No => ("no", 0),
        RestartPolicy::Always => ("always", 0),
        RestartPolicy::UnlessStopped => ("unless-stopped", 0),
        RestartPolicy::OnFailure(count) => ("on-failure", *count),
    };
    json!({"Name": name, "MaximumRetryCount": count})
}

/// `source:target[:ro]`, as `-v` has it.
fn bind(mount: &Mount) -> Option<String> {
    let source = match &mount.source {
        MountSource::Bind { path, .. } => path,
        MountSource::Volume { name } => name,
        MountSource::Anonymous { .. } => return None,
    };
    let mode = mode(mount);
    Some(format!("{source}:{}{}{mode}", mount.target, if mode.is_empty() { "" } else { ":" }))
}

/// What was asked for besides source and target, in the words of `-v`.
fn mode(mount: &Mount) -> String {
    let words = [
        (mount.read_only, "ro"),
        (mount.below == Below::Hidden, "bind"),
        (mount.give_to_user, "U"),
        (mount.id_mapped, "idmap"),
    ];
    let words = words.into_iter().filter(|(asked, _)| *asked).map(|(_, word)| word);
    words.chain(mount.attributes.iter().map(String::as_str)).collect::<Vec<_>>().join(",")
}

fn mount(mount: &Mount, root: &StateRoot) -> Value {
    let mode = mode(mount);
    match &mount.source {
        MountSource::Bind { path, .. } => json!({
            "Type": "bind",
            "Source": path,
            "Destination": mount.target,
            "Mode": mode,
            "RW": !mount.read_only,
            "Propagation": mount.propagation.as_deref().unwrap_or("rprivate"),
        }),
        MountSource::Volume { name } | MountSource::Anonymous { name } => json!({
            "Type": "volume",
            "Name": name,
            "Source": root.volume(name).join("_data").display().to_string(),
            "Destination": mount.target,
            "Driver": "local",
            "Mode": mode,
            "RW": !mount.read_only,
            "Propagation": "",
        }),
    }
}

fn own_config(container: &Container) -> Value {
    let c = &container.config;
    let (entrypoint, command) = c.args.split_at(c.entrypoint_len.min(c.args.len()));
    let hostname = if c.hostname.is_empty() { container.id.short() } else { &c.hostname };
    let mut value = json!({
        "Hostname": hostname,
        "Domainname": c.domainname,
        "User": c.user,
        "AttachStdin": false,
        "AttachStdout": true,
        "AttachStderr": true,
        "ExposedPorts": c.exposed.iter().map(|p| (network::port_key(p), json!({}))).collect::<Map<_, _>>(),
        "Tty": c.tty,
        "OpenStdin": c.open_stdin,
        "StdinOnce": false,
        "Env": c.env,
        "Cmd": command,
        "Image": container.image_ref,
        "Volumes": c.mounts.iter()
            .filter(|m| matches!(m.source, MountSource::Anonymous { .. }))
            .map(|m| (m.target.clone(), json!({}))).collect::<Map<_, _>>(),
        "WorkingDir": c.workdir,
        "Entrypoint": entrypoint,
        "OnBuild": [],
        "Labels": c.labels,
        "StopSignal": c.stop_signal,
        "StopTimeout": c.stop_timeout,
    });
    if let Some(check) = &c.health {
        value["Healthcheck"] = json!(check);
    }
    if !c.shell.is_empty() {
        value["Shell"] = json!(c.shell);
    }
    value
}
