//! `rmi`: names go one by one; with the last one goes the image, unless a container is made from it.

use super::window::{Verdict, second_thoughts};
use super::{Error, ErrorKind, JobContext, Output, Result};
use crate::engine::core::Core;
use crate::engine::request::RemoveImagesArgs;
use crate::image::layers::LayerStore;
use crate::model::image::Image;
use crate::model::reference::{Digest, Reference};
use crate::store::content::ContentStore;
use crate::store::lock::FileLock;
use crate::store::records;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What one target led to.
#[derive(Default)]
struct Removed {
    untagged: Vec<String>,
    deleted: Vec<Digest>,
}

pub(super) async fn remove(cx: &mut JobContext, args: RemoveImagesArgs) -> Result<Output> {
    let way_back = match args.undo {
        Some(_) => Some(way_back(cx, &args.images).await?),
        None => None,
    };
    let (mut all, mut failures) = (Removed::default(), Vec::new());
    for name in &args.images {
        cx.check()?;
        let mut removed = one(&cx.core, name, args.force);
        if removed.as_ref().is_err_and(|e| e.kind() == ErrorKind::Unavailable) {
            // A full disk: what removes must not need room.
            cx.core.db.use_reserve();
            removed = one(&cx.core, name, args.force);
        }
        match removed {
            Ok(removed) => {
                all.untagged.extend(removed.untagged);
                all.deleted.extend(removed.deleted);
            }
            Err(e) => failures.push(e.during(format!("removing image {name}"))),
        }
    }
    for id in &all.deleted {
        cx.touch_images(id);
    }
    if all.deleted.is_empty() {
        cx.core.refresh_images();
    }
    let anything = !all.untagged.is_empty() || !all.deleted.is_empty();
    if let (Some(window), Some(way_back), true) = (args.undo, way_back, anything) {
        cx.undo.push("bringing the images back", way_back);
        if second_thoughts(cx, window).await == Verdict::TakeBack {
            return Err(Error::cancelled());
        }
        cx.undo.commit();
    }
    cx.blocking(|core| {
        collect_garbage(core)?;
        core.db.keep_reserve();
        Ok(())
    })
    .await?;
    match failures.pop() {
        None => Ok(Output::RemovedImages { untagged: all.untagged, deleted: all.deleted }),
        Some(first) => Err(failures.into_iter().fold(first, |e, other| e.because(other.to_string()))),
    }
}

/// What brings these images back with their names. Holds the lock of content meanwhile, so that nobody clears away the
/// layers they stand on; dropping it gives the lock back.
async fn way_back(cx: &JobContext, names: &[String]) -> Result<impl FnOnce() -> Result<()> + Send + Sync + use<>> {
    let held = cx.blocking(|core| Ok(FileLock::shared(&guard(core))?)).await?;
    let core = cx.core.clone();
    let images: Vec<Image> = names.iter().filter_map(|name| core.image(name).ok()).collect();
    Ok(move || {
        let _held = held;
        restore(&core, &images)
    })
}

/// A name that has come to mean another image meanwhile stays with that.
fn restore(core: &Core, images: &[Image]) -> Result<()> {
    core.db.write(|t| {
        images.iter().try_for_each(|image| {
            let free = |r: &&Reference| records::image_by_reference(t, r).is_ok_and(|found| found.is_none());
            let references = image.references.iter().filter(free).cloned().collect();
            records::put_image(t, &Image { references, ..image.clone() })
        })
    })?;
    for image in images {
        for name in &image.references {
            core.emit("image", "tag", &image.id.to_string(), [("name", name.familiar())]);
        }
    }
    core.refresh_images();
    Ok(())
}

fn one(core: &Core, text: &str, force: bool) -> Result<Removed> {
    let image = core.image(text)?;
    match named(&image, text) {
        Some(reference) if image.references.len() > 1 => untag(core, &image, reference),
        Some(_) => delete(core, &image, force),
        None if image.references.len() > 1 && !force => {
            Err(Error::new(ErrorKind::Conflict, "several names point to this image")
                .because(image.references.iter().map(Reference::familiar).collect::<Vec<_>>().join(", "))
                .hint("remove the names one by one, or force it (-f)"))
        }
        None => delete(core, &image, force),
    }
}

/// The name that `text` is, when it is one of the image's.
fn named<'a>(image: &'a Image, text: &str) -> Option<&'a Reference> {
    let reference: Reference = text.parse().ok()?;
    image.references.iter().find(|r| **r == reference)
}

fn untag(core: &Core, image: &Image, reference: &Reference) -> Result<Removed> {
    core.db.write(|t| records::delete_reference(t, reference))?;
    core.emit("image", "untag", &image.id.to_string(), [("name", reference.familiar())]);
    Ok(Removed { untagged: vec![reference.familiar()], deleted: Vec::new() })
}

fn delete(core: &Core, image: &Image, force: bool) -> Result<Removed> {
    if delete_unused(core, image)? {
        let untagged = image.references.iter().map(Reference::familiar).collect();
        return Ok(Removed { untagged, deleted: vec![image.id.clone()] });
    }
    let users = core.db.read(|c| records::containers_of_image(c, &image.id))?;
    // Docker takes the names away then, and keeps what the container stands on.
    if force && !image.references.is_empty() && users.iter().all(|u| !core.is_live(u)) {
        return untag_all(core, image);
    }
    let names: Vec<_> = users.iter().map(|u| u.short().to_owned()).collect();
    Err(Error::new(ErrorKind::Conflict, "it is in use")
        .because(format!("by container {}", names.join(", ")))
        .hint("remove the container first"))
}

/// `false`: a container is made from it. Check and removal are one transaction: a container that is made meanwhile
/// keeps its image.
pub(super) fn delete_unused(core: &Core, image: &Image) -> Result<bool> {
    let gone = core.db.write(|t| {
        let unused = records::containers_of_image(t, &image.id)?.is_empty();
        if unused {
            records::delete_image(t, &image.id)?;
        }
        Ok(unused)
    })?;
    if gone {
        for name in &image.references {
            core.emit("image", "untag", &image.id.to_string(), [("name", name.familiar())]);
        }
        core.emit("image", "delete", &image.id.to_string(), []);
    }
    Ok(gone)
}

fn untag_all(core: &Core, image: &Image) -> Result<Removed> {
    core.db.write(|t| image.references.iter().try_for_each(|r| records::delete_reference(t, r).map(drop)))?;
    Ok(Removed { untagged: image.references.iter().map(Reference::familiar).collect(), deleted: Vec::new() })
}

/// Layers and blobs that no image needs any more. Left for another time while an image is being fetched or made: what
/// it has unpacked so far belongs to no image yet.
pub(super) fn collect_garbage(core: &Core) -> Result<()> {
    let Some(_alone) = FileLock::try_exclusive(&guard(core))? else { return Ok(()) };
    let images = core.db.read(records::images)?;
    let chains: BTreeSet<_> = images.iter().flat_map(|i| i.layers.iter().map(|l| &l.chain_id)).collect();
    let store = LayerStore::open(&core.root)?;
    for layer in store.list()?.iter().filter(|l| !chains.contains(&l.chain_id)) {
        store.remove(&layer.chain_id)?;
    }
    let blobs: BTreeSet<_> = images.iter().flat_map(|i| [&i.id, &i.manifest]).collect();
    let content = ContentStore::open(&core.root)?;
    for (digest, _, _) in content.list()?.into_iter().filter(|(digest, ..)| !blobs.contains(digest)) {
        content.remove(&digest)?;
    }
    Ok(())
}

/// Held shared by whoever adds content, alone by whoever removes it.
pub(super) fn guard(core: &Core) -> PathBuf {
    core.root.data().join("content.lock")
}
