//! `events`: the event log as docker prints it.

use super::Context;
use super::logs::time;
use crate::cli::output::filter::Filters;
use crate::cli::output::render_one;
use crate::cli::template::Data;
use crate::engine::job::{Chunk, JobIo};
use crate::engine::request::EventsArgs;
use crate::engine::{Request, Result};
use crate::model::event::EventRecord;
use serde_json::{Value, json};
use std::io::Write;

const FILTERS: [&str; 7] = ["container", "event", "image", "label", "network", "type", "volume"];

pub(super) async fn events(cx: &Context<'_>) -> Result<u8> {
    let filters = Filters::parse(&cx.args.texts("filter"), &FILTERS)?;
    let request = EventsArgs { since: time(cx.args, "since")?, until: time(cx.args, "until")? };
    let mut handle = cx.engine.submit(Request::Events(request));
    let Some(JobIo { mut output, .. }) = handle.io.take() else { return cx.finish(handle).await.map(|_| 0) };
    while let Some(chunk) = output.recv().await {
        let Chunk::Event(record) = chunk else { continue };
        if !fits(&record, &filters) {
            continue;
        }
        let labels = record.attributes.clone();
        let text = render_one(&Data { value: json(&record), labels }, cx.args.text("format"))?;
        let text = text.unwrap_or_else(|| line(&record));
        let mut stdout = std::io::stdout().lock();
        if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
            handle.cancel();
            return Ok(0);
        }
    }
    cx.finish(handle).await.map(|_| 0)
}

fn fits(record: &EventRecord, filters: &Filters) -> bool {
    // Jobs are teu's own; docker's users see them when they ask.
    if record.kind == "job" && !filters.has("type") {
        return false;
    }
    let attribute = |key: &str| record.attributes.get(key).map_or("", String::as_str);
    let object = |kind: &str, value: &str| {
        let is_it = record.kind == kind && (record.id == value || attribute("name") == value);
        is_it || (record.kind == kind && value.len() >= 4 && record.id.starts_with(value))
    };
    filters.any("type", |v| record.kind == v)
        && filters.any("event", |v| record.action == v || record.action.split(':').next() == Some(v))
        && filters.any("container", |v| object("container", v))
        && filters.any("volume", |v| object("volume", v))
        && filters.any("network", |v| object("network", v))
        && filters.any("image", |v| object("image", v) || attribute("image") == v)
        && filters.labels(&record.attributes)
}

/// `2026-01-02T15:04:05.000000000Z container start ID (image=x, name=y)`
fn line(record: &EventRecord) -> String {
    let attributes: Vec<String> = record.attributes.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let time = record.time.rfc3339();
    format!("{time} {} {} {} ({})\n", record.kind, record.action, record.id, attributes.join(", "))
}

fn json(record: &EventRecord) -> Value {
    json!({
        "Type": record.kind,
        "Action": record.action,
        "Actor": {"ID": record.id, "Attributes": record.attributes},
        "ID": record.id,
        "Status": record.action,
        "status": record.action,
        "id": record.id,
        "from": record.attributes.get("image").cloned().unwrap_or_default(),
        "scope": "local",
        "time": record.time.0 / 1_000_000_000,
        "timeNano": record.time.0,
    })
}
