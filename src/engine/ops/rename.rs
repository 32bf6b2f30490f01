//! `rename`: another name for a container, in the database and in its monitor.

use super::{Error, ErrorKind, JobContext, Output, Result};
use crate::engine::networks;
use crate::model::id::check_name;
use crate::runtime::task;
use crate::store::records;

pub(super) async fn rename(cx: &mut JobContext, target: &str, name: &str) -> Result<Output> {
    check_name(name).map_err(|e| Error::new(ErrorKind::Invalid, e.to_string()))?;
    let mut entry = cx.core.container(target)?;
    let former = entry.container.name.clone();
    if former == name {
        return Err(Error::new(ErrorKind::NotModified, format!("the container is called {name} already")));
    }
    let id = entry.container.id.clone();
    cx.core.db.write(|t| records::rename_container(t, &id, name))?;
    entry.container.name = name.to_owned();
    let mut warnings = Vec::new();
    if entry.state.status.is_live() {
        let names = networks::names_on(&entry.container, &entry.state);
        match cx.core.task(&id).rename(name, names).await {
            // It has just ended: the next start knows the new name.
            Ok(()) | Err(task::Error::Gone(_)) => {}
            Err(e) => warnings.push(format!("its neighbours may still know it as {former}: {}", Error::from(e))),
        }
    }
    cx.core.emit_renamed(&entry.container, &former);
    cx.touch_container(&id);
    Ok(Output::Container { id, warnings })
}
