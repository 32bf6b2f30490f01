//! Architectures: their audit numbers, their names in profiles, their system call tables.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// One architecture a kernel of this machine can run.
#[derive(Debug)]
pub struct Arch {
    /// `AUDIT_ARCH_*` (linux/audit.h).
    pub audit: u32,
    /// In `archMap` and `architectures`.
    pub scmp: &'static str,
    /// In `includes` and `excludes`.
    pub name: &'static str,
    table: fn() -> Numbers,
    /// Set in all its numbers: an ABI that shares its audit number with another one.
    pub bit: u32,
}

/// Numbers with this bit are x32's (asm/unistd.h).
pub const X32_BIT: u32 = 0x4000_0000;

impl Arch {
    /// Name to number. Made anew by each call, which takes longer than looking them all up.
    pub fn numbers(&self) -> Numbers {
        (self.table)()
    }
}

pub type Numbers = HashMap<&'static str, u32, BuildHasherDefault<Fnv>>;

/// Fowler, Noll and Vo's hash: for names of our own choosing the standard one is needlessly slow.
pub struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

macro_rules! table {
    ($sysno:path) => {
        || {
            use $sysno as Table;
            let mut numbers = Numbers::with_capacity_and_hasher(512, Default::default());
            // The second range is ARM's own.
            let all = (0..600).chain(0xf_0001..=0xf_0006).filter_map(Table::new);
            numbers.extend(all.map(|call| (call.name(), call.id() as u32)));
            numbers
        }
    };
}

/// The machine's own first; the others count only where a profile names them.
#[cfg(target_arch = "x86_64")]
pub const ARCHES: [Arch; 3] = [
    Arch {
        audit: 0xc000_003e,
        scmp: "SCMP_ARCH_X86_64",
        name: "amd64",
        table: table!(syscalls::x86_64::Sysno),
        bit: 0,
    },
    Arch { audit: 0x4000_0003, scmp: "SCMP_ARCH_X86", name: "x86", table: table!(syscalls::x86::Sysno), bit: 0 },
    Arch { audit: 0xc000_003e, scmp: "SCMP_ARCH_X32", name: "x32", table: x32, bit: X32_BIT },
];

/// The calls of x32 that are not those of the 64-bit ABI with the bit: from 512 on, in the order of
/// `arch/x86/entry/syscalls/syscall_64.tbl`.
#[cfg(target_arch = "x86_64")]
const X32_OWN: [&str; 36] = [
    "rt_sigaction",
    "rt_sigreturn",
    "ioctl",
    "readv",
    "writev",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "execve",
    "ptrace",
    "rt_sigpending",
    "rt_sigtimedwait",
    "rt_sigqueueinfo",
    "sigaltstack",
    "timer_create",
    "mq_notify",
    "kexec_load",
    "waitid",
    "set_robust_list",
    "get_robust_list",
    "vmsplice",
    "move_pages",
    "preadv",
    "pwritev",
    "rt_tgsigqueueinfo",
    "recvmmsg",
    "sendmmsg",
    "process_vm_readv",
    "process_vm_writev",
    "setsockopt",
    "getsockopt",
    "io_setup",
    "io_submit",
    "execveat",
    "preadv2",
    "pwritev2",
];

#[cfg(target_arch = "x86_64")]
fn x32() -> Numbers {
    let mut numbers = ARCHES[0].numbers();
    numbers.extend(X32_OWN.iter().zip(512..).map(|(name, number)| (*name, number)));
    numbers
}

#[cfg(target_arch = "aarch64")]
pub const ARCHES: [Arch; 2] = [
    Arch {
        audit: 0xc000_00b7,
        scmp: "SCMP_ARCH_AARCH64",
        name: "arm64",
        table: table!(syscalls::aarch64::Sysno),
        bit: 0,
    },
    Arch { audit: 0x4000_0028, scmp: "SCMP_ARCH_ARM", name: "arm", table: table!(syscalls::arm::Sysno), bit: 0 },
];

#[cfg(target_arch = "riscv64")]
pub const ARCHES: [Arch; 1] = [Arch {
    audit: 0xc000_00f3,
    scmp: "SCMP_ARCH_RISCV64",
    name: "riscv64",
    table: table!(syscalls::riscv64::Sysno),
    bit: 0,
}];
