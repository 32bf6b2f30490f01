//! What a process gives up before it becomes the user's program: capabilities, new privileges, system calls.

use super::{Error, Result, check};

/// Highest capability number this kernel knows.
pub fn last_capability() -> u32 {
    let known = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").ok();
    known.and_then(|t| t.trim().parse().ok()).unwrap_or(40).min(63)
}

/// The capabilities this process could use now, as a bit set.
pub fn permitted() -> Result<u64> {
    rustix::thread::capabilities(None).map(|s| s.permitted.bits()).map_err(|e| Error::new("capget", e))
}

/// Takes everything that is not in `keep` out of the bounding set.
pub fn drop_bounding(keep: u64) -> Result<()> {
    for capability in 0..=last_capability_fast() {
        if keep & (1 << capability) != 0 {
            continue;
        }
        // SAFETY: no memory is passed.
        let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability as libc::c_ulong, 0, 0, 0) };
        match check("prctl PR_CAPBSET_DROP", result) {
            // Past the last one this kernel knows.
            Err(e) if e.errno() == libc::EINVAL => break,
            other => other?,
        }
    }
    Ok(())
}

/// No file is read for it: the kernel answers EINVAL beyond its last.
fn last_capability_fast() -> u32 {
    63
}

/// Effective and permitted become `set`; inheritable and ambient become empty (CVE-2022-29162).
pub fn set_capabilities(set: u64) -> Result<()> {
    // SAFETY: no memory is passed.
    let result = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    check("prctl PR_CAP_AMBIENT", result)?;
    let bits = rustix::thread::CapabilitySet::from_bits_retain(set);
    let sets = rustix::thread::CapabilitySets {
        effective: bits,
        permitted: bits,
        inheritable: rustix::thread::CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, sets).map_err(|e| Error::new("capset", e))
}

/// Keeps the permitted set over the change of user ids that follows.
pub fn keep_capabilities() -> Result<()> {
    // SAFETY: no memory is passed.
    let result = unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) };
    check("prctl PR_SET_KEEPCAPS", result)
}

/// No program run from here on gains powers by setuid or file capabilities.
pub fn no_new_privileges() -> Result<()> {
    // SAFETY: no memory is passed.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    check("prctl PR_SET_NO_NEW_PRIVS", result)
}

/// Loads a filter given as `struct sock_filter` bytes (8 each), with flags (`FILTER_*`). Needs no-new-privileges or CAP_SYS_ADMIN.
pub fn seccomp(program: &[u8], flags: u32) -> Result<()> {
    seccomp_with(program, flags).map(drop)
}

/// The five sets of a process, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sets {
    pub bounding: u64,
    pub effective: u64,
    pub permitted: u64,
    pub inheritable: u64,
    pub ambient: u64,
}

/// Sets effective, permitted, inheritable and ambient. Ambient ones must be permitted and inheritable, too.
pub fn set_all_capabilities(sets: &Sets) -> Result<()> {
    // SAFETY: no memory is passed.
    let result = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    check("prctl PR_CAP_AMBIENT", result)?;
    let bits = rustix::thread::CapabilitySet::from_bits_retain;
    let wanted = rustix::thread::CapabilitySets {
        effective: bits(sets.effective),
        permitted: bits(sets.permitted),
        inheritable: bits(sets.inheritable),
    };
    rustix::thread::set_capabilities(None, wanted).map_err(|e| Error::new("capset", e))?;
    for capability in (0..64).filter(|n| sets.ambient & (1 << n) != 0) {
        // SAFETY: no memory is passed.
        let result = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, capability, 0, 0) };
        check("prctl PR_CAP_AMBIENT_RAISE", result)?;
    }
    Ok(())
}

/// Flags of a filter (seccomp(2)).
pub const FILTER_LOG: u32 = 1 << 1;
pub const FILTER_SPEC_ALLOW: u32 = 1 << 2;
pub const FILTER_WAIT_KILLABLE: u32 = 1 << 5;
/// Makes [`seccomp_with`] return the listener of a filter that notifies.
pub const FILTER_NEW_LISTENER: u32 = 1 << 3;

/// [`seccomp`]; the descriptor is the listener's, where one was asked for.
pub fn seccomp_with(program: &[u8], flags: u32) -> Result<Option<std::os::fd::OwnedFd>> {
    use std::os::fd::FromRawFd;
    let filters = instructions(program);
    let length = u16::try_from(filters.len()).map_err(|_| Error::new("seccomp", rustix::io::Errno::TOOBIG))?;
    let program = libc::sock_fprog { len: length, filter: filters.as_ptr().cast_mut() };
    let mode = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: program and its filters outlive the call, which only reads them.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) };
    if result < 0 {
        return Err(Error::new("seccomp", std::io::Error::last_os_error()));
    }
    if flags & FILTER_NEW_LISTENER == 0 {
        return Ok(None);
    }
    // SAFETY: a fresh descriptor, owned by nobody else.
    Ok(Some(unsafe { std::os::fd::OwnedFd::from_raw_fd(result as i32) }))
}

/// Whether this kernel knows a filter action (`SECCOMP_RET_*`).
pub fn knows_action(action: u32) -> bool {
    const GET_ACTION_AVAIL: libc::c_int = 2;
    // SAFETY: the number outlives the call, which only reads it.
    unsafe { libc::syscall(libc::SYS_seccomp, GET_ACTION_AVAIL, 0, &raw const action) == 0 }
}

fn instructions(program: &[u8]) -> Vec<libc::sock_filter> {
    let one = |b: &[u8]| libc::sock_filter {
        code: u16::from_ne_bytes([b[0], b[1]]),
        jt: b[2],
        jf: b[3],
        k: u32::from_ne_bytes([b[4], b[5], b[6], b[7]]),
    };
    program.chunks_exact(8).map(one).collect()
}
