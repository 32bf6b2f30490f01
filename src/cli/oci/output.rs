//! Words on stdout and stderr, and tables as runc prints them.

use crate::cli::report;
use serde_json::Value;

pub fn out(text: &str) {
    report::out(text);
}

pub fn json(value: &Value) {
    out(&format!("{}\n", serde_json::to_string_pretty(value).unwrap_or_default()));
}

/// An object whose members stand in runc's order: callers look at the beginning of a line.
pub fn object(members: &[(&str, Value)]) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// The same for people.
pub fn pretty(members: &[(&str, Value)]) -> String {
    let text = |value| serde_json::to_string_pretty(value).unwrap_or_default().replace('\n', "\n  ");
    let members: Vec<String> = members.iter().map(|(name, value)| format!("  \"{name}\": {}", text(value))).collect();
    format!("{{\n{}\n}}", members.join(",\n"))
}

pub fn err(text: &str) {
    report::err(text);
}

/// RFC 3339 with seconds.
pub fn now() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    jiff::Timestamp::from_second(i64::try_from(now.as_secs()).unwrap_or(0)).map(|t| t.to_string()).unwrap_or_default()
}

/// Columns as wide as their widest entry, at least twelve, three blanks between them; nothing after the last.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |c: usize| rows.iter().map(|r| r[c].chars().count()).max().unwrap_or(0).max(9) + 3;
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let mut text: String = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    };
    rows.iter().map(line).collect()
}
