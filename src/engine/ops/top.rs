//! `top`: the processes of a running container.

use super::{Error, ErrorKind, JobContext, Output, Result};
use crate::model::isolation::Sharing;
use crate::runtime::processes;

pub(super) async fn top(cx: &mut JobContext, name: String) -> Result<Output> {
    cx.blocking(move |core| {
        let entry = core.container(&name)?;
        let not_running = || Error::new(ErrorKind::Conflict, format!("container {name} is not running"));
        if !entry.state.status.is_live() {
            return Err(not_running());
        }
        let shares = entry.container.config.isolation.pid != Sharing::Private;
        // Ended between the two looks: its own pid is what is not there.
        processes::list(entry.state.pid, shares)
            .map(Output::Processes)
            .map_err(|e| not_running().because(e.to_string()))
    })
    .await
}
