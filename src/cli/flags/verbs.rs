//! Flags of all verbs but `run` and `create`.

use super::{command_line, containers, filter, force, format, list, names, no_trunc, quiet, switch, switch_on, value};
use clap::{Arg, Command};

pub(in crate::cli) fn exec(command: Command) -> Command {
    command.args([
        switch("detach", "Run the command in the background").short('d'),
        value("detach-keys", "KEYS", "Override the keys that detach (ctrl-p,ctrl-q)"),
        list("env", "K=V", "Set environment variables").short('e'),
        list("env-file", "FILE", "Read environment variables from a file"),
        switch("interactive", "Keep stdin open even if not attached").short('i'),
        switch("privileged", "Give extended privileges to the command"),
        switch("tty", "Allocate a pseudo-terminal").short('t'),
        value("user", "USER", "Name or uid (format: <name|uid>[:<group|gid>])").short('u'),
        value("workdir", "DIR", "Working directory inside the container").short('w'),
        command_line("CONTAINER"),
    ])
}

pub(in crate::cli) fn attach(command: Command) -> Command {
    command.args([
        value("detach-keys", "KEYS", "Override the keys that detach (ctrl-p,ctrl-q)"),
        switch("no-stdin", "Do not attach stdin"),
        switch_on("sig-proxy", "Proxy received signals to the process"),
        Arg::new("names").value_name("CONTAINER").required(true),
    ])
}

pub(in crate::cli) fn start(command: Command) -> Command {
    containers(command.args([
        switch("attach", "Attach stdout and stderr and forward signals").short('a'),
        value("detach-keys", "KEYS", "Override the keys that detach (ctrl-p,ctrl-q)"),
        switch("interactive", "Attach the container's stdin").short('i'),
    ]))
}

pub(in crate::cli) fn stop(command: Command) -> Command {
    containers(command.args([
        value("signal", "SIGNAL", "Signal to send to the container").short('s'),
        value("timeout", "SECONDS", "Seconds to wait before killing it; -1: for ever").short('t').visible_alias("time"),
    ]))
}

pub(in crate::cli) fn kill(command: Command) -> Command {
    containers(command.arg(value("signal", "SIGNAL", "Signal to send (KILL)").short('s')))
}

pub(in crate::cli) fn rm(command: Command) -> Command {
    containers(command.args([
        force("Kill a running container first"),
        switch("volumes", "Remove its anonymous volumes too").short('v'),
        switch("link", "").short('l').hide(true),
    ]))
}

pub(in crate::cli) fn rename(command: Command) -> Command {
    command.args([
        Arg::new("container").value_name("CONTAINER").required(true),
        Arg::new("name").value_name("NEW_NAME").required(true),
    ])
}

pub(in crate::cli) fn update(command: Command) -> Command {
    containers(super::create::update_limits(command))
}

pub(in crate::cli) fn ps(command: Command) -> Command {
    command.args([
        switch("all", "Show all containers, not only running ones").short('a'),
        filter(),
        format(),
        value("last", "N", "Show the N last created containers (all states)").short('n'),
        switch("latest", "Show the latest created container (all states)").short('l'),
        no_trunc(),
        quiet("Only display container ids"),
        switch("size", "Display total file sizes").short('s'),
    ])
}

pub(in crate::cli) fn logs(command: Command) -> Command {
    command.args([
        switch("details", "").hide(true),
        switch("follow", "Follow log output").short('f'),
        value("since", "TIME", "Show logs since a time (2026-01-02T13:23:37Z) or an age (42m)"),
        value("until", "TIME", "Show logs before a time or an age"),
        value("tail", "N", "Number of lines to show from the end (all)").short('n'),
        switch("timestamps", "Show timestamps").short('t'),
        Arg::new("names").value_name("CONTAINER").required(true),
    ])
}

pub(in crate::cli) fn stats(command: Command) -> Command {
    command.args([
        switch("all", "Show all containers, not only running ones").short('a'),
        format(),
        switch("no-stream", "Print the first result and end"),
        no_trunc(),
        names("CONTAINER", false),
    ])
}

pub(in crate::cli) fn top(command: Command) -> Command {
    let options = Arg::new("options").value_name("PS-OPTIONS").num_args(0..).allow_hyphen_values(true);
    command.args([
        Arg::new("names").value_name("CONTAINER").required(true),
        options.trailing_var_arg(true).help("As ps takes them: aux, -eo pid,comm"),
    ])
}

pub(in crate::cli) fn diff(command: Command) -> Command {
    command.arg(Arg::new("names").value_name("CONTAINER").required(true))
}

pub(in crate::cli) fn port(command: Command) -> Command {
    command.args([
        Arg::new("names").value_name("CONTAINER").required(true),
        Arg::new("port").value_name("PRIVATE_PORT[/PROTO]"),
    ])
}

pub(in crate::cli) fn inspect(command: Command) -> Command {
    inspect_one(command).arg(value("type", "TYPE", "container, image, network or volume"))
}

pub(in crate::cli) fn inspect_one(command: Command) -> Command {
    command.args([
        format().short('f'),
        switch("size", "Display total file sizes if it is a container").short('s'),
        names("NAME", true),
    ])
}

pub(in crate::cli) fn pull(command: Command) -> Command {
    command.args([
        switch("all-tags", "Download all tags of the repository").short('a'),
        value("platform", "OS/ARCH", "Choose the platform of an image that has several"),
        quiet("Print only the reference"),
        switch("disable-content-trust", "").hide(true),
        Arg::new("names").value_name("IMAGE").required(true),
    ])
}

pub(in crate::cli) fn images(command: Command) -> Command {
    command.args([
        switch("all", "Show all images").short('a'),
        switch("digests", "Show digests"),
        filter(),
        format(),
        no_trunc(),
        quiet("Only show image ids"),
        Arg::new("names").value_name("REPOSITORY[:TAG]"),
    ])
}

pub(in crate::cli) fn rmi(command: Command) -> Command {
    command.args([force("Force removal"), switch("no-prune", "").hide(true), names("IMAGE", true)])
}

pub(in crate::cli) fn tag(command: Command) -> Command {
    command.args([
        Arg::new("source").value_name("SOURCE").required(true),
        Arg::new("target").value_name("TARGET").required(true),
    ])
}

pub(in crate::cli) fn from_host(command: Command) -> Command {
    command.args([
        value("tag", "NAME", "Name of the image (localhost/starter:latest)").short('t'),
        quiet("Print only the id"),
        names("PROGRAM", false),
    ])
}

pub(in crate::cli) fn volumes(command: Command) -> Command {
    command.args([filter(), format(), quiet("Only display volume names")])
}

pub(in crate::cli) fn volume_create(command: Command) -> Command {
    command.args([
        names("VOLUME", false).num_args(0..=1),
        value("driver", "DRIVER", "local; there is no other").short('d'),
        list("label", "K=V", "Set metadata"),
        list("opt", "K=V", "").short('o').hide(true),
    ])
}

pub(in crate::cli) fn volume_rm(command: Command) -> Command {
    command.args([force("Do not complain about volumes that are not there"), names("VOLUME", true)])
}

pub(in crate::cli) fn events(command: Command) -> Command {
    command.args([
        filter(),
        format(),
        value("since", "TIME", "Show events since a time or an age"),
        value("until", "TIME", "Stream events until a time or an age"),
    ])
}

pub(in crate::cli) fn info(command: Command) -> Command {
    command.arg(format().short('f'))
}

pub(in crate::cli) fn version(command: Command) -> Command {
    command.arg(format().short('f'))
}

pub(in crate::cli) fn doctor(command: Command) -> Command {
    command.arg(format())
}

pub(in crate::cli) fn completion(command: Command) -> Command {
    command.args([
        Arg::new("shell").value_name("SHELL").required(true).value_parser([
            "bash",
            "zsh",
            "fish",
            "elvish",
            "powershell",
        ]),
        value("name", "PROGRAM", "Complete this name instead (a docker link)"),
    ])
}

pub(in crate::cli) fn reap(command: Command) -> Command {
    command.arg(Arg::new("names").required(true))
}

pub(in crate::cli) fn prune(command: Command) -> Command {
    command.args([force("Do not ask for confirmation"), switch("dry-run", "Say what would go, remove nothing")])
}

/// Of containers and networks.
pub(in crate::cli) fn prune_some(command: Command) -> Command {
    prune(command).arg(list("filter", "FILTER", "Remove only what matches 'label=KEY', 'label!=KEY' or 'until=24h'"))
}

pub(in crate::cli) fn prune_images(command: Command) -> Command {
    prune(command).arg(switch("all", "Remove all images without a container, not just dangling ones").short('a'))
}

pub(in crate::cli) fn prune_volumes(command: Command) -> Command {
    prune(command).arg(switch("all", "Remove named volumes too").short('a'))
}

pub(in crate::cli) fn prune_system(command: Command) -> Command {
    prune_images(command).arg(switch("volumes", "Remove volumes too"))
}

pub(in crate::cli) fn df(command: Command) -> Command {
    command.arg(format())
}
