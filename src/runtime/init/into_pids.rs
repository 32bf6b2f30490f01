//! Cloning a process into another process's pid namespace: only children follow a `setns` of that kind.

use super::report::{During, failure};
use crate::runtime::cgroup::Group;
use crate::runtime::protocol::{Failure, FailureKind};
use crate::sys::{clone, process, userns};
use std::io::{Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};

/// Clones with further `flags` into the pid namespace of `init`. The new process is the caller's child. The caller is
/// single-threaded; `own`: its own pid namespace ([`own_pids`]).
pub(super) fn clone(
    init: BorrowedFd<'_>,
    own: BorrowedFd<'_>,
    flags: u64,
    group: &Group,
) -> Result<clone::Side, Failure> {
    // In a user namespace nobody may return to the machine's own pid namespace: somebody goes there for good.
    if userns::identity().in_user_namespace {
        by_helper(init, flags, group)
    } else {
        and_return(init, own, flags, group)
    }
}

pub(super) fn own_pids() -> Result<OwnedFd, Failure> {
    Ok(std::fs::File::open("/proc/self/ns/pid").during("opening the pid namespace")?.into())
}

/// A helper enters, clones the process as its own sibling (so that it is the monitor's child), tells its pid, ends.
fn by_helper(init: BorrowedFd<'_>, flags: u64, group: &Group) -> Result<clone::Side, Failure> {
    let (mut ours, mut theirs) = std::io::pipe().during("making a pipe")?;
    let Some(helper) = clone::fork().during("forking")? else {
        drop(ours);
        let side = process::set_dumpable(false)
            .and_then(|_| clone::setns(init, clone::NEWPID))
            .and_then(|()| clone::clone3_sibling(flags, group.clone_fd()));
        let answer = match side {
            Ok(clone::Side::Child) => return Ok(clone::Side::Child),
            Ok(clone::Side::Parent { pid, .. }) => pid,
            Err(e) => -e.errno(),
        };
        let told = theirs.write_all(&answer.to_ne_bytes());
        process::exit_now(i32::from(told.is_err()));
    };
    drop(theirs);
    let mut answer = [0; 4];
    let told = ours.read_exact(&mut answer);
    process::wait_pid(helper).during("waiting for the helper")?;
    told.during("hearing of the new process")?;
    match i32::from_ne_bytes(answer) {
        // A child of ours: its number stays its own until we reap it.
        pid if pid > 0 => {
            Ok(clone::Side::Parent { pid, pidfd: process::pidfd_open(pid).during("opening the new process")? })
        }
        errno => Err(gone(&crate::sys::Error::new("setns", std::io::Error::from_raw_os_error(-errno)))),
    }
}

/// Without a process in between: the monitor goes there and back around the clone. The copy of the monitor that processes of the
/// container can now see must not be dumpable at any moment.
fn and_return(init: BorrowedFd<'_>, own: BorrowedFd<'_>, flags: u64, group: &Group) -> Result<clone::Side, Failure> {
    let dumpable = process::set_dumpable(false).during("hiding the monitor")?;
    let show_again = || if dumpable { process::set_dumpable(true).map(drop) } else { Ok(()) };
    if let Err(e) = clone::setns(init, clone::NEWPID) {
        show_again().during("showing the monitor again")?;
        return Err(gone(&e));
    }
    let side = clone::clone3(flags, group.clone_fd());
    if let Ok(clone::Side::Child) = side {
        return Ok(clone::Side::Child);
    }
    let back = clone::setns(own, clone::NEWPID);
    show_again().during("showing the monitor again")?;
    back.during("returning to the monitor's pid namespace")?;
    side.during("cloning into the container")
}

/// Why the namespaces of a container could not be entered.
pub(super) fn gone(error: &crate::sys::Error) -> Failure {
    match error.errno() {
        // ESRCH: its init has ended, and with it the namespace.
        3 => failure(FailureKind::Conflict, "the container is not running"),
        _ => Failure {
            kind: FailureKind::Internal,
            chain: vec!["entering the container's namespaces".into(), super::report::text(error)],
            hint: None,
        },
    }
}
