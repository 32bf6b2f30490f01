//! An init that is cloned before it is known what it is to run: the kernel makes its namespaces, and it enters its
//! control group, while the engine still works out the launch. It is handed the launch as it came, and reads it while
//! its monitor does the same.

use super::streams::{ChildEnds, Streams};
use super::underway::died;
use super::{CLONING, Made, Starting, become_it, container, end};
use crate::runtime::cgroup::Group;
use crate::runtime::init::report::{self, During, Heard, Message, failure};
use crate::runtime::launch::{Launch, RootAhead};
use crate::runtime::protocol::{Failure, FailureKind};
use crate::runtime::rootfs;
use crate::sys::elsewhere::Elsewhere;
use crate::sys::mount::{self, Overlay};
use crate::sys::{clone, loopback, poll, process, pty};
use serde::de::DeserializeOwned;
use std::convert::Infallible;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The namespaces of a container with nothing special about it.
const USUAL: u64 = clone::NEWNS | clone::NEWPID | clone::NEWUTS | clone::NEWIPC | clone::NEWCGROUP;
/// What comes on the way to the child, in this order: that it is to make a network namespace, and what is known of the root, each
/// maybe; the launch in JSON, and what belongs to it as descriptors; then the word to go on.
const ROOT: u8 = b'R';
const LAUNCH: u8 = b'L';
const STREAM: u8 = b'S';
const NETWORK: u8 = b'N';
const GO_ON: u8 = b'G';

const HANDING: &str = "handing the launch to the init";
const NETWORKING: &str = "making the network namespace";

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
    /// It was told to make a network namespace, and has not answered yet.
    asked: bool,
    /// It is in a network namespace of its own.
    own_network: bool,
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
                let waiting = Waiting { pid, pidfd, socket: ours, asked: false, own_network: false };
                Ok(Ahead { elsewhere: Elsewhere::find(), waiting: Some(waiting) })
            }
        }
    }

    /// Lets it make a network namespace.
    pub fn make_network(&mut self) {
        if let Some(waiting) = self.waiting.as_mut().filter(|waiting| !waiting.asked) {
            send(&waiting.socket, NETWORK, None);
            waiting.asked = true;
        }
    }

    /// Ends it where other namespaces than its own are needed; only that of the network can still be made, or joined.
    /// `flags`: those to be made.
    pub(super) fn fitting(self, launch: &Launch, flags: u64) -> Option<Ahead> {
        let own_network = self.waiting.as_ref().is_some_and(|waiting| waiting.own_network);
        (flags & !clone::NEWNET == USUAL && (launch.makes_network() || !own_network)).then_some(self)
    }

    /// Hands it a [`RootAhead`] in JSON.
    pub fn tell_root(&self, root: &[u8]) -> Result<(), Failure> {
        let file = in_memory(root).during(HANDING)?;
        if let Some(waiting) = &self.waiting {
            // Beside whoever prepares the launch: the monitor has nothing to do meanwhile.
            send(&waiting.socket, ROOT, Some(file.as_fd()));
        }
        Ok(())
    }

    /// Hands it the launch in JSON. It does nothing yet that could be seen.
    pub fn tell(&self, launch: &[u8]) -> Result<(), Failure> {
        let file = in_memory(launch).during(HANDING)?;
        if let Some(waiting) = &self.waiting {
            self.elsewhere.wake(waiting.pid, || send(&waiting.socket, LAUNCH, Some(file.as_fd())));
        }
        Ok(())
    }

    /// The network namespace that it has made for itself, if it was told to.
    pub fn network(&mut self) -> Result<Option<OwnedFd>, Failure> {
        let Some(waiting) = self.waiting.as_mut().filter(|waiting| waiting.asked) else { return Ok(None) };
        waiting.asked = false;
        match report::hear(&waiting.socket, true)? {
            Heard::Message(Message::Network, Some(network)) => {
                waiting.own_network = true;
                Ok(Some(network))
            }
            Heard::Message(Message::Failed(failure), _) => Err(failure),
            Heard::End => Err(died(process::wait_pidfd(waiting.pidfd.as_fd(), true).ok().flatten())),
            _ => Err(failure(FailureKind::Internal, "the init's network namespace came without a descriptor")),
        }
    }

    /// Lets it become the container that it was told of.
    pub(super) fn go_on(mut self, network: Option<BorrowedFd<'_>>, streams: Streams) -> Result<Starting, Failure> {
        let Some(Waiting { pid, pidfd, socket, own_network, .. }) = self.waiting.take() else {
            return Err(failure(FailureKind::Internal, "the init was handed on already"));
        };
        // From here on both have something to do.
        self.elsewhere.wake(pid, || {
            streams.child.each().for_each(|end| send(&socket, STREAM, Some(end)));
            network.iter().filter(|_| !own_network).for_each(|network| send(&socket, NETWORK, Some(*network)));
            send(&socket, GO_ON, None);
        });
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
    let (mut root, mut network) = (None, None);
    let launch: Launch = loop {
        match receive(socket)? {
            (NETWORK, None) => {
                let made = own_network()?;
                report::send(socket, &Message::Network, Some(made.as_fd()));
                network = Some(made);
            }
            (ROOT, Some(file)) => root = mounted(&read(file)?),
            (LAUNCH, Some(file)) => break read(file)?,
            _ => return Err(out_of_turn()),
        }
    };
    // Another network namespace may still come.
    let early = container::Plan::new(&launch, Made { network: network.as_ref().map(AsFd::as_fd), users: None });
    let mut streams = Vec::new();
    let mut joined = None;
    loop {
        match receive(socket)? {
            (STREAM, Some(fd)) => streams.push(fd),
            (NETWORK, Some(fd)) => joined = Some(fd),
            (GO_ON, None) => break,
            _ => return Err(out_of_turn()),
        }
    }
    let mut plan = match &joined {
        Some(network) => container::Plan::new(&launch, Made { network: Some(network.as_fd()), users: None })?,
        None => early?,
    };
    if plan.flags & !USUAL != 0 {
        clone::unshare(plan.flags & !USUAL).during(NETWORKING)?;
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

fn own_network() -> Result<OwnedFd, Failure> {
    clone::unshare(clone::NEWNET).during(NETWORKING)?;
    loopback::up().during(container::LOOPBACK)?;
    File::open("/proc/self/ns/net").during(NETWORKING).map(OwnedFd::from)
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
