//! Frees what containers left behind that died without their monitor's help.

use super::error::Result;

/// What was found and removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Freed {
    /// Rules of published ports.
    pub ports: usize,
}

/// Removes the rules of all containers that are not among `alive` (ids) from the table of `root_tag`. To be called before a dead
/// container's address is given to another one.
pub fn dead(alive: &[&str], root_tag: &str) -> Result<Freed> {
    let _ = (alive, root_tag);
    Err(super::Error::Unsupported("cleaning up is not built yet".into()))
}

/// Removes the whole table of `root_tag`.
pub fn table(root_tag: &str) -> Result<()> {
    let _ = root_tag;
    Err(super::Error::Unsupported("cleaning up is not built yet".into()))
}
