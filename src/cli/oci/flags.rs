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
pub const NUMBERS: [(&str, &str); 13] = [
    ("blkio-weight", "share of the disks: 10 to 1000"),
    ("cpu-burst", "microseconds of saved quota that a period may use in addition"),
    ("cpu-idle", "1: only time that nobody else wants"),
    ("cpu-period", "microseconds of a period of the CPU quota"),
    ("cpu-quota", "microseconds of CPU time in a period; -1: no limit"),
    ("cpu-rt-period", "microseconds of a period of real-time scheduling"),
    ("cpu-rt-runtime", "microseconds of real-time scheduling in a period"),
    ("cpu-share", "share of the processors, beside others"),
    ("kernel-memory", "bytes of the kernel's memory (v1, older kernels)"),
    ("kernel-memory-tcp", "bytes of the kernel's memory for TCP (v1)"),
    ("memory", "most bytes of memory (64M); -1: no limit"),
    ("memory-reservation", "bytes of memory that are left to it when memory is short"),
    ("memory-swap", "most bytes of memory and swap together; -1: no limit"),
];

/// Flags that several commands have.
const BUNDLE: &str = "directory of config.json and the root file system (default: the current one)";
const CONSOLE: &str = "socket that receives the terminal";
const PIDFD: &str = "socket that receives the handle (pidfd) of the process";
const PID_FILE: &str = "file to write the process id to";
const PRESERVE: &str = "descriptors from 3 on that the process inherits, beside those of $LISTEN_FDS";

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

fn text(name: &'static str, about: &'static str) -> Arg {
    // Of several the last counts.
    texts(name, about).action(ArgAction::Set).overrides_with(name)
}

fn texts(name: &'static str, about: &'static str) -> Arg {
    let flag = Arg::new(name).long(name).help(about).action(ArgAction::Append);
    flag.value_name("VALUE").allow_hyphen_values(true)
}

fn on(name: &'static str, about: &'static str) -> Arg {
    Arg::new(name).long(name).help(about).action(ArgAction::SetTrue)
}

fn id() -> Arg {
    Arg::new("id").required(true).value_name("CONTAINER-ID").help("name of the container")
}

/// The rest of the line, flags of others included.
fn rest(name: &'static str, about: &'static str) -> Arg {
    Arg::new(name).num_args(0..).trailing_var_arg(true).allow_hyphen_values(true).help(about)
}

pub fn command(name: &str) -> Option<Command> {
    let (name, about) = COMMANDS.iter().find(|(known, _)| *known == name)?;
    let command = Command::new(*name).bin_name(format!("teu oci {name}")).about(*about).disable_version_flag(true);
    Some(match *name {
        "create" => creation(command),
        "run" => creation(command)
            .arg(on("detach", "leave the container to run by itself").short('d'))
            .arg(on("keep", "do not delete the container when it has ended")),
        "delete" => {
            let about = "end the container if it has not stopped; no error if there is none";
            command.arg(id()).arg(on("force", about).short('f'))
        }
        "kill" => {
            let signal = Arg::new("signal").value_name("SIGNAL").help("name or number (default: SIGTERM)");
            command.arg(id()).arg(signal).arg(on("all", "send it to all processes of the container").short('a'))
        }
        "exec" => exec(command),
        "events" => command
            .arg(id())
            .arg(on("stats", "display the figures once"))
            .arg(text("interval", "time between figures: 5s, 500ms (default: 5s)")),
        "features" => command,
        "list" => command.arg(format()).arg(on("quiet", "ids alone").short('q')),
        "ps" => command.arg(format()).arg(id()).arg(rest("ps-options", "options of the machine's ps (default: -ef)")),
        "spec" => command
            .arg(text("bundle", "directory to write config.json into (default: the current one)").short('b'))
            .arg(on("rootless", "for an ordinary user")),
        "update" => update(command),
        _ => command.arg(id()),
    })
}

/// runc's: to leave out what is never done here.
fn subreaper() -> Arg {
    on("no-subreaper", "nothing (this runtime is never a subreaper)").hide(true)
}

fn format() -> Arg {
    text("format", "table or json (default: table)").short('f').value_name("table|json")
}

fn creation(command: Command) -> Command {
    command
        .arg(id())
        .arg(text("bundle", BUNDLE).short('b').value_name("DIR"))
        .arg(text("console-socket", CONSOLE).value_name("PATH"))
        .arg(text("pidfd-socket", PIDFD).value_name("PATH"))
        .arg(text("pid-file", PID_FILE).value_name("FILE"))
        .arg(on("no-pivot", "enter the root without pivot_root (for one on a RAM disk)"))
        .arg(on("no-new-keyring", "keep the caller's session keyring"))
        .arg(text("preserve-fds", PRESERVE).value_name("COUNT"))
        .arg(subreaper())
}

fn exec(command: Command) -> Command {
    command
        .arg(text("console-socket", CONSOLE).value_name("PATH"))
        .arg(text("pidfd-socket", PIDFD).value_name("PATH"))
        .arg(text("cwd", "working directory in the container").value_name("DIR"))
        .arg(texts("env", "set a variable of the environment").short('e').value_name("NAME=VALUE"))
        .arg(on("tty", "give the process a terminal").short('t'))
        .arg(text("user", "user and group of the process").short('u').value_name("UID[:GID]"))
        .arg(texts("additional-gids", "further groups of the process").short('g').value_name("GID[,GID...]"))
        .arg(text("process", "file with the specification's process object").short('p').value_name("FILE"))
        .arg(on("detach", "leave the process to run by itself").short('d'))
        .arg(text("pid-file", PID_FILE).value_name("FILE"))
        .arg(text("process-label", "SELinux label of the process").value_name("LABEL"))
        .arg(text("apparmor", "AppArmor profile of the process").value_name("PROFILE"))
        .arg(on("no-new-privs", "the process can gain no privileges"))
        .arg(texts("cap", "a capability that the process has in addition").short('c').value_name("CAPABILITY"))
        .arg(text("preserve-fds", PRESERVE).value_name("COUNT"))
        .arg(on("ignore-paused", "also in a paused container: the process waits until it is resumed"))
        .arg(subreaper())
        .arg(texts("cgroup", "a group below the container's, which must be there").value_name("[CONTROLLER:]PATH"))
        .arg(id())
        .arg(rest("args", "command and its arguments"))
}

fn update(command: Command) -> Command {
    let command = NUMBERS.into_iter().fold(command, |command, (name, about)| command.arg(text(name, about)));
    let resources = "file with the specification's resources object; - is standard input";
    command
        .arg(text("resources", resources).short('r').value_name("FILE"))
        .arg(text("pids-limit", "most processes and threads; -1: as many as there may be"))
        .arg(text("l3-cache-schema", "Intel RDT: schema of the L3 cache"))
        .arg(text("mem-bw-schema", "Intel RDT: schema of the memory bandwidth"))
        .arg(text("cpuset-cpus", "processors that may be used: 0-2,4"))
        .arg(text("cpuset-mems", "memory nodes that may be used: 0-2,4"))
        .arg(id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_of_every_command_is_explained() {
        for (name, _) in COMMANDS {
            let command = command(name).unwrap();
            command.clone().debug_assert();
            let silent: Vec<_> = command.get_arguments().filter(|a| a.get_help().is_none()).collect();
            assert!(silent.is_empty(), "{name}: {silent:?}");
        }
    }
}
