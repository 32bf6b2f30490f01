//! `exec`: a further process in a container.

use super::container::{Container, Status};
use super::foreground::Foreground;
use super::further::{self, Setup};
use super::init::become_it;
use super::init::program::Setting;
use super::{Outcome, Runtime, conflict, invalid, process as plans, terminal};
use crate::runtime::caps;
use crate::runtime::init::report::During;
use crate::runtime::init::{lookup, namespace_flag};
use crate::runtime::machine::Machine;
use crate::sys::{clone, files, process, pty};
use oci_spec::runtime::{Capability, LinuxCapabilities, LinuxNamespaceType, Process, Spec};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::str::FromStr;

/// What the caller chose.
#[derive(Debug, Default)]
pub struct Options {
    pub pid_file: Option<PathBuf>,
    pub console_socket: Option<PathBuf>,
    /// Gets a handle of the process.
    pub pidfd_socket: Option<PathBuf>,
    pub detach: bool,
    pub preserve_fds: u32,
    pub ignore_paused: bool,
    /// Groups below the container's, as [`Group::inner`] takes them.
    pub cgroups: Vec<String>,
}

/// In what the process differs from the container's own.
#[derive(Debug, Default)]
pub struct Changes {
    pub args: Vec<String>,
    pub cwd: Option<String>,
    pub env: Vec<String>,
    /// `UID[:GID]`
    pub user: Option<String>,
    pub additional_gids: Vec<u32>,
    pub tty: bool,
    pub capabilities: Vec<String>,
    pub no_new_privileges: bool,
    pub apparmor: Option<String>,
    pub selinux: Option<String>,
}

/// Where the process comes from.
#[derive(Debug)]
pub enum Wanted {
    /// A file with the specification's `process`.
    File(PathBuf),
    /// The container's own with changes.
    Changes(Changes),
}

impl Wanted {
    /// And what of it is left out, in words.
    fn process(&self, spec: &Spec) -> Outcome<(Process, Vec<String>)> {
        match self {
            Wanted::Changes(changes) => changed(spec, changes),
            Wanted::File(file) => {
                let text = std::fs::read(file).during(&format!("reading {}", file.display()))?;
                super::config::parse_process(&text).map_err(|e| invalid(format!("{}: {e}", file.display())))
            }
        }
    }
}

/// The container's process with the changes.
fn changed(spec: &Spec, changes: &Changes) -> Outcome<(Process, Vec<String>)> {
    let own = spec.process().as_ref();
    let mut warnings = Vec::new();
    let mut process = own.cloned().ok_or_else(|| invalid("config.json has no process: exec needs --process"))?;
    process.set_args(Some(changes.args.clone())).set_terminal(Some(changes.tty)).set_console_size(None);
    if let Some(cwd) = &changes.cwd {
        process.set_cwd(cwd.into());
    }
    let mut env = process.env().clone().unwrap_or_default();
    env.extend(changes.env.iter().cloned());
    process.set_env(Some(env));
    let mut user = process.user().clone();
    if let Some(text) = &changes.user {
        let (uid, gid) = text.split_once(':').map_or((text.as_str(), None), |(u, g)| (u, Some(g)));
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let id = text.parse::<u32>().ok().filter(|id| digits && *id <= i32::MAX as u32);
            id.ok_or_else(|| invalid(format!("invalid user '{text}': expected UID or UID:GID")))
        };
        user.set_uid(number(uid)?);
        if let Some(gid) = gid {
            user.set_gid(number(gid)?);
        }
    }
    if !changes.additional_gids.is_empty() {
        let mut groups = user.additional_gids().clone().unwrap_or_default();
        groups.extend(&changes.additional_gids);
        user.set_additional_gids(Some(groups));
    }
    process.set_user(user);
    if !changes.capabilities.is_empty() {
        let (sets, unknown) = with_capabilities(&process, &changes.capabilities);
        process.set_capabilities(Some(sets));
        warnings = unknown;
    }
    if changes.no_new_privileges {
        process.set_no_new_privileges(Some(true));
    }
    if changes.apparmor.is_some() {
        process.set_apparmor_profile(changes.apparmor.clone());
    }
    if changes.selinux.is_some() {
        process.set_selinux_label(changes.selinux.clone());
    }
    Ok((process, warnings))
}

/// Names that are not known are left out, as in a configuration.
fn with_capabilities(process: &Process, names: &[String]) -> (LinuxCapabilities, Vec<String>) {
    let mut sets = process.capabilities().clone().unwrap_or_else(|| {
        let mut none = LinuxCapabilities::default();
        none.set_bounding(None).set_effective(None).set_permitted(None).set_inheritable(None).set_ambient(None);
        none
    });
    let mut unknown = Vec::new();
    for name in names {
        let known = caps::bit(name).ok().and_then(|bit| caps::names(bit).next());
        let Some(capability) = known.and_then(|n| Capability::from_str(n).ok()) else {
            unknown.push(format!("ignoring the unknown capability {name}"));
            continue;
        };
        // Ambient only what a program without file capabilities may inherit anyway.
        let inheritable = sets.inheritable().as_ref().is_some_and(|set| set.contains(&capability));
        for number in 0..if inheritable { 4 } else { 3 } {
            let set = match number {
                0 => sets.bounding().clone(),
                1 => sets.effective().clone(),
                2 => sets.permitted().clone(),
                _ => sets.ambient().clone(),
            };
            let mut set = set.unwrap_or_default();
            set.insert(capability);
            match number {
                0 => sets.set_bounding(Some(set)),
                1 => sets.set_effective(Some(set)),
                2 => sets.set_permitted(Some(set)),
                _ => sets.set_ambient(Some(set)),
            };
        }
    }
    (sets, unknown)
}

/// Starts the process; in the foreground waits for its end. Returns its exit code, 0 when it goes on by itself, and what
/// was left out.
pub fn exec(
    runtime: &Runtime,
    id: &str,
    wanted: &Wanted,
    options: &Options,
    out: &mut dyn Write,
) -> Outcome<(u8, Vec<String>)> {
    let container = Container::load(&runtime.root, id)?;
    let spec = container.spec()?;
    let (process, warnings) = wanted.process(&spec)?;
    super::config::check_process(&process)?;
    match container.status() {
        Status::Stopped | Status::Creating => return Err(conflict("cannot exec in a stopped container")),
        Status::Paused if !options.ignore_paused => {
            return Err(conflict("cannot exec in a paused container (use --ignore-paused to override)"));
        }
        _ => {}
    }
    let init = container.init().ok_or_else(|| conflict("cannot exec in a stopped container"))?;
    let mut plan = plans::plan(&process, &spec, &Machine::HERE)?;
    plan.shown = !options.detach && options.console_socket.is_none();
    let console = terminal::console(options.console_socket.as_deref(), plan.terminal, !options.detach)?;
    let watcher = terminal::watcher(options.pidfd_socket.as_deref())?;
    let foreground = (!options.detach).then(Foreground::new).transpose()?;
    let (pid, pidfd, terminal) = launch(&container, &spec, &plan, &init, options)?;
    terminal::give_pidfd(watcher, &pidfd)?;
    let terminal = terminal::hand_over(console, terminal, options.pid_file.as_deref(), pid)?;
    match foreground {
        Some(foreground) => Ok((foreground.accompany(&pidfd, terminal, None, out)?, warnings)),
        None => Ok((0, warnings)),
    }
}

fn launch(
    container: &Container,
    spec: &Spec,
    plan: &plans::Plan,
    init: &OwnedFd,
    options: &Options,
) -> Outcome<(i32, OwnedFd, Option<OwnedFd>)> {
    let group = container.group();
    let group = if options.cgroups.is_empty() {
        group.for_process(container.record.pid)
    } else {
        group.inner(&options.cgroups).map_err(|e| invalid(format!("--cgroup: {e}")))?
    };
    let users = super::config::has(spec, LinuxNamespaceType::User);
    let setting = Setting {
        own_binary: lookup::own_binary(),
        preserve_fds: options.preserve_fds,
        limits_are_set: users && !plan.rlimits.is_empty(),
        sockets: None,
        make_cwd: false,
        plan,
    };
    let notified = super::init::connect_listener(plan)?;
    let notified = notified.map(|socket| (socket, container.state(Status::Running)));
    let mounts = super::config::has(spec, LinuxNamespaceType::Mount);
    let root = (!mounts).then(|| root_of(container.record.pid, init)).transpose()?;
    let flags = super::config::listed(spec).iter().fold(0, |all, n| all | namespace_flag(n.typ()));
    let keyring = !container.record.callers_keyring;
    let setup = Setup { plan, setting, group: &group, init, flags, root, keyring, notified };
    let (ours, theirs) = pty::socket_pair().during("making the report socket")?;
    match clone::clone3(0, group.clone_fd()).during("forking")? {
        clone::Side::Child => {
            drop(ours);
            become_it(theirs.as_fd(), || further::help(setup, &theirs))
        }
        clone::Side::Parent { pid, pidfd } => {
            drop(theirs);
            further::accompany(&setup, (pid, pidfd), &ours)
        }
    }
}

/// The root of a container that has no mount namespace of its own, which would bring it along.
fn root_of(pid: i32, init: &OwnedFd) -> Outcome<OwnedFd> {
    let root = files::open_dir(format!("/proc/{pid}/root").as_ref()).during("opening the container's root")?;
    // Nobody else had that number meanwhile.
    process::pidfd_signal(init, 0).during("cannot exec in a stopped container")?;
    Ok(root)
}
