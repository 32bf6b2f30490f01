//! `pull` and `image from-host`: images that come into the store.

mod progress;

use super::{Error, ErrorKind, JobContext, Output, Result, images};
use crate::engine::core::{Core, now};
use crate::engine::job::Progress;
use crate::engine::request::{FromHostArgs, PullArgs};
use crate::image;
use crate::image::from_host::build;
use crate::image::layers::LayerStore;
use crate::image::pull::{PullRequest, Stores};
use crate::model::image::Image;
use crate::model::reference::Reference;
use crate::store::content::ContentStore;
use crate::store::lock::FileLock;
use crate::store::records;
use std::sync::Arc;
use std::time::Duration;

pub(super) async fn pull(cx: &mut JobContext, args: PullArgs) -> Result<Output> {
    let reference = args.reference.familiar();
    let pulled = if args.all_tags { every_tag(cx, &args).await } else { one(cx, &args).await };
    pulled.map_err(|e| if e.kind() == ErrorKind::Cancelled { e } else { named_once(e, &reference) })
}

/// Most errors of a registry say what was asked for; people read the name once.
fn named_once(error: Error, reference: &str) -> Error {
    let rest = error.what().strip_prefix(reference).and_then(|rest| rest.strip_prefix(": ")).map(str::to_owned);
    match rest {
        Some(rest) => error.with_what(rest).during(format!("pulling {reference}")),
        None if error.what().contains(reference) => error.during("pulling"),
        None => error.during(format!("pulling {reference}")),
    }
}

/// Two pulls of the same thing in this process: the second waits and finds the image here.
async fn one(cx: &mut JobContext, args: &PullArgs) -> Result<Output> {
    let platform = args.platform.as_ref().map(ToString::to_string).unwrap_or_default();
    let same = cx.core.pulling(format!("{} {platform}", args.reference));
    let _turn = cx.or_cancelled(same.lock()).await?;
    let here = cx.core.find_image(&args.reference.to_string())?;
    if let Some(image) = here.as_ref().filter(|_| args.only_if_missing) {
        return Ok(pulled(image, &args.reference, true, Vec::new()));
    }
    let request = PullRequest {
        reference: args.reference.clone(),
        platform: args.platform.clone(),
        known: here.map(|image| image.manifest),
        now: now(),
    };
    let guard = cx.blocking(|core| Ok(FileLock::shared(&images::guard(core))?)).await?;
    let stores = cx
        .blocking(|core| {
            let layers = LayerStore::open(&core.root)?;
            // What killed pulls have left must not fill the disk; nor hinder this one.
            if let Err(e) = layers.clean(std::time::SystemTime::now()) {
                tracing::warn!(error = %e, "tidying what killed pulls left");
            }
            Ok(Stores { content: ContentStore::open(&core.root)?, layers })
        })
        .await?;
    let client = cx.core.registry()?;
    let done = image::pull::pull(client, &stores, request, progress::sink(cx), &cx.cancel).await?;
    let (kept, up_to_date) = (done.image.clone(), done.up_to_date);
    cx.blocking(move |core| {
        let _adding = guard;
        if up_to_date { Ok(()) } else { keep(core, &kept, "pull") }
    })
    .await?;
    cx.touch_images(&done.image.id);
    settle_later(&cx.core);
    Ok(pulled(&done.image, &args.reference, done.up_to_date, done.warnings))
}

fn pulled(image: &Image, reference: &Reference, up_to_date: bool, warnings: Vec<String>) -> Output {
    Output::Pulled {
        image: image.id.clone(),
        manifest: image.manifest.clone(),
        reference: reference.to_string(),
        up_to_date,
        warnings,
    }
}

/// The outcome is the last one's.
async fn every_tag(cx: &mut JobContext, args: &PullArgs) -> Result<Output> {
    let sink = cx.sink();
    let note = Arc::new(move |note: String| sink.report(Progress { note, ..Progress::default() }));
    let repository = cx.core.registry()?.repository(&args.reference, note)?;
    let tags = cx.or_cancelled(repository.tags()).await??;
    let mut last = Err(Error::new(ErrorKind::NotFound, format!("{} has no tags", args.reference.familiar_name())));
    for tag in tags {
        let reference = Reference { tag: Some(tag), digest: None, ..args.reference.clone() };
        let mut child = cx.child("pull", &reference.familiar());
        let one = one(&mut child, &PullArgs { reference, all_tags: false, ..args.clone() }).await;
        last = Ok(child.finish(one).await?);
    }
    last
}

/// By then the kernel has written most layers back to disk by itself, and nobody waits for the rest.
const SETTLE_DELAY: Duration = Duration::from_secs(45);

/// Has new layers written back to disk, some time later, where teu stays. A power loss before that costs a new pull of
/// what was lost, no more: a single command does not wait for the disk.
pub(in crate::engine) fn settle_later(core: &Arc<Core>) {
    if !core.options.background {
        return;
    }
    let (core, runtime) = (core.clone(), core.runtime.clone());
    runtime.spawn(async move {
        tokio::select! {
            () = core.stop.cancelled() => return,
            () = tokio::time::sleep(SETTLE_DELAY) => {}
        }
        tokio::task::spawn_blocking(move || {
            if let Err(e) = LayerStore::open(&core.root).and_then(|layers| layers.settle()) {
                tracing::warn!(error = %e, "writing layers back to disk");
            }
        });
    });
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
