//! From a command's flags to the runtime, and from its answer to output.

use super::globals::{self, Globals};
use super::output;
use crate::cli::args::Args;
use crate::engine::oci::container::Container;
use crate::engine::oci::{self, Failure, FailureKind, Outcome, Runtime, create, operate};
use crate::model::signal;
use clap::ArgMatches;
use std::path::PathBuf;

pub fn run(name: &str, runtime: &Runtime, globals: &Globals, matches: &ArgMatches) -> Outcome<u8> {
    let args = Args(matches);
    let id = args.text("id").unwrap_or_default();
    match name {
        "create" => create::create(runtime, id, &creation(args)?).map(drop)?,
        "start" => operate::start(runtime, id)?,
        "state" => state(runtime, id)?,
        "kill" => operate::kill(runtime, id, signal_of(args)?, args.on("all"))?,
        "delete" => {
            for words in operate::delete(runtime, id, args.on("force"))? {
                globals::log(globals, "warning", &words);
            }
        }
        other => return Err(misuse(format!("no such command: {other}"))),
    }
    Ok(0)
}

pub fn misuse(message: impl Into<String>) -> Failure {
    Failure { kind: FailureKind::Invalid, chain: vec![message.into()], hint: None }
}

pub fn number<T: std::str::FromStr>(args: Args<'_>, flag: &str) -> Outcome<Option<T>> {
    args.number(flag)
        .map_err(|_| misuse(format!("invalid value '{}' for --{flag}", args.text(flag).unwrap_or_default())))
}

pub fn path(args: Args<'_>, flag: &str) -> Option<PathBuf> {
    args.text(flag).filter(|p| !p.is_empty()).map(PathBuf::from)
}

fn creation(args: Args<'_>) -> Outcome<create::Options> {
    Ok(create::Options {
        bundle: path(args, "bundle").unwrap_or_else(|| PathBuf::from(".")),
        pid_file: path(args, "pid-file"),
        console_socket: path(args, "console-socket"),
        preserve_fds: number(args, "preserve-fds")?.unwrap_or(0),
        no_new_keyring: args.on("no-new-keyring"),
        no_pivot: args.on("no-pivot"),
        keep_terminal: false,
    })
}

fn signal_of(args: Args<'_>) -> Outcome<i32> {
    let text = args.text("signal").unwrap_or("SIGTERM");
    signal::parse(text).ok_or_else(|| misuse(format!("unknown signal \"{text}\"")))
}

/// runc's state, which has more than the specification asks for.
fn state(runtime: &Runtime, id: &str) -> Outcome<()> {
    let container = Container::load(&runtime.root, id)?;
    let status = container.status();
    let mut state = container.state(status);
    if status == oci::container::Status::Stopped {
        state["pid"] = 0.into();
    }
    state["rootfs"] = serde_json::json!(container.record.rootfs);
    state["created"] = container.record.created.as_str().into();
    state["owner"] = "".into();
    output::out(&format!("{}\n", serde_json::to_string_pretty(&state).unwrap_or_default()));
    Ok(())
}
