//! Words and figures as docker prints them.

use crate::model::container::{State, Status};
use crate::model::health::HealthStatus;
use crate::model::time::Timestamp;
use crate::model::units::human_duration;
use std::time::SystemTime;

/// The wall clock, read by the caller of everything here.
pub(in crate::cli) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// `2026-01-02 15:04:05 +0100 CET`
pub(in crate::cli) fn local_time(time: Timestamp) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(time.0)) {
        Ok(t) => t.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %z %Z").to_string(),
        Err(_) => "N/A".into(),
    }
}

/// `3 minutes ago`
pub(in crate::cli) fn ago(time: Timestamp, now: Timestamp) -> String {
    format!("{} ago", human_duration(now.seconds_since(time)))
}

/// `Up 3 minutes`, `Exited (0) 2 hours ago`, ...
pub(in crate::cli) fn status(state: &State, now: Timestamp) -> String {
    let up = || format!("Up {}", human_duration(state.started.map_or(0, |t| now.seconds_since(t))));
    let code = match state.exit {
        Some(exit) if exit.unknown => "?".into(),
        Some(exit) => exit.code.to_string(),
        None => "0".into(),
    };
    let ended = state.finished.map(|t| format!(" {}", ago(t, now))).unwrap_or_default();
    match state.status {
        Status::Created => "Created".into(),
        Status::Running => match &state.health {
            Some(health) if health.status == HealthStatus::Starting => up() + " (health: starting)",
            Some(health) => format!("{} ({})", up(), health.status.word()),
            None => up(),
        },
        Status::Paused => up() + " (Paused)",
        Status::Orphaned => up() + " (monitor lost)",
        Status::Restarting => format!("Restarting ({code}){ended}"),
        Status::Exited => format!("Exited ({code}){ended}"),
    }
}

/// At most `most` characters, the last an ellipsis when something was cut.
pub(in crate::cli) fn ellipsis(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    kept + "…"
}

/// Go's `strconv.Quote`, near enough for a command line.
pub(in crate::cli) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out + "\""
}

/// A point in time as flags give it: RFC 3339 (also without zone or time), unix seconds, or an age such as `10m`.
pub(in crate::cli) fn point_in_time(text: &str, now: Timestamp) -> Option<i64> {
    if let Some(nanos) = go_duration(text) {
        return Some(now.0.saturating_sub(nanos));
    }
    if let Ok(seconds) = text.parse::<f64>() {
        return Some((seconds * 1e9) as i64);
    }
    if let Some(time) = Timestamp::parse_rfc3339(text) {
        return Some(time.0);
    }
    let local: jiff::civil::DateTime = match text.parse() {
        Ok(time) => time,
        Err(_) => text.parse::<jiff::civil::Date>().ok()?.to_datetime(jiff::civil::Time::midnight()),
    };
    let zoned = local.to_zoned(jiff::tz::TimeZone::system()).ok()?;
    i64::try_from(zoned.timestamp().as_nanosecond()).ok()
}

/// Nanoseconds of `1h30m`, `42s`, `1.5h`, `300ms`. `None`: not a duration.
pub(in crate::cli) fn go_duration(text: &str) -> Option<i64> {
    let mut rest = text.strip_prefix('-').unwrap_or(text);
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        total += number
            * match &rest[..unit] {
                "ns" => 1.0,
                "us" | "µs" => 1e3,
                "ms" => 1e6,
                "s" => 1e9,
                "m" => 60e9,
                "h" => 3600e9,
                "d" => 86_400e9,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    (!text.is_empty()).then_some(total as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::container::ExitStatus;

    const NOW: Timestamp = Timestamp(1_767_225_600_000_000_000);

    fn before(seconds: i64) -> Timestamp {
        Timestamp(NOW.0 - seconds * 1_000_000_000)
    }

    #[test]
    fn status_words() {
        let mut state = State { status: Status::Running, started: Some(before(185)), ..State::default() };
        assert_eq!(status(&state, NOW), "Up 3 minutes");
        state.status = Status::Paused;
        assert_eq!(status(&state, NOW), "Up 3 minutes (Paused)");
        state.status = Status::Running;
        state.health = Some(crate::model::health::Health::default());
        assert_eq!(status(&state, NOW), "Up 3 minutes (health: starting)");
        state.health.as_mut().unwrap().status = HealthStatus::Unhealthy;
        assert_eq!(status(&state, NOW), "Up 3 minutes (unhealthy)");
        state.status = Status::Exited;
        state.finished = Some(before(7300));
        state.exit = Some(ExitStatus { code: 137, ..ExitStatus::default() });
        assert_eq!(status(&state, NOW), "Exited (137) 2 hours ago");
        state.exit = Some(ExitStatus { unknown: true, ..ExitStatus::default() });
        assert_eq!(status(&state, NOW), "Exited (?) 2 hours ago");
    }

    #[test]
    fn times_of_flags() {
        let check = |text: &str, seconds: Option<i64>| {
            assert_eq!(point_in_time(text, NOW).map(|n| n / 1_000_000_000), seconds, "{text}");
        };
        check("90s", Some(1_767_225_510));
        check("1h30m", Some(1_767_220_200));
        check("1767225000", Some(1_767_225_000));
        check("1767225000.5", Some(1_767_225_000));
        check("2026-01-01T00:00:00Z", Some(1_767_225_600));
        check("2026-01-01T01:00:00+01:00", Some(1_767_225_600));
        assert!(point_in_time("2026-01-01", NOW).is_some() && point_in_time("2026-01-01T00:00:00", NOW).is_some());
        check("yesterday", None);
        check("", None);
        check("10x", None);
    }

    #[test]
    fn quoting_and_cutting() {
        assert_eq!(quote("a \"b\" \n\u{1b}"), "\"a \\\"b\\\" \\n\\x1b\"");
        assert_eq!(ellipsis("0123456789", 5), "0123…");
        assert_eq!(ellipsis("01234", 5), "01234");
    }
}
