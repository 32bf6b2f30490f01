//! Whether overlay can be mounted here, found out by mounting it where nobody sees it.

use super::{Error, Result};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::thread::UnshareFlags;
use std::ffi::CString;
use std::path::Path;

/// Mounts `dir/{lower,upper,work}` at `dir/merged` in a mount namespace that ends with this call.
/// With `userxattr`, as an ordinary user's namespace needs it.
pub fn probe(dir: &Path, userxattr: bool) -> Result<()> {
    let dir = dir.to_owned();
    // A thread of its own: namespace and working directory are a thread's once its CLONE_FS is undone.
    let thread =
        std::thread::Builder::new().name(String::from("overlay probe")).spawn(move || attempt(&dir, userxattr));
    let thread = thread.map_err(|e| Error::new("spawn", e))?;
    thread.join().unwrap_or_else(|_| Err(Error::new("overlay probe", rustix::io::Errno::IO)))
}

fn attempt(dir: &Path, userxattr: bool) -> Result<()> {
    // SAFETY: this thread was made for this call and shares its file system state with nobody who relies on it; the
    // flags touch no file descriptors.
    let unshared = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) };
    unshared.map_err(|e| Error::new("unshare", e))?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).map_err(|e| Error::at("mount", "/", e))?;
    // Relative names: a path may hold the option string's own ',' and ':'.
    rustix::process::chdir(dir).map_err(|e| Error::at("chdir", dir, e))?;
    let options = if userxattr {
        "lowerdir=lower,upperdir=upper,workdir=work,userxattr"
    } else {
        "lowerdir=lower,upperdir=upper,workdir=work"
    };
    let options = CString::new(options).map_err(|_| Error::new("mount", rustix::io::Errno::INVAL))?;
    mount("overlay", "merged", "overlay", MountFlags::empty(), options.as_c_str())
        .map_err(|e| Error::at("mount overlay", dir, e))
}
