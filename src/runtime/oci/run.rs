//! `run`: create, start and, in the foreground, wait and delete.

use super::create::{self, Options};
use super::foreground::Foreground;
use super::notify::Relay;
use super::{Outcome, Runtime, operate};
use std::io::Write;

/// What becomes of the container.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// It goes on by itself.
    pub detach: bool,
    /// It is not deleted at its end.
    pub keep: bool,
}

/// Returns the exit code of the container, or 0 when it goes on by itself, and what of its configuration was left out. `out` gets what its terminal shows.
pub fn run(
    runtime: &Runtime,
    id: &str,
    options: &Options,
    how: How,
    out: &mut dyn Write,
) -> Outcome<(u8, Vec<String>)> {
    create::inherited(options)?;
    let foreground = (!how.detach).then(Foreground::new).transpose()?;
    let options = Options { keep_terminal: !how.detach && options.console_socket.is_none(), ..options.clone() };
    let created = create::make(runtime, id, &options)?;
    let relay = Relay::bind(&created.container.dir, runtime.notify.as_deref());
    let relay = relay.and_then(|relay| operate::execute(runtime, id).map(|()| relay)).inspect_err(|_| {
        // The failure is the news; what was made goes.
        let _ = operate::delete(runtime, id, true);
    })?;
    let Some(foreground) = foreground else {
        relay.map_or(Ok(()), |relay| relay.until_ready(&created.pidfd, created.container.record.pid))?;
        return Ok((0, created.warnings));
    };
    let code = foreground.accompany(&created.pidfd, created.terminal, relay, out)?;
    if !how.keep {
        operate::delete(runtime, id, true)?;
    }
    Ok((code, created.warnings))
}
