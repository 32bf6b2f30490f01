//! From a command's flags to the runtime, and from its answer to output.

use super::globals::{self, Globals};
use super::{figures, lists, output};
use crate::cli::args::Args;
use crate::engine::oci::{Failure, FailureKind, Outcome, Runtime, create, exec, features, operate, run};
use crate::model::signal;
use clap::ArgMatches;
use std::path::{Path, PathBuf};

/// Returns the exit code.
pub fn run(name: &str, runtime: &Runtime, globals: &Globals, matches: &ArgMatches) -> Outcome<u8> {
    let args = Args(matches);
    let id = args.text("id").unwrap_or_default();
    match name {
        "create" => warn(globals, &create::create(runtime, id, &creation(globals, args)?)?.warnings),
        "run" => {
            let how = run::How { detach: args.on("detach"), keep: args.on("keep") };
            let (code, warnings) = run::run(runtime, id, &creation(globals, args)?, how, &mut std::io::stdout())?;
            warn(globals, &warnings);
            return Ok(code);
        }
        "start" => operate::start(runtime, id)?,
        "exec" => return execute(runtime, globals, id, args),
        "kill" => operate::kill(runtime, id, signal_of(args)?, args.on("all"))?,
        "pause" => operate::pause(runtime, id)?,
        "resume" => operate::resume(runtime, id)?,
        "delete" => warn(globals, &operate::delete(runtime, id, args.on("force"))?),
        "state" => lists::state(runtime, id)?,
        "list" => lists::list(runtime, args)?,
        "ps" => lists::processes(runtime, id, args)?,
        "events" => figures::events(runtime, id, args)?,
        "update" => warn(globals, &figures::update(runtime, id, args)?),
        "features" => output::json(&features::features()),
        "spec" => {
            let bundle = args.text("bundle").unwrap_or(".");
            features::write_template(Path::new(bundle), args.on("rootless"))?;
        }
        other => return Err(misuse(format!("no such command: {other}"))),
    }
    Ok(0)
}

fn warn(globals: &Globals, warnings: &[String]) {
    warnings.iter().for_each(|words| globals::log(globals, "warning", words));
}

pub fn misuse(message: impl Into<String>) -> Failure {
    Failure { kind: FailureKind::Invalid, chain: vec![message.into()], hint: None }
}

pub fn number<T: std::str::FromStr>(args: Args<'_>, flag: &str) -> Outcome<Option<T>> {
    args.number(flag)
        .map_err(|_| misuse(format!("invalid value '{}' for --{flag}", args.text(flag).unwrap_or_default())))
}

fn path(args: Args<'_>, flag: &str) -> Option<PathBuf> {
    args.text(flag).filter(|p| !p.is_empty()).map(PathBuf::from)
}

fn creation(globals: &Globals, args: Args<'_>) -> Outcome<create::Options> {
    Ok(create::Options {
        bundle: path(args, "bundle").unwrap_or_else(|| PathBuf::from(".")),
        pid_file: path(args, "pid-file"),
        console_socket: path(args, "console-socket"),
        pidfd_socket: path(args, "pidfd-socket"),
        preserve_fds: number(args, "preserve-fds")?.unwrap_or(0),
        sockets: globals.sockets.clone(),
        no_new_keyring: args.on("no-new-keyring"),
        no_pivot: args.on("no-pivot"),
        keep_terminal: false,
    })
}

fn signal_of(args: Args<'_>) -> Outcome<i32> {
    let text = args.text("signal").unwrap_or("SIGTERM");
    // Zero asks whether there is a process to be signalled.
    signal::parse(text).or((text == "0").then_some(0)).ok_or_else(|| misuse(format!("unknown signal \"{text}\"")))
}

fn execute(runtime: &Runtime, globals: &Globals, id: &str, args: Args<'_>) -> Outcome<u8> {
    let options = exec::Options {
        pid_file: path(args, "pid-file"),
        console_socket: path(args, "console-socket"),
        pidfd_socket: path(args, "pidfd-socket"),
        detach: args.on("detach"),
        preserve_fds: number(args, "preserve-fds")?.unwrap_or(0),
        ignore_paused: args.on("ignore-paused"),
        cgroups: args.owned("cgroup"),
    };
    let process = match path(args, "process") {
        Some(file) => exec::Wanted::File(file),
        None => exec::Wanted::Changes(changes(args)?),
    };
    let (code, warnings) = exec::exec(runtime, id, &process, &options, &mut std::io::stdout())?;
    warn(globals, &warnings);
    Ok(code)
}

fn changes(args: Args<'_>) -> Outcome<exec::Changes> {
    let mut additional_gids = Vec::new();
    for text in args.texts("additional-gids").into_iter().flat_map(|list| list.split(',')) {
        additional_gids.push(text.parse().map_err(|_| misuse(format!("invalid group id '{text}'")))?);
    }
    let words = args.owned("args");
    if words.is_empty() {
        return Err(misuse("exec needs a command, or --process FILE"));
    }
    Ok(exec::Changes {
        args: words,
        cwd: args.text("cwd").map(str::to_owned),
        env: args.owned("env"),
        user: args.text("user").filter(|u| !u.is_empty()).map(str::to_owned),
        additional_gids,
        tty: args.on("tty"),
        capabilities: args.owned("cap"),
        no_new_privileges: args.on("no-new-privs"),
        apparmor: args.text("apparmor").map(str::to_owned),
        selinux: args.text("process-label").map(str::to_owned),
    })
}
