//! Pseudo-terminals: opened from one particular devpts, resized, made the controlling terminal, handed to another process.

use super::{Error, Result, check};
use rustix::fs::{FileType, Mode, OFlags};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// statfs(2) type of devpts.
const DEVPTS_MAGIC: i64 = 0x1cd1;

#[derive(Debug)]
pub struct Pair {
    pub master: OwnedFd,
    pub slave: OwnedFd,
}

/// Opens a new terminal of the devpts whose root directory is `devpts`. The directory may be in hostile hands: what is
/// opened is checked to be a devpts' ptmx, and the slave comes from the master itself, without a name (CVE-2025-52565).
pub fn open_in(devpts: BorrowedFd<'_>) -> Result<Pair> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let master = rustix::fs::openat(devpts, "ptmx", flags, Mode::empty()).map_err(|e| Error::at("open", "ptmx", e))?;
    let stat = rustix::fs::fstat(&master).map_err(|e| Error::at("fstat", "ptmx", e))?;
    let magic = rustix::fs::fstatfs(&master).map_err(|e| Error::at("fstatfs", "ptmx", e))?.f_type;
    let device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
    if !device || stat.st_rdev != rustix::fs::makedev(5, 2) || magic as i64 != DEVPTS_MAGIC {
        return Err(Error::at("open", "ptmx", std::io::Error::other("not the terminal multiplexer of a devpts")));
    }
    let unlock: libc::c_int = 0;
    // SAFETY: TIOCSPTLCK reads one int.
    let result = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlock) };
    check("ioctl TIOCSPTLCK", result)?;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: TIOCGPTPEER takes open flags by value.
    let slave = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) };
    check("ioctl TIOCGPTPEER", slave)?;
    // SAFETY: a fresh descriptor, owned by nobody else.
    let slave = unsafe { OwnedFd::from_raw_fd(slave) };
    Ok(Pair { master, slave })
}

/// Tells the terminal its size; its foreground process group gets SIGWINCH.
pub fn resize(terminal: BorrowedFd<'_>, columns: u16, rows: u16) -> Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads one winsize.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    check("ioctl TIOCSWINSZ", result)
}

/// Line ends go through as they are written: whoever shows the terminal on one of his own has that do the rest.
pub fn keep_line_ends(terminal: BorrowedFd<'_>) -> Result<()> {
    use rustix::termios::{OptionalActions, OutputModes, tcgetattr, tcsetattr};
    let mut modes = tcgetattr(terminal).map_err(|e| Error::new("tcgetattr", e))?;
    modes.output_modes.remove(OutputModes::ONLCR);
    tcsetattr(terminal, OptionalActions::Now, &modes).map_err(|e| Error::new("tcsetattr", e))
}

/// Makes the terminal the controlling one of this session (whose leader the caller is).
pub fn control(terminal: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: the argument is a plain number.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0) };
    check("ioctl TIOCSCTTY", result)
}

/// Puts the caller's process group into the terminal's foreground.
pub fn foreground(terminal: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: getpgrp has no preconditions.
    let group = unsafe { libc::getpgrp() };
    // SAFETY: no memory is passed.
    let result = unsafe { libc::tcsetpgrp(terminal.as_raw_fd(), group) };
    check("tcsetpgrp", result)
}

/// Two connected sockets that keep message borders and carry descriptors, closed at exec.
pub fn socket_pair() -> Result<(OwnedFd, OwnedFd)> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(|e| Error::new("socketpair", e))
}

/// Sends a message, with a descriptor if there is one.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], fd: Option<BorrowedFd<'_>>) -> Result<()> {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = fd.map(|fd| [fd]);
    if let Some(fds) = &fds {
        control.push(SendAncillaryMessage::ScmRights(fds));
    }
    sendmsg(socket, &[std::io::IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)
        .map(drop)
        .map_err(|e| Error::new("sendmsg", e))
}

/// Receives a message into `bytes`: its length (0: the other end is closed) and its descriptor.
pub fn receive(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> Result<(usize, Option<OwnedFd>)> {
    receive_with(socket, bytes, rustix::net::RecvFlags::empty()).map_err(|e| Error::new("recvmsg", e))
}

/// The same without waiting; `None`: nothing is there.
pub fn receive_now(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> Result<Option<(usize, Option<OwnedFd>)>> {
    match receive_with(socket, bytes, rustix::net::RecvFlags::DONTWAIT) {
        Err(rustix::io::Errno::AGAIN) => Ok(None),
        got => got.map(Some).map_err(|e| Error::new("recvmsg", e)),
    }
}

fn receive_with(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
    flags: rustix::net::RecvFlags,
) -> rustix::io::Result<(usize, Option<OwnedFd>)> {
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [std::io::IoSliceMut::new(bytes)];
    let got = loop {
        match recvmsg(socket.as_fd(), &mut slices, &mut control, flags | RecvFlags::CMSG_CLOEXEC) {
            // The other end closed with something unread. Told once, before what it had sent: that comes next, or the end.
            Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNRESET) => {}
            other => break other?,
        }
    };
    let mut fd = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut fds) = message {
            fd = fds.next();
        }
    }
    Ok((got.bytes, fd))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_before_the_end_is_received_whatever_was_left_unread() {
        let (ours, theirs) = socket_pair().unwrap();
        send(ours.as_fd(), b"never read", None).unwrap();
        send(theirs.as_fd(), b"why", None).unwrap();
        drop(theirs);
        let mut bytes = [0; 8];
        assert_eq!(receive(ours.as_fd(), &mut bytes).unwrap().0, 3);
        assert_eq!(receive(ours.as_fd(), &mut bytes).unwrap().0, 0);
    }
}
