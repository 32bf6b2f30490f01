//! Finding the command inside the container, and saying in docker's words why it cannot run.

use super::report::{failure, words};
use crate::runtime::protocol::{Failure, FailureKind};
use crate::sys::{self, process, program};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The command's file: as it is when it has a slash, else the first executable one in `PATH`.
pub(in crate::runtime) fn find(command: &str, path: &str) -> Result<PathBuf, Failure> {
    if command.is_empty() {
        return Err(failure(FailureKind::CommandNotFound, "exec: \"\": executable file not found in $PATH"));
    }
    if command.contains('/') {
        return Ok(PathBuf::from(command));
    }
    let mut denied = false;
    for directory in path.split(':') {
        let file = Path::new(if directory.is_empty() { "." } else { directory }).join(command);
        match std::fs::metadata(&file) {
            Ok(m) if m.is_file() && m.permissions().mode() & 0o111 != 0 => return Ok(file),
            Ok(m) => denied |= m.is_file(),
            Err(_) => {}
        }
    }
    Err(if denied {
        failure(FailureKind::CommandNotExecutable, format!("exec: \"{command}\": permission denied"))
    } else {
        failure(FailureKind::CommandNotFound, format!("exec: \"{command}\": executable file not found in $PATH"))
    })
}

/// What can be said of a command's file before it is executed.
pub(in crate::runtime) fn check(command: &str, file: &Path) -> Result<(), Failure> {
    match std::fs::metadata(file) {
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            let message = format!("exec: \"{command}\": stat {command}: no such file or directory");
            Err(failure(FailureKind::CommandNotFound, message))
        }
        Ok(m) if m.is_dir() => {
            Err(failure(FailureKind::CommandNotExecutable, format!("exec: \"{command}\": is a directory")))
        }
        Ok(m) if m.permissions().mode() & 0o111 == 0 => {
            Err(failure(FailureKind::CommandNotExecutable, format!("exec: \"{command}\": permission denied")))
        }
        // What may not be looked at may yet be executed.
        _ => Ok(()),
    }
}

/// The login shell, else the first of bash, ash and sh.
pub(in crate::runtime) fn shell(login: Option<&str>, path: &str) -> Result<String, Failure> {
    let usable = |shell: &&str| {
        let name = Path::new(shell).file_name().and_then(|n| n.to_str()).unwrap_or_default();
        !matches!(name, "nologin" | "false" | "true" | "sync") && Path::new(shell).exists()
    };
    if let Some(shell) = login.filter(|s| s.starts_with('/')).filter(usable) {
        return Ok(shell.to_owned());
    }
    let found = ["bash", "ash", "sh"].iter().find_map(|name| find(name, path).ok());
    found.map(|f| f.to_string_lossy().into_owned()).ok_or_else(|| {
        let mut failure = failure(FailureKind::CommandNotFound, "no shell (bash, ash, sh) in the container");
        failure.hint = Some("name a program the image does have".into());
        failure
    })
}

/// Why execve refused the command.
pub(in crate::runtime) fn refused(command: &str, file: &Path, error: &sys::Error) -> Failure {
    let (kind, reason) = match error.source.raw_os_error() {
        Some(2) if Path::new(file).exists() => (
            FailureKind::CommandNotFound,
            "no such file or directory: its interpreter or loader is not in the container".to_owned(),
        ),
        Some(2 | 20) => (FailureKind::CommandNotFound, "no such file or directory".to_owned()),
        Some(13) if file.is_dir() => (FailureKind::CommandNotExecutable, "is a directory".to_owned()),
        Some(13) => (FailureKind::CommandNotExecutable, "permission denied".to_owned()),
        Some(8) => (FailureKind::CommandNotExecutable, "exec format error".to_owned()),
        _ => (FailureKind::CommandNotExecutable, words(&error.source)),
    };
    let mut failure = failure(kind, format!("exec: \"{command}\": {reason}"));
    if error.source.raw_os_error() == Some(8) {
        failure.hint = Some("the program is for another architecture, or a script without '#!' line".into());
    }
    failure
}

/// Device and inode of this binary, if it must be kept from the container; read before the container's /proc is ours.
pub(in crate::runtime) fn own_binary() -> Option<(u64, u64)> {
    if program::is_read_only() {
        return None;
    }
    program::own().and_then(process::file_identity).ok()
}

/// Refuses a command that is this very binary, directly, as a script's interpreter or as a program's loader. See the
/// module's head.
pub(in crate::runtime) fn refuse_own_binary(file: &Path, own: Option<(u64, u64)>) -> Result<(), Failure> {
    let same = |path: &Path| own.is_some() && std::fs::metadata(path).ok().map(|m| (m.dev(), m.ino())) == own;
    if own.is_some() && (same(file) || interpreters(file).iter().any(|path| same(path))) {
        let message = format!("exec: \"{}\": leads to the program that starts containers", file.display());
        return Err(failure(FailureKind::CommandNotExecutable, message));
    }
    Ok(())
}

/// The `#!` interpreters (scripts may be interpreted by scripts) and the ELF loader of a file.
fn interpreters(file: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut next = Some(file.to_owned());
    // The kernel itself follows no more than four.
    for _ in 0..5 {
        let Some(path) = next.take() else { break };
        let mut head = Vec::new();
        let opened = std::fs::metadata(&path).is_ok_and(|m| m.is_file()).then(|| File::open(&path));
        let Some(Ok(file)) = opened else { break };
        if file.take(4096).read_to_end(&mut head).is_err() {
            break;
        }
        next = script_interpreter(&head).or_else(|| elf_loader(&head));
        found.extend(next.clone());
    }
    found
}

fn script_interpreter(head: &[u8]) -> Option<PathBuf> {
    let line = head.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let text = String::from_utf8_lossy(line);
    text.split_whitespace().next().map(PathBuf::from)
}

/// PT_INTERP of a 64-bit little-endian file whose headers are in the first page, as every linker writes them.
fn elf_loader(head: &[u8]) -> Option<PathBuf> {
    head.strip_prefix(b"\x7fELF\x02\x01")?;
    let word = |at: usize, size: usize| {
        let bytes = head.get(at..at.checked_add(size)?)?;
        Some(bytes.iter().rev().fold(0_u64, |n, b| (n << 8) | u64::from(*b)) as usize)
    };
    let (table, size, count) = (word(0x20, 8)?, word(0x36, 2)?, word(0x38, 2)?);
    for index in 0..count.min(64) {
        let entry = table.checked_add(index.checked_mul(size)?)?;
        if word(entry, 4)? == 3 {
            let (offset, length) = (word(entry.checked_add(8)?, 8)?, word(entry.checked_add(32)?, 8)?);
            let name = head.get(offset..offset.checked_add(length)?)?;
            let name = name.split(|b| *b == 0).next()?;
            return Some(PathBuf::from(String::from_utf8_lossy(name).into_owned()));
        }
    }
    None
}
