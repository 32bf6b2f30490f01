//! `pull` and `image from-host`: long jobs with progress.

use super::Context;
use crate::cli::args::misuse;
use crate::cli::create::platform;
use crate::cli::progress::{self, To};
use crate::cli::report;
use crate::engine::request::{FromHostArgs, PullArgs};
use crate::engine::{Error, ErrorKind, Output, Request, Result};
use crate::model::reference::Reference;

fn reference(text: &str) -> Result<Reference> {
    text.parse().map_err(|e| Error::new(ErrorKind::Invalid, format!("{e}")))
}

pub(super) async fn pull(cx: &Context<'_>) -> Result<u8> {
    let args = cx.args;
    let name = args.text("names").unwrap_or_default();
    let (all_tags, quiet) = (args.on("all-tags"), args.on("quiet"));
    let parsed = reference(name)?;
    let defaulted = parsed.digest.is_none() && !name.rsplit('/').next().is_some_and(|last| last.contains(':'));
    if all_tags && !defaulted {
        return Err(misuse("a tag cannot be used with --all-tags"));
    }
    if !quiet && !all_tags {
        let tag = parsed.tag.clone().unwrap_or_else(|| "latest".into());
        let note = if defaulted { "Using default tag: latest\n" } else { "" };
        report::out(&format!("{note}{tag}: Pulling from {}\n", parsed.repository));
    }
    let platform = args.text("platform").map(platform).transpose()?;
    let request = PullArgs { reference: parsed.clone(), platform, all_tags, only_if_missing: false };
    let handle = cx.engine.submit(Request::Pull(request));
    let shown = progress::show(&handle, To::Stdout, quiet);
    let result = cx.finish(handle).await;
    shown.end().await;
    let output = result?;
    if let Output::Pulled { warnings, .. } = &output {
        warnings.iter().for_each(|warning| report::err(&format!("WARNING: {warning}\n")));
    }
    match output {
        Output::Pulled { manifest, reference, up_to_date, .. } if !quiet => {
            let status = if up_to_date { "Image is up to date for" } else { "Downloaded newer image for" };
            report::out(&format!("Digest: {manifest}\nStatus: {status} {}\n{reference}\n", parsed.familiar()));
        }
        Output::Pulled { reference, .. } => report::out(&format!("{reference}\n")),
        Output::Many(results) => return Ok(tags(&parsed, results)),
        _ => {}
    }
    Ok(0)
}

/// `--all-tags`: one result per tag.
fn tags(parsed: &Reference, results: Vec<(String, Result<String>)>) -> u8 {
    let mut code = 0;
    for (name, result) in results {
        match result {
            Ok(_) => report::out(&format!("{name}\n")),
            Err(error) => {
                report::print_error(&error.during(format!("pulling {} of {}", name, parsed.familiar_name())));
                code = 1;
            }
        }
    }
    code
}

pub(super) async fn from_host(cx: &Context<'_>) -> Result<u8> {
    let programs = cx.names();
    let name = match (cx.args.text("tag"), programs.first()) {
        (Some(name), _) => Some(reference(name)?),
        (None, None) => None,
        // The starter's own name stays the starter's.
        (None, Some(first)) => Some(named_after(first)?),
    };
    let shown = name.as_ref().map_or_else(|| "localhost/starter:latest".into(), Reference::familiar);
    let handle = cx.engine.submit(Request::FromHost(FromHostArgs { programs, name }));
    if let Output::Image(id) = cx.finish(handle).await? {
        report::out(&format!("{id}\n"));
        if !cx.args.on("quiet") {
            report::err(&format!("Tagged {shown}\n"));
        }
    }
    Ok(0)
}

/// `localhost/vim` for `/usr/bin/vim`.
fn named_after(program: &str) -> Result<Reference> {
    let base = program.rsplit('/').next().unwrap_or(program).to_lowercase();
    reference(&format!("localhost/{base}"))
        .map_err(|_| misuse(format!("'{base}' cannot be an image's name")).hint("give one with -t NAME"))
}
