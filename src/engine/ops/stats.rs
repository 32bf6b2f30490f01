//! `stats`: figures of containers, once or every second; and the sampler that runs in the background.

use super::{Error, ErrorKind, JobContext, Output, Result};
use crate::engine::core::Core;
use crate::engine::inventory::{ContainerEntry, ContainerStats, Event};
use crate::engine::job::Chunk;
use crate::engine::request::StatsArgs;
use crate::engine::sampler::Probes;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

const PERIOD: Duration = Duration::from_secs(1);
/// Between the two samples of a single answer.
const SHORT: Duration = Duration::from_millis(250);

pub(super) async fn stats(cx: &mut JobContext, args: StatsArgs) -> Result<Output> {
    let io = cx.io.take().ok_or_else(|| Error::new(ErrorKind::Internal, "this job has no streams"))?;
    for name in &args.containers {
        cx.core.container(name)?;
    }
    let mut probes = Probes::default();
    let work = async {
        if args.once {
            round(&cx.core, &mut probes, &args).await?;
            tokio::time::sleep(SHORT).await;
            let board = round(&cx.core, &mut probes, &args).await?;
            io.send(Chunk::Stats(Arc::new(board))).await;
            return Ok(Output::Nothing);
        }
        let mut ticks = ticks();
        loop {
            let board = round(&cx.core, &mut probes, &args).await?;
            if !io.send(Chunk::Stats(Arc::new(board))).await {
                return Ok(Output::Detached);
            }
            ticks.tick().await;
        }
    };
    tokio::select! {
        biased;
        () = cx.cancel.cancelled() => Ok(Output::Detached),
        result = work => result,
    }
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = interval_at(Instant::now() + PERIOD, PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

/// One sample of each container asked for, on a thread that may block.
async fn round(core: &Arc<Core>, probes: &mut Probes, args: &StatsArgs) -> Result<Vec<ContainerStats>> {
    let (core, args, mut kept) = (core.clone(), args.clone(), std::mem::take(probes));
    let work = move || -> Result<_> {
        let entries = chosen(&core, &args)?;
        let board = kept.round(&entries, true);
        Ok((board, kept))
    };
    let done = tokio::task::spawn_blocking(work).await;
    let (board, kept) = done.map_err(|e| Error::new(ErrorKind::Internal, "sampling").because(e.to_string()))??;
    *probes = kept;
    Ok(board.stats.iter().map(|s| (**s).clone()).collect())
}

fn chosen(core: &Core, args: &StatsArgs) -> Result<Vec<Arc<ContainerEntry>>> {
    if args.containers.is_empty() {
        let all = core.read_containers()?;
        return Ok(all.into_iter().filter(|e| args.all || e.state.status.is_live()).map(Arc::new).collect());
    }
    // One that was removed meanwhile has no line any more.
    Ok(args.containers.iter().filter_map(|name| core.container(name).ok()).map(Arc::new).collect())
}

/// The engine's own job: every live container, each second, into the board and the rings.
pub(super) async fn sample(cx: &mut JobContext) -> Result<Output> {
    let mut probes = Probes::default();
    let mut ticks = ticks();
    let mut idle = false;
    loop {
        cx.or_cancelled(ticks.tick()).await?;
        let live = cx.core.model.live();
        // Nothing runs: nothing is told, after the one time that says so.
        if live.is_empty() && idle {
            continue;
        }
        idle = live.is_empty();
        let mut kept = std::mem::take(&mut probes);
        let board = cx
            .blocking(move |core| {
                let board = kept.round(&live, false);
                board.gone.iter().for_each(|id| core.refresh_container(id));
                core.samples.publish(board.stats, &live);
                Ok(kept)
            })
            .await?;
        probes = board;
        cx.core.notify(Event::Stats);
    }
}
