//! What a process becomes before it has threads and an engine: a member of a group it may fill, root of a namespace.

use super::error::{Error, ErrorKind, Result};
use super::{LoadingMonitor, Options};
use crate::runtime::announced::Announced;
use crate::runtime::cgroup::scope;
use crate::sys::{process, userns};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;

/// Set by [`enter_scope`] for the process that goes on in the scope.
pub const SCOPE_VARIABLE: &str = scope::VARIABLE;
/// Set by teu for the processes it starts itself: the user namespace they are in already.
pub const USERNS_VARIABLE: &str = userns::VARIABLE;

/// Whoever started teu may ignore SIGCHLD: then nobody would ever hear of a container's end.
pub fn hear_of_children() {
    process::default_child_signal();
}

/// Where a user's session has no control group for containers, goes on as the same program with the same `args` in one
/// that has. Returns when there is no need, or no way: then there are no limits, and the doctor says what is missing.
/// `runtime_dir`: `$XDG_RUNTIME_DIR`.
pub fn enter_scope(args: &[OsString], runtime_dir: &Path) {
    if let Ok(program) = std::env::current_exe()
        && let Some(mut command) = scope::command(&program, args, runtime_dir)
    {
        // Returns only when there is no systemd-run.
        let _ = command.exec();
    }
}

/// Begins a monitor, which makes ready while the engine that will tell it what to run is opened: on another processor that
/// costs no time. `environment`: what the monitor gets of this process's, which must not be one that lives for long.
/// `new`: for a container that is yet to be made.
/// To be called while there is one thread, after [`enter_user_namespace`] or by root (see [`is_root`]).
pub fn load_monitor(environment: Vec<(OsString, OsString)>, new: bool) -> LoadingMonitor {
    let announced = if new { Announced::new_container() } else { Announced::default() };
    if userns::identity().rootless {
        // A fork's memory would belong to the user namespace that this program was executed in, and what hides in it (an init
        // that is not dumpable) could not be looked at from within: not joined, not told from others.
        return LoadingMonitor::execute(Options::PROGRAM.into(), environment, Announced { child: true, ..announced });
    }
    LoadingMonitor::fork(Options::PROGRAM.as_ref(), &environment, announced)
}

/// Root of this machine, who needs no namespace. `inherited`: the value of [`USERNS_VARIABLE`].
pub fn is_root(inherited: Option<&str>) -> bool {
    inherited.is_none() && userns::is_root()
}

/// An ordinary user becomes root of a user namespace of its own, or of the one its containers already run in.
/// `inherited`: the value of [`USERNS_VARIABLE`]. To be called while there is one thread.
pub fn enter_user_namespace(run_dir: &Path, inherited: Option<&str>) -> Result<()> {
    userns::enter(run_dir, inherited).map(|_| ()).map_err(|e| {
        let error = Error::from_source(ErrorKind::Denied, "becoming root of an own user namespace", &e);
        e.hint.iter().fold(error, |error, hint| error.hint(hint))
    })
}
