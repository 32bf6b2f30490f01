//! `diff`: what a container made of its image.

use super::{Error, ErrorKind, JobContext, Output, Result};
use crate::model::container::Container;
use crate::store::records;

pub(super) async fn diff(cx: &mut JobContext, name: String) -> Result<Output> {
    cx.blocking(move |core| {
        let container = core.container(&name)?.container;
        let during = |e: Error| e.during(format!("comparing container {name} with its image"));
        let image = core.db.read(|c| records::image(c, &container.image))?;
        let image = image.ok_or_else(|| {
            during(Error::new(ErrorKind::NotFound, format!("its image {} is not there", container.image_ref)))
        })?;
        let users = container.config.isolation.user_map.as_ref();
        let (id, mounts) = (container.id.as_str(), mount_points(&container));
        let found = core.snapshotter()?.changes(id, &image.layers, &mounts, users);
        found.map(Output::Changes).map_err(|e| during(e.into()))
    })
    .await
}

/// Where something lies over the container's own files while it runs: teu made these paths, if the image has not.
fn mount_points(container: &Container) -> Vec<String> {
    let config = &container.config;
    let own = ["/dev", "/proc", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];
    let mounts = config.mounts.iter().map(|m| m.target.clone()).chain(config.tmpfs.iter().map(|t| t.target.clone()));
    own.into_iter().map(str::to_owned).chain(mounts).collect()
}
