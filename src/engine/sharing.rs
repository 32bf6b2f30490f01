//! The containers whose namespaces or mounts a new one is to share: they exist, and let themselves be joined.

use super::core::Core;
use super::request::CreateArgs;
use super::{Error, ErrorKind, Result};
use crate::model::container::ContainerConfig;
use crate::model::isolation::{Ipc, Sharing};
use crate::model::mount::MountSource;

/// Puts ids in the place of names.
pub(crate) fn choose(core: &Core, config: &mut ContainerConfig) -> Result<()> {
    let isolation = &mut config.isolation;
    for sharing in [&mut isolation.pid, &mut isolation.uts] {
        if let Sharing::Container(name) = sharing {
            *name = core.container(name)?.container.id.to_string();
        }
    }
    if let Ipc::Container(name) = &mut isolation.ipc {
        let other = core.container(name)?.container;
        match &other.config.isolation.ipc {
            Ipc::Shareable | Ipc::Host | Ipc::Container(_) => *name = other.id.to_string(),
            own @ (Ipc::Private | Ipc::None) => {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!("cannot join the IPC of container {}", other.name),
                )
                .because(format!("it was created with --ipc {}", own.word()))
                .hint("create that one with --ipc shareable"));
            }
        }
    }
    Ok(())
}

/// `--volumes-from`: binds and volumes of others, where the new one mounts nothing of its own.
pub(crate) fn mounts_of_others(core: &Core, args: &mut CreateArgs) -> Result<()> {
    for wanted in &args.volumes_from {
        let other = core.container(&wanted.container).map_err(|e| e.during("--volumes-from"))?.container;
        for mut mount in other.config.mounts {
            // It goes with the container it was made for; here it is one among others.
            if let MountSource::Anonymous { name } = mount.source {
                mount.source = MountSource::Volume { name };
            }
            mount.read_only |= wanted.read_only;
            let config = &args.config;
            let taken = config.mounts.iter().any(|m| m.target == mount.target)
                || config.tmpfs.iter().any(|t| t.target == mount.target);
            if !taken {
                args.config.mounts.push(mount);
            }
        }
        let mode = if wanted.read_only { ":ro" } else { "" };
        args.config.volumes_from.push(format!("{}{mode}", other.id));
    }
    Ok(())
}
