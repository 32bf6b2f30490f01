//! The last steps every process of a container takes: limits, directory, user, confinement, command.

use super::lookup;
use super::reaper;
use super::report::{self, During, Message, failure};
use crate::runtime::launch::Launch;
use crate::runtime::protocol::{ExecSpec, Failure, FailureKind};
use crate::runtime::rootfs::GIVE;
use crate::runtime::{caps, user};
use crate::sys::{confine, in_root, owner, process, rlimit};
use oci_spec::runtime::{Capabilities, PosixRlimit};
use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

/// Largest passwd or group file that is read (CVE-2026-47262).
pub(in crate::runtime) const MAX_ACCOUNTS: usize = 10 << 20;
pub(in crate::runtime) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is to be run and as whom; worked out before the clone.
pub(super) struct Program<'a> {
    /// Empty: a shell.
    args: &'a [String],
    env: Vec<String>,
    cwd: String,
    /// Make the directory when it is missing: docker does for a container, not for a further process.
    make_cwd: bool,
    user: &'a str,
    group_add: &'a [String],
    capabilities: u64,
    rlimits: &'a [PosixRlimit],
    no_new_privileges: bool,
    seccomp: &'a [u8],
    seccomp_flags: u32,
    init: bool,
    /// Mounts that the user is given.
    given: Vec<&'a str>,
    /// A profile of AppArmor's that the command is confined by.
    pub apparmor: Option<&'a str>,
    own_binary: Option<(u64, u64)>,
}

impl<'a> Program<'a> {
    pub fn of_container(launch: &'a Launch) -> Result<Self, Failure> {
        let process = process_of(launch)?;
        let args = process.args().as_deref().unwrap_or_default();
        if args.is_empty() {
            return Err(failure(FailureKind::Invalid, "no command specified"));
        }
        let sets = process.capabilities().as_ref().and_then(|c| c.bounding().as_ref());
        Ok(Self {
            args,
            env: process.env().clone().unwrap_or_default(),
            cwd: process.cwd().to_string_lossy().into_owned(),
            make_cwd: true,
            user: &launch.user,
            group_add: &launch.group_add,
            capabilities: sets.map_or(Ok(0), bits)?,
            rlimits: process.rlimits().as_deref().unwrap_or_default(),
            no_new_privileges: process.no_new_privileges().unwrap_or(false),
            seccomp: &launch.seccomp,
            seccomp_flags: launch.seccomp_flags,
            init: launch.init,
            given: given(launch),
            apparmor: process.apparmor_profile().as_deref(),
            own_binary: lookup::own_binary(),
        })
    }

    pub fn of_session(launch: &'a Launch, spec: &'a ExecSpec) -> Result<Self, Failure> {
        let mut program = Self::of_container(launch)?;
        program.args = &spec.args;
        program.init = false;
        program.given.clear();
        merge_env(&mut program.env, &spec.env);
        if spec.tty && !program.env.iter().any(|e| e.starts_with("TERM=")) {
            program.env.push("TERM=xterm-256color".into());
        }
        if let Some(directory) = &spec.workdir {
            program.cwd.clone_from(directory);
            program.make_cwd = false;
        }
        if let Some(user) = &spec.user {
            program.user = user;
        }
        if spec.privileged {
            program.capabilities = u64::MAX;
            program.no_new_privileges = false;
            program.apparmor = None;
            program.seccomp = &[];
        }
        Ok(program)
    }
}

fn given(launch: &Launch) -> Vec<&str> {
    let mounts = launch.spec.mounts().iter().flatten();
    let asked = mounts.filter(|m| m.options().iter().flatten().any(|option| option == GIVE));
    asked.filter_map(|m| m.destination().to_str()).collect()
}

fn process_of(launch: &Launch) -> Result<&oci_spec::runtime::Process, Failure> {
    let process = launch.spec.process().as_ref();
    process.ok_or_else(|| failure(FailureKind::Invalid, "the spec has no process"))
}

fn bits(set: &Capabilities) -> Result<u64, Failure> {
    set.iter().try_fold(0, |all, capability| {
        let bit = caps::bit(&capability.to_string()).map_err(|e| failure(FailureKind::Invalid, e.to_string()))?;
        Ok(all | bit)
    })
}

/// Later values win; a name without `=` removes the variable.
fn merge_env(env: &mut Vec<String>, more: &[String]) {
    for entry in more {
        let name = entry.split('=').next().unwrap_or_default();
        env.retain(|e| e.split('=').next() != Some(name));
        if entry.contains('=') {
            env.push(entry.clone());
        }
    }
}

/// Before /proc is the container's.
pub(super) fn set_oom_score(launch: &Launch) -> Result<(), Failure> {
    match process_of(launch)?.oom_score_adj() {
        Some(score) => std::fs::write("/proc/self/oom_score_adj", score.to_string())
            .during(&format!("setting the OOM score to {score}")),
        None => Ok(()),
    }
}

/// To be written while `/proc` is the host's.
pub(super) fn apparmor(profile: &str) -> Result<(), Failure> {
    std::fs::write("/proc/self/attr/apparmor/exec", format!("exec {profile}"))
        .during(&format!("applying the AppArmor profile {profile}"))
}

impl Program<'_> {
    /// Those above what one has need powers over the machine. Setting them again needs none.
    pub fn set_limits(&self) -> Result<(), Failure> {
        for limit in self.rlimits {
            let name = limit.typ().to_string().to_ascii_lowercase();
            let name = name.strip_prefix("rlimit_").unwrap_or(&name);
            rlimit::set(name, limit.soft(), limit.hard()).during("setting the limits")?;
        }
        Ok(())
    }
}

/// A process with its program's powers, and in addition the one that loading a filter needs where new privileges are not
/// switched off.
pub(super) struct Ready<'a> {
    program: &'a Program<'a>,
    /// Its working directory.
    entered: bool,
    name: String,
    file: PathBuf,
    command: process::Command,
    held: u64,
}

/// Up to the moment before the command. The root is the container's already. `close` sees to the descriptors that nothing
/// needs from here on.
pub(super) fn prepare<'a>(
    program: &'a Program<'a>,
    close: impl FnOnce() -> Result<(), Failure>,
) -> Result<Ready<'a>, Failure> {
    program.set_limits()?;
    let root = OwnedFd::from(std::fs::File::open("/").during("opening the container's root")?);
    let who = identify(program, &root)?;
    for path in &program.given {
        let what = format!("giving {path} to user {}:{}", who.uid, who.gid);
        owner::give(root.as_fd(), path, who.uid, who.gid).during(&what)?;
    }
    let entered = match enter_directory(&root, &program.cwd, program.make_cwd) {
        // Who is not in the container's pid namespace does not find what is below /proc/self.
        Err(failure) if failure.kind == FailureKind::CommandNotFound => false,
        entered => entered.map(|()| true)?,
    };
    own_streams(who.uid);
    let mut env = program.env.clone();
    if !env.iter().any(|e| e.starts_with("HOME=")) {
        env.push(format!("HOME={}", who.home));
    }
    let path = env.iter().find_map(|e| e.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    let shells;
    let args = if program.args.is_empty() {
        shells = [lookup::shell(who.shell.as_deref(), path)?];
        &shells[..]
    } else {
        program.args
    };
    let file = lookup::find(&args[0], path)?;
    lookup::refuse_own_binary(&file, program.own_binary)?;
    let command = process::Command::new(&file, args, &env).during("preparing the command")?;
    drop(root);
    close()?;
    let held = confine_to(program, &who)?;
    Ok(Ready { program, entered, name: args[0].clone(), file, command, held })
}

impl Ready<'_> {
    /// Becomes the command.
    pub fn execute(&self, socket: &OwnedFd) -> Result<Infallible, Failure> {
        let program = self.program;
        if !self.entered {
            let root = OwnedFd::from(std::fs::File::open("/").during("opening the container's root")?);
            enter_directory(&root, &program.cwd, program.make_cwd)?;
        }
        process::reset_signals().during("resetting signals")?;
        process::parent_death_signal(0).during("letting go of the monitor")?;
        if !program.seccomp.is_empty() {
            confine::seccomp(program.seccomp, program.seccomp_flags).during("loading the system call filter")?;
            if !program.no_new_privileges {
                confine::set_capabilities(self.held).during("setting capabilities")?;
            }
        }
        if program.init {
            reaper::split(socket)?;
        }
        report::send(socket, &Message::Ready, None);
        let error = self.command.execute();
        Err(lookup::refused(&self.name, &self.file, &error))
    }
}

fn identify(program: &Program<'_>, root: &OwnedFd) -> Result<user::Identity, Failure> {
    let read = |path: &str| match in_root::read_small(root.as_fd(), path, MAX_ACCOUNTS) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(e) if e.source.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        // An image whose files are odd is still usable by numbers alone.
        Err(_) if program.user.bytes().all(|b| b.is_ascii_digit() || b == b':') => Ok(String::new()),
        Err(e) => Err(e).during("looking up the user"),
    };
    let (passwd, group) = (read("/etc/passwd")?, read("/etc/group")?);
    user::resolve(program.user, program.group_add, &passwd, &group)
        .map_err(|e| failure(FailureKind::Invalid, e.to_string()))
}

/// With `make` a missing one is made. Checks that it is inside the root (CVE-2024-21626).
pub(in crate::runtime) fn enter_directory(root: &OwnedFd, path: &str, make: bool) -> Result<(), Failure> {
    if !path.starts_with('/') {
        return Err(failure(FailureKind::Invalid, format!("working directory '{path}' is not an absolute path")));
    }
    let what = format!("entering the working directory {path}");
    if make {
        in_root::ensure(root.as_fd(), path, in_root::Make::Directory).during(&what)?;
    }
    std::env::set_current_dir(path).during(&what).map_err(|mut failure| {
        // For a further process docker has the exit codes of a command that is not there, or cannot be run.
        match failure.kind {
            FailureKind::NotFound => failure.kind = FailureKind::CommandNotFound,
            _ if !make => failure.kind = FailureKind::CommandNotExecutable,
            _ => {}
        }
        failure
    })?;
    // The kernel says "(unreachable)" for a directory outside the root.
    match std::env::current_dir() {
        Ok(now) if now.is_absolute() => Ok(()),
        _ => Err(failure(FailureKind::Denied, format!("working directory '{path}' is outside the root"))),
    }
}

/// A program of another user must be able to reopen /dev/stdout. Files that are not ours to give stay as they are.
pub(in crate::runtime) fn own_streams(uid: u32) {
    if uid != 0 {
        for number in 0..3 {
            process::give_stream(number, uid);
        }
    }
}

/// Order matters: ids need SETUID and SETGID, the bounding set needs SETPCAP; what is kept is decided last. Returns the
/// capabilities that the command has.
fn confine_to(program: &Program<'_>, who: &user::Identity) -> Result<u64, Failure> {
    process::set_dumpable(false).during("hiding the process")?;
    if program.no_new_privileges {
        confine::no_new_privileges().during("switching off new privileges")?;
    }
    confine::drop_bounding(program.capabilities).during("dropping capabilities")?;
    if !program.group_add.iter().any(|name| name == user::KEEP_GROUPS) {
        process::set_groups(&who.groups).or_else(ignore_single).during("setting the groups").map_err(unmapped)?;
    }
    confine::keep_capabilities().during("keeping capabilities")?;
    process::set_ids(who.uid, who.gid).during(&format!("becoming user {}:{}", who.uid, who.gid)).map_err(unmapped)?;
    let permitted = confine::permitted().during("reading capabilities")?;
    // A process of another user has no powers after execve; until then it needs none either.
    let held = if who.uid == 0 { program.capabilities & permitted } else { 0 };
    let filter = !program.seccomp.is_empty() && !program.no_new_privileges;
    let extra = if filter { caps::bit("SYS_ADMIN").unwrap_or(0) & permitted } else { 0 };
    confine::set_capabilities(held | extra).during("setting capabilities")?;
    process::set_dumpable(false).during("hiding the process")?;
    Ok(held)
}

/// `CAP_SETGID` of linux/capability.h.
const SETGID: u32 = 6;
const EPERM: i32 = 1;

/// With a single mapped id setgroups is forbidden for good, and there is no other group to drop. A group that is not mapped
/// is another matter (EINVAL).
pub(in crate::runtime) fn ignore_single(error: crate::sys::Error) -> crate::sys::Result<()> {
    let denied = || match std::fs::read_to_string("/proc/self/setgroups") {
        Ok(text) => text.trim() == "deny",
        // A helper is not in the container's pid namespace, whose /proc knows nothing of it. With the power to set
        // groups there is no other reason.
        Err(_) => confine::permitted().is_ok_and(|held| held >> SETGID & 1 == 1),
    };
    if error.errno() == EPERM && denied() { Ok(()) } else { Err(error) }
}

pub(in crate::runtime) fn unmapped(mut failure: Failure) -> Failure {
    if failure.chain.iter().any(|line| line.contains("invalid argument")) {
        failure.hint = Some(
            "this id is not mapped: ask for a larger map, or give your account a range in /etc/subuid and /etc/subgid"
                .into(),
        );
    }
    failure
}
