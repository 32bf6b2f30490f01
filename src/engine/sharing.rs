//! The containers whose namespaces a new one is to share: they exist, are another, and let themselves be joined.

use super::core::Core;
use super::{Error, ErrorKind, Result};
use crate::model::container::ContainerConfig;
use crate::model::isolation::{Ipc, Sharing};

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
