//! The processes of a container as its host sees them: everything in its init's pid namespace.

use super::{Context, find};
use crate::cli::output::{Listing, render};
use crate::cli::report;
use crate::cli::template::Data;
use crate::engine::{Error, ErrorKind, Result};
use serde_json::json;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const LISTING: Listing = Listing {
    table: "{{.UID}}\t{{.PID}}\t{{.PPID}}\t{{.STAT}}\t{{.RSS}}\t{{.CMD}}",
    quiet: "{{.PID}}",
    headings: &[("UID", "UID"), ("PID", "PID"), ("PPID", "PPID"), ("STAT", "STAT"), ("RSS", "RSS"), ("CMD", "CMD")],
};

pub(in crate::cli::commands) fn top(cx: &Context<'_>) -> Result<u8> {
    let name = cx.args.text("names").unwrap_or_default();
    let entry = find(&*cx.inventory()?, name)?;
    let namespace = Path::new("/proc").join(entry.state.pid.to_string()).join("ns/pid");
    let wanted = fs::metadata(&namespace).map(|m| (m.dev(), m.ino()));
    let wanted = match wanted {
        Ok(wanted) if entry.state.status.is_live() => wanted,
        _ => return Err(Error::new(ErrorKind::Conflict, format!("container {name} is not running"))),
    };
    let in_it = |pid: &i32| fs::metadata(format!("/proc/{pid}/ns/pid")).is_ok_and(|m| (m.dev(), m.ino()) == wanted);
    let processes = fs::read_dir("/proc").map_err(|e| Error::from_source(ErrorKind::Internal, "reading /proc", &e))?;
    let mut pids: Vec<i32> =
        processes.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).filter(in_it).collect();
    pids.sort_unstable();
    let rows: Vec<Data> = pids.iter().filter_map(|pid| row(*pid)).collect();
    report::out(&render(&rows, &LISTING, None, false)?);
    Ok(0)
}

/// `None`: it has just ended.
fn row(pid: i32) -> Option<Data> {
    let dir = Path::new("/proc").join(pid.to_string());
    let status = fs::read_to_string(dir.join("status")).ok()?;
    let field =
        |name: &str| status.lines().find_map(|l| l.strip_prefix(name)?.split_whitespace().next()).unwrap_or_default();
    let line = fs::read(dir.join("cmdline")).ok()?;
    let line = String::from_utf8_lossy(line.trim_ascii_end().strip_suffix(b"\0").unwrap_or(&line)).replace('\0', " ");
    let command = if line.is_empty() { format!("[{}]", field("Name:")) } else { line };
    // Its own arguments are the container's to choose: no control characters reach our terminal.
    let command: String = command.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    let value = json!({
        "UID": field("Uid:"), "PID": pid.to_string(), "PPID": field("PPid:"), "STAT": field("State:"),
        "RSS": field("VmRSS:"), "CMD": command,
    });
    Some(Data { value, ..Data::default() })
}
