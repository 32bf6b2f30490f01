//! The commands and their flags; only the one that was called is built.

use clap::{Arg, ArgAction, Command};

/// Name and what it does, in the order of the help.
const COMMANDS: [(&str, &str); 5] = [
    ("create", "create a container"),
    ("delete", "delete any resources held by the container, often used with detached containers"),
    ("kill", "send the specified signal (default: SIGTERM) to the container's init process"),
    ("start", "execute the user defined process in a created container"),
    ("state", "output the state of a container"),
];

pub fn help() -> String {
    let width = COMMANDS.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let commands: String = COMMANDS.iter().map(|(name, about)| format!("   {name:width$}  {about}\n")).collect();
    format!(
        "teu oci - an OCI runtime\n\nUSAGE:\n   teu oci [global options] command [options] [arguments...]\n\
         \nCOMMANDS:\n{commands}\nGLOBAL OPTIONS:\n   --root DIR            where containers are kept \
         (default: /run/teu/oci, or $XDG_RUNTIME_DIR/teu/oci)\n   --log FILE            append the log to FILE \
         (default: stderr)\n   --log-format FORMAT   text or json\n   --debug               say more\n   \
         --systemd-cgroup      not supported yet\n   --rootless VALUE      found out by itself\n   -h, --help\n   \
         -v, --version\n\nCalled by the name teu-oci or teu-runtime, teu needs no word 'oci'.\n"
    )
}

fn text(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::Set).value_name("VALUE").allow_hyphen_values(true)
}

fn on(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue)
}

fn id() -> Arg {
    Arg::new("id").required(true).value_name("CONTAINER-ID")
}

pub fn command(name: &str) -> Option<Command> {
    let (name, about) = COMMANDS.iter().find(|(known, _)| *known == name)?;
    let command = Command::new(*name).about(*about).no_binary_name(false).disable_version_flag(true);
    Some(match *name {
        "create" => creation(command),
        "delete" => command.arg(id()).arg(on("force").short('f')),
        "kill" => command.arg(id()).arg(Arg::new("signal").value_name("SIGNAL")).arg(on("all").short('a')),
        _ => command.arg(id()),
    })
}

fn creation(command: Command) -> Command {
    command
        .arg(id())
        .arg(text("bundle").short('b').value_name("DIR"))
        .arg(text("console-socket").value_name("PATH"))
        .arg(text("pid-file").value_name("FILE"))
        .arg(on("no-pivot"))
        .arg(on("no-new-keyring"))
        .arg(text("preserve-fds").value_name("COUNT"))
}
