//! `pull` and `image from-host`: images that come into the store.

use super::{Error, ErrorKind, JobContext, Output, Result, images};
use crate::engine::core::{Core, now};
use crate::engine::request::{FromHostArgs, PullArgs};
use crate::image::from_host::build;
use crate::image::layers::LayerStore;
use crate::model::image::Image;
use crate::model::reference::Reference;
use crate::store::content::ContentStore;
use crate::store::lock::FileLock;
use crate::store::records;

pub(super) async fn pull(_cx: &mut JobContext, _args: PullArgs) -> Result<Output> {
    Err(Error::new(ErrorKind::Unsupported, "pull is not built yet"))
}

pub(super) async fn from_host(cx: &mut JobContext, args: FromHostArgs) -> Result<Output> {
    let name = match args.name {
        Some(name) => name,
        None => starter()?,
    };
    cx.stage("collecting programs");
    let during = format!("making {} from this machine's programs", name.familiar());
    let made = cx.blocking(move |core| {
        let _adding = FileLock::shared(&images::guard(core))?;
        let (layers, content) = (LayerStore::open(&core.root)?, ContentStore::open(&core.root)?);
        let image = build(&layers, &content, &args.programs, &name, now())?;
        keep(core, &image, "import")?;
        Ok(image)
    });
    let image = made.await.map_err(|e| e.during(during))?;
    cx.touch_images(&image.id);
    Ok(Output::Image(image.id))
}

/// The name under which teu makes an image of the machine's own programs when it is not there.
pub(super) fn starter() -> Result<Reference> {
    crate::image::from_host::STARTER_NAME
        .parse()
        .map_err(|e: crate::model::reference::ReferenceError| Error::new(ErrorKind::Internal, e.to_string()))
}

/// Makes an image visible: its record and names, and the names of what was here under another manifest.
fn keep(core: &Core, image: &Image, action: &str) -> Result<()> {
    core.db.write(|t| {
        let mut image = image.clone();
        if let Some(known) = records::image(t, &image.id)? {
            for digest in known.repo_digests {
                if !image.repo_digests.contains(&digest) {
                    image.repo_digests.push(digest);
                }
            }
        }
        records::put_image(t, &image)
    })?;
    let name = image.references.first().map_or_else(|| image.id.to_string(), Reference::familiar);
    core.emit("image", action, &name, [("name", name.clone()), ("digest", image.id.to_string())]);
    Ok(())
}
