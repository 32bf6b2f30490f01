//! System call filters: a profile in docker's format becomes a BPF program in microseconds, without libseccomp.

mod arch;
mod emit;
mod profile;
#[cfg(test)]
mod tests;

use super::caps;
use crate::model::container::SeccompProfile;
use std::sync::OnceLock;

/// The profile of every container that names none.
const DEFAULT: &str = include_str!("../../../assets/seccomp.json");
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
    #[error("seccomp profile: action {0} is not supported")]
    Unsupported(String),
    #[error("seccomp profile leads to {0} instructions, the kernel takes {MAX_PROGRAM}")]
    TooLong(usize),
}

/// What happens to a system call, as the filter's return value (seccomp(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action(pub u32);

impl Action {
    pub const ALLOW: Action = Action(0x7fff_0000);

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

/// The program as `struct sock_filter` bytes; empty: no filter. `capabilities` is the container's bounding set.
pub fn compile(profile: &SeccompProfile, capabilities: u64) -> Result<Vec<u8>, Error> {
    let text = match profile {
        SeccompProfile::Unconfined => return Ok(Vec::new()),
        SeccompProfile::Default if Some(capabilities) == usual_capabilities() => {
            let usual = USUAL.get_or_init(|| bytes(DEFAULT, capabilities).ok());
            return usual.clone().map_or_else(|| bytes(DEFAULT, capabilities), Ok);
        }
        SeccompProfile::Default => DEFAULT,
        SeccompProfile::Custom(text) => text,
    };
    bytes(text, capabilities)
}

/// A filter as the OCI specification describes it, which is docker's format without conditions on the machine.
pub fn compile_spec(text: &str) -> Result<Vec<u8>, Error> {
    bytes(text, 0)
}

/// The architectures a filter can be made for here, in libseccomp's words.
pub fn architectures() -> Vec<&'static str> {
    arch::ARCHES.iter().map(|arch| arch.scmp).collect()
}

/// The default filter with the default capabilities: what nearly all containers get.
static USUAL: OnceLock<Option<Vec<u8>>> = OnceLock::new();

/// Makes the usual filter ahead, on whatever thread has the time: whoever needs it meanwhile waits for it.
pub fn prepare() {
    let _ = usual_capabilities().map(|capabilities| compile(&SeccompProfile::Default, capabilities));
}

fn usual_capabilities() -> Option<u64> {
    caps::choose(&[], &[], false).ok()
}

fn bytes(text: &str, capabilities: u64) -> Result<Vec<u8>, Error> {
    let instructions = program(text, capabilities)?;
    Ok(instructions.iter().flat_map(|i| i.bytes()).collect())
}

fn program(text: &str, capabilities: u64) -> Result<Vec<emit::Instruction>, Error> {
    if text.len() > MAX_PROFILE {
        return Err(Error::TooLarge);
    }
    let filter = profile::read(text, capabilities, kernel_version())?;
    let instructions = emit::program(&filter);
    match instructions.len() {
        0..=MAX_PROGRAM => Ok(instructions),
        length => Err(Error::TooLong(length)),
    }
}

/// Major and minor of the running kernel, which some rules depend on.
fn kernel_version() -> (u32, u32) {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    profile::version(text.trim()).unwrap_or((u32::MAX, 0))
}
