//! The table of verbs: names, groups, one line of help, and which function gives the verb its flags.

use super::flags;
use clap::Command;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Verb {
    Run,
    Create,
    Start,
    Stop,
    Restart,
    Kill,
    Pause,
    Unpause,
    Remove,
    Rename,
    Update,
    Wait,
    Ps,
    Logs,
    Exec,
    Attach,
    Stats,
    Top,
    Diff,
    Port,
    Inspect,
    InspectContainer,
    InspectImage,
    InspectVolume,
    InspectNetwork,
    PruneContainers,
    Pull,
    Images,
    RemoveImages,
    Tag,
    PruneImages,
    FromHost,
    CreateVolume,
    Volumes,
    RemoveVolumes,
    PruneVolumes,
    Networks,
    CreateNetwork,
    RemoveNetworks,
    ConnectNetwork,
    DisconnectNetwork,
    ReloadNetworks,
    PruneNetworks,
    Events,
    DiskUsage,
    PruneSystem,
    Info,
    Version,
    Doctor,
    Completion,
    /// Not for people: what a monitor runs after the last exit of a `--rm` container.
    Reap,
}

/// One way to write a verb.
pub(super) struct Row {
    /// `container`, `image`, ...; empty for the short form.
    pub group: &'static str,
    /// The first is shown, the others are accepted.
    pub names: &'static [&'static str],
    pub verb: Verb,
    pub about: &'static str,
    pub flags: fn(Command) -> Command,
}

impl Row {
    /// `teu container ls`
    pub fn path(&self) -> String {
        match self.group {
            "" => format!("teu {}", self.names[0]),
            group => format!("teu {group} {}", self.names[0]),
        }
    }
}

macro_rules! rows {
    ($($group:literal $names:expr, $verb:ident, $flags:path, $about:literal;)*) => {
        pub(super) static ROWS: &[Row] = &[
            $(Row { group: $group, names: &$names, verb: Verb::$verb, about: $about, flags: $flags },)*
        ];
    };
}

rows! {
    "" ["run"], Run, flags::run, "Create and run a new container from an image";
    "" ["exec"], Exec, flags::exec, "Execute a command in a running container";
    "" ["ps"], Ps, flags::ps, "List containers";
    "" ["pull"], Pull, flags::pull, "Download an image from a registry";
    "" ["images"], Images, flags::images, "List images";
    "" ["logs"], Logs, flags::logs, "Fetch the logs of a container";
    "" ["attach"], Attach, flags::attach, "Attach this terminal to a running container";
    "" ["stats"], Stats, flags::stats, "Display a live stream of resource usage";
    "" ["create"], Create, flags::create, "Create a new container";
    "" ["start"], Start, flags::start, "Start one or more stopped containers";
    "" ["stop"], Stop, flags::stop, "Stop one or more running containers";
    "" ["restart"], Restart, flags::stop, "Restart one or more containers";
    "" ["kill"], Kill, flags::kill, "Send a signal to one or more running containers";
    "" ["pause"], Pause, flags::containers, "Pause all processes within one or more containers";
    "" ["unpause"], Unpause, flags::containers, "Unpause all processes within one or more containers";
    "" ["wait"], Wait, flags::containers, "Block until containers stop, then print their exit codes";
    "" ["rm"], Remove, flags::rm, "Remove one or more containers";
    "" ["rename"], Rename, flags::rename, "Rename a container";
    "" ["update"], Update, flags::update, "Change the limits of containers while they run";
    "" ["top"], Top, flags::top, "Display the running processes of a container";
    "" ["diff"], Diff, flags::diff, "List what a container changed of its image";
    "" ["port"], Port, flags::port, "List port mappings of a container";
    "" ["inspect"], Inspect, flags::inspect, "Return low-level information as JSON";
    "" ["rmi"], RemoveImages, flags::rmi, "Remove one or more images";
    "" ["tag"], Tag, flags::tag, "Give an image another name";
    "" ["events"], Events, flags::events, "Print events as they happen";
    "" ["info"], Info, flags::info, "Display what teu knows about this machine";
    "" ["version"], Version, flags::version, "Show the version";
    "" ["doctor"], Doctor, flags::doctor, "Check what this machine offers, and how to mend what it lacks";
    "" ["completion"], Completion, flags::completion, "Print the completion script for a shell";
    "" ["__reap"], Reap, flags::reap, "";
    "container" ["run"], Run, flags::run, "Create and run a new container from an image";
    "container" ["exec"], Exec, flags::exec, "Execute a command in a running container";
    "container" ["ls", "list", "ps"], Ps, flags::ps, "List containers";
    "container" ["logs"], Logs, flags::logs, "Fetch the logs of a container";
    "container" ["attach"], Attach, flags::attach, "Attach this terminal to a running container";
    "container" ["stats"], Stats, flags::stats, "Display a live stream of resource usage";
    "container" ["create"], Create, flags::create, "Create a new container";
    "container" ["start"], Start, flags::start, "Start one or more stopped containers";
    "container" ["stop"], Stop, flags::stop, "Stop one or more running containers";
    "container" ["restart"], Restart, flags::stop, "Restart one or more containers";
    "container" ["kill"], Kill, flags::kill, "Send a signal to one or more running containers";
    "container" ["pause"], Pause, flags::containers, "Pause all processes within one or more containers";
    "container" ["unpause"], Unpause, flags::containers, "Unpause all processes within one or more containers";
    "container" ["wait"], Wait, flags::containers, "Block until containers stop, then print their exit codes";
    "container" ["rm", "remove"], Remove, flags::rm, "Remove one or more containers";
    "container" ["rename"], Rename, flags::rename, "Rename a container";
    "container" ["update"], Update, flags::update, "Change the limits of containers while they run";
    "container" ["top"], Top, flags::top, "Display the running processes of a container";
    "container" ["diff"], Diff, flags::diff, "List what a container changed of its image";
    "container" ["port"], Port, flags::port, "List port mappings of a container";
    "container" ["inspect"], InspectContainer, flags::inspect_one, "Display detailed information on containers";
    "container" ["prune"], PruneContainers, flags::prune_some, "Remove all stopped containers";
    "image" ["ls", "list"], Images, flags::images, "List images";
    "image" ["pull"], Pull, flags::pull, "Download an image from a registry";
    "image" ["rm", "remove"], RemoveImages, flags::rmi, "Remove one or more images";
    "image" ["tag"], Tag, flags::tag, "Give an image another name";
    "image" ["inspect"], InspectImage, flags::inspect_one, "Display detailed information on images";
    "image" ["prune"], PruneImages, flags::prune_images, "Remove unused images";
    "image" ["from-host"], FromHost, flags::from_host, "Make an image of this machine's own programs";
    "volume" ["create"], CreateVolume, flags::volume_create, "Create a volume";
    "volume" ["ls", "list"], Volumes, flags::volumes, "List volumes";
    "volume" ["rm", "remove"], RemoveVolumes, flags::volume_rm, "Remove one or more volumes";
    "volume" ["inspect"], InspectVolume, flags::inspect_one, "Display detailed information on volumes";
    "volume" ["prune"], PruneVolumes, flags::prune_volumes, "Remove volumes no container uses";
    "network" ["create"], CreateNetwork, flags::network_create, "Create a network";
    "network" ["ls", "list"], Networks, flags::networks, "List networks";
    "network" ["inspect"], InspectNetwork, flags::network_inspect, "Display detailed information on networks";
    "network" ["rm", "remove"], RemoveNetworks, flags::network_rm, "Remove one or more networks";
    "network" ["prune"], PruneNetworks, flags::prune_some, "Remove networks no container is to be on";
    "network" ["connect"], ConnectNetwork, flags::network_connect, "Put a container on one more network";
    "network" ["disconnect"], DisconnectNetwork, flags::network_disconnect, "Take a container off a network";
    "network" ["reload"], ReloadNetworks, flags::network_reload, "Make bridges and rules anew that somebody removed";
    "system" ["df"], DiskUsage, flags::df, "Show disk usage";
    "system" ["prune"], PruneSystem, flags::prune_system, "Remove what is not in use";
    "system" ["info"], Info, flags::info, "Display what teu knows about this machine";
    "system" ["events"], Events, flags::events, "Print events as they happen";
}

pub(super) const GROUPS: [(&str, &str); 5] = [
    ("container", "Manage containers"),
    ("image", "Manage images"),
    ("volume", "Manage volumes"),
    ("network", "Manage networks"),
    ("system", "Disk usage, clean-up, information"),
];

/// Verbs of docker's that are not there, and what does it meanwhile.
const NOT_YET: [(&str, &str); 22] = [
    ("build", BUILD),
    ("buildx", BUILD),
    ("builder", BUILD),
    ("commit", "teu diff NAME lists what a container changed"),
    ("compose", "containers on one `teu network create` network find each other by name"),
    ("context", "teu works on this machine only"),
    (
        "cp",
        "teu exec NAME tar -C DIR -cf - FILES | tar -xf -, and the other way round with exec -i; or mount a directory with -v",
    ),
    ("export", "teu exec NAME tar -cf - / > FILE packs what the container sees"),
    ("history", "teu image inspect IMAGE shows its layers"),
    ("import", PUSH),
    ("load", PUSH),
    ("login", "the logins of docker, podman and skopeo are used: skopeo login REGISTRY"),
    ("logout", "the logins of docker, podman and skopeo are used: skopeo logout REGISTRY"),
    ("machine", "containers run on this machine itself"),
    ("manifest", PUSH),
    ("plugin", HELP),
    ("push", PUSH),
    ("save", PUSH),
    ("search", "registries are searched on their web pages"),
    ("secret", "mount a file with -v FILE:/run/secrets/NAME:ro"),
    ("swarm", "teu works on this machine only"),
    ("trust", HELP),
];
const BUILD: &str = "buildah or podman build it, a registry on this machine takes it: teu pull 127.0.0.1:5000/NAME";
const PUSH: &str = "skopeo copies images between registries, archives and directories; teu pulls from registries";
pub(super) const HELP: &str = "teu --help lists the commands";

/// What to do instead of a command that is not there.
pub(super) fn hint(name: &str) -> &'static str {
    NOT_YET.iter().find(|(verb, _)| *verb == name).map_or(HELP, |(_, hint)| hint)
}

pub(super) fn is_group(word: &str) -> bool {
    GROUPS.iter().any(|(name, _)| *name == word)
}

pub(super) fn find(group: &str, name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.group == group && row.names.contains(&name))
}

pub(super) fn command(row: &'static Row) -> Command {
    let path = row.path();
    let command = Command::new(row.names[0]).bin_name(path).about(row.about).args_override_self(true);
    let command = command.arg(flags::root()).help_template("Usage: {usage}\n\n{about}\n\n{all-args}\n");
    (row.flags)(command)
}

pub(super) fn unknown(group: Option<&str>, name: &str) -> String {
    match group {
        None if name.starts_with('-') => format!("unknown flag: {name}"),
        None if NOT_YET.iter().any(|(verb, _)| *verb == name) => format!("`{name}` is not supported yet"),
        None => format!("`{name}` is not a teu command"),
        Some(group) => format!("`{name}` is not a command of `teu {group}`"),
    }
}

pub(super) fn help() -> String {
    let mut text = String::from(
        "Usage: teu [OPTIONS] [COMMAND]\n\nA container workstation in the terminal. Without a command: the screen.\n\n",
    );
    text.push_str("Commands:\n");
    push_rows(&mut text, "");
    text.push_str("\nGroups (teu GROUP --help):\n");
    for (name, about) in GROUPS {
        text.push_str(&format!("  {name:<12}{about}\n"));
    }
    text.push_str(
        "\nOptions:\n  --root DIR       Keep all state below DIR (also TEU_ROOT)\n  --color WHEN     auto, always or never\n  \
         -v, --version    Print the version\n  -h, --help       Print this\n\nteu COMMAND --help tells a command's flags.\n",
    );
    text
}

pub(super) fn group_help(group: &str) -> String {
    let about = GROUPS.iter().find(|(name, _)| *name == group).map_or("", |(_, about)| about);
    let mut text = format!("Usage: teu {group} COMMAND\n\n{about}\n\nCommands:\n");
    push_rows(&mut text, group);
    text.push_str(&format!("\nteu {group} COMMAND --help tells a command's flags.\n"));
    text
}

fn push_rows(text: &mut String, group: &str) {
    for row in ROWS.iter().filter(|r| r.group == group && !r.about.is_empty()) {
        text.push_str(&format!("  {:<12}{}\n", row.names[0], row.about));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_builds_a_sound_command() {
        for row in ROWS {
            command(row).debug_assert();
        }
        for (name, _) in NOT_YET {
            assert!(find("", name).is_none(), "{name} is there");
        }
    }
}
