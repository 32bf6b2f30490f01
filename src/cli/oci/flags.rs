//! The commands and their flags; only the one that was called is built.

use clap::{Arg, ArgAction, Command};

/// Name and what it does, in the order of the help.
const COMMANDS: [(&str, &str); 15] = [
    ("create", "create a container"),
    ("delete", "delete what was made for a container"),
    ("events", "display figures of a container, and when it runs out of memory"),
    ("exec", "execute a new process inside a container"),
    ("features", "show what this runtime can do"),
    ("kill", "send a signal (default: SIGTERM) to the container's first process"),
    ("list", "list containers"),
    ("pause", "suspend all processes inside a container"),
    ("ps", "display the processes inside a container"),
    ("resume", "resume all processes that were paused"),
    ("run", "create and start a container"),
    ("spec", "write a configuration to begin with"),
    ("start", "execute the program of a created container"),
    ("state", "output the state of a container"),
    ("update", "change the limits of a container"),
];

/// Flags of `update` that take a number, with runc's spelling.
pub const NUMBERS: [&str; 13] = [
    "blkio-weight",
    "cpu-burst",
    "cpu-idle",
    "cpu-period",
    "cpu-quota",
    "cpu-rt-period",
    "cpu-rt-runtime",
    "cpu-share",
    "kernel-memory",
    "kernel-memory-tcp",
    "memory",
    "memory-reservation",
    "memory-swap",
];

pub fn help() -> String {
    let width = COMMANDS.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let commands: String = COMMANDS.iter().map(|(name, about)| format!("   {name:width$}  {about}\n")).collect();
    format!(
        "teu oci - an OCI runtime\n\nUSAGE:\n   teu oci [global options] command [options] [arguments...]\n\
         \nCOMMANDS:\n{commands}\nGLOBAL OPTIONS:\n   --root DIR            where containers are kept \
         (default: /run/teu/oci, or $XDG_RUNTIME_DIR/teu/oci)\n   --log FILE            append the log to FILE \
         (default: stderr)\n   --log-format FORMAT   text or json\n   --debug               say more\n   \
         --systemd-cgroup      control groups are made by systemd\n   \
         --cgroup-manager M    cgroupfs, systemd, or disabled (no group at all)\n   --rootless VALUE      found out by itself\n   -h, --help\n   \
         -v, --version\n\nCalled by the name teu-oci or teu-runtime, teu needs no word 'oci'.\n"
    )
}

fn text(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::Set).value_name("VALUE").allow_hyphen_values(true)
}

fn texts(name: &'static str) -> Arg {
    text(name).action(ArgAction::Append)
}

fn on(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue)
}

fn id() -> Arg {
    Arg::new("id").required(true).value_name("CONTAINER-ID")
}

/// The rest of the line, flags of others included.
fn rest(name: &'static str) -> Arg {
    Arg::new(name).num_args(0..).trailing_var_arg(true).allow_hyphen_values(true)
}

pub fn command(name: &str) -> Option<Command> {
    let (name, about) = COMMANDS.iter().find(|(known, _)| *known == name)?;
    let command = Command::new(*name).about(*about).disable_version_flag(true);
    Some(match *name {
        "create" => creation(command),
        "run" => creation(command).arg(on("detach").short('d')).arg(on("keep")).arg(subreaper()),
        "delete" => command.arg(id()).arg(on("force").short('f')),
        "kill" => command.arg(id()).arg(Arg::new("signal").value_name("SIGNAL")).arg(on("all").short('a')),
        "exec" => exec(command),
        "events" => command.arg(id()).arg(on("stats")).arg(text("interval")),
        "features" => command,
        "list" => command.arg(format()).arg(on("quiet").short('q')),
        "ps" => command.arg(format()).arg(id()).arg(rest("ps-options")),
        "spec" => command.arg(text("bundle").short('b')).arg(on("rootless")),
        "update" => update(command),
        _ => command.arg(id()),
    })
}

/// runc's: to leave out what is never done here.
fn subreaper() -> Arg {
    on("no-subreaper").hide(true)
}

fn format() -> Arg {
    text("format").short('f').value_name("table|json")
}

fn creation(command: Command) -> Command {
    command
        .arg(id())
        .arg(text("bundle").short('b').value_name("DIR"))
        .arg(text("console-socket").value_name("PATH"))
        .arg(text("pidfd-socket").value_name("PATH"))
        .arg(text("pid-file").value_name("FILE"))
        .arg(on("no-pivot"))
        .arg(on("no-new-keyring"))
        .arg(text("preserve-fds").value_name("COUNT"))
}

fn exec(command: Command) -> Command {
    command
        .arg(text("console-socket").value_name("PATH"))
        .arg(text("pidfd-socket").value_name("PATH"))
        .arg(text("cwd"))
        .arg(texts("env").short('e'))
        .arg(on("tty").short('t'))
        .arg(text("user").short('u').value_name("UID[:GID]"))
        .arg(texts("additional-gids").short('g'))
        .arg(text("process").short('p').value_name("FILE"))
        .arg(on("detach").short('d'))
        .arg(text("pid-file").value_name("FILE"))
        .arg(text("process-label"))
        .arg(text("apparmor"))
        .arg(on("no-new-privs"))
        .arg(texts("cap").short('c'))
        .arg(text("preserve-fds").value_name("COUNT"))
        .arg(on("ignore-paused"))
        .arg(subreaper())
        .arg(texts("cgroup").value_name("[CONTROLLER:]PATH"))
        .arg(id())
        .arg(rest("args"))
}

fn update(command: Command) -> Command {
    let command = NUMBERS.iter().fold(command, |command, name| command.arg(text(name)));
    command
        .arg(text("resources").short('r').value_name("FILE"))
        .arg(text("pids-limit"))
        .arg(text("l3-cache-schema"))
        .arg(text("mem-bw-schema"))
        .arg(text("cpuset-cpus"))
        .arg(text("cpuset-mems"))
        .arg(id())
}
