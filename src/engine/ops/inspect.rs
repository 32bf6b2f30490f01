//! `inspect`: docker's JSON of what was named, containers before images before volumes.

use super::{Error, ErrorKind, JobContext, Output, Result, volumes};
use crate::engine::core::Core;
use crate::engine::inspect;
use crate::engine::request::{InspectArgs, InspectKind};
use crate::store::{dirs, records};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn inspect(cx: &mut JobContext, args: InspectArgs) -> Result<Output> {
    if args.names.is_empty() {
        return Err(Error::new(ErrorKind::Invalid, "nothing to inspect was named"));
    }
    let found =
        cx.blocking(move |core| args.names.iter().map(|n| one(core, n, args.kind, args.size)).collect()).await?;
    Ok(Output::Inspected(found))
}

/// Looks for one kind of object by its name; the flag asks for its size too.
type Look = fn(&Arc<Core>, &str, bool) -> Result<Value>;

fn one(core: &Arc<Core>, name: &str, kind: InspectKind, size: bool) -> Result<Value> {
    let tries: &[Look] = match kind {
        InspectKind::Any => &[container, image, network, volume],
        InspectKind::Container => &[container],
        InspectKind::Image => &[image],
        InspectKind::Volume => &[volume],
        InspectKind::Network => &[network],
    };
    let mut last = None;
    for look in tries {
        match look(core, name, size) {
            Err(e) if e.kind() == ErrorKind::NotFound => last = Some(e),
            result => return result,
        }
    }
    match last {
        Some(e) if tries.len() == 1 => Err(e),
        _ => Err(Error::new(ErrorKind::NotFound, format!("no such object: {name}"))
            .hint("`teu ps -a`, `teu images`, `teu network ls` and `teu volume ls` list what there is")),
    }
}

fn container(core: &Arc<Core>, name: &str, size: bool) -> Result<Value> {
    let entry = core.container(name)?;
    let image = core.db.read(|c| records::image(c, &entry.container.image))?;
    let driver = core.snapshotter()?;
    let mut value = inspect::container(&entry.container, &entry.state, &core.root, driver.name());
    if size {
        let written = driver.size(entry.container.id.as_str())?;
        value["SizeRw"] = json!(written);
        value["SizeRootFs"] = json!(written + image.map_or(0, |i| i.size));
    }
    Ok(value)
}

fn image(core: &Arc<Core>, name: &str, _size: bool) -> Result<Value> {
    Ok(inspect::image(&core.image(name)?, &core.root.layers()))
}

fn network(core: &Arc<Core>, name: &str, _size: bool) -> Result<Value> {
    let network = core.network_for_use(name)?;
    Ok(inspect::network(&network, &core.members(&network)?))
}

fn volume(core: &Arc<Core>, name: &str, size: bool) -> Result<Value> {
    let volume = core.volume(name)?;
    let data = volumes::data(core, name);
    let mut value = inspect::volume(&volume, &data);
    if size {
        let users = volumes::users(core, name)?.len();
        value["UsageData"] = json!({"Size": dirs::disk_usage(&data), "RefCount": users});
    }
    Ok(value)
}
