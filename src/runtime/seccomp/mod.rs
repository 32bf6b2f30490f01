//! System call filters: a profile in docker's format, or the OCI specification's, becomes a BPF program without
//! libseccomp.

mod arch;
mod emit;
mod profile;
#[cfg(test)]
mod tests;
mod words;

use super::caps;
use crate::model::container::SeccompProfile;

/// The profile of every container that names none.
const DEFAULT: &str = include_str!("../../../assets/seccomp.json");
/// What it becomes for a container with the default capabilities, as nearly all are: starting one reads no profile and
/// compiles nothing. A test compares it with what the compiler makes of [`DEFAULT`]; rules that depend on the kernel
/// are about older ones than teu runs on. Empty: this architecture has none stored, the profile is compiled.
#[cfg(target_arch = "x86_64")]
const USUAL: &[u8] = include_bytes!("../../../assets/seccomp.x86_64.bpf");
#[cfg(not(target_arch = "x86_64"))]
const USUAL: &[u8] = &[];
/// Largest profile accepted.
const MAX_PROFILE: usize = 1 << 20;
/// Longest program the kernel accepts, in instructions.
const MAX_PROGRAM: usize = 4096;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("seccomp profile: {0}")]
    Json(#[from] serde_json::Error),
    #[error("seccomp profile is larger than {MAX_PROFILE} bytes")]
    TooLarge,
    #[error("seccomp profile: unknown {what} '{value}'")]
    Unknown { what: &'static str, value: String },
    #[error("seccomp profile: argument index {0} is not within 0..=5")]
    Index(u32),
    #[error("seccomp profile: errno {value} does not go with {action}")]
    Errno { action: String, value: u32 },
    #[error("seccomp profile: {0}")]
    Notify(&'static str),
    #[error("seccomp profile leads to {0} instructions, the kernel takes {MAX_PROGRAM}")]
    TooLong(usize),
}

/// What happens to a system call, as the filter's return value (seccomp(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action(pub u32);

impl Action {
    pub const ALLOW: Action = Action(0x7fff_0000);
    pub const KILL_PROCESS: Action = Action(0x8000_0000);

    /// The call fails with this errno.
    pub const fn errno(number: u32) -> Action {
        Action(0x0005_0000 | (number & 0xfff))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Ne,
    Lt,
    Le,
    Eq,
    Ge,
    Gt,
    /// `argument & value == second`
    MaskedEq,
}

/// A comparison of one 64-bit argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Condition {
    index: u32,
    op: Op,
    value: u64,
    second: u64,
}

/// All conditions hold: the action.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    conditions: Vec<Condition>,
    action: Action,
}

/// What the kernel is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compiled {
    /// `struct sock_filter` bytes; empty: no filter.
    pub program: Vec<u8>,
    /// `FILTER_*` of [`crate::sys::confine`].
    pub flags: u32,
    /// Some calls wait for somebody's answer.
    pub notifies: bool,
}

/// The filter of a container; `capabilities` is its bounding set. Nobody listens to notified calls here: a profile that
/// has some is refused. `release`: uname(2)'s, which rules may depend on.
pub fn compile(profile: &SeccompProfile, capabilities: u64, release: fn() -> String) -> Result<Compiled, Error> {
    let text = match profile {
        SeccompProfile::Unconfined => return Ok(Compiled::default()),
        SeccompProfile::Default if !USUAL.is_empty() && caps::choose(&[], &[], false) == Ok(capabilities) => {
            return Ok(Compiled { program: USUAL.to_vec(), ..Compiled::default() });
        }
        SeccompProfile::Default => DEFAULT,
        SeccompProfile::Custom(text) => text,
    };
    match compile_text(text, capabilities, &release())? {
        compiled if compiled.notifies => {
            Err(Error::Notify("SCMP_ACT_NOTIFY is not supported: nobody listens to the calls"))
        }
        compiled => Ok(compiled),
    }
}

/// A filter as the OCI specification describes it, which is docker's format without conditions on the machine.
pub fn compile_spec(text: &str, release: &str) -> Result<Compiled, Error> {
    compile_text(text, 0, release)
}

/// The architectures a filter can be made for here, in libseccomp's words.
pub fn architectures() -> Vec<&'static str> {
    arch::ARCHES.iter().map(|arch| arch.scmp).collect()
}

fn compile_text(text: &str, capabilities: u64, release: &str) -> Result<Compiled, Error> {
    // A release without numbers is taken for a new one.
    let filter = read(text, capabilities, words::version(release).unwrap_or((u32::MAX, 0)))?;
    let instructions = program(&filter)?;
    Ok(Compiled {
        program: instructions.iter().flat_map(|i| i.bytes()).collect(),
        flags: filter.flags,
        notifies: filter.notifies,
    })
}

fn read(text: &str, capabilities: u64, kernel: (u32, u32)) -> Result<profile::Filter, Error> {
    if text.len() > MAX_PROFILE {
        return Err(Error::TooLarge);
    }
    profile::read(text, capabilities, kernel)
}

fn program(filter: &profile::Filter) -> Result<Vec<emit::Instruction>, Error> {
    let instructions = emit::program(filter);
    match instructions.len() {
        0..=MAX_PROGRAM => Ok(instructions),
        length => Err(Error::TooLong(length)),
    }
}
