//! The flags that `run` and `create` share.

use super::{command_line, list, quiet, switch, switch_on, value};
use clap::{Arg, ArgAction, Command};

/// Flags of docker's that teu does not have yet: long name, short name, takes a value. Giving one is an error that
/// names it; it is never ignored.
pub(in crate::cli) const UNSUPPORTED: &[(&str, Option<char>, bool)] = &[
    ("annotation", None, true),
    ("blkio-weight-device", None, true),
    ("cgroup-parent", None, true),
    ("cpu-rt-period", None, true),
    ("cpu-rt-runtime", None, true),
    ("device-read-bps", None, true),
    ("device-read-iops", None, true),
    ("device-write-bps", None, true),
    ("device-write-iops", None, true),
    ("gpus", None, true),
    ("health-cmd", None, true),
    ("health-interval", None, true),
    ("health-retries", None, true),
    ("health-start-interval", None, true),
    ("health-start-period", None, true),
    ("health-timeout", None, true),
    ("isolation", None, true),
    ("label-file", None, true),
    ("link", None, true),
    ("link-local-ip", None, true),
    ("memory-swappiness", None, true),
    ("oom-kill-disable", None, false),
    ("runtime", None, true),
    ("storage-opt", None, true),
    ("use-api-socket", None, false),
    ("userns", None, true),
    ("volume-driver", None, true),
    ("volumes-from", None, true),
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
    let refused = UNSUPPORTED.iter().map(|(long, short, takes_value)| {
        let arg = if *takes_value { list(long, "VALUE", "") } else { switch(long, "") };
        short.map_or(arg.clone(), |s| arg.short(s)).hide(true)
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
        value("oom-score-adj", "NUMBER", "The kernel's OOM preference, -1000 to 1000"),
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
    limits(command).mut_arg("ulimit", |a| a.hide(true)).mut_arg("oom-score-adj", |a| a.hide(true))
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
        value("cgroupns", "MODE", "cgroup namespace: private or host"),
    ])
}
