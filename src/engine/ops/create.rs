//! `create`: the image (pulled or made if missing), the merged configuration, the record, the directories, the volumes.

use super::{Error, ErrorKind, JobContext, Output, Result, pull, remove, volumes};
use crate::engine::core::{Core, now};
use crate::engine::request::{CreateArgs, FromHostArgs, PullArgs, PullPolicy};
use crate::engine::{merge, networks, sharing, users};
use crate::model::container::Container;
use crate::model::id::{ContainerId, check_name, random_name};
use crate::model::image::Image;
use crate::model::reference::Reference;
use crate::runtime::bundle;
use crate::store::records::{self, Busy};
use crate::store::{self, Owner, dirs};
use crate::sys::userns;
use std::sync::Arc;

/// Names tried for a container that was given none.
const NAME_TRIES: u32 = 50;

pub(super) async fn create(cx: &mut JobContext, args: CreateArgs) -> Result<Output> {
    let (image, mut warnings) = find_image(cx, &args).await?;
    let (container, more) = make(cx, &args, &image, ContainerId::random()).await?;
    warnings.extend(more);
    Ok(Output::Container { id: container.id, warnings })
}

/// The image that was asked for, by the pull policy; and what of it could not be kept when it was pulled now.
pub(super) async fn find_image(cx: &mut JobContext, args: &CreateArgs) -> Result<(Image, Vec<String>)> {
    let here = match args.pull {
        PullPolicy::Always => None,
        PullPolicy::Missing | PullPolicy::Never => cx.core.find_image(&args.image)?,
    };
    match here {
        Some(image) if fits(&image, args) => return Ok((image, Vec::new())),
        _ if args.pull == PullPolicy::Never => {
            return Err(Error::new(ErrorKind::NotFound, format!("no such image: {}", args.image))
                .hint("it is not here, and --pull never forbids to fetch it"));
        }
        _ => {}
    }
    let reference: Reference = args.image.parse().map_err(|e: crate::model::reference::ReferenceError| {
        Error::new(ErrorKind::Invalid, e.to_string()).hint("an image is named like nginx:1.29 or host:5000/team/app:v2")
    })?;
    let mut warnings = Vec::new();
    if reference == pull::starter()? {
        let mut child = cx.child("from-host", &reference.familiar());
        let wanted = FromHostArgs { programs: Vec::new(), name: Some(reference.clone()) };
        let made = pull::from_host(&mut child, wanted).await;
        child.finish(made).await?;
    } else {
        let mut child = cx.child("pull", &reference.familiar());
        let wanted = PullArgs {
            reference: reference.clone(),
            platform: args.platform.clone(),
            all_tags: false,
            only_if_missing: false,
        };
        let pulled = pull::pull(&mut child, wanted).await;
        if let Output::Pulled { warnings: said, .. } = child.finish(pulled).await? {
            warnings = said;
        }
    }
    let image = cx.core.image(&reference.to_string())?;
    match &args.platform {
        Some(wanted) if !fits(&image, args) => {
            let what = format!("{} is an image for {}/{}, not {wanted}", args.image, image.os, image.architecture);
            Err(Error::new(ErrorKind::NotFound, what).hint("leave out --platform, or name another image"))
        }
        _ => Ok((image, warnings)),
    }
}

/// An image of another platform than the one asked for is pulled again.
fn fits(image: &Image, args: &CreateArgs) -> bool {
    args.platform.as_ref().is_none_or(|p| p.os == image.os && p.architecture == image.architecture)
}

/// Everything a container is before it starts, and what its user should know. Undone as a whole when a part fails.
pub(super) async fn make(
    cx: &mut JobContext,
    args: &CreateArgs,
    image: &Image,
    id: ContainerId,
) -> Result<(Container, Vec<String>)> {
    if let Some(name) = &args.name {
        check_name(name).map_err(|e| Error::new(ErrorKind::Invalid, e.to_string()))?;
    }
    let mut args = args.clone();
    sharing::mounts_of_others(&cx.core, &mut args)?;
    sharing::choose(&cx.core, &mut args.config)?;
    let reserved = users::choose(&cx.core, &mut args.config)?;
    let args = &args;
    let mut config = merge::merge(args, image, || ContainerId::random().as_str().to_owned())?;
    let mut warnings = networks::choose(&cx.core, &mut config, args.default_network)?;
    warnings.extend(bundle::check(&config, userns::identity())?);
    let container = Container {
        name: String::new(),
        image: image.id.clone(),
        image_ref: args.image.clone(),
        created: now(),
        config,
        id,
    };
    let container = reserve(&cx.core, container, args.name.as_deref())?;
    drop(reserved);
    let (core, undone) = (cx.core.clone(), container.clone());
    cx.undo.push("removing the half-made container", move || remove::erase(&core, &undone));
    let (made, layers) = (container.clone(), image.layers.clone());
    let directories = move |core: &Arc<Core>| {
        dirs::create_container(&core.root, made.id.as_str())?;
        core.snapshotter()?.prepare(made.id.as_str(), &layers)?;
        volumes::provide(core, &made, &layers)
    };
    // A new volume gets the image's files, which may be many.
    if container.config.mounts.is_empty() {
        cx.core.quick(directories).await?
    } else {
        cx.blocking(directories).await?
    }
    cx.check()?;
    cx.core.db.write(|t| records::set_busy(t, &container.id, None))?;
    cx.undo.commit();
    cx.core.emit_container("create", &container);
    cx.touch_container(&container.id);
    Ok((container, warnings))
}

/// Writes the row, which takes the name; a random one is tried again until it is free.
fn reserve(core: &Arc<Core>, mut container: Container, name: Option<&str>) -> Result<Container> {
    let busy = Some(Busy::Create(Owner::this()));
    for attempt in 0..NAME_TRIES {
        container.name = name.map_or_else(|| random_name(attempt), str::to_owned);
        match core.db.write(|t| records::insert_container(t, &container, busy)) {
            Ok(()) => return Ok(container),
            Err(store::Error::NameTaken { .. }) if name.is_none() => {}
            Err(store::Error::NameTaken { by, .. }) if core.tidied(&by) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Err(Error::new(ErrorKind::Conflict, "no free name was found").hint("give one with --name"))
}
