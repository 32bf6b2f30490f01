//! The part of an end for which nobody should wait.

use crate::net::error::Error;
use crate::net::link::Links;
use crate::net::nft::Firewall;

/// What is left to do, and to drop, when all have been told of the end.
#[derive(Debug, Default)]
pub struct Remains {
    /// No longer needed. Closing one to the firewall waits until the kernel is done with what anybody has removed from its
    /// tables, which takes it some 10 ms.
    sockets: Vec<Firewall>,
    /// The host's ends of the container's pairs.
    pub(super) pairs: Vec<String>,
    /// Where they are.
    pub(super) outside: Option<Links>,
}

impl Remains {
    pub(super) fn keep_socket(&mut self, socket: Option<Firewall>) {
        self.sockets.extend(socket);
    }

    /// Takes the pairs off their bridges: who else holds the container's namespace keeps its ends of them, and reaches nobody
    /// by them any more. To be done before the container can be started again, whose pairs have the same names.
    pub fn part(&mut self) -> Vec<Error> {
        let Some(mut outside) = self.outside.take() else { return Vec::new() };
        self.pairs.drain(..).filter_map(|pair| outside.take_off_bridge(&pair).err()).collect()
    }
}
