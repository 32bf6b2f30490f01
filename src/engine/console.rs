//! The user's own terminal, for front ends that have no terminal library of their own.

use super::error::{Error, ErrorKind, Result};
use crate::sys::userns;
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// Stops this program's whole job, as Ctrl-Z does, until the shell continues it.
pub fn suspend() -> Result<()> {
    const SIGTSTP: i32 = 20;
    crate::sys::process::kill(0, SIGTSTP).map_err(|e| Error::from_source(ErrorKind::Denied, "suspending teu", &e))
}

/// Has `program` show a web address on the user's desktop; nobody waits for it. In the user namespace of an ordinary
/// user's teu it gets the user's own id back: as its root a desktop's programs would not be known to one another.
pub fn browse(program: &Path, url: &str) -> Result<()> {
    let identity = userns::identity();
    let mut command = if identity.rootless {
        let mut command = Command::new("unshare");
        command.arg("--user").arg(format!("--map-user={}", identity.uid));
        command.arg(format!("--map-group={}", identity.gid)).arg("--").arg(program);
        command
    } else {
        Command::new(program)
    };
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let started = command.spawn();
    started
        .map(drop)
        .map_err(|e| Error::from_source(ErrorKind::Internal, format!("starting {}", program.display()), &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its program here leaves a file of that name.
    #[tokio::test]
    async fn a_browser_gets_the_address() {
        let dir = tempfile::tempdir().unwrap();
        let told = dir.path().join("told");
        browse(Path::new("touch"), told.to_str().unwrap()).unwrap();
        while !told.exists() {
            tokio::task::yield_now().await;
        }
        let error = browse(&dir.path().join("none"), "x").unwrap_err();
        assert!(error.to_string().contains("starting"), "{error}");
    }
}
