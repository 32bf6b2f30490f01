//! What is done to a container that was created: `start`, `kill`, `pause`, `resume`, `delete`.

use super::container::{self, Container, Status};
use super::hooks::{self, Moment};
use super::init::sync::{self, Message};
use super::notify::Relay;
use super::{Outcome, Runtime, conflict, internal};
use crate::runtime::cgroup::Group;
use crate::runtime::init::report::During;
use crate::sys::{channel, poll, process};
use oci_spec::runtime::LinuxNamespaceType;
use std::fs::File;
use std::os::fd::AsFd;
use std::time::Duration;

const SIGKILL: i32 = 9;
/// How long a killed process may take to end.
const DYING: Duration = Duration::from_secs(10);

/// Lets the first process execute its program, and returns when it has, or why it has not; where a service manager waits
/// to hear of it, when the container says that it is ready.
pub fn start(runtime: &Runtime, id: &str) -> Outcome<()> {
    let container = Container::load(&runtime.root, id)?;
    let relay = Relay::bind(&container.dir, runtime.notify.as_deref())?;
    let init = container.init();
    execute(runtime, id)?;
    relay.zip(init).map_or(Ok(()), |(relay, init)| relay.until_ready(&init, container.record.pid))
}

/// What is asked of a container that somebody is creating waits for that, and knows what came of it.
fn locked(container: Container) -> Outcome<(Container, File)> {
    let lock = container.lock()?;
    if container.record.pid > 0 {
        return Ok((container, lock));
    }
    let root = container.dir.parent().unwrap_or(&container.dir);
    Ok((Container::load(root, &container.record.id)?, lock))
}

/// The program, and the hooks after it.
pub fn execute(runtime: &Runtime, id: &str) -> Outcome<()> {
    let (container, _lock) = locked(Container::load(&runtime.root, id)?)?;
    match container.status() {
        Status::Created => {}
        Status::Creating => return Err(conflict("cannot start a container that is being created")),
        Status::Stopped => return Err(conflict("cannot start a container that has stopped")),
        Status::Paused => return Err(conflict("cannot start a container that is paused")),
        Status::Running => return Err(conflict("cannot start an already running container")),
    }
    let socket = channel::connect_packets(&container.dir, container::START);
    let socket = socket.during("reaching the container's first process")?;
    sync::go(socket.as_fd());
    let mut executing = false;
    let outcome = loop {
        match sync::receive(socket.as_fd())? {
            Some((Message::Executing, _)) => executing = true,
            Some((Message::Failed(failure), _)) => break Err(failure),
            Some((other, _)) => break Err(internal(format!("unexpected report {other:?}"))),
            None if executing => break Ok(()),
            None => break Err(internal("the container's first process died before its program ran")),
        }
    };
    let _gone = std::fs::remove_file(container.dir.join(container::START));
    outcome?;
    let spec = container.spec()?;
    let state = container.state(Status::Running).to_string();
    hooks::run(&spec, Moment::Poststart, &state, hooks::Surroundings::in_directory(&container.record.bundle))
        .inspect_err(|_| {
            // The specification: a failed hook of this kind stops the container.
            if let Some(init) = container.init() {
                let _ = process::pidfd_signal(&init, SIGKILL);
            }
        })
}

pub fn kill(runtime: &Runtime, id: &str, signal: i32, all: bool) -> Outcome<()> {
    let container = Container::load(&runtime.root, id)?;
    let group = container.group();
    // Processes in the host's pid namespace do not end with the first one. Asked now: a `run` may remove all of it as soon
    // as the container ends.
    let alone = signal == SIGKILL && !super::config::has(&container.spec()?, LinuxNamespaceType::Pid);
    let Some(init) = container.init() else {
        // What is left of it can still be signalled.
        let left = all || (alone && group.populated());
        return if left { signal_group(&group, signal) } else { Err(conflict("container not running")) };
    };
    if all {
        signal_group(&group, signal)?;
    } else {
        process::pidfd_signal(&init, signal).map_err(|e| match e.errno() {
            ESRCH => conflict("container not running"),
            _ => internal(format!("unable to signal init: {}", crate::runtime::init::report::text(&e))),
        })?;
    }
    if alone {
        group.kill_all().map_err(|e| internal(e.to_string()))?;
    }
    // v1's freezer holds even what is killed.
    if signal == SIGKILL && group.frozen() {
        group.thaw().map_err(|e| internal(e.to_string()))?;
    }
    Ok(())
}

const ESRCH: i32 = 3;

fn signal_group(group: &Group, signal: i32) -> Outcome<()> {
    if signal == SIGKILL {
        return group.kill_all().map_err(|e| internal(e.to_string()));
    }
    for pid in group.pids() {
        match process::kill(pid, signal) {
            Err(e) if e.errno() != ESRCH => return Err(internal(format!("unable to signal {pid}: {e}"))),
            _ => {}
        }
    }
    Ok(())
}

pub fn pause(runtime: &Runtime, id: &str) -> Outcome<()> {
    let container = Container::load(&runtime.root, id)?;
    let _lock = container.lock()?;
    match container.status() {
        Status::Created | Status::Running => {}
        Status::Paused => return Err(conflict("container already paused")),
        other => return Err(conflict(format!("container not running or created: {}", other.name()))),
    }
    container.group().freeze().map_err(|e| internal(e.to_string()))
}

pub fn resume(runtime: &Runtime, id: &str) -> Outcome<()> {
    let container = Container::load(&runtime.root, id)?;
    let _lock = container.lock()?;
    if container.status() != Status::Paused {
        return Err(conflict("container not paused"));
    }
    container.group().thaw().map_err(|e| internal(e.to_string()))
}

/// Undoes `create`. `force`: whatever the container does, and no error when there is none. Returns the words of hooks
/// that failed, which change nothing.
pub fn delete(runtime: &Runtime, id: &str, force: bool) -> Outcome<Vec<String>> {
    let container = match Container::load(&runtime.root, id) {
        Err(e) if force && e.kind == crate::runtime::protocol::FailureKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let (container, _lock) = locked(container)?;
    let status = container.status();
    // One that was not started yet goes like a stopped one: so have it the other runtimes, and their callers count on it.
    if !matches!(status, Status::Stopped | Status::Created) && !force {
        return Err(conflict(format!(
            "cannot delete container {id} that is not stopped: {} (kill it first, or use --force)",
            status.name()
        )));
    }
    end(runtime, &container)?;
    let spec = container.spec().ok();
    container.forget()?;
    let state = container.state(Status::Stopped).to_string();
    let bundle = container.record.bundle.as_path();
    // A bundle that is gone is no place to run hooks in.
    let around = hooks::Surroundings { cwd: bundle.is_dir().then_some(bundle), env: None };
    Ok(spec.map(|spec| hooks::run_all(&spec, Moment::Poststop, &state, around)).unwrap_or_default())
}

/// Kills what is left and removes the group.
fn end(runtime: &Runtime, container: &Container) -> Outcome<()> {
    let group = container.group();
    if let Some(init) = container.init() {
        let _ = process::pidfd_signal(&init, SIGKILL);
        if group.frozen() {
            group.thaw().map_err(|e| internal(e.to_string()))?;
        }
        if !poll::wait_end(&init, DYING) {
            return Err(internal(format!("container {} does not end", container.record.id)));
        }
    }
    if !container.record.cgroup.is_empty() && !container.record.foreign_cgroup {
        group.kill_all().map_err(|e| internal(e.to_string()))?;
        super::group::end_unit(runtime, &container.record);
        group.remove().map_err(|e| internal(e.to_string()))?;
    }
    super::rdt::remove(&container.record.classes);
    container.unmount().during("unmounting the container's root file system")
}
