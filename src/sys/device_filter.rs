//! A BPF program attached to a v2 control group that decides which devices may be opened or made inside.
//!
//! See `struct bpf_cgroup_dev_ctx` in `linux/bpf.h`. The program is handed over ready-made: what it allows is not
//! known here.

use super::{Error, Result};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `struct bpf_insn`: operation; registers (destination in the low half); jump offset; immediate.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    pub code: u8,
    pub registers: u8,
    pub offset: i16,
    pub immediate: i32,
}

const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
const ALLOW_MULTI: u32 = 2;

/// The part of `union bpf_attr` that loading uses.
#[repr(C)]
#[derive(Default)]
struct LoadAttr {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct AttachAttr {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

/// Loads the program and attaches it beside any that the group's ancestors have; all of them must allow an access.
pub fn attach(group: BorrowedFd<'_>, program: &[Instruction]) -> Result<()> {
    let license = c"MIT";
    let load = LoadAttr {
        kind: TYPE_CGROUP_DEVICE,
        count: program.len() as u32,
        instructions: program.as_ptr() as u64,
        license: license.as_ptr() as u64,
        ..LoadAttr::default()
    };
    let fd = bpf(PROG_LOAD, &load).map_err(|e| Error::new("bpf PROG_LOAD", e))?;
    // SAFETY: the kernel just made this descriptor for us and nobody else has it.
    let loaded = unsafe { OwnedFd::from_raw_fd(fd) };
    let attach = AttachAttr {
        target: group.as_raw_fd() as u32,
        program: loaded.as_raw_fd() as u32,
        kind: ATTACH_CGROUP_DEVICE,
        flags: ALLOW_MULTI,
    };
    bpf(PROG_ATTACH, &attach).map_err(|e| Error::new("bpf PROG_ATTACH", e))?;
    Ok(())
}

fn bpf<T>(command: libc::c_int, attr: &T) -> std::io::Result<i32> {
    let attr_pointer: *const T = attr;
    // SAFETY: the attribute and what it points to live through the call, and its size is told to the kernel.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attr_pointer, size_of::<T>()) };
    if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(result as i32) }
}
