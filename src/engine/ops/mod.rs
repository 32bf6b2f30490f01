//! One file per operation, and the one match that routes to them.

mod bulk;
mod create;
mod diff;
mod doctor;
mod events;
mod images;
mod inspect;
mod logs;
mod networks;
mod pause;
mod prune;
mod pull;
mod reap;
pub(super) mod remove;
mod rename;
mod run;
mod session;
mod start;
mod stats;
mod stop;
mod tag;
mod top;
mod update;
mod volumes;
mod wait;
mod window;

pub(super) use pull::settle_later;

use super::context::JobContext;
use super::job::Output;
use super::{Error, ErrorKind, Request, Result};

/// Routes only: every arm is a call.
pub(super) async fn dispatch(cx: &mut JobContext, request: Request) -> Result<Output> {
    match request {
        Request::Pull(a) => pull::pull(cx, a).await,
        Request::FromHost(a) => pull::from_host(cx, a).await,
        Request::Tag(a) => tag::tag(cx, a).await,
        Request::RemoveImages(a) => images::remove(cx, a).await,
        Request::Create(a) => create::create(cx, *a).await,
        Request::Start(a) => start::start(cx, a).await,
        Request::Run(a) => run::run(cx, *a).await,
        Request::Stop(a) => stop::stop(cx, a).await,
        Request::Restart(a) => stop::restart(cx, a).await,
        Request::Kill(a) => stop::kill(cx, a).await,
        Request::Pause(a) => pause::pause(cx, a).await,
        Request::Resume(a) => pause::resume(cx, a).await,
        Request::Remove(a) => remove::remove(cx, a).await,
        Request::Rename { container, name } => rename::rename(cx, &container, &name).await,
        Request::Update { containers, limits, restart } => update::update(cx, containers, *limits, restart).await,
        Request::Wait(a) => wait::wait(cx, a).await,
        Request::Attach(a) => session::attach(cx, a).await,
        Request::Exec(a) => session::exec(cx, *a).await,
        Request::Logs(a) => logs::logs(cx, a).await,
        Request::Stats(a) => stats::stats(cx, a).await,
        Request::Events(a) => events::events(cx, a).await,
        Request::CreateVolume(a) => volumes::create(cx, a).await,
        Request::RemoveVolumes { volumes, force } => volumes::remove(cx, volumes, force).await,
        Request::CreateNetwork(a) => networks::create(cx, *a).await,
        Request::RemoveNetworks { networks, force } => networks::remove(cx, networks, force).await,
        Request::ConnectNetwork(a) => networks::connect(cx, *a).await,
        Request::DisconnectNetwork { network, container, force } => {
            networks::disconnect(cx, network, container, force).await
        }
        Request::ReloadNetworks(a) => networks::reload(cx, a).await,
        Request::Publish(a) => networks::publish(cx, *a).await,
        Request::Inspect(a) => inspect::inspect(cx, a).await,
        Request::Top { container } => top::top(cx, container).await,
        Request::Diff { container } => diff::diff(cx, container).await,
        Request::Prune(a) => prune::prune(cx, a).await,
        Request::Doctor => doctor::doctor(cx).await,
        Request::Reap { container } => reap::reap(cx, &container).await,
        Request::Sample => stats::sample(cx).await,
        Request::Reconcile => crate::engine::background::reconcile(cx).await,
    }
}
