//! Operations on several targets: side by side, one result each, in the order given.

use super::{Error, ErrorKind, JobContext, Output, Result};
use crate::engine::core::Core;
use crate::engine::job::{Part, PartState, Progress};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::sync::Arc;

/// Runs `work` for each name at the same time. A single target's failure is the job's own.
pub(super) async fn each<F, Fut>(cx: &JobContext, names: Vec<String>, work: F) -> Result<Output>
where
    F: Fn(Arc<Core>, String) -> Fut,
    Fut: Future<Output = Result<String>>,
{
    let mut progress = Progress { total: Some(names.len() as u64), ..Progress::default() };
    progress.parts = names.iter().map(|n| Part { name: n.clone(), ..Part::default() }).collect();
    let numbered = |(index, name): (usize, &String)| {
        let (name, future) = (name.clone(), work(cx.core.clone(), name.clone()));
        async move { (index, name, future.await) }
    };
    let mut running: FuturesUnordered<_> = names.iter().enumerate().map(numbered).collect();
    let mut results: Vec<Option<(String, Result<String>)>> = vec![None; names.len()];
    while let Some((index, name, result)) = running.next().await {
        progress.parts[index].state = if result.is_ok() { PartState::Done } else { PartState::Failed };
        progress.done += 1;
        cx.sink().report(progress.clone());
        results[index] = Some((name, result));
    }
    finish(results.into_iter().flatten().collect())
}

fn finish(mut results: Vec<(String, Result<String>)>) -> Result<Output> {
    match results.as_mut_slice() {
        [] => Err(Error::new(ErrorKind::Invalid, "no target was named")),
        [(_, Err(e))] => Err(e.clone()),
        _ => Ok(Output::Many(results)),
    }
}
