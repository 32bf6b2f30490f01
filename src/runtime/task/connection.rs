//! A connection to a monitor that asks one thing, and may then become a session.

use super::{Error, Result, Session};
use crate::runtime::protocol::{self, Ask, Decoder, FrameError, Hello, Kind, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

pub(super) fn hello(ask: Ask) -> Result<Vec<u8>> {
    Ok(protocol::json_frame(Kind::Hello, &Hello { version: protocol::VERSION, ask })?)
}

pub(super) fn unexpected(reply: &Reply) -> Error {
    match reply {
        Reply::Failed(failure) => Error::Failed(failure.clone()),
        other => Error::Protocol(format!("{other:?}")),
    }
}

/// A connection before it has become a session.
pub(super) struct Connection {
    stream: UnixStream,
    decoder: Decoder,
}

impl Connection {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, decoder: Decoder::default() }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        match self.stream.write_all(bytes).await {
            // The answer that explains it may still be there to read.
            Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e.into()),
            _ => Ok(()),
        }
    }

    pub(super) async fn reply(&mut self) -> Result<Reply> {
        loop {
            if let Some(frame) = self.decoder.next()? {
                if frame.kind != Kind::Reply {
                    return Err(FrameError::Unexpected { expected: Kind::Reply, got: frame.kind }.into());
                }
                return Ok(frame.json()?);
            }
            match self.stream.read_buf(&mut self.decoder.buffer).await {
                // Reset: it left without having read what was asked.
                Ok(0) => return Err(Error::Lost(String::new())),
                Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => return Err(Error::Lost(String::new())),
                read => read?,
            };
        }
    }

    pub(super) async fn into_session(mut self) -> Result<Session> {
        match self.reply().await? {
            Reply::Session { exec, tty } => Ok(Session::new(exec, tty, self.stream, self.decoder)),
            other => Err(unexpected(&other)),
        }
    }
}
