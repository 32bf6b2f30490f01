//! `rmi`: names go one by one; with the last one goes the image, unless a container is made from it.

use super::{Error, ErrorKind, JobContext, Output, Result};
use crate::engine::core::Core;
use crate::engine::request::RemoveImagesArgs;
use crate::model::image::Image;
use crate::model::reference::{Digest, Reference};
use crate::store::records;

/// What one target led to.
#[derive(Default)]
struct Removed {
    untagged: Vec<String>,
    deleted: Vec<Digest>,
}

pub(super) async fn remove(cx: &mut JobContext, args: RemoveImagesArgs) -> Result<Output> {
    let (mut all, mut failures) = (Removed::default(), Vec::new());
    for name in &args.images {
        cx.check()?;
        match one(&cx.core, name, args.force) {
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
    cx.blocking(|core| collect_garbage(core)).await?;
    match failures.pop() {
        None => Ok(Output::RemovedImages { untagged: all.untagged, deleted: all.deleted }),
        Some(first) => Err(failures.into_iter().fold(first, |e, other| e.because(other.to_string()))),
    }
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

/// The check and the removal are one transaction: a container made meanwhile keeps its image.
fn delete(core: &Core, image: &Image, force: bool) -> Result<Removed> {
    let users = core.db.write(|t| {
        let users = records::containers_of_image(t, &image.id)?;
        if users.is_empty() {
            records::delete_image(t, &image.id)?;
        }
        Ok(users)
    })?;
    if let Some(user) = users.first() {
        let error = Error::new(ErrorKind::Conflict, format!("container {} is made from it", user.short()));
        return match force {
            // Docker takes the names away then, and keeps what the container stands on.
            true if !image.references.is_empty() && users.iter().all(|u| !core.is_live(u)) => untag_all(core, image),
            _ => Err(error.hint("remove the container first")),
        };
    }
    let untagged: Vec<String> = image.references.iter().map(Reference::familiar).collect();
    for name in &untagged {
        core.emit("image", "untag", &image.id.to_string(), [("name", name.clone())]);
    }
    core.emit("image", "delete", &image.id.to_string(), []);
    Ok(Removed { untagged, deleted: vec![image.id.clone()] })
}

fn untag_all(core: &Core, image: &Image) -> Result<Removed> {
    core.db.write(|t| image.references.iter().try_for_each(|r| records::delete_reference(t, r).map(drop)))?;
    Ok(Removed { untagged: image.references.iter().map(Reference::familiar).collect(), deleted: Vec::new() })
}

/// Layers and blobs that no image needs any more.
pub(super) fn collect_garbage(_core: &Core) -> Result<()> {
    Ok(())
}
