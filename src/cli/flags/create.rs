//! The flags that `run` and `create` share.

use super::{command_line, list, quiet, switch, switch_on, value};
use clap::{Arg, ArgAction, Command};

/// A flag of docker's that has no meaning here. Giving one is an error that says why; it is never ignored.
pub(in crate::cli) struct Unsupported {
    pub flag: &'static str,
    pub why: &'static str,
    /// Values that ask for what is the case anyway.
    pub tame: &'static [&'static str],
}

pub(super) const fn no(flag: &'static str, why: &'static str) -> Unsupported {
    Unsupported { flag, why, tame: &[] }
}

pub(in crate::cli) const UNSUPPORTED: &[Unsupported] = &[
    no("gpus", "devices of vendors' runtimes are not known here; give the nodes by --device"),
    Unsupported { flag: "isolation", why: "there is one way of isolation on Linux: default", tame: &["", "default"] },
    no("link", "containers on one network find each other by their names: put both on a --network of yours"),
    no("link-local-ip", "teu gives no link-local addresses; see --ip and --ip6"),
    Unsupported { flag: "runtime", why: "teu is its own runtime", tame: &["", "teu"] },
    no("storage-opt", "the writable layer has no limit of its own"),
    no("use-api-socket", "there is no daemon whose socket could be given to the container"),
    Unsupported { flag: "volume-driver", why: "all volumes are local", tame: &["", "local"] },
];

pub(in crate::cli) fn run(command: Command) -> Command {
    create(command).args([
        switch("detach", "Run in the background and print the container's id").short('d'),
        value("detach-keys", "KEYS", "Override the keys that detach (ctrl-p,ctrl-q)"),
        switch_on("sig-proxy", "Proxy received signals to the process"),
    ])
}

pub(in crate::cli) fn create(command: Command) -> Command {
    let command = process(command.disable_help_flag(true));
    let command = security(limits(storage(network(command))));
    let command = command.arg(Arg::new("help").long("help").action(ArgAction::Help).help("Print help"));
    let refused = UNSUPPORTED.iter().map(|unsupported| match unsupported.flag {
        "use-api-socket" => switch(unsupported.flag, "").hide(true),
        flag => list(flag, "VALUE", "").hide(true),
    });
    command.args(refused).arg(command_line("IMAGE"))
}

fn process(command: Command) -> Command {
    command.args([
        list("attach", "STREAM", "Attach to STDIN, STDOUT or STDERR").short('a'),
        value("name", "NAME", "Assign a name to the container"),
        switch("interactive", "Keep stdin open even if not attached").short('i'),
        switch("tty", "Allocate a pseudo-terminal").short('t'),
        list("env", "K=V", "Set environment variables").short('e'),
        list("env-file", "FILE", "Read environment variables from a file"),
        value("workdir", "DIR", "Working directory inside the container").short('w'),
        value("user", "USER", "Name or uid (format: <name|uid>[:<group|gid>])").short('u'),
        list("group-add", "GROUP", "Additional groups to join"),
        value("entrypoint", "CMD", "Overwrite the image's default entrypoint"),
        list("label", "K=V", "Set metadata").short('l'),
        list("label-file", "FILE", "Read metadata from a file"),
        list("annotation", "K=V", "Add an annotation to the container's specification"),
        value("platform", "OS/ARCH", "Choose the platform of an image that has several"),
        value("pull", "WHEN", "Pull the image before running: always, missing or never"),
        quiet("Suppress the pull output"),
        switch("rm", "Remove the container and its anonymous volumes when it exits"),
        restart(),
        value("stop-signal", "SIGNAL", "Signal that stops the container"),
        value("stop-timeout", "SECONDS", "Time-out to stop the container"),
        switch("init", "Run an init inside that forwards signals and reaps processes"),
        value("cidfile", "FILE", "Write the container's id to a file"),
        value("log-driver", "DRIVER", "json-file or local (teu's own log), or none"),
        list("log-opt", "K=V", "max-size=10m, max-file=3"),
        value("health-cmd", "COMMAND", "Command that checks whether the container is healthy"),
        value("health-interval", "DURATION", "Time between two checks (1m30s; default 30s)"),
        value("health-timeout", "DURATION", "Time one check may take (default 30s)"),
        value("health-retries", "NUMBER", "Failures in a row that mean unhealthy (default 3)"),
        value("health-start-period", "DURATION", "Time to start in, before failures count"),
        value("health-start-interval", "DURATION", "Time between two checks in the start period (default 5s)"),
        switch("no-healthcheck", "Disable any health check of the image"),
        switch("disable-content-trust", "").hide(true),
    ])
}

fn restart() -> Arg {
    value("restart", "POLICY", "no, always, unless-stopped or on-failure[:max-retries]")
}

fn network(command: Command) -> Command {
    command.args([
        list(
            "network",
            "NETWORK",
            "A network, none, host or container:NAME; several times: several networks (default bridge)",
        )
        .visible_alias("net"),
        list("network-alias", "NAME", "Further names of the container on its first network").alias("net-alias"),
        value("ip", "IP", "IPv4 address on the first network"),
        value("ip6", "IP", "IPv6 address on the first network"),
        value("mac-address", "MAC", "MAC address on the first network"),
        list("publish", "[IP:][HOST:]PORT[/PROTO]", "Publish a port of the container on the host").short('p'),
        switch("publish-all", "Publish all exposed ports on random ports of the host").short('P'),
        list("expose", "PORT[/PROTO]", "Expose a port without publishing it"),
        value("hostname", "NAME", "Host name inside the container").short('h'),
        value("domainname", "NAME", "NIS domain name inside the container"),
        list("add-host", "HOST:IP", "Add a line to the hosts file"),
        list("dns", "IP", "Set DNS servers"),
        list("dns-search", "DOMAIN", "Set DNS search domains"),
        list("dns-option", "OPTION", "Set resolver options").alias("dns-opt"),
    ])
}

fn storage(command: Command) -> Command {
    command.args([
        list("volume", "SRC:DST[:OPTS]", "Bind mount a path or a named volume").short('v'),
        list("mount", "SPEC", "type=bind|volume|tmpfs,src=…,dst=…[,ro]"),
        list("volumes-from", "CONTAINER[:ro]", "Mount what another container mounts"),
        list("tmpfs", "DST[:OPTS]", "Mount a tmpfs directory"),
        switch("read-only", "Mount the root file system read-only"),
        value("shm-size", "BYTES", "Size of /dev/shm"),
    ])
}

fn limits(command: Command) -> Command {
    command.args([
        value("memory", "BYTES", "Memory limit").short('m'),
        value("memory-swap", "BYTES", "Memory plus swap; -1: unlimited swap"),
        value("memory-reservation", "BYTES", "Memory soft limit"),
        value("cpus", "NUMBER", "Number of CPUs"),
        value("cpu-shares", "WEIGHT", "Relative weight (1024 is usual)").short('c'),
        value("cpu-period", "USEC", "CFS period in microseconds"),
        value("cpu-quota", "USEC", "CFS quota in microseconds"),
        value("cpuset-cpus", "LIST", "CPUs to run on (0-3, 0,1)"),
        value("cpuset-mems", "LIST", "Memory nodes to use (0-3, 0,1)"),
        value("pids-limit", "NUMBER", "Limit of tasks; -1: unlimited"),
        value("blkio-weight", "WEIGHT", "Block IO weight, 10 to 1000"),
        list("blkio-weight-device", "PATH:WEIGHT", "Block IO weight of a device"),
        list("device-read-bps", "PATH:RATE", "Limit the bytes read from a device in a second"),
        list("device-write-bps", "PATH:RATE", "Limit the bytes written to a device in a second"),
        list("device-read-iops", "PATH:RATE", "Limit the reads from a device in a second"),
        list("device-write-iops", "PATH:RATE", "Limit the writes to a device in a second"),
        value("memory-swappiness", "NUMBER", "How readily memory is swapped out, 0 to 100 (control groups v1)"),
        value("cpu-rt-period", "USEC", "Real-time period in microseconds (control groups v1)"),
        value("cpu-rt-runtime", "USEC", "Real-time runtime in microseconds (control groups v1)"),
        value("oom-score-adj", "NUMBER", "The kernel's OOM preference, -1000 to 1000"),
        switch("oom-kill-disable", "Who wants too much memory waits (control groups v1)"),
        value("cgroup-parent", "PATH", "Make the container's control group in this one"),
        list("ulimit", "NAME=SOFT[:HARD]", "Ulimit options"),
    ])
}

/// What `update` may change.
pub(super) fn update_limits(command: Command) -> Command {
    let command = command.args([
        list("publish-add", "[IP:][HOST:]PORT[/PROTO]", "Publish one more port, at once and from now on"),
        list("publish-rm", "[[IP:]HOST:]PORT[/PROTO]", "Take a published port away"),
        restart(),
    ]);
    let fixed = super::FIXED_LIMITS;
    fixed.iter().fold(limits(command), |command, flag| command.mut_arg(flag, |a| a.hide(true)))
}

fn security(command: Command) -> Command {
    command.args([
        switch("privileged", "Give all capabilities and devices to the container"),
        list("cap-add", "CAP", "Add capabilities"),
        list("cap-drop", "CAP", "Drop capabilities"),
        list("security-opt", "OPT", "no-new-privileges, seccomp=unconfined|FILE, mask=PATHS, unmask=ALL|PATHS, …"),
        list("device", "HOST[:PATH[:rwm]]", "Add a device of the host"),
        list("device-cgroup-rule", "RULE", "Allow devices by number, as in 'c 10:229 rwm'"),
        list("sysctl", "K=V", "Set namespaced kernel parameters"),
        value("ipc", "MODE", "IPC namespace: private, shareable, none, host or container:NAME"),
        value("pid", "MODE", "PID namespace: private, host or container:NAME"),
        value("uts", "MODE", "UTS namespace: private, host or container:NAME"),
        value("userns", "MODE", "User namespace: host, private, auto[:size=N], keep-id[:uid=N,gid=N] or a map"),
        list("uidmap", "INSIDE:OUTSIDE[:COUNT]", "Map users of the container to these of the host"),
        list("gidmap", "INSIDE:OUTSIDE[:COUNT]", "Map groups of the container to these of the host"),
        value("subuidname", "NAME", "Map users to the ranges that NAME has in /etc/subuid"),
        value("subgidname", "NAME", "Map groups to the ranges that NAME has in /etc/subgid"),
        value("cgroupns", "MODE", "cgroup namespace: private or host"),
    ])
}
