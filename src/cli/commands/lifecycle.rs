//! Verbs that change containers and print their names.

use super::Context;
use crate::cli::args::{misuse, wrong};
use crate::cli::create::{changes, ports, restart_policy};
use crate::cli::flags::FIXED_LIMITS;
use crate::cli::report;
use crate::cli::verbs::Verb;
use crate::engine::request::{KillArgs, PublishArgs, RemoveArgs, StopArgs, Targets};
use crate::engine::{ErrorKind, Output, Request, Result};
use crate::model::container::Limits;
use std::time::Duration;

pub(super) async fn stop(cx: &Context<'_>, verb: Verb) -> Result<u8> {
    let bound = |seconds: i64| u64::try_from(seconds).map_or(Duration::MAX, Duration::from_secs);
    let timeout = cx.args.number::<i64>("timeout")?.map(bound);
    let args = StopArgs { containers: cx.names(), timeout, signal: cx.args.text("signal").map(str::to_owned) };
    cx.bulk(if verb == Verb::Stop { Request::Stop(args) } else { Request::Restart(args) }).await
}

pub(super) async fn kill(cx: &Context<'_>) -> Result<u8> {
    let signal = cx.args.text("signal").unwrap_or("KILL").to_owned();
    if signal.is_empty() {
        return Err(wrong("signal", &signal, "it is empty"));
    }
    cx.bulk(Request::Kill(KillArgs { containers: cx.names(), signal })).await
}

pub(super) async fn pause(cx: &Context<'_>, verb: Verb) -> Result<u8> {
    let targets = Targets { containers: cx.names() };
    cx.bulk(if verb == Verb::Pause { Request::Pause(targets) } else { Request::Resume(targets) }).await
}

pub(super) async fn remove(cx: &Context<'_>) -> Result<u8> {
    let (force, volumes) = (cx.args.on("force"), cx.args.on("volumes"));
    let request = Request::Remove(RemoveArgs { containers: cx.names(), force, volumes, undo: None });
    // As docker: with -f, one that is not there is told of, and is no failure.
    cx.bulk_but(request, |error| force && error.kind() == ErrorKind::NotFound).await
}

pub(super) async fn rename(cx: &Context<'_>) -> Result<u8> {
    let text = |name| cx.args.text(name).unwrap_or_default().to_owned();
    cx.ask(Request::Rename { container: text("container"), name: text("name") }).await.map(|_| 0)
}

pub(super) async fn update(cx: &Context<'_>) -> Result<u8> {
    for flag in FIXED_LIMITS {
        if cx.args.given(flag) {
            return Err(misuse(format!("--{flag} cannot be changed after a container was created")));
        }
    }
    let limits = Box::new(changes(cx.args)?);
    let restart = cx.args.text("restart").map(restart_policy).transpose()?;
    let (add, remove) = (ports("publish-add", cx.args)?, ports("publish-rm", cx.args)?);
    let publishes = !add.is_empty() || !remove.is_empty();
    if *limits == Limits::default() && restart.is_none() {
        if publishes {
            let request = PublishArgs { containers: cx.names(), add, remove };
            return cx.bulk(Request::Publish(Box::new(request))).await;
        }
        return Err(misuse("nothing to update: give at least one limit, port or restart policy")
            .hint("teu update --memory 128m --publish-add 8080:80 CONTAINER"));
    }
    if publishes {
        cx.ask(Request::Publish(Box::new(PublishArgs { containers: cx.names(), add, remove }))).await?;
    }
    cx.bulk(Request::Update { containers: cx.names(), limits, restart }).await
}

pub(super) async fn wait(cx: &Context<'_>) -> Result<u8> {
    match cx.ask(Request::Wait(Targets { containers: cx.names() })).await? {
        Output::Waited(codes) => {
            report::out(&codes.iter().map(|code| format!("{code}\n")).collect::<String>());
            Ok(0)
        }
        _ => Ok(0),
    }
}

/// Quiet: nobody reads what a monitor's helper says.
pub(super) async fn reap(cx: &Context<'_>) -> Result<u8> {
    let container = cx.names().pop().unwrap_or_default();
    cx.ask(Request::Reap { container }).await.map(|_| 0)
}
