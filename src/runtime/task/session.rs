//! The typed frames of an open session: what comes from a process, and what goes to it.

use super::{Error, Result};
use crate::model::container::ExitStatus;
use crate::runtime::protocol::{self, Decoder, Frame, Kind, Reply};
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// Open streams of a process.
#[derive(Debug)]
pub struct Session {
    /// The exec session's id; `None`: the main process.
    pub exec: Option<String>,
    pub tty: bool,
    pub reader: SessionReader,
    pub writer: SessionWriter,
}

impl Session {
    /// `decoder` may hold output that came with the answer.
    pub(super) fn new(exec: Option<String>, tty: bool, stream: UnixStream, decoder: Decoder) -> Session {
        let (read, write) = stream.into_split();
        let reader = SessionReader { stream: read, decoder };
        let writer = SessionWriter { stream: write, pending: BytesMut::new() };
        Session { exec, tty, reader, writer }
    }
}

/// What comes from a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Stdout(Bytes),
    Stderr(Bytes),
    /// Terminal output.
    Console(Bytes),
    /// Repaints the whole screen: reset the emulator, then feed these bytes.
    Screen(Bytes),
    /// So many bytes were skipped; a terminal's `Screen` follows.
    Gap(u64),
    /// Whether this client's input is taken.
    Writer(bool),
    /// The process has ended and all its output came before. Nothing follows.
    Exit(ExitStatus),
}

#[derive(Debug)]
pub struct SessionReader {
    stream: OwnedReadHalf,
    decoder: Decoder,
}

impl SessionReader {
    /// The next output; `None` when the monitor has closed the connection. Cancel safe.
    pub async fn next(&mut self) -> Result<Option<Output>> {
        loop {
            while let Some(frame) = self.decoder.next()? {
                if let Some(output) = output(frame)? {
                    return Ok(Some(output));
                }
            }
            self.decoder.buffer.reserve(protocol::MAX_CHUNK);
            match self.stream.read_buf(&mut self.decoder.buffer).await {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => return Ok(None),
                Err(e) => return Err(e.into()),
            }
        }
    }
}

fn output(frame: Frame) -> Result<Option<Output>> {
    Ok(Some(match frame.kind {
        Kind::Stdout => Output::Stdout(frame.payload),
        Kind::Stderr => Output::Stderr(frame.payload),
        Kind::Console => Output::Console(frame.payload),
        Kind::Screen => Output::Screen(frame.payload),
        Kind::Gap => Output::Gap(frame.gap().unwrap_or(0)),
        Kind::Writer => Output::Writer(frame.payload.first() == Some(&1)),
        Kind::Exit => Output::Exit(frame.json()?),
        Kind::Reply => match frame.json()? {
            Reply::Failed(failure) => return Err(Error::Failed(failure)),
            _ => return Ok(None),
        },
        other => return Err(Error::Protocol(format!("{other:?} frame in a session"))),
    }))
}

/// The way to a session's process. Every method is cancel safe: a frame once accepted is sent whole by a later call.
#[derive(Debug)]
pub struct SessionWriter {
    stream: OwnedWriteHalf,
    pending: BytesMut,
}

impl SessionWriter {
    /// Input; waits when the process does not read.
    pub async fn stdin(&mut self, bytes: &[u8]) -> Result<()> {
        for chunk in bytes.chunks(protocol::MAX_CHUNK) {
            self.queue(Kind::Stdin, chunk);
        }
        self.flush().await
    }

    /// No more input: closes the process's standard input (a terminal gets its end-of-file character).
    pub async fn eof(&mut self) -> Result<()> {
        self.send(Kind::StdinEof, &[]).await
    }

    pub async fn resize(&mut self, columns: u16, rows: u16) -> Result<()> {
        let frame = protocol::resize_frame((columns, rows));
        self.send(Kind::Resize, &frame[protocol::HEADER..]).await
    }

    pub async fn signal(&mut self, signal: i32) -> Result<()> {
        self.send(Kind::Signal, &signal.to_le_bytes()).await
    }

    /// Makes this client the one whose input counts.
    pub async fn take_over(&mut self) -> Result<()> {
        self.send(Kind::Writer, &[]).await
    }

    async fn send(&mut self, kind: Kind, payload: &[u8]) -> Result<()> {
        self.queue(kind, payload);
        self.flush().await
    }

    fn queue(&mut self, kind: Kind, payload: &[u8]) {
        self.pending.extend_from_slice(&protocol::header(kind, payload.len()));
        self.pending.extend_from_slice(payload);
    }

    async fn flush(&mut self) -> Result<()> {
        while !self.pending.is_empty() {
            match self.stream.write(&self.pending).await {
                Ok(count) => self.pending.advance(count),
                Err(e) if matches!(e.kind(), std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset) => {
                    return Err(Error::Lost(String::new()));
                }
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }
}
