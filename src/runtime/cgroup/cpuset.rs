//! A v1 cpuset is born without processors and memory nodes, and nothing can join it before it has some.

use super::Result;
use super::files::{read, write};
use std::path::Path;

/// Gives a new cpuset all that its parent has.
pub fn fill(dir: &Path) -> Result<()> {
    let parent = dir.parent().unwrap_or(dir);
    ["cpuset.cpus", "cpuset.mems"].iter().try_for_each(|file| inherit(&parent.join(file), &dir.join(file)))
}

fn inherit(from: &Path, to: &Path) -> Result<()> {
    if from != to && read(to)?.trim().is_empty() {
        let value = read(from)?;
        write(to, value.trim())?;
    }
    Ok(())
}
