//! Hooks: programs of the administrator's, run at fixed moments with the container's state on their stdin.

use super::{Outcome, internal};
use crate::runtime::init::report::{self, During, failure};
use crate::runtime::protocol::FailureKind;
use crate::sys::{poll, process};
use oci_spec::runtime::{Hook, Spec};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const SIGKILL: i32 = 9;
/// How much of a failed hook's words is passed on.
const MAX_WORDS: u64 = 4096;

/// When hooks run, in this order. The first two run in the runtime's namespaces before the root is entered, the third
/// in the container's but with the host's files, the fourth in the container altogether, the last two in the runtime's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Prestart,
    CreateRuntime,
    CreateContainer,
    StartContainer,
    Poststart,
    Poststop,
}

impl Moment {
    pub const ALL: [Moment; 6] = [
        Moment::Prestart,
        Moment::CreateRuntime,
        Moment::CreateContainer,
        Moment::StartContainer,
        Moment::Poststart,
        Moment::Poststop,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Moment::Prestart => "prestart",
            Moment::CreateRuntime => "createRuntime",
            Moment::CreateContainer => "createContainer",
            Moment::StartContainer => "startContainer",
            Moment::Poststart => "poststart",
            Moment::Poststop => "poststop",
        }
    }
}

/// What a hook finds around it, beside the state.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings<'a> {
    pub cwd: Option<&'a Path>,
    /// The environment of hooks that name none; `None`: the runtime's own.
    pub env: Option<&'a [String]>,
}

impl<'a> Surroundings<'a> {
    pub fn in_directory(dir: &'a Path) -> Self {
        Self { cwd: Some(dir), env: None }
    }
}

pub fn of(spec: &Spec, moment: Moment) -> &[Hook] {
    let Some(hooks) = spec.hooks() else { return &[] };
    // Callers of the older kind may still use it; it is the specification's to deprecate.
    #[allow(deprecated)]
    let list = match moment {
        Moment::Prestart => hooks.prestart(),
        Moment::CreateRuntime => hooks.create_runtime(),
        Moment::CreateContainer => hooks.create_container(),
        Moment::StartContainer => hooks.start_container(),
        Moment::Poststart => hooks.poststart(),
        Moment::Poststop => hooks.poststop(),
    };
    list.as_deref().unwrap_or_default()
}

pub fn all(spec: &Spec) -> impl Iterator<Item = &Hook> {
    Moment::ALL.into_iter().flat_map(|moment| of(spec, moment))
}

/// Runs the hooks of a moment one after the other; the first that fails ends it. `state`: the JSON they read.
pub fn run(spec: &Spec, moment: Moment, state: &str, around: Surroundings<'_>) -> Outcome<()> {
    let hooks = of(spec, moment);
    hooks.iter().enumerate().try_for_each(|(number, hook)| {
        one(hook, state, around).map_err(|why| {
            failure(FailureKind::Internal, format!("error running {} hook #{number}: {why}", moment.name()))
        })
    })
}

/// The same where a failure is only worth a word: each is run, whatever the others did.
pub fn run_all(spec: &Spec, moment: Moment, state: &str, around: Surroundings<'_>) -> Vec<String> {
    let outcomes = of(spec, moment).iter().enumerate().map(|(number, hook)| {
        one(hook, state, around).map_err(|why| format!("error running {} hook #{number}: {why}", moment.name()))
    });
    outcomes.filter_map(Result::err).collect()
}

fn one(hook: &Hook, state: &str, around: Surroundings<'_>) -> Result<(), String> {
    let words = |e: &dyn std::fmt::Display| format!("{}: {e}", hook.path().display());
    let stdin = document(state).map_err(|e| words(&e.chain.join(": ")))?;
    let output = poll::memory_file(c"hook output").map_err(|e| words(&e))?;
    let mut output = File::from(output);
    let copy = || output.try_clone().map(Stdio::from);
    let mut command = Command::new(hook.path());
    let args = hook.args().as_deref().unwrap_or_default();
    if let Some((first, rest)) = args.split_first() {
        command.arg0(first).args(rest);
    }
    if let Some(env) = hook.env().as_deref().or(around.env) {
        command.env_clear();
        for entry in env {
            let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
            if !name.is_empty() {
                command.env(name, value);
            }
        }
    }
    if let Some(cwd) = around.cwd {
        command.current_dir(cwd);
    }
    command.stdin(stdin).stdout(copy().map_err(|e| words(&e))?).stderr(copy().map_err(|e| words(&e))?);
    if hook.timeout().is_some() {
        // What it starts ends with it.
        command.process_group(0);
    }
    let mut child = command.spawn().map_err(|e| words(&report::words(&e)))?;
    if let Some(seconds) = hook.timeout() {
        let limit = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let pidfd = process::pidfd_open(child.id().cast_signed()).map_err(|e| words(&e))?;
        if !poll::wait_end(&pidfd, limit) {
            // Gone at this very moment is as good.
            let _ = process::kill(-child.id().cast_signed(), SIGKILL);
            let _ = child.wait();
            return Err(format!("{}: ran past its timeout of {seconds} s", hook.path().display()));
        }
    }
    let status = child.wait().map_err(|e| words(&e))?;
    if status.success() {
        return Ok(());
    }
    let mut said = String::new();
    let read = output.rewind().and_then(|()| output.take(MAX_WORDS).read_to_string(&mut said));
    let said = if read.is_ok() { said.trim() } else { "" };
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown end".to_owned(),
    };
    Err(format!("{}: {how}, output: {said}", hook.path().display()))
}

/// A file in memory, read from its beginning: unlike a pipe it takes a state of any size.
fn document(text: &str) -> Outcome<File> {
    let file = poll::memory_file(c"container state").during("making the state for hooks")?;
    let mut file = File::from(file);
    file.write_all(text.as_bytes())
        .and_then(|()| file.rewind())
        .map_err(|e| internal(format!("writing the state: {e}")))?;
    Ok(file)
}
