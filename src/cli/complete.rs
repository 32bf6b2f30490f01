//! Shell completion: scripts that call back into teu, which answers with live names of containers and images.

use crate::config::Overrides;
use crate::engine::Inventory;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

/// Answers one call of a completion script (`COMPLETE=bash teu …`).
pub fn complete(_shell: &OsStr, _args: Vec<OsString>, _open: fn(&Overrides) -> Option<Arc<Inventory>>) -> u8 {
    0
}
