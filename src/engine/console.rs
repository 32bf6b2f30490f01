//! The user's own terminal, for front ends that have no terminal library of their own.

use super::error::{Error, ErrorKind, Result};

/// Stops this program's whole job, as Ctrl-Z does, until the shell continues it.
pub fn suspend() -> Result<()> {
    const SIGTSTP: i32 = 20;
    crate::sys::process::kill(0, SIGTSTP).map_err(|e| Error::from_source(ErrorKind::Denied, "suspending teu", &e))
}
