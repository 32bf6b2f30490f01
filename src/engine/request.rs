//! Everything a front end can ask for. A closed set: `ops::dispatch` matches it exhaustively.

use crate::model::container::{ContainerConfig, Limits, SeccompProfile};
use crate::model::id::ExecId;
use crate::model::image::Platform;
use crate::model::reference::Reference;
use std::path::Path;
use std::time::Duration;

#[derive(Clone, Debug)]
pub enum Request {
    // images
    Pull(PullArgs),
    FromHost(FromHostArgs),
    Tag(TagArgs),
    RemoveImages(RemoveImagesArgs),
    // containers
    Create(Box<CreateArgs>),
    Start(Targets),
    /// pull or make the image if missing, create, start, and attach unless detached: a parent job with children.
    Run(Box<RunArgs>),
    Stop(StopArgs),
    Restart(StopArgs),
    Kill(KillArgs),
    Pause(Targets),
    Resume(Targets),
    Remove(RemoveArgs),
    Rename {
        container: String,
        name: String,
    },
    Update {
        containers: Vec<String>,
        limits: Box<Limits>,
    },
    Wait(Targets),
    // sessions: run until cancelled or ended, and carry streams
    Attach(AttachArgs),
    Exec(Box<ExecArgs>),
    Logs(LogsArgs),
    Stats(StatsArgs),
    Events(EventsArgs),
    // objects
    RemoveVolumes {
        volumes: Vec<String>,
        force: bool,
    },
    Inspect(InspectArgs),
    Prune(PruneArgs),
    Doctor,
    /// Internal: what a monitor asks for when its `--rm` container has ended.
    Reap {
        container: String,
    },
    /// Internal: the once-a-second sampler the engine submits itself.
    Sample,
    /// Internal: follows the event log and brings the inventory up to date.
    Reconcile,
}

/// What happens to a job when the process that owns it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExit {
    /// Shutdown waits for it (bounded).
    Finish,
    Cancel,
}

/// Containers by name, id or unique id prefix.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    pub containers: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct PullArgs {
    pub reference: Reference,
    pub platform: Option<Platform>,
    /// Every tag of the repository.
    pub all_tags: bool,
    /// Skip the registry when the image is here.
    pub only_if_missing: bool,
}

#[derive(Clone, Debug)]
pub struct FromHostArgs {
    /// Programs by name or path; empty: the starter set.
    pub programs: Vec<String>,
    /// Default `localhost/starter:latest`.
    pub name: Option<Reference>,
}

#[derive(Clone, Debug)]
pub struct TagArgs {
    pub image: String,
    pub target: Reference,
}

#[derive(Clone, Debug)]
pub struct RemoveImagesArgs {
    pub images: Vec<String>,
    pub force: bool,
}

/// What `create` and `run` share. `config` holds what the user gave; the operation merges the image's defaults.
#[derive(Clone, Debug, Default)]
pub struct CreateArgs {
    /// Reference, id or id prefix as typed.
    pub image: String,
    pub name: Option<String>,
    /// The user's command (docker's trailing arguments); empty: the image's CMD.
    pub command: Vec<String>,
    /// `Some(vec![])` clears the image's entrypoint.
    pub entrypoint: Option<Vec<String>>,
    pub config: ContainerConfig,
    pub pull: PullPolicy,
    pub platform: Option<Platform>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullPolicy {
    #[default]
    Missing,
    Always,
    Never,
}

#[derive(Clone, Debug, Default)]
pub struct RunArgs {
    pub create: CreateArgs,
    /// `-d`: the outcome is the id, once the process runs.
    pub detach: bool,
    /// Streams wanted when not detached.
    pub stdin: bool,
    /// Initial terminal size, columns and rows.
    pub size: Option<(u16, u16)>,
}

#[derive(Clone, Debug)]
pub struct StopArgs {
    pub containers: Vec<String>,
    /// `None`: the container's own, else 10 s. Zero: at once. Negative was "for ever" and is `Some(Duration::MAX)`.
    pub timeout: Option<Duration>,
    pub signal: Option<String>,
}

#[derive(Clone, Debug)]
pub struct KillArgs {
    pub containers: Vec<String>,
    /// `KILL`, `SIGTERM`, `15`.
    pub signal: String,
}

#[derive(Clone, Debug)]
pub struct RemoveArgs {
    pub containers: Vec<String>,
    pub force: bool,
    /// Anonymous volumes too.
    pub volumes: bool,
}

#[derive(Clone, Debug)]
pub struct AttachArgs {
    pub container: String,
    /// Reattach this exec session instead of the main process.
    pub exec: Option<ExecId>,
    pub stdin: bool,
    /// Paint the kept screen (terminal) first.
    pub replay: bool,
    pub size: Option<(u16, u16)>,
    /// Start the container once attached (`start -a`).
    pub start: bool,
}

#[derive(Clone, Debug, Default)]
pub struct ExecArgs {
    pub container: String,
    /// Empty: probe for the user's login shell, bash, ash, sh.
    pub command: Vec<String>,
    pub env: Vec<String>,
    pub user: Option<String>,
    pub workdir: Option<String>,
    pub tty: bool,
    pub stdin: bool,
    pub detach: bool,
    pub privileged: bool,
    pub size: Option<(u16, u16)>,
}

#[derive(Clone, Debug, Default)]
pub struct LogsArgs {
    pub container: String,
    pub follow: bool,
    /// Last lines only; `None`: all.
    pub tail: Option<u64>,
    /// Unix nanoseconds.
    pub since: Option<i64>,
    pub until: Option<i64>,
}

#[derive(Clone, Debug, Default)]
pub struct StatsArgs {
    /// Empty: all running (with `all`: every one).
    pub containers: Vec<String>,
    pub all: bool,
    /// One answer (two samples a short while apart), then the end.
    pub once: bool,
}

#[derive(Clone, Debug, Default)]
pub struct EventsArgs {
    pub since: Option<i64>,
    pub until: Option<i64>,
}

#[derive(Clone, Debug)]
pub struct InspectArgs {
    pub names: Vec<String>,
    pub kind: InspectKind,
    pub size: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InspectKind {
    Any,
    Container,
    Image,
    Volume,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct PruneArgs {
    pub containers: bool,
    pub images: bool,
    /// Images without a container too, not just dangling ones.
    pub all_images: bool,
    /// Anonymous volumes no container uses.
    pub volumes: bool,
    /// Named ones too.
    pub all_volumes: bool,
    pub partial_downloads: bool,
    /// Say what would go, remove nothing.
    pub dry_run: bool,
}

impl Request {
    /// The stable name used in logs, history and the Jobs view.
    pub fn name(&self) -> &'static str {
        match self {
            Request::Pull(_) => "pull",
            Request::FromHost(_) => "from-host",
            Request::Tag(_) => "tag",
            Request::RemoveImages(_) => "rmi",
            Request::Create(_) => "create",
            Request::Start(_) => "start",
            Request::Run(_) => "run",
            Request::Stop(_) => "stop",
            Request::Restart(_) => "restart",
            Request::Kill(_) => "kill",
            Request::Pause(_) => "pause",
            Request::Resume(_) => "unpause",
            Request::Remove(_) => "rm",
            Request::Rename { .. } => "rename",
            Request::Update { .. } => "update",
            Request::Wait(_) => "wait",
            Request::Attach(_) => "attach",
            Request::Exec(_) => "exec",
            Request::Logs(_) => "logs",
            Request::Stats(_) => "stats",
            Request::Events(_) => "events",
            Request::RemoveVolumes { .. } => "volume-rm",
            Request::Inspect(_) => "inspect",
            Request::Prune(_) => "prune",
            Request::Doctor => "doctor",
            Request::Reap { .. } => "reap",
            Request::Sample => "sample",
            Request::Reconcile => "reconcile",
        }
    }

    /// The object it is about, for the Jobs view: a reference, names.
    pub fn subject(&self) -> String {
        match self {
            Request::Pull(a) => a.reference.familiar(),
            Request::FromHost(a) => a.name.as_ref().map_or_else(|| "localhost/starter".into(), Reference::familiar),
            Request::Tag(a) => format!("{} {}", a.image, a.target.familiar()),
            Request::RemoveImages(a) => a.images.join(" "),
            Request::Create(a) => a.name.clone().unwrap_or_else(|| a.image.clone()),
            Request::Run(a) => a.create.name.clone().unwrap_or_else(|| a.create.image.clone()),
            Request::Start(t) | Request::Pause(t) | Request::Resume(t) | Request::Wait(t) => t.containers.join(" "),
            Request::Stop(a) | Request::Restart(a) => a.containers.join(" "),
            Request::Kill(a) => a.containers.join(" "),
            Request::Remove(a) => a.containers.join(" "),
            Request::Rename { container, name } => format!("{container} {name}"),
            Request::Update { containers, .. } => containers.join(" "),
            Request::Attach(a) => a.container.clone(),
            Request::Exec(a) => format!("{} {}", a.container, a.command.join(" ")),
            Request::Logs(a) => a.container.clone(),
            Request::Stats(a) => a.containers.join(" "),
            Request::RemoveVolumes { volumes, .. } => volumes.join(" "),
            Request::Inspect(a) => a.names.join(" "),
            Request::Reap { container } => container.clone(),
            Request::Events(_) | Request::Prune(_) | Request::Doctor | Request::Sample | Request::Reconcile => {
                String::new()
            }
        }
    }

    /// Finite changes finish; sessions, reads and downloads (which resume) are cut.
    pub fn on_exit(&self) -> OnExit {
        match self {
            Request::Create(_)
            | Request::Start(_)
            | Request::Stop(_)
            | Request::Restart(_)
            | Request::Kill(_)
            | Request::Pause(_)
            | Request::Resume(_)
            | Request::Remove(_)
            | Request::Rename { .. }
            | Request::Update { .. }
            | Request::Tag(_)
            | Request::RemoveImages(_)
            | Request::RemoveVolumes { .. }
            | Request::Prune(_)
            | Request::Reap { .. } => OnExit::Finish,
            Request::Pull(_)
            | Request::FromHost(_)
            | Request::Run(_)
            | Request::Wait(_)
            | Request::Attach(_)
            | Request::Exec(_)
            | Request::Logs(_)
            | Request::Stats(_)
            | Request::Events(_)
            | Request::Inspect(_)
            | Request::Doctor
            | Request::Sample
            | Request::Reconcile => OnExit::Cancel,
        }
    }

    /// Carries streams: its [`super::job::JobHandle`] has a [`super::job::JobIo`].
    pub fn is_session(&self) -> bool {
        matches!(
            self,
            Request::Attach(_)
                | Request::Exec(_)
                | Request::Run(_)
                | Request::Logs(_)
                | Request::Stats(_)
                | Request::Events(_)
        )
    }

    /// Changes nothing and is answered at once: screens ask such things all the time.
    pub fn is_question(&self) -> bool {
        matches!(self, Request::Inspect(_))
    }

    /// Worth a row in the stored history (reads and the engine's own upkeep are not).
    pub fn is_recorded(&self) -> bool {
        !matches!(
            self,
            Request::Inspect(_)
                | Request::Logs(_)
                | Request::Stats(_)
                | Request::Events(_)
                | Request::Wait(_)
                | Request::Sample
                | Request::Reconcile
                | Request::Doctor
        )
    }
}

/// The names of [`Request::name`] that stored history may hold, for jobs read back from it.
pub(super) fn static_name(name: &str) -> &'static str {
    const NAMES: [&str; 20] = [
        "pull",
        "from-host",
        "tag",
        "rmi",
        "create",
        "start",
        "run",
        "stop",
        "restart",
        "kill",
        "pause",
        "unpause",
        "rm",
        "rename",
        "update",
        "attach",
        "exec",
        "volume-rm",
        "prune",
        "reap",
    ];
    NAMES.into_iter().find(|n| *n == name).unwrap_or("other")
}

/// Read once, by whoever parses `--security-opt seccomp=FILE`.
pub fn read_seccomp(path: &Path, text: String) -> Result<SeccompProfile, super::Error> {
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(_) => Ok(SeccompProfile::Custom(text)),
        Err(e) => Err(super::Error::from_source(
            super::ErrorKind::Invalid,
            format!("reading the seccomp profile {}", path.display()),
            &e,
        )),
    }
}
