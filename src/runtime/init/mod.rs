//! From a [`Launch`] to a living process: the monitor (single-threaded) clones the container's init here and the child
//! goes on in Rust until it executes the command. No tokio, no threads, no database.

use crate::runtime::protocol::{Failure, FailureKind};
use std::os::fd::OwnedFd;

/// A started process: the container's init or an exec session.
#[derive(Debug)]
pub struct Child {
    /// Pid as the caller's pid namespace sees it.
    pub pid: i32,
    pub pidfd: OwnedFd,
    pub io: ChildIo,
}

/// The caller's ends of a process's streams.
#[derive(Debug)]
pub enum ChildIo {
    Terminal { master: OwnedFd },
    Pipes { stdin: Option<OwnedFd>, stdout: OwnedFd, stderr: OwnedFd },
}

/// A failure with its chain, for errors that start here.
#[allow(dead_code)]
pub(crate) fn failure(kind: FailureKind, message: impl Into<String>) -> Failure {
    Failure { kind, chain: vec![message.into()], hint: None }
}
