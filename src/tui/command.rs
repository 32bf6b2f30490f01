//! The command line that does the same as a request: shown beside confirmations, in forms and in the action log.

use super::figures::quote;
use crate::engine::Request;
use crate::engine::request::{ConnectArgs, CreateArgs, CreateNetworkArgs, ExecArgs, RunArgs};
use crate::model::container::{Limits, RestartPolicy};
use crate::model::mount::{Mount, MountSource};
use crate::model::network::{Driver, NetworkMode};

/// `teu ...`, words quoted for a shell.
pub fn line(request: &Request) -> String {
    let words = words(request);
    let mut line = String::from("teu");
    for word in words {
        line.push(' ');
        line.push_str(&quote(&word));
    }
    line
}

fn list(verb: &[&str], targets: &[String]) -> Vec<String> {
    verb.iter().map(|v| (*v).to_owned()).chain(targets.iter().cloned()).collect()
}

fn words(request: &Request) -> Vec<String> {
    match request {
        Request::Pull(a) => list(&["pull"], &[a.reference.familiar()]),
        Request::FromHost(a) => list(&["image", "from-host"], &a.programs),
        Request::Tag(a) => list(&["tag"], &[a.image.clone(), a.target.familiar()]),
        Request::RemoveImages(a) => list(if a.force { &["rmi", "-f"] } else { &["rmi"] }, &a.images),
        Request::Create(a) => create("create", a, &[]),
        Request::Run(a) => run(a),
        Request::Start(t) => list(&["start"], &t.containers),
        Request::Pause(t) => list(&["pause"], &t.containers),
        Request::Resume(t) => list(&["unpause"], &t.containers),
        Request::Wait(t) => list(&["wait"], &t.containers),
        Request::Stop(a) => list(&["stop"], &a.containers),
        Request::Restart(a) => list(&["restart"], &a.containers),
        Request::Kill(a) => list(&["kill", "-s", &a.signal], &a.containers),
        Request::Remove(a) => match (a.force, a.volumes) {
            (true, true) => list(&["rm", "-f", "-v"], &a.containers),
            (true, false) => list(&["rm", "-f"], &a.containers),
            (false, true) => list(&["rm", "-v"], &a.containers),
            (false, false) => list(&["rm"], &a.containers),
        },
        Request::Rename { container, name } => list(&["rename"], &[container.clone(), name.clone()]),
        Request::Update { containers, limits: l, restart } => {
            let mut words = vec![String::from("update")];
            limits(l, &mut words);
            words.extend(restart.iter().flat_map(|policy| ["--restart".to_owned(), policy.to_string()]));
            words.extend(containers.iter().cloned());
            words
        }
        Request::Attach(a) => list(&["attach"], std::slice::from_ref(&a.container)),
        Request::Exec(a) => exec(a),
        Request::Logs(a) => {
            list(if a.follow { &["logs", "-f"] } else { &["logs"] }, std::slice::from_ref(&a.container))
        }
        Request::Stats(a) => list(&["stats"], &a.containers),
        Request::CreateVolume(a) => list(&["volume", "create"], a.name.as_slice()),
        Request::RemoveVolumes { volumes, .. } => list(&["volume", "rm"], volumes),
        Request::CreateNetwork(a) => create_network(a),
        Request::RemoveNetworks { networks, .. } => list(&["network", "rm"], networks),
        Request::ConnectNetwork(a) => connect(a),
        Request::DisconnectNetwork { network, container, .. } => {
            list(&["network", "disconnect"], &[network.clone(), container.clone()])
        }
        Request::ReloadNetworks(t) => list(&["network", "reload"], &t.containers),
        Request::Publish(a) => {
            let add = a.add.iter().flat_map(|p| ["--publish-add".to_owned(), p.to_string()]);
            let remove = a.remove.iter().flat_map(|p| ["--publish-rm".to_owned(), p.to_string()]);
            let mut words: Vec<String> = std::iter::once("update".to_owned()).chain(add).chain(remove).collect();
            words.extend(a.containers.iter().cloned());
            words
        }
        Request::Inspect(a) => list(&["inspect"], &a.names),
        Request::Top { container } | Request::Diff { container } => {
            list(&[request.name()], std::slice::from_ref(container))
        }
        Request::Prune(a) if a.networks => list(&["network", "prune"], &[]),
        Request::Prune(a) => list(if a.all_images { &["image", "prune", "-a"] } else { &["image", "prune"] }, &[]),
        Request::Events(_) | Request::Doctor | Request::Reap { .. } | Request::Sample | Request::Reconcile => {
            list(&[request.name()], &[])
        }
    }
}

fn run(a: &RunArgs) -> Vec<String> {
    let mut flags = Vec::new();
    if a.detach {
        flags.push(String::from("-d"));
    }
    create("run", &a.create, &flags)
}

fn create(verb: &str, a: &CreateArgs, flags: &[String]) -> Vec<String> {
    let c = &a.config;
    let mut words = vec![verb.to_owned()];
    words.extend(flags.iter().cloned());
    match (c.open_stdin, c.tty) {
        (true, true) => words.push("-it".into()),
        (true, false) => words.push("-i".into()),
        (false, true) => words.push("-t".into()),
        (false, false) => {}
    }
    if c.auto_remove {
        words.push("--rm".into());
    }
    let mut pair = |flag: &str, value: &str| words.extend([flag.to_owned(), value.to_owned()]);
    if let Some(name) = &a.name {
        pair("--name", name);
    }
    for env in &c.env {
        pair("-e", env);
    }
    for mount in &c.mounts {
        pair("-v", &mount_text(mount));
    }
    for tmpfs in &c.tmpfs {
        pair("--tmpfs", &tmpfs.target);
    }
    match &c.network {
        _ if a.default_network => {}
        NetworkMode::Attached => c.endpoints.iter().for_each(|e| pair("--network", &e.network)),
        NetworkMode::Container(id) => pair("--network", &format!("container:{id}")),
        NetworkMode::None | NetworkMode::Host => pair("--network", c.network.word()),
    }
    for port in &c.ports {
        pair("-p", &port.to_string());
    }
    if c.restart != RestartPolicy::No {
        pair("--restart", &c.restart.to_string());
    }
    limits(&c.limits, &mut words);
    words.push(a.image.clone());
    words.extend(a.command.iter().cloned());
    words
}

fn create_network(a: &CreateNetworkArgs) -> Vec<String> {
    let mut words = vec![String::from("network"), String::from("create")];
    let mut pair = |flag: &str, value: String| words.extend([flag.to_owned(), value]);
    if a.driver != Driver::Bridge {
        pair("-d", a.driver.word().to_owned());
    }
    a.subnets.iter().for_each(|s| pair("--subnet", s.to_string()));
    a.gateways.iter().for_each(|g| pair("--gateway", g.to_string()));
    a.ranges.iter().for_each(|r| pair("--ip-range", r.to_string()));
    for (flag, on) in [("--internal", a.internal), ("--ipv6", a.ipv6), ("--attachable", a.attachable)] {
        words.extend(on.then(|| flag.to_owned()));
    }
    for (key, value) in &a.options {
        words.extend([String::from("-o"), format!("{key}={value}")]);
    }
    words.push(a.name.clone());
    words
}

fn connect(a: &ConnectArgs) -> Vec<String> {
    let mut words = vec![String::from("network"), String::from("connect")];
    let mut pair = |flag: &str, value: String| words.extend([flag.to_owned(), value]);
    a.endpoint.aliases.iter().for_each(|alias| pair("--alias", alias.clone()));
    a.endpoint.ip.iter().for_each(|ip| pair("--ip", ip.to_string()));
    a.endpoint.ip6.iter().for_each(|ip| pair("--ip6", ip.to_string()));
    words.extend([a.endpoint.network.clone(), a.container.clone()]);
    words
}

fn mount_text(mount: &Mount) -> String {
    let source = match &mount.source {
        MountSource::Bind { path, .. } => format!("{path}:"),
        MountSource::Volume { name } => format!("{name}:"),
        MountSource::Anonymous { .. } => String::new(),
    };
    format!("{source}{}{}", mount.target, if mount.read_only { ":ro" } else { "" })
}

fn limits(l: &Limits, words: &mut Vec<String>) {
    let mut pair = |flag: &str, value: String| words.extend([flag.to_owned(), value]);
    if let Some(memory) = l.memory {
        pair("-m", bytes(memory));
    }
    if let Some(nano) = l.nano_cpus {
        pair("--cpus", format!("{}", nano as f64 / 1e9));
    }
    if let Some(pids) = l.pids {
        pair("--pids-limit", pids.to_string());
    }
}

/// The shortest exact form: `64m`, `1536k`, `1000`.
pub fn bytes(value: u64) -> String {
    for (unit, shift) in [("g", 30), ("m", 20), ("k", 10)] {
        if value > 0 && value.is_multiple_of(1 << shift) {
            return format!("{}{unit}", value >> shift);
        }
    }
    value.to_string()
}

fn exec(a: &ExecArgs) -> Vec<String> {
    let mut words = vec![String::from("exec")];
    match (a.stdin, a.tty) {
        (true, true) => words.push("-it".into()),
        (true, false) => words.push("-i".into()),
        (false, true) => words.push("-t".into()),
        (false, false) => {}
    }
    if let Some(user) = &a.user {
        words.extend([String::from("-u"), user.clone()]);
    }
    words.push(a.container.clone());
    if a.command.is_empty() {
        words.push(String::from("sh"));
    }
    words.extend(a.command.iter().cloned());
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::request::{KillArgs, RemoveArgs};
    use crate::model::container::ContainerConfig;

    #[test]
    fn requests_read_as_commands() {
        let kill = Request::Kill(KillArgs { containers: vec!["web".into()], signal: "TERM".into() });
        assert_eq!(line(&kill), "teu kill -s TERM web");
        let rm = Request::Remove(RemoveArgs {
            containers: vec!["a".into(), "b".into()],
            force: true,
            volumes: false,
            undo: None,
        });
        assert_eq!(line(&rm), "teu rm -f a b");
        let config = ContainerConfig {
            tty: true,
            open_stdin: true,
            auto_remove: true,
            env: vec!["A=b c".into()],
            limits: Limits { memory: Some(64 << 20), nano_cpus: Some(500_000_000), ..Limits::default() },
            ..ContainerConfig::default()
        };
        let command = vec!["sh".into()];
        let create = CreateArgs { image: "x".into(), command, config, default_network: true, ..CreateArgs::default() };
        let run = Request::Run(Box::new(RunArgs { create, ..RunArgs::default() }));
        assert_eq!(line(&run), "teu run -it --rm -e 'A=b c' -m 64m --cpus 0.5 x sh");
    }
}
