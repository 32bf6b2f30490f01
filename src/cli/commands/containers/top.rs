//! The processes of a container as its host sees them.

use super::Context;
use crate::cli::output::{Listing, render};
use crate::cli::report;
use crate::cli::template::Data;
use crate::engine::{Error, ErrorKind, Output, Request, Result};
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
    let options = cx.args.texts("options");
    if !options.is_empty() {
        report::out(&by_ps(&processes, &options)?);
        return Ok(0);
    }
    let rows: Vec<Data> = processes.iter().map(row).collect();
    report::out(&render(&rows, &LISTING, None, false)?);
    Ok(0)
}

/// The lines of `ps` that are the container's, by their PID.
fn by_ps(processes: &[Process], options: &[&str]) -> Result<String> {
    let failed = |why: String| Error::new(ErrorKind::Invalid, format!("ps {}", options.join(" "))).because(why);
    let output = std::process::Command::new("ps").args(options).output().map_err(|e| failed(e.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(failed(said.lines().next().unwrap_or("it failed").trim().to_owned()));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    let Some(column) = head.split_whitespace().position(|word| word == "PID") else {
        return Err(failed("it does not print a column PID: name pid among the columns".into()));
    };
    let ours = |line: &&str| {
        let pid = line.split_whitespace().nth(column).and_then(|word| word.parse().ok());
        pid.is_some_and(|pid: i32| processes.iter().any(|p| p.pid == pid))
    };
    Ok(std::iter::once(head).chain(lines.filter(ours)).fold(String::new(), |all, line| all + line + "\n"))
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
