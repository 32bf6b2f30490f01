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
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Set in the scope, so that a scope without what we need is not asked for again.
pub const VARIABLE: &str = "TEU_SCOPE";

const REMEMBERED: Duration = Duration::from_secs(600);
const PATIENCE: Duration = Duration::from_secs(5);

/// The command that runs `program args` in a delegated scope; `None` when this process needs none (root, a group of its
/// own already, cgroup v1) or cannot have one (no user manager listens below `runtime_dir`, `$XDG_RUNTIME_DIR`, or it
/// refuses).
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
    works(runtime_dir, scope(Path::new("true"), &[])).then(|| scope(program, args))
}

/// Whether the manager really gives such a scope. Once we have become `systemd-run` it is too late to find out that it
/// does not, so one that runs nothing is tried before. What came of it is remembered for a while in the session's own
/// directory: asking costs more than a start.
fn works(runtime_dir: &Path, mut trial: Command) -> bool {
    let known = runtime_dir.join("teu-scope");
    let fresh = |m: std::fs::Metadata| m.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age < REMEMBERED));
    if known.metadata().is_ok_and(fresh)
        && let Ok(text) = std::fs::read_to_string(&known)
    {
        return text == "yes";
    }
    let trial = trial.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let works = trial.is_ok_and(succeeds);
    // Without the note it is tried again next time.
    let _ = std::fs::write(known, if works { "yes" } else { "no" });
    works
}

/// A manager that does not answer gives no scope either.
fn succeeds(mut child: Child) -> bool {
    let end = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(2)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
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
    fn a_manager_that_gives_no_scope_is_not_relied_on() {
        let dir = tempfile::tempdir().unwrap();
        let no = || Command::new("false");
        assert!(!works(dir.path(), no()));
        assert!(!works(dir.path(), Command::new("true")), "remembered");
        std::fs::remove_file(dir.path().join("teu-scope")).unwrap();
        assert!(works(dir.path(), Command::new("true")));
        assert!(works(dir.path(), no()), "remembered");
        // For a while only.
        let old = std::fs::File::options().write(true).open(dir.path().join("teu-scope")).unwrap();
        old.set_modified(std::time::SystemTime::now() - REMEMBERED).unwrap();
        assert!(!works(dir.path(), no()));
        assert!(!works(&dir.path().join("gone"), Command::new("/nonexistent/systemd-run")));
    }

    #[test]
    fn the_scope_is_delegated_and_its_arguments_are_ours() {
        let command = scope(Path::new("/bin/teu"), &["run".into(), "--rm".into()]);
        let args: Vec<_> = command.get_args().map(|a| a.to_string_lossy().into_owned()).collect();
        assert!(args.contains(&"--property=Delegate=yes".to_owned()), "{args:?}");
        assert_eq!(args[args.len() - 4..], ["--", "/bin/teu", "run", "--rm"]);
    }
}
