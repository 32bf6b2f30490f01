//! The prune family: ask first, then say what went and how much room it made.

use super::Context;
use crate::cli::args::wrong;
use crate::cli::output::filter::Filters;
use crate::cli::output::text::{now, point_in_time};
use crate::cli::report;
use crate::cli::verbs::Verb;
use crate::engine::request::{PruneArgs, PruneFilter};
use crate::engine::{Output, Request, Result};
use crate::model::time::Timestamp;
use crate::model::units::decimal_size;

pub(super) async fn prune(cx: &Context<'_>, verb: Verb) -> Result<u8> {
    let args = cx.args;
    let dry_run = args.on("dry-run");
    let all = args.on("all");
    let what = match verb {
        Verb::PruneContainers => PruneArgs { containers: true, filter: filter(cx)?, dry_run, ..PruneArgs::default() },
        Verb::PruneImages => {
            PruneArgs { images: true, all_images: all, partial_downloads: true, dry_run, ..PruneArgs::default() }
        }
        Verb::PruneVolumes => PruneArgs { volumes: true, all_volumes: all, dry_run, ..PruneArgs::default() },
        Verb::PruneNetworks => PruneArgs { networks: true, filter: filter(cx)?, dry_run, ..PruneArgs::default() },
        _ => PruneArgs {
            networks: true,
            containers: true,
            images: true,
            all_images: all,
            volumes: args.on("volumes"),
            all_volumes: false,
            partial_downloads: true,
            filter: PruneFilter::default(),
            dry_run,
        },
    };
    if !dry_run && !args.on("force") && !confirmed(&what) {
        return Ok(0);
    }
    if let Output::Pruned { containers, images, volumes, networks, bytes } = cx.ask(Request::Prune(what)).await? {
        let deleted = if dry_run { "Would delete" } else { "Deleted" };
        let mut text = String::new();
        let lists = [("Containers", containers), ("Networks", networks), ("Images", images), ("Volumes", volumes)];
        for (kind, list) in lists {
            if !list.is_empty() {
                text.push_str(&format!("{deleted} {kind}:\n{}\n\n", list.join("\n")));
            }
        }
        let total = if dry_run { "Space that would be reclaimed" } else { "Total reclaimed space" };
        // Networks take no room.
        let measured = verb != Verb::PruneNetworks;
        let total = if measured { format!("{total}: {}\n", decimal_size(bytes)) } else { String::new() };
        report::out(&format!("{text}{total}"));
    }
    Ok(0)
}

/// `label=KEY`, `label!=KEY=VALUE`, `until=24h`.
fn filter(cx: &Context<'_>) -> Result<PruneFilter> {
    let texts = cx.args.texts("filter");
    let filters = Filters::parse(&texts, &["label", "label!", "until"])?;
    let labels = |key: &str| {
        let pair = |text: &str| match text.split_once('=') {
            Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
            None => (text.to_owned(), None),
        };
        filters.values(key).map(pair).collect()
    };
    let at = now();
    let time = |text: &str| {
        let bad = || wrong("filter", &format!("until={text}"), "it is not a time");
        point_in_time(text, at).map(Timestamp).ok_or_else(bad)
    };
    let until = filters.values("until").map(time).collect::<Result<Vec<_>>>()?;
    Ok(PruneFilter { labels: labels("label"), unlabelled: labels("label!"), until: until.into_iter().min() })
}

fn confirmed(what: &PruneArgs) -> bool {
    let mut text = String::from("WARNING! This will remove:\n");
    let images = if what.all_images { "  - all images without a container\n" } else { "  - all dangling images\n" };
    let volumes = if what.all_volumes {
        "  - all volumes no container uses\n"
    } else {
        "  - all anonymous volumes no container uses\n"
    };
    let lines = [
        (what.containers, "  - all stopped containers\n"),
        (what.networks, "  - all networks no container is to be on\n"),
        (what.volumes, volumes),
        (what.images, images),
        (what.partial_downloads, "  - partial downloads\n"),
    ];
    text.extend(lines.iter().filter(|(wanted, _)| *wanted).map(|(_, line)| *line));
    report::out(&(text + "\nAre you sure you want to continue? [y/N] "));
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
