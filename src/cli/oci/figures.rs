//! `events` and `update`: figures of a container, and the change of its limits.

use super::commands::{misuse, number};
use super::{flags, output};
use crate::cli::args::Args;
use crate::engine::oci::{Outcome, Runtime, observe};
use serde_json::{Map, Value, json};
use std::io::Read;
use std::time::{Duration, Instant};

pub fn events(runtime: &Runtime, id: &str, args: Args<'_>) -> Outcome<()> {
    let interval = interval(args.text("interval").unwrap_or("5s"))?;
    let mut figures = observe::Figures::open(runtime, id)?;
    // Before the first figures, so that nothing happens unseen behind them.
    let mut alarm = (!args.on("stats")).then(|| figures.alarm()).transpose()?;
    while let Some(figure) = figures.take()? {
        tell(&figure);
        let Some(alarm) = &mut alarm else { break };
        let next = Instant::now() + interval;
        while alarm.strikes(next)? {
            tell(&figures.oom());
        }
    }
    Ok(())
}

fn tell(event: &observe::Event<'_>) {
    let mut members = vec![("type", json!(event.kind)), ("id", json!(event.id))];
    members.extend(event.data.clone().map(|data| ("data", data)));
    output::out(&format!("{}\n", output::object(&members)));
}

/// Go's durations as far as anybody writes them: `500ms`, `5s`, `1m`.
fn interval(text: &str) -> Outcome<Duration> {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(at);
    let unit = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        _ => 0,
    };
    let millis = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)).filter(|n| *n > 0);
    millis.map(Duration::from_millis).ok_or_else(|| misuse(format!("invalid interval '{text}': write 5s or 500ms")))
}

/// Returns warnings.
pub fn update(runtime: &Runtime, id: &str, args: Args<'_>) -> Outcome<Vec<String>> {
    let wanted = match args.text("resources") {
        Some(file) => {
            let mut text = String::new();
            let read = match file {
                "-" => std::io::stdin().read_to_string(&mut text).map(drop),
                path => std::fs::read_to_string(path).map(|read| text = read),
            };
            read.map_err(|e| misuse(format!("reading the resources from {file}: {e}")))?;
            text
        }
        None => of_flags(args)?.to_string(),
    };
    let schemas = ["l3-cache-schema", "mem-bw-schema"].map(|flag| args.text(flag));
    observe::update(runtime, id, &wanted, schemas)
}

/// The flags as the JSON they stand for.
fn of_flags(args: Args<'_>) -> Outcome<Value> {
    let mut parts: Map<String, Value> = Map::new();
    let mut put = |part: &str, key: &str, value: Value| parts.entry(part).or_insert_with(|| json!({}))[key] = value;
    for (flag, _) in flags::NUMBERS {
        let Some(text) = args.text(flag) else { continue };
        let value = if flag.contains("memory") { size(flag, text)? } else { number::<i64>(args, flag)?.unwrap_or(0) };
        let (part, key) = match flag {
            "blkio-weight" => ("blockIO", "weight"),
            "cpu-burst" => ("cpu", "burst"),
            "cpu-idle" => ("cpu", "idle"),
            "cpu-period" => ("cpu", "period"),
            "cpu-quota" => ("cpu", "quota"),
            "cpu-rt-period" => ("cpu", "realtimePeriod"),
            "cpu-rt-runtime" => ("cpu", "realtimeRuntime"),
            "cpu-share" => ("cpu", "shares"),
            "kernel-memory" => ("memory", "kernel"),
            "kernel-memory-tcp" => ("memory", "kernelTCP"),
            "memory" => ("memory", "limit"),
            "memory-reservation" => ("memory", "reservation"),
            _ => ("memory", "swap"),
        };
        put(part, key, value.into());
    }
    // Of all flags zero means unchanged; only a configuration's is a limit.
    if let Some(limit) = number::<i64>(args, "pids-limit")?.filter(|limit| *limit != 0) {
        put("pids", "limit", limit.into());
    }
    for (flag, key) in [("cpuset-cpus", "cpus"), ("cpuset-mems", "mems")] {
        if let Some(list) = args.text(flag) {
            put("cpu", key, list.into());
        }
    }
    Ok(Value::Object(parts))
}

/// Bytes, or with a unit: `64M`.
fn size(flag: &str, text: &str) -> Outcome<i64> {
    if let Ok(bytes) = text.parse() {
        return Ok(bytes);
    }
    let bytes = crate::model::units::parse_bytes(text).and_then(|bytes| i64::try_from(bytes).ok());
    bytes.ok_or_else(|| misuse(format!("invalid value '{text}' for --{flag}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        assert_eq!(interval("5s").unwrap(), Duration::from_secs(5));
        assert_eq!(interval("250ms").unwrap(), Duration::from_millis(250));
        for wrong in ["", "5", "s", "0s", "-1s", "99999999999999999999m"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
