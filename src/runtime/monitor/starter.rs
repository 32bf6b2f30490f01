//! The connection that a monitor is started with: what comes on it before the container runs, and the answer.

use super::ahead::Ahead;
use super::client::Client;
use super::{Monitor, tokens};
use crate::runtime::launch::Launch;
use crate::runtime::protocol::{self, Decoder, Failure, Frame, Hello, Kind, Reply};
use crate::sys::poll::Interest;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

/// Enough for a launch, mostly.
const BUFFER: usize = 64 << 10;

/// Who started this monitor, at the other end of a connection.
pub(super) struct Starter {
    control: UnixStream,
    decoder: Decoder,
    /// Its greeting, when one came before the launch.
    hello: Option<Hello>,
    buffer: Vec<u8>,
}

impl Starter {
    pub fn new(control: UnixStream) -> Self {
        Self { control, decoder: Decoder::default(), hello: None, buffer: vec![0; BUFFER] }
    }

    pub fn launch(&mut self, ahead: &mut Ahead) -> Result<Launch, String> {
        loop {
            let frame = self.frame()?;
            match frame.kind {
                Kind::Hello => self.hello = Some(frame.json().map_err(|e| e.to_string())?),
                Kind::Root => {
                    if let Some(init) = &ahead.init {
                        init.tell_root(&frame.payload).map_err(|e| e.chain.join(": "))?;
                    }
                }
                Kind::Network => {
                    if let Some(init) = &mut ahead.init {
                        init.make_network();
                    }
                }
                Kind::Launch => {
                    if let Some(init) = &ahead.init {
                        init.tell(&frame.payload).map_err(|e| e.chain.join(": "))?;
                    }
                    let launch: Launch = frame.json().map_err(|e| e.to_string())?;
                    if launch.version != protocol::VERSION {
                        let (theirs, ours) = (launch.version, protocol::VERSION);
                        return Err(format!("this teu speaks version {ours} of the monitor's protocol, not {theirs}"));
                    }
                    return Ok(launch);
                }
                other => return Err(format!("unexpected {other:?} frame")),
            }
        }
    }

    fn frame(&mut self) -> Result<Frame, String> {
        loop {
            if let Some(frame) = self.decoder.next().map_err(|e| e.to_string())? {
                return Ok(frame);
            }
            match self.control.read(&mut self.buffer) {
                Ok(0) => return Err("the connection ended before the launch".into()),
                Ok(count) => self.decoder.buffer.extend_from_slice(&self.buffer[..count]),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.to_string()),
            }
        }
    }

    pub fn refuse(mut self, failure: Failure) {
        if let Ok(frame) = protocol::json_frame(Kind::Reply, &Reply::Failed(failure)) {
            let _ = self.control.write_all(&frame);
        }
    }

    /// Tells it that the container runs; from here on it is a client like others.
    pub fn stay(self, monitor: &mut Monitor) {
        if self.control.set_nonblocking(true).is_err() {
            return;
        }
        let mut client = Client::new(0, self.control, self.decoder.buffer);
        client.reply(&Reply::Started { pid: monitor.state.pid });
        if monitor.epoll.add(&client.stream, tokens::client(0), Interest::READ).is_ok() {
            monitor.clients.push(client);
            if let Some(hello) = self.hello {
                monitor.greet(0, hello);
            }
            monitor.read_frames(0);
        }
    }
}
