//! Architectures: their audit numbers, their names in profiles, their system call tables.

use std::collections::HashMap;

/// One architecture a kernel of this machine can run.
#[derive(Debug)]
pub struct Arch {
    /// `AUDIT_ARCH_*` (linux/audit.h).
    pub audit: u32,
    /// In `archMap` and `architectures`.
    pub scmp: &'static str,
    /// In `includes` and `excludes`.
    pub name: &'static str,
    table: fn() -> HashMap<&'static str, u32>,
    /// Numbers from here on belong to another ABI (x32) that is answered with ENOSYS.
    pub foreign_from: Option<u32>,
}

impl Arch {
    /// Name to number.
    pub fn numbers(&self) -> HashMap<&'static str, u32> {
        (self.table)()
    }
}

macro_rules! table {
    ($sysno:path) => {
        || {
            use $sysno as Table;
            // The second range is ARM's own.
            let all = (0..1024).chain(0xf_0001..=0xf_0006).filter_map(Table::new);
            all.map(|call| (call.name(), call.id() as u32)).collect()
        }
    };
}

/// The machine's own first; the others count only where a profile's `archMap` names them.
#[cfg(target_arch = "x86_64")]
pub const ARCHES: [Arch; 2] = [
    Arch {
        audit: 0xc000_003e,
        scmp: "SCMP_ARCH_X86_64",
        name: "amd64",
        table: table!(syscalls::x86_64::Sysno),
        foreign_from: Some(0x4000_0000),
    },
    Arch {
        audit: 0x4000_0003,
        scmp: "SCMP_ARCH_X86",
        name: "x86",
        table: table!(syscalls::x86::Sysno),
        foreign_from: None,
    },
];

#[cfg(target_arch = "aarch64")]
pub const ARCHES: [Arch; 2] = [
    Arch {
        audit: 0xc000_00b7,
        scmp: "SCMP_ARCH_AARCH64",
        name: "arm64",
        table: table!(syscalls::aarch64::Sysno),
        foreign_from: None,
    },
    Arch {
        audit: 0x4000_0028,
        scmp: "SCMP_ARCH_ARM",
        name: "arm",
        table: table!(syscalls::arm::Sysno),
        foreign_from: None,
    },
];

#[cfg(target_arch = "riscv64")]
pub const ARCHES: [Arch; 1] = [Arch {
    audit: 0xc000_00f3,
    scmp: "SCMP_ARCH_RISCV64",
    name: "riscv64",
    table: table!(syscalls::riscv64::Sysno),
    foreign_from: None,
}];
