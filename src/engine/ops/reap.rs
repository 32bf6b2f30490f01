//! `__reap`: what a monitor runs when its `--rm` container has ended and nobody has removed it.

use super::{ErrorKind, JobContext, Output, Result, remove};

/// A container that is gone already is what was wanted.
pub(super) async fn reap(cx: &mut JobContext, container: &str) -> Result<Output> {
    let entry = match cx.core.container(container) {
        Ok(entry) => entry,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Output::Nothing),
        Err(e) => return Err(e),
    };
    if entry.state.status.is_live() || !entry.container.config.auto_remove {
        return Ok(Output::Nothing);
    }
    remove::one(&cx.core, entry, false, true).await?;
    Ok(Output::Nothing)
}
