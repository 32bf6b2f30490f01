//! `prune`: what nobody needs any more, with a preview.

use super::{JobContext, Output, Result, images, networks, remove, volumes};
use crate::engine::core::Core;
use crate::engine::inventory::ContainerEntry;
use crate::engine::request::PruneArgs;
use crate::image::layers::LayerStore;
use crate::model::container::Status;
use crate::model::id::ContainerId;
use crate::model::image::Image;
use crate::store::{dirs, records};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

#[derive(Default)]
struct Found {
    containers: Vec<String>,
    images: Vec<String>,
    volumes: Vec<String>,
    networks: Vec<String>,
    bytes: u64,
}

pub(super) async fn prune(cx: &mut JobContext, args: PruneArgs) -> Result<Output> {
    let mut found = Found::default();
    let going = if args.containers { prune_containers(cx, &args, &mut found).await? } else { BTreeSet::new() };
    cx.check()?;
    let (found, touched) = cx
        .blocking(move |core| {
            let mut found = found;
            if args.images {
                prune_images(core, &args, &going, &mut found)?;
            }
            if args.volumes {
                prune_volumes(core, args.all_volumes, args.dry_run, &mut found)?;
            }
            if args.networks {
                found.networks = networks::prune(core, &going, &args.filter, args.dry_run)?;
            }
            if args.partial_downloads && !args.dry_run {
                found.bytes += LayerStore::open(&core.root)?.clean(SystemTime::now())?;
            }
            Ok((found, !args.dry_run))
        })
        .await?;
    if touched {
        cx.core.refresh_images();
        cx.core.refresh_volumes();
    }
    let Found { containers, images, volumes, networks, bytes } = found;
    Ok(Output::Pruned { containers, images, volumes, networks, bytes })
}

/// Those that do not live. Returns them, so that a preview counts their images as free.
async fn prune_containers(cx: &mut JobContext, args: &PruneArgs, found: &mut Found) -> Result<BTreeSet<ContainerId>> {
    let dry = args.dry_run;
    let meant = |e: &ContainerEntry| {
        matches!(e.state.status, Status::Created | Status::Exited)
            && args.filter.fits(&e.container.config.labels, e.container.created)
    };
    let all = cx.blocking(|core| core.read_containers()).await?;
    let mut going = BTreeSet::new();
    for entry in all.into_iter().filter(meant) {
        let id = entry.container.id.clone();
        let dir = cx.core.root.container(id.as_str());
        let bytes = cx.blocking(move |_| Ok(dirs::disk_usage(&dir))).await?;
        if !dry && let Err(e) = remove::one(&cx.core, entry, false, false).await {
            // Started meanwhile, or being removed by another process: not ours to prune.
            tracing::info!(container = id.short(), error = %e, "not pruned");
            continue;
        }
        found.containers.push(id.as_str().to_owned());
        found.bytes += bytes;
        going.insert(id);
    }
    Ok(going)
}

fn prune_images(core: &Arc<Core>, args: &PruneArgs, going: &BTreeSet<ContainerId>, found: &mut Found) -> Result<()> {
    let free = |image: &Image| -> Result<bool> {
        let users = core.db.read(|c| records::containers_of_image(c, &image.id))?;
        let wanted = args.all_images || image.references.is_empty();
        Ok(wanted && users.iter().all(|u| going.contains(u)))
    };
    let mut kept = BTreeSet::new();
    let mut leaving = Vec::new();
    for image in core.db.read(records::images)? {
        if free(&image)? {
            leaving.push(image);
        } else {
            kept.extend(image.layers.iter().map(|l| l.chain_id.clone()));
        }
    }
    for image in leaving {
        if !args.dry_run && !images::delete_unused(core, &image)? {
            continue;
        }
        // What other images stand on is not freed.
        found.bytes += image.layers.iter().filter(|l| kept.insert(l.chain_id.clone())).map(|l| l.size).sum::<u64>();
        found.images.push(image.id.to_string());
    }
    if args.dry_run { Ok(()) } else { images::collect_garbage(core) }
}

/// Docker prunes anonymous ones only; the named hold what people called by name.
fn prune_volumes(core: &Arc<Core>, named: bool, dry: bool, found: &mut Found) -> Result<()> {
    for volume in volumes::unused(core)?.into_iter().filter(|v| named || v.anonymous) {
        let bytes = dirs::disk_usage(&core.root.volume(&volume.name));
        if !dry {
            volumes::erase(core, &volume.name)?;
        }
        found.bytes += bytes;
        found.volumes.push(volume.name);
    }
    Ok(())
}
