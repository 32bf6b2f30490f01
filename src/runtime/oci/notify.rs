//! Readiness (sd_notify(3)): a socket inside the container, whose word is passed on to the service manager that started
//! the runtime.
//!
//! `create` mounts a directory and names the socket in the program's environment; whoever starts the program binds the
//! socket in it and listens: `start` and a `run` that detaches until the container is ready, `run` in the foreground for
//! as long as it lives.

use super::{Outcome, invalid};
use crate::runtime::init::report::During;
use crate::sys::poll::{self, Epoll, Interest};
use crate::sys::{channel, files};
use oci_spec::runtime::{Mount, Spec};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

/// In the container's directory.
const DIRECTORY: &str = "notify";
const SOCKET: &str = "notify.sock";
/// In the container; the place other runtimes use.
const INSIDE: &str = "/run/notify";
/// More than anybody has to say at once.
const MAX: usize = 4096;
/// What a container may say to the manager. Not which process is meant, and not what to keep open.
const PASSED_ON: [&[u8]; 5] = [b"READY=", b"STATUS=", b"STOPPING=", b"RELOADING=", b"WATCHDOG=1"];
/// How long the manager may take to read what it was told.
const BARRIER: Duration = Duration::from_secs(5);

/// The mount and the variable. `dir`: the container's.
pub fn offer(spec: &mut Spec, dir: &Path) {
    let mut mount = Mount::default();
    let options = ["bind", "nosuid", "noexec", "nodev", "ro"].map(str::to_owned).to_vec();
    mount.set_destination(INSIDE.into()).set_typ(Some("bind".into()));
    let source = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()).join(DIRECTORY);
    mount.set_source(Some(source)).set_options(Some(options));
    let mut mounts = spec.mounts().clone().unwrap_or_default();
    mounts.push(mount);
    spec.set_mounts(Some(mounts));
    if let Some(process) = spec.process_mut() {
        let mut env = process.env().clone().unwrap_or_default();
        env.push(format!("NOTIFY_SOCKET={INSIDE}/{SOCKET}"));
        process.set_env(Some(env));
    }
}

pub fn make_directory(dir: &Path) -> Outcome<()> {
    let place = dir.join(DIRECTORY);
    let made = std::fs::create_dir(&place);
    let made = made.and_then(|()| std::fs::set_permissions(&place, PermissionsExt::from_mode(0o755)));
    made.during(&format!("making {}", place.display()))
}

/// Both ends.
pub struct Relay {
    inside: UnixDatagram,
    manager: UnixDatagram,
}

impl Relay {
    /// `None`: the container was created without such a socket. `manager`: as `NOTIFY_SOCKET` has it, with `@` for a name
    /// without a file.
    pub fn bind(dir: &Path, manager: Option<&OsStr>) -> Outcome<Option<Relay>> {
        let Some(address) = manager else { return Ok(None) };
        let place = dir.join(DIRECTORY);
        if !place.is_dir() {
            return Ok(None);
        }
        let manager = UnixDatagram::unbound().during("making a socket")?;
        let connected = match address.as_bytes().split_first() {
            Some((b'@', name)) => SocketAddr::from_abstract_name(name).and_then(|at| manager.connect_addr(&at)),
            Some((b'/', _)) => manager.connect(address),
            _ => return Err(invalid(format!("NOTIFY_SOCKET '{}' is no address", address.to_string_lossy()))),
        };
        connected.during(&format!("connecting to NOTIFY_SOCKET {}", address.to_string_lossy()))?;
        // A socket's own path has room for 108 bytes only.
        let opened = files::open_dir(&place).during("opening the notify directory")?;
        let path = format!("/proc/self/fd/{}/{SOCKET}", opened.as_raw_fd());
        let inside = match std::fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
            _ => UnixDatagram::bind(&path),
        };
        let inside = inside.during("making the notify socket")?;
        let open = std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777));
        open.and_then(|()| inside.set_nonblocking(true)).during("opening the notify socket for all")?;
        Ok(Some(Relay { inside, manager }))
    }

    /// What the container said since. `main`: the process that the manager is to watch from when it is ready. True when
    /// it is.
    pub fn pass_on(&self, main: Option<i32>) -> Outcome<bool> {
        let mut buffer = [0; MAX];
        let mut ready = false;
        loop {
            let said = match self.inside.recv(&mut buffer) {
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Ok(ready),
                Ok(length) => &buffer[..length],
            };
            let lines = said.split(|byte| *byte == b'\n');
            let mut words: Vec<&[u8]> = lines.filter(|l| PASSED_ON.iter().any(|known| l.starts_with(known))).collect();
            let now = words.contains(&b"READY=1".as_slice());
            let watched = main.filter(|_| now).map(|pid| format!("MAINPID={pid}"));
            words.extend(watched.as_ref().map(|line| line.as_bytes()));
            if !words.is_empty() {
                self.manager.send(&words.join(&b'\n')).during("telling the service manager")?;
            }
            ready |= now;
        }
    }

    /// Until the container is ready, or has ended.
    pub fn until_ready(&self, init: &OwnedFd, pid: i32) -> Outcome<()> {
        let epoll = Epoll::new().during("waiting")?;
        epoll.add(init, 0, Interest::READ).during("waiting")?;
        epoll.add(self, 1, Interest::READ).during("waiting")?;
        let mut events = Vec::new();
        loop {
            epoll.wait(&mut events, None).during("waiting")?;
            if self.pass_on(Some(pid))? {
                return self.barrier();
            }
            if events.iter().any(|event| event.token == 0) {
                return Ok(());
            }
        }
    }

    /// The manager asks the kernel about the sender, who has to be there still: it closes the pipe when it has read.
    fn barrier(&self) -> Outcome<()> {
        let (ours, theirs) = std::io::pipe().during("making a pipe")?;
        channel::send_fd(&self.manager, b"BARRIER=1", theirs.as_fd()).during("telling the service manager")?;
        drop(theirs);
        // One that does not know the word need not be waited for.
        let _ = poll::wait_end(&ours, BARRIER);
        Ok(())
    }
}

impl AsFd for Relay {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inside.as_fd()
    }
}
