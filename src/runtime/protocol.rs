//! Frames between a monitor and its clients: `u32` little-endian length of what follows, `u8` kind, payload.
//!
//! A connection is opened with one `Hello` and then serves one purpose: a control call, or a session (attach, exec).
//! The connection that starts a monitor carries a `Launch`; a `Hello` sent *before* it makes it the first session too.

use crate::model::container::{ExecState, ExitStatus, Limits, RestartPolicy, State};
use crate::net::plan::NetworkChange;
use bytes::{Buf, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Raised whenever a frame changes its meaning, but for those that come before a launch, between two of the same program; a
/// monitor refuses another one's clients with a clear error.
pub const VERSION: u32 = 1;
/// Largest payload either side accepts.
pub const MAX_FRAME: usize = 1 << 20;
/// Largest [`Kind::Launch`] payload.
pub const MAX_LAUNCH: usize = 16 << 20;
/// Length field and kind.
pub const HEADER: usize = 5;
/// Bytes of output in one frame at most.
pub const MAX_CHUNK: usize = 64 << 10;

/// Frame kinds. JSON kinds carry serde_json; byte kinds carry raw bytes.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// JSON [`Hello`]: first frame of a client.
    Hello = 1,
    /// JSON [`Reply`]: the monitor's answer to `Hello`.
    Reply = 2,
    Stdin = 3,
    StdinEof = 4,
    /// Two `u16` little-endian: columns, rows.
    Resize = 5,
    /// `i32` little-endian signal number for the session's process.
    Signal = 6,
    Stdout = 7,
    Stderr = 8,
    Console = 9,
    /// Bytes that repaint the kept screen.
    Screen = 10,
    /// `u64` little-endian: bytes skipped for this slow client.
    Gap = 11,
    /// JSON [`ExitStatus`]: the session's process has ended and all its output was sent.
    Exit = 12,
    /// JSON [`super::launch::Launch`]: what a new monitor is to run.
    Launch = 13,
    /// To a client, one byte: 1 = its input is taken, 0 = it only watches. From a client, empty: it takes over.
    Writer = 14,
    /// JSON [`super::launch::RootAhead`]: may come before `Launch`.
    Root = 15,
    /// Empty: the launch will say that it [`super::launch::Launch::makes_network`]. May come before `Root`.
    Network = 16,
}

impl Kind {
    /// The kind of that number, if there is one.
    pub fn from_byte(byte: u8) -> Option<Kind> {
        use Kind::{
            Console, Exit, Gap, Hello, Launch, Network, Reply, Resize, Root, Screen, Signal, Stderr, Stdin, StdinEof,
            Stdout, Writer,
        };
        let to_clients = [Reply, Stdout, Stderr, Console, Screen, Gap, Exit, Writer];
        let to_monitors = [Hello, Stdin, StdinEof, Resize, Signal, Launch, Root, Network];
        to_clients.into_iter().chain(to_monitors).find(|kind| *kind as u8 == byte)
    }
}

/// What a client wants of this connection.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hello {
    pub version: u32,
    pub ask: Ask,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Ask {
    /// Streams of the main process, or of an exec session. Stays open until `Exit` or until the client leaves.
    Attach {
        exec: Option<String>,
        stdin: bool,
        replay: bool,
        size: Option<(u16, u16)>,
        /// Pipes only: no byte may be lost, so the container waits for this client rather than the client getting a `Gap`.
        #[serde(default)]
        lossless: bool,
    },
    /// Start a process inside; the connection then is its attach session unless `detach`.
    Exec(Box<ExecSpec>),
    Kill {
        signal: i32,
    },
    /// Stop signal, then SIGKILL after the time-out; answers when the container is down. Switches off the restart policy.
    Stop {
        signal: Option<i32>,
        timeout_secs: u64,
        /// It is started again at once: a `--rm` container stays.
        #[serde(default)]
        keep: bool,
    },
    Pause,
    Resume,
    /// All limits; what could not be applied of them is told.
    Update {
        limits: Box<Limits>,
    },
    /// What follows the container's next end.
    RestartPolicy(RestartPolicy),
    State,
    /// Answers when the container has ended for good (no restart follows) with its state.
    Wait,
    Rename {
        name: String,
        /// By each network's id, what others find it by there from now on.
        #[serde(default)]
        names: BTreeMap<String, Vec<String>>,
    },
    /// A live change; answers with the new [`State`].
    Network(Box<NetworkChange>),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExecSpec {
    pub id: String,
    /// Empty: the first of login shell, bash, ash, sh that is there.
    pub args: Vec<String>,
    pub env: Vec<String>,
    pub user: Option<String>,
    pub workdir: Option<String>,
    pub tty: bool,
    pub stdin: bool,
    pub detach: bool,
    pub privileged: bool,
    pub size: Option<(u16, u16)>,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    Done,
    State(Box<State>),
    /// The session is open.
    Session {
        exec: Option<String>,
        tty: bool,
    },
    /// A new monitor's container runs.
    Started {
        pid: i32,
    },
    /// Done, but for what these lines say.
    Warned(Vec<String>),
    Ended(ExitStatus),
    Execs(Vec<ExecState>),
    Failed(Failure),
}

/// An error on its way from an init or a monitor to the engine, with its whole chain.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failure {
    pub kind: FailureKind,
    /// Outermost first, lower case, each with its path, id or value.
    pub chain: Vec<String>,
    pub hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    /// Exit code 127.
    CommandNotFound,
    /// Exit code 126.
    CommandNotExecutable,
    Invalid,
    NotFound,
    Denied,
    Unsupported,
    /// Wrong state: not running, paused, already ended.
    Conflict,
    Internal,
}

/// One frame as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: Kind,
    pub payload: Bytes,
}

/// What makes a stream of frames unusable.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("a frame of {0} bytes is larger than allowed")]
    TooLarge(usize),
    #[error("an empty frame")]
    Empty,
    #[error("unknown frame kind {0}")]
    UnknownKind(u8),
    #[error("unreadable {kind:?} frame: {source}")]
    Json { kind: Kind, source: serde_json::Error },
    #[error("expected a {expected:?} frame, got {got:?}")]
    Unexpected { expected: Kind, got: Kind },
}

impl Frame {
    /// The payload of a JSON kind.
    pub fn json<T: for<'a> Deserialize<'a>>(&self) -> Result<T, FrameError> {
        serde_json::from_slice(&self.payload).map_err(|source| FrameError::Json { kind: self.kind, source })
    }

    /// Columns and rows of a [`Kind::Resize`].
    pub fn size(&self) -> Option<(u16, u16)> {
        let bytes: [u8; 4] = self.payload.as_ref().try_into().ok()?;
        Some((u16::from_le_bytes([bytes[0], bytes[1]]), u16::from_le_bytes([bytes[2], bytes[3]])))
    }

    /// The number in a [`Kind::Signal`].
    pub fn signal(&self) -> Option<i32> {
        Some(i32::from_le_bytes(self.payload.as_ref().try_into().ok()?))
    }

    /// The number in a [`Kind::Gap`].
    pub fn gap(&self) -> Option<u64> {
        Some(u64::from_le_bytes(self.payload.as_ref().try_into().ok()?))
    }
}

/// The five bytes before a payload of `length` bytes (at most 4 GiB less two).
pub fn header(kind: Kind, length: usize) -> [u8; HEADER] {
    let length = u32::try_from(length + 1).unwrap_or(u32::MAX).to_le_bytes();
    [length[0], length[1], length[2], length[3], kind as u8]
}

/// A whole frame of a byte kind.
pub fn frame(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER + payload.len());
    out.extend_from_slice(&header(kind, payload.len()));
    out.extend_from_slice(payload);
    out
}

/// A whole frame of a JSON kind.
pub fn json_frame<T: Serialize>(kind: Kind, value: &T) -> Result<Vec<u8>, FrameError> {
    let mut out = vec![0; HEADER];
    serde_json::to_writer(&mut out, value).map_err(|source| FrameError::Json { kind, source })?;
    let head = header(kind, out.len() - HEADER);
    out[..HEADER].copy_from_slice(&head);
    Ok(out)
}

/// Columns and rows as a whole frame.
pub fn resize_frame((columns, rows): (u16, u16)) -> Vec<u8> {
    let (c, r) = (columns.to_le_bytes(), rows.to_le_bytes());
    frame(Kind::Resize, &[c[0], c[1], r[0], r[1]])
}

/// Puts received bytes together into frames.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Received, not yet taken. Callers append to it (`read_buf`, `extend_from_slice`).
    pub buffer: BytesMut,
}

impl Decoder {
    /// The next whole frame, `None` until more bytes have come. After an error the stream is of no use any more.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(head) = self.buffer.get(..HEADER) else { return Ok(None) };
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let kind = Kind::from_byte(head[4]).ok_or(FrameError::UnknownKind(head[4]))?;
        let Some(payload) = length.checked_sub(1) else { return Err(FrameError::Empty) };
        if payload > if kind == Kind::Launch { MAX_LAUNCH } else { MAX_FRAME } {
            return Err(FrameError::TooLarge(payload));
        }
        if self.buffer.len() < HEADER + payload {
            self.buffer.reserve(HEADER + payload - self.buffer.len());
            return Ok(None);
        }
        self.buffer.advance(HEADER);
        Ok(Some(Frame { kind, payload: self.buffer.split_to(payload).freeze() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_cut() {
        let hello = Hello { version: VERSION, ask: Ask::Kill { signal: 9 } };
        let mut wire = json_frame(Kind::Hello, &hello).unwrap();
        wire.extend(frame(Kind::Stdin, b"abc"));
        wire.extend(resize_frame((120, 36)));
        wire.extend(frame(Kind::StdinEof, b""));
        for cut in 0..wire.len() {
            let mut decoder = Decoder::default();
            let mut kinds = Vec::new();
            for part in [&wire[..cut], &wire[cut..]] {
                decoder.buffer.extend_from_slice(part);
                while let Some(frame) = decoder.next().unwrap() {
                    if frame.kind == Kind::Resize {
                        assert_eq!(frame.size(), Some((120, 36)));
                    }
                    kinds.push(frame.kind);
                }
            }
            assert_eq!(kinds, [Kind::Hello, Kind::Stdin, Kind::Resize, Kind::StdinEof]);
        }
    }

    #[test]
    fn cve_2026_34040_nonsense_is_refused_before_it_is_stored() {
        let refuse = |bytes: &[u8]| {
            let mut decoder = Decoder::default();
            decoder.buffer.extend_from_slice(bytes);
            decoder.next().unwrap_err().to_string()
        };
        assert_eq!(refuse(&[0xff, 0xff, 0xff, 0x7f, 3]), "a frame of 2147483646 bytes is larger than allowed");
        assert_eq!(refuse(&[1, 0, 0, 0, 200]), "unknown frame kind 200");
        assert_eq!(refuse(&[0, 0, 0, 0, 3]), "an empty frame");
    }
}
