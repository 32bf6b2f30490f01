//! Unix sockets: bound and reached through a directory's fd (paths may exceed 108 bytes), who the peer is, descriptors sent along.

use super::{Error, Result};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Name of the socket inside a container's run directory.
const SOCKET: &str = "sock";
/// Its name until it may be seen: bound, with its final mode.
const FRESH: &str = "sock.new";

/// The process at the other end, as the kernel saw it when the connection was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub pid: i32,
    pub uid: u32,
    pub gid: u32,
}

/// Listens on `<dir>/sock`, mode 0600; a stale socket of that name is replaced. Non-blocking.
pub fn listen_in(dir: &Path) -> Result<UnixListener> {
    let fd = open_dir(dir)?;
    let _ = rustix::fs::unlinkat(&fd, FRESH, AtFlags::empty());
    let listener = UnixListener::bind(through(&fd, FRESH)).map_err(|e| Error::at("bind", dir.join(FRESH), e))?;
    rustix::fs::chmodat(&fd, FRESH, Mode::RUSR | Mode::WUSR, AtFlags::empty())
        .map_err(|e| Error::at("chmod", dir.join(FRESH), e))?;
    rustix::fs::renameat(&fd, FRESH, &fd, SOCKET).map_err(|e| Error::at("rename", dir.join(SOCKET), e))?;
    listener.set_nonblocking(true).map_err(|e| Error::at("fcntl", dir.join(SOCKET), e))?;
    Ok(listener)
}

/// Connects to `<dir>/sock`. ENOENT and ECONNREFUSED mean that nobody listens.
pub fn connect_in(dir: &Path) -> Result<UnixStream> {
    let fd = open_dir(dir)?;
    UnixStream::connect(through(&fd, SOCKET)).map_err(|e| Error::at("connect", dir.join(SOCKET), e))
}

/// Listens on `<dir>/<name>`, mode 0600, for connections that keep message borders. Blocking, closed at exec.
pub fn listen_packets(dir: &Path, name: &str) -> Result<OwnedFd> {
    let place = open_dir(dir)?;
    let error = |call, e| Error::at(call, dir.join(name), e);
    let socket = packet_socket()?;
    let address = rustix::net::SocketAddrUnix::new(through(&place, name)).map_err(|e| error("bind", e))?;
    rustix::net::bind(&socket, &address).map_err(|e| error("bind", e))?;
    rustix::fs::chmodat(&place, name, Mode::RUSR | Mode::WUSR, AtFlags::empty()).map_err(|e| error("chmod", e))?;
    rustix::net::listen(&socket, 8).map_err(|e| error("listen", e))?;
    Ok(socket)
}

/// The other end of [`listen_packets`]. ECONNREFUSED: nobody listens any more.
pub fn connect_packets(dir: &Path, name: &str) -> Result<OwnedFd> {
    let place = open_dir(dir)?;
    let error = |e| Error::at("connect", dir.join(name), e);
    let socket = packet_socket()?;
    let address = rustix::net::SocketAddrUnix::new(through(&place, name)).map_err(error)?;
    rustix::net::connect(&socket, &address).map_err(error)?;
    Ok(socket)
}

fn packet_socket() -> Result<OwnedFd> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(|e| Error::new("socket", e))
}

/// The next connection to a listening socket, closed at exec.
pub fn accept(listener: &OwnedFd) -> Result<OwnedFd> {
    loop {
        match rustix::net::accept_with(listener, rustix::net::SocketFlags::CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            other => return other.map_err(|e| Error::new("accept", e)),
        }
    }
}

fn open_dir(dir: &Path) -> Result<OwnedFd> {
    rustix::fs::openat(CWD, dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| Error::at("open", dir, e))
}

fn through(dir: &OwnedFd, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", dir.as_raw_fd()))
}

/// SO_PEERCRED.
pub fn peer(socket: impl AsFd) -> Result<Peer> {
    let cred = rustix::net::sockopt::socket_peercred(socket).map_err(|e| Error::new("getsockopt", e))?;
    Ok(Peer { pid: cred.pid.as_raw_nonzero().get(), uid: cred.uid.as_raw(), gid: cred.gid.as_raw() })
}

/// The effective user id of this process, as [`peer`] sees it.
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Sends `bytes` (at least one) with a descriptor.
pub fn send_fd(socket: impl AsFd, bytes: &[u8], fd: BorrowedFd<'_>) -> Result<usize> {
    let fds = [fd];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&fds));
    rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)
        .map_err(|e| Error::new("sendmsg", e))
}

/// Receives bytes and at most one descriptor (close-on-exec). 0 bytes: the other end has closed.
pub fn recv_fd(socket: impl AsFd, bytes: &mut [u8]) -> Result<(usize, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = rustix::net::recvmsg(socket, &mut [IoSliceMut::new(bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)
        .map_err(|e| Error::new("recvmsg", e))?;
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
    use std::io::{Read, Write};

    #[test]
    fn a_socket_in_a_directory_with_a_very_long_path() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path().join("d".repeat(100)).join("e".repeat(100));
        std::fs::create_dir_all(&dir).unwrap();
        assert_eq!(connect_in(&dir).unwrap_err().errno(), libc::ENOENT);
        let first = listen_in(&dir).unwrap();
        drop(first);
        assert_eq!(connect_in(&dir).unwrap_err().errno(), libc::ECONNREFUSED);
        let listener = listen_in(&dir).unwrap();
        let mut client = connect_in(&dir).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        assert_eq!(peer(&server).unwrap().pid, std::process::id() as i32);
        client.write_all(b"hi").unwrap();
        let mut two = [0; 2];
        server.read_exact(&mut two).unwrap();
        assert_eq!(&two, b"hi");
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(dir.join("sock")).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_descriptor_travels() {
        let (a, b) = UnixStream::pair().unwrap();
        let (mut left, right) = UnixStream::pair().unwrap();
        send_fd(&a, b"x", right.as_fd()).unwrap();
        let mut byte = [0; 8];
        let (n, fd) = recv_fd(&b, &mut byte).unwrap();
        assert_eq!((n, byte[0]), (1, b'x'));
        let mut got = UnixStream::from(fd.unwrap());
        left.write_all(b"ok").unwrap();
        got.read_exact(&mut byte[..2]).unwrap();
        assert_eq!(&byte[..2], b"ok");
    }
}
