//! A tiny static program that makes one system call and ends with its errno, by any of the ABIs of an x86-64 kernel:
//! what a filter answers is seen without a C library in between.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abi {
    X86_64,
    /// `int 0x80`, as 32-bit programs do.
    I386,
}

/// Where the call's data is in the program's memory.
pub const DATA: u32 = BASE + DATA_OFFSET;
const BASE: u32 = 0x40_0000;
const DATA_OFFSET: u32 = 0x100;
/// Of a 64-bit ELF file, and of one program header.
const HEADERS: u32 = 64 + 56;

/// Writes the program. Its exit code: 0 when the call succeeded, else its errno.
pub fn write(path: &Path, abi: Abi, number: u32, args: &[u32], data: &[u32]) {
    fs::write(path, elf(&code(abi, number, args), data)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn code(abi: Abi, number: u32, args: &[u32]) -> Vec<u8> {
    // mov eax, number; then each argument into its register.
    let (registers, call): ([&[u8]; 6], [u8; 2]) = match abi {
        Abi::X86_64 => ([&[0xbf], &[0xbe], &[0xba], &[0x41, 0xba], &[0x41, 0xb8], &[0x41, 0xb9]], [0x0f, 0x05]),
        Abi::I386 => ([&[0xbb], &[0xb9], &[0xba], &[0xbe], &[0xbf], &[0xbd]], [0xcd, 0x80]),
    };
    let mut code = vec![0xb8];
    code.extend(number.to_le_bytes());
    for (at, register) in registers.iter().enumerate() {
        code.extend(*register);
        code.extend(args.get(at).copied().unwrap_or(0).to_le_bytes());
    }
    code.extend(call);
    // neg eax; cmp eax, 4095; jbe +2; xor eax, eax; mov edi, eax; mov eax, 60 (exit); syscall
    code.extend([0xf7, 0xd8, 0x3d, 0xff, 0x0f, 0, 0, 0x76, 2, 0x31, 0xc0, 0x89, 0xc7, 0xb8, 60, 0, 0, 0, 0x0f, 0x05]);
    code
}

fn elf(code: &[u8], data: &[u32]) -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half = |file: &mut Vec<u8>, n: u16| file.extend(n.to_le_bytes());
    let long = |file: &mut Vec<u8>, n: u64| file.extend(n.to_le_bytes());
    // Executable, x86-64, version 1; entry, program headers; no sections.
    [2, 62, 1, 0].iter().for_each(|n| half(&mut file, *n));
    [u64::from(BASE + HEADERS), 64, 0].iter().for_each(|n| long(&mut file, *n));
    [0, 0, 64, 56, 1, 0, 0, 0].iter().for_each(|n| half(&mut file, *n));
    // One segment, readable and executable: the whole file.
    let size = u64::from(DATA_OFFSET) + 4 * data.len() as u64;
    [1, 0, 5, 0].iter().for_each(|n| half(&mut file, *n));
    [0, u64::from(BASE), u64::from(BASE), size, size, 0x1000].iter().for_each(|n| long(&mut file, *n));
    assert_eq!(file.len(), HEADERS as usize);
    file.extend(code);
    assert!(file.len() <= DATA_OFFSET as usize);
    file.resize(DATA_OFFSET as usize, 0);
    file.extend(data.iter().flat_map(|n| n.to_le_bytes()));
    file
}

/// Whether this machine's kernel takes the ABI: by a call that cannot fail (getpid).
pub fn works(abi: Abi) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("getpid");
    write(&path, abi, if abi == Abi::I386 { 20 } else { 39 }, &[], &[]);
    std::process::Command::new(path).status().is_ok_and(|status| status.success())
}
