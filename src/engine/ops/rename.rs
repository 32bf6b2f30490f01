//! `rename`: another name for a container, in the database and in its monitor.

use super::{Error, ErrorKind, JobContext, Output, Result};
use crate::model::id::check_name;
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
    cx.core.emit_renamed(&entry.container, &former);
    cx.touch_container(&id);
    Ok(Output::Container { id, warnings: Vec::new() })
}
