//! The file of the program this process runs, and how it is kept from whoever gets hold of it in a container.

use super::{Error, Result, in_place, process};
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What every process calls the file of its program.
pub const OWN: &str = "/proc/self/exe";

/// The descriptor of the program file this process runs.
pub fn own() -> Result<OwnedFd> {
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
    rustix::fs::open(OWN, flags, rustix::fs::Mode::empty()).map_err(|e| Error::at("open", OWN, e))
}

/// A program's file seen through a read-only mount of its own.
#[derive(Debug)]
pub struct Sealed {
    mount: OwnedFd,
}

impl Sealed {
    /// Of the program (`/proc/self/exe`): run from this mount, nothing that runs in or leaks into a container can open it for
    /// writing (its `/proc/PID/exe` lies on that mount), whoever owns the file. Costs two system calls instead of a copy.
    pub fn new(program: &Path) -> Result<Sealed> {
        let mount = super::mount::clone_tree(rustix::fs::CWD, program, false).or_else(|_| clone_by_name(program))?;
        let seal = super::mount::Change {
            set: super::mount::RDONLY,
            propagation: Some(super::mount::Propagation::Private),
            ..super::mount::Change::default()
        };
        super::mount::change(mount.as_fd(), seal)?;
        Ok(Sealed { mount })
    }

    /// The name to execute it by, as long as this lives.
    pub fn name(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.mount.as_raw_fd()))
    }

    /// The mount. The kernel takes up to a millisecond to give it up when the last descriptor of it is closed.
    pub fn into_mount(self) -> OwnedFd {
        self.mount
    }
}

/// Where the process has left the mount namespace that it was executed in (an ordinary user's always has), that file is on a mount
/// of the other one, of which the kernel gives no copy. Under the same name there is the same file here, mostly.
fn clone_by_name(program: &Path) -> Result<OwnedFd> {
    let open = |path: &Path| {
        let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
        rustix::fs::open(path, flags, rustix::fs::Mode::empty()).map_err(|e| Error::at("open", path, e))
    };
    let name = std::fs::read_link(program).map_err(|e| Error::at("readlink", program, e))?;
    let (wanted, found) = (open(program)?, open(&name)?);
    if process::file_identity(&wanted)? != process::file_identity(&found)? {
        return Err(Error::at("open_tree", name, rustix::io::Errno::STALE));
    }
    super::mount::clone_tree(found.as_fd(), Path::new(""), false)
}

/// Goes on as the same program with the same arguments and surroundings, but from a [`Sealed`] view of it, unless it is so already.
/// To be called while there is one thread, before anything else is done.
pub fn become_read_only() -> Result<()> {
    if is_read_only() {
        return Ok(());
    }
    let sealed = Sealed::new(Path::new(OWN))?;
    if in_place::go_on(Some(&sealed), None).is_ok() {
        return Ok(());
    }
    let name = sealed.name();
    let text = |bytes: &[u8]| CString::new(bytes).map_err(|e| Error::at("execv", &name, e));
    let file = text(name.as_os_str().as_bytes())?;
    let args: Vec<CString> = std::env::args_os().map(|arg| text(arg.as_bytes())).collect::<Result<_>>()?;
    let pointers: Vec<_> = args.iter().map(|arg| arg.as_ptr()).chain([std::ptr::null()]).collect();
    // SAFETY: the name is NUL-terminated, the list null-terminated, and both outlive the call.
    unsafe { libc::execv(file.as_ptr(), pointers.as_ptr()) };
    Err(Error::at("execv", name, std::io::Error::last_os_error()))
}

/// Whether this process runs from such a mount (or lies on a read-only file system anyway).
pub fn is_read_only() -> bool {
    let flags = own().and_then(|fd| rustix::fs::fstatvfs(fd).map_err(|e| Error::new("fstatvfs", e)));
    flags.is_ok_and(|s| s.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}
