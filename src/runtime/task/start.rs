//! Starts a monitor and hands it a launch.

use super::connection::{Connection, hello, unexpected};
use super::loading::Loading;
use super::{Attach, Error, Result, Session};
use crate::model::id::ContainerId;
use crate::runtime::announced::Announced;
use crate::runtime::cgroup::Group;
use crate::runtime::launch::{Launch, RootAhead};
use crate::runtime::protocol::{self, Kind, Reply};
use crate::sys::process::{self, Ended};
use crate::sys::userns;
use std::ffi::OsString;
use std::path::Path;

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

/// A monitor on its way, while what it is to run is still being prepared. Dropped, it goes away.
pub struct Starting {
    pub(super) connection: Option<Connection>,
    /// The number of our child, which is waited for.
    pub(super) pid: i32,
    pub(super) announced: Announced,
}

/// Starts the program alone: its loading takes about as long as the preparation of a launch. `environment` is all the
/// monitor gets of its caller's: it lives long, and everybody with the same uid can read it in /proc. What
/// can be made for the container that is `announced` is made ahead.
pub fn begin(program: &Path, environment: &[(OsString, OsString)], announced: Announced) -> Result<Starting> {
    Loading::execute(program.to_owned(), environment.to_owned(), announced).ready()
}

impl Starting {
    /// Of the container that was announced to it.
    pub fn id(&self) -> Option<&ContainerId> {
        self.announced.id.as_ref()
    }

    /// Tells that the launch is going to make a network namespace, which takes the kernel longer than all others.
    pub async fn expect_network(&mut self) -> Result<()> {
        match &mut self.connection {
            Some(connection) => connection.send(&protocol::frame(Kind::Network, &[])).await,
            None => Ok(()),
        }
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
        let ended = process::wait_pid(self.pid);
        let Err(Error::Lost(_)) = answer else { return answer };
        if let Some(id) = self.id()
            && let Ok(group) = Group::make(id.as_str(), userns::identity())
        {
            // Made ahead; whoever is in it stays, with what is known of him.
            let _ = group.remove();
        }
        match ended {
            Ok(Ended::Code(code)) if code != 0 => Err(Error::Lost(format!(" (exit status {code})"))),
            Ok(Ended::Signal(number)) => Err(Error::Lost(format!(" (signal {number})"))),
            _ => answer,
        }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(connection);
            // Without a launch it leaves at once, and nobody else would reap it.
            let _ = process::wait_pid(self.pid);
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
    let pid = match connection.reply().await? {
        Reply::Started { pid } => pid,
        other => return Err(unexpected(&other)),
    };
    let session = if attached { Some(connection.into_session().await?) } else { None };
    Ok(Started { pid, session })
}
