//! Rarer attributes of a process: scheduling, io priority, affinity, personality, domain name, keyring.

use super::{Error, Result, check};

/// `struct sched_attr` (sched_setattr(2)), its first version.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scheduling {
    /// Filled in by [`set_scheduling`].
    pub size: u32,
    pub policy: u32,
    pub flags: u64,
    pub nice: i32,
    pub priority: u32,
    /// Nanoseconds, of the deadline policy.
    pub runtime: u64,
    pub deadline: u64,
    pub period: u64,
}

/// `pid`: 0 is the caller.
pub fn set_scheduling(pid: i32, attributes: Scheduling) -> Result<()> {
    let attributes = Scheduling { size: size_of::<Scheduling>() as u32, ..attributes };
    // SAFETY: the struct outlives the call and its size is told to the kernel.
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, pid, &raw const attributes, 0) };
    check("sched_setattr", result as i32)
}

/// ioprio_set(2): class 1 real time, 2 best effort, 3 idle; 0..=7 within it. `pid`: 0 is the caller.
pub fn set_io_priority(pid: i32, class: u32, priority: u32) -> Result<()> {
    const WHO_PROCESS: libc::c_int = 1;
    let value = (class << 13) | (priority & 0x1fff);
    // SAFETY: no memory is passed.
    let result = unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, pid, value) };
    check("ioprio_set", result as i32)
}

/// All processors that the control group has, whatever the caller was limited to. The kernel takes those away that are not
/// there.
pub fn reset_affinity() -> Result<()> {
    let all = [usize::MAX; 128];
    // SAFETY: the kernel reads no more than it is told the size of.
    let result = unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, size_of_val(&all), all.as_ptr()) };
    check("sched_setaffinity", result as i32)
}

/// The processors this process may run on.
pub fn set_affinity(processors: &[u32]) -> Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    for processor in processors {
        let number = *processor as usize;
        if number >= rustix::thread::CpuSet::MAX_CPU {
            return Err(Error::new("sched_setaffinity", rustix::io::Errno::INVAL));
        }
        set.set(number);
    }
    rustix::thread::sched_setaffinity(None, &set).map_err(|e| Error::new("sched_setaffinity", e))
}

/// personality(2): execution domain.
pub fn set_personality(value: u64) -> Result<()> {
    // SAFETY: no memory is passed.
    let result = unsafe { libc::personality(value as libc::c_ulong) };
    check("personality", result)
}

pub fn set_domain_name(name: &str) -> Result<()> {
    // SAFETY: pointer and length describe the string.
    let result = unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) };
    check("setdomainname", result)
}

/// A fresh session keyring, with a name if there is one, so that the keys of whoever starts a container stay outside of it.
/// Who may have no further key shares one with his other containers. A kernel without keys, or a filter that hides them, is
/// no failure.
pub fn join_session_keyring(name: Option<&std::ffi::CStr>) -> Result<()> {
    let joined = match join_keyring(name) {
        Err(e) if e.errno() == libc::EDQUOT => join_keyring(Some(c"_ses.teu")),
        other => other,
    };
    match joined {
        Err(e) if matches!(e.errno(), libc::ENOSYS | libc::EPERM | libc::EDQUOT) => Ok(()),
        other => other,
    }
}

fn join_keyring(name: Option<&std::ffi::CStr>) -> Result<()> {
    const JOIN_SESSION_KEYRING: libc::c_int = 1;
    let name = name.map_or(std::ptr::null(), std::ffi::CStr::as_ptr);
    // SAFETY: the name outlives the call, or is null, which is allowed.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, name) };
    check("keyctl JOIN_SESSION_KEYRING", if result < 0 { -1 } else { 0 })
}

/// set_mempolicy(2). `nodes`: a bit per memory node.
pub fn set_memory_policy(mode: i32, nodes: &[u64]) -> Result<()> {
    let bits = nodes.len() * 64 + usize::from(!nodes.is_empty());
    let pointer = if nodes.is_empty() { std::ptr::null() } else { nodes.as_ptr() };
    // SAFETY: the mask holds as many bits as are told, less the one the kernel takes away.
    let result = unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, pointer, bits) };
    check("set_mempolicy", result as i32)
}
