//! A process's standard streams: pipes made before the clone, or a terminal made by the child in its own devpts.

use super::report::{During, failure};
use crate::runtime::protocol::{Failure, FailureKind};
use crate::sys::process;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The caller's ends of a process's streams.
#[derive(Debug)]
pub enum ChildIo {
    Terminal { master: OwnedFd },
    Pipes { stdin: Option<OwnedFd>, stdout: OwnedFd, stderr: OwnedFd },
}

/// Both sides, before the clone.
pub(super) struct Streams {
    pub child: ChildEnds,
    pub parent: ParentIo,
}

/// stdin, stdout, stderr; `None`: a terminal.
pub(super) struct ChildEnds(Option<[OwnedFd; 3]>);

pub(super) struct ParentIo(Option<(Option<OwnedFd>, OwnedFd, OwnedFd)>);

impl Streams {
    pub fn new(tty: bool, stdin: bool) -> Result<Self, Failure> {
        if tty {
            return Ok(Self { child: ChildEnds(None), parent: ParentIo(None) });
        }
        let (input, writer) = if stdin {
            let (reader, writer) = std::io::pipe().during("making the stdin pipe")?;
            (OwnedFd::from(reader), Some(OwnedFd::from(writer)))
        } else {
            (OwnedFd::from(std::fs::File::open("/dev/null").during("opening /dev/null")?), None)
        };
        let (stdout, out) = std::io::pipe().during("making the stdout pipe")?;
        let (stderr, err) = std::io::pipe().during("making the stderr pipe")?;
        Ok(Self {
            child: ChildEnds(Some([input, out.into(), err.into()])),
            parent: ParentIo(Some((writer, stdout.into(), stderr.into()))),
        })
    }
}

impl ChildEnds {
    /// Of stdin, stdout and stderr; of none: a terminal.
    pub fn new(ends: Vec<OwnedFd>) -> Self {
        ChildEnds(ends.try_into().ok())
    }

    pub fn each(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().flatten().map(AsFd::as_fd)
    }

    pub fn is_terminal(&self) -> bool {
        self.0.is_none()
    }

    /// Puts the pipes on 0, 1 and 2.
    pub fn install(self) -> Result<(), Failure> {
        let Some(mut ends) = self.0 else { return Ok(()) };
        // A monitor without standard streams has its pipes on those very numbers: lift them out of the way first.
        for end in &mut ends {
            *end = process::dup_above(end.as_fd(), 3).during("moving the standard streams")?;
        }
        for (number, end) in ends.iter().enumerate() {
            process::dup_onto(end.as_fd(), number as i32).during("setting the standard streams")?;
        }
        Ok(())
    }
}

impl ParentIo {
    pub fn complete(self, master: Option<OwnedFd>) -> Result<ChildIo, Failure> {
        match (self.0, master) {
            (Some((stdin, stdout, stderr)), _) => Ok(ChildIo::Pipes { stdin, stdout, stderr }),
            (None, Some(master)) => Ok(ChildIo::Terminal { master }),
            (None, None) => Err(failure(FailureKind::Internal, "the init sent no terminal")),
        }
    }
}
