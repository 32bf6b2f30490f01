//! The processes of a container as its host sees them.

use super::Context;
use crate::cli::output::{Listing, render};
use crate::cli::report;
use crate::cli::template::Data;
use crate::engine::{Output, Request, Result};
use crate::model::process::Process;
use serde_json::json;

const LISTING: Listing = Listing {
    table: "{{.UID}}\t{{.PID}}\t{{.PPID}}\t{{.STAT}}\t{{.RSS}}\t{{.TIME}}\t{{.CMD}}",
    quiet: "{{.PID}}",
    headings: &[
        ("UID", "UID"),
        ("PID", "PID"),
        ("PPID", "PPID"),
        ("STAT", "STAT"),
        ("RSS", "RSS"),
        ("TIME", "TIME"),
        ("CMD", "CMD"),
    ],
};

pub(in crate::cli::commands) async fn top(cx: &Context<'_>) -> Result<u8> {
    let container = cx.args.text("names").unwrap_or_default().to_owned();
    let Output::Processes(processes) = cx.ask(Request::Top { container }).await? else { return Ok(0) };
    let rows: Vec<Data> = processes.iter().map(row).collect();
    report::out(&render(&rows, &LISTING, None, false)?);
    Ok(0)
}

fn row(process: &Process) -> Data {
    let seconds = process.cpu_usec / 1_000_000;
    let time = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let value = json!({
        "UID": process.uid.to_string(), "PID": process.pid.to_string(), "PPID": process.parent.to_string(),
        "STAT": process.state.to_string(), "RSS": (process.memory / 1024).to_string(), "TIME": time,
        "CMD": process.command,
    });
    Data { value, ..Data::default() }
}
