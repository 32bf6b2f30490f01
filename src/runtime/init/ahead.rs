//! An init that is cloned before it is known what it is to run: the kernel makes its namespaces, and it enters its
//! control group, while the engine still works out the launch. It is handed the launch as it came, and reads it while
//! its monitor does the same.

use super::streams::{ChildEnds, Streams};
use super::{CLONING, Made, Starting, become_it, container, end};
use crate::runtime::cgroup::Group;
use crate::runtime::init::report::{During, failure};
use crate::runtime::launch::{Launch, RootAhead};
use crate::runtime::protocol::{Failure, FailureKind};
use crate::runtime::rootfs;
use crate::sys::elsewhere::Elsewhere;
use crate::sys::mount::{self, Overlay};
use crate::sys::{clone, poll, pty};
use serde::de::DeserializeOwned;
use std::convert::Infallible;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The namespaces of a container with nothing special about it.
const USUAL: u64 = clone::NEWNS | clone::NEWPID | clone::NEWUTS | clone::NEWIPC | clone::NEWCGROUP;
/// What comes on the way to the child, in this order: what is known of the root, maybe; the launch in JSON, and what belongs to
/// it as descriptors; then the word to go on.
const ROOT: u8 = b'R';
const LAUNCH: u8 = b'L';
const STREAM: u8 = b'S';
const NETWORK: u8 = b'N';
const GO_ON: u8 = b'G';

/// Waits for its launch; dropped, it is killed.
pub struct Ahead {
    elsewhere: Elsewhere,
    /// `None`: handed on.
    waiting: Option<Waiting>,
}

struct Waiting {
    pid: i32,
    pidfd: OwnedFd,
    socket: OwnedFd,
}

impl Ahead {
    /// Clones it into `group`. The caller must be single-threaded.
    pub fn clone(group: &Group) -> Result<Ahead, Failure> {
        let (ours, theirs) = pty::socket_pair().during("making the report socket")?;
        match clone::clone3(USUAL & !clone::NEWCGROUP, group.clone_fd()).during(CLONING)? {
            clone::Side::Child => {
                drop(ours);
                become_it(&theirs, || live(group, &theirs))
            }
            clone::Side::Parent { pid, pidfd } => {
                // Where both have but one processor, it settles in first.
                std::thread::yield_now();
                Ok(Ahead { elsewhere: Elsewhere::find(), waiting: Some(Waiting { pid, pidfd, socket: ours }) })
            }
        }
    }

    /// Ends it where other namespaces are needed; only that of the network can still be made.
    pub(super) fn fitting(self, flags: u64) -> Option<Ahead> {
        (USUAL == flags || USUAL | clone::NEWNET == flags).then_some(self)
    }

    /// Hands it a [`RootAhead`] in JSON.
    pub fn tell_root(&self, root: &[u8]) -> Result<(), Failure> {
        self.hand_over(ROOT, root)
    }

    /// Hands it the launch in JSON. It does nothing yet that could be seen.
    pub fn tell(&self, launch: &[u8]) -> Result<(), Failure> {
        self.hand_over(LAUNCH, launch)
    }

    fn hand_over(&self, kind: u8, json: &[u8]) -> Result<(), Failure> {
        let file = in_memory(json).during("handing the launch to the init")?;
        if let Some(waiting) = &self.waiting {
            self.elsewhere.wake(waiting.pid, || send(&waiting.socket, kind, Some(file.as_fd())));
        }
        Ok(())
    }

    /// Lets it become the container that it was told of.
    pub(super) fn go_on(mut self, network: Option<BorrowedFd<'_>>, streams: Streams) -> Result<Starting, Failure> {
        let Some(Waiting { pid, pidfd, socket }) = self.waiting.take() else {
            return Err(failure(FailureKind::Internal, "the init was handed on already"));
        };
        streams.child.each().for_each(|end| send(&socket, STREAM, Some(end)));
        network.into_iter().for_each(|network| send(&socket, NETWORK, Some(network)));
        send(&socket, GO_ON, None);
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

/// A child that is gone already says so at its end of the connection.
fn send(socket: &OwnedFd, kind: u8, fd: Option<BorrowedFd<'_>>) {
    let _ = pty::send(socket.as_fd(), &[kind], fd);
}

fn in_memory(text: &[u8]) -> std::io::Result<File> {
    let mut file = File::from(poll::memory_file(c"launch").map_err(|e| e.source)?);
    file.write_all(text)?;
    file.rewind()?;
    Ok(file)
}

/// The child's side.
fn live(group: &Group, socket: &OwnedFd) -> Result<Infallible, Failure> {
    container::settle_in(true, Some(group))?;
    let mut root = None;
    let launch: Launch = loop {
        match receive(socket)? {
            (ROOT, Some(file)) => root = mounted(&read(file)?),
            (LAUNCH, Some(file)) => break read(file)?,
            _ => return Err(out_of_turn()),
        }
    };
    // What can be worked out without the network namespace, which comes later.
    let early = container::Plan::new(&launch, Made::default());
    let mut streams = Vec::new();
    let mut network = None;
    loop {
        match receive(socket)? {
            (STREAM, Some(fd)) => streams.push(fd),
            (NETWORK, Some(fd)) => network = Some(fd),
            (GO_ON, None) => break,
            _ => return Err(out_of_turn()),
        }
    }
    let mut plan = match &network {
        Some(network) => container::Plan::new(&launch, Made { network: Some(network.as_fd()), users: None })?,
        None => early?,
    };
    if plan.flags & !USUAL != 0 {
        clone::unshare(plan.flags & !USUAL).during("making the network namespace")?;
    }
    let root = root.and_then(|(overlay, mount)| plan.take_root(&overlay).then_some(mount));
    container::run(&plan, Vec::from_iter(root), ChildEnds::new(streams), socket)
}

fn read<T: DeserializeOwned>(file: OwnedFd) -> Result<T, Failure> {
    let mut json = Vec::new();
    File::from(file).read_to_end(&mut json).during("reading the launch")?;
    serde_json::from_slice(&json).map_err(|e| failure(FailureKind::Internal, format!("the launch cannot be read: {e}")))
}

/// Where that fails, it does so again with the launch: then the reason is told.
fn mounted(root: &RootAhead) -> Option<(Overlay, OwnedFd)> {
    let overlay = rootfs::overlay_ahead(root)?;
    mount::overlay_ahead(&overlay).ok().map(|mount| (overlay, mount))
}

fn receive(socket: &OwnedFd) -> Result<(u8, Option<OwnedFd>), Failure> {
    let mut kind = [0];
    match pty::receive(socket.as_fd(), &mut kind).during("waiting for the launch")? {
        (1, fd) => Ok((kind[0], fd)),
        _ => Err(failure(FailureKind::Internal, "the monitor died while the container started")),
    }
}

fn out_of_turn() -> Failure {
    failure(FailureKind::Internal, "the monitor said something else than was expected of it")
}
