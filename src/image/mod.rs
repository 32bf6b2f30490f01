//! Registry to root file system: fetch, verify, unpack, stack. Knows no jobs and no containers' lives.

pub mod decode;
mod error;
pub mod from_host;
pub mod inherit;
pub mod layers;
pub mod limits;
pub mod manifest;
pub mod platform;
pub mod pull;
pub mod registry;
pub mod snapshot;
pub mod unpack;

pub(crate) use error::registry_line;
pub use error::{Error, Result};
