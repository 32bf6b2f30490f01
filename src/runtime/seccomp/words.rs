//! The words of profiles: actions, operators, flags, architectures, kernel releases.

use super::{Action, Error, Op};
use crate::sys::confine;

/// `SECCOMP_RET_USER_NOTIF`.
pub const NOTIFY: Action = Action(0x7fc0_0000);

/// Every architecture the OCI specification names, after `SCMP_ARCH_`; a filter is made for those of them that this machine can run.
const ARCHITECTURES: [&str; 24] = [
    "AARCH64",
    "ARM",
    "LOONGARCH64",
    "M68K",
    "MIPS",
    "MIPS64",
    "MIPS64N32",
    "MIPSEL",
    "MIPSEL64",
    "MIPSEL64N32",
    "NATIVE",
    "PARISC",
    "PARISC64",
    "PPC",
    "PPC64",
    "PPC64LE",
    "RISCV64",
    "S390",
    "S390X",
    "SH",
    "SHEB",
    "X32",
    "X86",
    "X86_64",
];

/// An errno for an action that takes none is an error, as the OCI specification says.
pub fn action(name: &str, errno: Option<u32>) -> Result<Action, Error> {
    let wrong = |value| Err(Error::Errno { action: name.to_owned(), value });
    let plain = match name {
        // What the kernel takes: MAX_ERRNO, and 16 bits.
        "SCMP_ACT_ERRNO" => {
            return errno.filter(|n| *n > 4095).map_or(Ok(Action::errno(errno.unwrap_or(1))), wrong);
        }
        "SCMP_ACT_TRACE" => {
            let data = errno.unwrap_or(1);
            return u16::try_from(data).map_or_else(|_| wrong(data), |data| Ok(Action(0x7ff0_0000 | u32::from(data))));
        }
        "SCMP_ACT_ALLOW" => Action::ALLOW,
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Action(0),
        "SCMP_ACT_KILL_PROCESS" => Action::KILL_PROCESS,
        "SCMP_ACT_TRAP" => Action(0x0003_0000),
        "SCMP_ACT_LOG" => Action(0x7ffc_0000),
        "SCMP_ACT_NOTIFY" => NOTIFY,
        _ => return Err(Error::Unknown { what: "action", value: name.to_owned() }),
    };
    errno.map_or(Ok(plain), wrong)
}

pub fn operator(name: &str) -> Result<Op, Error> {
    Ok(match name {
        "SCMP_CMP_NE" => Op::Ne,
        "SCMP_CMP_LT" => Op::Lt,
        "SCMP_CMP_LE" => Op::Le,
        "SCMP_CMP_EQ" => Op::Eq,
        "SCMP_CMP_GE" => Op::Ge,
        "SCMP_CMP_GT" => Op::Gt,
        "SCMP_CMP_MASKED_EQ" => Op::MaskedEq,
        other => return Err(Error::Unknown { what: "operator", value: other.to_owned() }),
    })
}

/// A `FILTER_*` bit. A filter is loaded by the only thread there is, so that synchronising is nothing to do; and it
/// does not go together with a listener.
pub fn flag(name: &str) -> Result<u32, Error> {
    Ok(match name {
        "SECCOMP_FILTER_FLAG_TSYNC" => 0,
        "SECCOMP_FILTER_FLAG_LOG" => confine::FILTER_LOG,
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => confine::FILTER_SPEC_ALLOW,
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" => confine::FILTER_WAIT_KILLABLE,
        other => return Err(Error::Unknown { what: "flag", value: other.to_owned() }),
    })
}

pub fn check_architecture(name: &str) -> Result<(), Error> {
    match name.strip_prefix("SCMP_ARCH_") {
        Some(word) if ARCHITECTURES.contains(&word) => Ok(()),
        _ => Err(Error::Unknown { what: "architecture", value: name.to_owned() }),
    }
}

/// `6.18.44-fc` is (6, 18).
pub fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
