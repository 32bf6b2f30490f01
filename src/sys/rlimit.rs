//! Resource limits by docker's names.

use super::{Error, Result};

const NAMES: [(&str, libc::__rlimit_resource_t); 16] = [
    ("as", libc::RLIMIT_AS),
    ("core", libc::RLIMIT_CORE),
    ("cpu", libc::RLIMIT_CPU),
    ("data", libc::RLIMIT_DATA),
    ("fsize", libc::RLIMIT_FSIZE),
    ("locks", libc::RLIMIT_LOCKS),
    ("memlock", libc::RLIMIT_MEMLOCK),
    ("msgqueue", libc::RLIMIT_MSGQUEUE),
    ("nice", libc::RLIMIT_NICE),
    ("nofile", libc::RLIMIT_NOFILE),
    ("nproc", libc::RLIMIT_NPROC),
    ("rss", libc::RLIMIT_RSS),
    ("rtprio", libc::RLIMIT_RTPRIO),
    ("rttime", libc::RLIMIT_RTTIME),
    ("sigpending", libc::RLIMIT_SIGPENDING),
    ("stack", libc::RLIMIT_STACK),
];

/// Whether `name` (lower case, without `RLIMIT_`) is a limit.
pub fn known(name: &str) -> bool {
    number(name).is_ok()
}

fn number(name: &str) -> Result<libc::__rlimit_resource_t> {
    let found = NAMES.iter().find(|(n, _)| *n == name).map(|(_, number)| *number);
    found.ok_or_else(|| Error::at("rlimit", name, std::io::Error::other("unknown limit")))
}

/// This process's soft and hard limit; `u64::MAX` is none.
pub fn get(name: &str) -> Result<(u64, u64)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let number = number(name)?;
    // SAFETY: limit is valid for writes.
    let result = unsafe { libc::getrlimit(number, &raw mut limit) };
    super::check("getrlimit", result).map(|()| (limit.rlim_cur, limit.rlim_max))
}

pub fn set(name: &str, soft: u64, hard: u64) -> Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    let number = number(name)?;
    // SAFETY: limit is valid for reads.
    let result = unsafe { libc::setrlimit(number, &raw const limit) };
    super::check("setrlimit", result).map_err(|e| Error::at("setrlimit", format!("{name}={soft}:{hard}"), e.source))
}

/// Another process's limit (prlimit(2)): a process in a user namespace may not raise its own.
pub fn set_of(pid: i32, name: &str, soft: u64, hard: u64) -> Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    let number = number(name)?;
    // SAFETY: limit is valid for reads; the old one is not asked for.
    let result = unsafe { libc::prlimit(pid, number, &raw const limit, std::ptr::null_mut()) };
    super::check("prlimit", result).map_err(|e| Error::at("prlimit", format!("{name}={soft}:{hard}"), e.source))
}
