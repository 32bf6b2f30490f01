//! What each verb does with its flags: build a request, follow its job, print the answer.

mod containers;
mod events;
mod images;
mod inspect;
mod lifecycle;
mod logs;
mod networks;
mod prune;
mod pull;
mod run;
mod stats;
mod system;
mod version;
mod volumes;

use super::args::Args;
use super::globals::Command;
use super::report;
use super::verbs::Verb;
use crate::config::Config;
use crate::engine::inventory::Inventory;
use crate::engine::request::InspectKind;
use crate::engine::{Engine, Error, JobHandle, Output, Request, Result};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// What every verb works with.
struct Context<'a> {
    args: Args<'a>,
    engine: Engine,
    config: &'a Config,
}

/// Runs a verb; the exit code. Docker's: 125 where a container was to be started, else 1.
pub async fn run(command: &Command, engine: Engine, config: &Config) -> u8 {
    let cx = Context { args: Args(&command.matches), engine, config };
    let failed = match command.verb {
        Verb::Run => report::USAGE,
        _ => 1,
    };
    let session = matches!(command.verb, Verb::Run | Verb::Exec | Verb::Attach | Verb::Start);
    if !matches!(command.verb, Verb::Info | Verb::Doctor | Verb::Reap) {
        config.warnings.iter().for_each(|warning| report::err(&format!("WARNING: {warning}\n")));
    }
    dispatch(command.verb, &cx).await.unwrap_or_else(|error| {
        report::print_error(&error);
        report::exit_code(&error, session, failed)
    })
}

async fn dispatch(verb: Verb, cx: &Context<'_>) -> Result<u8> {
    match verb {
        Verb::Run => run::run(cx).await,
        Verb::Create => run::create(cx).await,
        Verb::Exec => run::exec(cx).await,
        Verb::Attach => run::attach(cx).await,
        Verb::Start => run::start(cx).await,
        Verb::Stop | Verb::Restart => lifecycle::stop(cx, verb).await,
        Verb::Kill => lifecycle::kill(cx).await,
        Verb::Pause | Verb::Unpause => lifecycle::pause(cx, verb).await,
        Verb::Remove => lifecycle::remove(cx).await,
        Verb::Rename => lifecycle::rename(cx).await,
        Verb::Update => lifecycle::update(cx).await,
        Verb::Wait => lifecycle::wait(cx).await,
        Verb::Reap => lifecycle::reap(cx).await,
        Verb::Ps => containers::list(cx).await,
        Verb::Top => containers::top(cx).await,
        Verb::Diff => containers::diff(cx).await,
        Verb::Port => networks::port(cx),
        Verb::Logs => logs::logs(cx).await,
        Verb::Stats => stats::stats(cx).await,
        Verb::Inspect => inspect::inspect(cx, inspect::kind(cx.args)?).await,
        Verb::InspectContainer => inspect::inspect(cx, InspectKind::Container).await,
        Verb::InspectImage => inspect::inspect(cx, InspectKind::Image).await,
        Verb::InspectVolume => inspect::inspect(cx, InspectKind::Volume).await,
        Verb::Pull => pull::pull(cx).await,
        Verb::FromHost => pull::from_host(cx).await,
        Verb::Images => images::list(cx),
        Verb::RemoveImages => images::remove(cx).await,
        Verb::Tag => images::tag(cx).await,
        Verb::Networks => networks::list(cx),
        Verb::CreateNetwork => networks::create(cx).await,
        Verb::RemoveNetworks => networks::remove(cx).await,
        Verb::ConnectNetwork => networks::connect(cx).await,
        Verb::DisconnectNetwork => networks::disconnect(cx).await,
        Verb::ReloadNetworks => networks::reload(cx).await,
        Verb::InspectNetwork => inspect::inspect(cx, InspectKind::Network).await,
        Verb::Volumes => volumes::list(cx),
        Verb::CreateVolume => volumes::create(cx).await,
        Verb::RemoveVolumes => volumes::remove(cx).await,
        Verb::PruneContainers | Verb::PruneImages | Verb::PruneVolumes | Verb::PruneNetworks | Verb::PruneSystem => {
            prune::prune(cx, verb).await
        }
        Verb::Events => events::events(cx).await,
        Verb::DiskUsage => system::disk_usage(cx).await,
        Verb::Info => system::info(cx),
        Verb::Doctor => system::doctor(cx).await,
        Verb::Version => version::version(cx.args),
        Verb::Completion => version::completion(cx.args),
    }
}

/// `version` and `completion`.
pub fn run_without_engine(command: &Command) -> u8 {
    let args = Args(&command.matches);
    let result = match command.verb {
        Verb::Version => version::version(args),
        _ => version::completion(args),
    };
    result.unwrap_or_else(|error| {
        report::print_error(&error);
        1
    })
}

impl Context<'_> {
    fn names(&self) -> Vec<String> {
        self.args.owned("names")
    }

    /// What there is; what cannot be read is said.
    fn inventory(&self) -> Result<Arc<Inventory>> {
        let inventory = self.engine.read_inventory()?;
        for words in &inventory.damaged {
            report::err(&format!("WARNING: {words}\n"));
        }
        Ok(inventory)
    }

    /// Submits and waits.
    async fn ask(&self, request: Request) -> Result<Output> {
        self.finish(self.engine.submit(request)).await
    }

    /// Waits for the outcome; a signal cancels the job, whose own clean-up is waited for.
    async fn finish(&self, handle: JobHandle) -> Result<Output> {
        let mut outcome = Box::pin(handle.outcome());
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [mut interrupt, mut terminate, mut hangup] = kinds.map(|k| signal(k).ok());
        let next = async |signal: &mut Option<tokio::signal::unix::Signal>| match signal {
            Some(signal) => signal.recv().await,
            None => std::future::pending().await,
        };
        tokio::select! {
            result = &mut outcome => return result,
            _ = next(&mut interrupt) => {}
            _ = next(&mut terminate) => {}
            _ = next(&mut hangup) => {}
        }
        handle.cancel();
        outcome.await
    }

    /// Bulk operations: what succeeded is printed as it was named, what failed goes to stderr; 1 when anything did.
    async fn bulk(&self, request: Request) -> Result<u8> {
        self.bulk_but(request, |_| false).await
    }

    /// The same; what `forgiven` knows is told, and no failure.
    async fn bulk_but(&self, request: Request, forgiven: impl Fn(&Error) -> bool) -> Result<u8> {
        let results = match self.ask(request).await {
            Ok(Output::Many(results)) => results,
            Ok(Output::Updated { results, warnings }) => {
                warnings.iter().for_each(|warning| report::err(&format!("WARNING: {warning}\n")));
                results
            }
            Ok(_) => return Ok(0),
            // A single target's failure is the job's own.
            Err(error) if forgiven(&error) => vec![(String::new(), Err(error))],
            Err(error) => return Err(error),
        };
        let mut code = 0;
        let mut done = String::new();
        for (name, result) in results {
            match result {
                Ok(_) => done.push_str(&format!("{name}\n")),
                Err(error) => {
                    report::print_error(&error);
                    code = if forgiven(&error) { code } else { 1 };
                }
            }
        }
        report::out(&done);
        Ok(code)
    }
}
