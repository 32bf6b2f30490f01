//! Signals that reach teu while it stands for a process in a container.

use std::task::Poll;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub(super) const WINDOW: i32 = 28;
pub(super) const PIPE: u8 = 13;

/// All that docker proxies and a program can catch: not CHLD, PIPE, URG, and not those that mean a crash.
const NUMBERS: [i32; 15] = [1, 2, 3, 10, 12, 14, 15, 18, 20, 21, 22, 24, 25, WINDOW, 30];

pub(super) struct Signals(Vec<(i32, Signal)>);

impl Signals {
    pub fn listen() -> Signals {
        let listen = |n: &i32| signal(SignalKind::from_raw(*n)).ok().map(|s| (*n, s));
        Signals(NUMBERS.iter().filter_map(listen).collect())
    }

    /// The next one's number.
    pub async fn next(&mut self) -> i32 {
        std::future::poll_fn(|context| {
            for (number, signal) in &mut self.0 {
                if let Poll::Ready(Some(())) = signal.poll_recv(context) {
                    return Poll::Ready(*number);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// Ends a program that does nothing about it, and was meant to.
pub(super) fn is_deadly(number: i32) -> bool {
    matches!(number, 1..=3 | 15)
}
