//! Starts a monitor and hands it a launch.

use super::connection::{Connection, hello, unexpected};
use super::{Attach, Error, Result, Session};
use crate::model::id::ContainerId;
use crate::net::netns::NetNs;
use crate::runtime::announced::Announced;
use crate::runtime::cgroup::Group;
use crate::runtime::launch::{Launch, RootAhead};
use crate::runtime::protocol::{self, Kind, Reply};
use crate::sys::{self, elsewhere::Elsewhere};
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use tokio::net::UnixStream;

/// A container that has just begun to run.
#[derive(Debug)]
pub struct Started {
    pub pid: i32,
    /// Open when `spawn` was asked to attach: nothing of the output was missed.
    pub session: Option<Session>,
}

/// Starts a monitor (`<program> __monitor`) for `launch` and waits until the container runs, or could not be started:
/// then nothing of it is left.
pub async fn spawn(program: &Path, launch: &Launch, attach: Option<Attach>) -> Result<Started> {
    begin(program, &[], Announced::default())?.launch(launch, attach).await
}

/// A monitor's program that is being loaded, while what it is to run is still being prepared. Dropped, it goes away.
pub struct Starting {
    connection: Option<Connection>,
    child: Child,
    announced: Announced,
}

/// Starts the program alone: its loading takes about as long as the preparation of a launch. `environment` is all the
/// monitor gets of its caller's: it lives long, and everybody with the same uid can read it in /proc. What
/// can be made for the container that is `announced` is made ahead.
pub fn begin(program: &Path, environment: &[(OsString, OsString)], announced: Announced) -> Result<Starting> {
    Loading::begin(program.to_owned(), environment.to_owned(), announced).ready()
}

/// A monitor's program that is being started, on a thread of its own; needs no async runtime yet.
pub struct Loading {
    loaded: Receiver<Result<Loaded>>,
    announced: Announced,
}

type Loaded = (std::os::unix::net::UnixStream, Child);

impl Loading {
    /// See [`begin`].
    pub fn begin(program: PathBuf, environment: Vec<(OsString, OsString)>, announced: Announced) -> Loading {
        let (sender, loaded) = std::sync::mpsc::sync_channel(1);
        let told = announced.clone();
        // The monitor's start is the longer way: it must not wait for this one.
        Elsewhere::spawn(move || {
            // Nothing of a container may write to this program's file, see `init`. Without the right to mount it is
            // the file itself, and the init refuses to run it inside.
            let sealed = sys::process::read_only_program(&program).ok();
            let name = sealed.as_ref().map_or(program.as_path(), |(_, name)| name);
            let _ = sender.send(execute(&program, name, &environment, &told));
            // The kernel takes up to a millisecond to give this mount up: nobody needs to wait for it.
            drop(sealed);
        });
        Loading { loaded, announced }
    }

    /// Waits until the program has been executed.
    pub fn ready(self) -> Result<Starting> {
        let (socket, child) = self.loaded.recv().map_err(|_| Error::Lost(" (its thread broke down)".into()))??;
        socket.set_nonblocking(true)?;
        Ok(Starting {
            connection: Some(Connection::new(UnixStream::from_std(socket)?)),
            child,
            announced: self.announced,
        })
    }
}

fn execute(program: &Path, name: &Path, environment: &[(OsString, OsString)], announced: &Announced) -> Result<Loaded> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    // The socket travels as standard input: no pre_exec, so no fork of this many-threaded process.
    let mut command = Command::new(name);
    std::os::unix::process::CommandExt::arg0(&mut command, program);
    command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    let identity = sys::userns::identity();
    if identity.in_user_namespace {
        command.env(sys::userns::VARIABLE, identity.to_env());
    }
    let child = command
        .args(["__monitor", "0"])
        .args(announced.words())
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|source| Error::Spawn { program: program.to_owned(), source })?;
    Ok((ours, child))
}

impl Starting {
    /// Of the container that was announced to it.
    pub fn id(&self) -> Option<&ContainerId> {
        self.announced.id.as_ref()
    }

    /// Tells what the root of the launch is going to be. A monitor that is gone already says so when it is to launch.
    pub async fn expect_root(&mut self, root: &RootAhead) -> Result<()> {
        match &mut self.connection {
            Some(connection) => connection.send(&protocol::json_frame(Kind::Root, root)?).await,
            None => Ok(()),
        }
    }

    /// See [`spawn`].
    pub async fn launch(mut self, launch: &Launch, attach: Option<Attach>) -> Result<Started> {
        let connection = self.connection.take().ok_or_else(|| Error::Lost(String::new()))?;
        let answer = start(connection, launch, attach).await;
        if self.announced.child && !matches!(answer, Err(Error::Lost(_))) {
            return answer;
        }
        // It broke down, or its first process leaves as soon as the monitor is nobody's child.
        let status = self.child.wait();
        let Err(Error::Lost(_)) = answer else { return answer };
        if let Some(id) = self.id()
            && let Ok(group) = Group::make(id.as_str(), sys::userns::identity())
        {
            // Made ahead; whoever is in it stays, with what is known of him.
            let _ = group.remove();
        }
        match status {
            Ok(status) if !status.success() => Err(Error::Lost(format!(" ({status})"))),
            _ => answer,
        }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(connection);
            // Without a launch it leaves at once, and nobody else would reap it.
            let _ = self.child.wait();
        }
    }
}

async fn start(mut connection: Connection, launch: &Launch, attach: Option<Attach>) -> Result<Started> {
    let mut wire = Vec::new();
    let attached = attach.is_some();
    if let Some(attach) = attach {
        wire.extend(hello(attach.into())?);
    }
    wire.extend(protocol::json_frame(Kind::Launch, launch)?);
    connection.send(&wire).await?;
    if launch.makes_network() {
        // The monitor makes it where this one could not, and tells why it cannot either.
        let namespace = NetNs::create().ok();
        connection.send_with(&protocol::frame(Kind::Network, &[]), namespace.as_ref().map(AsFd::as_fd)).await?;
    }
    let pid = match connection.reply().await? {
        Reply::Started { pid } => pid,
        other => return Err(unexpected(&other)),
    };
    let session = if attached { Some(connection.into_session().await?) } else { None };
    Ok(Started { pid, session })
}
