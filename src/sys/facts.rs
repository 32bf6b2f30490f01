//! Small facts about the running system, as its files tell them.

use super::{Error, Result};
use std::path::Path;

/// A file's text without the final newline; `None` when it is not there or not ours to read.
pub fn text(path: impl AsRef<Path>) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim_end().to_owned())
}

/// The kernel's name for this boot. Read once: it changes only when everything does.
pub fn boot_id() -> Option<&'static str> {
    static ID: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    ID.get_or_init(|| text("/proc/sys/kernel/random/boot_id")).as_deref()
}

/// A file that holds one number.
pub fn number(path: impl AsRef<Path>) -> Option<u64> {
    text(path)?.trim().parse().ok()
}

pub fn exists(path: impl AsRef<Path>) -> bool {
    path.as_ref().exists()
}

/// The program's place in the usual directories.
pub fn program(name: &str) -> Option<std::path::PathBuf> {
    let dirs = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"];
    dirs.iter().map(|dir| Path::new(dir).join(name)).find(|p| p.exists())
}

/// Can the device be opened for reading and writing?
pub fn opens(path: impl AsRef<Path>) -> std::io::Result<()> {
    std::fs::File::options().read(true).write(true).open(path).map(drop)
}

/// `statfs`'s `f_type` of the file system that holds `path`.
pub fn file_system_magic(path: &Path) -> Result<i64> {
    match nix::sys::statfs::statfs(path) {
        Ok(stat) => Ok(stat.filesystem_type().0),
        Err(e) => Err(Error::at("statfs", path, e)),
    }
}

/// The same of an open file.
pub fn magic_of(fd: impl std::os::fd::AsFd) -> Result<i64> {
    match nix::sys::statfs::fstatfs(fd) {
        Ok(stat) => Ok(stat.filesystem_type().0),
        Err(e) => Err(Error::new("fstatfs", e)),
    }
}

/// `6.18.44-fc`, by a system call: no file is read.
pub fn kernel_release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}
