//! An init that is cloned before it is known what it is to run: the kernel makes its namespaces, and it enters its
//! control group, while the engine still works out the launch.

use super::streams::{ChildEnds, Streams};
use super::{CLONING, Made, Starting, become_it, container, end};
use crate::runtime::cgroup::Group;
use crate::runtime::init::report::{During, failure};
use crate::runtime::launch::Launch;
use crate::runtime::protocol::{Failure, FailureKind};
use crate::sys::{clone, poll, pty};
use std::convert::Infallible;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The namespaces of a container with nothing special about it.
const USUAL: u64 = clone::NEWNS | clone::NEWPID | clone::NEWUTS | clone::NEWIPC | clone::NEWCGROUP;
/// What comes with a descriptor on the way to the child, in this order; the last one comes always.
const STREAM: u8 = b'S';
const NETWORK: u8 = b'N';
const LAUNCH: u8 = b'L';

/// Waits for its launch; dropped, it is killed.
pub struct Ahead {
    flags: u64,
    /// `None`: handed on.
    waiting: Option<Waiting>,
}

struct Waiting {
    pid: i32,
    pidfd: OwnedFd,
    socket: OwnedFd,
}

impl Ahead {
    /// Clones it into `group`; with a network namespace of its own if that is what it is going to have. The caller
    /// must be single-threaded.
    pub fn clone(group: &Group, own_network: bool) -> Result<Ahead, Failure> {
        let flags = USUAL | if own_network { clone::NEWNET } else { 0 };
        let (ours, theirs) = pty::socket_pair().during("making the report socket")?;
        match clone::clone3(flags & !clone::NEWCGROUP, group.clone_fd()).during(CLONING)? {
            clone::Side::Child => {
                drop(ours);
                become_it(&theirs, || live(flags, group, &theirs))
            }
            clone::Side::Parent { pid, pidfd } => {
                Ok(Ahead { flags, waiting: Some(Waiting { pid, pidfd, socket: ours }) })
            }
        }
    }

    /// Ends it where other namespaces are needed; only that of the network can still be made.
    pub(super) fn fitting(self, flags: u64) -> Option<Ahead> {
        (self.flags == flags || self.flags | clone::NEWNET == flags).then_some(self)
    }

    /// Hands it what it waits for: `launch` in JSON.
    pub(super) fn go_on(
        mut self,
        launch: &[u8],
        network: Option<BorrowedFd<'_>>,
        streams: Streams,
    ) -> Result<Starting, Failure> {
        let launch = in_memory(launch).during("handing the launch to the init")?;
        let Some(Waiting { pid, pidfd, socket }) = self.waiting.take() else {
            return Err(failure(FailureKind::Internal, "the init was handed on already"));
        };
        // One that is gone already says so at its end of the connection.
        let send = |kind: u8, fd: BorrowedFd<'_>| drop(pty::send(socket.as_fd(), &[kind], Some(fd)));
        streams.child.each().for_each(|end| send(STREAM, end));
        network.into_iter().for_each(|network| send(NETWORK, network));
        send(LAUNCH, launch.as_fd());
        Ok(Starting::new(pid, pidfd, socket, streams.parent))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        if let Some(waiting) = &self.waiting {
            end(&waiting.pidfd);
        }
    }
}

fn in_memory(text: &[u8]) -> std::io::Result<File> {
    let mut file = File::from(poll::memory_file(c"launch").map_err(|e| e.source)?);
    file.write_all(text)?;
    file.rewind()?;
    Ok(file)
}

/// The child's side.
fn live(flags: u64, group: &Group, socket: &OwnedFd) -> Result<Infallible, Failure> {
    container::settle_in(true, Some(group))?;
    let mut streams = Vec::new();
    let mut network = None;
    let launch = loop {
        let mut kind = [0];
        match (pty::receive(socket.as_fd(), &mut kind).during("waiting for the launch")?, kind[0]) {
            ((1, Some(fd)), STREAM) => streams.push(fd),
            ((1, Some(fd)), NETWORK) => network = Some(fd),
            ((1, Some(fd)), LAUNCH) => break File::from(fd),
            _ => return Err(failure(FailureKind::Internal, "the monitor died while the container started")),
        }
    };
    let text = std::io::read_to_string(launch).during("reading the launch")?;
    let launch: Launch = serde_json::from_str(&text)
        .map_err(|e| failure(FailureKind::Internal, format!("the launch cannot be read: {e}")))?;
    let made = Made { network: network.as_ref().map(AsFd::as_fd), users: None };
    let plan = container::Plan::new(&launch, made)?;
    if plan.flags & !flags != 0 {
        clone::unshare(plan.flags & !flags).during("making the network namespace")?;
    }
    container::run(&plan, Vec::new(), ChildEnds::new(streams), socket)
}
