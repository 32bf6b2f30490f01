//! How a process becomes a monitor: by executing the program anew, or, where there is one thread, by a fork that goes on as if
//! it had.

use super::connection::Connection;
use super::start::Starting;
use super::{Error, Result};
use crate::runtime::announced::Announced;
use crate::runtime::monitor;
use crate::sys::elsewhere::Elsewhere;
use crate::sys::in_place::{self, Face};
use crate::sys::program::Sealed;
use crate::sys::{clone, process, userns};
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};

/// A monitor on its way; needs no async runtime yet.
pub struct Loading {
    /// `None`: it was taken.
    loaded: Option<Receiver<Result<Loaded>>>,
    announced: Announced,
}

/// Our end of its connection, and its number.
type Loaded = (UnixStream, i32);

impl Loading {
    /// Executes the program, on a thread of its own. See [`super::begin`].
    pub fn execute(program: PathBuf, environment: Vec<(OsString, OsString)>, announced: Announced) -> Loading {
        let (sender, loaded) = sync_channel(1);
        let told = announced.clone();
        // The monitor's start is the longer way: it must not wait for this one.
        Elsewhere::spawn(move || {
            // Nothing of a container may write to this program's file, see `init`. Without the right to mount it is
            // the file itself, and the init refuses to run it inside.
            let sealed = Sealed::new(&program).ok();
            let _ = sender.send(execute(&program, sealed.as_ref(), &environment, &told));
            // The kernel takes up to a millisecond to give this mount up: nobody needs to wait for it.
            drop(sealed);
        });
        Loading { loaded: Some(loaded), announced }
    }

    /// Forks, which is quicker: the monitor is ready before what it is to run is. `program` is the one that runs. To be called
    /// while there is one thread, by a process that does not live for long and is in the user namespace that it began in.
    pub fn fork(program: &Path, environment: &[(OsString, OsString)], announced: Announced) -> Loading {
        let announced = Announced { child: true, ..announced };
        let (sender, loaded) = sync_channel(1);
        let _ = sender.send(fork(program, environment, &announced));
        Loading { loaded: Some(loaded), announced }
    }

    /// Waits until there is a process that is to be it.
    pub fn ready(mut self) -> Result<Starting> {
        let loaded = self.loaded.take().and_then(|loaded| loaded.recv().ok());
        let (socket, pid) = loaded.ok_or_else(|| Error::Lost(" (its thread broke down)".into()))??;
        socket.set_nonblocking(true)?;
        let connection = Connection::new(tokio::net::UnixStream::from_std(socket)?);
        Ok(Starting { connection: Some(connection), pid, announced: self.announced.clone() })
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        if let Some(Ok(Ok((socket, pid)))) = self.loaded.take().map(|loaded| loaded.recv()) {
            drop(socket);
            // Without a launch it leaves at once, and nobody else would reap it.
            let _ = process::wait_pid(pid);
        }
    }
}

/// The words after the program's name. The connection is the standard input.
fn words(announced: &Announced) -> impl Iterator<Item = OsString> {
    ["__monitor", "0"].into_iter().map(OsString::from).chain(announced.words().map(OsString::from))
}

/// That of the caller which the monitor gets, and who it is.
fn surroundings(environment: &[(OsString, OsString)]) -> Vec<(OsString, OsString)> {
    let identity = userns::identity();
    let told = identity.in_user_namespace.then(|| (userns::VARIABLE.into(), identity.to_env().into()));
    environment.iter().cloned().chain(told).collect()
}

fn command(
    program: &Path,
    sealed: Option<&Sealed>,
    environment: Vec<(OsString, OsString)>,
    announced: &Announced,
    control: UnixStream,
) -> Command {
    let mut command = Command::new(sealed.map_or_else(|| program.to_owned(), Sealed::name));
    command.arg0(program).args(words(announced)).env_clear().envs(environment);
    // The socket travels as standard input: no pre_exec, so no fork of a many-threaded process.
    command.stdin(Stdio::from(OwnedFd::from(control))).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn execute(
    program: &Path,
    sealed: Option<&Sealed>,
    environment: &[(OsString, OsString)],
    announced: &Announced,
) -> Result<Loaded> {
    let (ours, theirs) = UnixStream::pair()?;
    let child = command(program, sealed, surroundings(environment), announced, theirs)
        .spawn()
        .map_err(|source| Error::Spawn { program: program.to_owned(), source })?;
    Ok((ours, child.id().cast_signed()))
}

fn fork(program: &Path, environment: &[(OsString, OsString)], announced: &Announced) -> Result<Loaded> {
    let (ours, theirs) = UnixStream::pair()?;
    let sealed = Sealed::new(program).ok();
    let environment = surroundings(environment);
    // The fork must know it too: what it finds itself is what this one does to it below.
    let elsewhere = Elsewhere::find();
    match clone::fork()? {
        None => {
            drop(ours);
            elsewhere.keep();
            let become_it = || become_monitor(program, theirs, sealed, environment, announced);
            // What has broken down must not go on as the one it was forked from.
            let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(become_it)).unwrap_or(1);
            process::exit_now(code.into())
        }
        Some(pid) => {
            // It would take turns with this one.
            elsewhere.wake(pid, || {});
            Ok((ours, pid))
        }
    }
}

/// In the fork: as after an exec by the sealed name, and by such an exec where there is no other way.
fn become_monitor(
    program: &Path,
    control: UnixStream,
    sealed: Option<Sealed>,
    environment: Vec<(OsString, OsString)>,
    announced: &Announced,
) -> u8 {
    let args: Vec<OsString> = std::iter::once(program.into()).chain(words(announced)).collect();
    if in_place::go_on(sealed.as_ref(), Some(&Face { args: &args, environment: &environment })).is_err() {
        // Returns only when it failed.
        let _ = command(program, sealed.as_ref(), environment, announced, control).exec();
        return 1;
    }
    let told = environment.iter().find(|(name, _)| name == userns::VARIABLE).and_then(|(_, value)| value.to_str());
    monitor::forked(control.into(), sealed.map(Sealed::into_mount), announced, told)
}
