//! Frames between a monitor and its clients: `u32` little-endian length of what follows, `u8` kind, payload.
//!
//! A connection is opened with one `Hello` and then serves one purpose: a control call, or a session (attach, exec).

use crate::model::container::{ExecState, ExitStatus, Limits, State};
use serde::{Deserialize, Serialize};

/// Raised whenever a frame changes its meaning; a monitor refuses another one's clients with a clear error.
pub const VERSION: u32 = 1;
/// Largest payload either side accepts.
pub const MAX_FRAME: usize = 1 << 20;

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
    /// JSON [`super::launch::Launch`]: first frame a new monitor reads.
    Launch = 13,
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
    },
    Pause,
    Resume,
    Update {
        limits: Box<Limits>,
    },
    State,
    /// Answers when the container has ended for good (no restart follows) with its state.
    Wait,
    Rename {
        name: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
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
