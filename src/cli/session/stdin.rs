//! Our stdin, read by one thread: a terminal and a file cannot be polled alike.

use bytes::Bytes;
use std::io::Read as _;
use tokio::sync::mpsc;

pub(super) enum Read {
    Bytes(Bytes),
    End,
}

/// Starts reading; the thread ends with stdin, or with the program.
pub(super) fn start() -> mpsc::Receiver<Read> {
    let (send, receive) = mpsc::channel(4);
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut buffer = [0; 16 << 10];
        loop {
            let message = match stdin.read(&mut buffer) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => Read::End,
                Ok(n) => Read::Bytes(Bytes::copy_from_slice(&buffer[..n])),
            };
            let last = matches!(message, Read::End);
            if send.blocking_send(message).is_err() || last {
                return;
            }
        }
    });
    receive
}

/// The next read; for ever pending when stdin is not read.
pub(super) async fn next(from: &mut Option<mpsc::Receiver<Read>>) -> Read {
    match from {
        Some(receiver) => receiver.recv().await.unwrap_or(Read::End),
        None => std::future::pending().await,
    }
}
