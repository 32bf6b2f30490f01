//! The time for second thoughts after a removal: what was removed is hidden, and deleted when the time is over.

use super::JobContext;
use crate::engine::job::UNDOABLE;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Delete,
    TakeBack,
}

/// Waits until the window closes or the job is cancelled, which is how a removal is taken back. An engine that is shut
/// down does not wait: what was to be removed goes then. The same holds when the process dies in the window: whoever
/// looks next finishes the removal.
pub(super) async fn second_thoughts(cx: &JobContext, window: Duration) -> Verdict {
    cx.stage(UNDOABLE);
    tokio::select! {
        biased;
        () = cx.cancel.cancelled() => Verdict::TakeBack,
        () = cx.core.closing.cancelled() => Verdict::Delete,
        () = tokio::time::sleep(window) => Verdict::Delete,
    }
}
