//! The flags before the command, the command's place in the table, and how a failure is told.

use super::{commands, flags, go_flags, output};
use crate::engine::oci::create::Sockets;
use crate::engine::oci::{self, Buses, Failure, Runtime, SPEC_VERSION};
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Names by which teu is this runtime and nothing else.
const NAMES: [&str; 2] = ["teu-oci", "teu-runtime"];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Text,
    Json,
}

#[derive(Debug, Default)]
pub struct Globals {
    root: Option<PathBuf>,
    pub log: Option<PathBuf>,
    pub format: Format,
    pub debug: bool,
    pub systemd_cgroup: bool,
    pub no_cgroups: bool,
    /// Given along by a service manager.
    pub sockets: Option<Sockets>,
}

/// Sockets meant for this process, and nobody else: sd_listen_fds(3).
fn sockets(variables: Variables<'_>) -> Option<Sockets> {
    let number = |name| variables(name)?.to_str()?.parse::<u32>().ok();
    let count = number("LISTEN_FDS").filter(|n| *n > 0 && number("LISTEN_PID") == Some(std::process::id()))?;
    let names = variables("LISTEN_FDNAMES").and_then(|names| names.into_string().ok());
    Some(Sockets { count, names })
}

/// What is meant for the runtime: all arguments when the program is called by one of its names, else what follows `oci`.
pub fn arguments(program: Option<OsString>, args: &[OsString]) -> Option<&[OsString]> {
    if args.first().is_some_and(|first| first == "oci") {
        return args.get(1..);
    }
    let name = program.as_deref().map(Path::new).and_then(Path::file_name)?;
    NAMES.iter().any(|n| name == *n).then_some(args)
}

/// A variable of the environment, by name.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

pub fn main(args: &[OsString], variables: Variables<'_>) -> u8 {
    let mut globals = Globals { sockets: sockets(variables), ..Globals::default() };
    match run(&mut globals, args, variables) {
        Ok(code) => code,
        Err((code, message)) => {
            tell(&globals, &message);
            code
        }
    }
}

/// runc's: of a call that fails, of a command there is none of, and of an `exec` whose process there never was.
mod code {
    pub const FAILED: u8 = 1;
    pub const NO_COMMAND: u8 = 3;
    pub const EXEC: u8 = 255;
}

fn run(globals: &mut Globals, args: &[OsString], variables: Variables<'_>) -> Result<u8, (u8, String)> {
    let mut rest = args;
    while let Some(first) = rest.first().and_then(|a| a.to_str()).filter(|a| a.starts_with('-')) {
        match first {
            "-h" | "--help" => {
                output::out(&flags::help());
                return Ok(0);
            }
            "-v" | "--version" => {
                output::out(&format!("teu version {}\nspec: {SPEC_VERSION}\n", env!("CARGO_PKG_VERSION")));
                return Ok(0);
            }
            _ => rest = &rest[take(globals, first, rest).map_err(|e| (code::FAILED, e))?..],
        }
    }
    let Some((name, rest)) = rest.split_first() else {
        output::out(&flags::help());
        return Ok(0);
    };
    let name = name.to_string_lossy();
    if matches!(&*name, "create" | "run" | "exec") {
        oci::seal_program();
    }
    if name == "help" {
        return help(rest);
    }
    if ["checkpoint", "restore"].contains(&&*name) {
        let words = format!("{name} is not supported: teu neither saves nor restores the memory of processes");
        return Err((code::FAILED, words));
    }
    let command = flags::command(&name).ok_or_else(|| unknown(&name))?;
    let plain = go_flags::translate(&command, rest).map_err(|e| (code::FAILED, e))?;
    let argv = std::iter::once(OsString::from(format!("teu oci {name}"))).chain(plain);
    let matches = match command.try_get_matches_from(argv) {
        Ok(matches) => matches,
        Err(e) if e.kind() == clap::error::ErrorKind::DisplayHelp => {
            output::out(&e.render().to_string());
            return Ok(0);
        }
        Err(e) => {
            let text = e.render().to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            let message = text.split("\n\n").next().unwrap_or(text);
            return Err((code::FAILED, message.lines().map(str::trim).collect::<Vec<_>>().join(" ")));
        }
    };
    let text = |name| variables(name).and_then(|value| value.into_string().ok());
    let root = globals
        .root
        .clone()
        .unwrap_or_else(|| default_root(variables("XDG_RUNTIME_DIR").as_deref(), text("USER").as_deref()));
    if globals.debug {
        let words: Vec<_> = rest.iter().map(|word| word.to_string_lossy()).collect();
        log(globals, "debug", &format!("{name} {} with containers in {}", words.join(" "), root.display()));
    }
    let runtime = runtime(globals, root, variables);
    let code = if name == "exec" { code::EXEC } else { code::FAILED };
    commands::run(&name, &runtime, globals, &matches).map_err(|failure| (code, words(&failure)))
}

fn unknown(name: &str) -> (u8, String) {
    (code::NO_COMMAND, format!("no such command: {name} (see teu oci --help)"))
}

/// Of all commands, or of the one that is named.
fn help(of: &[OsString]) -> Result<u8, (u8, String)> {
    let Some(name) = of.first().map(|name| name.to_string_lossy()) else {
        output::out(&flags::help());
        return Ok(0);
    };
    let mut command = flags::command(&name).ok_or_else(|| unknown(&name))?;
    output::out(&command.render_help().to_string());
    Ok(0)
}

fn runtime(globals: &Globals, root: PathBuf, variables: Variables<'_>) -> Runtime {
    let text = |name| variables(name).and_then(|value| value.into_string().ok());
    Runtime {
        root,
        systemd_cgroup: globals.systemd_cgroup,
        no_cgroups: globals.no_cgroups,
        buses: Buses {
            system: text("DBUS_SYSTEM_BUS_ADDRESS"),
            session: text("DBUS_SESSION_BUS_ADDRESS"),
            runtime_dir: text("XDG_RUNTIME_DIR"),
        },
        notify: variables("NOTIFY_SOCKET").filter(|address| !address.is_empty()),
        user: text("USER"),
    }
}

/// `--name value` or `--name=value`; how many arguments that were.
fn take(globals: &mut Globals, first: &str, args: &[OsString]) -> Result<usize, String> {
    let (name, attached) = first.split_once('=').map_or((first, None), |(n, v)| (n, Some(OsStr::new(v))));
    let mut used = 1;
    let mut value = || {
        attached.or_else(|| {
            used = 2;
            args.get(1).map(OsString::as_os_str)
        })
    };
    let needs = || format!("flag needs an argument: {name}");
    match name.trim_start_matches('-') {
        "root" => globals.root = Some(value().ok_or_else(needs)?.into()),
        "log" => globals.log = Some(value().filter(|v| !v.is_empty()).ok_or_else(needs)?.into()),
        "log-format" => match value().and_then(OsStr::to_str) {
            Some("text") => globals.format = Format::Text,
            Some("json") => globals.format = Format::Json,
            other => return Err(format!("invalid log format '{}': text or json", other.unwrap_or_default())),
        },
        // crun's words.
        "cgroup-manager" => match value().and_then(OsStr::to_str) {
            Some("cgroupfs") => (globals.systemd_cgroup, globals.no_cgroups) = (false, false),
            Some("systemd") => (globals.systemd_cgroup, globals.no_cgroups) = (true, false),
            Some("disabled") => (globals.systemd_cgroup, globals.no_cgroups) = (false, true),
            other => {
                let other = other.unwrap_or_default();
                return Err(format!("invalid --cgroup-manager '{other}': cgroupfs, systemd or disabled"));
            }
        },
        "debug" => globals.debug = attached.is_none_or(|v| v == "true"),
        "systemd-cgroup" => globals.systemd_cgroup = attached.is_none_or(|v| v == "true"),
        // For checkpoints, which there are none of.
        "criu" => drop(value().ok_or_else(needs)?),
        // Found out by itself; the word is other runtimes'.
        "rootless" => match value().and_then(OsStr::to_str) {
            Some("auto" | "true" | "false") => {}
            other => return Err(format!("invalid --rootless '{}'", other.unwrap_or_default())),
        },
        _ => return Err(format!("unknown flag: {name}")),
    }
    Ok(used)
}

fn default_root(runtime_dir: Option<&OsStr>, user: Option<&str>) -> PathBuf {
    match runtime_dir.filter(|dir| !dir.is_empty() && oci::is_user(user)) {
        Some(dir) => Path::new(dir).join("teu/oci"),
        None => PathBuf::from("/run/teu/oci"),
    }
}

fn words(failure: &Failure) -> String {
    let mut text = failure.chain.join(": ");
    if let Some(hint) = &failure.hint {
        text.push_str(&format!(" ({hint})"));
    }
    text
}

/// Into the log in its format, and to stderr in plain words (which callers without a log pass on to people).
fn tell(globals: &Globals, message: &str) {
    if globals.log.is_some() || globals.format == Format::Json {
        log(globals, "error", message);
    }
    if globals.log.is_some() || globals.format == Format::Text {
        output::err(&format!("{message}\n"));
    }
}

/// One line of the log. Callers read the last one of level `error`.
pub fn log(globals: &Globals, level: &str, message: &str) {
    let time = output::now();
    let line = match globals.format {
        Format::Json => serde_json::json!({ "level": level, "msg": message, "time": time }).to_string(),
        Format::Text => format!("time=\"{time}\" level={level} msg={}", serde_json::Value::from(message)),
    };
    let file = globals.log.as_ref().map(|path| std::fs::File::options().create(true).append(true).open(path));
    match file {
        Some(Ok(mut file)) => {
            // A full disk must not hide the error from stderr.
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
        Some(Err(e)) => output::err(&format!("cannot open the log: {e}\n")),
        None => output::err(&format!("{line}\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn the_word_or_the_name() {
        let given = args(&["oci", "state", "x"]);
        assert_eq!(arguments(Some("/usr/bin/teu".into()), &given).unwrap(), &given[1..]);
        let given = args(&["--root", "/r", "state", "x"]);
        assert_eq!(arguments(Some("/usr/local/bin/teu-oci".into()), &given).unwrap(), &given[..]);
        assert!(arguments(Some("teu".into()), &given).is_none());
        assert!(arguments(None, &args(&["ps"])).is_none());
    }

    #[test]
    fn flags_before_the_command() {
        let mut globals = Globals::default();
        let given = args(&["--log-format=json", "--log", "/l", "--systemd-cgroup", "state"]);
        let mut rest = &given[..];
        while rest[0].to_str().unwrap().starts_with('-') {
            let first = rest[0].to_str().unwrap().to_owned();
            rest = &rest[take(&mut globals, &first, rest).unwrap()..];
        }
        assert_eq!((globals.format, globals.log.unwrap(), globals.systemd_cgroup), (Format::Json, "/l".into(), true));
        assert_eq!(rest[0], "state");
        assert!(take(&mut Globals::default(), "--nope", &args(&["--nope"])).is_err());
        assert!(take(&mut Globals::default(), "--root", &args(&["--root"])).is_err());
    }
}
