//! The prune family: ask first, then say what went and how much room it made.

use super::Context;
use crate::cli::report;
use crate::cli::verbs::Verb;
use crate::engine::request::PruneArgs;
use crate::engine::{Output, Request, Result};
use crate::model::units::decimal_size;

pub(super) async fn prune(cx: &Context<'_>, verb: Verb) -> Result<u8> {
    let args = cx.args;
    let dry_run = args.on("dry-run");
    let all = args.on("all");
    let what = match verb {
        Verb::PruneContainers => PruneArgs { containers: true, dry_run, ..PruneArgs::default() },
        Verb::PruneImages => {
            PruneArgs { images: true, all_images: all, partial_downloads: true, dry_run, ..PruneArgs::default() }
        }
        Verb::PruneVolumes => PruneArgs { volumes: true, all_volumes: all, dry_run, ..PruneArgs::default() },
        _ => PruneArgs {
            containers: true,
            images: true,
            all_images: all,
            volumes: args.on("volumes"),
            all_volumes: false,
            partial_downloads: true,
            dry_run,
        },
    };
    if !dry_run && !args.on("force") && !confirmed(&what) {
        return Ok(0);
    }
    if let Output::Pruned { containers, images, volumes, bytes } = cx.ask(Request::Prune(what)).await? {
        let verb = if dry_run { "Would delete" } else { "Deleted" };
        let mut text = String::new();
        for (kind, list) in [("Containers", containers), ("Images", images), ("Volumes", volumes)] {
            if !list.is_empty() {
                text.push_str(&format!("{verb} {kind}:\n{}\n\n", list.join("\n")));
            }
        }
        let total = if dry_run { "Space that would be reclaimed" } else { "Total reclaimed space" };
        report::out(&format!("{text}{total}: {}\n", decimal_size(bytes)));
    }
    Ok(0)
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
