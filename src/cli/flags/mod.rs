//! Each verb's flags, in docker's spellings. Pure description; what they mean is in `commands`.

mod create;
mod network;
mod verbs;

pub(super) use create::{UNSUPPORTED, Unsupported, create, run};
pub(super) use network::{
    CONNECT_UNSUPPORTED, NETWORK_UNSUPPORTED, network_connect, network_create, network_disconnect, network_inspect,
    network_reload, network_rm, networks,
};
pub(super) use verbs::*;

use clap::builder::{BoolishValueParser, ValueParser};
use clap::{Arg, ArgAction, Command};

/// Limits that hold from a container's start to its end: `update` refuses them.
pub(super) const FIXED_LIMITS: [&str; 4] = ["ulimit", "oom-score-adj", "oom-kill-disable", "cgroup-parent"];

/// A boolean as Go's flag package reads it: `--rm`, `--rm=true`, `--rm=0`.
fn switch(long: &'static str, help: &'static str) -> Arg {
    Arg::new(long)
        .long(long)
        .help(help)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .default_value("false")
        .hide_default_value(true)
        .hide_possible_values(true)
        .value_name("BOOL")
        .value_parser(ValueParser::from(BoolishValueParser::new()))
        .action(ArgAction::Set)
}

/// A switch that is on unless switched off.
fn switch_on(long: &'static str, help: &'static str) -> Arg {
    switch(long, help).default_value("true")
}

/// One value; the last one given counts.
fn value(long: &'static str, name: &'static str, help: &'static str) -> Arg {
    Arg::new(long).long(long).help(help).value_name(name).allow_hyphen_values(true)
}

/// May be given several times.
fn list(long: &'static str, name: &'static str, help: &'static str) -> Arg {
    value(long, name, help).action(ArgAction::Append)
}

/// The names after the flags.
fn names(name: &'static str, at_least_one: bool) -> Arg {
    Arg::new("names").value_name(name).num_args(if at_least_one { 1.. } else { 0.. }).required(at_least_one)
}

/// The first name and a command line that is the container's own: no flag after it is ours.
fn command_line(first: &'static str) -> Arg {
    Arg::new("words")
        .value_names([first, "COMMAND"])
        .num_args(1..)
        .required(true)
        .trailing_var_arg(true)
        .help("What follows the first name belongs to the command")
}

fn format() -> Arg {
    value("format", "FORMAT", "Output by a Go template; also 'json', 'table', 'table TEMPLATE'")
}

fn filter() -> Arg {
    list("filter", "FILTER", "Show only what matches 'key=value'").short('f')
}

fn quiet(help: &'static str) -> Arg {
    switch("quiet", help).short('q')
}

fn force(help: &'static str) -> Arg {
    switch("force", help).short('f')
}

fn no_trunc() -> Arg {
    switch("no-trunc", "Don't truncate output")
}

/// `--root` is understood after the verb too.
pub(super) fn root() -> Arg {
    value("root", "DIR", "Keep all state below DIR").hide(true)
}

/// Containers to work on, nothing else.
pub(super) fn containers(command: Command) -> Command {
    command.arg(names("CONTAINER", true))
}
