//! One TCP connection passed on: two sockets, a pipe each way, each way ended on its own.

use crate::sys::poll::{Epoll, Interest, Ready};
use crate::sys::splice::{self, Moved, Pipe};
use std::net::{Shutdown, TcpStream};

/// Moves in one turn and direction; then others get theirs.
const ROUNDS: usize = 16;

pub(super) struct Flow {
    /// The client outside, the server inside.
    sockets: [TcpStream; 2],
    tokens: [u64; 2],
    armed: [Option<Interest>; 2],
    /// From the socket of that number to the other.
    ways: [Way; 2],
    /// The server has not answered yet.
    connecting: bool,
}

struct Way {
    pipe: Pipe,
    /// The source says no more.
    ended: bool,
    /// The destination was told so.
    closed: bool,
}

impl Flow {
    /// `server` is being connected to. `None` closes both: nothing can be forwarded now.
    pub fn new(client: TcpStream, server: TcpStream, tokens: [u64; 2], epoll: &Epoll) -> Option<Flow> {
        client.set_nonblocking(true).ok()?;
        // Nobody listens inside: the client is refused, as far as that still can be.
        let _ = splice::reset_on_close(&client, true);
        for socket in [&client, &server] {
            let _ = splice::keep_alive(socket);
            let _ = socket.set_nodelay(true);
        }
        let way = || Pipe::new().ok().map(|pipe| Way { pipe, ended: false, closed: false });
        let mut flow =
            Flow { sockets: [client, server], tokens, armed: [None; 2], ways: [way()?, way()?], connecting: true };
        flow.arm(epoll).then_some(flow)
    }

    /// Moves what can be moved. False: it is over.
    pub fn ready(&mut self, side: usize, event: Ready, epoll: &Epoll) -> bool {
        if self.connecting {
            if side == 0 {
                // The client has given up before it began.
                return !event.hangup;
            }
            if !matches!(self.sockets[1].take_error(), Ok(None)) {
                return false;
            }
            self.connecting = false;
            let _ = splice::reset_on_close(&self.sockets[0], false);
        }
        for way in 0..2 {
            if !self.pump(way) {
                // Cut off is not ended: both sides learn it.
                for socket in &self.sockets {
                    let _ = splice::reset_on_close(socket, true);
                }
                return false;
            }
        }
        if self.ways.iter().all(|w| w.closed) {
            return false;
        }
        self.arm(epoll)
    }

    /// From socket `from` to the other. False: one of them is broken, and with it the whole.
    fn pump(&mut self, from: usize) -> bool {
        let to = 1 - from;
        let way = &mut self.ways[from];
        for _ in 0..ROUNDS {
            if !way.ended && way.pipe.held() == 0 {
                match way.pipe.take(&self.sockets[from]) {
                    Ok(Moved::End) => way.ended = true,
                    Ok(_) => {}
                    Err(_) => return false,
                }
            }
            match way.pipe.give(&self.sockets[to]) {
                Ok(Moved::Bytes(_)) => {}
                Ok(_) => break,
                Err(_) => return false,
            }
        }
        if way.ended && way.pipe.held() == 0 && !way.closed {
            way.closed = true;
            return self.sockets[to].shutdown(Shutdown::Write).is_ok();
        }
        true
    }

    /// Has epoll watch each socket for what its ways wait for. One that nothing is wanted of is not watched at all: a
    /// hang-up would be reported for ever.
    fn arm(&mut self, epoll: &Epoll) -> bool {
        for side in 0..2 {
            let (out, into) = (&self.ways[side], &self.ways[1 - side]);
            let wanted = if self.connecting {
                Interest { read: false, write: side == 1 }
            } else {
                Interest { read: !out.ended && out.pipe.held() == 0, write: into.pipe.held() > 0 }
            };
            let wanted = (wanted != Interest::NONE || (self.connecting && side == 0)).then_some(wanted);
            let done = match (self.armed[side], wanted) {
                (before, after) if before == after => Ok(()),
                (None, Some(interest)) => epoll.add(&self.sockets[side], self.tokens[side], interest),
                (Some(_), Some(interest)) => epoll.modify(&self.sockets[side], self.tokens[side], interest),
                (_, None) => epoll.remove(&self.sockets[side]),
            };
            if done.is_err() {
                return false;
            }
            self.armed[side] = wanted;
        }
        true
    }
}
