//! `events`: what happened, from the log that every teu process writes, and what happens from now on.

use super::{Error, ErrorKind, JobContext, Output, Result};
use crate::engine::core::now;
use crate::engine::job::Chunk;
use crate::engine::ready::Ready;
use crate::engine::request::EventsArgs;
use crate::model::event::EventRecord;
use crate::model::time::Timestamp;
use crate::runtime::eventlog::{self, Follower};
use std::os::fd::AsRawFd;

pub(super) async fn events(cx: &mut JobContext, args: EventsArgs) -> Result<Output> {
    let io = cx.io.take().ok_or_else(|| Error::new(ErrorKind::Internal, "this job has no streams"))?;
    let opened = now();
    let mut follower = Follower::open(&cx.core.root.event_log())?;
    let since = args.since.map_or(opened, Timestamp);
    let until = args.until.map(Timestamp);
    let wanted = |r: &EventRecord| r.kind != "job" && r.time >= since && until.is_none_or(|u| r.time <= u);
    // What is written while we begin is in the history and comes from the follower too.
    let mut twice = Vec::new();
    if args.since.is_some() {
        let log = cx.core.root.event_log();
        for record in cx.blocking(move |_| Ok(eventlog::history(&log)?)).await? {
            if record.time >= opened {
                twice.push(record.clone());
            }
            if wanted(&record) && !io.send(Chunk::Event(record)).await {
                return Ok(Output::Detached);
            }
        }
    }
    let follow = async {
        let watch = Ready::on(follower.as_raw_fd())?;
        loop {
            watch.wait().await?;
            while let Some(record) = follower.next()? {
                if wanted(&record) && !twice.contains(&record) && !io.send(Chunk::Event(record)).await {
                    return Ok(Output::Detached);
                }
            }
        }
    };
    let end = async {
        match until {
            Some(until) => tokio::time::sleep(remaining(until)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = cx.cancel.cancelled() => Ok(Output::Detached),
        result = follow => result,
        () = end => Ok(Output::Nothing),
    }
}

fn remaining(until: Timestamp) -> std::time::Duration {
    std::time::Duration::from_nanos(u64::try_from(until.0 - now().0).unwrap_or(0))
}
