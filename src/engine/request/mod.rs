//! Everything a front end can ask for. A closed set: `ops::dispatch` matches it exhaustively.

mod arguments;

pub use arguments::{
    AttachArgs, ConnectArgs, CreateArgs, CreateNetworkArgs, CreateVolumeArgs, EventsArgs, ExecArgs, FromHostArgs,
    InspectArgs, InspectKind, KillArgs, LogsArgs, PruneArgs, PruneFilter, PublishArgs, PullArgs, PullPolicy,
    RemoveArgs, RemoveImagesArgs, RunArgs, StatsArgs, StopArgs, TagArgs, Targets, VolumesFrom,
};

use crate::model::container::{Limits, RestartPolicy};
use crate::model::reference::Reference;

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
    /// What is `None` stays as it is.
    Update {
        containers: Vec<String>,
        limits: Box<Limits>,
        restart: Option<RestartPolicy>,
    },
    Wait(Targets),
    // sessions: run until cancelled or ended, and carry streams
    Attach(AttachArgs),
    Exec(Box<ExecArgs>),
    Logs(LogsArgs),
    Stats(StatsArgs),
    Events(EventsArgs),
    // objects
    CreateVolume(CreateVolumeArgs),
    RemoveVolumes {
        volumes: Vec<String>,
        force: bool,
    },
    CreateNetwork(Box<CreateNetworkArgs>),
    RemoveNetworks {
        networks: Vec<String>,
        force: bool,
    },
    ConnectNetwork(Box<ConnectArgs>),
    DisconnectNetwork {
        network: String,
        container: String,
        force: bool,
    },
    /// Makes anew what somebody else has taken away of running containers' networks; no target: of all.
    ReloadNetworks(Targets),
    /// Ports of containers, added and taken away while they run.
    Publish(Box<PublishArgs>),
    Inspect(InspectArgs),
    /// The processes of a running container.
    Top {
        container: String,
    },
    /// What a container made of its image.
    Diff {
        container: String,
    },
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
            Request::CreateVolume(_) => "volume-create",
            Request::RemoveVolumes { .. } => "volume-rm",
            Request::CreateNetwork(_) => "network-create",
            Request::RemoveNetworks { .. } => "network-rm",
            Request::ConnectNetwork(_) => "network-connect",
            Request::DisconnectNetwork { .. } => "network-disconnect",
            Request::ReloadNetworks(_) => "network-reload",
            Request::Publish(_) => "publish",
            Request::Inspect(_) => "inspect",
            Request::Top { .. } => "top",
            Request::Diff { .. } => "diff",
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
            Request::CreateVolume(a) => a.name.clone().unwrap_or_default(),
            Request::RemoveVolumes { volumes, .. } => volumes.join(" "),
            Request::CreateNetwork(a) => a.name.clone(),
            Request::RemoveNetworks { networks, .. } => networks.join(" "),
            Request::ConnectNetwork(a) => format!("{} {}", a.endpoint.network, a.container),
            Request::DisconnectNetwork { network, container, .. } => format!("{network} {container}"),
            Request::ReloadNetworks(t) => t.containers.join(" "),
            Request::Publish(a) => a.containers.join(" "),
            Request::Inspect(a) => a.names.join(" "),
            Request::Reap { container } | Request::Top { container } | Request::Diff { container } => container.clone(),
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
            | Request::CreateVolume(_)
            | Request::RemoveVolumes { .. }
            | Request::CreateNetwork(_)
            | Request::RemoveNetworks { .. }
            | Request::ConnectNetwork(_)
            | Request::DisconnectNetwork { .. }
            | Request::ReloadNetworks(_)
            | Request::Publish(_)
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
            | Request::Top { .. }
            | Request::Diff { .. }
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
        matches!(self, Request::Inspect(_) | Request::Top { .. } | Request::Diff { .. })
    }

    /// Worth a row in the stored history (reads and the engine's own upkeep are not).
    pub fn is_recorded(&self) -> bool {
        !matches!(
            self,
            Request::Inspect(_)
                | Request::Top { .. }
                | Request::Diff { .. }
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
    const NAMES: [&str; 27] = [
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
        "volume-create",
        "volume-rm",
        "network-create",
        "network-rm",
        "network-connect",
        "network-disconnect",
        "network-reload",
        "publish",
        "prune",
        "reap",
    ];
    NAMES.into_iter().find(|n| *n == name).unwrap_or("other")
}
