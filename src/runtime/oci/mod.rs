//! An OCI runtime: containers from bundles, for podman, containerd, CRI-O and whoever speaks their language.
//!
//! The same kernel work as teu's own containers ([`super::init`], [`super::cgroup`], [`super::seccomp`],
//! [`crate::sys::mount_op`]), but another life: nobody stays. There is no monitor; the caller (conmon, a shim) is the
//! parent or the subreaper of the container, has its streams, and hears of its end.
//!
//! # Life of a container
//!
//! `create` reads and checks the bundle ([`config`]), works everything out as data ([`namespaces`], [`mounts`],
//! [`process`]: pure, what they ask of the machine is [`super::machine::Machine`]'s to say), reserves the id with a
//! directory ([`container`]), makes the control group and clones the first process ([`create`](mod@create)). With
//! namespaces to be joined, or a time namespace with offsets, a short-lived helper enters them and clones the process as
//! its sibling; otherwise there is one `clone3` and nothing else.
//!
//! | creator | first process ([`init`]) |
//! |---|---|
//! | writes id maps and the OOM score, lets go | joins its group, waits |
//! | | opens sources, becomes root of its user namespace, mounts, opens its terminal |
//! | `prestart` and `createRuntime` hooks, limits | waits (only if there is something to wait for) |
//! | | `createContainer` hooks, sysctls, read-only and masked paths, enters the root |
//! | | takes its user, its capabilities, finds its program |
//! | saves the state, sends the terminal, writes the pid file, lets go | waits at the socket `start` |
//!
//! `start` connects to that socket. The first process loads the filter, runs the `startContainer` hooks and executes;
//! the end of the connection is the success, everything else is told through it: an error of `execve` is an error of
//! `start`. Then come the `poststart` hooks.
//!
//! # Rules
//!
//! What cannot be carried out is refused before anything is made, with the field's name. What fails later leaves nothing:
//! the attempt is taken back by a guard. The state on disk is believed only together with the kernel: a pid counts with
//! its start time, "created" means that the socket is there, "paused" that the freezer says so.
//!
//! A mount namespace that is joined by path is set up like a new one, in place: it must be one made for the container.
//! Without any, the root is covered by a copy of itself where the creator is, which `delete` takes away again; everything
//! is mounted in it, and the process is shut in by `chroot`.
//!
//! Not supported, and refused: checkpoints.

pub mod config;
pub mod container;
pub mod create;
mod devices;
pub mod exec;
pub mod features;
mod foreground;
mod further;
mod group;
pub mod hooks;
mod init;
mod mapped;
mod mounts;
mod namespaces;
mod notify;
pub mod observe;
pub mod operate;
mod process;
mod rdt;
pub mod run;
mod terminal;
#[cfg(test)]
mod tests;

use super::init::report::failure;
pub use super::protocol::{Failure, FailureKind};
pub use super::systemd::Buses;
use std::ffi::OsString;
use std::path::PathBuf;

/// The highest version of the specification this is written after.
pub const SPEC_VERSION: &str = "1.3.0";

pub type Outcome<T> = Result<T, Failure>;

/// What holds for all containers of a call.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// Where containers are kept.
    pub root: PathBuf,
    /// Control groups are the service manager's to make.
    pub systemd_cgroup: bool,
    /// Containers stay in their caller's group: nothing is limited, paused or counted.
    pub no_cgroups: bool,
    pub buses: Buses,
    /// Where the caller's service manager waits to hear that a container is ready: `NOTIFY_SOCKET`.
    pub notify: Option<OsString>,
    /// The caller's name, where the environment tells it: root in a user namespace may be anybody.
    pub user: Option<String>,
}

impl Runtime {
    fn is_user(&self) -> bool {
        is_user(self.user.as_deref())
    }
}

fn invalid(message: impl Into<String>) -> Failure {
    failure(FailureKind::Invalid, message)
}

fn unsupported(message: impl Into<String>) -> Failure {
    failure(FailureKind::Unsupported, message)
}

fn conflict(message: impl Into<String>) -> Failure {
    failure(FailureKind::Conflict, message)
}

fn not_found(message: impl Into<String>) -> Failure {
    failure(FailureKind::NotFound, message)
}

fn internal(message: impl Into<String>) -> Failure {
    failure(FailureKind::Internal, message)
}

/// Before anything of a container is done: this program goes on from a read-only view of its own file, so that nothing in
/// a container, however it gets hold of the file, can write to it (CVE-2019-5736). Where the right to mount is missing, what
/// remains is that the program refuses to be run inside.
pub fn seal_program() {
    let _ = crate::sys::program::become_read_only();
}

/// Whether the caller is an ordinary user, who has a service manager and a runtime directory of his own: also as root of a
/// user namespace, if the environment names somebody else.
pub fn is_user(name: Option<&str>) -> bool {
    crate::sys::channel::own_uid() != 0
        || (crate::sys::userns::identity().in_user_namespace && name.is_some_and(|name| name != "root"))
}
