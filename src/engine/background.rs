//! The engine's own jobs: bring the read model up to date, follow the event log, sample live containers.

use super::core::Core;
use super::recover;
use super::{Error, ErrorKind, Request, Result};
use std::sync::Arc;

/// Reads everything once, then starts the jobs that keep it true.
pub(crate) async fn begin(core: &Arc<Core>) -> Result<()> {
    let worker = core.clone();
    let read = tokio::task::spawn_blocking(move || {
        if let Err(e) = recover::sweep(&worker) {
            tracing::warn!(error = %e, "tidying what an earlier teu left");
        }
        worker.refresh_all()
    });
    let read = read.await.map_err(|e| Error::new(ErrorKind::Internal, "reading the state").because(e.to_string()))?;
    read.map_err(|e| e.during("reading the state of teu"))?;
    core.submit(Request::Reconcile);
    core.submit(Request::Sample);
    Ok(())
}
