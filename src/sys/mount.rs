//! The kernel's new mount interface (fsopen, fsmount, open_tree, move_mount, mount_setattr): every mount is made
//! detached with its final attributes and then attached by descriptor, so no path can be exchanged in between.

use super::{Error, Result, check};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

pub const RDONLY: u64 = libc::MOUNT_ATTR_RDONLY;
pub const NOSUID: u64 = libc::MOUNT_ATTR_NOSUID;
pub const NODEV: u64 = libc::MOUNT_ATTR_NODEV;
pub const NOEXEC: u64 = libc::MOUNT_ATTR_NOEXEC;
pub const NOATIME: u64 = libc::MOUNT_ATTR_NOATIME;
pub const STRICTATIME: u64 = libc::MOUNT_ATTR_STRICTATIME;
pub const NODIRATIME: u64 = libc::MOUNT_ATTR_NODIRATIME;
pub const NOSYMFOLLOW: u64 = libc::MOUNT_ATTR_NOSYMFOLLOW;
/// The field the three kinds of atime share: clear it before setting one.
pub const ATIME: u64 = libc::MOUNT_ATTR__ATIME;

/// A device node of the host, seen in a container: it can be read and written as ever, but its owner, its mode and its
/// times stay as the host has them.
pub const HOST_NODE: u64 = RDONLY | NOSUID | NOEXEC;

/// Longest string fsconfig(2) takes, without its end.
const MAX_FSCONFIG: usize = 255;

/// How mounts and unmounts travel between copies of a tree (mount_namespaces(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    Private,
    Slave,
    Shared,
    Unbindable,
}

impl Propagation {
    fn bits(self) -> u64 {
        match self {
            Propagation::Private => libc::MS_PRIVATE,
            Propagation::Slave => libc::MS_SLAVE,
            Propagation::Shared => libc::MS_SHARED,
            Propagation::Unbindable => libc::MS_UNBINDABLE,
        }
    }
}

/// What to change on a mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub set: u64,
    pub clear: u64,
    pub propagation: Option<Propagation>,
    /// All mounts below it, too.
    pub recursive: bool,
}

/// mount_setattr(2) on the mount a descriptor stands for.
pub fn change(mount: BorrowedFd<'_>, change: Change) -> Result<()> {
    setattr(mount, c"", libc::AT_EMPTY_PATH, change)
}

/// Changes the propagation of `path` and of every mount below it.
pub fn set_propagation_all(path: impl AsRef<Path>, propagation: Propagation) -> Result<()> {
    let path = path.as_ref();
    let name = c_path(path)?;
    let all = Change { propagation: Some(propagation), recursive: true, ..Change::default() };
    setattr(rustix::fs::CWD, &name, 0, all).map_err(|e| Error::at(e.call, path, e.source))
}

fn setattr(dir: BorrowedFd<'_>, path: &std::ffi::CStr, flags: i32, change: Change) -> Result<()> {
    let attributes = libc::mount_attr {
        attr_set: change.set,
        attr_clr: change.clear,
        propagation: change.propagation.map_or(0, Propagation::bits),
        userns_fd: 0,
    };
    if attributes.attr_set == 0 && attributes.attr_clr == 0 && attributes.propagation == 0 {
        return Ok(());
    }
    set_attributes(dir, path, flags, change.recursive, &attributes)
}

fn set_attributes(
    dir: BorrowedFd<'_>,
    path: &std::ffi::CStr,
    flags: i32,
    recursive: bool,
    attributes: &libc::mount_attr,
) -> Result<()> {
    let flags = flags | if recursive { libc::AT_RECURSIVE } else { 0 };
    let (attributes, size) = (std::ptr::from_ref(attributes), size_of::<libc::mount_attr>());
    // SAFETY: path and attributes outlive the call, size is that of the struct.
    let result =
        unsafe { libc::syscall(libc::SYS_mount_setattr, dir.as_raw_fd(), path.as_ptr(), flags, attributes, size) };
    check("mount_setattr", result as i32)
}

/// A new, detached file system of a type with its options; a key without a value is a flag.
pub fn new_file_system(kind: &str, options: &[(String, Option<String>)], attributes: u64) -> Result<OwnedFd> {
    let context = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).map_err(|e| Error::at("fsopen", kind, e))?;
    configure(&context, kind, options)?;
    rustix::mount::fsconfig_create(&context).map_err(|e| explain("fsconfig create", &context, kind, "", e))?;
    finish(&context, kind, attributes)
}

fn configure(context: &OwnedFd, kind: &str, options: &[(String, Option<String>)]) -> Result<()> {
    for (key, value) in options {
        let set = match value {
            Some(value) => rustix::mount::fsconfig_set_string(context, key.as_str(), value.as_str()),
            None => rustix::mount::fsconfig_set_flag(context, key.as_str()),
        };
        match set {
            // Flags of mount(2), which every file system takes and fsconfig(2) has no word for.
            Err(_) if value.is_none() && ["acl", "iversion", "noacl", "silent"].contains(&key.as_str()) => {}
            other => other.map_err(|e| explain("fsconfig", context, kind, &option_text(key, value.as_deref()), e))?,
        }
    }
    Ok(())
}

/// Options of a file system that is mounted, as fsconfig(2) takes them.
pub fn reconfigure(mount: BorrowedFd<'_>, options: &[(String, Option<String>)]) -> Result<()> {
    use rustix::mount::FsPickFlags;
    let flags = FsPickFlags::FSPICK_EMPTY_PATH | FsPickFlags::FSPICK_CLOEXEC;
    let context = rustix::mount::fspick(mount, "", flags).map_err(|e| Error::new("fspick", e))?;
    configure(&context, "remount", options)?;
    rustix::mount::fsconfig_reconfigure(&context)
        .map_err(|e| explain("fsconfig reconfigure", &context, "remount", "", e))
}

/// Owners of files in the mount are seen as the user namespace behind `users` maps them (Linux 5.12).
pub fn map_ids(mount: BorrowedFd<'_>, users: BorrowedFd<'_>, recursive: bool) -> Result<()> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: users.as_raw_fd() as u64,
    };
    set_attributes(mount, c"", libc::AT_EMPTY_PATH, recursive, &attributes)
}

/// Whether this kernel has [`map_ids`].
pub fn maps_ids() -> bool {
    let none = libc::mount_attr { attr_set: 0, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let asked = set_attributes(rustix::fs::CWD, c"", 0, false, &none);
    asked.err().is_none_or(|e| e.errno() != libc::ENOSYS)
}

fn finish(context: &OwnedFd, kind: &str, attributes: u64) -> Result<OwnedFd> {
    let attributes = MountAttrFlags::from_bits_retain(attributes as u32);
    rustix::mount::fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
        .map_err(|e| explain("fsmount", context, kind, "", e))
}

fn option_text(key: &str, value: Option<&str>) -> String {
    value.map_or_else(|| key.to_owned(), |v| format!("{key}={v}"))
}

/// The kernel writes its own explanation into the context's log.
fn explain(call: &'static str, context: &OwnedFd, kind: &str, option: &str, error: rustix::io::Errno) -> Error {
    let mut text = kind.to_owned();
    if !option.is_empty() {
        text = format!("{text} {option}");
    }
    let mut line = [0; 256];
    while let Ok(length) = rustix::io::read(context, &mut line) {
        if length == 0 {
            break;
        }
        let message = String::from_utf8_lossy(&line[..length]);
        text = format!("{text} ({})", message.trim_start_matches(['e', 'w', 'i']).trim());
    }
    Error::at(call, text, error)
}

/// An overlay's parts: `lower` is topmost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    pub lower: Vec<PathBuf>,
    pub upper: PathBuf,
    pub work: PathBuf,
    /// In a user namespace whiteouts and opaque marks are `user.overlay.*` attributes.
    pub userxattr: bool,
    /// Nobody will want the files after a crash of the machine: the unmount does not wait until all of the disk's pending
    /// writes are done, others' included (`volatile`, Linux 5.10).
    pub volatile: bool,
}

impl Overlay {
    /// The mount options without a value, and whether each is wanted.
    fn flags(&self) -> [(&'static str, bool); 2] {
        [("userxattr", self.userxattr), ("volatile", self.volatile)]
    }

    /// The mark by which the kernel refuses to mount again what was volatile once. Within one boot nothing is lost.
    fn clear_mark(&self) {
        if self.volatile {
            let _ = std::fs::remove_dir_all(self.work.join("work/incompat/volatile"));
        }
    }
}

/// Mounts an overlay at `place` and returns the mount's root. Layers are appended one by one (`lowerdir+`, Linux 6.7):
/// the classic option string ends at one page. An older kernel is not asked for what it does not know: some take the
/// words and refuse them only at the mount itself, at each start anew.
pub fn overlay_at(overlay: &Overlay, place: &Path) -> Result<OwnedFd> {
    overlay.clear_mark();
    if !appends_layers(&rustix::system::uname().release().to_string_lossy()) {
        return overlay_classic(overlay, place);
    }
    match overlay_detached(overlay) {
        Ok(mount) => {
            attach_at(mount.as_fd(), place)?;
            Ok(mount)
        }
        Err(e) if e.errno() == libc::EINVAL => overlay_classic(overlay, place).map_err(|_| e),
        Err(e) => Err(e),
    }
}

/// A release without numbers is taken for a new one.
fn appends_layers(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(u32::MAX));
    (numbers.next(), numbers.next()) >= (Some(6), Some(7))
}

/// The same where nobody sees it, to be attached later; not on kernels that cannot.
pub fn overlay_ahead(overlay: &Overlay) -> Result<OwnedFd> {
    overlay.clear_mark();
    overlay_detached(overlay)
}

fn overlay_detached(overlay: &Overlay) -> Result<OwnedFd> {
    let kind = "overlay";
    let context = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).map_err(|e| Error::at("fsopen", kind, e))?;
    let mut held = Vec::new();
    let lower = overlay.lower.iter().map(|path| ("lowerdir+", path));
    for (key, path) in lower.chain([("upperdir", &overlay.upper), ("workdir", &overlay.work)]) {
        let name = short_name(path, MAX_FSCONFIG, &mut held)?;
        rustix::mount::fsconfig_set_string(&context, key, name.as_path())
            .map_err(|e| explain("fsconfig", &context, kind, &format!("{key}={}", path.display()), e))?;
    }
    for (flag, _) in overlay.flags().iter().filter(|(_, wanted)| *wanted) {
        rustix::mount::fsconfig_set_flag(&context, *flag).map_err(|e| explain("fsconfig", &context, kind, flag, e))?;
    }
    rustix::mount::fsconfig_create(&context)
        .map_err(|e| explain("fsconfig create", &context, kind, &overlay.upper.display().to_string(), e))?;
    finish(&context, kind, 0)
}

/// `path` itself, or a descriptor's name when it is longer than `limit`.
fn short_name(path: &Path, limit: usize, held: &mut Vec<OwnedFd>) -> Result<PathBuf> {
    if path.as_os_str().len() <= limit {
        return Ok(path.to_owned());
    }
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    let fd = rustix::fs::open(path, flags, rustix::fs::Mode::empty()).map_err(|e| Error::at("open", path, e))?;
    let name = PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    held.push(fd);
    Ok(name)
}

/// For kernels before 6.7: mount(2) with directories named by descriptor, which keeps some 200 layers within a page.
fn overlay_classic(overlay: &Overlay, place: &Path) -> Result<OwnedFd> {
    let mut held = Vec::new();
    let mut lower = Vec::new();
    for path in &overlay.lower {
        lower.push(short_name(path, 0, &mut held)?.display().to_string());
    }
    let upper = short_name(&overlay.upper, 0, &mut held)?;
    let work = short_name(&overlay.work, 0, &mut held)?;
    let mut data = format!("lowerdir={},upperdir={},workdir={}", lower.join(":"), upper.display(), work.display());
    for (flag, _) in overlay.flags().iter().filter(|(_, wanted)| *wanted) {
        data.push(',');
        data.push_str(flag);
    }
    let data = CString::new(data).map_err(|e| Error::at("mount", place, e))?;
    rustix::mount::mount("overlay", place, "overlay", rustix::mount::MountFlags::empty(), data.as_c_str())
        .map_err(|e| Error::at("mount", place, e))?;
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    rustix::fs::open(place, flags, rustix::fs::Mode::empty()).map_err(|e| Error::at("open", place, e))
}

/// A detached copy of the mount tree at `path` below `dir` (empty path: `dir` itself).
pub fn clone_tree(dir: BorrowedFd<'_>, path: &Path, recursive: bool) -> Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(dir, path, flags).map_err(|e| Error::at("open_tree", path, e))
}

/// A detached copy of the mount at `path` in another mount namespace. No link is followed. The caller is
/// single-threaded; its working directory is its root afterwards.
pub fn clone_foreign(namespace: BorrowedFd<'_>, path: &str) -> Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags, ResolveFlags};
    let file = "/proc/self/ns/mnt";
    let own = rustix::fs::open(file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let own = own.map_err(|e| Error::at("open", file, e))?;
    super::clone::setns(namespace, super::clone::NEWNS)?;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let found = rustix::fs::openat2(rustix::fs::CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS);
    let tree = match found {
        Ok(fd) => clone_tree(fd.as_fd(), Path::new(""), false),
        Err(e) => Err(Error::at("open", path, e)),
    };
    super::clone::setns(own.as_fd(), super::clone::NEWNS)?;
    tree
}

/// Attaches a detached mount on exactly the file or directory behind `target`.
pub fn attach(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(mount, "", target, "", flags).map_err(|e| Error::new("move_mount", e))
}

/// Attaches a detached mount on a path nobody else can change.
pub fn attach_at(mount: BorrowedFd<'_>, place: &Path) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(mount, "", rustix::fs::CWD, place, flags).map_err(|e| Error::at("move_mount", place, e))
}

/// Takes the mount at a place away; it ends with its last user.
pub fn detach(place: &Path) -> Result<()> {
    rustix::mount::unmount(place, UnmountFlags::DETACH).map_err(|e| Error::at("umount", place, e))
}

/// Makes the mount behind `root` the root of this mount namespace and drops the old one, without a directory for it.
pub fn pivot(root: BorrowedFd<'_>) -> Result<()> {
    rustix::process::fchdir(root).map_err(|e| Error::new("fchdir", e))?;
    rustix::process::pivot_root(".", ".").map_err(|e| Error::new("pivot_root", e))?;
    // Both roots are stacked on "." now, the old one on top.
    rustix::mount::unmount(".", UnmountFlags::DETACH).map_err(|e| Error::at("umount", ".", e))?;
    rustix::process::chdir("/").map_err(|e| Error::at("chdir", "/", e))
}

/// Makes the directory behind `root` the root of this process alone.
pub fn change_root(root: BorrowedFd<'_>) -> Result<()> {
    rustix::process::fchdir(root).map_err(|e| Error::new("fchdir", e))?;
    rustix::process::chroot(".").map_err(|e| Error::at("chroot", ".", e))?;
    rustix::process::chdir("/").map_err(|e| Error::at("chdir", "/", e))
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|e| Error::at("path", path, e))
}

/// Moves the mount behind `root` over the root of this mount namespace, for a root that cannot be pivoted (a RAM disk).
/// What shows the machine (procfs, sysfs) goes first: the old root is still there, below the new one.
pub fn move_to_root(root: BorrowedFd<'_>) -> Result<()> {
    rustix::process::fchdir(root).map_err(|e| Error::new("fchdir", e))?;
    let place = std::env::current_dir().map_err(|e| Error::new("getcwd", e))?;
    for (kind, at) in super::mount_below::mounts()?.into_iter().rev() {
        if matches!(kind.as_str(), "proc" | "sysfs") && !at.starts_with(&place) {
            // One that is locked by a user namespace stays.
            let _ = detach(&at);
        }
    }
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(root, "", rustix::fs::CWD, "/", flags).map_err(|e| Error::at("move_mount", "/", e))?;
    rustix::process::chroot(".").map_err(|e| Error::at("chroot", ".", e))?;
    rustix::process::chdir("/").map_err(|e| Error::at("chdir", "/", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kernels_that_know_it_are_asked_to_append_layers() {
        for (release, knows) in
            [("6.7.0", true), ("6.18.44-fc", true), ("10.0", true), ("6.6.9", false), ("5.15", false)]
        {
            assert_eq!(appends_layers(release), knows, "{release}");
        }
    }
}
