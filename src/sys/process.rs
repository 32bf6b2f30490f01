//! One process and its attributes: pidfds, waiting, signals, ids, descriptors, limits.

use super::{Error, Result, check};
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A process that cannot be mistaken for a later one with the same number. ESRCH: there is none.
pub fn pidfd_open(pid: i32) -> Result<OwnedFd> {
    // SAFETY: no memory is passed.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return Err(Error::new("pidfd_open", std::io::Error::last_os_error()));
    }
    // SAFETY: a fresh descriptor, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Signals exactly the process behind the pidfd, never one that got its number later. Any number, real-time signals too.
pub fn pidfd_signal(pidfd: impl AsFd, signal: i32) -> Result<()> {
    let pidfd = pidfd.as_fd();
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo is allowed and means the same as kill(2).
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, no_info, 0) };
    check("pidfd_send_signal", result as i32)
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Code(i32),
    Signal(i32),
}

/// Reaps the child behind a pidfd; `None` when it still runs and `block` is false.
pub fn wait_pidfd(pidfd: BorrowedFd<'_>, block: bool) -> Result<Option<Ended>> {
    // SAFETY: all-zero bytes are a valid siginfo_t.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | if block { 0 } else { libc::WNOHANG };
    loop {
        // SAFETY: info is valid for writes during the call.
        let result = unsafe { libc::waitid(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t, &raw mut info, flags) };
        match check("waitid", result) {
            Err(e) if e.errno() == libc::EINTR => {}
            Err(e) => return Err(e),
            Ok(()) => break,
        }
    }
    // SAFETY: waitid filled the SIGCHLD fields, or left them zero.
    let pid = unsafe { info.si_pid() };
    if pid == 0 {
        return Ok(None);
    }
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    Ok(Some(if info.si_code == libc::CLD_EXITED { Ended::Code(status) } else { Ended::Signal(status) }))
}

/// Waits for a child by number.
pub fn wait_pid(pid: i32) -> Result<Ended> {
    loop {
        if let Some((_, ended)) = wait_once(pid, 0)? {
            return Ok(ended);
        }
    }
}

/// Reaps any child that has ended, without blocking; `None`: none has, or there is no child.
pub fn reap_any() -> Result<Option<(i32, Ended)>> {
    match wait_once(-1, libc::WNOHANG) {
        Err(e) if e.errno() == libc::ECHILD => Ok(None),
        other => other,
    }
}

fn wait_once(pid: i32, flags: i32) -> Result<Option<(i32, Ended)>> {
    let mut status = 0;
    // SAFETY: status is valid for writes during the call.
    let got = unsafe { libc::waitpid(pid, &raw mut status, flags) };
    match got {
        -1 if std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) => Ok(None),
        -1 => Err(Error::new("waitpid", std::io::Error::last_os_error())),
        0 => Ok(None),
        pid if libc::WIFSIGNALED(status) => Ok(Some((pid, Ended::Signal(libc::WTERMSIG(status))))),
        pid => Ok(Some((pid, Ended::Code(libc::WEXITSTATUS(status))))),
    }
}

/// Ends at once: no destructors, no atexit handlers. What a forked child must use.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(code) }
}

/// When a process began, in clock ticks since boot (field 22 of proc_pid_stat(5)): with the pid it names a process for
/// ever. `None` when it is gone, or a zombie.
pub fn start_time(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, spaces and parentheses too.
    let mut fields = stat.get(stat.rfind(')')? + 2..)?.split(' ');
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Sets real, effective and saved ids; groups first, while that is still allowed.
pub fn set_ids(uid: u32, gid: u32) -> Result<()> {
    // SAFETY: no memory is passed.
    let result = unsafe { libc::setresgid(gid, gid, gid) };
    check("setresgid", result)?;
    // SAFETY: no memory is passed.
    let result = unsafe { libc::setresuid(uid, uid, uid) };
    check("setresuid", result)
}

/// Exactly these supplementary groups.
pub fn set_groups(groups: &[u32]) -> Result<()> {
    // SAFETY: pointer and length describe the slice.
    let result = unsafe { libc::setgroups(groups.len(), groups.as_ptr()) };
    check("setgroups", result)
}

pub fn setsid() -> Result<()> {
    // SAFETY: no memory is passed.
    let result = unsafe { libc::setsid() };
    check("setsid", result)
}

/// File mode creation mask for everything made from here on.
pub fn umask(mask: u32) {
    // SAFETY: no memory is passed; umask cannot fail.
    let _ = unsafe { libc::umask(mask) };
}

pub fn sethostname(name: &str) -> Result<()> {
    // SAFETY: pointer and length describe the string.
    let result = unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) };
    check("sethostname", result)
}

/// Makes `fd` the descriptor number `number`, inherited over exec.
pub fn dup_onto(fd: BorrowedFd<'_>, number: i32) -> Result<()> {
    if fd.as_raw_fd() == number {
        // dup2 would leave CLOEXEC set.
        // SAFETY: no memory is passed.
        let result = unsafe { libc::fcntl(number, libc::F_SETFD, 0) };
        return check("fcntl", result);
    }
    // SAFETY: no memory is passed; replacing 0..=2 closes streams only this module's callers own.
    let result = unsafe { libc::dup2(fd.as_raw_fd(), number) };
    check("dup2", result)
}

/// A copy of `fd` with a number of at least `least`, closed at exec.
pub fn dup_above(fd: BorrowedFd<'_>, least: i32) -> Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(fd, least).map_err(|e| Error::new("fcntl F_DUPFD_CLOEXEC", e))
}

/// Gives a standard stream to a user, so that it may reopen it by name; the null device stays everybody's.
pub fn give_stream(number: i32, uid: u32) {
    // SAFETY: the number is open for the whole call (standard streams were set up before).
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    let shared = rustix::fs::fstat(fd).is_ok_and(|s| s.st_rdev == rustix::fs::makedev(1, 3));
    if !shared {
        let _ = rustix::fs::fchown(fd, Some(rustix::fs::Uid::from_raw(uid)), None);
    }
}

/// Every descriptor from `first` on closes at exec (Linux 5.11).
pub fn cloexec_from(first: u32) -> Result<()> {
    // SAFETY: no memory is passed.
    let result =
        unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_uint) };
    check("close_range", result as i32)
}

/// Closes the numbers `first..=last` now. For forked children, whose copies of another's descriptors nobody uses.
pub fn close_between(first: u32, last: u32) -> Result<()> {
    // SAFETY: the caller owns no OwnedFd in the range that it still uses (forked children before _exit).
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    check("close_range", result as i32)
}

/// A signal sent to this process when its parent dies; 0 switches it off.
pub fn parent_death_signal(signal: i32) -> Result<()> {
    // SAFETY: no memory is passed.
    let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal, 0, 0, 0) };
    check("prctl PR_SET_PDEATHSIG", result)
}

/// Whether others in the same pid namespace may look into this process (its memory, its descriptors, its binary).
/// Inherited by fork, reset by exec. Returns what it was.
pub fn set_dumpable(on: bool) -> Result<bool> {
    // SAFETY: no memory is passed.
    let was = unsafe { libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0) };
    // SAFETY: no memory is passed.
    let result = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, i32::from(on), 0, 0, 0) };
    check("prctl PR_SET_DUMPABLE", result).map(|()| was == 1)
}

/// All signals at their default action and none blocked: what a fresh program expects.
pub fn reset_signals() -> Result<()> {
    // Handlers go at exec by themselves; what matters is what is ignored, and nobody ignores real-time signals.
    for signal in 1..=31 {
        if matches!(signal, libc::SIGKILL | libc::SIGSTOP) {
            continue;
        }
        // SAFETY: SIG_DFL installs no handler. The two numbers libc keeps for itself are refused, which is right.
        let _ = unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: all-zero bytes are a valid, empty sigset_t.
    let set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: set is valid for reads, the old set is not asked for.
    let result = unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()) };
    check("sigprocmask", result)
}

/// Lets the signals that ask for an end have their effect on this process, which as the first of a pid namespace would
/// not hear of them. [`reset_signals`] takes it back.
pub fn end_when_asked() -> Result<()> {
    extern "C" fn end(number: libc::c_int) {
        // SAFETY: allowed in a signal handler, and never returns.
        unsafe { libc::_exit(128 + number) }
    }
    for number in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
        // SAFETY: the handler only ends the process.
        let before = unsafe { libc::signal(number, end as *const () as libc::sighandler_t) };
        check("signal", if before == libc::SIG_ERR { -1 } else { 0 })?;
    }
    Ok(())
}

/// SIGCHLD at its default action. Ignored (which execve keeps), the kernel reaps children itself and tells nobody.
pub fn default_child_signal() {
    // SAFETY: SIG_DFL installs no handler, and the number is a valid one, so that the call cannot fail.
    let _ = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// Blocks every signal; they are then taken one by one with [`next_signal`].
pub fn block_signals() -> Result<()> {
    let set = full_set()?;
    // SAFETY: set is valid for reads, the old set is not asked for.
    let result = unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()) };
    check("sigprocmask", result)
}

/// Waits for any blocked signal and returns its number.
pub fn next_signal() -> Result<i32> {
    let set = full_set()?;
    loop {
        // SAFETY: set is valid for reads; no siginfo is asked for.
        let signal = unsafe { libc::sigwaitinfo(&raw const set, std::ptr::null_mut()) };
        match check("sigwaitinfo", signal) {
            Err(e) if e.errno() == libc::EINTR => {}
            Err(e) => return Err(e),
            Ok(()) => return Ok(signal),
        }
    }
}

fn full_set() -> Result<libc::sigset_t> {
    // SAFETY: all-zero bytes are a valid sigset_t.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: set is valid for writes.
    let result = unsafe { libc::sigfillset(&raw mut set) };
    check("sigfillset", result).map(|()| set)
}

pub fn kill(pid: i32, signal: i32) -> Result<()> {
    // SAFETY: no memory is passed.
    let result = unsafe { libc::kill(pid, signal) };
    check("kill", result)
}

/// Puts a process into its own process group.
pub fn own_process_group() -> Result<()> {
    // SAFETY: no memory is passed.
    let result = unsafe { libc::setpgid(0, 0) };
    check("setpgid", result)
}

/// A program with its arguments and environment in the form execve(2) takes, allocated ahead.
#[derive(Debug)]
pub struct Command {
    file: CString,
    args: Vec<CString>,
    env: Vec<CString>,
}

impl Command {
    pub fn new(file: &Path, args: &[String], env: &[String]) -> Result<Self> {
        let text = |s: &String| CString::new(s.as_bytes()).map_err(|e| Error::at("execve", s, e));
        Ok(Self {
            file: CString::new(file.as_os_str().as_bytes()).map_err(|e| Error::at("execve", file, e))?,
            args: args.iter().map(text).collect::<Result<_>>()?,
            env: env.iter().map(text).collect::<Result<_>>()?,
        })
    }

    /// Becomes the program; returns only when that failed.
    pub fn execute(&self) -> Error {
        let end = std::iter::once(std::ptr::null());
        let args: Vec<_> = self.args.iter().map(|s| s.as_ptr()).chain(end.clone()).collect();
        let env: Vec<_> = self.env.iter().map(|s| s.as_ptr()).chain(end).collect();
        // SAFETY: all three point to NUL-terminated strings or null-terminated lists of them that outlive the call.
        unsafe { libc::execve(self.file.as_ptr(), args.as_ptr(), env.as_ptr()) };
        Error::at("execve", self.file.to_string_lossy().as_ref(), std::io::Error::last_os_error())
    }
}

/// Device and inode: what a file is, whatever its name.
pub fn file_identity(fd: impl AsFd) -> Result<(u64, u64)> {
    rustix::fs::fstat(fd).map(|s| (s.st_dev, s.st_ino)).map_err(|e| Error::new("fstat", e))
}

/// The mount namespace of a process, as a descriptor that keeps it alive.
pub fn mount_namespace(pid: i32) -> Result<OwnedFd> {
    let path = format!("/proc/{pid}/ns/mnt");
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
    rustix::fs::open(&path, flags, rustix::fs::Mode::empty()).map_err(|e| Error::at("open", path, e))
}

/// What `ps` calls this process; at most 15 bytes count.
pub fn set_name(name: &std::ffi::CStr) -> Result<()> {
    rustix::thread::set_name(name).map_err(|e| Error::new("prctl PR_SET_NAME", e))
}
