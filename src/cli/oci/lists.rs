//! `state`, `list` and `ps`: what there is, as JSON or as runc's tables.

use super::commands::misuse;
use super::output;
use crate::cli::args::Args;
use crate::engine::oci::container::{self, Container, Status};
use crate::engine::oci::{Outcome, Runtime, observe};
use serde_json::{Value, json};
use std::process::Command;

/// runc's state, which has more than the specification asks for.
fn full(container: &Container, owner: String) -> Vec<(&'static str, Value)> {
    let (record, status) = (&container.record, container.status());
    let mut members = vec![
        ("ociVersion", json!(record.oci_version)),
        ("id", json!(record.id)),
        ("pid", json!(if status == Status::Stopped { 0 } else { record.pid })),
        ("status", json!(status.name())),
        ("bundle", json!(record.bundle)),
        ("rootfs", json!(record.rootfs)),
        ("created", json!(record.created)),
    ];
    if !record.annotations.is_empty() {
        members.push(("annotations", json!(record.annotations)));
    }
    members.push(("owner", owner.into()));
    members
}

fn owner(uid: u32) -> String {
    if uid == 0 { "root".to_owned() } else { format!("#{uid}") }
}

pub fn state(runtime: &Runtime, id: &str) -> Outcome<()> {
    let members = full(&Container::load(&runtime.root, id)?, String::new());
    output::out(&format!("{}\n", output::pretty(&members)));
    Ok(())
}

pub fn list(runtime: &Runtime, args: Args<'_>) -> Outcome<()> {
    let all = container::all(&runtime.root);
    if args.on("quiet") {
        output::out(&all.iter().map(|c| format!("{}\n", c.record.id)).collect::<String>());
        return Ok(());
    }
    match args.text("format") {
        Some("json") => {
            let list: Vec<String> = all.iter().map(|c| output::object(&full(c, owner(c.record.owner)))).collect();
            output::out(&format!("[{}]\n", list.join(",")));
        }
        None | Some("table") => {
            let head = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned).to_vec();
            let row = |c: &Container| {
                let status = c.status();
                let pid = if status == Status::Stopped { 0 } else { c.record.pid };
                let bundle = c.record.bundle.display().to_string();
                let status = status.name().to_owned();
                let owner = owner(c.record.owner);
                vec![c.record.id.clone(), pid.to_string(), status, bundle, c.record.created.clone(), owner]
            };
            let rows: Vec<_> = std::iter::once(head).chain(all.iter().map(row)).collect();
            output::out(&output::table(&rows));
        }
        Some(other) => return Err(misuse(format!("invalid format option '{other}'"))),
    }
    Ok(())
}

pub fn processes(runtime: &Runtime, id: &str, args: Args<'_>) -> Outcome<()> {
    let pids = observe::pids(runtime, id)?;
    match args.text("format") {
        Some("json") => output::out(&format!("{}\n", json!(pids))),
        None | Some("table") => table(&pids.unwrap_or_default(), &args.owned("ps-options"))?,
        Some(other) => return Err(misuse(format!("invalid format option '{other}'"))),
    }
    Ok(())
}

/// The machine's own `ps`, of which only the container's lines are shown.
fn table(pids: &[i32], options: &[String]) -> Outcome<()> {
    let usual = ["-ef".to_owned()];
    let options = if options.is_empty() { &usual[..] } else { options };
    let listed = Command::new("ps").args(options).output().map_err(|e| misuse(format!("running ps: {e}")))?;
    let text = String::from_utf8_lossy(&listed.stdout);
    if !listed.status.success() {
        return Err(misuse(format!("ps: {}", String::from_utf8_lossy(&listed.stderr).trim())));
    }
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    let column = head.split_whitespace().position(|word| word == "PID");
    let column = column.ok_or_else(|| misuse("couldn't find PID field in ps output"))?;
    output::out(&format!("{head}\n"));
    for line in lines {
        let pid = line.split_whitespace().nth(column).and_then(|p| p.parse::<i32>().ok());
        if pid.is_some_and(|pid| pids.contains(&pid)) {
            output::out(&format!("{line}\n"));
        }
    }
    Ok(())
}
