//! Names for containers: the words of the protocol without any socket. A monitor moves the packets.
//!
//! A query is answered from the members of the networks its container is on ([`answer()`]); any other name is asked of
//! the host's resolvers ([`upstream::Upstream`]). What a container sends may be anything: every answer is made from a
//! question that was understood, everything else is refused or dropped.

mod answer;
mod names;
pub mod upstream;

pub use answer::{Limit, Question, Verdict, answer, refuse};
pub use names::{Found, Reverse, lookup, reverse};

use std::net::Ipv4Addr;

/// Where containers ask.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
pub const PORT: u16 = 53;

#[cfg(test)]
pub(crate) mod tests;
