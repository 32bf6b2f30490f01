//! Tidies what a killed teu left half done. Every step may be run again, by any process, at any time.

use super::core::Core;
use super::{Result, networks, ops};
use crate::image::layers::LayerStore;
use crate::model::id::ContainerId;
use crate::runtime::cgroup;
use crate::store::dirs;
use crate::store::records::{self, ContainerRow};
use crate::sys::userns;
use std::time::SystemTime;

/// A container whose creation or removal was cut short by its owner's death: nobody has seen it, or nobody wants it.
pub(crate) fn finish(core: &Core, row: &ContainerRow) {
    if let Err(e) = ops::remove::erase(core, &row.container) {
        tracing::warn!(container = row.container.id.short(), error = %e, "tidying a half-made container");
    }
}

/// The same without keeping a screen waiting: what was being removed may be large.
pub(crate) fn finish_soon(core: &Core, row: ContainerRow) {
    match core.this.upgrade().filter(|core| core.options.background) {
        Some(core) => drop(core.runtime.clone().spawn_blocking(move || finish(&core, &row))),
        None => finish(core, &row),
    }
}

/// Everything that belongs to nobody: half-made containers, directories without a row, unfinished volumes, groups.
pub(crate) fn sweep(core: &Core) -> Result<()> {
    // Directories first, rows second: a row is written before its directory and deleted after it, so a directory that
    // has no row now is nobody's.
    let found = dirs::container_dirs(&core.root)?;
    let rows = core.db.read(records::containers)?;
    for row in rows.iter().filter(|row| row.busy.is_some_and(|b| !b.owner().is_alive())) {
        finish(core, row);
    }
    // The bare ids: a row that cannot be read still owns its directory.
    let known = core.db.read(records::container_ids)?;
    for name in found {
        let id = name.strip_suffix(".removed").unwrap_or(&name);
        if !known.contains(&name) && ContainerId::try_from(id.to_owned()).is_ok() {
            ops::remove::erase_dirs(core, &name)?;
        }
    }
    let volumes = dirs::volume_dirs(&core.root)?;
    let known = core.db.read(records::volumes)?;
    for name in volumes.into_iter().filter(|name| !known.iter().any(|v| v.name == *name)) {
        dirs::remove_empty_volume(&core.root, &name)?;
    }
    if let Err(e) = cgroup::sweep(userns::identity()) {
        tracing::warn!(error = %e, "removing control groups that belong to nobody");
    }
    networks::tidy(core);
    LayerStore::open(&core.root)?.clean(SystemTime::now())?;
    Ok(())
}
