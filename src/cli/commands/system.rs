//! `info`, `system df`, `doctor`.

use super::Context;
use crate::cli::output::{Listing, render, render_one};
use crate::cli::report;
use crate::cli::template::Data;
use crate::engine::job::{Check, CheckLevel};
use crate::engine::request::{InspectArgs, InspectKind};
use crate::engine::{Output, Request, Result};
use crate::model::units::{binary_size, decimal_size};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The drivers of networks, by docker's names.
const NETWORKS: [&str; 5] = ["bridge", "host", "ipvlan", "macvlan", "null"];

pub(super) fn info(cx: &Context<'_>) -> Result<u8> {
    let inventory = cx.inventory()?;
    let host = &inventory.host;
    let count = |word: &str| inventory.containers.iter().filter(|c| c.state.status.word() == word).count();
    let all = inventory.containers.len();
    let (running, paused) = (count("running"), count("paused"));
    let network = if cx.config.default_network { "bridge" } else { "none" };
    let value = json!({
        "Name": host.hostname, "ServerVersion": env!("CARGO_PKG_VERSION"), "Containers": all,
        "ContainersRunning": running, "ContainersPaused": paused, "ContainersStopped": all - running - paused,
        "Images": inventory.images.len(), "Driver": host.graph_driver, "CgroupVersion": host.cgroup_version,
        "CgroupControllers": host.controllers, "KernelVersion": host.kernel, "OSType": "linux",
        "Architecture": std::env::consts::ARCH, "NCPU": host.cpus, "MemTotal": host.memory, "DockerRootDir": host.data_dir,
        "RunDir": host.run_dir, "Rootless": host.rootless, "SubIds": host.sub_ids, "Warnings": cx.config.warnings,
        "InsecureRegistries": cx.config.insecure_registries, "DefaultNetwork": network,
        "Plugins": {"Volume": ["local"], "Network": NETWORKS},
    });
    let data = Data { value, ..Data::default() };
    let who = match (host.rootless, host.sub_ids) {
        (false, _) => "root",
        (true, true) => "rootless, with subordinate ids",
        (true, false) => "rootless, a single id mapped",
    };
    let text = render_one(&data, cx.args.text("format"))?.unwrap_or_else(|| {
        format!(
            "Containers: {all}\n Running: {running}\n Paused: {paused}\n Stopped: {}\nImages: {}\nServer Version: {}\n\
             Storage Driver: {}\nCgroup Version: {}\nCgroup Controllers: {}\n\
             Networks: {}\nDefault Network: {network}\nKernel Version: {}\nOSType: linux\n\
             Architecture: {}\nCPUs: {}\nTotal Memory: {}\nName: {}\nUser: {who}\nData Dir: {}\nRun Dir: {}\n",
            all - running - paused,
            inventory.images.len(),
            env!("CARGO_PKG_VERSION"),
            host.graph_driver,
            host.cgroup_version,
            host.controllers.join(" "),
            NETWORKS.join(" "),
            host.kernel,
            std::env::consts::ARCH,
            host.cpus,
            binary_size(host.memory),
            host.hostname,
            host.data_dir,
            host.run_dir
        )
    });
    report::out(&text);
    for warning in &cx.config.warnings {
        report::err(&format!("WARNING: {warning}\n"));
    }
    Ok(0)
}

const USAGE: Listing = Listing {
    table: "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
    quiet: "{{.Type}}",
    headings: &[
        ("Type", "TYPE"),
        ("TotalCount", "TOTAL"),
        ("Active", "ACTIVE"),
        ("Size", "SIZE"),
        ("Reclaimable", "RECLAIMABLE"),
    ],
};

pub(super) async fn disk_usage(cx: &Context<'_>) -> Result<u8> {
    let inventory = cx.inventory()?;
    // A layer counts once, however many images stand on it.
    let mut layers: BTreeMap<String, (u64, bool)> = BTreeMap::new();
    for entry in &inventory.images {
        for layer in &entry.image.layers {
            let known = layers.entry(layer.chain_id.to_string()).or_insert((layer.size, false));
            known.1 |= !entry.used_by.is_empty();
        }
    }
    let total: u64 = layers.values().map(|(size, _)| size).sum();
    let idle: u64 = layers.values().filter(|(_, used)| !used).map(|(size, _)| size).sum();
    let used_images = inventory.images.iter().filter(|i| !i.used_by.is_empty()).count();
    let names: Vec<String> = inventory.containers.iter().map(|c| c.container.id.to_string()).collect();
    let sizes = sizes(cx, names, InspectKind::Container, |v| v["SizeRw"].as_u64()).await?;
    let live: Vec<bool> = inventory.containers.iter().map(|c| c.state.status.is_live()).collect();
    let idle_containers: u64 = sizes.iter().zip(&live).filter(|(_, live)| !**live).map(|(size, _)| size).sum();
    let names: Vec<String> = inventory.volumes.iter().map(|v| v.name.clone()).collect();
    let volumes = sizes_of_volumes(cx, names).await?;
    let row = |kind: &str, count: usize, active: usize, size: u64, idle: u64| {
        let share = (idle * 100).checked_div(size).map(|percent| format!(" ({percent}%)")).unwrap_or_default();
        let value = json!({"Type": kind, "TotalCount": count.to_string(), "Active": active.to_string(),
            "Size": decimal_size(size), "Reclaimable": decimal_size(idle) + &share});
        Data { value, ..Data::default() }
    };
    let rows = [
        row("Images", inventory.images.len(), used_images, total, idle),
        row("Containers", live.len(), live.iter().filter(|l| **l).count(), sizes.iter().sum(), idle_containers),
        row("Local Volumes", volumes.count, volumes.active, volumes.bytes, volumes.idle),
    ];
    report::out(&render(&rows, &USAGE, cx.args.text("format"), false)?);
    Ok(0)
}

async fn sizes(
    cx: &Context<'_>,
    names: Vec<String>,
    kind: InspectKind,
    size: fn(&Value) -> Option<u64>,
) -> Result<Vec<u64>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    match cx.ask(Request::Inspect(InspectArgs { names, kind, size: true })).await? {
        Output::Inspected(values) => Ok(values.iter().map(|v| size(v).unwrap_or(0)).collect()),
        _ => Ok(Vec::new()),
    }
}

#[derive(Default)]
struct Volumes {
    count: usize,
    active: usize,
    bytes: u64,
    idle: u64,
}

async fn sizes_of_volumes(cx: &Context<'_>, names: Vec<String>) -> Result<Volumes> {
    let mut all = Volumes { count: names.len(), ..Volumes::default() };
    let bytes = sizes(cx, names, InspectKind::Volume, |v| v["UsageData"]["Size"].as_u64()).await?;
    let inventory = cx.inventory()?;
    for (volume, size) in inventory.volumes.iter().zip(bytes) {
        let used = inventory.containers.iter().any(|c| super::volumes::uses(&c.container, &volume.name));
        all.active += usize::from(used);
        all.bytes += size;
        all.idle += if used { 0 } else { size };
    }
    Ok(all)
}

/// A list of findings; 1 when something teu exists for cannot work.
pub(super) async fn doctor(cx: &Context<'_>) -> Result<u8> {
    let Output::Doctor(checks) = cx.ask(Request::Doctor).await? else { return Ok(0) };
    let failed = checks.iter().any(|c| c.level == CheckLevel::Fail);
    let word = |c: &Check| match c.level {
        CheckLevel::Ok => "ok",
        CheckLevel::Warn => "warn",
        CheckLevel::Fail => "FAIL",
    };
    let rows: Vec<Data> = checks
        .iter()
        .map(|c| {
            let value = json!({"Check": c.name, "Level": word(c).to_lowercase(), "Found": c.found, "Effect": c.effect, "Remedy": c.remedy});
            Data { value, ..Data::default() }
        })
        .collect();
    if let Some(format) = cx.args.text("format").filter(|f| *f != "table") {
        report::out(&render(&rows, &USAGE, Some(format), false)?);
        return Ok(u8::from(failed));
    }
    let mut text = String::new();
    let width = checks.iter().map(|c| c.name.len()).max().unwrap_or(0);
    for check in &checks {
        text.push_str(&format!("{:<5}{:<width$}  {}\n", word(check), check.name, check.found));
        for (label, line) in [("", &check.effect), ("mend: ", &check.remedy)] {
            if !line.is_empty() {
                text.push_str(&format!("{:<5}{:<width$}  {label}{line}\n", "", ""));
            }
        }
    }
    report::out(&text);
    Ok(u8::from(failed))
}
