//! `logs`: a container's records, a part of them or all, and those to come.

use super::{Error, ErrorKind, JobContext, Output, Result, wait};
use crate::engine::context::SessionIo;
use crate::engine::core::now;
use crate::engine::job::Chunk;
use crate::engine::ready::Ready;
use crate::engine::request::LogsArgs;
use crate::model::log::LogRecord;
use crate::model::time::Timestamp;
use crate::runtime::log::Reader;
use std::time::Duration;

/// Records sent together.
const BATCH: usize = 256;

pub(super) async fn logs(cx: &mut JobContext, args: LogsArgs) -> Result<Output> {
    let io = cx.io.take().ok_or_else(|| Error::new(ErrorKind::Internal, "this job has no streams"))?;
    let entry = cx.core.container(&args.container)?;
    let during = |e: Error| e.during(format!("reading the log of container {}", args.container));
    if !entry.container.config.log.enabled {
        return Err(Error::new(ErrorKind::Unsupported, format!("container {} keeps no log", args.container))
            .hint("it was created with --log-driver none"));
    }
    let dir = cx.core.root.container(entry.container.id.as_str()).join("log");
    let mut reader = Reader::open(&dir).map_err(|e| during(e.into()))?;
    // Before the first read, so that nothing falls between reading and watching.
    let watch = if args.follow { Some(reader.watch().map_err(|e| during(e.into()))?) } else { None };
    let older = seek(&mut reader, &args).map_err(during)?;
    if older > 0 && !io.send(Chunk::LogOlder { before: reader.number(), records: older }).await {
        return Ok(Output::Nothing);
    }
    let until = args.until.map(Timestamp);
    let (id, state) = (entry.container.id.as_str().to_owned(), entry.state);
    let core = cx.core.clone();
    let work = async {
        let end = End { until, before: args.before };
        if !drain(&mut reader, &io, &end).await.map_err(during)? || !io.send(Chunk::LogCaughtUp).await {
            return Ok(Output::Nothing);
        }
        let Some(fd) = watch else { return Ok(Output::Nothing) };
        let watch = Ready::on(fd)?;
        let (ended, passed) = (wait::end(&core, &id, state), pass(until));
        tokio::pin!(ended, passed);
        loop {
            let over = tokio::select! {
                biased;
                ready = watch.wait() => {
                    ready?;
                    false
                }
                _ = &mut ended => true,
                () = &mut passed => true,
            };
            if !drain(&mut reader, &io, &end).await.map_err(during)? || over {
                return Ok(Output::Nothing);
            }
        }
    };
    tokio::select! {
        biased;
        () = cx.cancel.cancelled() => Ok(Output::Detached),
        result = work => result,
    }
}

/// Returns when that moment has passed; without one, never.
async fn pass(until: Option<Timestamp>) {
    match until {
        Some(until) => {
            let left = u64::try_from(until.0.saturating_sub(now().0)).unwrap_or(0);
            tokio::time::sleep(Duration::from_nanos(left)).await;
        }
        None => std::future::pending().await,
    }
}

/// To the first record wanted: not before `since`, and of those up to `until` the last `tail`. How many `tail` leaves out.
fn seek(reader: &mut Reader, args: &LogsArgs) -> Result<u64> {
    let (first, mut end) = reader.bounds()?;
    let mut start = match args.since {
        Some(since) => reader.number_at(Timestamp(since))?,
        None => first,
    };
    if let Some(until) = args.until {
        end = reader.number_at(Timestamp(until.saturating_add(1)))?;
    }
    if let Some(before) = args.before {
        end = end.min(before);
    }
    let all = start;
    if let Some(tail) = args.tail {
        start = start.max(end.saturating_sub(tail));
    }
    reader.seek(start);
    Ok(start - all)
}

/// Where the reading stops.
struct End {
    until: Option<Timestamp>,
    before: Option<u64>,
}

impl End {
    fn is_past(&self, number: u64, record: &LogRecord) -> bool {
        self.before.is_some_and(|before| number >= before) || self.until.is_some_and(|until| record.time > until)
    }
}

/// Sends what there is now. `false`: the front end has gone, or the end is passed.
async fn drain(reader: &mut Reader, io: &SessionIo, end: &End) -> Result<bool> {
    loop {
        let mut batch: Vec<LogRecord> = Vec::new();
        let mut passed = false;
        while batch.len() < BATCH {
            let number = reader.number();
            match reader.next()? {
                Some(record) if end.is_past(number, &record) => {
                    passed = true;
                    break;
                }
                Some(record) => batch.push(record),
                None => break,
            }
        }
        if batch.is_empty() {
            return Ok(!passed);
        }
        if !io.send(Chunk::Log(batch)).await || passed {
            return Ok(false);
        }
    }
}
