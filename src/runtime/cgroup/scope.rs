//! A login session's group is not its user's to fill, but the user's systemd manager makes one that is: a transient scope.
//!
//! Asked through `systemd-run`, which execs into the same terminal and process; there is no D-Bus client in teu.

use super::hierarchy::Hierarchies;
use super::v2;
use crate::sys::channel::own_uid;
use crate::sys::userns::Identity;
use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

/// Set in the scope, so that a scope without what we need is not asked for again.
pub const VARIABLE: &str = "TEU_SCOPE";

/// The command that runs `program args` in a delegated scope; `None` when this process needs none (root, a group of its
/// own already, cgroup v1) or cannot have one (no user manager listens below `runtime_dir`, `$XDG_RUNTIME_DIR`).
/// For an ordinary user, before the user namespace is entered: the manager knows only the real user.
pub fn command(program: &Path, args: &[OsString], runtime_dir: &Path) -> Option<Command> {
    if own_uid() == 0 {
        return None;
    }
    let Hierarchies::V2(mount) = Hierarchies::read() else { return None };
    let user = Identity {
        uid: own_uid(),
        gid: own_uid(),
        rootless: true,
        in_user_namespace: false,
        sub_ids: false,
        note: None,
    };
    if v2::place(&mount, &user).is_ok() {
        return None;
    }
    UnixStream::connect(runtime_dir.join("systemd/private")).ok()?;
    Some(scope(program, args))
}

fn scope(program: &Path, args: &[OsString]) -> Command {
    let mut command = Command::new("systemd-run");
    command.args(["--user", "--scope", "--quiet", "--collect", "--property=Delegate=yes", "--description=teu", "--"]);
    command.arg(program).args(args).env(VARIABLE, "1");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scope_is_delegated_and_its_arguments_are_ours() {
        let command = scope(Path::new("/bin/teu"), &["run".into(), "--rm".into()]);
        let args: Vec<_> = command.get_args().map(|a| a.to_string_lossy().into_owned()).collect();
        assert!(args.contains(&"--property=Delegate=yes".to_owned()), "{args:?}");
        assert_eq!(args[args.len() - 4..], ["--", "/bin/teu", "run", "--rm"]);
    }
}
