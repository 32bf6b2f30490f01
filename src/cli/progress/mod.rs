//! Progress of pulls: redrawn lines on a terminal, plain lines in a pipe.

mod draw;

use crate::engine::JobHandle;
use crate::engine::job::Progress;
use draw::{Lines, Redrawn};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Pause between two drawings on a terminal.
const FRAME: Duration = Duration::from_millis(80);

/// Where progress goes: an implicit pull must not mix with the command's own output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    Stdout,
    Stderr,
}

/// A running display; tell it to end before other output follows.
pub(super) struct Shown {
    stop: Arc<Notify>,
    task: Option<tokio::task::JoinHandle<()>>,
}

/// Shows the job's progress on stderr until the job is over or [`Shown::end`].
pub(super) fn alongside(handle: &JobHandle, quiet: bool) -> Shown {
    show(handle, To::Stderr, quiet)
}

pub(super) fn show(handle: &JobHandle, to: To, quiet: bool) -> Shown {
    let stop = Arc::new(Notify::new());
    let task = (!quiet).then(|| tokio::spawn(follow(handle.progress(), to, stop.clone())));
    Shown { stop, task }
}

impl Shown {
    pub async fn end(self) {
        self.stop.notify_one();
        if let Some(task) = self.task {
            let _ = task.await;
        }
    }

    /// From where nothing can be awaited: the last drawing may come a moment later.
    pub fn end_now(self) {
        self.stop.notify_one();
    }
}

async fn follow(mut progress: watch::Receiver<Progress>, to: To, stop: Arc<Notify>) {
    let terminal = match to {
        To::Stdout => std::io::stdout().is_terminal(),
        To::Stderr => std::io::stderr().is_terminal(),
    };
    let (mut lines, mut redrawn) = (Lines::default(), Redrawn::default());
    let mut draw = |progress: &Progress| match terminal {
        true => redrawn.draw(progress, to),
        false => lines.draw(progress, to),
    };
    loop {
        let over = tokio::select! {
            changed = progress.changed() => changed.is_err(),
            () = stop.notified() => true,
        };
        let latest = progress.borrow_and_update().clone();
        draw(&latest);
        if over {
            return;
        }
        if terminal {
            tokio::select! {
                () = tokio::time::sleep(FRAME) => {}
                () = stop.notified() => {
                    let latest = progress.borrow_and_update().clone();
                    draw(&latest);
                    return;
                }
            }
        }
    }
}
