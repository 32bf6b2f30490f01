//! `stats`: once, or redrawn each second.

use super::Context;
use crate::cli::output::{Listing, render};
use crate::cli::report;
use crate::cli::template::Data;
use crate::engine::inventory::ContainerStats;
use crate::engine::job::{Chunk, JobIo};
use crate::engine::request::StatsArgs;
use crate::engine::{Request, Result};
use crate::model::units::{binary_size, decimal_size};
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};

const LISTING: Listing = Listing {
    table: "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
    quiet: "{{.ID}}",
    headings: &[
        ("Container", "CONTAINER"),
        ("Name", "NAME"),
        ("ID", "CONTAINER ID"),
        ("CPUPerc", "CPU %"),
        ("MemUsage", "MEM USAGE / LIMIT"),
        ("MemPerc", "MEM %"),
        ("NetIO", "NET I/O"),
        ("BlockIO", "BLOCK I/O"),
        ("PIDs", "PIDS"),
        ("NetPackets", "NET PACKETS"),
        ("NetDropped", "NET DROPPED"),
    ],
};

pub(super) async fn stats(cx: &Context<'_>) -> Result<u8> {
    let args = cx.args;
    let once = args.on("no-stream");
    let request = StatsArgs { containers: cx.names(), all: args.on("all"), once };
    let mut handle = cx.engine.submit(Request::Stats(request));
    let Some(JobIo { mut output, .. }) = handle.io.take() else { return cx.finish(handle).await.map(|_| 0) };
    let host_memory = cx.inventory()?.host.memory;
    let redraw = !once && std::io::stdout().is_terminal() && args.text("format").is_none_or(|f| f.starts_with("table"));
    let mut shown_any = false;
    let names = cx.names();
    while let Some(chunk) = output.recv().await {
        let Chunk::Stats(all) = chunk else { continue };
        let rows: Vec<Data> = all.iter().map(|s| row(s, &names, args.on("no-trunc"), host_memory)).collect();
        let mut text = render(&rows, &LISTING, args.text("format"), false)?;
        if redraw {
            // Home, the lines each cleared to their end, then everything below.
            text = format!("\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n"));
        }
        shown_any = true;
        let mut stdout = std::io::stdout().lock();
        if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
            handle.cancel();
            return Ok(0);
        }
    }
    let result = cx.finish(handle).await.map(|_| 0);
    if result.is_ok() && !shown_any {
        report::out(&render(&[], &LISTING, args.text("format"), false)?);
    }
    result
}

/// `names`: as the user gave them.
fn row(stats: &ContainerStats, names: &[String], full: bool, host_memory: u64) -> Data {
    let id = if full { stats.id.as_str() } else { stats.id.short() };
    let given = names.iter().find(|name| **name == stats.name).or_else(|| {
        let id = stats.id.as_str();
        names.iter().find(|name| !name.is_empty() && id.starts_with(name.as_str()))
    });
    let pair = |a: String, b: String| format!("{a} / {b}");
    let count = |a: Option<u64>, b: Option<u64>| pair(a.unwrap_or(0).to_string(), b.unwrap_or(0).to_string());
    let mut value = json!({"Container": given.map_or(id, String::as_str), "ID": id, "Name": stats.name});
    let figures: [(&str, String); 8] = match &stats.sample {
        Some(sample) => {
            let limit = sample.memory_limit.unwrap_or(host_memory);
            let used = sample.memory_used();
            let percent = if limit == 0 { 0.0 } else { used as f64 / limit as f64 * 100.0 };
            [
                ("CPUPerc", format!("{:.2}%", stats.rates.cpu_percent)),
                ("MemUsage", pair(binary_size(used), binary_size(limit))),
                ("MemPerc", format!("{percent:.2}%")),
                ("NetIO", pair(decimal_size(sample.net_rx), decimal_size(sample.net_tx))),
                ("BlockIO", pair(decimal_size(sample.io_read), decimal_size(sample.io_write))),
                ("PIDs", sample.pids.to_string()),
                ("NetPackets", count(sample.net_rx_packets, sample.net_tx_packets)),
                ("NetDropped", count(sample.net_rx_dropped, sample.net_tx_dropped)),
            ]
        }
        None => [
            ("CPUPerc", "0.00%".into()),
            ("MemUsage", "0B / 0B".into()),
            ("MemPerc", "0.00%".into()),
            ("NetIO", "0B / 0B".into()),
            ("BlockIO", "0B / 0B".into()),
            ("PIDs", "0".into()),
            ("NetPackets", "0 / 0".into()),
            ("NetDropped", "0 / 0".into()),
        ],
    };
    for (key, text) in figures {
        value[key] = Value::String(text);
    }
    Data { value, ..Data::default() }
}
