//! Networks of containers: the plan a monitor carries out, what carries it out, and the files that name hosts and resolvers.
//!
//! All of it is synchronous and for single-threaded callers; nothing here starts a process.

pub mod attach;
pub mod bridge;
pub mod cleanup;
mod error;
pub mod files;
pub mod host;
pub mod ipam;
pub mod netns;
pub mod plan;
pub mod ports;

pub use error::{Error, Result};
pub mod dns;
pub mod members;
pub mod rootless;
