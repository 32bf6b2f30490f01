//! The built-in init (`--init`): process 1 reaps orphans and forwards signals, the command is its child.

use super::report::During;
use crate::runtime::protocol::Failure;
use crate::sys::{clone, process, pty};
use std::os::fd::{AsFd, OwnedFd};

/// Forks; returns only in the child, which goes on to its command. Both are confined already.
pub(super) fn split(socket: &OwnedFd) -> Result<(), Failure> {
    // What `ps` in the container shows for process 1, from before the command can look (which gets a name by its exec).
    let _ = process::set_name(c"teu-init");
    // Blocked before the fork: a signal between fork and wait must not be lost.
    process::block_signals().during("blocking signals")?;
    match clone::fork().during("starting the command below init")? {
        Some(child) => serve(child),
        None => {
            let _ = socket;
            process::own_process_group().during("making a process group")?;
            let input = std::io::stdin();
            // Fails where stdin is no terminal, and then there is no foreground either.
            let _ = pty::foreground(input.as_fd());
            process::reset_signals().during("resetting signals")
        }
    }
}

fn serve(child: i32) -> ! {
    // Streams and the report socket belong to the command alone: their ends must close with it.
    let _ = process::close_between(0, u32::MAX);
    loop {
        match process::next_signal() {
            Ok(17) => reap(child),
            Ok(signal) => {
                let _ = process::kill(child, signal);
            }
            Err(_) => process::exit_now(125),
        }
    }
}

fn reap(child: i32) {
    while let Ok(Some((pid, ended))) = process::reap_any() {
        if pid == child {
            // The rest of the namespace ends with process 1.
            process::exit_now(match ended {
                process::Ended::Code(code) => code,
                process::Ended::Signal(signal) => 128 + signal,
            });
        }
    }
}
