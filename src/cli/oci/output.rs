//! Words on stdout and stderr, and tables as runc prints them.

use crate::cli::report;

pub fn out(text: &str) {
    report::out(text);
}

pub fn json(value: &serde_json::Value) {
    out(&format!("{}\n", serde_json::to_string_pretty(value).unwrap_or_default()));
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
