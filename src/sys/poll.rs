//! What a single-threaded loop waits on: epoll, signals as a descriptor, processes by pidfd; plus its daemon set-up.

use super::{Error, Result};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::epoll;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// What a descriptor is watched for. An error or hang-up is always reported, as readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    pub read: bool,
    pub write: bool,
}

impl Interest {
    pub const NONE: Interest = Interest { read: false, write: false };
    pub const READ: Interest = Interest { read: true, write: false };

    fn flags(self) -> epoll::EventFlags {
        let mut flags = epoll::EventFlags::empty();
        flags.set(epoll::EventFlags::IN, self.read);
        flags.set(epoll::EventFlags::OUT, self.write);
        flags
    }
}

/// One report: the token given with the descriptor, and what it is ready for.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    pub token: u64,
    pub read: bool,
    pub write: bool,
    /// The other side is gone (EPOLLHUP or EPOLLERR); data may still be there to read.
    pub hangup: bool,
}

/// Level-triggered epoll.
#[derive(Debug)]
pub struct Epoll {
    fd: OwnedFd,
}

impl Epoll {
    pub fn new() -> Result<Self> {
        let fd = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|e| Error::new("epoll_create1", e))?;
        Ok(Self { fd })
    }

    pub fn add(&self, source: impl AsFd, token: u64, interest: Interest) -> Result<()> {
        epoll::add(&self.fd, source, epoll::EventData::new_u64(token), interest.flags())
            .map_err(|e| Error::new("epoll_ctl", e))
    }

    pub fn modify(&self, source: impl AsFd, token: u64, interest: Interest) -> Result<()> {
        epoll::modify(&self.fd, source, epoll::EventData::new_u64(token), interest.flags())
            .map_err(|e| Error::new("epoll_ctl", e))
    }

    pub fn remove(&self, source: impl AsFd) -> Result<()> {
        epoll::delete(&self.fd, source).map_err(|e| Error::new("epoll_ctl", e))
    }

    /// Fills `ready` (its old content is dropped); `None` waits for ever. An interruption counts as nothing ready.
    pub fn wait(&self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> Result<()> {
        ready.clear();
        let limit = timeout.map(|t| rustix::event::Timespec {
            tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(t.subsec_nanos()),
        });
        let mut events = [epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }; 32];
        let count = match epoll::wait(&self.fd, &mut events, limit.as_ref()) {
            Ok(count) => count,
            Err(rustix::io::Errno::INTR) => 0,
            Err(e) => return Err(Error::new("epoll_wait", e)),
        };
        ready.extend(events.iter().take(count).map(|event| {
            let flags = event.flags;
            let hangup = flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR);
            Ready {
                token: event.data.u64(),
                read: flags.contains(epoll::EventFlags::IN) || hangup,
                write: flags.contains(epoll::EventFlags::OUT),
                hangup,
            }
        }));
        Ok(())
    }
}

/// Signals taken from a descriptor instead of handlers. They stay blocked in this process (and in what it forks).
#[derive(Debug)]
pub struct Signals {
    fd: SignalFd,
}

impl Signals {
    /// CHLD, TERM, INT, HUP, QUIT and PIPE; numbers come from [`Signals::next`].
    pub fn take() -> Result<Self> {
        let mut set = SigSet::empty();
        for signal in
            [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGPIPE]
        {
            set.add(signal);
        }
        set.thread_block().map_err(|e| Error::new("sigprocmask", e))?;
        // Whoever started us may have ignored it, which is inherited: the kernel would reap our children and tell nobody.
        // SAFETY: SIG_DFL installs no handler.
        let done = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
        if done == libc::SIG_ERR {
            return Err(Error::new("signal", std::io::Error::last_os_error()));
        }
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .map_err(|e| Error::new("signalfd", e))?;
        Ok(Self { fd })
    }

    /// Signals by number; CHLD gets its default action back.
    pub fn of(numbers: &[i32]) -> Result<Self> {
        let mut set = SigSet::empty();
        for number in numbers {
            set.add(Signal::try_from(*number).map_err(|e| Error::new("sigaddset", e))?);
        }
        set.thread_block().map_err(|e| Error::new("sigprocmask", e))?;
        super::process::default_child_signal();
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK);
        Ok(Self { fd: fd.map_err(|e| Error::new("signalfd", e))? })
    }

    /// The next pending signal's number, or `None`.
    pub fn next(&self) -> Option<i32> {
        let info = self.fd.read_signal().ok()??;
        i32::try_from(info.ssi_signo).ok()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A number in the kernel that others add to (eventfd(2)); readable while it is not zero.
#[derive(Debug)]
pub struct Counter {
    fd: OwnedFd,
}

impl Counter {
    pub fn new() -> Result<Self> {
        use rustix::event::EventfdFlags;
        let fd = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        Ok(Self { fd: fd.map_err(|e| Error::new("eventfd", e))? })
    }

    /// What was added since this was last asked.
    pub fn take(&self) -> u64 {
        let mut number = [0; 8];
        if rustix::io::read(&self.fd, &mut number) == Ok(8) { u64::from_ne_bytes(number) } else { 0 }
    }
}

impl AsFd for Counter {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// True when the process behind the pidfd has not ended.
pub fn is_alive(pidfd: impl AsFd) -> bool {
    let mut fds = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(rustix::event::poll(&mut fds, Some(&now)), Ok(0))
}

/// Waits until the process behind the pidfd has ended, or the time is over: true when it has.
pub fn wait_end(pidfd: impl AsFd, limit: Duration) -> bool {
    let deadline = std::time::Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        let timeout = rustix::event::Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        let mut fds = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
        match rustix::event::poll(&mut fds, Some(&timeout)) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// A file that is nowhere but in memory, closed at exec.
pub fn memory_file(name: &std::ffi::CStr) -> Result<OwnedFd> {
    rustix::fs::memfd_create(name, rustix::fs::MemfdFlags::CLOEXEC).map_err(|e| Error::new("memfd_create", e))
}

/// A session of its own, `/` as working directory, files for its own user only, orphans of its descendants as children
/// of its own.
pub fn become_daemon() -> Result<()> {
    super::process::umask(0o077);
    rustix::process::setsid().map_err(|e| Error::new("setsid", e))?;
    rustix::process::chdir("/").map_err(|e| Error::at("chdir", "/", e))?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(|e| Error::new("prctl", e))
}

/// Takes over the descriptors `from` (moved to 3 and what follows), puts /dev/null on 0, 1 and 2, closes every other one.
pub fn keep_only<const COUNT: usize>(from: [RawFd; COUNT]) -> Result<[OwnedFd; COUNT]> {
    let end = 3 + COUNT as RawFd;
    let kept = |(number, fd): (RawFd, RawFd)| {
        // SAFETY: the descriptor is duplicated, never closed through this handle; a bad number only makes the call fail.
        let source = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
        // Out of the way of the numbers that all get; closed below, with all else.
        let copy = rustix::io::fcntl_dupfd_cloexec(source, end).map_err(|e| Error::new("fcntl", e))?.into_raw_fd();
        Ok((number, copy))
    };
    let copies = (3..).zip(from).map(kept).collect::<Result<Vec<_>>>()?;
    for (number, copy) in copies {
        // SAFETY: nothing in this process owns that number yet; whatever was inherited there is closed by the call.
        let done = unsafe { libc::dup3(copy, number, libc::O_CLOEXEC) };
        if done < 0 {
            return Err(Error::new("dup3", std::io::Error::last_os_error()));
        }
    }
    let null = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDWR, rustix::fs::Mode::empty())
        .map_err(|e| Error::at("open", "/dev/null", e))?;
    rustix::stdio::dup2_stdin(&null).map_err(|e| Error::new("dup2", e))?;
    rustix::stdio::dup2_stdout(&null).map_err(|e| Error::new("dup2", e))?;
    rustix::stdio::dup2_stderr(&null).map_err(|e| Error::new("dup2", e))?;
    drop(null);
    // SAFETY: only descriptors above the kept ones are closed, and none of them has an owner in this process.
    let done = unsafe { libc::close_range(end as libc::c_uint, libc::c_uint::MAX, 0) };
    if done != 0 {
        return Err(Error::new("close_range", std::io::Error::last_os_error()));
    }
    // SAFETY: each was just made by dup3 and has no other owner.
    Ok(std::array::from_fn(|number| unsafe { std::os::fd::FromRawFd::from_raw_fd(3 + number as RawFd) }))
}

/// Gives freed heap pages back to the system (after a large message was parsed).
pub fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes a number and touches only the allocator's own free memory.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Non-blocking reads and writes on `fd`.
pub fn set_nonblocking(fd: impl AsFd) -> Result<()> {
    rustix::io::ioctl_fionbio(fd, true).map_err(|e| Error::new("ioctl", e))
}

/// Reads and writes wait again: what a receiver of the descriptor expects who asked for nothing else.
pub fn set_blocking(fd: impl AsFd) -> Result<()> {
    rustix::io::ioctl_fionbio(fd, false).map_err(|e| Error::new("ioctl FIONBIO", e))
}

/// Reads once; `None`: nothing there now. EIO (a terminal whose other side is closed) is the end, as 0.
pub fn read_some(fd: impl AsFd, buffer: &mut [u8]) -> Result<Option<usize>> {
    match rustix::io::read(fd, buffer) {
        Ok(count) => Ok(Some(count)),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(None),
        Err(rustix::io::Errno::IO) => Ok(Some(0)),
        Err(e) => Err(Error::new("read", e)),
    }
}

/// Writes once; 0: no room now.
pub fn write_some(fd: impl AsFd, bytes: &[u8]) -> Result<usize> {
    match rustix::io::write(fd, bytes) {
        Ok(count) => Ok(count),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(0),
        Err(e) => Err(Error::new("write", e)),
    }
}

/// flock: takes the lock (exclusive, or shared) without waiting; false when somebody else holds it.
pub fn try_lock(file: impl AsFd, exclusive: bool) -> Result<bool> {
    use rustix::fs::FlockOperation::{NonBlockingLockExclusive, NonBlockingLockShared};
    match rustix::fs::flock(file, if exclusive { NonBlockingLockExclusive } else { NonBlockingLockShared }) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(e) => Err(Error::new("flock", e)),
    }
}

/// flock, waiting for it. Released when the file is closed.
pub fn lock(file: impl AsFd, exclusive: bool) -> Result<()> {
    use rustix::fs::FlockOperation::{LockExclusive, LockShared};
    rustix::io::retry_on_intr(|| rustix::fs::flock(&file, if exclusive { LockExclusive } else { LockShared }))
        .map_err(|e| Error::new("flock", e))
}

/// A terminal's window size, which its foreground processes learn of by SIGWINCH.
pub fn set_window(terminal: impl AsFd, columns: u16, rows: u16) -> Result<()> {
    let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(terminal, size).map_err(|e| Error::new("ioctl", e))
}

/// The terminal's end-of-file character (usually ^D).
pub fn end_of_file_byte(terminal: impl AsFd) -> u8 {
    rustix::termios::tcgetattr(terminal).map(|t| t.special_codes[rustix::termios::SpecialCodeIndex::VEOF]).unwrap_or(4)
}
