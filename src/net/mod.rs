//! Networks of containers: the plan a monitor carries out, what carries it out, the names, and the files that name hosts
//! and resolvers.
//!
//! All of it is synchronous and for single-threaded callers; only [`rootless`] starts a process.

pub mod attach;
mod attribute;
pub mod bridge;
pub mod cleanup;
pub mod dns;
mod error;
pub mod files;
pub mod host;
pub mod hosts;
mod inside;
pub mod ipam;
pub mod link;
pub mod members;
pub mod moved;
pub mod netns;
pub mod nft;
mod outside;
pub mod plan;
pub mod ports;
mod publish;
pub mod redirect;
pub mod rootless;
pub mod support;
mod sysctl;

pub use error::{Error, Result};
