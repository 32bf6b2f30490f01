//! The last steps of a container's process: directory, user, powers; then, when it is told to, its program.
//!
//! Two halves, because between them the process may wait for `start`: by then it has only the powers its program will
//! have, and in addition the one that loading a filter needs where new privileges are not switched off.

use crate::runtime::init::lookup;
use crate::runtime::init::program::{
    DEFAULT_PATH, MAX_ACCOUNTS, enter_directory, ignore_single, own_streams, unmapped,
};
use crate::runtime::init::report::During;
use crate::runtime::oci::create::Sockets;
use crate::runtime::oci::process::Plan;
use crate::runtime::oci::{FailureKind, Outcome, invalid};
use crate::runtime::{caps, user};
use crate::sys::confine::{self, Sets};
use crate::sys::{attributes, channel, in_root, process, rlimit};
use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// What is left to do.
pub struct Ready<'a> {
    plan: &'a Plan,
    /// Its working directory.
    entered: bool,
    file: PathBuf,
    command: process::Command,
    /// What the program gets.
    pub env: Vec<String>,
    held: Sets,
}

/// What the surroundings decide.
pub struct Setting<'a> {
    pub own_binary: Option<(u64, u64)>,
    /// Descriptors after the standard streams that the program inherits.
    pub preserve_fds: u32,
    /// The first of them, if these are sockets to listen at.
    pub sockets: Option<&'a Sockets>,
    /// The limits were set from outside.
    pub limits_are_set: bool,
    /// The working directory is made when it is missing.
    pub make_cwd: bool,
    pub plan: &'a Plan,
}

/// How a process is scheduled, 0 being the caller: needs powers.
pub fn attributes_of(pid: i32, plan: &Plan) -> Outcome<()> {
    if let Some(scheduling) = plan.scheduling {
        attributes::set_scheduling(pid, scheduling).during("setting the scheduler")?;
    }
    if let Some((class, priority)) = plan.io_priority {
        attributes::set_io_priority(pid, class, priority).during("setting the io priority")?;
    }
    Ok(())
}

/// Attributes that children inherit.
pub fn inherited_attributes(plan: &Plan) -> Outcome<()> {
    if let Some(value) = plan.personality {
        attributes::set_personality(value).during("setting the personality")?;
    }
    if let Some((mode, nodes)) = &plan.memory_policy {
        attributes::set_memory_policy(*mode, nodes).during("setting the memory policy")?;
    }
    Ok(())
}

/// Up to the moment before the program. The root is the container's already.
pub fn prepare<'a>(setting: &Setting<'a>) -> Outcome<Ready<'a>> {
    let plan = setting.plan;
    if !setting.limits_are_set {
        for (name, soft, hard) in &plan.rlimits {
            rlimit::set(name, *soft, *hard).during("setting the limits")?;
        }
    }
    let root = OwnedFd::from(std::fs::File::open("/").during("opening the container's root")?);
    let entered = match enter_directory(&root, &plan.cwd, setting.make_cwd) {
        // Who is not in the container's pid namespace does not find what is below /proc/self.
        Err(failure) if failure.kind == FailureKind::CommandNotFound => false,
        entered => entered.map(|()| true)?,
    };
    own_streams(plan.uid);
    let mut env = plan.env.clone();
    env.retain(|e| e != "HOME=");
    if !env.iter().any(|e| e.starts_with("HOME=")) {
        env.push(format!("HOME={}", home(plan.uid, &root)));
    }
    if let Some(sockets) = setting.sockets {
        env.push(format!("LISTEN_FDS={}", sockets.count));
        // As the program itself counts.
        env.push(format!("LISTEN_PID={}", std::process::id()));
        env.extend(sockets.names.as_ref().map(|names| format!("LISTEN_FDNAMES={names}")));
    }
    drop(root);
    process::cloexec_from(3 + setting.preserve_fds).during("closing inherited descriptors")?;
    let held = confine_to(plan)?;
    // By the eyes of the user who will run it.
    let path = env.iter().find_map(|e| e.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    let name = plan.args.first().ok_or_else(|| invalid("process.args must not be empty"))?;
    let file = lookup::find(name, path)?;
    lookup::check(name, &file)?;
    lookup::refuse_own_binary(&file, setting.own_binary)?;
    let command = process::Command::new(&file, &plan.args, &env).during("preparing the command")?;
    Ok(Ready { plan, entered, file, command, env, held })
}

/// An odd or missing passwd file is no obstacle: the user is a number.
fn home(uid: u32, root: &OwnedFd) -> String {
    let bytes = in_root::read_small(root.as_fd(), "/etc/passwd", MAX_ACCOUNTS).unwrap_or_default();
    let passwd = String::from_utf8_lossy(&bytes);
    user::resolve(&uid.to_string(), &[], &passwd, "").map_or_else(|_| "/".to_owned(), |found| found.home)
}

/// Order matters: the bounding set needs SETPCAP, ids need SETUID and SETGID; what is kept is decided last.
fn confine_to(plan: &Plan) -> Outcome<Sets> {
    process::set_dumpable(false).during("hiding the process")?;
    let wanted = &plan.capabilities;
    confine::drop_bounding(wanted.bounding).during("dropping capabilities")?;
    process::set_groups(&plan.groups).or_else(ignore_single).during("setting the groups")?;
    confine::keep_capabilities().during("keeping capabilities")?;
    let who = format!("becoming user {}:{}", plan.uid, plan.gid);
    process::set_ids(plan.uid, plan.gid).during(&who).map_err(unmapped)?;
    process::umask(plan.umask);
    let permitted = confine::permitted().during("reading capabilities")?;
    // What the runtime itself has not cannot be given on.
    let held = Sets {
        bounding: wanted.bounding,
        effective: wanted.effective & wanted.permitted & permitted,
        permitted: wanted.permitted & permitted,
        inheritable: wanted.inheritable & permitted,
        ambient: wanted.ambient & wanted.permitted & wanted.inheritable & permitted,
    };
    let extra = if plan.filter.is_some() && !plan.no_new_privileges {
        caps::bit("SYS_ADMIN").unwrap_or(0) & permitted
    } else {
        0
    };
    let now = Sets { effective: held.effective | extra, permitted: held.permitted | extra, ..held };
    confine::set_all_capabilities(&now).during("setting capabilities")?;
    process::set_dumpable(false).during("hiding the process")?;
    if plan.no_new_privileges {
        confine::no_new_privileges().during("switching off new privileges")?;
    }
    Ok(held)
}

impl Ready<'_> {
    /// Becomes the program. `listener`: a connection to whoever hears of notified calls, and what it is told.
    /// `executing` is called before calls are filtered, `last` when nothing but execve is left.
    pub fn execute(
        &self,
        listener: Option<(UnixStream, String)>,
        executing: impl FnOnce(),
        last: impl FnOnce() -> Outcome<()>,
    ) -> Outcome<Infallible> {
        if !self.entered {
            let root = OwnedFd::from(std::fs::File::open("/").during("opening the container's root")?);
            enter_directory(&root, &self.plan.cwd, false)?;
        }
        process::reset_signals().during("resetting signals")?;
        process::parent_death_signal(0).during("letting go of the runtime")?;
        if let Some(processors) = &self.plan.affinity.1 {
            attributes::set_affinity(processors).during("setting the processors")?;
        }
        executing();
        if let Some(filter) = &self.plan.filter {
            let notifier = confine::seccomp_with(&filter.program, filter.flags);
            let notifier = notifier.during("loading the system call filter")?;
            if let (Some(notifier), Some((socket, state))) = (notifier, listener) {
                let sent = channel::send_fd(&socket, state.as_bytes(), notifier.as_fd());
                sent.during("handing over the listener of the system call filter")?;
            }
            if !self.plan.no_new_privileges {
                confine::set_all_capabilities(&self.held).during("setting capabilities")?;
            }
        }
        last()?;
        let error = self.command.execute();
        let name = self.plan.args.first().map(String::as_str).unwrap_or_default();
        Err(lookup::refused(name, &self.file, &error))
    }
}

/// The LSMs' words about the next program; to be written while `/proc` is the host's.
pub fn labels(plan: &Plan) -> Outcome<()> {
    if let Some(profile) = &plan.apparmor {
        std::fs::write("/proc/self/attr/apparmor/exec", format!("exec {profile}"))
            .during(&format!("applying the AppArmor profile {profile}"))?;
    }
    if let Some(label) = &plan.selinux {
        std::fs::write("/proc/self/attr/exec", label).during(&format!("applying the SELinux label {label}"))?;
    }
    Ok(())
}
